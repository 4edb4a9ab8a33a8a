"""``vdiskkit rm``: delete one guest file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vdiskkit.cli.change_options import change_options
from vdiskkit.cli.command import Command
from vdiskkit.cli.options import PathType

if TYPE_CHECKING:
    from vdiskkit.cli.session import Session
    from vdiskkit.patch.plan import Plan

__all__ = ["command"]


@click.command(
    "rm",
    cls=Command,
    schema="vdiskkit.patch/1",
    exit_codes=(0, 1, 3, 4, 5, 6, 7),
    examples=(
        (r"rm win10.vhd Windows\System32\spp\store\2.0\tokens.dat --dry-run", "what would be written"),
        (r"rm win10.vhd Windows\Temp\setup.log --missing-ok --yes", "no error when it is gone already"),
    ),
    short_help="Delete one guest file.",
)
@click.argument("disk", metavar="DISK", type=PathType())
@click.argument("path", metavar="PATH")
@click.option("--missing-ok", is_flag=True, help="A file that is not there is no error.")
@click.option("--all-links", is_flag=True, help="Delete every hard link of the file, not only this one.")
@change_options
@click.pass_obj
def command(session: Session, disk: str, path: str, missing_ok: bool, all_links: bool) -> int:
    """Delete one guest file, with its short (8.3) name.

    Other hard links of the file stay, and with them its content; system files have one in WinSxS. Directories and the
    file system's own files are refused. A link is deleted itself, not what it leads to.
    """
    from vdiskkit.cli.change import carry_out

    def make(target: str, **arguments: Any) -> Plan:  # noqa: ANN401 - those of the public function
        import vdiskkit

        return vdiskkit.plan(
            target, [vdiskkit.DeleteFile(path=path, missing_ok=missing_ok, all_links=all_links)], **arguments
        )

    return carry_out(session, disk, make)

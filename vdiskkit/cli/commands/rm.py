"""``vdiskkit rm``: delete one guest file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from vdiskkit.cli.change_options import change_options
from vdiskkit.cli.command import Command
from vdiskkit.cli.options import PathType

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vdiskkit.cli.session import Session
    from vdiskkit.ntfs import NtfsVolume
    from vdiskkit.patch.plan import Plan

__all__ = ["command"]


@click.command(
    "rm",
    cls=Command,
    schema="vdiskkit.patch/1",
    exit_codes=(0, 1, 3, 4, 5, 6, 7),
    examples=(
        (r'rm win10.vhd "Windows\System32\spp\store\2.0\tokens.dat" --dry-run', "what would be written"),
        (r'rm win10.vhd "Windows\Temp\setup.log" --missing-ok --yes', "no error when it is gone already"),
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
    file system's own files are refused. A link is deleted itself, not what it leads to. Where a missing file is no
    error, a path that looks as if a shell took its backslashes out is one.
    """
    from vdiskkit.cli.change import carry_out
    from vdiskkit.cli.guest import missing_hint, refuse_lost_separators

    def make(target: str, **arguments: Any) -> Plan:  # noqa: ANN401 - those of the public function
        import vdiskkit

        operations = [vdiskkit.DeleteFile(path=path, missing_ok=missing_ok, all_links=all_links)]
        try:
            plan = vdiskkit.plan(target, operations, **arguments)
        except vdiskkit.FileMissingError as exc:
            with _volume(target, arguments) as volume:
                exc.hint = exc.hint or missing_hint(volume, path)
            raise
        if not any(change.kind == "file" for change in plan.changes):
            with _volume(target, arguments) as volume:
                refuse_lost_separators(volume, path)
        return plan

    return carry_out(session, disk, make)


@contextmanager
def _volume(target: str, arguments: Mapping[str, Any]) -> Iterator[NtfsVolume]:
    import vdiskkit

    with vdiskkit.open_vdisk(target, volume=arguments["volume"], parent_dirs=arguments["parent_dirs"]) as disk:
        yield disk.volume

"""``vdiskkit license``: licensing facts only, Windows and Office."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vdiskkit.cli.command import Command
from vdiskkit.cli.options import PathType, common_options, disk_options, json_options, output_option

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vdiskkit.cli.session import Session
    from vdiskkit.inspection.facts import Inspection
    from vdiskkit.report.style import Style

__all__ = ["command"]


@click.command(
    "license",
    cls=Command,
    schema="vdiskkit.license/1",
    exit_codes=(0, 3, 5),
    examples=(
        ("license win10.vhd", "keys, channel, SkipRearm, KMS hosts, token stores, Office"),
        ("license win10.vhd --json --show-key", "the same as JSON, with product keys whole"),
    ),
    short_help="Licensing facts only: Windows and Office.",
)
@click.argument("disks", nargs=-1, metavar="DISK...", type=PathType())
@click.option("--show-key", is_flag=True, help="Show product keys whole; otherwise only the last five characters.")
@click.option("--files-from", metavar="LIST", type=PathType(), help="Also look at the disks in LIST, one path a line.")
@click.option("-0", "--null", is_flag=True, help="Paths in lists end with NUL instead of a line end.")
@disk_options
@json_options
@output_option
@common_options
@click.pass_obj
def command(session: Session, disks: tuple[str, ...], show_key: bool, files_from: str | None, null: bool) -> int:
    """Show how Windows and Office in a vDisk are licensed, as far as an image shows it.

    Whether anything is activated, the client machine id (CMID) and the rearm count are in an encrypted store and are
    not claimed.
    """
    from vdiskkit.cli.results import Work, examine
    from vdiskkit.cli.targets import disk_list, open_disk

    def gather(target: str) -> Inspection:
        with open_disk(session, target, shows_notices=True) as disk:
            return disk.inspect(show_keys=show_key)

    def as_text(inspection: Inspection, style: Style) -> Iterable[str]:
        from vdiskkit.report.text import inspection_lines

        return inspection_lines(inspection, style, ("windows", "license", "tokens", "office", "notices"))

    def as_dict(inspection: Inspection) -> dict[str, Any]:
        from vdiskkit.report.license_facts import license_result

        return license_result(inspection).to_dict()

    session.targets = disk_list(disks, files_from, nul=null)
    return examine(session, session.targets, Work(gather, as_text, as_dict))

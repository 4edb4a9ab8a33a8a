"""``vdiskkit journal show``: one change with all that it wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vdiskkit.cli.command import Command
from vdiskkit.cli.options import PathType, common_options, json_options, output_option
from vdiskkit.errors import NotFoundError
from vdiskkit.location import Location

if TYPE_CHECKING:
    from vdiskkit.cli.session import Session
    from vdiskkit.patch.history import KeptChange

__all__ = ["command"]


@click.command(
    "show",
    cls=Command,
    schema="vdiskkit.journal/1",
    exit_codes=(0, 1, 3, 5),
    examples=(
        ("journal show win10.vhd", "the interrupted change, else the newest one"),
        ("journal show win10.vhd --id 7f3a --json", "one change with every range that it wrote"),
    ),
    short_help="Show one change with all ranges that it wrote.",
)
@click.argument("disk", metavar="DISK", type=PathType())
@click.option("--id", metavar="ID", help="Id of the change, or its beginning.")
@json_options
@output_option
@common_options
@click.pass_obj
def command(session: Session, disk: str, id: str | None) -> int:  # noqa: A002 - named after the option
    """Show one change: what it did, and every range of the files that it wrote."""
    from vdiskkit.cli.change import write_result
    from vdiskkit.report.journal_facts import JournalResult, journal_change
    from vdiskkit.report.journal_text import journal_lines

    change = journal_change(_find(disk, id), with_ranges=True)
    committed = change.state == "committed"
    result = JournalResult(pending=None if committed else change, changes=(change,) if committed else ())
    write_result(session, disk, 0, result.to_dict, lambda style: journal_lines(result, disk, style))
    return 0


def _find(disk: str, change_id: str | None) -> KeptChange:
    import vdiskkit

    if change_id is not None:
        return vdiskkit.find_change(disk, change_id)
    found = vdiskkit.pending_change(disk) or vdiskkit.newest_change(disk)
    if found is None:
        raise NotFoundError("no change of this disk is kept", location=Location(disk))
    return found

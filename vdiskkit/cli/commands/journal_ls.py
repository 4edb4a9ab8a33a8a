"""``vdiskkit journal ls``: the changes of a disk that are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vdiskkit.cli.command import Command
from vdiskkit.cli.options import PathType, common_options, json_options, output_option

if TYPE_CHECKING:
    from vdiskkit.cli.session import Session

__all__ = ["command"]


@click.command(
    "ls",
    cls=Command,
    schema="vdiskkit.journal/1",
    exit_codes=(0, 3, 5),
    examples=(
        ("journal ls win10.vhd", "the changes, the newest first"),
        ("journal ls win10.vhd --json", "the same as JSON"),
    ),
    short_help="List the changes that are kept.",
)
@click.argument("disk", metavar="DISK", type=PathType())
@json_options
@output_option
@common_options
@click.pass_obj
def command(session: Session, disk: str) -> int:
    """List the changes of a disk that are kept to be taken back, the newest first, and one that was interrupted.

    A kept journal that cannot be read is listed as such; its change, and those before it, cannot be taken back.
    """
    import vdiskkit
    from vdiskkit.cli.change import write_result
    from vdiskkit.report.journal_facts import JournalResult, damaged_journal, journal_change
    from vdiskkit.report.journal_text import journal_lines

    damaged: list[vdiskkit.DamagedJournal] = []
    waiting = vdiskkit.pending_change(disk)
    changes = vdiskkit.history(disk, on_damaged=damaged.append)
    result = JournalResult(
        pending=journal_change(waiting) if waiting is not None else None,
        changes=tuple(map(journal_change, changes)),
        damaged=tuple(map(damaged_journal, damaged)),
    )
    write_result(session, disk, 0, result.to_dict, lambda style: journal_lines(result, disk, style))
    return 0

"""``vdiskkit undo``: take the newest change back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vdiskkit.cli.change_options import dry_run_option, force_option, result_options, yes_option
from vdiskkit.cli.command import Command
from vdiskkit.cli.options import PathType

if TYPE_CHECKING:
    from vdiskkit.cli.session import Session
    from vdiskkit.report.journal_facts import UndoResult

__all__ = ["command"]


@click.command(
    "undo",
    cls=Command,
    schema="vdiskkit.undo/1",
    exit_codes=(0, 1, 3, 4, 5, 6, 7),
    examples=(
        ("undo win10.vhd --dry-run", "can the newest change still be taken back?"),
        ("undo win10.vhd --id 7f3a --yes", "take it back, if it is the one with this id"),
    ),
    short_help="Take the newest change of a disk back.",
)
@click.argument("disk", metavar="DISK", type=PathType())
@click.option("--id", metavar="ID", help="Id of the change, or its beginning; another one than the newest is refused.")
@yes_option
@dry_run_option
@force_option
@result_options
@click.pass_obj
def command(session: Session, disk: str, id: str | None) -> int:  # noqa: A002 - named after the option
    """Take the newest change back, to the exact bytes that disk and side-car had before it.

    Refused, with nothing touched, when the disk was used since: what Windows wrote in between would be wrecked.
    """
    import vdiskkit
    from vdiskkit.cli.change import write_result
    from vdiskkit.cli.confirm import Steps, ask, need_answer
    from vdiskkit.cli.exitcodes import OK
    from vdiskkit.cli.output import open_output
    from vdiskkit.cli.terminal import style_for_stderr
    from vdiskkit.report.journal_facts import UndoResult, journal_change
    from vdiskkit.report.journal_text import undo_lines

    dry_run = bool(session.change.get("dry_run"))
    force = tuple(session.change.get("force") or ())
    if not dry_run:
        need_answer(session)
    session.silence_readers()
    kept = vdiskkit.undo(disk, change_id=id, force=force, dry_run=True)
    result = UndoResult(dry_run=True, change=journal_change(kept))
    output = None
    if not dry_run:
        ask(session, undo_lines(result, disk, style_for_stderr(session))[:-1], "take it back?")
        result = UndoResult(dry_run=False, change=result.change)
        session.need_log()
        output = open_output(session)
        steps = Steps(session)
        try:
            vdiskkit.undo(disk, change_id=kept.journal.id, force=force, progress=steps)
        except BaseException:
            output.close(keep=False)
            raise
        finally:
            steps.clear()
    write_result(
        session,
        disk,
        OK,
        result.to_dict,
        lambda style: undo_lines(result, disk, style),
        output,
        lambda: _json_lines(result, disk),
    )
    return OK


def _json_lines(result: UndoResult, disk: str) -> str:
    from vdiskkit.report.line_facts import past_items, undo_outcome
    from vdiskkit.report.lines import lines_of

    return lines_of("undo", disk, undo_outcome(result.change, dry_run=result.dry_run), past_items(result.change))

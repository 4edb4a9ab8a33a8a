"""``vdiskkit recover``: bring an interrupted change to an end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vdiskkit.cli.change_options import dry_run_option, force_option, result_options, yes_option
from vdiskkit.cli.command import Command
from vdiskkit.cli.options import PathType

if TYPE_CHECKING:
    from vdiskkit.cli.session import Session
    from vdiskkit.report.journal_facts import RecoverResult

__all__ = ["command"]


@click.command(
    "recover",
    cls=Command,
    schema="vdiskkit.recover/1",
    exit_codes=(0, 3, 4, 6, 7),
    examples=(
        ("recover win10.vhd --yes", "the state before the change that was interrupted"),
        ("recover win10.vhd --forward --dry-run", "was everything written, so that it can be finished instead?"),
    ),
    short_help="Bring an interrupted change to an end.",
)
@click.argument("disk", metavar="DISK", type=PathType())
@click.option("--forward", is_flag=True, help="Finish the change, if all of it was written, instead of undoing it.")
@yes_option
@dry_run_option
@force_option
@result_options
@click.pass_obj
def command(session: Session, disk: str, forward: bool) -> int:
    """Bring disk and side-car back to the state before a change that was interrupted.

    Without an interrupted change nothing is done. Refused, with nothing touched, when the disk was used since.
    """
    import vdiskkit
    from vdiskkit.cli.change import write_result
    from vdiskkit.cli.confirm import ask, need_answer
    from vdiskkit.cli.exitcodes import OK
    from vdiskkit.cli.output import open_output
    from vdiskkit.cli.terminal import style_for_stderr
    from vdiskkit.report.journal_facts import recover_result
    from vdiskkit.report.journal_text import recover_lines

    dry_run = bool(session.change.get("dry_run"))
    force = tuple(session.change.get("force") or ())
    if not dry_run:
        need_answer(session)
    session.silence_readers()
    waiting = vdiskkit.pending_change(disk)
    path = waiting.path if waiting is not None else ""
    result = recover_result(vdiskkit.recover(disk, forward=forward, force=force, dry_run=True), path, dry_run=True)
    output = None
    if not dry_run:
        if result.action != "nothing":
            ask(session, recover_lines(result, disk, style_for_stderr(session))[:-1], "do it?")
        session.need_log()
        output = open_output(session)
        try:
            done = vdiskkit.recover(disk, forward=forward, force=force)
        except BaseException:
            output.close(keep=False)
            raise
        result = recover_result(done, path, dry_run=False)
    write_result(
        session,
        disk,
        OK,
        result.to_dict,
        lambda style: recover_lines(result, disk, style),
        output,
        lambda: _json_lines(result, disk),
    )
    return OK


def _json_lines(result: RecoverResult, disk: str) -> str:
    from vdiskkit.report.line_facts import past_items, recover_outcome
    from vdiskkit.report.lines import lines_of

    outcome = recover_outcome(result.action, result.change, dry_run=result.dry_run)
    return lines_of("recover", disk, outcome, past_items(result.change))

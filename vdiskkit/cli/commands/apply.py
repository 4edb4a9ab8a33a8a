"""``vdiskkit apply``: carry out a saved plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vdiskkit.cli.change_options import dry_run_option, result_options, write_options, yes_option
from vdiskkit.cli.command import Command
from vdiskkit.cli.options import PathType, parent_dir_option

if TYPE_CHECKING:
    from vdiskkit.cli.session import Session
    from vdiskkit.patch.plan import Plan, SavedPlan

__all__ = ["command"]


@click.command(
    "apply",
    cls=Command,
    schema="vdiskkit.patch/1",
    exit_codes=(0, 1, 3, 4, 5, 6, 7),
    examples=(
        ("apply win10.plan --yes", "carry out what `--plan-out win10.plan` saved"),
        ("apply win10.plan --disk D:/store/win10.vhd --dry-run", "would it still fit this copy of the disk?"),
    ),
    short_help="Carry out a saved plan.",
)
@click.argument("plan_file", metavar="PLAN", type=PathType())
@yes_option
@dry_run_option
@click.option(
    "--disk", metavar="DISK", type=PathType(), help="Change this disk instead of the one that the plan names."
)
@click.option("--digest", metavar="DIGEST", help="Refuse the plan unless this is its digest: the one that was shown.")
@write_options
@parent_dir_option
@result_options
@click.pass_obj
def command(session: Session, plan_file: str, disk: str | None, digest: str | None) -> int:
    """Carry out a plan that --plan-out saved.

    The plan is made anew from its operations and compared with the saved one: a disk that is not what it was then is
    refused, and a plan file cannot make anything else be written.
    """
    import vdiskkit
    from vdiskkit.cli.audit import tell_target
    from vdiskkit.cli.change import Answer, run_plan, show
    from vdiskkit.cli.confirm import ask, need_answer
    from vdiskkit.cli.exitcodes import OK
    from vdiskkit.cli.terminal import style_for_stderr
    from vdiskkit.location import Location
    from vdiskkit.report.patch_text import answer_lines

    if not session.change.get("dry_run"):
        need_answer(session)
    session.silence_readers()
    saved = vdiskkit.load_plan(plan_file)
    if digest is not None and digest.lower() != saved.digest:
        raise vdiskkit.StalePlanError(
            "this is not the plan that was meant: its digest is another one",
            location=Location(plan_file),
            hint="make the plan again and look at it",
        )
    if disk is not None:
        saved = saved._replace(path=disk)
    session.target = saved.path
    session.targets.append(saved.path)
    tell_target(saved.path)
    plan = _derive(session, saved)
    if session.change.get("dry_run"):
        show(session, saved.path, OK, Answer(plan))
        return OK
    if not plan.empty:
        ask(session, answer_lines(plan, None, style_for_stderr(session), asking=True), "write this?")
    run_plan(session, saved.path, plan)
    return OK


def _derive(session: Session, saved: SavedPlan) -> Plan:
    import vdiskkit
    from vdiskkit.location import Location

    plan = vdiskkit.plan(
        saved.path,
        saved.operations,
        force=saved.forced,
        volume=saved.volume,
        parent_dirs=tuple(session.disk.get("parent_dir") or ()),
        notes=saved.notes,
        full_check=session.change.get("verify") == "full",
        now=saved.now,
    )
    if plan.digest != saved.digest and not plan.empty:
        raise vdiskkit.StalePlanError(
            "the disk or its side-car is not what it was when the plan was made",
            location=Location(saved.path),
            hint="make the plan again and look at it",
        )
    return plan

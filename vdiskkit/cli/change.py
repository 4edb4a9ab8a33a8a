"""Carrying out a change, the same way for every command: plan, show, ask, write, tell what was done."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from vdiskkit.cli import exitcodes
from vdiskkit.cli.output import guard_output, open_output
from vdiskkit.errors import RollbackFailedError, SourceError, StalePlanError, UsageError
from vdiskkit.events import absolute, tell
from vdiskkit.io.opening import remove
from vdiskkit.io.paths import host_path, is_there
from vdiskkit.location import Location
from vdiskkit.text import displayable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vdiskkit.cli.output import Output
    from vdiskkit.cli.session import Session
    from vdiskkit.patch.api import PatchResult
    from vdiskkit.patch.copying import Copied
    from vdiskkit.patch.plan import Plan
    from vdiskkit.report.style import Style

__all__ = ["Answer", "carry_out", "show"]


class Answer(NamedTuple):
    """What a command that changes something has to tell.

    Attributes:
        plan: What would be done, or was.
        result: What was done; None when nothing was written on purpose.
        saved_to: Where the plan was saved.
        copied_to: The copy that was made and changed, or would be.
    """

    plan: Plan
    result: PatchResult | None = None
    saved_to: str | None = None
    copied_to: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the ``result`` of ``vdiskkit.patch/1``."""
        result = self.result
        return {
            "dry_run": result is None,
            "written": result is not None and result.written,
            "change_id": str(result.change_id) if result is not None and result.written else None,
            "journal": result.journal if result is not None else None,
            "plan_file": self.saved_to,
            "copied_to": self.copied_to,
            "plan": self.plan.to_dict(),
        }

    def to_lines(self, target: str) -> str:
        """Return the JSON lines: one for each change, then what was done."""
        from vdiskkit.report.line_facts import change_items, change_outcome
        from vdiskkit.report.lines import lines_of

        outcome = change_outcome(self.plan, self.result, saved_to=self.saved_to, copied_to=self.copied_to)
        return lines_of("patch", target, outcome, change_items(self.plan))


def carry_out(session: Session, disk: str, make: Callable[..., Plan]) -> int:
    """Plan a change and, as the options say, show, save or carry it out.

    Args:
        session: The run.
        disk: The disk, as it was named.
        make: Makes the plan for a path; further arguments are those of :func:`vdiskkit.plan`.

    Returns:
        The exit code: 1 when ``--check`` found that something would change.

    Raises:
        VDiskError: It cannot be planned, or it failed.
        click.Abort: The user did not say yes.
    """
    from vdiskkit.cli.confirm import need_answer
    from vdiskkit.cli.targets import version_file

    options = session.change
    target = version_file(disk, session.disk.get("at"))
    plan_out, new = options.get("plan_out"), options.get("copy_to")
    only_plan = bool(options.get("dry_run") or options.get("check") or plan_out)
    if plan_out and options.get("yes"):
        raise UsageError("--plan-out saves the plan and changes nothing, so --yes makes no sense with it")
    if plan_out and new:
        raise UsageError(
            "a plan is for one disk, so --plan-out and --copy-to exclude each other",
            hint="copy the disk first, or apply the plan to a copy with `apply --disk`",
        )
    if not only_plan:
        need_answer(session)
    session.silence_readers()
    _check_new_files(target, plan_out, new)
    arguments: dict[str, Any] = {
        "force": tuple(options.get("force") or ()),
        "volume": session.disk.get("volume"),
        "parent_dirs": tuple(session.disk.get("parent_dir") or ()),
        "full_check": options.get("verify") == "full",
        "now": session.clock(),
    }
    plan = make(target, **arguments)
    if only_plan:
        if plan_out:
            _save(plan, plan_out)
        code = exitcodes.NOT_FOUND if options.get("check") and not plan.empty else exitcodes.OK
        show(session, disk, code, Answer(plan, saved_to=plan_out, copied_to=new))
        return code
    return _write(session, disk, plan, new, lambda path: make(path, **arguments))


def show(session: Session, target: str, code: int, answer: Answer, output: Output | None = None) -> None:
    """Write the result, as text or as JSON."""
    from vdiskkit.report.patch_text import answer_lines

    write_result(
        session,
        target,
        code,
        answer.to_dict,
        lambda style: answer_lines(
            answer.plan, answer.result, style, saved_to=answer.saved_to, copied_to=answer.copied_to
        ),
        output,
        as_lines=lambda: answer.to_lines(target),
    )


def write_result(
    session: Session,
    target: str,
    code: int,
    as_dict: Callable[[], dict[str, Any]],
    as_text: Callable[[Style], Iterable[str]],
    output: Output | None = None,
    as_lines: Callable[[], str] | None = None,
) -> None:
    """Write a result to the place that the options name.

    Args:
        session: The run.
        target: The disk, as it was named.
        code: What the process will return.
        as_dict: Gives the ``result`` of the JSON object.
        as_text: Gives the lines for people.
        output: The place, when it was opened before.
        as_lines: Gives the JSON lines, for commands that have them.
    """
    if session.json:
        from vdiskkit.report.json import document, dumps

        disks = [{"target": target, "result": as_dict()}]
        text = dumps(document(session.schema, disks, started=session.started, exit_code=code))
    elif session.lines and as_lines is not None:
        text = as_lines()
    else:
        from vdiskkit.cli.terminal import style_for_file, style_for_stdout

        style = style_for_file(session) if session.output else style_for_stdout(session)
        text = "".join(f"{line}\n" for line in as_text(style))
    keep = False
    output = output or open_output(session)
    try:
        output.write(text)
        keep = True
    finally:
        output.close(keep=keep)


def run_plan(session: Session, target: str, plan: Plan) -> None:
    """Apply a plan and tell what was done.

    Raises:
        VDiskError: It failed, and everything is as it was before unless the error says otherwise.
    """
    # Opened before anything is written: a change whose result cannot be told should not begin.
    output = open_output(session)
    result = _apply(session, plan, output)
    show(session, target, exitcodes.OK, Answer(result.plan, result), output)


def _apply(session: Session, plan: Plan, output: Output) -> PatchResult:
    import vdiskkit
    from vdiskkit.cli.confirm import Steps

    session.need_log()
    steps = Steps(session)
    try:
        return vdiskkit.apply(
            plan,
            keep_undo=not session.change.get("no_undo"),
            parent_dirs=tuple(session.disk.get("parent_dir") or ()),
            full_check=session.change.get("verify") == "full",
            progress=steps,
        )
    except BaseException:
        output.close(keep=False)
        raise
    finally:
        steps.clear()


def _write(session: Session, disk: str, plan: Plan, new: str | None, remake: Callable[[str], Plan]) -> int:
    from vdiskkit.cli.confirm import ask
    from vdiskkit.cli.terminal import style_for_stderr
    from vdiskkit.report.patch_text import answer_lines

    if new is None:
        if not plan.empty:
            ask(session, answer_lines(plan, None, style_for_stderr(session), asking=True), "write this?")
        run_plan(session, disk, plan)
        return exitcodes.OK
    question = f"copy to {displayable(new)} and write this?"
    ask(session, answer_lines(plan, None, style_for_stderr(session), asking=True), question)
    output = open_output(session)
    result = _change_copy(session, plan, new, remake, output)
    show(session, disk, exitcodes.OK, Answer(result.plan, result, copied_to=new), output)
    return exitcodes.OK


def _change_copy(session: Session, plan: Plan, new: str, remake: Callable[[str], Plan], output: Output) -> PatchResult:
    """Copy the disk and change the copy; a copy that could not be changed is removed."""
    from vdiskkit.cli.confirm import Steps
    from vdiskkit.patch.copying import copy_disk

    steps = Steps(session)
    copied: Copied | None = None
    try:
        tell("cli", "copy.begin", disk=absolute(plan.path), copy=absolute(new))
        copied = copy_disk(plan.path, new, progress=steps.part)
        steps.clear()
        side_car = absolute(copied.side_car) if copied.side_car is not None else None
        tell("cli", "copy.done", disk=absolute(plan.path), copy=absolute(copied.disk), side_car=side_car)
        again = remake(new)
        _expect_the_same(plan, again)
        return _apply(session, again, output)
    except BaseException as exc:
        steps.clear()
        output.close(keep=False)
        # A copy that waits for recovery is told with its journal; any other is as good as none.
        if copied is not None and not isinstance(exc, RollbackFailedError):
            for path in (copied.disk, copied.side_car):
                if path is not None:
                    with suppress(OSError):
                        remove(host_path(path).opened)
            tell("cli", "copy.removed", level="warning", copy=absolute(copied.disk))
        raise


def _expect_the_same(plan: Plan, again: Plan) -> None:
    if again.changes != plan.changes:
        raise StalePlanError(
            "the disk changed while it was copied",
            location=Location(plan.path),
            hint="end what uses it, then try again",
        )


def _check_new_files(target: str, plan_out: str | None, new: str | None) -> None:
    """Refuse names that are taken before anything costs time."""
    if plan_out:
        guard_output(plan_out, [target])
        if is_there(plan_out):
            raise UsageError(
                "there is a file of this name already; a plan never replaces one",
                location=Location(plan_out),
                hint="name another file for the plan",
            )
    if new is not None and is_there(new):
        raise UsageError(
            "there is a file of this name already; a copy never replaces one",
            location=Location(new),
            hint="name another file for the copy",
        )


def _save(plan: Plan, path: str) -> None:
    try:
        plan.save(path)
    except SourceError as exc:
        raise UsageError(exc.message, location=exc.location, hint="name a file in a folder that exists") from exc

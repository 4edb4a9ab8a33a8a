"""Judging several disks and handing out the reports, in every form that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from vdiskkit.cli import exitcodes
from vdiskkit.cli.audit import tell_notices, tell_target
from vdiskkit.cli.errors import as_error, tell_error
from vdiskkit.cli.output import open_output
from vdiskkit.cli.report_options import open_reports
from vdiskkit.report.validation import DiskOutcome, ValidationRun, render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vdiskkit.cli.fixing import Fixing
    from vdiskkit.cli.session import Session
    from vdiskkit.inspection.facts import Inspection
    from vdiskkit.report.style import Style
    from vdiskkit.rules.facts import Report
    from vdiskkit.rules.model import Rule

__all__ = ["Judged", "Validation"]


class Judged(Protocol):
    """What was found on one disk."""

    @property
    def report(self) -> Report:
        """What the rules say."""
        ...

    @property
    def inspection(self) -> Inspection | None:
        """The facts that were judged, for forms that show them; None when they are others."""
        ...


class Validation:
    """One run of ``validate``.

    Args:
        session: The run's options.
        rules: The rules that are chosen from.
        form: Form of the result.
        reports: Further forms and their files.
        every_result: In text, also what passed.
        exit_zero: Whether findings leave the exit code at 0.
        fixing: What mends what was found, when that was asked for.
    """

    def __init__(
        self,
        session: Session,
        rules: Sequence[Rule],
        *,
        form: str,
        reports: Sequence[tuple[str, str]],
        every_result: bool,
        exit_zero: bool,
        fixing: Fixing | None = None,
    ) -> None:
        self._session = session
        self._rules = rules
        self._form = form
        self._reports = reports
        self._every_result = every_result
        self._exit_zero = exit_zero
        self._fixing = fixing

    def over(self, targets: Sequence[str], judge: Callable[[str], Judged], *, jobs: int) -> int:
        """Judge each disk; one that cannot be examined does not stop the others.

        Returns:
            The exit code. Formats never change it.
        """
        self._session.silence_readers()
        reports = open_reports(self._session, self._reports)
        keep = False
        try:
            output = open_output(self._session)
            try:
                outcomes = list(self._outcomes(targets, judge, jobs))
                code = self._code(outcomes)
                run = ValidationRun(outcomes, self._rules, self._session.started, code)
                output.write(self._result(run))
                for kind, file in reports:
                    file.write(self._text(run, in_file=True) if kind == "text" else render(run, kind))
                keep = True
            finally:
                output.close(keep=keep)
        finally:
            for _, file in reports:
                file.close(keep=keep)
        return code

    def _outcomes(self, targets: Sequence[str], judge: Callable[[str], Judged], jobs: int) -> Iterator[DiskOutcome]:
        if jobs == 1 or len(targets) < 2:
            for target in targets:
                yield self._told(target, _attempt(judge, target))
            return
        from concurrent.futures import ThreadPoolExecutor

        # Threads: most of the time is waiting for a share, and nothing is shared between disks.
        with ThreadPoolExecutor(jobs) as pool:
            for target, found in zip(targets, pool.map(lambda target: _attempt(judge, target), targets), strict=True):
                yield self._told(target, found)

    def _told(self, target: str, found: Judged | Exception) -> DiskOutcome:
        if not isinstance(found, Exception):
            return DiskOutcome(target, found.report, None, found.inspection)
        error = as_error(found, self._session)
        tell_error(self._session, error)
        return DiskOutcome(target, None, error)

    def _code(self, outcomes: Sequence[DiskOutcome]) -> int:
        errors = [item.error.exit_code for item in outcomes if item.error is not None]
        worst = exitcodes.worst(errors)
        # A change that was refused or failed must not hide behind "some disks could not be examined".
        changing = self._fixing is not None and self._session.change.get("yes")
        if errors and (len(errors) == len(outcomes) or worst == exitcodes.INTERNAL or changing):
            return worst
        if errors:
            return exitcodes.INCOMPLETE
        failed = any(item.report is not None and item.report.failed for item in outcomes)
        return exitcodes.NOT_FOUND if failed and not self._exit_zero else exitcodes.OK

    def _result(self, run: ValidationRun) -> str:
        if self._form == "text":
            return self._text(run, in_file=bool(self._session.output))
        return render(run, self._form)

    def _text(self, run: ValidationRun, *, in_file: bool) -> str:
        from vdiskkit.cli.terminal import style_for_file, style_for_stdout
        from vdiskkit.report.validation_text import validation_lines

        style: Style = style_for_file(self._session) if in_file else style_for_stdout(self._session)
        texts = [
            "".join(
                f"{line}\n"
                for line in (
                    *validation_lines(item.report, style, every_result=self._every_result),
                    *(self._fixing.lines(item.target, style) if self._fixing is not None else ()),
                )
            )
            for item in run.outcomes
            if item.report is not None
        ]
        return "\n".join(texts)


def _attempt(judge: Callable[[str], Judged], target: str) -> Judged | Exception:
    tell_target(target)
    try:
        judged = judge(target)
    except Exception as exc:  # noqa: BLE001 - one disk must not take the others down
        return exc
    if judged.inspection is not None:
        tell_notices(target, judged.inspection.notices)
    return judged

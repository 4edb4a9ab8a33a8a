"""``validate --fix``: mending what was found, one transaction for each disk, and judging again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vdiskkit.cli.output import say
from vdiskkit.errors import UsageError, VDiskError
from vdiskkit.events import absolute, error_fields, tell
from vdiskkit.text import displayable

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdiskkit.cli.session import Session
    from vdiskkit.patch.api import PatchResult
    from vdiskkit.patch.fixes import Fix
    from vdiskkit.patch.plan import Plan
    from vdiskkit.report.style import Style
    from vdiskkit.rules.validate import Examined

__all__ = ["Fixing", "check_options"]


def check_options(session: Session, *, fix: bool, tokens: bool, jobs: int) -> None:
    """Refuse options that make no sense together.

    Raises:
        UsageError: They do not.
    """
    options = session.change
    for name, given in (("--fix-tokens", tokens), ("--yes", options.get("yes")), ("--force", options.get("force"))):
        if given and not fix:
            raise UsageError(f"{name} belongs to --fix", hint="give --fix as well, or leave it out")
    if not fix:
        return
    if session.disk.get("format"):
        raise UsageError("a disk is changed as what its content says it is, so --fix and --format exclude each other")
    if session.disk.get("follow_parent_paths"):
        raise UsageError(
            "--fix and --follow-parent-paths exclude each other",
            hint="name the folder of the parents with --parent-dir",
        )
    if jobs > 1:
        raise UsageError("disks are changed one after another, so --fix and --jobs exclude each other")


class Fixing:
    """Judges disks, and mends what was found.

    Args:
        session: The run.
        judge: Judges one disk.
        tokens: Whether tokens of another Windows version's store are removed too.
        tell: Whether what was done goes to stderr, as the result is not for people.
    """

    def __init__(self, session: Session, judge: Callable[[str], Examined], *, tokens: bool, tell: bool) -> None:
        self._session = session
        self._judge = judge
        self._tokens = tokens
        self._tell = tell
        self._told: dict[str, list[Callable[[Style], list[str]]]] = {}

    def judge(self, target: str) -> Examined:
        """Judge one disk and, as the options say, list or mend what was found.

        Returns:
            What holds at the end: after a change that is what was found afterwards.

        Raises:
            VDiskError: It cannot be judged, or with ``--yes`` it cannot be changed.
        """
        from vdiskkit.patch.fixes import find_fixes

        examined = self._judge(target)
        fixes = find_fixes(examined.inspection, examined.report.findings, examined.profile.expect, tokens=self._tokens)
        if not fixes:
            self._note(target, lambda _style: ["  mend            nothing that an edit of the files can mend"])
            return examined
        listed = [f"  mend            {_line(fix)}" for fix in fixes]
        try:
            plan = self._plan(target, fixes)
        except VDiskError as exc:
            if self._session.change.get("yes"):
                raise
            tell("cli", "fix.refused", level="warning", path=absolute(target), **error_fields(exc))
            refused = f"  mend            not possible now: {displayable(exc.message)}"
            hint = [f"                  {displayable(exc.hint)}"] if exc.hint else []
            self._note(target, lambda _style: [*listed, refused, *hint])
            return examined
        if not self._agreed(plan, listed):
            from vdiskkit.report.patch_text import answer_lines

            self._note(target, lambda style: [*listed, *answer_lines(plan, None, style)])
            return examined
        result = self._apply(plan)
        self._note(target, lambda style: [*listed, *_result_lines(result, style)])
        try:
            return self._judge(target)
        except BaseException:
            # No report will carry it, but the disk was changed.
            if not self._tell:
                self._say(target)
            raise

    def lines(self, target: str, style: Style) -> list[str]:
        """What there is to tell about mending a disk, for people."""
        return [line for told in self._told.get(target, ()) for line in told(style)]

    def _note(self, target: str, told: Callable[[Style], list[str]]) -> None:
        self._told.setdefault(target, []).append(told)
        if self._tell and not self._session.quiet:
            self._say(target)

    def _say(self, target: str) -> None:
        from vdiskkit.cli.terminal import style_for_stderr

        say("".join(f"{line}\n" for line in self.lines(target, style_for_stderr(self._session))))

    def _plan(self, target: str, fixes: list[Fix]) -> Plan:
        import vdiskkit
        from vdiskkit.cli.targets import version_file
        from vdiskkit.patch.fixes import operations_of

        return vdiskkit.plan(
            version_file(target, self._session.disk.get("at")),
            operations_of(fixes),
            force=tuple(self._session.change.get("force") or ()),
            volume=self._session.disk.get("volume"),
            parent_dirs=tuple(self._session.disk.get("parent_dir") or ()),
            now=self._session.clock(),
        )

    def _agreed(self, plan: Plan, listed: list[str]) -> bool:
        """Whether somebody said yes; without a terminal only ``--yes`` does."""
        from vdiskkit.cli.confirm import ask, need_answer
        from vdiskkit.cli.terminal import style_for_stderr
        from vdiskkit.report.patch_text import answer_lines

        try:
            need_answer(self._session)
            lines = [*listed, *answer_lines(plan, None, style_for_stderr(self._session), asking=True)]
            ask(self._session, lines, "write this?")
        except (UsageError, click.Abort):
            return False
        return True

    def _apply(self, plan: Plan) -> PatchResult:
        import vdiskkit
        from vdiskkit.cli.confirm import Steps

        self._session.need_log()
        steps = Steps(self._session)
        try:
            parents = tuple(self._session.disk.get("parent_dir") or ())
            return vdiskkit.apply(plan, parent_dirs=parents, progress=steps)
        finally:
            steps.clear()


def _line(fix: Fix) -> str:
    operations = "; ".join(str(operation) for operation in fix.operations)
    return displayable(f"{fix.finding.code} {fix.finding.message}: {operations}", limit=1000)


def _result_lines(result: PatchResult, style: Style) -> list[str]:
    from vdiskkit.report.patch_text import answer_lines

    return answer_lines(result.plan, result, style)

"""What a validation gives: findings, one result for each rule, and the report around them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from vdiskkit.facts import Facts

if TYPE_CHECKING:
    from typing import Self

__all__ = [
    "Counts",
    "Finding",
    "ProfileFacts",
    "Report",
    "RuleFacts",
    "RuleResult",
    "Severity",
    "Verdict",
    "WaivedFinding",
]


class Severity(StrEnum):
    """How bad a finding is."""

    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """0 for a note, 2 for an error."""
        return _RANK[self]

    def reaches(self, level: Self) -> bool:
        """Whether this is at least as bad as ``level``."""
        return self.rank >= level.rank


_RANK = {Severity.NOTE: 0, Severity.WARNING: 1, Severity.ERROR: 2}


class Verdict(StrEnum):
    """What a rule came to. ``unknown`` is a result of its own, never a silent pass."""

    PASS = "pass"  # noqa: S105 - a verdict, no password
    NOTE = "note"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding(Facts):
    """One thing that a rule found. Texts may quote the image: they are untrusted.

    Attributes:
        code: Code of the rule, stable.
        severity: After the profile's changes.
        message: What is wrong, one sentence.
        location: Where: the file, and the way into it; None when it concerns the whole disk.
        evidence: The value or state that was found, None when the message says it all.
        fix: What to do now, as the rule has it; None when there is nothing to do.
    """

    code: str
    severity: Severity
    message: str
    location: str | None
    evidence: str | None
    fix: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaivedFinding(Facts):
    """A finding that a waiver of the profile accepts.

    Attributes:
        finding: What was found.
        reason: Why it is accepted.
        expires: Last day on which it is, as ``YYYY-MM-DD``.
    """

    finding: Finding
    reason: str
    expires: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult(Facts):
    """What one rule came to on one disk.

    Attributes:
        code: Code of the rule.
        title: What the rule demands.
        verdict: ``pass``, ``note``, ``warn``, ``fail``, ``unknown`` (not determinable) or ``skipped``.
        reads: What it rests on: the places that are read to come to a verdict.
        reason: Why it is not determinable, or was skipped; None otherwise.
        evidence: What was read that made it pass, one entry for each thing worth telling.
        findings: How many findings it gave, waived ones included.
    """

    code: str
    title: str
    verdict: Verdict
    reads: str
    reason: str | None
    evidence: tuple[str, ...]
    findings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileFacts(Facts):
    """The profile that was used.

    Attributes:
        name: Its name, or the file's.
        source: ``built in``, or the path of the file.
        chosen_by: Why this one: ``asked for``, or what made it the default.
    """

    name: str
    source: str
    chosen_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts(Facts):
    """How much of what there is.

    Attributes:
        errors: Findings that are errors.
        warnings: Findings that are warnings.
        notes: Findings that are notes.
        waived: Findings that a waiver accepts; they count nowhere else.
        rules: Rules that were run.
        passed: Rules that found nothing.
        unknown: Rules whose result is not determinable.
        skipped: Rules that were left out or do not apply.
    """

    errors: int
    warnings: int
    notes: int
    waived: int
    rules: int
    passed: int
    unknown: int
    skipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFacts(Facts):
    """One rule, explained.

    Attributes:
        code: Stable code: family and number.
        title: What it demands.
        severity: Severity of its findings unless one says otherwise or the profile changes it.
        reads: What is read.
        judgement: When it passes, warns or fails.
        why: Why it matters.
        fix: How to mend it: the command or console step.
        versions: Windows and PVS versions it holds for.
        source: Where the demand comes from.
    """

    code: str
    title: str
    severity: Severity
    reads: str
    judgement: str
    why: str
    fix: str
    versions: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Facts):
    """Everything that a validation found on one disk.

    Attributes:
        target: The disk, as it was named.
        profile: The profile that was used.
        findings: Worst first, then by code.
        waived: Findings that the profile accepts.
        results: One for each rule, by code.
        counts: How much of what.
        fail_on: Severity from which on the disk counts as not fit.
        strict_unknown: Whether what is not determinable counts as an error.
        failed: Whether a finding reaches ``fail_on``.
        summary: All of it in one line.
    """

    target: str
    profile: ProfileFacts
    findings: tuple[Finding, ...]
    waived: tuple[WaivedFinding, ...]
    results: tuple[RuleResult, ...]
    counts: Counts
    fail_on: Severity
    strict_unknown: bool
    failed: bool
    summary: str

    def at_least(self, level: Severity | str) -> tuple[Finding, ...]:
        """The findings that are at least as bad as ``level`` (``error``, ``warning`` or ``note``)."""
        wanted = Severity(level)
        return tuple(finding for finding in self.findings if finding.severity.reaches(wanted))

    def raise_for_findings(self, at_least: Severity | str | None = None) -> None:
        """Raise when something was found.

        Args:
            at_least: Severity from which on a finding counts; None for the one that the profile fails on, so that this
                raises exactly when :attr:`failed` says so.

        Raises:
            ValidationFailed: There are such findings; it carries them.
            UsageError: ``at_least`` is no severity.
        """
        from vdiskkit.errors import UsageError, ValidationFailed
        from vdiskkit.location import Location

        try:
            found = self.at_least(self.fail_on if at_least is None else at_least)
        except ValueError as exc:
            raise UsageError(f"{at_least!r} is no severity", hint="use error, warning or note") from exc
        if found:
            first = found[0]
            raise ValidationFailed(
                f"{len(found)} finding{'s' if len(found) > 1 else ''}, the first: {first.code} {first.message}",
                findings=found,
                location=Location(self.target),
                hint=first.fix,
            )

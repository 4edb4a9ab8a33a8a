"""Running the rules of a profile over an inspection."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import UsageError
from vdiskkit.rules.asked import Asked
from vdiskkit.rules.catalogue import all_rules, built_in_rules
from vdiskkit.rules.expected import file_name
from vdiskkit.rules.facts import Counts, Finding, ProfileFacts, Report, RuleResult, Severity, Verdict, WaivedFinding
from vdiskkit.rules.model import Context, NotApplicable, Passed, Problem, Unknown
from vdiskkit.rules.told import tell_report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from vdiskkit.chain.facts import ChainFacts
    from vdiskkit.inspection.facts import Inspection
    from vdiskkit.rules.model import Outcome, Rule
    from vdiskkit.rules.profile import Profile

__all__ = ["Judging", "evaluate", "judge_by"]

_FINDINGS_OF_A_RULE = 50
"""More findings of one rule than a person reads are counted, not listed."""


class Judging(NamedTuple):
    """What is judged, and by what.

    Attributes:
        target: The disk, as it was named.
        file_name: Name of its file, by which waivers know it; None without one.
        profile: Which rules count.
        now: The time that waivers are judged by, aware.
        chosen_by: Why this profile is used, for the report.
    """

    target: str
    file_name: str | None
    profile: Profile
    now: datetime
    chosen_by: str


class _Judged(NamedTuple):
    result: RuleResult
    findings: list[Finding]
    waived: list[WaivedFinding]


def evaluate(
    inspection: Inspection,
    profile: Profile,
    *,
    now: datetime,
    asked: Asked | None = None,
    chain: ChainFacts | None = None,
    rules: Sequence[Rule] | None = None,
    chosen_by: str = "asked for",
    chosen: bool = True,
) -> Report:
    """Judge an inspection. Nothing is read, and the same arguments always give the same report.

    Args:
        inspection: The facts.
        profile: Which rules count, and what is expected.
        now: The time that waivers are judged by, aware.
        asked: What was read because the profile asks for it; without it those expectations are not determinable.
        chain: The chain with every structure of its files; without it rules about these do not apply.
        rules: The rules to choose from; None for all that are installed.
        chosen_by: Why this profile is used, for the report.
        chosen: Whether the user chose it; a default profile warns about what an explicit one takes as meant.

    Raises:
        UsageError: A rule of another package failed.
    """
    context = Context(inspection, profile, asked=asked or Asked({}, {}), now=now, chosen=chosen, chain=chain)
    judging = Judging(inspection.target, file_name(context), profile, now, chosen_by)
    return judge_by(lambda rule: _outcomes(rule, context), judging, all_rules() if rules is None else rules)


def judge_by(outcomes_of: Callable[[Rule], Iterable[Outcome]], judging: Judging, rules: Iterable[Rule]) -> Report:
    """Make a report of what each rule finds.

    Args:
        outcomes_of: What a rule finds; asked only about rules that the profile chooses.
        judging: What is judged, and by what.
        rules: The rules to choose from.
    """
    profile = judging.profile
    judged = [_judge(rule, outcomes_of, judging) for rule in rules]
    findings = tuple(
        sorted((item for one in judged for item in one.findings), key=lambda item: -item.severity.rank)
    )  # stable: within a severity by family and code
    waived = tuple(item for one in judged for item in one.waived)
    results = tuple(one.result for one in judged)
    counts = _counts(findings, waived, results)
    failed = any(finding.severity.reaches(profile.fail_on) for finding in findings)
    report = Report(
        target=judging.target,
        profile=ProfileFacts(name=profile.name, source=profile.source, chosen_by=judging.chosen_by),
        findings=findings,
        waived=waived,
        results=results,
        counts=counts,
        fail_on=profile.fail_on,
        strict_unknown=profile.strict_unknown,
        failed=failed,
        summary=_summary(counts),
    )
    tell_report(report)
    return report


def _judge(rule: Rule, outcomes_of: Callable[[Rule], Iterable[Outcome]], judging: Judging) -> _Judged:
    profile = judging.profile
    if not profile.selects(rule.code):
        return _Judged(_result(rule, Verdict.SKIPPED, "left out by the profile or an option"), [], [])
    problems: list[Problem] = []
    unknown: list[str] = []
    skipped: list[str] = []
    evidence: list[str] = []
    for outcome in outcomes_of(rule):
        if isinstance(outcome, Problem):
            problems.append(outcome)
        elif isinstance(outcome, Unknown):
            unknown.append(outcome.reason)
        elif isinstance(outcome, NotApplicable):
            skipped.append(outcome.reason)
        elif isinstance(outcome, Passed):
            evidence.append(outcome.evidence)
    found = [_finding(rule, problem, profile) for problem in _few(problems)]
    verdict = _verdict(found, unknown=bool(unknown), skipped=bool(skipped))
    if unknown and profile.strict_unknown:
        found.append(
            Finding(
                code=rule.code,
                severity=Severity.ERROR,
                message=f"not determinable: {unknown[0]}",
                location=judging.target or None,
                evidence=None,
                fix="make it readable, or leave --strict-unknown out",
            )
        )
    findings, waived = _waive(rule, found, judging)
    reason = next(iter(unknown or skipped), None) if verdict in (Verdict.UNKNOWN, Verdict.SKIPPED) else None
    return _Judged(_result(rule, verdict, reason, tuple(evidence), len(found)), findings, waived)


def _outcomes(rule: Rule, context: Context) -> list[Outcome]:
    if rule in built_in_rules():
        return list(rule.check(context))
    try:
        return list(rule.check(context))
    except Exception as exc:  # rules of others raise anything
        raise UsageError(
            f"the rule {rule.code} failed: {type(exc).__name__}: {exc}",
            hint="mend or remove the package that provides it; it is no rule of vdiskkit",
        ) from exc


def _few(problems: list[Problem]) -> list[Problem]:
    if len(problems) <= _FINDINGS_OF_A_RULE:
        return problems
    more = len(problems) - _FINDINGS_OF_A_RULE
    return [*problems[:_FINDINGS_OF_A_RULE], Problem(f"{more} more of this kind are not listed")]


def _finding(rule: Rule, problem: Problem, profile: Profile) -> Finding:
    return Finding(
        code=rule.code,
        severity=profile.severity.get(rule.code) or problem.severity or rule.severity,
        message=problem.message,
        location=problem.location,
        evidence=problem.evidence,
        fix=problem.fix or rule.fix or None,
    )


def _waive(rule: Rule, found: list[Finding], judging: Judging) -> tuple[list[Finding], list[WaivedFinding]]:
    today = judging.now.date()
    for waiver in judging.profile.waivers:
        if waiver.rule == rule.code and waiver.expires >= today and waiver.is_for(judging.file_name):
            accepted = [
                WaivedFinding(finding=finding, reason=waiver.reason, expires=waiver.expires.isoformat())
                for finding in found
            ]
            return [], accepted
    return found, []


def _verdict(found: Iterable[Finding], *, unknown: bool, skipped: bool) -> Verdict:
    worst = max((finding.severity.rank for finding in found), default=None)
    if worst is not None:
        return (Verdict.NOTE, Verdict.WARN, Verdict.FAIL)[worst]
    return Verdict.UNKNOWN if unknown else Verdict.SKIPPED if skipped else Verdict.PASS


def _result(
    rule: Rule, verdict: Verdict, reason: str | None, evidence: tuple[str, ...] = (), findings: int = 0
) -> RuleResult:
    return RuleResult(
        code=rule.code,
        title=rule.title,
        verdict=verdict,
        reads=rule.reads,
        reason=reason,
        evidence=evidence,
        findings=findings,
    )


def _counts(findings: Sequence[Finding], waived: Sequence[WaivedFinding], results: Sequence[RuleResult]) -> Counts:
    verdicts = [result.verdict for result in results]
    skipped = verdicts.count(Verdict.SKIPPED)
    return Counts(
        errors=sum(finding.severity is Severity.ERROR for finding in findings),
        warnings=sum(finding.severity is Severity.WARNING for finding in findings),
        notes=sum(finding.severity is Severity.NOTE for finding in findings),
        waived=len(waived),
        rules=len(results) - skipped,
        passed=verdicts.count(Verdict.PASS),
        unknown=verdicts.count(Verdict.UNKNOWN),
        skipped=skipped,
    )


def _summary(counts: Counts) -> str:
    total = counts.errors + counts.warnings + counts.notes
    parts = [_count(counts.errors, "error"), _count(counts.warnings, "warning"), _count(counts.notes, "note")]
    found = f"{_count(total, 'finding')} ({', '.join(parts)})" if total else "no findings"
    waived = f", {counts.waived} waived" if counts.waived else ""
    return f"{found}{waived}, {_count(counts.rules, 'rule')} run, {counts.unknown} not determinable"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"

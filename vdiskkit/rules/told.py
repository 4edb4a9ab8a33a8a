"""What a judgement tells as events: each finding, what was not determinable, and the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vdiskkit.events import absolute, tell, wanted
from vdiskkit.rules.facts import Severity, Verdict

if TYPE_CHECKING:
    from vdiskkit.rules.facts import Finding, Report

__all__ = ["tell_report"]

_SOURCE = "rules"
_LEVELS = {Severity.NOTE: "info", Severity.WARNING: "warning", Severity.ERROR: "error"}


def tell_report(report: Report) -> None:
    """Tell each finding as an event, and what all of them come to."""
    if not wanted(_SOURCE):
        return
    disk = absolute(report.target) if report.target else None
    for waived in report.waived:
        tell(_SOURCE, "finding.waived", disk=disk, **_told(waived.finding), reason=waived.reason, until=waived.expires)
    for finding in report.findings:
        tell(_SOURCE, "finding", level=_LEVELS[finding.severity], disk=disk, **_told(finding), fix=finding.fix)
    for result in report.results:
        level = "warning" if result.verdict is Verdict.UNKNOWN else "debug"
        verdict = result.verdict.value
        tell(_SOURCE, "rule", level=level, disk=disk, code=result.code, verdict=verdict, reason=result.reason)
    tell(
        _SOURCE,
        "verdict",
        level="error" if report.failed else "info",
        disk=disk,
        verdict="unfit" if report.failed else "fit",
        profile=report.profile.name,
        fail_on=report.fail_on.value,
        **report.counts.to_dict(),
    )


def _told(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "message": finding.message,
        "location": finding.location,
        "evidence": finding.evidence,
    }

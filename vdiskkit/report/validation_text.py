"""A validation as text: what is wrong first, grouped by severity, then what is not determinable, then a summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vdiskkit.report.layout import Row, render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.report.style import Style
    from vdiskkit.rules.facts import Finding, Report

__all__ = ["validation_lines"]

_GROUPS: Final = (("error", "errors", "bad"), ("warning", "warnings", "warning"), ("note", "notes", "plain"))


def validation_lines(report: Report, style: Style, *, every_result: bool = False) -> list[str]:
    """Lines for people.

    Args:
        report: What was found on one disk.
        style: What the place of the output can show.
        every_result: Also tell what passed and what was left out, with the evidence.
    """
    return render(_rows(report, every_result=every_result), style)


def _rows(report: Report, *, every_result: bool) -> Iterator[Row]:
    yield Row("disk", report.target or "(no file name)", level=0)
    source = "" if report.profile.source == "built in" else f" ({report.profile.source})"
    yield Row("profile", f"{report.profile.name}{source}, {report.profile.chosen_by}")
    for severity, label, mark in _GROUPS:
        found = [finding for finding in report.findings if finding.severity == severity]
        if found:
            yield Row(label, str(len(found)))
        for finding in found:
            yield from _finding(report, finding, mark)
    if report.waived:
        yield Row("waived", str(len(report.waived)))
    for waived in report.waived:
        yield Row(waived.finding.code, waived.finding.message, level=2)
        yield Row("until", f"{waived.expires}: {waived.reason}", level=3)
    unknown = [result for result in report.results if result.verdict == "unknown"]
    if unknown:
        yield Row("not determinable", str(len(unknown)))
    for result in unknown:
        yield Row(result.code, f"{result.title}: {result.reason}", "unknown", level=2)
    if every_result:
        yield from _others(report)
    if report.findings:
        yield Row("more", "`vdiskkit explain CODE` tells why each of them matters")
    mark = "bad" if report.failed else "good"
    verdict = "not fit" if report.failed else "fit"
    yield Row("summary", f"{verdict}: {report.summary}", mark)


def _finding(report: Report, finding: Finding, mark: str) -> Iterator[Row]:
    yield Row(finding.code, finding.message, mark, level=2)
    if finding.location and finding.location != report.target:
        # The disk is named above; what follows its name is the way into it.
        yield Row("at", finding.location.removeprefix(f"{report.target} > "), level=3)
    if finding.evidence:
        yield Row("found", finding.evidence, level=3)
    if finding.fix:
        yield Row("fix", finding.fix, level=3)


def _others(report: Report) -> Iterator[Row]:
    passed = [result for result in report.results if result.verdict == "pass"]
    yield Row("passed", str(len(passed)))
    for result in passed:
        yield Row(result.code, result.title, "good", level=2)
        for evidence in result.evidence:
            yield Row("read", evidence, level=3)
    skipped = [result for result in report.results if result.verdict == "skipped"]
    if skipped:
        yield Row("left out", str(len(skipped)))
    for result in skipped:
        yield Row(result.code, f"{result.title}: {result.reason}", level=2)

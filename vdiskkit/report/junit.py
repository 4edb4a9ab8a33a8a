"""A validation as JUnit XML: one suite for each disk, one case for each rule.

A finding at the fail level is a failure; one below it is told in the case's output, so that a note does not turn a
build red. What is not determinable is skipped with its reason, or an error where it counts as one. Attributes are the
few that both Jenkins and Azure DevOps read.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from vdiskkit.facts import to_plain
from vdiskkit.text import displayable

if TYPE_CHECKING:
    from vdiskkit.report.validation import DiskOutcome, ValidationRun
    from vdiskkit.rules.facts import Finding, Report, RuleResult

__all__ = ["junit_text"]


def junit_text(run: ValidationRun) -> str:
    """The XML document."""
    root = ET.Element("testsuites", {"name": "vdiskkit validate"})
    started = to_plain(run.started).removesuffix("Z")
    for outcome in run.outcomes:
        suite = ET.SubElement(root, "testsuite", {"name": _shown(outcome.target), "timestamp": started, "time": "0"})
        if outcome.report is not None:
            for result in outcome.report.results:
                _case(suite, outcome.report, result)
        else:
            _unopened(suite, outcome)
        _count(suite)
    _count(root)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _case(suite: ET.Element, report: Report, result: RuleResult) -> None:
    case = _new_case(suite, result.code.rstrip("0123456789"), f"{result.code} {result.title}")
    found = [finding for finding in report.findings if finding.code == result.code]
    failing = [finding for finding in found if finding.severity.reaches(report.fail_on)]
    waived = [item for item in report.waived if item.finding.code == result.code]
    undetermined = [finding for finding in found if finding.message.startswith("not determinable: ")]
    if undetermined and len(failing) == len(undetermined):
        element = ET.SubElement(case, "error", {"message": _shown(undetermined[0].message), "type": "unknown"})
        element.text = _lines(undetermined)
    elif failing:
        element = ET.SubElement(case, "failure", {"message": _shown(failing[0].message), "type": failing[0].severity})
        element.text = _lines(found)
    elif waived:
        reason = f"waived until {waived[0].expires}: {waived[0].reason}"
        ET.SubElement(case, "skipped", {"message": _shown(reason)})
    elif result.verdict in ("unknown", "skipped"):
        prefix = "not determinable: " if result.verdict == "unknown" else ""
        ET.SubElement(case, "skipped", {"message": _shown(f"{prefix}{result.reason}")})
    if found and not failing:
        ET.SubElement(case, "system-out").text = _lines(found)


def _unopened(suite: ET.Element, outcome: DiskOutcome) -> None:
    error = outcome.error
    if error is None:
        return
    case = _new_case(suite, "disk", "the disk can be examined")
    element = ET.SubElement(case, "error", {"message": _shown(error.message), "type": type(error).__name__})
    where = [f"at {error.location}"] if error.location is not None else []
    element.text = "\n".join(_shown(line) for line in (error.message, *where, error.hint or "") if line)


def _new_case(suite: ET.Element, family: str, name: str) -> ET.Element:
    attributes = {"classname": f"vdiskkit.{family}", "name": _shown(name), "time": "0"}
    return ET.SubElement(suite, "testcase", attributes)


def _lines(findings: list[Finding]) -> str:
    lines: list[str] = []
    for finding in findings:
        lines.append(f"{finding.code} {finding.severity}: {finding.message}")
        for label, text in (("at", finding.location), ("found", finding.evidence), ("fix", finding.fix)):
            if text:
                lines.append(f"  {label}: {text}")
    return "\n".join(_shown(line) for line in lines)


def _shown(text: str) -> str:
    return displayable(text)


def _count(element: ET.Element) -> None:
    for name, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(name, str(sum(1 for _ in element.iter(tag))))

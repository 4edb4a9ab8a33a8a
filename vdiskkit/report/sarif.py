"""A validation as SARIF 2.1.0, for code scanning and result viewers.

The disk file is the artifact; the way into it is a logical location and stands in the message too, since viewers show
only files. What is not determinable is a notification of the run, not a result.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from vdiskkit._version import __version__
from vdiskkit.facts import to_plain
from vdiskkit.report.json import dumps
from vdiskkit.text import displayable

if TYPE_CHECKING:
    from vdiskkit.report.validation import DiskOutcome, ValidationRun
    from vdiskkit.rules.facts import Finding, WaivedFinding
    from vdiskkit.rules.model import Rule

__all__ = ["file_uri", "sarif_text"]

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_DRIVE = re.compile(r"[A-Za-z]:/")


def sarif_text(run: ValidationRun) -> str:
    """The JSON document."""
    rules = {rule.code: number for number, rule in enumerate(run.rules)}
    results: list[dict[str, Any]] = []
    for outcome in run.outcomes:
        if outcome.report is not None:
            results += [_result(outcome, finding, rules, None) for finding in outcome.report.findings]
            results += [_result(outcome, item.finding, rules, item) for item in outcome.report.waived]
    return dumps(
        {
            "$schema": _SCHEMA,
            "version": "2.1.0",
            "runs": [
                {
                    "tool": {
                        "driver": {
                            "name": "vdiskkit",
                            "version": __version__,
                            "semanticVersion": __version__,
                            "rules": [_rule(rule) for rule in run.rules],
                        }
                    },
                    "invocations": [_invocation(run, rules)],
                    "artifacts": [
                        {"location": {"uri": file_uri(_disk(outcome))}, "roles": ["analysisTarget"]}
                        for outcome in run.outcomes
                    ],
                    "results": results,
                    "columnKind": "unicodeCodePoints",
                }
            ],
        }
    )


def file_uri(path: str) -> str:
    r"""A path of this machine as URI reference: ``C:\x``, ``\\server\share\x``, ``/x``, ``folder/x``."""
    text = path.replace("\\", "/")
    for prefix, replacement in (("//?/UNC/", "//"), ("//?/", "")):
        if text.startswith(prefix):
            text = replacement + text[len(prefix) :]
    quoted = quote(text, safe="/:@!$&'()*+,;=~", errors="replace")
    if text.startswith("//"):
        return f"file:{quoted}"
    if _DRIVE.match(text):
        return f"file:///{quoted}"
    if text.startswith("/"):
        return f"file://{quoted}"
    # In a relative reference a colon in the first part would be read as a scheme.
    return f"./{quoted}" if ":" in quoted.partition("/")[0] else quoted


def _disk(outcome: DiskOutcome) -> str:
    """The disk file: what was named may be its side-car or another version."""
    return outcome.report.target if outcome.report is not None else outcome.target


def _rule(rule: Rule) -> dict[str, Any]:
    parts = (("What is read", rule.reads), ("Judgement", rule.judgement), ("Why", rule.why), ("Fix", rule.fix))
    return {
        "id": rule.code,
        "shortDescription": {"text": displayable(rule.title)},
        "fullDescription": {"text": displayable(rule.judgement or rule.title)},
        "help": {"text": "\n".join(f"{name}: {displayable(text)}" for name, text in parts if text) or rule.title},
        "defaultConfiguration": {"level": str(rule.severity)},
        "properties": {
            "tags": [rule.family],
            "versions": displayable(rule.versions),
            "source": displayable(rule.source),
        },
    }


def _result(
    outcome: DiskOutcome, finding: Finding, rules: dict[str, int], waived: WaivedFinding | None
) -> dict[str, Any]:
    disk = _disk(outcome)
    inside = (finding.location or "").removeprefix(f"{disk} > ")
    where = f" (at {inside})" if inside and inside != disk else ""
    evidence = f": {finding.evidence}" if finding.evidence else ""
    location: dict[str, Any] = {"physicalLocation": {"artifactLocation": {"uri": file_uri(disk)}}}
    if where:
        location["logicalLocations"] = [{"fullyQualifiedName": displayable(inside)}]
    properties = {"evidence": finding.evidence, "fix": finding.fix, "location": finding.location}
    identity = f"{finding.code}\n{inside}".encode("utf-8", "backslashreplace")
    built: dict[str, Any] = {
        "ruleId": finding.code,
        "level": str(finding.severity),
        "message": {"text": displayable(f"{finding.message}{evidence}{where}")},
        "locations": [location],
        "partialFingerprints": {"vdiskkit/v1": hashlib.sha256(identity).hexdigest()},
        "properties": {name: displayable(text) for name, text in properties.items() if text},
    }
    if finding.code in rules:
        built["ruleIndex"] = rules[finding.code]
    if waived is not None:
        reason = displayable(f"until {waived.expires}: {waived.reason}")
        built["suppressions"] = [{"kind": "external", "status": "accepted", "justification": reason}]
    return built


def _invocation(run: ValidationRun, rules: dict[str, int]) -> dict[str, Any]:
    notifications: list[dict[str, Any]] = []
    for outcome in run.outcomes:
        if outcome.error is not None:
            message = f"{outcome.target}: {outcome.error.message}"
            notifications.append({"level": "error", "message": {"text": displayable(message)}})
        for result in outcome.report.results if outcome.report is not None else ():
            if result.verdict == "unknown":
                message = f"{outcome.target}: {result.code} is not determinable: {result.reason}"
                associated: dict[str, Any] = {"id": result.code}
                if result.code in rules:
                    associated["index"] = rules[result.code]
                notifications.append(
                    {"level": "note", "message": {"text": displayable(message)}, "associatedRule": associated}
                )
    return {
        "executionSuccessful": all(outcome.error is None for outcome in run.outcomes),
        "exitCode": run.exit_code,
        "startTimeUtc": to_plain(run.started),
        "toolExecutionNotifications": notifications,
    }

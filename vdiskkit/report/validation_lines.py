"""A validation as JSON lines and as comma-separated values: one line for each finding."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any

from vdiskkit.report.json import dumps, error_dict
from vdiskkit.text import displayable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.report.validation import ValidationRun

__all__ = ["csv_text", "jsonl_text"]

_COLUMNS = ("target", "code", "severity", "message", "location", "evidence", "fix")
_FORMULA = re.compile(r"[=+\-@]")


def jsonl_text(run: ValidationRun) -> str:
    """One JSON object a line: ``finding``, ``unknown`` and ``waived`` entries, and a ``report`` or ``error`` a disk."""
    return "".join(dumps(entry, indent=None) for entry in _entries(run))


def _entries(run: ValidationRun) -> Iterator[dict[str, Any]]:
    for outcome in run.outcomes:
        target = outcome.target
        if outcome.error is not None:
            yield {
                "type": "error",
                "target": target,
                "error": error_dict(outcome.error),
                "exit_code": outcome.error.exit_code,
            }
        report = outcome.report
        if report is None:
            continue
        for finding in report.findings:
            yield {"type": "finding", "target": target, **finding.to_dict()}
        for result in report.results:
            if result.verdict == "unknown":
                yield {"type": "unknown", "target": target, "code": result.code, "reason": result.reason}
        for waived in report.waived:
            yield {"type": "waived", "target": target, **waived.to_dict()}
        yield {
            "type": "report",
            "target": target,
            "profile": report.profile.to_dict(),
            "counts": report.counts.to_dict(),
            "failed": report.failed,
        }


def csv_text(run: ValidationRun) -> str:
    """A table of all findings; a disk that could not be examined is a line with the code ``ERROR``."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for outcome in run.outcomes:
        error = outcome.error
        if error is not None:
            where = str(error.location) if error.location is not None else ""
            writer.writerow(
                [_cell(text) for text in (outcome.target, "ERROR", "error", error.message, where, "", error.hint)]
            )
        for finding in outcome.report.findings if outcome.report is not None else ():
            entry = {"target": outcome.target, **finding.to_dict()}
            writer.writerow([_cell(entry[name]) for name in _COLUMNS])
    return stream.getvalue()


def _cell(text: str | None) -> str:
    """A cell that no spreadsheet takes for a formula."""
    shown = displayable(text or "")
    return f"'{shown}" if _FORMULA.match(shown) else shown

"""What a validation of several disks came to, and the forms it can be written in.

Every form but text follows a contract: JSON the schema ``vdiskkit.validate/1``, the others their own standards.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from vdiskkit.errors import VDiskError
    from vdiskkit.inspection.facts import Inspection
    from vdiskkit.rules.facts import Report
    from vdiskkit.rules.model import Rule

__all__ = ["FORMATS", "DiskOutcome", "ValidationRun", "render", "validation_document"]

FORMATS = ("json", "jsonl", "junit", "sarif", "github", "azure", "csv", "html")
"""The forms besides text."""

_HOMES = {
    "json": "validation",
    "jsonl": "validation_lines",
    "csv": "validation_lines",
    "github": "annotations",
    "azure": "annotations",
    "html": "html",
    "junit": "junit",
    "sarif": "sarif",
}


class DiskOutcome(NamedTuple):
    """One disk of a run.

    Attributes:
        target: As it was named.
        report: What was found, None when the disk could not be examined.
        error: Why it could not be.
        inspection: The facts that were judged, None when the disk could not be examined.
    """

    target: str
    report: Report | None
    error: VDiskError | None
    inspection: Inspection | None = None


class ValidationRun(NamedTuple):
    """One run of the command line.

    Attributes:
        outcomes: One for each disk, in the order they were named.
        rules: The rules that were chosen from.
        started: When the run began.
        exit_code: What the process will return.
        schema: Name of the JSON Schema.
    """

    outcomes: Sequence[DiskOutcome]
    rules: Sequence[Rule]
    started: datetime
    exit_code: int
    schema: str = "vdiskkit.validate/1"


def render(run: ValidationRun, form: str) -> str:
    """Write a run in one of :data:`FORMATS`.

    Raises:
        KeyError: There is no such form.
    """
    if form == "json":
        return _json(run)
    home = import_module(f"vdiskkit.report.{_HOMES[form]}")
    write: Callable[[ValidationRun], str] = getattr(home, f"{form}_text")
    return write(run)


def validation_document(run: ValidationRun) -> dict[str, Any]:
    """The JSON object of a run; ``findings`` at its top are those of all disks, each with its ``target``."""
    from vdiskkit.report.json import document, error_dict

    disks: list[dict[str, Any]] = []
    findings: list[dict[str, Any]] = []
    for outcome in run.outcomes:
        if outcome.report is not None:
            result = outcome.report.to_dict()
            disks.append({"target": outcome.target, "result": result})
            findings += [{"target": outcome.target, **finding} for finding in result["findings"]]
        elif outcome.error is not None:
            disks.append({"target": outcome.target, "error": error_dict(outcome.error)})
    errors = [outcome.error for outcome in run.outcomes if outcome.error is not None]
    worst = next((error for error in errors if error.exit_code == run.exit_code), next(iter(errors), None))
    built = document(
        run.schema,
        disks,
        started=run.started,
        exit_code=run.exit_code,
        error=error_dict(worst) if worst is not None else None,
    )
    built["summary"]["unfit"] = sum(1 for item in run.outcomes if item.report is not None and item.report.failed)
    built["findings"] = findings
    return built


def _json(run: ValidationRun) -> str:
    from vdiskkit.report.json import dumps

    return dumps(validation_document(run))

"""A validation as annotations of build servers: GitHub's workflow commands, Azure's logging commands.

Both act on marks in ordinary output, so every text is made displayable first (which breaks up such marks), then escaped
by the server's own rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.text import displayable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.report.validation import DiskOutcome, ValidationRun

__all__ = ["azure_text", "github_text"]

_GITHUB_LEVEL = {"error": "error", "warning": "warning", "note": "notice"}


def github_text(run: ValidationRun) -> str:
    """``::error title=...::message`` lines, a notice for a note."""
    lines = []
    for level, code, message in _messages(run):
        title = _escape(code, (("%", "%25"), (":", "%3A"), (",", "%2C")))
        lines.append(f"::{_GITHUB_LEVEL[level]} title={title}::{_escape(message, (('%', '%25'),))}")
    return "".join(f"{line}\n" for line in (*lines, *_summaries(run)))


def azure_text(run: ValidationRun) -> str:
    """``##vso[task.logissue ...]`` lines; Azure knows no notes, so they are plain lines."""
    lines = []
    for level, code, message in _messages(run):
        if level == "note":
            lines.append(f"note: {code} {message}")
            continue
        shown = _escape(code, (("%", "%AZP25"), (";", "%3B"), ("]", "%5D")))
        lines.append(f"##vso[task.logissue type={level};code={shown}]{_escape(message, (('%', '%AZP25'),))}")
    return "".join(f"{line}\n" for line in (*lines, *_summaries(run)))


def _messages(run: ValidationRun) -> Iterator[tuple[str, str, str]]:
    """Severity, code and one line of text for each finding and each disk that could not be examined."""
    for outcome in run.outcomes:
        if outcome.error is not None:
            hint = f"; {outcome.error.hint}" if outcome.error.hint else ""
            yield "error", "vdiskkit", _line(f"{outcome.target}: {outcome.error.message}{hint}")
        report = outcome.report
        for finding in report.findings if report is not None else ():
            disk = report.target if report is not None else outcome.target
            parts = [f"{outcome.target}: {finding.code} {finding.message}"]
            if finding.location and finding.location != disk:
                parts.append(f"at {finding.location.removeprefix(f'{disk} > ')}")
            parts += [f"found {finding.evidence}"] if finding.evidence else []
            parts += [f"fix: {finding.fix}"] if finding.fix else []
            yield str(finding.severity), finding.code, _line("; ".join(parts))


def _summaries(run: ValidationRun) -> Iterator[str]:
    for outcome in run.outcomes:
        if outcome.report is not None:
            yield f"validate: {_line(_summary(outcome))}"


def _summary(outcome: DiskOutcome) -> str:
    report = outcome.report
    return f"{outcome.target}: {report.summary}, profile {report.profile.name}" if report is not None else ""


def _line(text: str) -> str:
    return displayable(text)


def _escape(text: str, pairs: tuple[tuple[str, str], ...]) -> str:
    for char, replacement in pairs:
        text = text.replace(char, replacement)
    return text

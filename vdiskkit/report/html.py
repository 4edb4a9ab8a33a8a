"""A validation as one HTML page that needs nothing else: no script, no font, no picture, no link out of the page.

A content security policy forbids everything but the page's own style sheet. The page is plain ASCII (all else stands as
character references), so that it reads the same whatever encoding it is piped or saved in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vdiskkit._version import __version__
from vdiskkit.report.html_drawing import pictures
from vdiskkit.report.html_facts import facts_tables
from vdiskkit.report.html_markup import NOTHING, Markup, element, join
from vdiskkit.report.html_style import STYLE
from vdiskkit.report.layout import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from vdiskkit.errors import VDiskError
    from vdiskkit.report.validation import DiskOutcome, ValidationRun
    from vdiskkit.rules.facts import Finding, Report, RuleResult
    from vdiskkit.rules.model import Rule

__all__ = ["POLICY", "html_text"]

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""The content security policy of the page."""

_NOT_CLAIMED = (
    "Nothing on this page says that Windows or Office is activated: that is encrypted and cannot be read offline. "
    "What an image does not show is \u201cnot determinable\u201d, never a pass."
)
_NUMBER: Final = {"class_": "number"}
_BADGES: Final = {
    "error": ("bad", "\u2717 Error"),
    "warning": ("warning", "! Warning"),
    "note": ("note", "i Note"),
    "fit": ("good", "\u2713 Fit"),
    "unfit": ("bad", "\u2717 Not fit"),
    "failed": ("warning", "! Not examined"),
    "unknown": ("unknown", "? Not determinable"),
}


def html_text(run: ValidationRun) -> str:
    """The page of a run."""
    title = _title(run)
    rules = {rule.code: rule for rule in run.rules}
    body = join(
        _header(run, title),
        element("main", *(_disk(outcome, number, rules) for number, outcome in enumerate(run.outcomes, 1))),
        element(
            "footer", element("p", _NOT_CLAIMED), element("p", f"vdiskkit {__version__}, exit code {run.exit_code}")
        ),
    )
    head = (
        '<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"{element('title', title)}\n<style>{STYLE}</style>"
    )
    page = f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n{body}\n</body>\n</html>\n'
    return page.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _title(run: ValidationRun) -> str:
    if len(run.outcomes) == 1:
        return f"Validation of {_file_name(run.outcomes[0].target)}"
    return f"Validation of {len(run.outcomes)} vDisks"


def _header(run: ValidationRun, title: str) -> Markup:
    states = [_state(outcome) for outcome in run.outcomes]
    counts = [
        (states.count("fit"), "fit"),
        (states.count("unfit"), "not fit"),
        (states.count("failed"), "not examined"),
    ]
    told = ", ".join(f"{count} {word}" for count, word in counts if count) or "no disks"
    columns = ("Disk", "Result", "Errors", "Warnings", "Notes", "Not determinable")
    head = element(
        "tr", *(element("th", name, scope="col", **(_NUMBER if at > 1 else {})) for at, name in enumerate(columns))
    )
    rows = [_overview(outcome, number) for number, outcome in enumerate(run.outcomes, 1)]
    table = element("table", element("thead", head), element("tbody", *rows), class_="runs")
    return element(
        "header",
        element("h1", title),
        element("p", f"{told} \u00b7 {moment(run.started)}"),
        element("div", table, class_="scroll", tabindex=0, role="region", aria_label="Overview of all disks"),
    )


def _overview(outcome: DiskOutcome, number: int) -> Markup:
    link = element("a", _file_name(outcome.target), href=f"#disk-{number}", title=outcome.target)
    counts = outcome.report.counts if outcome.report is not None else None
    cells = ["\u2013"] * 4
    if counts is not None:
        cells = [str(count) for count in (counts.errors, counts.warnings, counts.notes, counts.unknown)]
    return element(
        "tr",
        element("th", link, scope="row"),
        element("td", _badge(_state(outcome))),
        *(element("td", cell, **_NUMBER) for cell in cells),
    )


def _disk(outcome: DiskOutcome, number: int, rules: Mapping[str, Rule]) -> Markup:
    ident = f"disk-{number}"
    heading = element("h2", outcome.target or "(no file name)", id=f"{ident}-name")
    parts: list[str] = [heading]
    if outcome.error is not None:
        parts.append(_failure(outcome.error))
    report, inspection = outcome.report, outcome.inspection
    if report is not None:
        parts += [
            element("p", _badge(_state(outcome)), " ", report.summary, class_="verdict"),
            element(
                "p",
                f"Profile {report.profile.name} ({report.profile.source}), {report.profile.chosen_by}.",
                class_="soft",
            ),
        ]
        if inspection is not None:
            parts += [element("h3", "The vDisk in pictures"), pictures(inspection, ident)]
        parts += [_findings(report, rules), _unknown(report), _waived(report), _passed(report)]
        if inspection is not None:
            parts += [element("h3", "Facts"), facts_tables(inspection)]
    return element("section", *parts, class_="disk", id=ident, aria_labelledby=f"{ident}-name")


def _failure(error: VDiskError) -> Markup:
    rows = [("where", str(error.location) if error.location is not None else None), ("hint", error.hint)]
    return element(
        "article",
        element("h3", _badge("failed"), " ", error.message),
        _list((name, text, "") for name, text in rows if text),
        class_="finding warning",
    )


def _findings(report: Report, rules: Mapping[str, Rule]) -> Markup:
    if not report.findings:
        return join(element("h3", "Findings"), element("p", "\u2713 None."))
    groups: list[str] = []
    for severity, name in (("error", "Errors"), ("warning", "Warnings"), ("note", "Notes")):
        found = [finding for finding in report.findings if finding.severity == severity]
        if found:
            groups.append(element("h3", f"{name} ({len(found)})"))
            groups += [_finding(report, finding, rules.get(finding.code)) for finding in found]
    return join(*groups)


def _finding(report: Report, finding: Finding, rule: Rule | None) -> Markup:
    where = finding.location
    if where == report.target:
        where = None
    rows = [
        ("rule", rule.title if rule is not None else None, ""),
        ("at", where.removeprefix(f"{report.target} > ") if where else None, ""),
        ("found", finding.evidence, "evidence"),
        ("why", rule.why if rule is not None else None, ""),
        ("fix", finding.fix, ""),
    ]
    heading = element("h4", _badge(str(finding.severity)), " ", element("span", finding.code, class_="code"))
    return element(
        "article",
        heading,
        element("p", finding.message),
        _list((name, text, kind) for name, text, kind in rows if text),
        class_=f"finding {_BADGES[str(finding.severity)][0]}",
    )


def _list(rows: Iterable[tuple[str, str | None, str]]) -> Markup:
    pairs = [join(element("dt", name), element("dd", text or "", class_=kind or "plain")) for name, text, kind in rows]
    return element("dl", *pairs) if pairs else NOTHING


def _unknown(report: Report) -> Markup:
    unknown = [result for result in report.results if result.verdict == "unknown"]
    if not unknown:
        return NOTHING
    told = element("h3", f"Not determinable ({len(unknown)})")
    rows = [(result.code, result.title, result.reason or "") for result in unknown]
    return join(told, element("p", "The image does not show it, which is no pass."), _rules_table("? Why not", rows))


def _waived(report: Report) -> Markup:
    if not report.waived:
        return NOTHING
    rows = [(item.finding.code, item.finding.message, f"until {item.expires}: {item.reason}") for item in report.waived]
    return join(element("h3", f"Waived ({len(rows)})"), _rules_table("Accepted", rows))


def _passed(report: Report) -> Markup:
    passed = [result for result in report.results if result.verdict == "pass"]
    skipped = [result for result in report.results if result.verdict == "skipped"]
    parts: list[str] = []
    if passed:
        rows = [(result.code, result.title, _evidence(result)) for result in passed]
        parts.append(_folded(f"Passed ({len(passed)})", _rules_table("\u2713 What was read", rows)))
    if skipped:
        rows = [(result.code, result.title, result.reason or "") for result in skipped]
        parts.append(_folded(f"Left out ({len(skipped)})", _rules_table("Why", rows)))
    return join(*parts)


def _evidence(result: RuleResult) -> str:
    return "; ".join(result.evidence) or "no fault found"


def _folded(name: str, content: Markup) -> Markup:
    return element("details", element("summary", element("h3", name)), content, open="")


def _rules_table(column: str, rows: Sequence[tuple[str, str, str]]) -> Markup:
    head = element("tr", element("th", "Rule", scope="col"), element("th", column, scope="col"))
    body = [
        element(
            "tr",
            element("th", element("span", code, class_="code"), " ", title, scope="row"),
            element("td", text),
        )
        for code, title, text in rows
    ]
    return element("table", element("thead", head), element("tbody", *body), class_="rules")


def _badge(name: str) -> Markup:
    kind, words = _BADGES[name]
    return element("span", words, class_=f"badge {kind}")


def _state(outcome: DiskOutcome) -> str:
    if outcome.report is None:
        return "failed"
    return "unfit" if outcome.report.failed else "fit"


def _file_name(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2] or path or "(no file name)"

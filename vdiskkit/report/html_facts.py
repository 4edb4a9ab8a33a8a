"""The facts of an inspection as tables, one for each section that the text report has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vdiskkit.report.html_markup import NOTHING, Markup, element, join
from vdiskkit.report.sections import SECTIONS
from vdiskkit.report.style import MARKS
from vdiskkit.report.text import NOT_CLAIMED, section_rows

if TYPE_CHECKING:
    from vdiskkit.inspection.facts import Inspection
    from vdiskkit.report.layout import Row

__all__ = ["facts_tables"]

_TITLES: Final = {
    "container": "Disk file",
    "target": "PVS target software",
    "license": "Licensing",
    "tokens": "Token stores",
    "pvp": "Side-car",
    "pair": "Files around the disk",
    "lock": "Locks",
    "procedure": "Steps that prepare for KMS",
    "opinion": "Second opinion",
}
_WORDS: Final = {"good": "good", "bad": "bad", "unknown": "not known", "warning": "attention"}


def facts_tables(inspection: Inspection) -> Markup:
    """Every section that has something to tell."""
    parts: list[str] = []
    for name in SECTIONS:
        rows = list(section_rows(inspection, name))
        if rows:
            title = element("summary", element("h4", _TITLES.get(name, name.capitalize())))
            parts.append(element("details", title, _table(rows), open=""))
    parts.append(element("p", f"Not claimed: {NOT_CLAIMED}.", class_="soft"))
    return join(*parts)


def _table(rows: list[Row]) -> Markup:
    return element("table", element("tbody", *(_row(row) for row in rows)), class_="facts")


def _row(row: Row) -> Markup:
    level = {2: "inner", 3: "inner2"}.get(row.level, "outer")
    symbol = MARKS[row.mark][0]
    mark = NOTHING
    if symbol:
        mark = join(
            element("span", symbol, class_=f"mark {row.mark}", aria_hidden="true"),
            element("span", f"{_WORDS[row.mark]}:", class_="vh"),
            " ",
        )
    return element("tr", element("th", row.label, scope="row"), element("td", mark, row.text), class_=level)

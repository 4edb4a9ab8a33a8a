"""Explanations as text: one whole, or a list of all by kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vdiskkit.explanations.facts import KIND_NAMES, KIND_TITLES, Kind
from vdiskkit.report.layout import Row, render
from vdiskkit.text import displayable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vdiskkit.explanations.facts import Explanation
    from vdiskkit.report.style import Style

__all__ = ["explanation_lines", "list_lines"]

_WIDTH: Final = 80
"""Running text is hard to read in longer lines, however wide the terminal is."""

_CONTINUED: Final = "| "
_LEAST: Final = 24


def explanation_lines(explained: Explanation, style: Style) -> list[str]:
    """One code, explained."""
    return render(_explained(explained), _narrow(style))


def list_lines(items: Sequence[Explanation], style: Style) -> list[str]:
    """Codes and their titles, by kind."""
    return list(_list(items, style))


def _narrow(style: Style) -> Style:
    return style if style.width is None else style._replace(width=min(style.width, _WIDTH))


def _explained(item: Explanation) -> Iterator[Row]:
    yield Row(KIND_NAMES[item.kind], f"{item.code} {item.title}", level=0)
    yield from _told("also", ", ".join(item.also))
    yield from _told("severity", str(item.severity) if item.severity is not None else "")
    yield from _told("exit code", str(item.exit_code) if item.exit_code is not None else "")
    yield from _told("read", item.reads)
    yield from _told("judgement" if item.kind is Kind.RULE else "means", item.meaning)
    yield from _told("why", item.why)
    for number, step in enumerate(item.fix, 1):
        yield Row(f"fix {number}" if len(item.fix) > 1 else "fix", step)
    for number, command in enumerate(item.commands):
        yield Row("try" if number == 0 else "or", command)
    yield from _told("versions", item.versions)
    yield from _told("related", ", ".join(item.related))
    yield from _told("source", item.source)


def _told(label: str, text: str) -> Iterable[Row]:
    return (Row(label, text),) if text else ()


def _list(items: Sequence[Explanation], style: Style) -> Iterator[str]:
    from itertools import groupby
    from textwrap import wrap

    for kind, group in groupby(items, key=lambda item: item.kind):
        members = list(group)
        yield from render([Row(str(kind), KIND_TITLES[kind], level=0)], style)
        column = max(len(item.code) for item in members) + 4
        gap = " " * (column - len(_CONTINUED)) + _CONTINUED
        for item in members:
            title = displayable(item.title)
            lines = [title] if style.width is None else wrap(title, max(style.width - column, _LEAST))
            yield f"  {style.bold(item.code)}".ljust(column + len(style.bold("x")) - 1) + lines[0]
            yield from (gap + line for line in lines[1:])

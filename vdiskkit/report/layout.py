"""Rows of a text report: a label of our own, then the text, wrapped where the width is limited.

No line begins with text from an image: a build server, a terminal or a script that looks at the start of lines sees
only labels, also on continued lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from vdiskkit.text import displayable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from vdiskkit.report.style import Style

__all__ = ["STALE", "Row", "moment", "quoted", "render", "size_text", "stale_mark"]

STALE: Final = "(hive dirty: may be older than its log)"
"""Stands behind every value that was read from a dirty hive."""

_COLUMN = 18
_CONTINUED = "| "
_MIN_TEXT = 24
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")


class Row(NamedTuple):
    """One line of a report.

    Attributes:
        label: Our own word for it; never text from an image.
        text: What is known. It is made displayable when it is set.
        mark: ``good``, ``bad``, ``unknown``, ``warning`` or ``plain``; shown as a symbol before the text.
        level: 0 for the disk, 1 for a section, 2 for what belongs to a section.
        rail: What stands in the label's place on continued lines: the line of a drawing, of our own.
    """

    label: str
    text: str
    mark: str = "plain"
    level: int = 1
    rail: str = ""


def render(rows: Iterable[Row], style: Style) -> list[str]:
    """Set rows as lines."""
    lines: list[str] = []
    for row in rows:
        indent = "  " * row.level
        label = f"{indent}{row.label}"
        start = label.ljust(_COLUMN - 1) + " "
        symbol = style.mark(row.mark)
        text = displayable(row.text, limit=None)
        if not style.symbols:
            text = text.replace("→", "->").replace("…", "...")
        parts = _wrap(f"{symbol} {text}" if symbol else text, len(start), style.width)
        first = parts[0]
        if symbol:
            first = style.paint(symbol, row.mark) + first[len(symbol) :]
        lines.append((indent + style.bold(row.label) + start[len(label) :] + first).rstrip(" "))
        gap = f"{indent}{row.rail}".ljust(_COLUMN - len(_CONTINUED)) + _CONTINUED
        lines += [gap + part for part in parts[1:]]
    return lines


def quoted(text: str, limit: int = 200) -> str:
    """Untrusted text, displayable and in quotes, so that its end is seen."""
    return f'"{displayable(text, limit=limit)}"'


def size_text(size: int) -> str:
    """A size for people: ``40.0 GiB``."""
    value = float(size)
    for unit in _UNITS:
        if abs(value) < 1024 or unit == _UNITS[-1]:
            return f"{size} bytes" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("the last unit always returns")


def moment(time: datetime | None) -> str:
    """A time for people, in UTC."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC" if time is not None else "at an unknown time"


def stale_mark(text: str, *, stale: bool) -> str:
    """``text``, with the mark of a dirty hive behind it when it was read from one."""
    return f"{text}  {STALE}" if stale else text


def _wrap(text: str, start: int, width: int | None) -> list[str]:
    if width is None or start + len(text) <= width:
        return [text]
    room = max(width - _COLUMN, _MIN_TEXT)
    parts: list[str] = []
    rest, left = text, max(width - start, _MIN_TEXT)
    while len(rest) > left:
        at = rest.rfind(" ", 1, left + 1)
        # A word is broken only when it would not fit on a line of its own, or when the line would stay rather empty.
        if at < 0 or (at < left // 2 and len(rest[at + 1 :].partition(" ")[0]) > room):
            at = left
        parts.append(rest[:at].rstrip(" "))
        rest, left = rest[at:].lstrip(" "), room
    return [*parts, rest] if rest else parts

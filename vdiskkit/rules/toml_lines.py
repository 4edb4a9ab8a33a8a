"""In which line of a TOML text a key stands; ``tomllib`` does not tell."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache

__all__ = ["line_of"]

# Possessive throughout: no line makes them try again, however it is written.
_HEADER = re.compile(r"""^\s*+\[(\[)?+((?:"(?:[^"\\]|\\.)*+"|'[^']*+'|[^\]"'#])++)\]\]?+\s*+(?:#.*+)?$""")
_KEY = re.compile(r"""^\s*+((?:"(?:[^"\\]|\\.)*+"|'[^']*+'|[A-Za-z0-9_\-.\s])++)=""")


def line_of(text: str, path: tuple[str | int, ...]) -> int | None:
    """Return the line (from 1) of a key.

    Args:
        text: A TOML document that parses.
        path: Names from the top; a number counts the tables of an array (``("waiver", 1, "rule")``).

    Returns:
        The line of the key, or of the innermost part of its path that has a line of its own.
    """
    places = _places(text)
    for length in range(len(path), 0, -1):
        if path[:length] in places:
            return places[path[:length]]
    return None


@lru_cache(maxsize=4)
def _places(text: str) -> dict[tuple[str | int, ...], int]:
    found: dict[tuple[str | int, ...], int] = {}
    counts: dict[tuple[str, ...], int] = {}
    table: tuple[str | int, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line)
        if header is not None:
            names = _names(header.group(2))
            if names is not None:
                table = names
                if header.group(1):
                    table = (*names, counts.get(names, 0))
                    counts[names] = counts.get(names, 0) + 1
                found.setdefault(table, number)
                continue
        key = _KEY.match(line)
        names = _names(key.group(1)) if key is not None else None
        if names is not None:
            for length in range(1, len(names) + 1):
                found.setdefault((*table, *names[:length]), number)
    return found


def _names(text: str) -> tuple[str, ...] | None:
    """The parts of a dotted key, unquoted; None when it is no key."""
    try:
        node = tomllib.loads(f"{text} = 0")
    except tomllib.TOMLDecodeError:
        return None
    names: list[str] = []
    inner: object = node
    while isinstance(inner, dict):
        ((name, inner),) = inner.items()
        names.append(name)
    return tuple(names)

"""A TOML text as data, in bounded time and depth.

``tomllib`` takes time that grows with the square of the parts of a dotted key, recurses into nested values, and lets
errors of numbers and dates through. What no profile needs is refused here before it sees the text.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

__all__ = ["DEEPEST", "LONGEST_WORD", "MOST_PARTS", "TomlError", "parse_toml"]

DEEPEST = 32
"""Levels of arrays and inline tables."""

MOST_PARTS = 32
"""Parts of a dotted key."""

LONGEST_WORD = 256
"""Characters of a number, a date or a key without quotes."""

_TOKEN = re.compile(
    r'''(?P<text>"""(?:[^"\\]|\\.|"(?!""))*+"{3,5}+|\'\'\'(?:[^\']|\'(?!\'\'))*+\'{3,5}+|"(?:[^"\\\n]|\\[^\n])*+"|'[^'\n]*+')'''
    r"""|(?P<comment>\#[^\n]*+)|(?P<open>[\[{])|(?P<close>[\]}])|(?P<dot>\.)|(?P<end>[=,\n])|(?P<word>[\w+-]++)|(?P<broken>["'])|.""",
    re.DOTALL,
)


class TomlError(ValueError):
    """The text is no TOML, or holds what no profile needs.

    Attributes:
        line: Line (from 1), None when it is not known or the message tells.
    """

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


def parse_toml(text: str) -> dict[str, Any]:
    """Return the data of a TOML text.

    Raises:
        TomlError: It is none, or goes beyond what is read.
    """
    _check_bounds(text)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as exc:  # numbers and dates that cannot be are plain ValueErrors
        raise TomlError(str(exc)) from exc


def _check_bounds(text: str) -> None:
    depth, parts = 0, 1
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "broken":
            return  # a text without an end: the reader stops there, or before
        if kind == "dot":
            parts += 1
        elif kind in ("open", "close", "end"):
            depth, parts = max(depth + (kind == "open") - (kind == "close"), 0), 1
        problem = None
        if parts > MOST_PARTS:
            problem = f"a key has more than {MOST_PARTS} parts"
        elif depth > DEEPEST:
            problem = f"values are nested more than {DEEPEST} deep"
        elif kind == "word" and token.end() - token.start() > LONGEST_WORD:
            problem = f"a number or a key without quotes has more than {LONGEST_WORD} characters"
        if problem is not None:
            raise TomlError(problem, text.count("\n", 0, token.start()) + 1)

"""Regular expressions of profiles, matched in bounded time.

A profile may be somebody else's, and a pattern such as ``(a+)+b`` can take longer than anybody waits, while Python's
``re`` cannot be interrupted. So only patterns whose cost is plain to see are matched here; every other one is matched
by a process of its own, which is ended when its time is over.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CHILD", "LONGEST_PATTERN", "LONGEST_TEXT", "PatternTimeError", "check_pattern", "match_all", "run_child"]

LONGEST_PATTERN = 1000
"""Characters that a pattern has at most."""

LONGEST_TEXT = 64 * 1024
"""Characters of all texts together that a pattern is matched with."""

SECONDS = 3.0
"""Time that a pattern gets."""

CHILD = "--match-pattern-from-stdin"
"""Argument by which a program file that is no Python starts itself to match a pattern."""

_PLAIN_TEXT = 4096
_IGNORES_CASE = re.compile(r"\(\?[a-zA-Z-]*i")
_QUANTIFIERS = re.compile(r"[*+?{]")
_PROGRAM = """
import json, re, sys
pattern, texts = json.load(sys.stdin)
try:
    found = re.compile(pattern)
except Exception as exc:
    print(json.dumps(str(exc) or type(exc).__name__))
else:
    print(json.dumps(all(found.fullmatch(text) for text in texts)))
"""


class PatternTimeError(Exception):
    """A pattern could not be matched in the time that it gets."""


def check_pattern(pattern: str) -> str | None:
    """Return why a text is no usable pattern, None when it is one."""
    if len(pattern) > LONGEST_PATTERN:
        return f"it is longer than {LONGEST_PATTERN} characters"
    try:
        if _IGNORES_CASE.search(pattern):  # sets of characters without case take seconds each
            _ask(pattern, ())
        else:
            re.compile(pattern)
    except re.error as exc:
        return str(exc)
    except (PatternTimeError, OverflowError, RecursionError) as exc:
        return str(exc)
    return None


def match_all(pattern: str, texts: Sequence[str]) -> bool:
    """Whether a pattern matches each of some texts as a whole.

    Args:
        pattern: For which :func:`check_pattern` found nothing.
        texts: At most :data:`LONGEST_TEXT` characters together.

    Raises:
        PatternTimeError: It takes too long, the texts are too long, or no process can be started for it.
    """
    size = sum(map(len, texts))
    if size > LONGEST_TEXT:
        raise PatternTimeError(f"the text is longer than {LONGEST_TEXT} characters")
    if _is_plain(pattern) and size <= _PLAIN_TEXT:
        return all(re.fullmatch(pattern, text) for text in texts)
    return _ask(pattern, texts)


def _is_plain(pattern: str) -> bool:
    """Without groups (so without back references) and with two repetitions at most, the cost is quadratic at worst."""
    return "(" not in pattern and len(_QUANTIFIERS.findall(pattern)) <= 2


def _ask(pattern: str, texts: Sequence[str]) -> bool:
    # Python itself where there is one; a frozen program has none, and starts itself instead.
    arguments = [CHILD] if getattr(sys, "frozen", False) else ["-I", "-S", "-c", _PROGRAM]
    try:
        done = subprocess.run(  # noqa: S603 - this very program, and nothing of the profile on its command line
            [sys.executable, *arguments],
            input=json.dumps([pattern, list(texts)]).encode("ascii"),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise PatternTimeError(f"it takes longer than {SECONDS:.0f} seconds") from None
    except (OSError, ValueError, subprocess.CalledProcessError) as exc:
        raise PatternTimeError(f"no process to match it in can be started: {exc}") from exc
    if isinstance(answer, str):
        raise re.error(answer)
    return bool(answer)


def run_child() -> int:
    """Do what :data:`CHILD` asks for: match the pattern on standard input."""
    exec(compile(_PROGRAM, "pattern", "exec"), {})  # noqa: S102 - the program above, and no other
    return 0

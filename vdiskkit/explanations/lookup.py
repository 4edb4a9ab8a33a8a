"""The forms in which people type a code, and the one form in which it is kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from vdiskkit.explanations.facts import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["KIND_WORDS", "keys_of", "near", "signed", "split_kind"]

KIND_WORDS: Final = {
    "activation": Kind.ACTIVATION,
    "event": Kind.EVENT,
    "events": Kind.EVENT,
    "eventid": Kind.EVENT,
    "term": Kind.TERM,
    "terms": Kind.TERM,
    "rule": Kind.RULE,
    "rules": Kind.RULE,
    "notice": Kind.NOTICE,
    "notices": Kind.NOTICE,
    "error": Kind.ERROR,
    "errors": Kind.ERROR,
    "exit": Kind.EXIT,
    "exitcode": Kind.EXIT,
    "exit-code": Kind.EXIT,
}
"""Words that may stand before a code, or alone for all codes of that kind."""

_LONGEST = 120
_AROUND = " \t\r\n.,:;!?()[]{}<>'\"`"
_DECIMAL = re.compile(r"-?[0-9]{1,10}")
# PowerShell widens a negative number to 64 bits before it prints it as hexadecimal.
_HEXADECIMAL = re.compile(r"(?:0x)?(?:f{8})?([0-9a-f]{8})")
_WORD = 1 << 32
_MISREAD = str.maketrans("oli", "011")


def keys_of(text: str) -> tuple[str, ...]:
    """Return the keys under which a typed code may be kept, the most likely first.

    An HRESULT is kept as ``0x`` and eight digits, whether it was typed so, without ``0x``, or as a decimal number with
    or without sign. Everything else is kept in lower case with single spaces.
    """
    plain = _plain(text)
    keys = [plain]
    if _DECIMAL.fullmatch(plain):
        number = int(plain)
        keys.append(str(number))
        if -(_WORD // 2) <= number < 0 or (_WORD >> 16) <= number < _WORD:
            keys.append(f"0x{number % _WORD:08x}")
    match = _HEXADECIMAL.fullmatch(plain)
    if match:
        keys.append(f"0x{match[1]}")
    return tuple(dict.fromkeys(keys))


def signed(code: str) -> str:
    """Return an HRESULT as the signed decimal number that scripts and logs show."""
    number = int(code, 16)
    return str(number - _WORD if number >= _WORD // 2 else number)


def split_kind(text: str) -> tuple[Kind | None, str]:
    """Return the kind that the first word names, None for any, and the code after it."""
    first, _, rest = text.strip().partition(" ")
    kind = KIND_WORDS.get(first.lower())
    return (kind, rest.strip()) if kind is not None and rest.strip() else (None, text)


def near(text: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Return the known codes that look most like what was typed: few edits apart, and alike at their beginning."""
    by_key = {code.lower(): code for code in known}
    keys = keys_of(text)
    found = [by_key[key] for key in keys_of(keys[0].translate(_MISREAD)) if key in by_key]
    for key in keys:
        ranked = sorted((_edits(key, one), -_same_beginning(key, one), one) for one in by_key if _may_match(key, one))
        found += [by_key[one] for edits, _, one in ranked if edits <= _most_edits(key)]
    return list(dict.fromkeys(found))[:count]


def _most_edits(key: str) -> int:
    return min(len(key) // 5, 3)


def _may_match(first: str, second: str) -> bool:
    return abs(len(first) - len(second)) <= _most_edits(first)


def _same_beginning(first: str, second: str) -> int:
    return next((at for at, (one, other) in enumerate(zip(first, second, strict=False)) if one != other), len(second))


def _edits(first: str, second: str) -> int:
    """The least number of characters to insert, remove or replace (Levenshtein distance)."""
    row = list(range(len(second) + 1))
    for number, one in enumerate(first, 1):
        diagonal, row[0] = row[0], number
        for at, other in enumerate(second, 1):
            diagonal, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, diagonal + (one != other))
    return row[-1]


def _plain(text: str) -> str:
    return " ".join(text[:_LONGEST].split()).strip(_AROUND).lower()

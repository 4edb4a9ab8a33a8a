"""Exit codes: one table for all commands, never reused with another meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "CANCELLED",
    "INCOMPLETE",
    "INTERNAL",
    "INTERRUPTED",
    "INVALID",
    "MEANING",
    "NOT_FOUND",
    "OK",
    "ROLLED_BACK",
    "STATE",
    "UNSUPPORTED",
    "USAGE",
    "worst",
]

OK: Final = 0
NOT_FOUND: Final = 1
USAGE: Final = 2
INVALID: Final = 3
STATE: Final = 4
UNSUPPORTED: Final = 5
ROLLED_BACK: Final = 6
INTERRUPTED: Final = 7
INCOMPLETE: Final = 8
INTERNAL: Final = 9
CANCELLED: Final = 130

MEANING: Final = {
    OK: "done",
    NOT_FOUND: "findings at the fail level, a change found by --check, or asked for something that is not there",
    USAGE: "usage: wrong option, argument, profile or output file",
    INVALID: "the input cannot be opened or is not what it should be",
    STATE: "the state of the disk forbids it",
    UNSUPPORTED: "refused: not provably safe, or a format or feature not supported",
    ROLLED_BACK: "the change failed and was rolled back",
    INTERRUPTED: "the change was interrupted, a journal waits: run recover",
    INCOMPLETE: "some disks could not be examined",
    INTERNAL: "internal error, a bug",
    CANCELLED: "cancelled",
}

_RANK: Final = (9, 7, 6, 5, 4, 3, 2, 8, 1)


def worst(codes: Iterable[int]) -> int:
    """Return the code of the highest-ranking trouble; an unknown code counts as the worst of all."""
    found = set(codes) - {OK}
    unknown = found - set(_RANK)
    if unknown:
        return max(unknown)
    return next((code for code in _RANK if code in found), OK)

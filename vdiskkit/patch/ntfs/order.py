"""The order of keys in the indexes that a change can touch: $I30 of directories, $O of $ObjId, $R of $Reparse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.errors import WriteRefusedError
from vdiskkit.ntfs.record import FILE_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdiskkit.ntfs.collation import Collation
    from vdiskkit.patch.ntfs.blocks import IndexBlocks

__all__ = ["compare_keys", "name_of_key"]

_BY_FILE_NAME = 1
_BY_ULONGS = 0x13  # NtOfsUlongs: a row of 32-bit numbers
_NAME_AT = 66
_MIN_KEY = 68


def name_of_key(key: bytes) -> str:
    """Return the name in a $FILE_NAME key; empty when it does not fit."""
    if len(key) < _MIN_KEY:
        return ""
    return key[_NAME_AT : _NAME_AT + 2 * key[64]].decode("utf-16-le", "surrogatepass")


def compare_keys(blocks: IndexBlocks, collation: Collation) -> Callable[[bytes, bytes], int]:
    """Return the comparison for an index.

    Raises:
        WriteRefusedError: Its rule is none of those that are known here.
    """
    if (blocks.indexed, blocks.rule) == (FILE_NAME, _BY_FILE_NAME):

        def by_name(left: bytes, right: bytes) -> int:
            return collation.order(name_of_key(left), name_of_key(right))

        return by_name
    if (blocks.indexed, blocks.rule) == (0, _BY_ULONGS):
        return _by_ulongs
    raise WriteRefusedError(
        f"the index orders attribute {blocks.indexed:#x} by rule {blocks.rule}, which is not understood",
        location=blocks.location,
    )


def _by_ulongs(left: bytes, right: bytes) -> int:
    one, other = _ulongs(left), _ulongs(right)
    return (one > other) - (one < other)


def _ulongs(key: bytes) -> list[int]:
    return [int.from_bytes(key[at : at + 4], "little") for at in range(0, len(key) - 3, 4)]

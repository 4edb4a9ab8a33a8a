"""How NTFS compares file names: upper-cased UTF-16 code units, by the table in the volume's own $UpCase.

For ASCII every $UpCase says the same, so the 128 KiB table is read only when two names differ in a code unit beyond
ASCII.
"""

from __future__ import annotations

import sys
from array import array
from typing import TYPE_CHECKING

from vdiskkit.errors import CorruptStructureError

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location

__all__ = ["Collation"]

_TABLE_SIZE = 128 * 1024
_ASCII_UPPER = tuple(code - 32 if 0x61 <= code <= 0x7A else code for code in range(128))


class Collation:
    """Case-insensitive order of names.

    Args:
        open_table: Opens $UpCase; called at first need.
        location: The address of $UpCase.
    """

    def __init__(self, open_table: Callable[[], ByteSource], location: Location) -> None:
        self._open_table = open_table
        self._location = location
        self._table: array[int] | None = None

    def compare(self, left: str, right: str) -> int:
        """Return a negative number, zero or a positive number, as ``left`` sorts before, with or after ``right``.

        Raises:
            CorruptStructureError: The table is needed, but damaged.
        """
        if left.isascii() and right.isascii():
            left, right = left.upper(), right.upper()
            return (left > right) - (left < right)
        return self._compare_units(_units(left), _units(right))

    def order(self, left: str, right: str) -> int:
        """Like :meth:`compare`, but names that differ in case only sort by their code units, as in an index."""
        found = self.compare(left, right)
        if found or left == right:
            return found
        one, other = left.encode("utf-16-be", "surrogatepass"), right.encode("utf-16-be", "surrogatepass")
        return (one > other) - (one < other)

    def equal(self, left: str, right: str) -> bool:
        """Tell whether two names differ in case only."""
        return left == right or not self.compare(left, right)

    def _compare_units(self, left: array[int], right: array[int]) -> int:
        for one, other in zip(left, right, strict=False):
            if one == other:
                continue
            if one < 128 and other < 128:
                difference = _ASCII_UPPER[one] - _ASCII_UPPER[other]
            else:
                table = self._load()
                difference = table[one] - table[other]
            if difference:
                return difference
        return len(left) - len(right)

    def _load(self) -> array[int]:
        table = self._table
        if table is None:
            source = self._open_table()
            if source.size != _TABLE_SIZE:
                raise CorruptStructureError(
                    f"$UpCase has {source.size} bytes, not {_TABLE_SIZE}: names beyond ASCII cannot be compared",
                    location=self._location,
                    hint="run chkdsk on the volume",
                )
            table = array("H", source.read_at(0, _TABLE_SIZE))
            if sys.byteorder == "big":
                table.byteswap()
            self._table = table
        return table


def _units(name: str) -> array[int]:
    return array("H", name.encode("utf-16", "surrogatepass")[2:])

"""What a hive of its size has room for, and which of its cells have been seen, kept in memory that its size bounds.

How many values or subkeys a key may have is nowhere laid down: session hosts have been seen with 261,000 firewall rules
in one key. What bounds the counts in a hive is the hive: each value and each subkey has a cell of its own and an
element in a list. A count beyond that cannot be true.
"""

from __future__ import annotations

__all__ = ["CellSet", "subkeys_possible", "values_possible"]

_SMALLEST_KEY = 80
"""Bytes of a cell with the fixed part of a key node (76) behind its size; a name makes it longer."""
_SMALLEST_VALUE = 24
"""Bytes of a cell with the fixed part of a key value (20) behind its size."""
_ELEMENT = 4
"""Bytes of the shortest element of a list."""
_FEW = 64
"""Bytes that an element of a set takes, about."""


def subkeys_possible(bins_size: int) -> int:
    """Return how many subkeys a key can have at most in hive bins of ``bins_size`` bytes."""
    return bins_size // (_SMALLEST_KEY + _ELEMENT)


def values_possible(bins_size: int) -> int:
    """Return how many values a key can have at most in hive bins of ``bins_size`` bytes."""
    return bins_size // (_SMALLEST_VALUE + _ELEMENT)


class CellSet:
    """A set of cells. Where there are many it becomes a bit for each place, a 64th of the hive bins.

    Args:
        bins_size: Bytes of hive bins.
    """

    __slots__ = ("_bits", "_bits_length", "_few")

    def __init__(self, bins_size: int) -> None:
        self._bits_length = (bins_size >> 6) + 1
        self._few: set[int] = set()
        self._bits = bytearray()

    def add(self, offset: int) -> bool:
        """Add a cell; return whether it is new. A place where no cell can be is always new: it is not kept."""
        byte = offset >> 6
        if offset & 7 or byte >= self._bits_length:
            return True
        if not self._bits:
            before = len(self._few)
            self._few.add(offset)
            new = len(self._few) > before
            if before * _FEW > self._bits_length:
                self._spread()
            return new
        bit = 1 << (offset >> 3 & 7)
        if self._bits[byte] & bit:
            return False
        self._bits[byte] |= bit
        return True

    def _spread(self) -> None:
        self._bits = bytearray(self._bits_length)
        for offset in self._few:
            self._bits[offset >> 6] |= 1 << (offset >> 3 & 7)
        self._few.clear()

"""Bitmaps of NTFS: $Bitmap (clusters), $BITMAP of $MFT (records) and of an index (blocks).

Changes are collected in units of 512 bytes and written at the end, each unit once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.errors import WriteRefusedError
from vdiskkit.patch.staging import SECTOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.patch.ntfs.content import AttributeContent
    from vdiskkit.patch.staging import Phase

__all__ = ["BITS", "Bitmap"]

BITS = SECTOR * 8
"""Bits that are written together."""


class Bitmap:
    """One bitmap, changed in memory until :meth:`flush`.

    Args:
        content: Where its bytes are.
        bits: How many of its bits mean something.
        name: What it is called in messages.

    Raises:
        WriteRefusedError: It is too short.
    """

    def __init__(self, content: AttributeContent, bits: int, name: str) -> None:
        if content.size * 8 < bits:
            raise WriteRefusedError(
                f"{name} has {content.size} bytes, too few for {bits} bits",
                location=None,
                hint="run chkdsk on the volume",
            )
        self._content = content
        self.bits = bits
        self.name = name
        self._units: dict[int, int] = {}
        self._changed: set[int] = set()

    def all_are(self, start: int, count: int, *, used: bool) -> bool:
        """Whether ``count`` bits from ``start`` all say used, or all say free; False outside of the bitmap."""
        if start < 0 or start + count > self.bits:
            return False
        return all(self._unit(unit) & mask == (mask if used else 0) for unit, mask in _masks(start, count))

    def put(self, start: int, count: int, *, used: bool) -> None:
        """Set or clear ``count`` bits from ``start``."""
        for unit, mask in _masks(start, count):
            before = self._unit(unit)
            self._units[unit] = before | mask if used else before & ~mask
            if self._units[unit] != before:
                self._changed.add(unit)

    def free_runs(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield (first bit, count) of what is free between two bits, in order."""
        run = length = 0
        position = start
        while position < end:
            unit, within = divmod(position, BITS)
            stop = min((unit + 1) * BITS, end)
            size = stop - position
            used = (self._unit(unit) >> within) & ((1 << size) - 1)
            at = 0
            while at < size:
                rest = used >> at
                zeros = size - at if not rest else min((rest & -rest).bit_length() - 1, size - at)
                if zeros:
                    if length and run + length == position + at:
                        length += zeros
                    else:
                        if length:
                            yield run, length
                        run, length = position + at, zeros
                    at += zeros
                    rest = used >> at
                inverted = ~rest
                at += min((inverted & -inverted).bit_length() - 1, size - at) if rest else 0
            position = stop
        if length:
            yield run, length

    def flush(self, phase: Phase) -> None:
        """Write what changed."""
        for unit in sorted(self._changed):
            size = min(SECTOR, self._content.size - unit * SECTOR)
            self._content.write(unit * SECTOR, self._units[unit].to_bytes(size, "little"), phase)
        self._changed.clear()

    def _unit(self, number: int) -> int:
        unit = self._units.get(number)
        if unit is None:
            offset = number * SECTOR
            data = self._content.read(offset, min(SECTOR, self._content.size - offset))
            unit = self._units[number] = int.from_bytes(data, "little")
        return unit


def _masks(start: int, count: int) -> Iterator[tuple[int, int]]:
    """Yield (unit, bits in it) for a range of bits."""
    while count:
        unit, within = divmod(start, BITS)
        part = min(count, BITS - within)
        yield unit, ((1 << part) - 1) << within
        start += part
        count -= part

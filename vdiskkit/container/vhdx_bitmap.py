"""The sector bitmaps of a differencing VHDX: which sectors of a partially present block are the file's own.

Follows [MS-VHDX] section 2.5.2. A sector bitmap block of 1 MiB has one bit for each logical sector of its chunk, the
lowest bit of a byte first (a VHD has the highest first).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.io import ByteSource

__all__ = ["BitmapReader", "bit_runs"]

_PAGE = 4096
_KEPT = 512


class BitmapReader:
    """Reads sector bitmaps by pages and keeps the last used ones.

    Args:
        source: The file as it is after its log.
    """

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._pages: OrderedDict[int, bytes] = OrderedDict()

    def runs(self, bitmap_at: int, first: int, end: int) -> Iterator[tuple[bool, int, int]]:
        """Yield (present, first, end) of the runs of equal bits.

        Args:
            bitmap_at: Where the sector bitmap block begins in the file.
            first: First sector, counted from the start of the chunk.
            end: The sector behind the last one.

        Raises:
            SourceError: The operating system could not read.
        """
        start = first // 8
        data = self._bytes(bitmap_at + start, bitmap_at + -(-end // 8))
        for present, low, high in bit_runs(data, first - start * 8, end - start * 8):
            yield present, low + start * 8, high + start * 8

    def forget(self) -> None:
        """Forget what was read: the source has changed."""
        self._pages.clear()

    def _bytes(self, start: int, end: int) -> bytes:
        first = start - start % _PAGE
        pages = []
        for at in range(first, end, _PAGE):
            page = self._pages.get(at)
            if page is None:
                page = self._fetch(at, end)
            else:
                self._pages.move_to_end(at)
            pages.append(page)
        return b"".join(pages)[start - first : end - first]

    def _fetch(self, at: int, end: int) -> bytes:
        """Read the page at ``at``, and with the same call those behind it that are wanted and not kept."""
        last = at + _PAGE
        while last < end and last not in self._pages and last - at < _KEPT * _PAGE // 2:
            last += _PAGE
        data = self._source.read_at(at, last - at)
        for start in range(0, len(data), _PAGE):
            self._pages[at + start] = data[start : start + _PAGE]
        while len(self._pages) > _KEPT:
            self._pages.popitem(last=False)
        return data[:_PAGE]


def bit_runs(bitmap: bytes, first: int, end: int) -> Iterator[tuple[bool, int, int]]:
    """Yield (bit, first, end) of the runs of equal bits; bit 0 of byte 0 is number 0."""
    start_byte, end_byte = first // 8, -(-end // 8)
    part = bitmap[start_byte:end_byte]
    # As text, so that searching for the next change is done by str.find.
    bits = f"{int.from_bytes(part, 'little'):0{len(part) * 8}b}"[::-1]
    shift = start_byte * 8
    position, stop = first - shift, end - shift
    while position < stop:
        bit = bits[position]
        change = bits.find("0" if bit == "1" else "1", position, stop)
        if change < 0:
            change = stop
        yield bit == "1", position + shift, change + shift
        position = change

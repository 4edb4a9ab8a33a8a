"""The sector bitmaps of a differencing VHDX: which sectors of a partially present block are the file's own.

Follows [MS-VHDX] section 2.5.2. A sector bitmap block of 1 MiB has one bit for each logical sector of its chunk, the
lowest bit of a byte first (a VHD has the highest first).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.container.bits import bit_runs
from vdiskkit.io import PageCache

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.io import ByteSource

__all__ = ["BitmapReader"]

_PAGE = 512
"""Speaks of 2 MiB of a disk with sectors of 512 bytes: look-ups here and there in a long chain cost no more."""
_AHEAD = 8
_KEPT = 4096


class BitmapReader:
    """Reads sector bitmaps by pages and keeps the last used ones.

    Args:
        source: The file as it is after its log.
    """

    def __init__(self, source: ByteSource) -> None:
        self._pages = PageCache(source, page_size=_PAGE, max_pages=_KEPT, ahead=_AHEAD)

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
        data = self._pages.read_at(bitmap_at + start, -(-end // 8) - start)
        for present, low, high in bit_runs(data, first - start * 8, end - start * 8, order="little"):
            yield present, low + start * 8, high + start * 8

    def forget(self) -> None:
        """Forget what was read: the source has changed."""
        self._pages.forget()

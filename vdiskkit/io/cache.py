"""A bounded cache of aligned pages over a source.

File system and registry look-ups read a few hundred bytes here and there; over a network share every call costs a
round trip. Pages turn them into few reads, and the bound keeps memory flat whatever the size of the disk.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from vdiskkit.io.source import check_range

if TYPE_CHECKING:
    from vdiskkit.io.source import ByteSource
    from vdiskkit.location import Location

__all__ = ["PageCache"]


class PageCache:
    """Pages of ``page_size`` bytes, the least recently used dropped first.

    Args:
        source: What to read from.
        page_size: Bytes in a page, a power of two.
        max_pages: Pages kept.
        bypass: Reads of this many bytes or more go straight to the source and leave the cache alone.
        ahead: Pages, up to a multiple of this, that are read by one call when the page before is kept already: then the
            source is being read from its beginning to its end.
    """

    def __init__(
        self,
        source: ByteSource,
        *,
        page_size: int = 4096,
        max_pages: int = 2048,
        bypass: int = 128 * 1024,
        ahead: int = 1,
    ) -> None:
        self._source = source
        self._page_size = page_size
        self._max_pages = max_pages
        self._bypass = bypass
        self._ahead = ahead
        self._pages: OrderedDict[int, bytes] = OrderedDict()

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self._source.size

    @property
    def location(self) -> Location:
        """The address of byte 0."""
        return self._source.location

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``; see :class:`~vdiskkit.io.source.ByteSource`."""
        check_range(self, offset, length)
        if length >= self._bypass:
            return self._source.read_at(offset, length)
        if not length:
            return b""
        size = self._page_size
        first, last = offset // size, (offset + length - 1) // size
        self._load(first, last)
        start = offset - first * size
        if first == last:
            return self._pages[first][start : start + length]
        data = b"".join([self._pages[number] for number in range(first, last + 1)])
        return data[start : start + length]

    def forget(self, offset: int = 0, length: int | None = None) -> None:
        """Forget the pages of a range, all of them without a length: the source has changed there."""
        if length is None:
            self._pages.clear()
            return
        for number in range(offset // self._page_size, -(-(offset + length) // self._page_size)):
            self._pages.pop(number, None)

    def _load(self, first: int, last: int) -> None:
        pages = self._pages
        missing = None
        for number in range(first, last + 1):
            if number in pages:
                pages.move_to_end(number)
                if missing is not None:
                    self._fetch(missing, number - 1)
                    missing = None
            elif missing is None:
                missing = number
        if missing is not None:
            last = self._far(missing, last)
            self._fetch(missing, last)
        # Never below what the caller is about to join.
        keep = max(self._max_pages, last - first + 1)
        while len(pages) > keep:
            pages.popitem(last=False)

    def _far(self, first: int, last: int) -> int:
        """Return the last page that is worth reading together with those from ``first`` to ``last``."""
        if first - 1 not in self._pages:
            return last
        end = first - first % self._ahead + self._ahead - 1
        return max(last, min(end, (self.size - 1) // self._page_size))

    def _fetch(self, first: int, last: int) -> None:
        size = self._page_size
        start = first * size
        data = self._source.read_at(start, min((last + 1) * size, self._source.size) - start)
        for number in range(first, last + 1):
            at = (number - first) * size
            self._pages[number] = data[at : at + size]

"""A hive with pages from its logs over it: only those pages are held, everything else is read where it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.io.source import check_range

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location

__all__ = ["OverlaidHive"]

_PAGE = 4096
_SHIFT = 12


class OverlaidHive:
    """A source: the primary, some of its pages replaced, perhaps longer; the part behind the primary reads as zeros.

    Args:
        primary: The hive file as it is.
        size: Length in bytes, at least that of the primary.
    """

    def __init__(self, primary: ByteSource, size: int) -> None:
        self.primary = primary
        self._size = max(size, primary.size)
        self._pages: dict[int, bytes] = {}

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self._size

    @property
    def location(self) -> Location:
        """The address of byte 0, which is that of the primary."""
        return self.primary.location

    def put(self, offset: int, data: bytes) -> None:
        """Lay ``data`` over the hive at ``offset``."""
        at = 0
        while at < len(data):
            number, inside = divmod(offset + at, _PAGE)
            length = min(_PAGE - inside, len(data) - at)
            part = data[at : at + length]
            if length < _PAGE:
                page = self.page(number)
                part = page[:inside] + part + page[inside + length :]
            self._pages[number] = part
            at += length

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``; see :class:`~vdiskkit.io.source.ByteSource`."""
        first, last = offset >> _SHIFT, (offset + length - 1) >> _SHIFT
        if first == last:
            page = self._pages.get(first)
            if page is not None and offset >= 0 and offset + length <= self._size:
                start = offset & (_PAGE - 1)
                return page[start : start + length]
        check_range(self, offset, length)
        if not length:
            return b""
        pages = self._pages
        parts, at, end = [], offset, offset + length
        for number in range(first, last + 1):
            page = pages.get(number)
            if page is not None:
                start = number << _SHIFT
                if at < start:
                    parts.append(self._below(at, start - at))
                    at = start
                stop = min(end, start + _PAGE)
                parts.append(page[at - start : stop - start])
                at = stop
        if at < end:
            parts.append(self._below(at, end - at))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def page(self, number: int) -> bytes:
        """Return a whole page as it is now, filled up with zeros behind the end."""
        start = number << _SHIFT
        return self.read_at(start, min(_PAGE, self._size - start)).ljust(_PAGE, b"\0")

    def pages(self) -> Iterator[tuple[int, bytes]]:
        """Yield (offset, bytes) of all pages that lie over the primary, in order, none behind the end."""
        for number in sorted(self._pages):
            start = number << _SHIFT
            yield start, self._pages[number][: self._size - start]

    def differs(self, offset: int, length: int) -> bool:
        """Whether any of the bytes in a range is not what the primary holds there."""
        end = min(offset + length, self._size)
        for number in range(offset >> _SHIFT, ((end - 1) >> _SHIFT) + 1):
            page = self._pages.get(number)
            if page is not None:
                start = number << _SHIFT
                low, high = max(offset, start), min(end, start + _PAGE)
                if page[low - start : high - start] != self._below(low, high - low):
                    return True
        return end > self.primary.size and end - offset > 0

    def _below(self, offset: int, length: int) -> bytes:
        inside = max(min(length, self.primary.size - offset), 0)
        data = self.primary.read_at(offset, inside) if inside else b""
        return data if inside == length else data.ljust(length, b"\0")

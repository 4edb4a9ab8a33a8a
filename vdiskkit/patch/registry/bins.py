"""Hive bins with all their cells: what the editor must know of a bin before it changes anything in it."""

from __future__ import annotations

import struct
from bisect import bisect_left, insort
from typing import TYPE_CHECKING

from vdiskkit.registry.base_block import BASE_BLOCK_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = ["BIN_HEADER", "PAGE", "Bin", "bin_at", "bin_of_cell", "bins_over", "new_bin_header"]

PAGE = 4096
"""Hive bins begin at multiples of this, and are multiples of it long."""
BIN_HEADER = 32
"""Bytes before the first cell of a bin."""

_HEADER = struct.Struct("<4sII")
_FULL_HEADER = struct.Struct("<4sIIQQI")
_SIZE = struct.Struct("<i")
_CHUNK = 65536
_LOOK_BACK = 2304
"""Pages asked for a bin's header: a bin with one value of the largest size has fewer."""


class Bin:
    """One hive bin; offsets count from the start of the hive bins.

    Attributes:
        start: Where it begins.
        size: Its length in bytes.
        starts: Where its cells begin, in order.
        sizes: Sizes of the cells by their start, used ones negative as in the file.
        free: Sizes of the free cells by their start.
        old: Where cells began before the edit. A size that stands there decides at once what lies behind it, up to the
            next one; what stands elsewhere is inside of a free cell until then.
    """

    __slots__ = ("free", "old", "size", "sizes", "start", "starts")

    def __init__(self, start: int, size: int, sizes: dict[int, int], *, new: bool = False) -> None:
        self.start = start
        self.size = size
        self.sizes = sizes
        self.starts = list(sizes)
        self.free = {offset: length for offset, length in sizes.items() if length > 0}
        self.old = frozenset[int]() if new else frozenset(sizes)

    def best_fit(self, need: int) -> int | None:
        """Return the smallest free cell of at least ``need`` bytes, the first of several; None when none is."""
        best: int | None = None
        for offset, length in self.free.items():
            if length >= need and (best is None or (length, offset) < (self.free[best], best)):
                best = offset
        return best

    def take(self, offset: int, need: int) -> int:
        """Turn a free cell into a used one of ``need`` bytes; return the size of the free cell that is left behind."""
        rest = self.free.pop(offset) - need
        self.sizes[offset] = -need
        if rest:
            left = offset + need
            insort(self.starts, left)
            self.sizes[left] = self.free[left] = rest
        return rest

    def release(self, offset: int, *, across: bool) -> tuple[int, int]:
        """Free a used cell and join it with its free neighbours; return start and size of the free cell.

        Args:
            offset: The cell.
            across: Whether it is joined across the places where cells began before the edit.
        """
        size = -self.sizes[offset]
        following = offset + size
        if following in self.free and (across or following not in self.old):
            size += self.free.pop(following)
            del self.sizes[following]
            del self.starts[bisect_left(self.starts, following)]
        index = bisect_left(self.starts, offset)
        if index and self.starts[index - 1] in self.free and (across or offset not in self.old):
            del self.starts[index]
            del self.sizes[offset]
            offset = self.starts[index - 1]
            size += self.free[offset]
        self.sizes[offset] = self.free[offset] = size
        return offset, size


def bin_at(read_at: Callable[[int, int], bytes], start: int, bins_size: int) -> Bin | None:
    """Read the bin that begins at ``start``, with the sizes of all its cells.

    Args:
        read_at: Reads from the hive file.
        start: A place where a bin begins: 0, or the end of another bin.
        bins_size: Bytes of hive bins.

    Returns:
        The bin; None when it is damaged, or ``start`` is behind the last one.
    """
    if not 0 <= start < bins_size:
        return None
    size = _size_at(read_at, start, bins_size)
    sizes = _cell_sizes(read_at, start, size) if size else None
    return None if sizes is None else Bin(start, size, sizes)


def bin_of_cell(read_at: Callable[[int, int], bytes], offset: int, bins_size: int) -> Bin | None:
    """Find the bin in which a cell lies, looking for its header page by page.

    Inside a large cell the headers of bins that were there before can have been left behind, even whole ones. A bin
    counts only when its cells fill it and one of them begins at ``offset``.

    Args:
        read_at: Reads from the hive file.
        offset: Offset of a cell that something in use refers to.
        bins_size: Bytes of hive bins.

    Returns:
        The bin; None when no bin has a cell there.
    """
    last = offset // PAGE
    for number in range(last, max(last - _LOOK_BACK, -1), -1):
        start = number * PAGE
        size = _size_at(read_at, start, bins_size)
        if start + size > offset:
            sizes = _cell_sizes(read_at, start, size)
            if sizes is not None and offset in sizes:
                return Bin(start, size, sizes)
    return None


def bins_over(read_at: Callable[[int, int], bytes], bins_size: int, pages: Collection[int]) -> list[int]:
    """Return the starts of the bins that have one of some pages, going through all headers up to a damaged one.

    Args:
        read_at: Reads from the hive file.
        bins_size: Bytes of hive bins.
        pages: Numbers of 4 KiB pages, from the start of the hive bins.
    """
    found = []
    start = 0
    while start < bins_size:
        size = _size_at(read_at, start, bins_size)
        if not size:
            break
        if any(number in pages for number in range(start // PAGE, (start + size) // PAGE)):
            found.append(start)
        start += size
    return found


def new_bin_header(start: int, size: int) -> bytes:
    """Return the header of a bin; only the first bin of a hive carries a time."""
    return _FULL_HEADER.pack(b"hbin", start, size, 0, 0, 0)


def _size_at(read_at: Callable[[int, int], bytes], start: int, bins_size: int) -> int:
    """Return the size of the bin whose header is at ``start``; 0 when there is no header that can be one."""
    signature, own, size = _HEADER.unpack(read_at(BASE_BLOCK_SIZE + start, _HEADER.size))
    possible = signature == b"hbin" and own == start and size >= PAGE and not size % PAGE and start + size <= bins_size
    return size if possible else 0


def _cell_sizes(read_at: Callable[[int, int], bytes], start: int, size: int) -> dict[int, int] | None:
    sizes: dict[int, int] = {}
    at, end = start + BIN_HEADER, start + size
    chunk, chunk_start = b"", at
    while at < end:
        if not chunk_start <= at <= chunk_start + len(chunk) - 4:
            chunk, chunk_start = read_at(BASE_BLOCK_SIZE + at, min(_CHUNK, end - at)), at
        (length,) = _SIZE.unpack_from(chunk, at - chunk_start)
        room = abs(length)
        if room < 8 or room & 7 or at + room > end:
            return None
        sizes[at] = length
        at += room
    return sizes

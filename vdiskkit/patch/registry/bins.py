"""Hive bins with all their cells: what the editor must know of a bin before it changes anything in it."""

from __future__ import annotations

import struct
from bisect import bisect_left, insort
from typing import TYPE_CHECKING

from vdiskkit.errors import CorruptStructureError
from vdiskkit.registry.base_block import BASE_BLOCK_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BIN_HEADER", "PAGE", "Bin", "load_bin", "new_bin_header"]

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
    """

    __slots__ = ("free", "size", "sizes", "start", "starts")

    def __init__(self, start: int, size: int, sizes: dict[int, int]) -> None:
        self.start = start
        self.size = size
        self.sizes = sizes
        self.starts = list(sizes)
        self.free = {offset: length for offset, length in sizes.items() if length > 0}

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

    def release(self, offset: int) -> tuple[int, int]:
        """Free a used cell and join it with its free neighbours; return start and size of the free cell."""
        size = -self.sizes[offset]
        following = offset + size
        if following in self.free:
            size += self.free.pop(following)
            del self.sizes[following]
            del self.starts[bisect_left(self.starts, following)]
        index = bisect_left(self.starts, offset)
        if index and self.starts[index - 1] in self.free:
            del self.starts[index]
            del self.sizes[offset]
            offset = self.starts[index - 1]
            size += self.free[offset]
        self.sizes[offset] = self.free[offset] = size
        return offset, size


def load_bin(read_at: Callable[[int, int], bytes], offset: int, bins_size: int) -> Bin | None:
    """Find the bin in which ``offset`` lies, and read the sizes of all its cells.

    Args:
        read_at: Reads from the hive file.
        offset: An offset from the start of the hive bins.
        bins_size: Bytes of hive bins.

    Returns:
        The bin; None when there is none whose cells fill it exactly.
    """
    last = offset // PAGE
    for number in range(last, max(last - _LOOK_BACK, -1), -1):
        start = number * PAGE
        signature, own, size = _HEADER.unpack(read_at(BASE_BLOCK_SIZE + start, _HEADER.size))
        if signature != b"hbin" or own != start or size < PAGE or size % PAGE or start + size > bins_size:
            continue
        # Inside a large cell the header of a bin that was there before can have been left behind.
        if start + size <= offset:
            continue
        sizes = _cell_sizes(read_at, start, size)
        if sizes is not None:
            return Bin(start, size, sizes)
    return None


def new_bin_header(start: int, size: int) -> bytes:
    """Return the header of a bin; only the first bin of a hive carries a time."""
    return _FULL_HEADER.pack(b"hbin", start, size, 0, 0, 0)


def damaged_bin(offset: int) -> CorruptStructureError:
    """The error for an offset at which :func:`load_bin` found nothing."""
    return CorruptStructureError(
        f"the hive bin around offset {BASE_BLOCK_SIZE + offset:#x} of the file is damaged: "
        "there is no bin header, or its cells do not fill it",
        hint="let Windows repair the hive by loading it, or restore it",
    )


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

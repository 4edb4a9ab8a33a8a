"""Cells of a hive, read lazily and believed only after checks.

A pointer in a hive is the offset of a cell from the start of the hive bins. Before a cell's bytes are used it is
checked that the offset is aligned and inside the bins, that the cell is allocated, that its size is possible and ends
inside its bin, and - where the bin's header is on the same 4 KiB page, which is nearly always - that a cell begins
there at all and not in the middle of another one.

The hive is read in its own 4 KiB pages: a bin begins on such a page, so that the checks cost no further reads except
for bins of several pages, where the pages before are asked for the bin's header (``_LOOK_BACK`` at most).

Follows the sections "Hive bin" and "Hive bin cell" of the "Windows registry file format specification".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import CorruptStructureError
from vdiskkit.registry.base_block import BASE_BLOCK_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdiskkit.errors import FormatError
    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location

__all__ = ["NO_CELL", "CellReader", "report_error"]

NO_CELL = 0xFFFFFFFF
"""The offset that stands for "no cell"."""

_PAGE = 4096
_PAGES_KEPT = 512
_LOOK_BACK = 8
_BIN_HEADER = 32
_SIZE = struct.Struct("<i")
_BIN = struct.Struct("<4sII")


class _Page(NamedTuple):
    data: bytes
    # Where cells begin on this page; None when that is not known without reading more.
    starts: frozenset[int] | None
    # End of the bin that this page belongs to, as an offset from the start of the hive bins; None when not known.
    bin_end: int | None


class CellReader:
    """Checked access to the cells of one hive.

    Args:
        source: The hive file.
        hive_bins_size: Bytes of hive bins, as the base block says and as the file really has.
    """

    def __init__(self, source: ByteSource, hive_bins_size: int) -> None:
        self._source = source
        self.hive_bins_size = hive_bins_size
        self._pages: dict[int, _Page] = {}

    def location(self, offset: int) -> Location:
        """The address of a cell, as an offset in the hive file."""
        return self._source.location.at("hive", BASE_BLOCK_SIZE + offset)

    def read(self, offset: int, minimum: int, maximum: int, what: str) -> bytes:
        """Return the content of an allocated cell, at most ``maximum`` bytes of it.

        Args:
            offset: The cell's offset from the start of the hive bins.
            minimum: Bytes that the cell must hold.
            maximum: Bytes that are wanted of it.
            what: What is expected there, for messages.

        Raises:
            CorruptStructureError: There is no such cell, or it is too small.
        """
        if offset & 7 or offset >= self.hive_bins_size:
            raise self._error(offset, what, self._misplaced(offset))
        number = offset >> 12
        page = self._pages.get(number)
        if page is None:
            page = self._load(number)
        at = offset & 4095
        data = page.data
        if page.starts is not None and at not in page.starts:
            raise self._error(offset, what, "no cell begins there")
        size = -_SIZE.unpack_from(data, at)[0]
        if size < 8 or size & 7:
            raise self._error(offset, what, "the cell there is free" if size < 0 else f"its cell size is {size}")
        if size - 4 < minimum:
            raise self._error(offset, what, f"the cell there holds {size - 4} bytes and {minimum} are needed")
        if at + size <= _PAGE:
            return data[at + 4 : at + 4 + min(size - 4, maximum)]
        end = self.hive_bins_size if page.bin_end is None else page.bin_end
        if offset + size > end:
            raise self._error(offset, what, f"the cell there ({size} bytes) runs past the end of its hive bin")
        length = min(size - 4, maximum)
        if at + 4 + length <= _PAGE:
            return data[at + 4 : at + 4 + length]
        head = data[at + 4 :]
        return head + self._source.read_at(BASE_BLOCK_SIZE + (number + 1) * _PAGE, length - len(head))

    def _load(self, number: int) -> _Page:
        start = number * _PAGE
        data = self._source.read_at(BASE_BLOCK_SIZE + start, _PAGE)
        signature, own_offset, size = _BIN.unpack_from(data)
        starts = bin_end = None
        # The signature can also be data of a large cell that runs over this page, but hardly with the fitting offset.
        if signature == b"hbin" and own_offset == start and self._possible(start, size):
            bin_end = start + size
            starts = _cell_starts(data, min(size, _PAGE))
        else:
            header = self._look_back(number)
            bin_end = header
            if header is not None and header <= start:
                raise CorruptStructureError(self._bin_fault(data), location=self.location(start))
        page = _Page(data, starts, bin_end)
        if len(self._pages) >= _PAGES_KEPT:
            del self._pages[next(iter(self._pages))]
        self._pages[number] = page
        return page

    def _look_back(self, number: int) -> int | None:
        """Return the end of the bin that runs over a page, or of the one before it; None when none was found near it.

        A header left behind inside a large cell describes a bin that ends before the page, so one that runs over it
        counts more.
        """
        nearest = None
        for earlier in range(number - 1, max(number - 1 - _LOOK_BACK, -1), -1):
            start = earlier * _PAGE
            known = self._pages.get(earlier)
            head = known.data if known else self._source.read_at(BASE_BLOCK_SIZE + start, _BIN.size)
            signature, own_offset, size = _BIN.unpack_from(head)
            if signature == b"hbin" and own_offset == start and self._possible(start, size):
                end: int = start + size
                if end > number * _PAGE:
                    return end
                nearest = end if nearest is None else nearest
        return 0 if nearest is None and number <= _LOOK_BACK else nearest

    def _possible(self, start: int, size: int) -> bool:
        return size >= _PAGE and not size % _PAGE and start + size <= self.hive_bins_size

    def _bin_fault(self, data: bytes) -> str:
        signature, own_offset, size = _BIN.unpack_from(data)
        if signature != b"hbin":
            filler = " (it is all zeros)" if not any(data) else ""
            return f"a hive bin should begin here, but there is no 'hbin' signature{filler}"
        return f"the hive bin here says that it begins at {own_offset:#x} and is {size:#x} bytes long, which cannot be"

    def _misplaced(self, offset: int) -> str:
        if offset == NO_CELL:
            return "the pointer is empty"
        if offset >= self.hive_bins_size:
            return f"the offset {offset:#x} is outside the hive bins ({self.hive_bins_size:#x} bytes)"
        return f"the offset {offset:#x} is not a multiple of 8"

    def _error(self, offset: int, what: str, why: str) -> CorruptStructureError:
        return CorruptStructureError(
            f"{what} cannot be read: {why}",
            location=self.location(offset),
            hint="the hive is damaged: restore it, or let Windows repair it by loading it",
        )


def _cell_starts(data: bytes, end: int) -> frozenset[int] | None:
    """Follow the sizes of the cells on a bin's first page; None when they do not add up."""
    starts = []
    at = _BIN_HEADER
    while at < end:
        size = abs(_SIZE.unpack_from(data, at)[0])
        if size < 8 or size & 7:
            return None
        starts.append(at)
        at += size
    return frozenset(starts)


def report_error(error: FormatError, on_error: Callable[[FormatError], None] | None) -> None:
    """Hand ``error`` to the caller's function, or raise it when there is none."""
    if on_error is None:
        raise error
    on_error(error)

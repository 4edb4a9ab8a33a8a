"""Hive bins and cells for the structural check, read anew from the source."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import FormatError
from vdiskkit.patch.registry.bins import Bin, bin_at, bin_of_cell
from vdiskkit.registry.base_block import BASE_BLOCK_SIZE, BaseBlock, parse_base_block
from vdiskkit.registry.cells import NO_CELL

if TYPE_CHECKING:
    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location

__all__ = ["CellMap", "HiveProblem"]

_BIN = struct.Struct("<4sII")
_SIZE = struct.Struct("<i")
_HEADER = 32
_PAGE = 4096
_CHECKED = 512
_PROBLEMS_MAX = 1000
"""Problems that are kept: one is enough to refuse a change, the others are for people."""


class HiveProblem(NamedTuple):
    """Something that is wrong with a hive.

    Attributes:
        code: What kind of thing: ``base-block``, ``bin``, ``cell``, ``key``, ``list``, ``value``, ``security``,
            ``leak``, ``maximum``.
        message: What is wrong, in one sentence.
        location: Where.
        severe: Whether Windows would take it for damage; the others waste space or mislead careless readers.
        in_general: Whether it has no place of its own: the location is then that of the file.
    """

    code: str
    message: str
    location: Location
    severe: bool
    in_general: bool = False


class CellMap:
    """All cells of a hive, or those of the bins that are asked for.

    Args:
        source: The hive file.

    Raises:
        FormatError: Its base block cannot describe a hive.
    """

    def __init__(self, source: ByteSource) -> None:
        self.source = source
        self.problems: list[HiveProblem] = []
        self.sizes: dict[int, int] = {}
        self._pages: set[int] = set()
        self._complete = False
        block = source.read_at(0, min(source.size, _CHECKED))
        self.base: BaseBlock = parse_base_block(block, source.size, source.location)
        if self.base.dirty:
            self.report("base-block", f"the hive is dirty: {self.base.dirty_reason}", None)

    def report(self, code: str, message: str, offset: int | None, *, severe: bool = True) -> None:
        """Note a problem at a cell, or at the beginning of the file."""
        if len(self.problems) < _PROBLEMS_MAX:
            self.problems.append(HiveProblem(code, message, self.location(offset), severe, offset is None))

    def location(self, offset: int | None) -> Location:
        """The address of a cell, as an offset in the hive file."""
        place = 0 if offset is None else BASE_BLOCK_SIZE + offset
        return self.source.location.at("hive", place)

    def load_all(self) -> None:
        """Go through all bins from the first to the last."""
        at, end = 0, self.base.hive_bins_size
        while at < end:
            signature, own, size = _BIN.unpack(self.source.read_at(BASE_BLOCK_SIZE + at, _BIN.size))
            if signature != b"hbin" or own != at or size < _PAGE or size % _PAGE or at + size > end:
                self.report("bin", f"no hive bin begins at {at:#x}, or its size {size:#x} is impossible", at)
                size = _PAGE
            else:
                self._load_cells(at, self.source.read_at(BASE_BLOCK_SIZE + at, size))
            at += size
        self._complete = True

    def load_bin(self, start: int) -> None:
        """Load the bin that begins at ``start``."""
        if start // _PAGE in self._pages:
            return
        found = bin_at(self.source.read_at, start, self.base.hive_bins_size)
        if found is None:
            self.report("bin", f"there is no hive bin at {start:#x}, or its cells do not fill it", start)
        else:
            self._add(found)

    def _add(self, found: Bin) -> None:
        self._pages.update(range(found.start // _PAGE, (found.start + found.size) // _PAGE))
        self.sizes.update(found.sizes)

    def content(self, offset: int, need: int, what: str, code: str) -> bytes | None:
        """Return the content of a used cell; None, with a report, when it is not there or too small."""
        if offset == NO_CELL or offset & 7 or not 0 <= offset < self.base.hive_bins_size:
            self.report(code, f"{what}: {offset:#x} is no place for a cell", None)
            return None
        if not self._complete and offset // _PAGE not in self._pages:
            found = bin_of_cell(self.source.read_at, offset, self.base.hive_bins_size)
            if found is not None:
                self._add(found)
        size = self.sizes.get(offset)
        if size is None or size > 0:
            self.report(code, f"{what}: {'no cell begins there' if size is None else 'the cell is free'}", offset)
            return None
        if -size - 4 < need:
            self.report(code, f"{what}: the cell holds {-size - 4} bytes, {need} are needed", offset)
            return None
        try:
            return self.source.read_at(BASE_BLOCK_SIZE + offset + 4, -size - 4)
        except FormatError as exc:
            self.report(code, f"{what}: {exc.message}", offset)
            return None

    def _load_cells(self, start: int, data: bytes) -> None:
        at = _HEADER
        while at < len(data):
            (size,) = _SIZE.unpack_from(data, at)
            if abs(size) < 8 or size & 7 or at + abs(size) > len(data):
                self.report("cell", f"the cell at {start + at:#x} of its hive bin has the size {size}", start + at)
                return
            self.sizes[start + at] = size
            at += abs(size)

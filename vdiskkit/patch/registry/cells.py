"""Cells for the editor: checked reads, allocation near a key, and frees that take effect last.

A new cell is taken from the smallest fitting free cell in the bin of its key, then in bins that are loaded already,
then in a few bins behind the key's, then from a new bin at the end. The hive is never searched as a whole.

A cell that the old state of the hive refers to is freed only when the edit is committed, so that its bytes are not used
for anything new before nothing points to it any more. What a freed cell held is left in it, as Windows leaves it.

Every prefix of an edit is a sound hive, as far as it goes down to sectors of 512 bytes. New cells are made inside free
ones, where nobody looks (``DATA``); then the sizes at whose places cells began before turn free space into used cells
(``HIVE_CLAIM``), each by itself; then what leads to them is written (``HIVE_LINK``), where what belongs together lies
in one sector; and cells that nothing leads to any more are freed in the end (``RELEASE``).

Follows the sections "Hive bin" and "Cell" of the "Windows registry file format specification".
"""

from __future__ import annotations

import struct
from itertools import chain, islice
from typing import TYPE_CHECKING

from vdiskkit.errors import CorruptStructureError, WriteRefusedError
from vdiskkit.patch.registry.bins import BIN_HEADER, PAGE, Bin, bin_at, bin_of_cell, new_bin_header
from vdiskkit.patch.staging import SECTOR, Phase
from vdiskkit.registry.base_block import BASE_BLOCK_SIZE
from vdiskkit.registry.cells import NO_CELL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.location import Location
    from vdiskkit.patch.registry.buffer import WriteBuffer

__all__ = ["CellStore"]

_SIZE = struct.Struct("<i")
_BINS_TRIED = 64
_FOLLOWING = 8
"""Bins that are asked for room, so that no edit costs what a whole hive would; then a new bin is made."""
_BINS_SIZE_MAX = 0x7FFFF000
"""Offsets above have the bit set that marks volatile cells."""


class CellStore:
    """All cells of one hive.

    Args:
        buffer: The hive file.
        bins_size: Bytes of hive bins, as the base block says.
    """

    def __init__(self, buffer: WriteBuffer, bins_size: int) -> None:
        self._buffer = buffer
        self.bins_size = bins_size
        self._by_page: dict[int, Bin] = {}
        self._recent: dict[int, Bin] = {}
        self._fresh: set[int] = set()
        self._doomed: dict[int, None] = {}
        self._apart: dict[int, tuple[int, int]] = {}

    def location(self, offset: int) -> Location:
        """The address of a cell, as an offset in the hive file."""
        return self._buffer.location.at("hive", BASE_BLOCK_SIZE + offset)

    # -- reading ---------------------------------------------------------------------------------------------------
    def capacity(self, offset: int, what: str) -> int:
        """Return how many bytes the used cell at ``offset`` holds.

        Raises:
            CorruptStructureError: There is no used cell.
        """
        if offset == NO_CELL or offset & 7 or offset >= self.bins_size:
            why = "the pointer is empty" if offset == NO_CELL else f"the offset {offset:#x} is no place for a cell"
            raise self._error(offset, what, why)
        found = self._bin_of(offset)
        size = None if found is None else found.sizes.get(offset)
        if size is None:
            raise self._error(offset, what, "no cell begins there, or its hive bin is damaged")
        if size > 0:
            raise self._error(offset, what, "the cell there is free")
        if offset in self._doomed:
            raise self._error(offset, what, "something else used the same cell, and has given it back")
        return -size - 4

    def read(self, offset: int, minimum: int, maximum: int, what: str) -> bytes:
        """Return the content of a used cell, at most ``maximum`` bytes of it.

        Args:
            offset: The cell's offset from the start of the hive bins.
            minimum: Bytes that the cell must hold.
            maximum: Bytes that are wanted of it.
            what: What is expected there, for messages.

        Raises:
            CorruptStructureError: There is no such cell, or it is too small.
        """
        room = self.capacity(offset, what)
        if room < minimum:
            raise self._error(offset, what, f"the cell there holds {room} bytes and {minimum} are needed")
        return self._buffer.read_at(BASE_BLOCK_SIZE + offset + 4, min(room, maximum))

    def is_used(self, offset: int) -> bool:
        """Whether a cell was not given back; for one that was in use."""
        return offset not in self._doomed

    def is_new(self, offset: int) -> bool:
        """Whether a cell was made by this edit: nothing visible leads to it yet."""
        return offset in self._fresh

    def is_one_sector(self, *parts: tuple[int, int, bytes]) -> bool:
        """Whether parts of cells can be written at once: what would differ from before the edit lies in one sector.

        Args:
            parts: Cell, position in its content, bytes. In new cells everything can be written at any time.
        """
        sectors: set[int] = set()
        for offset, at, data in parts:
            if offset not in self._fresh:
                start = BASE_BLOCK_SIZE + offset + 4 + at
                sectors.update(_changed_sectors(start, self._buffer.read_old(start, len(data)), data))
        return len(sectors) <= 1

    # -- writing ---------------------------------------------------------------------------------------------------
    def write(self, offset: int, at: int, data: bytes, phase: Phase = Phase.HIVE_LINK) -> None:
        """Write ``data`` at position ``at`` of the content of a used cell.

        A cell that is new in this edit is not yet part of the hive, whatever the phase asked for.
        """
        if at + len(data) > self.capacity(offset, "a cell to be changed"):
            raise self._error(offset, "a cell to be changed", "it is too small")
        phase = Phase.DATA if offset in self._fresh else phase
        self._buffer.write(BASE_BLOCK_SIZE + offset + 4 + at, data, phase)

    def allocate(self, content: bytes, near: int, spare: int = 0) -> int:
        """Make a new cell.

        Args:
            content: What it holds.
            near: A cell in whose bin it should lie.
            spare: Further bytes that it should have room for.

        Returns:
            Its offset.

        Raises:
            WriteRefusedError: The hive cannot grow.
        """
        need = (len(content) + spare + 4 + 7) & ~7
        found, offset = self._place(need, near)
        rest = found.take(offset, need)
        self._recent[found.start] = self._recent.pop(found.start, found)
        if rest:
            self._write_size(found, offset + need, rest)
        self._buffer.write(BASE_BLOCK_SIZE + offset + 4, content.ljust(need - spare - 4, b"\0"), Phase.DATA)
        self._write_size(found, offset, -need)
        self._fresh.add(offset)
        return offset

    def free(self, offset: int, what: str) -> None:
        """Give a cell back: at once when it is new in this edit, else when the edit is committed.

        Raises:
            CorruptStructureError: There is no used cell, or it was given back before: two things share it.
        """
        self.capacity(offset, what)
        if offset in self._fresh:
            self._fresh.discard(offset)
            found = self._by_page[offset // PAGE]
            self._write_size(found, *found.release(offset, across=False))
        else:
            self._doomed[offset] = None

    def count_apart(self, offset: int, at: int, list_at: int) -> None:
        """Note that a count in a cell changes with the pointer to a list, which may lie in the next sector.

        Args:
            offset: The cell, in use before the edit.
            at: Position of the count in its content, 32 bits.
            list_at: Position of the pointer, 32 bits.
        """
        start = BASE_BLOCK_SIZE + offset + 4
        if offset not in self._fresh and (start + at) // SECTOR != (start + list_at) // SECTOR:
            self._apart[offset] = start + at, start + list_at

    def torn(self) -> list[int]:
        """Return the cells whose counts and pointers change in two sectors, so that a disk may write one of both alone.

        Where a count was zero, or becomes so, the pointer beside it is not followed: it can be there before the count,
        and outlast it.
        """
        buffer = self._buffer
        found = []
        for offset, (count_at, _) in self._apart.items():
            old, new = buffer.read_old(count_at, 4), buffer.read_at(count_at, 4)
            if old != new and any(old) and any(new):
                found.append(offset)
        return found

    def settle(self) -> None:
        """Free all cells that were given back; called when the edit is committed.

        What was written into such a cell before is forgotten: something may lead to it until the very end, and what it
        would be led to may be gone.
        """
        buffer = self._buffer
        doomed = [(offset, offset - self._by_page[offset // PAGE].sizes[offset]) for offset in self._doomed]
        ranges = [(BASE_BLOCK_SIZE + start + 4, BASE_BLOCK_SIZE + end) for start, end in doomed]
        for phase in (Phase.HIVE_CLAIM, Phase.HIVE_LINK, Phase.HIVE_UNLINK):
            buffer.defer(ranges, phase, None)
        first, last = [], []
        for count_at, list_at in self._apart.values():
            if not any(buffer.read_old(count_at, 4)):
                first.append((list_at, list_at + 4))
            elif not any(buffer.read_at(count_at, 4)):
                last.append((list_at, list_at + 4))
        buffer.defer(first, Phase.HIVE_LINK, Phase.HIVE_CLAIM)
        buffer.defer(last, Phase.HIVE_LINK, Phase.RELEASE)
        for offset in self._doomed:
            start, size = self._by_page[offset // PAGE].release(offset, across=True)
            buffer.write(BASE_BLOCK_SIZE + start, _SIZE.pack(size), Phase.RELEASE)
        for found in self._recent.values():
            found.old = frozenset(found.sizes)
        self._doomed.clear()
        self._fresh.clear()
        self._apart.clear()

    def bins_between(self, start: int, end: int) -> list[int]:
        """Return the starts of the loaded bins that overlap a range of the hive file."""
        pages = range(max(start - BASE_BLOCK_SIZE, 0) // PAGE, max(end - 1 - BASE_BLOCK_SIZE, -1) // PAGE + 1)
        return sorted({self._by_page[number].start for number in pages if number in self._by_page})

    # -- bins ------------------------------------------------------------------------------------------------------
    def _write_size(self, found: Bin, offset: int, size: int) -> None:
        """Write the size of a cell that the edit made, or of what it left of a free one."""
        phase = Phase.HIVE_CLAIM if offset in found.old else Phase.DATA
        self._buffer.write(BASE_BLOCK_SIZE + offset, _SIZE.pack(size), phase)

    def _bin_of(self, offset: int) -> Bin | None:
        found = self._by_page.get(offset // PAGE)
        if found is None:
            found = bin_of_cell(self._buffer.read_at, offset, self.bins_size)
            if found is not None and not self._remember(found):
                return None
        return found

    def _remember(self, new: Bin) -> bool:
        """Keep a bin; False when it overlaps another one, which no two sound bins do."""
        pages = range(new.start // PAGE, (new.start + new.size) // PAGE)
        if any(number in self._by_page for number in pages):
            return False
        self._by_page.update(dict.fromkeys(pages, new))
        self._recent[new.start] = new
        return True

    def _place(self, need: int, near: int) -> tuple[Bin, int]:
        self.capacity(near, "a cell")
        home = self._by_page[near // PAGE]
        known = islice(reversed(self._recent.values()), _BINS_TRIED)
        for found in chain((home,), known, self._behind(home)):
            offset = found.best_fit(need)
            if offset is not None:
                return found, offset
        return self._new_bin(need)

    def _behind(self, home: Bin) -> Iterator[Bin]:
        """The bins that follow ``home``. Where those before it begin cannot be told for sure."""
        at = home.start + home.size
        for _ in range(_FOLLOWING):
            found = self._by_page.get(at // PAGE)
            if found is None:
                found = bin_at(self._buffer.read_at, at, self.bins_size)
                if found is None or not self._remember(found):
                    return
            yield found
            at = found.start + found.size

    def _new_bin(self, need: int) -> tuple[Bin, int]:
        start = self.bins_size
        size = (need + BIN_HEADER + PAGE - 1) // PAGE * PAGE
        if start + size > _BINS_SIZE_MAX:
            raise WriteRefusedError("the hive cannot grow beyond 2 GiB", location=self.location(start))
        self._buffer.extend(BASE_BLOCK_SIZE + start + size)
        first = start + BIN_HEADER
        content = new_bin_header(start, size) + _SIZE.pack(size - BIN_HEADER)
        # Behind the bins the file may hold remnants, so all of the new bin is written.
        self._buffer.write(BASE_BLOCK_SIZE + start, content.ljust(size, b"\0"), Phase.DATA)
        self.bins_size += size
        new = Bin(start, size, {first: size - BIN_HEADER}, new=True)
        self._remember(new)
        return new, first

    def _error(self, offset: int, what: str, why: str) -> CorruptStructureError:
        return CorruptStructureError(
            f"{what} cannot be used: {why}",
            location=self.location(offset),
            hint="the hive is damaged: restore it, or let Windows repair it by loading it",
        )


def _changed_sectors(start: int, old: bytes, new: bytes) -> Iterator[int]:
    """Yield the numbers of the sectors in which two contents of a place in the file differ."""
    at = 0
    while at < len(new):
        end = at + SECTOR - (start + at) % SECTOR
        if old[at:end] != new[at:end]:
            yield (start + at) // SECTOR
        at = end

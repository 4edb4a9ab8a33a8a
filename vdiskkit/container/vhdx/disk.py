"""VHDX containers: fixed, dynamic and differencing.

Follows [MS-VHDX]. Everything that a later answer depends on is checked when the file is opened: headers, region table,
metadata, and every entry of the block allocation table. A pending log is replayed in memory first, since nothing else
in the file is to be believed before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.container.disk import Extent, ExtentKind, ParentLink, VirtualDisk, coalesce
from vdiskkit.container.vhdx.bat import (
    FULLY_PRESENT,
    NOT_PRESENT,
    PARTIALLY_PRESENT,
    BlockTable,
    TableShape,
    check_table,
    offset_of,
    parse_table,
    state_of,
)
from vdiskkit.container.vhdx.bitmap import BitmapReader
from vdiskkit.container.vhdx.header import COPY_AGAIN, read_regions
from vdiskkit.container.vhdx.layout import HEADER_OFFSETS, MIB, REGION_TABLE_OFFSETS
from vdiskkit.container.vhdx.link import parent_link_of
from vdiskkit.container.vhdx.log import LogReplay, ReplayedSource, replay_log
from vdiskkit.container.vhdx.metadata import read_metadata
from vdiskkit.errors import CorruptStructureError, UnsupportedFeatureError
from vdiskkit.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.container.detect import Probe
    from vdiskkit.container.facts import ContainerFacts
    from vdiskkit.io import ByteSource

__all__ = ["MAX_BLOCKS", "VhdxDisk"]

MAX_BLOCKS = 8 * 1024 * 1024
"""64 TiB in blocks of 8 MiB, or 8 TiB in blocks of 1 MiB: a table of 64 MiB."""


class VhdxDisk(VirtualDisk):
    """A VHDX of any kind.

    ``unique_id`` is the DataWriteGuid, since that is what a child keeps of its parent: it changes whenever the disk's
    content does. ``source`` is the file as it is after the replay of its log.

    Args:
        probe: Head and tail of the file.
        path: The file, as the user named it; None for a file object without a name.
        glance: Leave out what :meth:`check_rest` makes up for: of a chain only the file that was asked for is read
            with nothing left out.

    Raises:
        FormatError: The file contradicts itself.
        SourceError: The operating system could not read.

    Attributes:
        header: The current header.
        header_number: Which of the two it is, 1 or 2.
        header_problem: What is wrong with the other one; empty when it can be used.
        log: What a pending log changes; None when the log is empty.
        regions: Where the regions are.
        metadata: The metadata items.
        shape: Shape of the block allocation table.
        differencing: Whether the file has a parent.
        creator: The program that made the file.
    """

    format = "vhdx"
    block_size: int
    allocated_blocks: int

    def __init__(self, probe: Probe, path: str | None, *, glance: bool = False) -> None:
        file = probe.source
        self.header, self.header_number, self.header_problem = probe.vhdx_headers()
        self.log: LogReplay | None = None
        source: ByteSource = file
        if self.header.log_pending:
            self.log = replay_log(file, self.header)
            source = ReplayedSource(file, self.log)
        self.regions = read_regions(source, self.header, glance=glance)
        self.metadata = metadata = read_metadata(source, self.regions.metadata)
        super().__init__(source, path, metadata.virtual_size)
        self.file = file
        self.creator = _creator(probe.head)
        self.sector_size = metadata.sector_size
        self.block_size = metadata.parameters.block_size
        self.differencing = metadata.parameters.has_parent
        self.subformat = (
            "differencing" if self.differencing else "fixed" if metadata.parameters.leave_allocated else "dynamic"
        )
        self.unique_id = self.header.data_write_guid
        self.shape = TableShape.of(
            self.size, self.block_size, metadata.sector_size, differencing=metadata.parameters.has_parent
        )
        self._table = self._read_table()
        self.allocated_blocks = self._table.allocated
        self._bitmaps = BitmapReader(source)
        self._tell()

    @property
    def block_states(self) -> bytes:
        """The state of each block, as the block allocation table numbers it."""
        return self._table.states

    def block_offset(self, block: int) -> int | None:
        """Return where a block's data begin in the file; None when it is not there."""
        return offset_of(self._table.payload[block]) if self._table.states[block] >= FULLY_PRESENT else None

    def bitmap_offset(self, block: int) -> int | None:
        """Return where the sector bitmap of a block's chunk begins in the file; None when it is not there."""
        if not self.differencing:
            return None
        entry = self._table.bitmaps[block // self.shape.chunk_ratio]
        return offset_of(entry) if state_of(entry) == FULLY_PRESENT else None

    @property
    def blocks_end(self) -> int:
        """The first byte of the file behind everything that headers, regions and block allocation table refer to."""
        ends = [region.end for region in self.regions.taken]
        table = self._table
        highest = table.highest
        if highest is not None:
            ends.append(offset_of(highest) + self.block_size)
        if self.differencing:
            ends += [offset_of(entry) + MIB for entry in table.bitmaps if state_of(entry) == FULLY_PRESENT]
        return max(ends)

    def reread_block(self, block: int) -> None:
        """Read a block's table entries again and forget its bitmap: the source under this disk has changed there.

        Raises:
            SourceError: The operating system could not read.
        """
        table, shape, chunk = self._table, self.shape, block // self.shape.chunk_ratio
        entry = self._entry(shape.payload_index(block))
        if entry != table.payload[block]:
            table.payload[block] = entry
            states = bytearray(table.states)
            states[block] = state_of(entry)
            self._table = table._replace(states=bytes(states))
            self.allocated_blocks = self._table.allocated
        if self.differencing:
            table.bitmaps[chunk] = self._entry(shape.bitmap_index(chunk))
        self._bitmaps.forget()

    def use_file(self) -> None:
        """Read from the file itself from now on: what its log held has been written to its place."""
        self.source, self.log = self.file, None
        self._bitmaps = BitmapReader(self.source)

    def map(self, offset: int, length: int) -> Iterator[Extent]:
        """Yield where the bytes of a virtual range are; see :meth:`VirtualDisk.map`."""
        self.check_range(offset, length)
        return coalesce(self._extents(offset, length))

    def read_parent_link(self) -> ParentLink | None:
        """Return what the file says about its parent; None when it has none.

        Raises:
            CorruptStructureError: The parent locator has no id of the parent.
        """
        locator = self.metadata.parent_locator
        return None if locator is None else parent_link_of(locator, self.location)

    def check_rest(self) -> None:
        """Check what was passed over when the file was opened at a glance; see :meth:`VirtualDisk.check_rest`."""
        if self.regions.whole:
            return
        seen, self.regions = self.regions, read_regions(self.source, self.header)
        if (seen.bat, seen.metadata) != (self.regions.bat, self.regions.metadata):
            raise CorruptStructureError(
                f"{self.regions.problem}; the second region table of the VHDX says that the regions are elsewhere",
                location=self.location.at("byte", REGION_TABLE_OFFSETS[seen.number - 1]),
                hint=COPY_AGAIN,
            )
        if self.regions.problem != seen.problem:
            self._tell_region_table()

    def facts(self) -> ContainerFacts:
        """Return what is known about the file and its chain."""
        from vdiskkit.container.vhdx.facts import vhdx_facts

        return vhdx_facts(self)

    def _entry(self, index: int) -> int:
        return int.from_bytes(self.source.read_at(self.regions.bat.offset + index * 8, 8), "little")

    def _read_table(self) -> BlockTable:
        """Read and check the block allocation table: one read of at most 64 MiB, no more than the disk needs."""
        region, shape = self.regions.bat, self.shape
        where = self.location.at("byte", region.offset)
        if shape.entries * 8 > region.length:
            raise CorruptStructureError(
                f"VHDX: a block allocation table of {region.length} bytes is too short, {self.size} bytes in blocks of "
                f"{self.block_size} need {shape.entries * 8}",
                location=where,
            )
        if shape.blocks > MAX_BLOCKS:
            raise UnsupportedFeatureError(
                f"a VHDX of {shape.blocks} blocks: more than {MAX_BLOCKS} are not read",
                location=where,
            )
        table = parse_table(self.source.read_at(region.offset, shape.entries * 8), shape, self.location)
        check_table(
            table,
            shape,
            size=self.size,
            block_size=self.block_size,
            differencing=self.differencing,
            regions=self.regions.taken,
            end=self.source.size,
            location=self.location,
        )
        return table

    def _tell(self) -> None:
        where = self.location
        if self.header_problem:
            other = 3 - self.header_number
            self.notice(
                "vhdx.header_damaged",
                f"header {other} cannot be used: {self.header_problem}; header {self.header_number} was used",
                where.at("byte", HEADER_OFFSETS[other - 1]),
            )
        self._tell_region_table()
        if self.log is not None:
            count = counted(self.log.sequence.entries, "entry", "entries")
            self.notice(
                "vhdx.log_replayed",
                f"the log must be replayed: {count}; shown as after replay",
                where.at("byte", self.header.log_offset),
            )

    def _tell_region_table(self) -> None:
        if self.regions.problem:
            self.notice(
                "vhdx.region_table_damaged",
                f"region table 1 cannot be used: {self.regions.problem}; its copy was used",
                self.location.at("byte", REGION_TABLE_OFFSETS[0]),
            )

    def _extents(self, offset: int, length: int) -> Iterator[Extent]:
        block_size, table = self.block_size, self._table
        end = offset + length
        while offset < end:
            block, inside = divmod(offset, block_size)
            size = min(block_size - inside, end - offset)
            state = table.states[block]
            if state == FULLY_PRESENT:
                yield Extent(offset, size, ExtentKind.FILE, offset_of(table.payload[block]) + inside)
            elif state == PARTIALLY_PRESENT:
                yield from self._sectors(block, inside, size)
            elif state == NOT_PRESENT and self.differencing:
                yield Extent(offset, size, ExtentKind.PARENT, None)
            else:
                yield Extent(offset, size, ExtentKind.ZERO, None)
            offset += size

    def _sectors(self, block: int, start: int, length: int) -> Iterator[Extent]:
        """Yield the extents of a part of one block by its sector bitmap."""
        sector_size, data_at = self.sector_size, offset_of(self._table.payload[block])
        chunk, number = divmod(block, self.shape.chunk_ratio)
        bitmap_at = offset_of(self._table.bitmaps[chunk])
        base, end = block * self.block_size, start + length
        before = number * (self.block_size // sector_size)
        first, last = before + start // sector_size, before + -(-end // sector_size)
        for present, low, high in self._bitmaps.runs(bitmap_at, first, last):
            at = max((low - before) * sector_size, start)
            size = min((high - before) * sector_size, end) - at
            if present:
                yield Extent(base + at, size, ExtentKind.FILE, data_at + at)
            else:
                yield Extent(base + at, size, ExtentKind.PARENT, None)


def _creator(head: bytes) -> str:
    """Return the program that made the file, from the file type identifier ([MS-VHDX] section 2.2.1)."""
    return head[8:520].decode("utf-16-le", "replace").partition("\0")[0].strip()

"""VHD containers: fixed, dynamic and differencing.

Follows the Microsoft "Virtual Hard Disk Image Format Specification" 1.0. Everything that a later answer depends on is
checked when the file is opened: footer and copy, dynamic header, parent locators, and every entry of the block
allocation table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.container.bits import bit_runs
from vdiskkit.container.disk import Extent, ExtentKind, ParentLink, VirtualDisk, coalesce
from vdiskkit.container.vhd.bat import UNALLOCATED, check_blocks, parse_table
from vdiskkit.container.vhd.footer import COPY_AGAIN, FooterReading, read_footer
from vdiskkit.container.vhd.layout import FOOTER_SIZE, SECTOR_SIZE, Footer, ParentLocator, parse_footer, uuid_text
from vdiskkit.container.vhd.structures import read_header, regions_of
from vdiskkit.errors import CorruptStructureError, FormatError
from vdiskkit.io import PageCache

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.container.detect import Probe
    from vdiskkit.container.facts import ContainerFacts
    from vdiskkit.container.vhd.layout import DynamicHeader
    from vdiskkit.io import ByteSource

__all__ = ["BlockVhd", "FixedVhd", "VhdDisk", "open_vhd", "vhd_parent_link"]

_BITMAP_PAGE = 512
_BITMAP_PAGES_AHEAD = 8
_BITMAP_PAGES_KEPT = 4096
# Of disks by these creators every tool takes the current size. Of all others, qemu and what is built on it take the
# size from the geometry (cylinders * heads * sectors), unless that is the largest one.
_SIZE_CREATORS = (b"win ", b"qem2", b"d2v ", b"tap\0", b"CTXS", b"wa\0\0")
_MAX_GEOMETRY = (65535, 16, 255)


def open_vhd(probe: Probe, path: str | None) -> VhdDisk:
    """Open one VHD file, without its parents.

    Raises:
        FormatError: The file contradicts itself.
        SourceError: The operating system could not read.
    """
    reading = read_footer(probe)
    return FixedVhd(probe, path, reading) if reading.footer.kind == "fixed" else BlockVhd(probe, path, reading)


class VhdDisk(VirtualDisk):
    """What all kinds of VHD share."""

    format = "vhd"

    def __init__(self, probe: Probe, path: str | None, reading: FooterReading) -> None:
        footer = reading.footer
        super().__init__(probe.source, path, footer.current_size)
        self.footer = footer
        self.footer_state = reading.state
        self.subformat = footer.kind
        self.unique_id = uuid_text(footer.unique_id)
        self.created = footer.timestamp
        if reading.state == "damaged":
            self.notice(
                "vhd.footer_damaged",
                f"the footer at the end of the file cannot be used: {reading.problem}; its copy at the start was used",
                probe.location.at("byte", reading.end),
            )
        if footer.saved_state:
            self.notice(
                "vhd.saved_state",
                "the footer says that the disk belongs to a virtual machine in saved state",
                probe.location.at("byte", reading.end),
            )
        geometry = (footer.cylinders, footer.heads, footer.sectors_per_track)
        by_geometry = geometry[0] * geometry[1] * geometry[2] * SECTOR_SIZE
        if (
            footer.creator_application not in _SIZE_CREATORS
            and geometry != _MAX_GEOMETRY
            and by_geometry != footer.current_size
        ):
            self.notice(
                "vhd.geometry_size",
                f"the geometry gives {by_geometry} bytes, the current size is {footer.current_size}: "
                "it is used here, some tools use the geometry for a disk of this creator",
                probe.location.at("byte", reading.end),
            )

    def facts(self) -> ContainerFacts:
        """Return what is known about the file and its chain."""
        from vdiskkit.container.vhd.facts import vhd_facts

        return vhd_facts(self)


class FixedVhd(VhdDisk):
    """A fixed VHD: the disk byte by byte, then the footer."""

    def __init__(self, probe: Probe, path: str | None, reading: FooterReading) -> None:
        super().__init__(probe, path, reading)
        if self.size > reading.end:
            raise CorruptStructureError(
                f"the fixed VHD should hold {self.size} bytes before its footer, but {reading.end} are there",
                location=probe.location.at("byte", reading.end),
                hint=f"{COPY_AGAIN}; if it is the plain content of a disk that happens to end in a footer, say so with "
                "--format raw (format='raw')",
            )
        if self.size < reading.end:
            self.notice(
                "vhd.fixed_size",
                f"{reading.end - self.size} bytes between the end of the disk and the footer belong to nothing",
                probe.location.at("byte", self.size),
            )

    def map(self, offset: int, length: int) -> Iterator[Extent]:
        """Yield where the bytes of a virtual range are; see :meth:`VirtualDisk.map`."""
        self.check_range(offset, length)
        if length:
            yield Extent(offset, length, ExtentKind.FILE, offset)


class BlockVhd(VhdDisk):
    """A dynamic or differencing VHD: blocks found through the block allocation table.

    In a dynamic disk the sector bitmaps are not looked at, as most readers do: what a block holds is the disk. In a
    differencing disk a clear bit means that the sector is the parent's.
    """

    block_size: int
    allocated_blocks: int

    def __init__(self, probe: Probe, path: str | None, reading: FooterReading) -> None:
        super().__init__(probe, path, reading)
        self._check_copy(probe, reading)
        self.header = header = read_header(probe, reading)
        self.block_size = header.block_size
        self.differencing = self.subformat == "differencing"
        self.block_count = -(-self.size // header.block_size)
        # One read of at most 16 MiB: what the header promises beyond the disk's size is not looked at.
        data = probe.read_at(header.table_offset, self.block_count * 4)
        self._entries = parse_table(data)
        self._bitmap_size = header.bitmap_size
        summary = check_blocks(
            data,
            self._entries,
            stride=header.bitmap_size + header.block_size,
            regions=regions_of(probe, reading, header),
            end=reading.end,
            location=probe.location,
            cut=reading.missing,
        )
        self.allocated_blocks = summary.allocated
        bitmap_sectors = header.bitmap_size // SECTOR_SIZE
        self.data_aligned_4k = all((place + bitmap_sectors) % 8 == 0 for place in summary.alignments)
        # By small pages: the bitmap of a block of 16 MiB has 4096 bytes, and a look-up in a chain needs one of them.
        self._bitmaps = PageCache(
            probe.source, page_size=_BITMAP_PAGE, max_pages=_BITMAP_PAGES_KEPT, ahead=_BITMAP_PAGES_AHEAD
        )

    def map(self, offset: int, length: int) -> Iterator[Extent]:
        """Yield where the bytes of a virtual range are; see :meth:`VirtualDisk.map`."""
        self.check_range(offset, length)
        return coalesce(self._extents(offset, length))

    def read_parent_link(self) -> ParentLink | None:
        """Read what the file says about its parent; None when it is no differencing disk.

        Raises:
            SourceError: The operating system could not read.
        """
        if not self.differencing:
            return None
        return vhd_parent_link(self.header, self.source)

    @property
    def blocks_end(self) -> int:
        """First byte behind the last block in the file; 0 when there is none."""
        last = max(filter(UNALLOCATED.__ne__, self._entries), default=None)
        return 0 if last is None else last * SECTOR_SIZE + self._bitmap_size + self.block_size

    @property
    def blocks_present(self) -> bytes:
        """A byte for each block: 1 when it is in the file, else 0."""
        return bytes(map(UNALLOCATED.__ne__, self._entries))

    def block_offset(self, block: int) -> int | None:
        """Return where a block begins in the file, its sector bitmap first; None when it is not there."""
        entry = self._entries[block]
        return None if entry == UNALLOCATED else entry * SECTOR_SIZE

    def sector_bitmap(self, block: int) -> bytes:
        """Return the sector bitmap of a block that is in the file.

        Raises:
            SourceError: The operating system could not read.
        """
        return self._bitmaps.read_at(self._entries[block] * SECTOR_SIZE, self._bitmap_size)

    def reread_block(self, block: int) -> None:
        """Read a block's table entry again and forget its bitmap: the source under this disk has changed there.

        Raises:
            SourceError: The operating system could not read.
        """
        (entry,) = parse_table(self.source.read_at(self.header.table_offset + block * 4, 4))
        self.allocated_blocks += (entry != UNALLOCATED) - (self._entries[block] != UNALLOCATED)
        self._entries[block] = entry
        if entry != UNALLOCATED:
            self._bitmaps.forget(entry * SECTOR_SIZE, self._bitmap_size)

    def _extents(self, offset: int, length: int) -> Iterator[Extent]:
        block_size, entries = self.block_size, self._entries
        absent = ExtentKind.PARENT if self.differencing else ExtentKind.ZERO
        end = offset + length
        while offset < end:
            block, inside = divmod(offset, block_size)
            size = min(block_size - inside, end - offset)
            entry = entries[block]
            if entry == UNALLOCATED:
                yield Extent(offset, size, absent, None)
            else:
                data_at = entry * SECTOR_SIZE + self._bitmap_size
                if self.differencing:
                    yield from self._sectors(block, inside, size, data_at)
                else:
                    yield Extent(offset, size, ExtentKind.FILE, data_at + inside)
            offset += size

    def _sectors(self, block: int, start: int, length: int, data_at: int) -> Iterator[Extent]:
        """Yield the extents of a part of one block by its sector bitmap."""
        base = block * self.block_size
        end = start + length
        skipped = start // SECTOR_SIZE // 8
        shift = skipped * 8
        needed = -(-end // SECTOR_SIZE // 8) - skipped
        bitmap = self._bitmaps.read_at(self._entries[block] * SECTOR_SIZE + skipped, needed)
        low, high = start // SECTOR_SIZE - shift, -(-end // SECTOR_SIZE) - shift
        for present, first, last in bit_runs(bitmap, low, high, order="big"):
            at = max((first + shift) * SECTOR_SIZE, start)
            size = min((last + shift) * SECTOR_SIZE, end) - at
            if present:
                yield Extent(base + at, size, ExtentKind.FILE, data_at + at)
            else:
                yield Extent(base + at, size, ExtentKind.PARENT, None)

    def _check_copy(self, probe: Probe, reading: FooterReading) -> None:
        """Compare the copy at the start with the footer at the end; reading does not depend on it."""
        if reading.state == "damaged":
            return
        copy, at_end = probe.footer_at_start, probe.footer_at_end
        where = probe.location.at("byte", 0)
        if copy is None or at_end is None:
            self.notice("vhd.copy_missing", "the copy of the footer at the start of the file is missing", where)
            return
        try:
            other = parse_footer(copy, where)
        except FormatError as exc:
            self.notice("vhd.copy_damaged", f"the copy of the footer at the start cannot be used: {exc.message}", where)
            return
        length = FOOTER_SIZE - (reading.state == "short_511")
        if copy[:length] != at_end[1][:length]:
            differing = [name for name in Footer._fields if getattr(other, name) != getattr(self.footer, name)]
            self.notice(
                "vhd.copy_differs",
                "the footer and its copy at the start differ in "
                f"{', '.join(differing) or 'reserved bytes'}; the footer at the end was used",
                where,
            )


def vhd_parent_link(header: DynamicHeader, source: ByteSource) -> ParentLink:
    """Return what the header of a differencing file and its parent locators say about the parent.

    Raises:
        SourceError: The operating system could not read.
    """
    locators = tuple((locator.code.decode("latin-1"), _locator_text(locator, source)) for locator in header.locators)
    return ParentLink(header.parent_name, uuid_text(header.parent_unique_id), header.parent_timestamp, locators, ())


def _locator_text(locator: ParentLocator, source: ByteSource) -> str:
    data = source.read_at(locator.offset, locator.data_length)
    # The W2 codes are UTF-16LE by specification; MacX is a UTF-8 URL, the deprecated ones are of Windows' code page.
    encoding = {b"W2ru": "utf-16-le", b"W2ku": "utf-16-le", b"MacX": "utf-8"}.get(locator.code, "cp1252")
    return data.decode(encoding, "replace").partition("\0")[0]

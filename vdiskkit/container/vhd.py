"""VHD containers: fixed, dynamic and differencing.

Follows the Microsoft "Virtual Hard Disk Image Format Specification" 1.0. Everything that a later answer depends on is
checked when the file is opened: footer and copy, dynamic header, parent locators, and every entry of the block
allocation table.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.container.disk import Extent, ExtentKind, VirtualDisk, coalesce
from vdiskkit.container.vhd_bat import UNALLOCATED, Region, check_blocks, parse_table
from vdiskkit.container.vhd_layout import (
    DYNAMIC_HEADER_SIZE,
    FOOTER_SIZE,
    MAX_LOCATOR_LENGTH,
    POISON_COOKIE,
    SECTOR_SIZE,
    DynamicHeader,
    Footer,
    ParentLocator,
    parse_dynamic_header,
    parse_footer,
    uuid_text,
)
from vdiskkit.errors import CorruptStructureError, FormatError, UnknownFormatError, UnsupportedFeatureError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vdiskkit.container.detect import Probe
    from vdiskkit.container.facts import ContainerFacts
    from vdiskkit.io import ByteSource

__all__ = ["BlockVhd", "FixedVhd", "FooterReading", "ParentLink", "VhdDisk", "open_vhd", "read_footer"]

MAX_BAT_ENTRIES = 4 * 1024 * 1024
"""Two TiB, the most that a VHD can hold, in blocks of 512 KiB, the smallest that are made: a table of 16 MiB."""
_BITMAP_CACHE_BYTES = 2 * 1024 * 1024
_BATMAP_COOKIE = b"tdbatmap"
_TAPDISK = b"tap\0"
# Tools that trust the geometry of disks by these creators (virtual size = cylinders * heads * sectors).
_GEOMETRY_CREATORS = (b"vpc ", b"qemu")
_MAX_GEOMETRY = (65535, 16, 255)
_COPY_AGAIN = "copy the file again from its source and compare the sizes"


class FooterReading(NamedTuple):
    """The footer in force and how it was found.

    Attributes:
        footer: The parsed footer.
        state: ``ok``, ``damaged`` or ``short_511``; see :class:`vdiskkit.container.facts.FooterState`.
        end: First byte behind the data: where the footer begins, the end of the file when it is missing.
        missing: Whether nothing like a footer is at the end of the file.
        problem: Why the footer at the end is not used; empty when it is.
    """

    footer: Footer
    state: str
    end: int
    missing: bool
    problem: str


class ParentLink(NamedTuple):
    """What a differencing file says about its parent.

    Attributes:
        name: The parent's name in the header.
        unique_id: The id that the parent must have, as UUID text.
        timestamp: The parent file's time when the child was made, in seconds since 2000-01-01 UTC.
        locators: Pairs of platform code and stored path.
        tried: The files that were looked at or for.
    """

    name: str
    unique_id: str
    timestamp: int
    locators: tuple[tuple[str, str], ...]
    tried: tuple[str, ...]


def read_footer(probe: Probe) -> FooterReading:
    """Find the footer in force: at the end, one byte short at the end, or its copy at the start.

    Raises:
        FormatError: There is none that can be used.
    """
    at_end, copy = probe.footer_at_end, probe.footer_at_start
    for data in (at_end[1] if at_end else None, copy):
        if data is not None and data[:8] == POISON_COOKIE:
            raise CorruptStructureError(
                "a resize of this VHD by XenServer was interrupted (footer cookie 'v_poison')",
                location=probe.location,
                hint="finish or undo the resize on the XenServer host that began it; nothing else can repair it",
            )
    error: FormatError | None = None
    if at_end is not None:
        offset, data = at_end
        try:
            footer = parse_footer(data, probe.location.at("byte", offset))
        except FormatError as exc:
            error = exc
        else:
            short = probe.source.size - offset != FOOTER_SIZE
            return FooterReading(footer, "short_511" if short else "ok", offset, missing=False, problem="")
    if copy is None:
        if error is not None:
            error.hint = error.hint or f"the file is damaged and has no second footer; {_COPY_AGAIN}"
            raise error
        raise UnknownFormatError("this is no VHD file: there is no footer", location=probe.location, hint=_COPY_AGAIN)
    try:
        footer = parse_footer(copy, probe.location.at("byte", 0))
    except FormatError as exc:
        problem = error or exc
        problem.hint = problem.hint or f"the footer and its copy are both damaged or missing; {_COPY_AGAIN}"
        raise problem from None
    if footer.kind == "fixed":
        raise error or CorruptStructureError(
            "the VHD footer is at the start of the file instead of its end, which a fixed disk never has",
            location=probe.location.at("byte", 0),
            hint=_COPY_AGAIN,
        )
    end = at_end[0] if at_end else probe.source.size
    return FooterReading(
        footer, "damaged", end, missing=at_end is None, problem=error.message if error else "it is missing"
    )


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
            footer.creator_application in _GEOMETRY_CREATORS
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
        from vdiskkit.container.vhd_facts import vhd_facts

        return vhd_facts(self)


class FixedVhd(VhdDisk):
    """A fixed VHD: the disk byte by byte, then the footer."""

    def __init__(self, probe: Probe, path: str | None, reading: FooterReading) -> None:
        super().__init__(probe, path, reading)
        if self.size > reading.end:
            raise CorruptStructureError(
                f"the fixed VHD should hold {self.size} bytes before its footer, but {reading.end} are there",
                location=probe.location.at("byte", reading.end),
                hint=_COPY_AGAIN,
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

    def __init__(self, probe: Probe, path: str | None, reading: FooterReading) -> None:
        super().__init__(probe, path, reading)
        self._check_copy(probe, reading)
        self.header = header = _read_header(probe, reading)
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
            regions=_regions(probe, reading, header),
            end=reading.end,
            location=probe.location,
            cut=reading.missing,
        )
        self.allocated_blocks = summary.allocated
        bitmap_sectors = header.bitmap_size // SECTOR_SIZE
        self.data_aligned_4k = all((place + bitmap_sectors) % 8 == 0 for place in summary.alignments)
        self.parent_link: ParentLink | None = None
        self._bitmaps: OrderedDict[int, bytes] = OrderedDict()
        self._bitmaps_kept = max(_BITMAP_CACHE_BYTES // header.bitmap_size, 2)

    def map(self, offset: int, length: int) -> Iterator[Extent]:
        """Yield where the bytes of a virtual range are; see :meth:`VirtualDisk.map`."""
        self.check_range(offset, length)
        return coalesce(self._extents(offset, length))

    def read_parent_link(self) -> ParentLink:
        """Read what a differencing disk says about its parent.

        Raises:
            SourceError: The operating system could not read.
        """
        header = self.header
        locators = tuple(
            (locator.code.decode("latin-1"), _locator_text(locator, self.source)) for locator in header.locators
        )
        return ParentLink(header.parent_name, uuid_text(header.parent_unique_id), header.parent_timestamp, locators, ())

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
        for present, first, last in _bit_runs(self._bitmap(block), start // SECTOR_SIZE, -(-end // SECTOR_SIZE)):
            at = max(first * SECTOR_SIZE, start)
            size = min(last * SECTOR_SIZE, end) - at
            if present:
                yield Extent(base + at, size, ExtentKind.FILE, data_at + at)
            else:
                yield Extent(base + at, size, ExtentKind.PARENT, None)

    def _bitmap(self, block: int) -> bytes:
        bitmaps = self._bitmaps
        bitmap = bitmaps.get(block)
        if bitmap is None:
            bitmap = self.source.read_at(self._entries[block] * SECTOR_SIZE, self._bitmap_size)
            bitmaps[block] = bitmap
            if len(bitmaps) > self._bitmaps_kept:
                bitmaps.popitem(last=False)
        else:
            bitmaps.move_to_end(block)
        return bitmap

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


def _read_header(probe: Probe, reading: FooterReading) -> DynamicHeader:
    offset = reading.footer.data_offset
    if offset % SECTOR_SIZE or offset < FOOTER_SIZE or offset + DYNAMIC_HEADER_SIZE > reading.end:
        raise CorruptStructureError(
            f"VHD footer: the dynamic disk header cannot be at {offset:#x} in a file of {probe.source.size:#x} bytes",
            location=probe.location.at("byte", reading.end),
            hint=_COPY_AGAIN,
        )
    where = probe.location.at("byte", offset)
    header = parse_dynamic_header(probe.read_at(offset, DYNAMIC_HEADER_SIZE), where)
    needed = -(-reading.footer.current_size // header.block_size)
    if header.max_table_entries < needed:
        raise CorruptStructureError(
            f"VHD dynamic disk header: {header.max_table_entries} BAT entries are too few, "
            f"{reading.footer.current_size} bytes in blocks of {header.block_size} need {needed}",
            location=where,
        )
    table = header.table_offset
    if table % SECTOR_SIZE or table < FOOTER_SIZE or table + header.max_table_entries * 4 > reading.end:
        raise CorruptStructureError(
            f"VHD dynamic disk header: a BAT of {header.max_table_entries} entries cannot be at {table:#x} "
            f"in a file of {probe.source.size:#x} bytes",
            location=where,
            hint=_COPY_AGAIN,
        )
    if needed > MAX_BAT_ENTRIES:
        raise UnsupportedFeatureError(
            f"a VHD of {needed} blocks: more than {MAX_BAT_ENTRIES} (2 TiB in blocks of 512 KiB) are not read",
            location=where,
        )
    if reading.footer.kind == "differencing":
        _check_locators(header, reading.end, probe)
    return header


def _locator_text(locator: ParentLocator, source: ByteSource) -> str:
    data = source.read_at(locator.offset, locator.data_length)
    # The W2 codes are UTF-16LE by specification; MacX is a UTF-8 URL, the deprecated ones are of Windows' code page.
    encoding = {b"W2ru": "utf-16-le", b"W2ku": "utf-16-le", b"MacX": "utf-8"}.get(locator.code, "cp1252")
    return data.decode(encoding, "replace").partition("\0")[0]


def _check_locators(header: DynamicHeader, end: int, probe: Probe) -> None:
    for locator in header.locators:
        name = locator.code.decode("latin-1")
        where = probe.location.at("byte", locator.offset)
        if locator.data_length > min(locator.space, MAX_LOCATOR_LENGTH):
            raise CorruptStructureError(
                f"VHD parent locator {name}: its length of {locator.data_length} bytes is more than "
                f"the {min(locator.space, MAX_LOCATOR_LENGTH)} bytes it can have",
                location=where,
            )
        if locator.offset < FOOTER_SIZE or locator.offset + locator.data_length > end:
            raise CorruptStructureError(
                f"VHD parent locator {name}: {locator.data_length} bytes at {locator.offset:#x} "
                f"are not inside the file of {probe.source.size:#x} bytes",
                location=where,
            )


def _regions(probe: Probe, reading: FooterReading, header: DynamicHeader) -> list[Region]:
    """Return what blocks must not touch, after checking that these regions do not touch each other."""
    table_end = header.table_offset + _padded(header.max_table_entries * 4)
    regions = [
        Region(0, FOOTER_SIZE, "copy of the footer"),
        Region(reading.footer.data_offset, reading.footer.data_offset + DYNAMIC_HEADER_SIZE, "dynamic disk header"),
        Region(header.table_offset, table_end, "block allocation table"),
        *_batmap(probe, reading, table_end),
    ]
    if reading.footer.kind == "differencing":
        regions += [
            Region(locator.offset, locator.offset + locator.data_length, "parent locators")
            for locator in header.locators
        ]
    regions.sort()
    for first, second in pairwise(regions):
        if second.start < first.end and not first.name == second.name == "parent locators":
            raise CorruptStructureError(
                f"VHD: the {second.name} at {second.start:#x} lies on the {first.name} (ends at {first.end:#x})",
                location=probe.location.at("byte", second.start),
            )
    return regions


def _batmap(probe: Probe, reading: FooterReading, table_end: int) -> Iterable[Region]:
    """Yield the regions of XenServer's map of full blocks, which follows the table in files that tapdisk made."""
    if reading.footer.creator_application != _TAPDISK or table_end + SECTOR_SIZE > reading.end:
        return
    data = probe.read_at(table_end, SECTOR_SIZE)
    if data[:8] != _BATMAP_COOKIE:
        return
    offset, size = int.from_bytes(data[8:16], "big"), int.from_bytes(data[16:20], "big") * SECTOR_SIZE
    if offset % SECTOR_SIZE or offset + size > reading.end:
        raise CorruptStructureError(
            f"VHD batmap: {size} bytes at {offset:#x} are not inside the file of {probe.source.size:#x} bytes",
            location=probe.location.at("byte", table_end),
        )
    yield Region(table_end, table_end + SECTOR_SIZE, "header of the batmap")
    if size:
        yield Region(offset, offset + size, "batmap")


def _padded(length: int) -> int:
    return -(-length // SECTOR_SIZE) * SECTOR_SIZE


def _bit_runs(bitmap: bytes, first: int, end: int) -> Iterator[tuple[bool, int, int]]:
    """Yield (bit, first, end) of the runs of equal bits; bit 7 of byte 0 is sector 0."""
    start_byte, end_byte = first // 8, -(-end // 8)
    part = bitmap[start_byte:end_byte]
    # As text, so that searching for the next change is done by str.find.
    bits = f"{int.from_bytes(part, 'big'):0{len(part) * 8}b}"
    shift = start_byte * 8
    position, stop = first - shift, end - shift
    while position < stop:
        bit = bits[position]
        change = bits.find("0" if bit == "1" else "1", position, stop)
        if change < 0:
            change = stop
        yield bit == "1", position + shift, change + shift
        position = change

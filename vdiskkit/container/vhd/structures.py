"""The dynamic disk header and what else stands outside the blocks, checked against the file around it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from vdiskkit.container.vhd.bat import Region
from vdiskkit.container.vhd.footer import COPY_AGAIN, FooterReading
from vdiskkit.container.vhd.layout import (
    DYNAMIC_HEADER_SIZE,
    FOOTER_SIZE,
    MAX_LOCATOR_LENGTH,
    SECTOR_SIZE,
    DynamicHeader,
    parse_dynamic_header,
)
from vdiskkit.errors import CorruptStructureError, UnsupportedFeatureError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vdiskkit.container.detect import Probe

__all__ = ["MAX_BAT_ENTRIES", "read_header", "regions_of"]

MAX_BAT_ENTRIES = 4 * 1024 * 1024
"""Two TiB, the most that a VHD can hold, in blocks of 512 KiB, the smallest that are made: a table of 16 MiB."""
_BATMAP_COOKIE = b"tdbatmap"
_TAPDISK = b"tap\0"


def read_header(probe: Probe, reading: FooterReading) -> DynamicHeader:
    """Read the dynamic disk header and check it against the footer and the file.

    Raises:
        FormatError: It cannot be, or its table or locators are not inside the file.
        SourceError: The operating system could not read.
    """
    offset = reading.footer.data_offset
    if offset % SECTOR_SIZE or offset < FOOTER_SIZE or offset + DYNAMIC_HEADER_SIZE > reading.end:
        raise CorruptStructureError(
            f"VHD footer: the dynamic disk header cannot be at {offset:#x} in a file of {probe.source.size:#x} bytes",
            location=probe.location.at("byte", reading.end),
            hint=COPY_AGAIN,
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
            hint=COPY_AGAIN,
        )
    if needed > MAX_BAT_ENTRIES:
        raise UnsupportedFeatureError(
            f"a VHD of {needed} blocks: more than {MAX_BAT_ENTRIES} (2 TiB in blocks of 512 KiB) are not read",
            location=where,
        )
    if reading.footer.kind == "differencing":
        _check_locators(header, reading.end, probe)
    return header


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


def regions_of(probe: Probe, reading: FooterReading, header: DynamicHeader) -> list[Region]:
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

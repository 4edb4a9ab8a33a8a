"""The header section of a VHDX: which of two headers and of two region tables is taken, and what regions there are.

Follows [MS-VHDX] section 2.2. Both headers are always read, they are 4 KiB each; the second region table, 64 KiB, only
when the first cannot be used. Of a parent's first one only the 4 KiB that hold its entries are read: its checksum can
be computed as if zeros followed, and when it fits, the rest need not be looked at.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.container.vhdx.layout import (
    BAT_REGION,
    HEADER_OFFSETS,
    HEADER_SECTION_SIZE,
    HEADER_SIZE,
    METADATA_REGION,
    MIB,
    REGION_TABLE_OFFSETS,
    REGION_TABLE_SIZE,
    Header,
    RegionEntry,
    parse_header,
    parse_region_entries,
    parse_region_table,
)
from vdiskkit.errors import CorruptStructureError, FormatError, UnsupportedFeatureError

if TYPE_CHECKING:
    from vdiskkit.io import ByteSource

__all__ = ["COPY_AGAIN", "FileRegion", "HeaderChoice", "RegionChoice", "find_metadata", "read_headers", "read_regions"]

_GLANCE = 4096
COPY_AGAIN = "the file is damaged or was cut; copy it again from its source"


class FileRegion(NamedTuple):
    """A range of the file that holds something else than blocks. Byte offsets, ``end`` is the first byte behind."""

    start: int
    end: int
    name: str


class HeaderChoice(NamedTuple):
    """The current header.

    Attributes:
        header: What it says.
        number: 1 or 2.
        problem: What is wrong with the other one; empty when it can be used.
    """

    header: Header
    number: int
    problem: str


class RegionChoice(NamedTuple):
    """The regions of the file.

    Attributes:
        bat: Where the block allocation table is.
        metadata: Where the metadata is.
        number: Which of the two region tables says so.
        problem: What is wrong with the first table, when the second was taken.
        taken: What blocks must not touch, in order.
        whole: Whether the whole table was read, not only the part with its entries.
    """

    bat: RegionEntry
    metadata: RegionEntry
    number: int
    problem: str
    taken: tuple[FileRegion, ...]
    whole: bool


def read_headers(source: ByteSource) -> HeaderChoice:
    """Read both headers and choose the current one: the valid one with the higher sequence number.

    Raises:
        FormatError: Neither can be used, or both claim to be current and differ.
        SourceError: The operating system could not read.
    """
    found: list[tuple[int, int, Header, bytes]] = []
    problems: list[FormatError] = []
    for number, offset in enumerate(HEADER_OFFSETS, 1):
        where = source.location.at("byte", offset)
        if offset + HEADER_SIZE > source.size:
            raise CorruptStructureError(
                f"the VHDX file has been cut short: it has {source.size} bytes, its headers alone take "
                f"{HEADER_SECTION_SIZE}",
                location=where,
                hint=COPY_AGAIN,
            )
        data = source.read_at(offset, HEADER_SIZE)
        try:
            header = parse_header(data, where)
        except FormatError as exc:
            problems.append(exc)
        else:
            found.append((header.sequence, number, header, data))
    if not found:
        if all(isinstance(problem, UnsupportedFeatureError) for problem in problems):
            raise problems[0]
        raise CorruptStructureError(
            f"neither header of the VHDX can be used: 1: {problems[0].message}; 2: {problems[1].message}",
            location=source.location.at("byte", HEADER_OFFSETS[0]),
            hint=COPY_AGAIN,
        )
    if len(found) > 1 and found[0][0] == found[1][0] and found[0][3] != found[1][3]:
        raise CorruptStructureError(
            f"both headers of the VHDX have the sequence number {found[0][0]} but differ: neither is the current one",
            location=source.location.at("byte", HEADER_OFFSETS[0]),
            hint=COPY_AGAIN,
        )
    # Of two identical ones the first.
    _sequence, number, header, _data = max(found, key=lambda item: (item[0], -item[1]))
    return HeaderChoice(header, number, problems[0].message if problems else "")


def read_regions(source: ByteSource, header: Header, *, glance: bool = False) -> RegionChoice:
    """Read the region table, the second when the first is damaged, and check where the regions are.

    Args:
        source: The file as it is after its log.
        header: The current header, for the place of the log.
        glance: Read no more than the 4 KiB with the entries when their checksum fits as if zeros followed.

    Raises:
        FormatError: Neither table can be used, or regions cannot be where the table says.
        UnsupportedFeatureError: There is a region that a reader must know, and we do not.
        SourceError: The operating system could not read.
    """
    entries, number, problem, whole = _read_table(source, glance=glance)
    where = source.location.at("byte", REGION_TABLE_OFFSETS[number - 1])
    known: dict[str, RegionEntry] = {}
    taken = [FileRegion(0, HEADER_SECTION_SIZE, "header section")]
    if header.log_length:
        taken.append(FileRegion(header.log_offset, header.log_offset + header.log_length, "log"))
    names = {BAT_REGION: "block allocation table", METADATA_REGION: "metadata region"}
    for entry in entries:
        if entry.guid in known:
            raise CorruptStructureError(
                f"VHDX region table: the {names.get(entry.guid, f'region {entry.guid}')} is there twice", location=where
            )
        known[entry.guid] = entry
        name = names.get(entry.guid)
        if name is None and entry.required:
            raise UnsupportedFeatureError(
                f"VHDX region table: region {entry.guid} is not known, but required for reading this file",
                location=where,
            )
        name = name or f"region {entry.guid}"
        end = entry.offset + entry.length
        if entry.offset % MIB or entry.offset < HEADER_SECTION_SIZE or not entry.length or end > source.size:
            raise CorruptStructureError(
                f"VHDX region table: the {name}, {entry.length} bytes at {entry.offset:#x}, cannot be there: "
                f"regions begin on multiples of 1 MiB behind the headers and end inside the file ({source.size:#x})",
                location=where,
                hint=COPY_AGAIN,
            )
        taken.append(FileRegion(entry.offset, end, name))
    for guid, name in names.items():
        if guid not in known:
            raise CorruptStructureError(f"VHDX region table: the {name} is missing", location=where)
    taken.sort()
    for first, second in pairwise(taken):
        if second.start < first.end:
            raise CorruptStructureError(
                f"VHDX: the {second.name} at {second.start:#x} lies on the {first.name} (ends at {first.end:#x})",
                location=source.location.at("byte", second.start),
            )
    return RegionChoice(known[BAT_REGION], known[METADATA_REGION], number, problem, tuple(taken), whole)


def find_metadata(source: ByteSource) -> RegionEntry:
    """Return where the metadata is by the used part of the first region table whose entries make sense.

    This is for a glance at many files: 4 KiB instead of 64, without checksum.

    Raises:
        CorruptStructureError: Neither table names a metadata region.
        SourceError: The operating system could not read.
    """
    for offset in REGION_TABLE_OFFSETS:
        if offset + _GLANCE > source.size:
            break
        where = source.location.at("byte", offset)
        try:
            entries = parse_region_entries(source.read_at(offset, _GLANCE), where)
        except FormatError:
            continue
        for entry in entries:
            if entry.guid == METADATA_REGION and entry.offset + entry.length <= source.size:
                return entry
    raise CorruptStructureError(
        "neither region table of the VHDX names a metadata region",
        location=source.location.at("byte", REGION_TABLE_OFFSETS[0]),
        hint=COPY_AGAIN,
    )


def _read_table(source: ByteSource, *, glance: bool) -> tuple[tuple[RegionEntry, ...], int, str, bool]:
    """Return the entries, which table has them, what is wrong with the first, and whether all of it was read."""
    problems: list[str] = []
    for number, offset in enumerate(REGION_TABLE_OFFSETS, 1):
        where = source.location.at("byte", offset)
        if offset + REGION_TABLE_SIZE > source.size:
            raise CorruptStructureError(
                f"the VHDX file has been cut short: it has {source.size} bytes, its region tables end at "
                f"{REGION_TABLE_OFFSETS[1] + REGION_TABLE_SIZE}",
                location=where,
                hint=COPY_AGAIN,
            )
        data = b""
        if glance:
            data = source.read_at(offset, _GLANCE)
            with suppress(FormatError):
                entries = parse_region_table(data, where, zeros=REGION_TABLE_SIZE - _GLANCE)
                return entries, number, "".join(problems), False
        try:
            data += source.read_at(offset + len(data), REGION_TABLE_SIZE - len(data))
            return parse_region_table(data, where), number, "".join(problems), True
        except FormatError as exc:
            problems.append(exc.message)
    raise CorruptStructureError(
        f"neither region table of the VHDX can be used: 1: {problems[0]}; 2: {problems[1]}",
        location=source.location.at("byte", REGION_TABLE_OFFSETS[0]),
        hint=COPY_AGAIN,
    )

"""Every structure of a disk file outside its data, each copy of it, read whole and judged by itself.

Opening a disk reads what is needed to read it and stops at the first thing that cannot be. This looks at everything:
both footers, both headers, both region tables over all their 64 KiB, metadata, log and block allocation table. Sizes
that the file names are bounded by the parsers before anything is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import FormatError
from vdiskkit.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdiskkit.container.detect import Probe
    from vdiskkit.container.vhdx.layout import Header, RegionEntry
    from vdiskkit.container.vhdx.log import LogReplay
    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location

__all__ = ["DAMAGED", "DIFFERS", "MISSING", "OK", "PENDING", "Structure", "read_structures"]

OK, DAMAGED, MISSING, DIFFERS, PENDING = "ok", "damaged", "missing", "differs", "pending"


class Structure(NamedTuple):
    """One structure of the file.

    Attributes:
        name: What it is: ``footer``, ``footer copy``, ``dynamic header``, ``header 1``, ``header 2``,
            ``region table 1``, ``region table 2``, ``regions``, ``metadata``, ``log``, ``block allocation table``.
        offset: Where it begins in the file; None when that is not known.
        length: Bytes of it; 0 when that is not known.
        state: ``ok``, ``damaged``, ``missing``, ``differs`` (whole, but not what its other copy says) or ``pending``
            (a log that must be replayed).
        problem: What is wrong, empty when nothing is.
    """

    name: str
    offset: int | None
    length: int
    state: str
    problem: str = ""


def read_structures(probe: Probe) -> tuple[Structure, ...]:
    """Read and judge all structures of a VHD or VHDX file, in the order in which they depend on each other.

    What cannot even be looked for, because the structure that tells its place is damaged, is left out.

    Raises:
        SourceError: The operating system could not read.
    """
    return tuple(_vhdx(probe) if probe.is_vhdx else _vhd(probe))


def _vhd(probe: Probe) -> list[Structure]:
    from vdiskkit.container.vhd.footer import read_footer
    from vdiskkit.container.vhd.layout import DYNAMIC_HEADER_SIZE
    from vdiskkit.container.vhd.structures import read_header

    found = _footers(probe)
    try:
        reading = read_footer(probe)
    except FormatError:
        return found
    if reading.footer.kind == "fixed":
        return [item for item in found if item.name == "footer"]
    at = reading.footer.data_offset
    try:
        header = read_header(probe, reading)
    except FormatError as exc:
        return [*found, Structure("dynamic header", at, DYNAMIC_HEADER_SIZE, DAMAGED, exc.message)]
    found.append(Structure("dynamic header", at, DYNAMIC_HEADER_SIZE, OK))
    return [*found, _table(probe, header.table_offset, header.max_table_entries * 4)]


def _footers(probe: Probe) -> list[Structure]:
    from vdiskkit.container.vhd.layout import FOOTER_SIZE, Footer, parse_footer

    at_end, copy = probe.footer_at_end, probe.footer_at_start
    offset = at_end[0] if at_end is not None else max(probe.source.size - FOOTER_SIZE, 0)
    parsed: list[Footer | None] = []
    found = []
    for name, at, data in (("footer", offset, at_end[1] if at_end else None), ("footer copy", 0, copy)):
        if data is None:
            parsed.append(None)
            found.append(Structure(name, at, FOOTER_SIZE, MISSING, f"the {name} is missing"))
            continue
        try:
            parsed.append(parse_footer(data, probe.location.at("byte", at)))
            found.append(Structure(name, at, FOOTER_SIZE, OK))
        except FormatError as exc:
            parsed.append(None)
            found.append(Structure(name, at, FOOTER_SIZE, DAMAGED, exc.message))
    one, other = parsed
    if one is not None and other is not None and at_end is not None and copy is not None:
        # Very old tools left the last byte out.
        length = min(probe.source.size - offset, FOOTER_SIZE)
        if at_end[1][:length] != copy[:length]:
            names = [name for name in Footer._fields if getattr(one, name) != getattr(other, name)]
            text = f"the footer and its copy differ in {', '.join(names) or 'reserved bytes'}"
            found[1] = found[1]._replace(state=DIFFERS, problem=text)
    return found


def _vhdx(probe: Probe) -> list[Structure]:
    from vdiskkit.container.vhdx.header import read_headers
    from vdiskkit.container.vhdx.layout import HEADER_OFFSETS, HEADER_SIZE, parse_header
    from vdiskkit.container.vhdx.log import ReplayedSource

    file = probe.source
    found = [
        _whole(f"header {number}", file, at, HEADER_SIZE, parse_header) for number, at in enumerate(HEADER_OFFSETS, 1)
    ]
    try:
        header = read_headers(file).header
    except FormatError as exc:
        if all(item.state == OK for item in found):
            found[1] = found[1]._replace(state=DIFFERS, problem=exc.message)
        return found
    log, replay = _log(file, header)
    found.append(log)
    if log.state == DAMAGED:
        return found
    source: ByteSource = file if replay is None else ReplayedSource(file, replay)
    regions = _region_tables(source)
    found += regions
    found += _contents(probe, source, header)
    return found


def _log(file: ByteSource, header: Header) -> tuple[Structure, LogReplay | None]:
    from vdiskkit.container.vhdx.layout import HEADER_SECTION_SIZE, MIB
    from vdiskkit.container.vhdx.log import replay_log

    at, length = header.log_offset, header.log_length
    if header.log_pending:
        try:
            replay = replay_log(file, header)
        except FormatError as exc:
            return Structure("log", at, length, DAMAGED, exc.message), None
        text = f"{counted(replay.sequence.entries, 'entry', 'entries')} must be replayed"
        return Structure("log", at, length, PENDING, text), replay
    if length and (length % MIB or at % MIB or at < HEADER_SECTION_SIZE or at + length > file.size):
        text = f"VHDX log: {length} bytes at {at:#x} are no place for a log in a file of {file.size:#x} bytes"
        return Structure("log", at, length, DAMAGED, text), None
    return Structure("log", at, length, OK), None


def _region_tables(source: ByteSource) -> list[Structure]:
    from vdiskkit.container.vhdx.layout import REGION_TABLE_OFFSETS, REGION_TABLE_SIZE, parse_region_table

    tables: list[tuple[RegionEntry, ...]] = []

    def parse(data: bytes, where: Location) -> None:
        tables.append(parse_region_table(data, where))

    found = [
        _whole(f"region table {number}", source, at, REGION_TABLE_SIZE, parse)
        for number, at in enumerate(REGION_TABLE_OFFSETS, 1)
    ]
    if len(tables) == len(found) and tables[0] != tables[1]:
        text = "VHDX region table 2 names other regions than table 1, which readers use"
        found[1] = found[1]._replace(state=DIFFERS, problem=text)
    return found


def _contents(probe: Probe, source: ByteSource, header: Header) -> list[Structure]:
    """Judge metadata and block allocation table, as far as a region table tells where they are."""
    from vdiskkit.container.vhdx.header import read_regions
    from vdiskkit.container.vhdx.metadata import read_metadata

    try:
        regions = read_regions(source, header)
    except FormatError as exc:
        return [Structure("regions", None, 0, DAMAGED, exc.message)]
    metadata: RegionEntry = regions.metadata
    try:
        read_metadata(source, metadata)
    except FormatError as exc:
        return [Structure("metadata", metadata.offset, metadata.length, DAMAGED, exc.message)]
    return [
        Structure("metadata", metadata.offset, metadata.length, OK),
        _table(probe, regions.bat.offset, regions.bat.length),
    ]


def _table(probe: Probe, offset: int, length: int) -> Structure:
    """Judge the block allocation table by opening the disk: everything before it has been found to be whole."""
    from vdiskkit.container.single import open_single

    try:
        open_single(probe, None)
    except FormatError as exc:
        return Structure("block allocation table", offset, length, DAMAGED, exc.message)
    return Structure("block allocation table", offset, length, OK)


def _whole(
    name: str, source: ByteSource, at: int, length: int, parse: Callable[[bytes, Location], object]
) -> Structure:
    if at + length > source.size:
        return Structure(name, at, length, MISSING, f"the VHDX file has been cut short before its {name}")
    try:
        parse(source.read_at(at, length), source.location.at("byte", at))
    except FormatError as exc:
        return Structure(name, at, length, DAMAGED, exc.message)
    return Structure(name, at, length, OK)

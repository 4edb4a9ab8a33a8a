"""Shapes of VHDX files that are not written to, each with its reason.

Most damage is refused by the reader already: whatever an answer depends on. What is left is damage that has no
influence on reading, and logs that say odd things.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.container.vhdx.layout import (
    HEADER_OFFSETS,
    HEADER_SIZE,
    MIB,
    REGION_TABLE_OFFSETS,
    REGION_TABLE_SIZE,
    parse_header,
    parse_region_table,
)
from vdiskkit.errors import FormatError, UnsupportedFeatureError, WriteRefusedError
from vdiskkit.patch.container.vhdx.headers import MAX_UPDATES
from vdiskkit.patch.container.vhdx.log import LOG_PAGE

if TYPE_CHECKING:
    from vdiskkit.container.vhdx.disk import VhdxDisk
    from vdiskkit.location import Location

__all__ = ["MAX_FILE_SIZE", "refuse_vhdx"]

MAX_FILE_SIZE = 65 << 40
"""All blocks of the largest virtual disk, 64 TiB, and what describes them."""
_MAX_ZEROED = 64 * MIB
"""Bytes that a log may zero. Writers log metadata only, which is small."""
_COPY_AGAIN = "copy the file again from its source: as it is, most programs cannot read it"
_REPAIR = "repair a copy first: convert it to a new VHDX with Convert-VHD or qemu-img, then check what is on it"


def refuse_vhdx(disk: VhdxDisk) -> None:
    """Refuse a VHDX that cannot be written to safely; its parents are never written to, so they are not looked at.

    Raises:
        WriteRefusedError: It cannot; the message says which shape it has.
        SourceError: The operating system could not read.
    """
    _refuse_headers(disk)
    _refuse_region_tables(disk)
    _refuse_log(disk)
    if disk.regions.bat.length % LOG_PAGE:
        raise _refused(
            f"the block allocation table has {disk.regions.bat.length} bytes, no multiple of 4096", disk.location
        )
    if disk.source.size > MAX_FILE_SIZE:
        raise _refused(
            f"the file has {disk.source.size} bytes after its log, more than the {MAX_FILE_SIZE >> 40} TiB that a VHDX "
            "can need",
            disk.location,
        )


def _refuse_headers(disk: VhdxDisk) -> None:
    if disk.header.sequence + MAX_UPDATES >= 1 << 64:
        raise _refused(f"the headers cannot be numbered on behind {disk.header.sequence}", disk.location)
    if not disk.header_problem:
        return
    # The other slot is written first in any case, and a damaged one is whole then. But one that is whole and not
    # understood was written by a program that knows more.
    offset = HEADER_OFFSETS[2 - disk.header_number]
    try:
        parse_header(disk.file.read_at(offset, HEADER_SIZE), disk.location.at("byte", offset))
    except UnsupportedFeatureError as exc:
        raise _refused(f"one of its headers is of an unknown version ({exc.message})", exc.location) from exc
    except FormatError:
        pass


def _refuse_region_tables(disk: VhdxDisk) -> None:
    """Refuse when one of the two is damaged or they differ: other programs may believe the other one."""
    if disk.regions.number != 1:
        where = disk.location.at("byte", REGION_TABLE_OFFSETS[0])
        raise _refused(f"the first region table cannot be used ({disk.regions.problem})", where, _COPY_AGAIN)
    first, second = (disk.source.read_at(offset, REGION_TABLE_SIZE) for offset in REGION_TABLE_OFFSETS)
    if first == second:
        return
    where = disk.location.at("byte", REGION_TABLE_OFFSETS[1])
    try:
        same = parse_region_table(first, where) == parse_region_table(second, where)
    except FormatError as exc:
        raise _refused(f"the second region table cannot be used ({exc.message})", where) from exc
    if not same:
        raise _refused("the two region tables differ", where)


def _refuse_log(disk: VhdxDisk) -> None:
    header, where = disk.header, disk.location.at("byte", disk.header.log_offset)
    if header.log_version:
        raise _refused(f"its log is of the unknown version {header.log_version}", where)
    start, end = header.log_offset, header.log_offset + header.log_length
    if start % MIB or header.log_length % MIB:
        raise _refused(f"a log of {header.log_length} bytes cannot be at {start:#x}", where)
    if disk.log is None:
        return
    zeros = disk.log.zeros
    ranges = [*zeros, *((offset, offset + LOG_PAGE) for offset in disk.log.pages)]
    # The region tables are the only part of the header section that is changed through a log.
    if any(low < REGION_TABLE_OFFSETS[0] or (low < end and high > start) for low, high in ranges):
        raise _refused("its log would write over the headers or over itself", where)
    zeroed = sum(min(high, disk.source.size) - min(low, disk.source.size) for low, high in zeros)
    if zeroed > _MAX_ZEROED:
        raise _refused(f"its log zeroes {zeroed} bytes, more than metadata ever has", where)


def _refused(why: str, location: Location | None, hint: str = _REPAIR) -> WriteRefusedError:
    return WriteRefusedError(f"this disk is not written to: {why}", location=location, hint=hint)

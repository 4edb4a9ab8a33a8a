"""$LogFile: was the volume taken offline with every metadata change written?

Follows ntfs-3g's ``logfile.c``: two restart pages, the one with the higher current LSN counts, and the log is clean
when no client uses it, when the flag "volume is clean" is set, or when it is filled with 0xFF.
"""

from __future__ import annotations

import struct
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import CorruptStructureError
from vdiskkit.ntfs.record import apply_fixups

if TYPE_CHECKING:
    from vdiskkit.io import ByteSource

__all__ = ["LogFileState", "LogState", "read_log_state"]

_PAGE = 4096
_MAX_SIZE = 4 * 1024**3
_RESTART_PAGE = struct.Struct("<4xHHQIIHhh")
_RESTART_AREA = struct.Struct("<QHHHHIHHQ")
_NO_CLIENT = 0xFFFF
_VOLUME_IS_CLEAN = 0x0002
_CLIENT_SIZE = 160


class LogState(StrEnum):
    """What $LogFile says. Only ``unclean`` and ``damaged`` mean that metadata may be out of date."""

    CLEAN = "clean"
    EMPTY = "empty"  # reset: filled with 0xFF, counts as clean
    UNCLEAN = "unclean"
    DAMAGED = "damaged"


class LogFileState(NamedTuple):
    """State of $LogFile, its version as text, and what is wrong with it."""

    state: LogState
    version: str | None
    problem: str | None


def read_log_state(log: ByteSource) -> LogFileState:
    """Read the restart pages of $LogFile and judge them."""
    if not 2 * _PAGE <= log.size <= _MAX_SIZE:
        return LogFileState(LogState.DAMAGED, None, f"$LogFile has {log.size} bytes")
    head = log.read_at(0, 2 * _PAGE)
    if head == b"\xff" * len(head):
        return _judge_empty(log)
    pages = []
    problem = "it has no restart page"
    for offset in _page_offsets(head):
        try:
            pages.append(_parse_page(log, head, offset))
        except CorruptStructureError as fault:
            problem = fault.message
    if not pages:
        return LogFileState(LogState.DAMAGED, None, problem)
    _, clean, version = max(pages)
    return LogFileState(LogState.CLEAN if clean else LogState.UNCLEAN, version, None)


def _page_offsets(head: bytes) -> tuple[int, int]:
    # The second page follows the first at the page size of the system that made the log, 4 KiB nearly always.
    size = struct.unpack_from("<I", head, 16)[0]
    return 0, size if head[:4] in (b"RSTR", b"CHKD") and size in (512, 1024, 2048, 4096, 8192, 65536) else _PAGE


def _judge_empty(log: ByteSource) -> LogFileState:
    # Samples at doubling distances, as ntfs-3g does it, instead of 64 MiB of reading.
    offset = 2 * _PAGE
    while offset + _PAGE <= log.size:
        if log.read_at(offset, _PAGE) != b"\xff" * _PAGE:
            return LogFileState(LogState.DAMAGED, None, f"it is filled with 0xFF, but not at {offset:#x}")
        offset *= 2
    return LogFileState(LogState.EMPTY, None, None)


def _parse_page(log: ByteSource, head: bytes, offset: int) -> tuple[int, bool, str]:
    where = log.location.at("byte", offset)
    if offset + _PAGE <= len(head):
        page = head[offset : offset + _PAGE]
    elif offset + _PAGE <= log.size:
        page = log.read_at(offset, _PAGE)
    else:
        raise CorruptStructureError(f"there is no page at {offset:#x}", location=where)
    magic = page[:4]
    if magic not in (b"RSTR", b"CHKD"):
        raise CorruptStructureError(f"the page at {offset:#x} is no restart page", location=where)
    _, _, chkdsk_lsn, page_size, _, area, minor, major = _RESTART_PAGE.unpack_from(page)
    if page_size not in (512, 1024, 2048, 4096, 8192, 65536):
        raise CorruptStructureError(f"a page size of {page_size} is impossible", location=where)
    block = page[: min(page_size, _PAGE)]
    if page_size <= _PAGE:
        block = apply_fixups(block, magic, "the restart page of $LogFile", where)
    if area % 8 or area < _RESTART_PAGE.size or area + _RESTART_AREA.size > min(len(block), 510):
        raise CorruptStructureError(f"the restart area is said to be at {area:#x}", location=where)
    lsn, clients, free, in_use, flags, _, length, array, _ = _RESTART_AREA.unpack_from(block, area)
    if array % 8 or array < _RESTART_AREA.size or array + clients * _CLIENT_SIZE > length or area + length > page_size:
        raise CorruptStructureError("the restart area lies outside of its page", location=where)
    for index in (free, in_use):
        if index != _NO_CLIENT and index >= clients:
            raise CorruptStructureError(f"log client {index} of {clients} does not exist", location=where)
    clean = in_use == _NO_CLIENT or bool(flags & _VOLUME_IS_CLEAN)
    return chkdsk_lsn if magic == b"CHKD" else lsn, clean, f"{major}.{minor}"

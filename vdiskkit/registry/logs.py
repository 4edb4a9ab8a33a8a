"""Transaction logs of a hive: what one log file is, and the entries in it, checked but not yet applied.

Windows writes changed pages of a hive to ``NAME.LOG1`` or ``NAME.LOG2`` (``NAME.LOG`` alone before Windows Vista) and
only later, up to an hour, to the hive itself. Two formats are in use:

* old (Windows 8 and earlier): a copy of the base block, ``DIRT`` with one bit for each 512 bytes of hive bins, then the
  pages whose bit is set. The last-written time binds it to one state of the hive.
* new (Windows 8.1 and later): a copy of the base block, then entries ``HvLE``, numbered without gaps, each with hashes
  over itself.

Nothing here trusts a size or a count of the file. Follows the section "Format of transaction log files" of Maxim
Suhanov's "Windows registry file format specification".
"""

from __future__ import annotations

import struct
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.registry.base_block import CHECKED_SIZE, checksum
from vdiskkit.registry.marvin32 import marvin32

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.io import ByteSource

__all__ = [
    "BINS_MAX",
    "BYTES_MAX",
    "ENTRY_HEAD",
    "PAGE_UNIT",
    "HiveLog",
    "LogEntry",
    "LogFormat",
    "LogState",
    "open_log",
    "read_dirty_vector",
    "read_entry",
    "read_log",
    "read_log_sequences",
    "read_references",
]

PAGE_UNIT = 512
"""Pages in logs begin and end on multiples of this."""
ENTRY_HEAD = 40
"""Bytes in front of the page references of an entry; the first hash counts from their end."""
BINS_MAX = 0x7FFFF000
"""Bytes of hive bins that offsets in cells can reach."""

BYTES_MAX = 256 * 1024 * 1024
"""Bytes of logs that are looked at; those that Windows writes are a fraction of it."""

_HASHED_HEAD = 32
_BIN_UNIT = 4096
_BASE = struct.Struct("<4sIIQIIIIII")
_ENTRY = struct.Struct("<4sIIIIIQQ")
_NUMBERED = struct.Struct("<4sIII")
_NEW_KIND, _OLD_KINDS = 6, (1, 2)
_MARK = b"HvLE"
_CHUNK = 1024 * 1024


class LogFormat(StrEnum):
    """How a log is kept."""

    NONE = "none"
    """Empty or not in use."""
    OLD = "old"
    """Windows 8 and earlier: one set of dirty pages, bound to the hive by its last-written time."""
    NEW = "new"
    """Windows 8.1 and later: numbered entries."""


class LogState(NamedTuple):
    """What a log says about numbers.

    Attributes:
        sequence: The highest sequence number in it; 0 when it has none.
        format: How it is kept.
        entries: How many entries it has in a row (new format).
    """

    sequence: int
    format: LogFormat
    entries: int


class HiveLog(NamedTuple):
    """One log file and what its base block says.

    Attributes:
        name: The file's name, for messages.
        source: Its bytes.
        format: How it is kept; NONE when it holds nothing that is a log.
        problem: Why nothing of it can be used; empty when it can.
        sequence: Sequence number of the base block: that of the first entry (new format).
        written: Last-written time of the base block as a FILETIME.
        hive_bins_size: Bytes of hive bins that the base block gives.
        block: The base block, 512 bytes; fewer for a shorter file.
    """

    name: str
    source: ByteSource
    format: LogFormat
    problem: str
    sequence: int
    written: int
    hive_bins_size: int
    block: bytes

    @property
    def usable(self) -> bool:
        """Whether its base block holds."""
        return not self.problem and self.format is not LogFormat.NONE


class LogEntry(NamedTuple):
    """One entry of a log in the new format; its second hash has been checked, its first has not.

    Attributes:
        at: Where it begins in the log.
        size: Its length in bytes.
        flags: Flags of the base block when it was written; only bit 0 counts.
        sequence: Its number.
        hive_bins_size: Bytes of hive bins when it was written.
        pages: How many pages it carries.
        hash: Its first hash, over all behind the head.
    """

    at: int
    size: int
    flags: int
    sequence: int
    hive_bins_size: int
    pages: int
    hash: int


def open_log(name: str, source: ByteSource) -> HiveLog:
    """Judge a log file by its base block; what is no log comes out as one of format NONE.

    Raises:
        SourceError: The file cannot be read.
        FormatError: The file's place in the image is damaged.
    """
    block = source.read_at(0, min(source.size, CHECKED_SIZE))
    if not any(block):
        return HiveLog(name, source, LogFormat.NONE, "", 0, 0, 0, block)
    if block[:4] != b"regf":
        return HiveLog(name, source, LogFormat.NONE, "it does not begin with 'regf'", 0, 0, 0, block)
    if len(block) < CHECKED_SIZE:
        problem = f"it is cut short: {len(block)} bytes are less than its base block"
        return HiveLog(name, source, LogFormat.NONE, problem, 0, 0, 0, block)
    _, first, second, written, _, _, kind, _, _, bins_size = _BASE.unpack_from(block)
    form = {_NEW_KIND: LogFormat.NEW, **dict.fromkeys(_OLD_KINDS, LogFormat.OLD)}.get(kind, LogFormat.NONE)
    problem = ""
    if checksum(block) != int.from_bytes(block[508:512], "little"):
        problem = "the checksum of its base block does not fit"
    elif form is LogFormat.NONE:
        problem = f"its base block has file type {kind}, which is no log"
    elif first != second:
        problem = f"it was not written to its end: its sequence numbers {first} and {second} differ"
    return HiveLog(name, source, form, problem, first, written, bins_size, block)


# -- new format --------------------------------------------------------------------------------------------------------
def read_entry(source: ByteSource, at: int) -> LogEntry | str | None:
    """Read the head of an entry and check it.

    Returns:
        The entry; None when no entry begins there; else what is wrong with it.

    Raises:
        VDiskError: The log cannot be read there.
    """
    if at + ENTRY_HEAD > source.size:
        return None
    head = source.read_at(at, ENTRY_HEAD)
    mark, size, flags, sequence, bins_size, pages, first, second = _ENTRY.unpack(head)
    if mark != _MARK:
        return None
    if size < PAGE_UNIT or size % PAGE_UNIT:
        return f"its size of {size} bytes is not a multiple of {PAGE_UNIT}"
    if at + size > source.size:
        return f"its {size} bytes run past the end of the log"
    if marvin32(head[:_HASHED_HEAD]) != second:
        return "the hash of its head does not fit"
    if not bins_size or bins_size % _BIN_UNIT or bins_size > BINS_MAX:
        return f"its {bins_size:#x} bytes of hive bins are not a multiple of {_BIN_UNIT}"
    if ENTRY_HEAD + 8 * pages > size:
        return f"the references to its {pages} pages do not fit into its {size} bytes"
    return LogEntry(at, size, flags, sequence, bins_size, pages, first)


def read_references(source: ByteSource, entry: LogEntry) -> list[tuple[int, int, int]] | str:
    """Read where the pages of an entry belong.

    Returns:
        (Offset in the hive bins, length, offset in the log) of each page; else what is wrong with one of them.

    Raises:
        VDiskError: The log cannot be read there.
    """
    raw = source.read_at(entry.at + ENTRY_HEAD, 8 * entry.pages)
    place, end = entry.at + ENTRY_HEAD + len(raw), entry.at + entry.size
    found = []
    for offset, length in struct.iter_unpack("<II", raw):
        if not length or length % PAGE_UNIT or offset % PAGE_UNIT:
            return f"a page of {length} bytes at {offset:#x} is not a multiple of {PAGE_UNIT}"
        if offset + length > entry.hive_bins_size:
            return f"a page of {length} bytes at {offset:#x} runs past the hive bins"
        if place + length > end:
            return f"a page of {length} bytes runs past the end of the entry"
        found.append((offset, length, place))
        place += length
    return found


# -- old format --------------------------------------------------------------------------------------------------------
def read_dirty_vector(log: HiveLog) -> list[tuple[int, int, int]] | str:
    """Read where the pages of a log in the old format belong.

    Returns:
        (Offset in the hive bins, length, offset in the log) of each row of dirty pages; else what is wrong.

    Raises:
        VDiskError: The log cannot be read there.
    """
    size = log.hive_bins_size
    if not size or size % _BIN_UNIT or size > BINS_MAX:
        return f"its base block gives {size:#x} bytes of hive bins, which is no multiple of {_BIN_UNIT} above 0"
    length = size // PAGE_UNIT // 8
    start = CHECKED_SIZE + 4
    place = -(-(start + length) // PAGE_UNIT) * PAGE_UNIT
    if place > log.source.size:
        return f"it is cut short: {log.source.size} bytes do not hold the bitmap for {size:#x} bytes of hive bins"
    mark, bits = log.source.read_at(CHECKED_SIZE, 4), log.source.read_at(start, length)
    if mark != b"DIRT":
        return "it has no 'DIRT' behind its base block"
    found: list[tuple[int, int, int]] = []
    for byte, value in enumerate(bits):
        for bit in range(8) if value else ():
            if value >> bit & 1:
                if place + PAGE_UNIT > log.source.size:
                    return f"it is cut short: it ends at {log.source.size:#x}, before the last of its pages"
                offset = (8 * byte + bit) * PAGE_UNIT
                if found and found[-1][0] + found[-1][1] == offset:
                    found[-1] = (found[-1][0], found[-1][1] + PAGE_UNIT, found[-1][2])
                else:
                    found.append((offset, PAGE_UNIT, place))
                place += PAGE_UNIT
        if place > BYTES_MAX:
            return f"more than {BYTES_MAX // 1024 // 1024} MiB of pages are not read"
    if not found:
        return "none of its pages is marked as dirty"
    return found


# -- numbers -----------------------------------------------------------------------------------------------------------
def read_log(source: ByteSource) -> LogState:
    """Read the sequence numbers of one log file, of damaged and old entries too; what is no log has none.

    An entry counts wherever it begins, as long as its mark is there: behind a torn one, or one that is missing, are
    others that may follow on again some day. So the whole file is read.

    Raises:
        SourceError: The file cannot be read.
    """
    if source.size < CHECKED_SIZE:
        return LogState(0, LogFormat.NONE, 0)
    block = source.read_at(0, CHECKED_SIZE)
    signature, first, second, _, _, _, kind, _, _, _ = _BASE.unpack_from(block)
    highest = max(first, second) if signature == b"regf" else 0
    entries = 0
    following = CHECKED_SIZE
    for at, size, sequence in _marks(source):
        highest = max(highest, sequence)
        if at == following and size >= PAGE_UNIT and not size % PAGE_UNIT:
            entries += 1
            following += size
    if entries or (signature == b"regf" and kind == _NEW_KIND):
        return LogState(highest, LogFormat.NEW, entries)
    return LogState(highest, LogFormat.OLD if signature == b"regf" else LogFormat.NONE, 0)


def _marks(source: ByteSource) -> Iterator[tuple[int, int, int]]:
    """Yield where something begins that is marked as an entry, what it says of its size, and its number."""
    for start in range(CHECKED_SIZE, source.size, _CHUNK):
        data = source.read_at(start, min(_CHUNK, source.size - start))
        at = data.find(_MARK)
        while 0 <= at <= len(data) - _NUMBERED.size:
            if not at % PAGE_UNIT:
                _, size, _, sequence = _NUMBERED.unpack_from(data, at)
                yield start + at, size, sequence
            at = data.find(_MARK, at + 1)


def read_log_sequences(source: ByteSource) -> int:
    """Return the highest sequence number in a ``.LOG``, ``.LOG1`` or ``.LOG2`` file; 0 when it has none.

    Raises:
        SourceError: The file cannot be read.
    """
    return read_log(source).sequence

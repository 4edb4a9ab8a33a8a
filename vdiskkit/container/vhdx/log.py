"""The log of a VHDX: the entries that must be replayed, found and checked, and the file as it is after replay.

Follows [MS-VHDX] section 2.3. The log is a ring of 4 KiB sectors. When the header names a log, nothing else in the file
is to be believed before the log's active sequence has been written over it. That is done here in memory: the file is
never touched, and only the pages that the log changes are held.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.container.vhdx.crc32c import crc32c_beside
from vdiskkit.container.vhdx.layout import HEADER_SECTION_SIZE, MIB, guid_text
from vdiskkit.errors import CorruptStructureError, UnsupportedFeatureError
from vdiskkit.io.source import check_range

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.container.vhdx.layout import Header
    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location

__all__ = ["LogReplay", "LogSequence", "ReplayedSource", "replay_log"]

_SECTOR = 4096
_CHUNK = 4 * MIB
"""How much of the log is read by one call while entries are looked for."""
_MAX_LOG = 256 * MIB
"""Two copies of a log are held while it is replayed: an entry as it was read, and the pages in it."""
_MAX_ROUNDS = 3
"""Entries of two rounds through the ring can be in it, old ones cut by new ones; more than that is no ring."""
_MAX_CHANGES = _MAX_ROUNDS * _MAX_LOG // _SECTOR
_ENTRY = struct.Struct("<4sIIIQI4x16sQQ")
_DESCRIPTOR = struct.Struct("<4s4s8sQQ")
_ZERO_LENGTH = struct.Struct("<Q")
_FIRST_DATA, _LAST_DATA = 8, 4092
"""A data sector keeps the middle of a page; the descriptor has the bytes before and behind."""


class _Entry(NamedTuple):
    """Header of a log entry; ``at``, ``length`` and ``tail`` are bytes, ``at`` and ``tail`` from the log's start."""

    at: int
    length: int
    tail: int
    sequence: int
    descriptors: int
    flushed_file_offset: int
    last_file_offset: int


class _Descriptor(NamedTuple):
    """One change: a page, or zeros when ``page`` is None. File offset and length in bytes."""

    offset: int
    length: int
    page: bytes | None


class LogSequence(NamedTuple):
    """The entries that must be replayed.

    Attributes:
        entries: How many there are.
        first: Sequence number of the oldest.
        last: Sequence number of the newest.
        flushed_file_offset: Bytes that the file must have at least, or it was cut.
        last_file_offset: Bytes that the file has after the replay at least.
    """

    entries: int
    first: int
    last: int
    flushed_file_offset: int
    last_file_offset: int


class LogReplay(NamedTuple):
    """What the replay changes.

    Attributes:
        sequence: The entries.
        pages: New content of pages of 4096 bytes by their offset in the file, which is a multiple of 4096.
        zeros: Ranges that become zeros, as (first byte, first byte behind), in order; ``pages`` win over them.
    """

    sequence: LogSequence
    pages: dict[int, bytes]
    zeros: tuple[tuple[int, int], ...]


def replay_log(source: ByteSource, header: Header) -> LogReplay:
    """Find the active sequence of a pending log and gather what it changes.

    Args:
        source: The file.
        header: The current header; its LogGuid is not zero.

    Raises:
        CorruptStructureError: There is no log where the header says, or no valid sequence in it, or the file was cut.
        UnsupportedFeatureError: The log is of an unknown version, or larger than is read.
        SourceError: The operating system could not read.
    """
    where = source.location.at("byte", max(header.log_offset, 0))
    if header.log_version:
        raise UnsupportedFeatureError(
            f"VHDX log: version {header.log_version} is not known, so the log cannot be replayed", location=where
        )
    length = header.log_length
    if not length or length % MIB or header.log_offset % MIB or header.log_offset < HEADER_SECTION_SIZE:
        raise CorruptStructureError(
            f"VHDX header: the log must be replayed, but a log of {length} bytes cannot be at "
            f"{header.log_offset:#x}: both must be multiples of 1 MiB",
            location=where,
        )
    if header.log_offset + length > source.size:
        raise CorruptStructureError(
            f"VHDX header: the log must be replayed, but its {length} bytes at {header.log_offset:#x} "
            f"are not inside the file of {source.size:#x} bytes",
            location=where,
            hint="the file was cut; copy it again from its source",
        )
    if length > _MAX_LOG:
        raise UnsupportedFeatureError(
            f"VHDX log: a log of {length} bytes, more than {_MAX_LOG // MIB} MiB are not read", location=where
        )
    log = _Log(source, header)
    run = log.active_sequence()
    if not run:
        raise CorruptStructureError(
            "the VHDX must have its log replayed, but there is no valid sequence of entries in the log",
            location=where,
            hint="the file was cut or damaged, or copied while in use; copy it again from its source",
        )
    head = run[-1]
    sequence = LogSequence(len(run), run[0].sequence, head.sequence, head.flushed_file_offset, head.last_file_offset)
    if source.size < sequence.flushed_file_offset:
        raise CorruptStructureError(
            f"the VHDX file has been cut short: it has {source.size} bytes, and had "
            f"{sequence.flushed_file_offset} when its log was written",
            location=where,
            hint="copy the file again from its source and compare the sizes",
        )
    return _gather(sequence, log, run)


class _Log:
    """The ring of sectors. Offsets count from the start of the log."""

    def __init__(self, source: ByteSource, header: Header) -> None:
        self._source = source
        self._offset = header.log_offset
        self._length = header.log_length
        self._guid = header.log_guid
        self.location = source.location.at("byte", header.log_offset)

    def active_sequence(self) -> list[_Entry]:
        """Return the entries from the oldest to the newest that must be replayed, empty when there are none.

        A run is a row of entries that follow each other in the ring and in their numbers. It counts when the entry that
        its newest one names as the oldest is in it; of several runs the one with the highest number is the active one.

        Raises:
            CorruptStructureError: There are more entries than a log of this length can hold.
        """
        candidates = list(self._candidates())
        self._bound(candidates)
        valid = {entry.at: entry for entry in candidates if self.changes(entry) is not None}
        # The newest entry of the run that each entry is in; newer ones first, so that a successor's is known.
        heads: dict[int, _Entry] = {}
        for entry in sorted(valid.values(), key=lambda item: -item.sequence):
            following = self._next(valid, entry)
            heads[entry.at] = heads[following.at] if following is not None else entry
        for head in heads.values():
            if head.tail in heads and heads[head.tail] is head:
                return self._run(valid, head)
        return []

    def _bound(self, candidates: list[_Entry]) -> None:
        """Refuse what would take long: each sector could be the beginning of an entry as long as the log."""
        if sum(entry.length for entry in candidates) > _MAX_ROUNDS * self._length:
            raise CorruptStructureError(
                f"VHDX log: its {len(candidates)} entries lie on each other, {self._length} bytes cannot hold them",
                location=self.location,
                hint="the file is damaged; copy it again from its source",
            )
        changes = sum(entry.descriptors for entry in candidates)
        if changes > _MAX_CHANGES:
            raise UnsupportedFeatureError(
                f"VHDX log: {changes} changes in its entries, more than {_MAX_CHANGES} are not read",
                location=self.location,
            )

    def _run(self, valid: dict[int, _Entry], head: _Entry) -> list[_Entry]:
        run = [valid[head.tail]]
        while run[-1] is not head:
            following = self._next(valid, run[-1])
            if following is None:  # pragma: no cover - the tail's run ends with the head
                break
            run.append(following)
        return run

    def _next(self, valid: dict[int, _Entry], entry: _Entry) -> _Entry | None:
        # An entry as long as the log follows itself in the ring, but not in number: this always ends.
        item = valid.get((entry.at + entry.length) % self._length)
        return item if item is not None and item.sequence == entry.sequence + 1 else None

    def _candidates(self) -> Iterator[_Entry]:
        """Yield what looks like an entry of this log."""
        for start in range(0, self._length, _CHUNK):
            chunk = self._source.read_at(self._offset + start, min(_CHUNK, self._length - start))
            for at in range(0, len(chunk), _SECTOR):
                if chunk.startswith(b"loge", at):
                    entry = self._parse(chunk[at : at + _ENTRY.size], start + at)
                    if entry is not None:
                        yield entry

    def _parse(self, data: bytes, at: int) -> _Entry | None:
        _signature, _checksum, length, tail, sequence, count, guid, flushed, last = _ENTRY.unpack(data)
        if guid_text(guid) != self._guid or not sequence:
            return None
        if not length or length % _SECTOR or length > self._length or tail % _SECTOR or tail >= self._length:
            return None
        if _ENTRY.size + count * _DESCRIPTOR.size > length:
            return None
        return _Entry(at, length, tail, sequence, count, flushed, last)

    def changes(self, entry: _Entry) -> list[_Descriptor] | None:
        """Read an entry; return its changes, None when it is not whole."""
        data = self._read(entry)
        stored = int.from_bytes(data[4:8], "little")
        if crc32c_beside(data, 4) != stored:
            return None
        return _changes(data, entry)

    def _read(self, entry: _Entry) -> bytes:
        first = min(entry.length, self._length - entry.at)
        data = self._source.read_at(self._offset + entry.at, first)
        return data if first == entry.length else data + self._source.read_at(self._offset, entry.length - first)


def _changes(data: bytes, entry: _Entry) -> list[_Descriptor] | None:
    """Return the changes of an entry whose checksum fits, None when it contradicts itself."""
    sector = -(-(_ENTRY.size + entry.descriptors * _DESCRIPTOR.size) // _SECTOR) * _SECTOR
    changes = []
    for number in range(entry.descriptors):
        at = _ENTRY.size + number * _DESCRIPTOR.size
        signature, trailing, leading, offset, sequence = _DESCRIPTOR.unpack_from(data, at)
        if sequence != entry.sequence or offset % _SECTOR:
            return None
        if signature == b"zero":
            (length,) = _ZERO_LENGTH.unpack(leading)
            if length % _SECTOR:
                return None
            changes.append(_Descriptor(offset, length, None))
        elif signature == b"desc":
            part = data[sector : sector + _SECTOR]
            sector += _SECTOR
            # The sequence number is kept in two halves at both ends of the sector, so that a torn write shows.
            halves = part[_LAST_DATA:] + part[4:_FIRST_DATA]
            if len(part) < _SECTOR or part[:4] != b"data" or int.from_bytes(halves, "little") != sequence:
                return None
            changes.append(_Descriptor(offset, _SECTOR, leading + part[_FIRST_DATA:_LAST_DATA] + trailing))
        else:
            return None
    return changes


def _gather(sequence: LogSequence, log: _Log, run: list[_Entry]) -> LogReplay:
    """Sum the changes up. The last one is looked at first: what an earlier one says about the same place is over.

    The entries are read again for it, one at a time, so that only the pages that count are held.
    """
    pages: dict[int, bytes] = {}
    zeros = _Ranges()
    for entry in reversed(run):
        changes = log.changes(entry)
        if changes is None:
            raise CorruptStructureError(
                "the log of the VHDX has been written to while it was read",
                location=log.location,
                hint="close what has the file open, then try again",
            )
        for change in reversed(changes):
            if change.page is None:
                zeros.add(change.offset, change.offset + change.length)
            elif change.offset not in pages and not zeros.covers(change.offset):
                pages[change.offset] = change.page
    return LogReplay(sequence, pages, zeros.all())


class _Ranges:
    """A set of numbers as ranges in order and apart."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def add(self, start: int, end: int) -> None:
        if start >= end:
            return
        # Every range that touches the new one becomes part of it.
        first = bisect_left(self._ends, start)
        last = bisect_right(self._starts, end)
        if first < last:
            start, end = min(start, self._starts[first]), max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]

    def covers(self, number: int) -> bool:
        at = bisect_right(self._starts, number) - 1
        return at >= 0 and number < self._ends[at]

    def all(self) -> tuple[tuple[int, int], ...]:
        return tuple(zip(self._starts, self._ends, strict=True))


class ReplayedSource:
    """A file as it is after the replay of its log.

    Args:
        source: The file; it stays its opener's to close.
        replay: What the log changes.
    """

    def __init__(self, source: ByteSource, replay: LogReplay) -> None:
        self._source = source
        self._pages = replay.pages
        self._page_offsets = sorted(replay.pages)
        self._zeros = replay.zeros
        self._zero_ends = [end for _start, end in replay.zeros]
        self._size = max(
            source.size,
            replay.sequence.last_file_offset,
            self._page_offsets[-1] + _SECTOR if self._page_offsets else 0,
        )

    @property
    def size(self) -> int:
        """Length in bytes after the replay."""
        return self._size

    @property
    def location(self) -> Location:
        """The address of byte 0."""
        return self._source.location

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``; see :class:`~vdiskkit.io.ByteSource`."""
        check_range(self, offset, length)
        end = offset + length
        there = max(min(end, self._source.size) - offset, 0)
        first_page = bisect_right(self._page_offsets, offset - _SECTOR)
        touched = first_page < len(self._page_offsets) and self._page_offsets[first_page] < end
        first_zero = bisect_right(self._zero_ends, offset)
        zeroed = first_zero < len(self._zeros) and self._zeros[first_zero][0] < end
        if not touched and not zeroed and end <= self._source.size:
            return self._source.read_at(offset, length)
        data = bytearray(self._source.read_at(offset, there) if there else b"")
        data += bytes(length - there)
        for number in range(first_zero, len(self._zeros)):
            start, stop = self._zeros[number]
            if start >= end:
                break
            start, stop = max(start, offset), min(stop, end)
            data[start - offset : stop - offset] = bytes(stop - start)
        for at in self._page_offsets[first_page : bisect_left(self._page_offsets, end)]:
            start, stop = max(at, offset), min(at + _SECTOR, end)
            data[start - offset : stop - offset] = self._pages[at][start - at : stop - at]
        return bytes(data)

"""Event log files (``.evtx``): the newest records first, a bounded number of chunks of 64 KiB.

dissect.eventlog reads the same format and is the judge in the tests, but is not used here: it reads a log from its
first chunk to its last, gives up the rest of a chunk for one record that it cannot read, hands out values that change
when the next record is read, never ends on an array of null values, and takes 90 ms to import.

Follows [MS-EVEN6] and the libevtx documentation of the format.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import CorruptStructureError, UnknownFormatError
from vdiskkit.registry.filetime import filetime_to_datetime
from vdiskkit.windows.bxml import BinaryXml, BinaryXmlError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from vdiskkit.io import ByteSource

__all__ = ["CHUNK_SIZE", "EventChunk", "EventLog", "EventRecord"]

CHUNK_SIZE = 0x10000
_HEADER_SIZE = 4096
_HEADER = struct.Struct("<8sQQQIHHHH76xII")
_CHUNK = struct.Struct("<8sQQQQIIII64xII")
_RECORD = struct.Struct("<IIQQ")
_SIGNATURE, _CHUNK_SIGNATURE, _RECORD_SIGNATURE = b"ElfFile\0", b"ElfChnk\0", 0x2A2A
_RECORD_MARK = b"**\0\0"
_FIRST_RECORD = 512
_SMALLEST_RECORD = 28
_DIRTY = 1
_HEADS_MAX = 1024
"""Chunks whose heads are asked, 512 bytes each: those of a log of 64 MiB, three times what Windows makes by default."""
_DATA_LIMIT = 64
_TEXT_LIMIT = 4096


class EventRecord(NamedTuple):
    """One event.

    Attributes:
        record_id: Its number, rising through the log.
        written: When it was logged, UTC.
        provider: Name of the provider that logged it.
        source: Its older name (EventSourceName), empty without one.
        event_id: The event id, without qualifiers.
        computer: Name of the machine.
        data: What the event says: the texts of EventData in order.
    """

    record_id: int
    written: datetime | None
    provider: str
    source: str
    event_id: int
    computer: str
    data: tuple[str, ...]


class EventChunk:
    """One chunk of a log.

    Attributes:
        number: Its place in the file.
        first_id: Number of its first record.
        last_id: Number of its last record.
        damaged: Whether a checksum is wrong, or a record could not be read so far.
    """

    __slots__ = ("_data", "_end", "damaged", "first_id", "last_id", "number")

    def __init__(self, number: int, data: bytes) -> None:
        self.number = number
        self._data = data
        fields = _CHUNK.unpack_from(data)
        self.first_id, self.last_id, free, records_checksum = fields[3], fields[4], fields[7], fields[8]
        header_checksum = fields[10]
        self._end = free if _FIRST_RECORD <= free <= len(data) else len(data)
        self.damaged = (
            free != self._end
            or zlib.crc32(data[128:_FIRST_RECORD], zlib.crc32(data[:120])) != header_checksum
            or zlib.crc32(data[_FIRST_RECORD : self._end]) != records_checksum
        )

    def mentions(self, text: str) -> bool:
        """Whether the text stands anywhere in the chunk; what is not there no record can say."""
        return text.encode("utf-16-le") in self._data

    def times(self) -> tuple[datetime | None, datetime | None]:
        """When the first and the last record of the chunk were logged."""
        found = [filetime_to_datetime(stamp) for _, _, _, stamp in self._headers()]
        known = [when for when in found if when is not None]
        return (known[0], known[-1]) if known else (None, None)

    def records(self) -> Iterator[EventRecord]:
        """Yield the records, oldest first. A damaged record is left out and sets :attr:`damaged`."""
        xml = BinaryXml(self._data)
        for at, size, record_id, stamp in self._headers():
            try:
                yield _record(xml, at, size, record_id, stamp)
            except BinaryXmlError:
                self.damaged = True

    def _headers(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield offset, size, number and time of each record; behind a damaged one go on at the next mark."""
        at = _FIRST_RECORD
        while at + _SMALLEST_RECORD <= self._end:
            signature, size, record_id, stamp = _RECORD.unpack_from(self._data, at)
            fits = signature == _RECORD_SIGNATURE and size >= _SMALLEST_RECORD and at + size <= self._end
            if fits and self._data[at + size - 4 : at + size] == self._data[at + 4 : at + 8]:
                yield at, size, record_id, stamp
                at += size
                continue
            self.damaged = True
            at = self._data.find(_RECORD_MARK, at + 4, self._end)
            if at < 0:
                return


class EventLog:
    """An event log file.

    Attributes:
        chunk_count: How many chunks the file has room for.
        dirty: Whether the log was not closed.

    Args:
        source: The file.

    Raises:
        UnknownFormatError: It is no event log.
        CorruptStructureError: Its header is cut off.
    """

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        if source.size < _HEADER_SIZE:
            raise CorruptStructureError(
                f"an event log has at least {_HEADER_SIZE} bytes, this one {source.size}", location=source.location
            )
        header = source.read_at(0, _HEADER.size)
        fields = _HEADER.unpack(header)
        if fields[0] != _SIGNATURE:
            why = "it is all zero" if not any(header) else "its signature is missing"
            raise UnknownFormatError(f"this is no event log: {why}", location=source.location)
        self.chunk_count = (source.size - _HEADER_SIZE) // CHUNK_SIZE
        self.dirty = bool(fields[9] & _DIRTY)
        self._hint = fields[2] if zlib.crc32(header[:120]) == fields[10] else None
        self._heads: dict[int, tuple[int, int] | None] = {}
        self._taken: set[int] = set()

    def newest_first(self, limit: int) -> Iterator[EventChunk | None]:
        """Yield up to ``limit`` chunks, the newest first, damaged ones as None last.

        A log is filled like a ring, so the newest chunk lies anywhere, and what the header says of it is true of a log
        only that was closed. So the heads of all chunks are asked for the numbers of their records. What was left out
        then is in :attr:`left_out`.
        """
        self._taken.clear()
        places = [number for number in self._asked() if self._head(number) is not None]
        places.sort(key=lambda number: self._head(number) or (-1, -1), reverse=True)
        for number in places[:limit]:
            data = self._source.read_at(_HEADER_SIZE + number * CHUNK_SIZE, CHUNK_SIZE)
            self._taken.add(number)
            yield EventChunk(number, data) if data[:8] == _CHUNK_SIGNATURE else None

    @property
    def left_out(self) -> int:
        """How many chunks that :meth:`newest_first` did not yield may hold records."""
        asked = self._asked()
        used = sum(self._head(number) is not None for number in asked if number not in self._taken)
        return self.chunk_count - len(asked) + used

    def _asked(self) -> Sequence[int]:
        """The chunks whose heads are asked: all, or of a very large log those around the newest one of its header."""
        if self.chunk_count <= _HEADS_MAX:
            return range(self.chunk_count)
        middle = self._hint if self._hint is not None and self._hint < self.chunk_count else 0
        return [(middle + step) % self.chunk_count for step in range(-_HEADS_MAX // 2, _HEADS_MAX // 2)]

    def _head(self, number: int) -> tuple[int, int] | None:
        """Numbers of the last and the first record of a chunk, -1 for a damaged one; None for one never written to."""
        if number not in self._heads:
            raw = self._source.read_at(_HEADER_SIZE + number * CHUNK_SIZE, _FIRST_RECORD)
            fields = _CHUNK.unpack_from(raw)
            known = (fields[4], fields[3]) if fields[0] == _CHUNK_SIGNATURE else (-1, -1)
            self._heads[number] = known if any(raw) else None
        return self._heads[number]


def _record(xml: BinaryXml, at: int, size: int, record_id: int, stamp: int) -> EventRecord:
    fields = {"Provider@Name": "", "Provider@EventSourceName": "", "EventID": "", "Computer": ""}
    data: list[str] = []
    for path, text in xml.texts(at + _RECORD.size, at + size - 4):
        if path.startswith("Event/System/"):
            name = path[13:]
            if name in fields:
                fields[name] = text[:_TEXT_LIMIT]
        elif path == "Event/EventData/Data" and len(data) < _DATA_LIMIT:
            data.append(text[:_TEXT_LIMIT])
    number = fields["EventID"]
    if not (number.isascii() and number.isdigit() and len(number) < 6):
        raise BinaryXmlError("the event has no id")
    return EventRecord(
        record_id,
        filetime_to_datetime(stamp),
        fields["Provider@Name"],
        fields["Provider@EventSourceName"],
        int(number),
        fields["Computer"],
        tuple(data),
    )

"""Event logs as Windows writes them: chunks filled like a ring, records in binary XML with templates.

    log = build_log([kms_request(when, "kms.example.com:1688"), *noise_events(40, when)])
    log = build_log(events, per_chunk=10, slots=8, turn=3)     # chunks of ten; the ring has come round

Follows [MS-EVEN6] and the libevtx documentation; dissect.eventlog reads what comes out (test_evtx.py).
"""

from __future__ import annotations

import datetime as dt
import struct
import uuid
import zlib
from typing import TYPE_CHECKING, NamedTuple

from tests.build.hive import filetime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

CHUNK = 0x10000
SPP = "Microsoft-Windows-Security-SPP"
SPP_SOURCE = "Software Protection Platform Service"
OFFICE = "Office Software Protection Platform Service"
WINDOWS_APP = "55c92734-d682-4d71-983e-d6ec3f16059f"
CMID = "4d3e2c9a-7b1f-4f0e-9c55-0a8de1c2b3f4"
ACTIVATION_ID = "73111121-5638-40f6-bc11-f1d7b0d64300"
_GUIDS = uuid.UUID("0b1de8a4-6d6b-4f0a-8b1c-5d2f0a3c7e11")
_XMLNS = "http://schemas.microsoft.com/win/2004/08/events/event"
_STRING, _U8, _U16, _U32, _U64, _HEX64, _GUID, _TIME, _XML, _BINARY = 1, 4, 6, 8, 0x0A, 0x15, 0x0F, 0x11, 0x21, 0x0E
_STRINGS = 0x81


class Event(NamedTuple):
    event_id: int
    time: dt.datetime
    data: tuple[str, ...] = ()
    provider: str = SPP
    source: str = SPP_SOURCE
    computer: str = "PVS-MASTER01.example.com"


def kms_request(
    time: dt.datetime,
    host: str = "kms.example.com:1688",
    *,
    result: str = "0x00000000",
    cmid: str = CMID,
    activation_id: str = ACTIVATION_ID,
    needed: int = 25,
    **more: str,
) -> Event:
    """12288: what the client sent."""
    said = f"{result}, 0x00000000, {host}, {cmid}, {time:%Y/%m/%d %H:%M}, 0, 2, 43200, {activation_id}, {needed}"
    return Event(12288, time, (said,), **more)


def kms_answer(time: dt.datetime, *, result: str = "0x00000000", flag: int = 1, count: int = 50, **more: str) -> Event:
    """12289: what the host answered."""
    said = f"{result}, 0x00000000, {flag}, 0, {count}, 120, 10080, {time:%Y/%m/%d %H:%M}"
    return Event(12289, time, (said,), **more)


def activation_failed(time: dt.datetime, result: str = "0xC004F074", app_id: str = WINDOWS_APP, **more: str) -> Event:
    """8198: the activation task failed."""
    rule = f"RuleId=31e71c49-8da7-4a2f-ad92-45d98a1c79ba;Action=AutoActivate;AppId={app_id};SkuId={ACTIVATION_ID}"
    return Event(8198, time, (f"hr={result}", f"{rule};NotificationInterval=1440;Trigger=TimerEvent"), **more)


def status_check(time: dt.datetime, app_id: str = WINDOWS_APP, **more: str) -> Event:
    """1003: the licensing status check has finished."""
    licences = f"\r\n1: {ACTIVATION_ID}, 1, 1 [(0 [0x00000000, 1, 0], [(?)(?)( 1 0x00000000)(?)(?)(?)])(1 )(2 )]\r\n"
    return Event(1003, time, (app_id, licences), **more)


def grace_period(time: dt.datetime, **more: str) -> Event:
    """1025: a grace period has begun."""
    return Event(1025, time, ("Additional grace (Hardware out of tolerance)", "43200"), **more)


def noise_events(count: int, time: dt.datetime) -> list[Event]:
    """Events of others, one a minute."""
    return [
        Event(
            1000 + number % 7,
            time + dt.timedelta(minutes=number),
            (f"text {number}", "Übersicht 😀"),
            "MsiInstaller",
            "",
        )
        for number in range(count)
    ]


def build_log(
    events: Iterable[Event],
    *,
    per_chunk: int = 60,
    slots: int | None = None,
    turn: int = 0,
    first_id: int = 1,
    dirty: bool = False,
    last_chunk: int | None = None,
    edit_chunk: Callable[[int, bytearray], object] | None = None,
) -> bytes:
    """Return a log.

    Args:
        events: Oldest first.
        per_chunk: Events in a chunk; they must fit.
        slots: Chunks the file has room for; unused ones are zero. By default those that are needed.
        turn: How many chunks the ring has gone on: the oldest chunk lies there.
        first_id: Number of the first record.
        dirty: Whether the log was not closed.
        last_chunk: What the header calls the newest chunk, when that is wrong.
        edit_chunk: Called with each chunk's number in time and its bytes.
    """
    events = list(events)
    groups = [events[at : at + per_chunk] for at in range(0, len(events), per_chunk)] or [[]]
    slots = len(groups) if slots is None else slots
    body = bytearray(slots * CHUNK)
    number = first_id
    for index, group in enumerate(groups):
        chunk = _Chunk(number).build(group)
        if edit_chunk is not None:
            edit_chunk(index, chunk)
        at = (index + turn) % slots
        body[at * CHUNK : (at + 1) * CHUNK] = chunk
        number += len(group)
    newest = (len(groups) - 1 + turn) % slots
    header = struct.pack(
        "<8sQQQIHHHH76xI",
        b"ElfFile\0",
        turn % slots,
        newest if last_chunk is None else last_chunk,
        number,
        128,
        1,
        3,
        4096,
        slots,
        int(dirty),
    )
    header += struct.pack("<I", zlib.crc32(header[:120]))
    return header.ljust(4096, b"\0") + bytes(body)


def seal_chunk(chunk: bytearray) -> None:
    """Put the checksums right after a change."""
    free = struct.unpack_from("<I", chunk, 48)[0]
    struct.pack_into("<I", chunk, 52, zlib.crc32(chunk[512:free]))
    struct.pack_into("<I", chunk, 124, zlib.crc32(chunk[128:512], zlib.crc32(chunk[:120])))


def record_offsets(chunk: bytes) -> Iterator[tuple[int, int]]:
    """Offset and size of each record."""
    at, free = 512, struct.unpack_from("<I", chunk, 48)[0]
    while at < free:
        size = struct.unpack_from("<I", chunk, at + 4)[0]
        yield at, size
        at += size


class _Chunk:
    """One chunk while it is filled; offsets in it are those of the finished one."""

    def __init__(self, first_id: int) -> None:
        self.data = bytearray(512)
        self.first_id = first_id
        self.names: dict[str, int] = {}
        self.buckets = [0] * 64
        self.templates: dict[str, int] = {}
        self.template_buckets = [0] * 32

    def build(self, events: Sequence[Event]) -> bytearray:
        last = 512
        for number, event in enumerate(events, self.first_id):
            last = len(self.data)
            self.record(number, event)
        free = len(self.data)
        assert free <= CHUNK, "too many events for one chunk"
        last_id = self.first_id + max(len(events) - 1, 0)
        head = struct.pack("<8sQQQQIII", b"ElfChnk\0", self.first_id, last_id, self.first_id, last_id, 128, last, free)
        self.data[: len(head)] = head
        struct.pack_into("<64I32I", self.data, 128, *self.buckets, *self.template_buckets)
        self.data += bytes(CHUNK - free)
        seal_chunk(self.data)
        return self.data

    def record(self, number: int, event: Event) -> None:
        start = len(self.data)
        stamp = filetime(event.time)
        self.data += struct.pack("<IIQQ", 0x2A2A, 0, number, stamp)
        self.data += b"\x0f\x01\x01\x00"
        keywords, process = 0x80000000000000, 0
        values: list[tuple[int, bytes | Callable[[], None]]] = [
            (_U8, b"\x04"),
            (_U8, b"\0"),
            (_U16, b"\0\0"),
            (_U16, struct.pack("<H", event.event_id)),
            (_U16, struct.pack("<H", 0x4000)),
            (_HEX64, struct.pack("<Q", keywords)),
            (_TIME, struct.pack("<Q", stamp)),
            (0, b""),
            (_U32, struct.pack("<I", process)),
            (_U32, struct.pack("<I", process)),
            (_U64, struct.pack("<Q", number)),
            (_U8, b"\0"),
            (0, b""),
            (_XML, lambda: self.event_data(event.data)),
        ]
        system = lambda: self.system(event)  # noqa: E731
        self.instance(f"{event.provider}|{event.source}|{event.computer}", system, values)
        self.data += b"\0"
        self.data += bytes(-(len(self.data) + 4 - start) % 8)
        size = len(self.data) + 4 - start
        self.data += struct.pack("<I", size)
        struct.pack_into("<I", self.data, start + 4, size)

    def instance(
        self, key: str, define: Callable[[], None], values: list[tuple[int, bytes | Callable[[], None]]]
    ) -> None:
        guid = uuid.uuid5(_GUIDS, key)
        number = guid.bytes_le[:4]
        at = self.templates.get(key)
        self.data += b"\x0c\x01" + number + struct.pack("<I", len(self.data) + 10 if at is None else at)
        if at is None:
            at = self.templates[key] = len(self.data)
            bucket = int.from_bytes(number, "little") % 32
            self.data += struct.pack("<I", self.template_buckets[bucket]) + guid.bytes_le + bytes(4)
            self.template_buckets[bucket] = at
            self.data += b"\x0f\x01\x01\x00"
            define()
            self.data += b"\0"
            struct.pack_into("<I", self.data, at + 20, len(self.data) - at - 24)
        self.data += struct.pack("<I", len(values))
        table = len(self.data)
        self.data += bytes(4 * len(values))
        for index, (kind, value) in enumerate(values):
            start = len(self.data)
            if callable(value):
                value()
            else:
                self.data += value
            struct.pack_into("<HBB", self.data, table + 4 * index, len(self.data) - start, kind, 0)

    def system(self, event: Event) -> None:
        def body() -> None:
            provider = {"Name": event.provider}
            if event.source:
                provider["Guid"] = "{E23B33B0-C8C9-472C-A5F9-F2BDFEA0F156}"
                provider["EventSourceName"] = event.source
            self.element("Provider", provider)
            self.element("EventID", {"Qualifiers": (4, _U16)}, lambda: self.slot(3, _U16))
            for name, number, kind in (("Version", 11, _U8), ("Level", 0, _U8), ("Task", 2, _U16), ("Opcode", 1, _U8)):
                self.element(name, {}, lambda number=number, kind=kind: self.slot(number, kind))  # type: ignore[misc]  # mypy cannot infer lambdas with defaults
            self.element("Keywords", {}, lambda: self.slot(5, _HEX64))
            self.element("TimeCreated", {"SystemTime": (6, _TIME)})
            self.element("EventRecordID", {}, lambda: self.slot(10, _U64))
            self.element("Correlation", {"ActivityID": (7, _GUID)})
            self.element("Execution", {"ProcessID": (8, _U32), "ThreadID": (9, _U32)})
            self.element("Channel", {}, lambda: self.text("Application"))
            self.element("Computer", {}, lambda: self.text(event.computer))
            self.element("Security", {"UserID": (12, 0x13)})

        def event_element() -> None:
            self.element("System", {}, body)
            self.slot(13, _XML)

        self.element("Event", {"xmlns": _XMLNS}, event_element)

    def event_data(self, data: tuple[str, ...]) -> None:
        self.data += b"\x0f\x01\x01\x00"

        def body() -> None:
            self.element("Data", {}, lambda: self.slot(0, _STRINGS))
            self.element("Binary", {}, lambda: self.slot(1, _BINARY))

        strings = "".join(f"{text}\0" for text in data).encode("utf-16-le")
        define = lambda: self.element("EventData", {}, body)  # noqa: E731
        self.instance("EventData", define, [(_STRINGS if data else 0, strings), (_BINARY, b"")])
        self.data += b"\0"

    def element(
        self, name: str, attributes: dict[str, str | tuple[int, int]], body: Callable[[], None] | None = None
    ) -> None:
        self.data += bytes([0x41 if attributes else 0x01]) + b"\xff\xff" + bytes(4)
        sized = len(self.data)
        self.name(name)
        if attributes:
            self.data += bytes(4)
            listed = len(self.data)
            for index, (key, value) in enumerate(attributes.items()):
                self.data.append(0x06 if index == len(attributes) - 1 else 0x46)
                self.name(key)
                if isinstance(value, str):
                    self.text(value)
                else:
                    self.slot(*value)
            struct.pack_into("<I", self.data, listed - 4, len(self.data) - listed)
        if body is None:
            self.data.append(0x03)
        else:
            self.data.append(0x02)
            body()
            self.data.append(0x04)
        struct.pack_into("<I", self.data, sized - 4, len(self.data) - sized)

    def slot(self, number: int, kind: int) -> None:
        self.data += struct.pack("<BHB", 0x0E, number, kind)

    def text(self, text: str) -> None:
        encoded = text.encode("utf-16-le")
        self.data += struct.pack("<BBH", 0x05, _STRING, len(encoded) // 2) + encoded

    def name(self, text: str) -> None:
        at = self.names.get(text)
        self.data += struct.pack("<I", len(self.data) + 4 if at is None else at)
        if at is None:
            at = self.names[text] = len(self.data)
            digest = 0
            for character in text:
                digest = (digest * 65599 + ord(character)) & 0xFFFFFFFF
            bucket = (digest & 0xFFFF) % 64
            self.data += struct.pack("<IHH", self.buckets[bucket], digest & 0xFFFF, len(text))
            self.data += text.encode("utf-16-le") + b"\0\0"
            self.buckets[bucket] = at

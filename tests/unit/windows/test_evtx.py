from __future__ import annotations

import datetime as dt
import io
import random
import struct
import time
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.build.evtx import (
    CHUNK,
    SPP,
    activation_failed,
    build_log,
    grace_period,
    kms_answer,
    kms_request,
    noise_events,
    record_offsets,
    seal_chunk,
    status_check,
)
from vdiskkit.errors import CorruptStructureError, FormatError, UnknownFormatError
from vdiskkit.io import BytesSource
from vdiskkit.windows.evtx import EventLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdiskkit.windows.evtx import EventRecord

NOW = dt.datetime(2023, 6, 14, 7, 2, 11, 250000, tzinfo=dt.UTC)
LICENSING = [kms_request(NOW), kms_answer(NOW), activation_failed(NOW), status_check(NOW), grace_period(NOW)]


class Counting:
    """A source that knows what was read from it."""

    def __init__(self, data: bytes) -> None:
        self._source = BytesSource(data)
        self.size, self.location = self._source.size, self._source.location
        self.calls: list[tuple[int, int]] = []

    def read_at(self, offset: int, length: int) -> bytes:
        self.calls.append((offset, length))
        return self._source.read_at(offset, length)


def read(log: bytes, limit: int = 99) -> tuple[list[EventRecord], int]:
    """All records, newest chunk first, and how many chunks are damaged."""
    records: list[EventRecord] = []
    damaged = 0
    for chunk in EventLog(BytesSource(log)).newest_first(limit):
        if chunk is None:
            damaged += 1
            continue
        records += chunk.records()
        damaged += chunk.damaged
    return records, damaged


def test_records_as_another_reader_sees_them() -> None:
    from dissect.eventlog.evtx import Evtx

    log = build_log([*noise_events(30, NOW), *LICENSING, *noise_events(30, NOW)], per_chunk=20)
    ours = {record.record_id: record for record in read(log)[0]}
    seen = 0
    for theirs in Evtx(io.BytesIO(log)):
        record = ours[theirs["EventRecordID"]]
        source = theirs["Provider_EventSourceName"] if record.source else ""
        assert (record.provider, record.source) == (str(theirs["Provider_Name"]), source)
        assert (record.event_id, record.computer) == (theirs["EventID"], theirs["Computer"])
        assert str(record.written) == str(theirs["TimeCreated_SystemTime"])
        assert list(record.data) == theirs["Data"]
        seen += 1
    assert seen == len(ours) == 65


def test_every_field_of_a_record() -> None:
    (record, *_), damaged = read(build_log([kms_request(NOW)], first_id=8432))
    assert damaged == 0
    assert record.record_id == 8432
    assert record.written == NOW
    assert (record.provider, record.source) == (SPP, "Software Protection Platform Service")
    assert (record.event_id, record.computer) == (12288, "PVS-MASTER01.example.com")
    assert record.data[0].startswith("0x00000000, 0x00000000, kms.example.com:1688, ")


@pytest.mark.parametrize("turn", range(8))
@pytest.mark.parametrize("hint", [None, 0, 5, 7, 10**9])
def test_the_newest_chunk_is_found_wherever_the_ring_has_come_to(turn: int, hint: int | None) -> None:
    log = build_log(noise_events(80, NOW), per_chunk=10, slots=8, turn=turn, last_chunk=hint, first_id=501)
    chunks = list(EventLog(BytesSource(log)).newest_first(99))
    assert [chunk and chunk.last_id for chunk in chunks] == [580 - 10 * back for back in range(8)]


def test_chunks_that_were_never_used_are_not_read() -> None:
    log = build_log(noise_events(30, NOW), per_chunk=10, slots=20)
    source = Counting(log)
    chunks = list(EventLog(source).newest_first(99))
    assert [chunk and chunk.first_id for chunk in chunks] == [21, 11, 1]
    assert sum(length >= CHUNK for _, length in source.calls) == 3


@pytest.mark.parametrize("used", range(1, 9))
def test_without_a_trusted_header_the_newest_chunk_is_found(used: int) -> None:
    log = bytearray(build_log(noise_events(10 * used, NOW), per_chunk=10, slots=8))
    log[124] ^= 1  # checksum of the header
    chunks = list(EventLog(BytesSource(bytes(log))).newest_first(99))
    assert [chunk and chunk.last_id for chunk in chunks] == [10 * (used - back) for back in range(used)]


def test_no_more_is_read_than_asked_for() -> None:
    source = Counting(build_log(noise_events(300, NOW), per_chunk=10, slots=32, turn=17))
    assert len(list(EventLog(source).newest_first(3))) == 3
    assert sum(length >= CHUNK for _, length in source.calls) == 3
    # Of the others, heads alone.
    assert all(length <= 512 for _, length in source.calls if length < CHUNK)
    assert len(source.calls) == 1 + 32 + 3


def test_unused_chunks_in_front_of_the_newest_do_not_end_the_log() -> None:
    def unused(number: int, chunk: bytearray) -> None:
        if number in (2, 3):
            chunk[:] = bytes(len(chunk))

    for dirty in (False, True):
        log = EventLog(BytesSource(build_log(noise_events(60, NOW), per_chunk=10, edit_chunk=unused, dirty=dirty)))
        assert [chunk and chunk.last_id for chunk in log.newest_first(99)] == [60, 50, 20, 10]
        assert log.left_out == 0
        assert [chunk and chunk.last_id for chunk in log.newest_first(3)] == [60, 50, 20]
        assert log.left_out == 1


def test_of_a_very_large_log_it_is_counted_what_was_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vdiskkit.windows.evtx._HEADS_MAX", 4)
    log = EventLog(BytesSource(build_log(noise_events(100, NOW), per_chunk=10, slots=12)))
    assert [chunk and chunk.last_id for chunk in log.newest_first(99)] == [100, 90, 80]
    assert log.left_out == 12 - 4


def test_a_log_that_was_not_closed_is_followed_beyond_its_header() -> None:
    log = build_log(noise_events(50, NOW), per_chunk=10, slots=8, last_chunk=1, dirty=True)
    opened = EventLog(BytesSource(log))
    assert opened.dirty
    assert [chunk and chunk.last_id for chunk in opened.newest_first(2)] == [50, 40]


def change_record(number: int, change: Callable[[bytearray, int, int], None]) -> bytes:
    """A log of one chunk of which one record was changed."""

    def edit(_: int, chunk: bytearray) -> None:
        at, size = list(record_offsets(chunk))[number]
        change(chunk, at, size)
        seal_chunk(chunk)

    return build_log([*noise_events(5, NOW), *LICENSING], edit_chunk=edit)


def cut_size(chunk: bytearray, at: int, size: int) -> None:
    struct.pack_into("<I", chunk, at + 4, size * 300)


def other_copy(chunk: bytearray, at: int, size: int) -> None:
    struct.pack_into("<I", chunk, at + size - 4, size - 8)


def unknown_token(chunk: bytearray, at: int, _: int) -> None:
    chunk[at + 28] = 0x1F


def many_values(chunk: bytearray, at: int, _: int) -> None:
    struct.pack_into("<I", chunk, at + 38, 0x7FFFFFFF)


@pytest.mark.parametrize("change", [cut_size, other_copy, unknown_token, many_values])
def test_a_damaged_record_costs_only_itself(change: Callable[[bytearray, int, int], None]) -> None:
    records, damaged = read(change_record(3, change))
    assert [record.record_id for record in records] == [1, 2, 3, 5, 6, 7, 8, 9, 10]
    assert damaged == 1


def test_a_wrong_checksum_is_told_and_the_records_are_read() -> None:
    def spoil(_: int, chunk: bytearray) -> None:
        chunk[52] ^= 1

    records, damaged = read(build_log(LICENSING, edit_chunk=spoil))
    assert (len(records), damaged) == (5, 1)


def test_a_chunk_without_its_signature_is_stepped_over() -> None:
    def spoil(number: int, chunk: bytearray) -> None:
        if number == 1:
            chunk[:8] = b"overrun!"

    records, damaged = read(build_log(noise_events(30, NOW), per_chunk=10, edit_chunk=spoil))
    assert [record.record_id for record in records] == [*range(21, 31), *range(1, 11)]
    assert damaged == 1


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", CorruptStructureError),
        (b"ElfFile\0" + bytes(100), CorruptStructureError),
        (bytes(4096), UnknownFormatError),
        (b"regf".ljust(70_000, b"\0"), UnknownFormatError),
    ],
)
def test_other_files_are_refused(data: bytes, error: type[FormatError]) -> None:
    with pytest.raises(error):
        EventLog(BytesSource(data))


def test_a_log_without_chunks_has_no_events() -> None:
    log = build_log(LICENSING)[:4096]
    assert read(log) == ([], 0)
    assert read(log + bytes(3 * CHUNK)) == ([], 0)


def hostile(body: bytes) -> bytes:
    """A log with one record that holds these bytes; its chunk is sound otherwise."""
    chunk = bytearray(512)
    body += bytes(-(len(body) + 28) % 8)
    size = len(body) + 28
    chunk += struct.pack("<IIQQ", 0x2A2A, size, 1, 133_300_000_000_000_000) + body + struct.pack("<I", size)
    head = struct.pack("<8sQQQQIII", b"ElfChnk\0", 1, 1, 1, 1, 128, 512, len(chunk))
    chunk[: len(head)] = head
    chunk += bytes(CHUNK - len(chunk))
    seal_chunk(chunk)
    log = bytearray(build_log(LICENSING))
    log[4096:] = chunk
    return bytes(log)


DEFINITION = 512 + 24 + 4 + 10
"""Where the template lies that the first record of a chunk defines."""
INSTANCE = struct.Struct("<BBII")


def instance(definition: int) -> bytes:
    return INSTANCE.pack(0x0C, 1, 7, definition)


def template(body: bytes) -> bytes:
    return struct.pack("<I16sI", 0, b"\7".ljust(16, b"\0"), len(body)) + body


def endless_array() -> bytes:
    """An array of null values: a reader that takes them one by one never comes to its end."""
    values = struct.pack("<IHBB", 1, 8, 0x80, 0) + bytes(8)
    return b"\x0f\x01\x01\x00" + instance(DEFINITION) + template(b"\x0f\x01\x01\x00\0") + values


def template_in_itself() -> bytes:
    inside = instance(DEFINITION) + struct.pack("<I", 0)
    return b"\x0f\x01\x01\x00" + instance(DEFINITION) + template(inside * 200) + struct.pack("<I", 0)


def values_in_values() -> bytes:
    """A template that uses its value 200 times; its value is that template again, five levels deep."""
    name = struct.pack("<IIHH", 589, 0, 0, 1) + b"E\0\0\0"  # 589: where the name itself lies
    element = b"\x01\xff\xff" + bytes(4) + name + b"\x02" + b"\x0d\x00\x00\x21" * 200 + b"\x04"
    value = b""
    for _ in range(5):
        value = instance(DEFINITION) + struct.pack("<IHBB", 1, len(value), 0x21, 0) + value
    defined = template(b"\x0f\x01\x01\x00" + element + b"\0")
    values = struct.pack("<IHBB", 1, len(value), 0x21, 0) + value
    return b"\x0f\x01\x01\x00" + instance(DEFINITION) + defined + values


def long_names() -> bytes:
    """Names that overlap, each as long as the chunk."""
    elements = b"".join(b"\x01" + bytes(4) + struct.pack("<I", 540 + number) + b"\x03" for number in range(4000))
    return b"\x0f\x01\x01\x00" + elements + b"\xff" * 20_000


@pytest.mark.parametrize("build", [endless_array, template_in_itself, values_in_values, long_names])
def test_records_made_to_keep_a_reader_busy_do_not(build: Callable[[], bytes]) -> None:
    started = time.process_time()
    records, _ = read(hostile(build()))
    assert records == []
    assert time.process_time() - started < 5


@given(st.integers(0, 2**32), st.integers(1, 40))
def test_damage_anywhere_ends_in_records_or_our_own_error(seed: int, changes: int) -> None:
    generator = random.Random(seed)  # noqa: S311 - damage, no secret
    log = bytearray(build_log([*noise_events(6, NOW), *LICENSING]))
    used = 4096 + struct.unpack_from("<I", log, 4096 + 48)[0]
    for _ in range(changes):
        log[generator.randrange(used)] = generator.choice(
            (0, 1, 0x0C, 0x0D, 0x41, 0x7F, 0xFF, generator.randrange(256))
        )
    if generator.random() < 0.5:
        log[124:128] = struct.pack("<I", zlib.crc32(log[:120]))
    try:
        records, _ = read(bytes(log))
    except FormatError:
        return
    assert len(records) <= 11

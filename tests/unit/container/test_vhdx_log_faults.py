"""Malformed logs of VHDX files: one clear error each, and only the sequence that counts is replayed."""

from __future__ import annotations

import struct
import tracemalloc

import pytest

from tests.build.vhd import noise
from tests.build.vhdx import (
    BAT_REGION,
    FULL,
    LOG_GUID,
    LOG_OFFSET,
    MIB,
    PAGE,
    Image,
    Page,
    build_vhdx,
    log_entry,
    put_in_ring,
    put_log,
    with_crc,
)
from tests.unit.container.test_vhdx_faults import OTHER, SIZE, codes, dynamic, error, logged
from vdiskkit.container import open_container
from vdiskkit.container.identity import LogBudget, read_disk_identity
from vdiskkit.errors import CorruptStructureError, FormatError, ReadLimitError, UnsupportedFeatureError


def test_a_pending_log_is_told() -> None:
    image = logged()
    disk = open_container(image, path=None)
    assert [notice.code for notice in disk.notices] == ["vhdx.log_replayed"]
    assert disk.notices[0].message == "the log must be replayed: 2 entries; shown as after replay"
    facts = disk.facts().vhdx
    assert facts is not None
    assert facts.log is not None
    log = facts.log
    assert (log.entries, log.first_sequence, log.last_sequence) == (2, 100, 101)
    assert (log.changed_bytes, log.zeroed_bytes) == (PAGE, PAGE)


def test_a_log_that_changes_the_table_and_lets_the_file_grow() -> None:
    """Block 1 exists only after the replay; its end was never written, so it is zeros."""
    image = dynamic()
    table = bytearray(image.read_at(image.region(BAT_REGION), PAGE))
    struct.pack_into("<Q", table, 8, 6 * MIB | FULL)
    before = image.to_bytes()
    put_log(image, [[Page(image.region(BAT_REGION), bytes(table)), Page(6 * MIB, b"second")]], last=7 * MIB)
    assert image.to_bytes()[2 * MIB :] == before[2 * MIB :]
    disk = open_container(image, path=None)
    assert disk.read_at(MIB - 2, 9) == b"\0\0second\0"
    assert disk.read_at(0, SIZE) == b"first".ljust(MIB, b"\0") + b"second".ljust(MIB, b"\0") + b"third".ljust(
        MIB, b"\0"
    )
    assert disk.file_size == 6 * MIB


@pytest.mark.thorough
def test_a_replay_holds_a_log_twice() -> None:
    """One entry that fills the log: as it was read, and its pages; the checksum needs no copy."""
    log, first = 8 * MIB, 32 * MIB
    image = build_vhdx("dynamic", 64 * MIB, log_length=log)
    content = noise(PAGE, 1)
    put_log(image, [[Page(first + number * PAGE, content) for number in range(log // PAGE - 32)]], last=64 * MIB)
    tracemalloc.start()
    try:
        disk = open_container(image, path=None)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    facts = disk.facts().vhdx
    assert facts is not None
    assert facts.log is not None
    assert facts.log.changed_bytes == log - 32 * PAGE
    assert peak < 3.5 * log


@pytest.mark.parametrize(
    ("fields", "kind", "message"),
    [
        ({"log_length": 0}, CorruptStructureError, "a log of 0 bytes cannot be at 0x100000"),
        ({"log_length": MIB + 4096}, CorruptStructureError, "both must be multiples of 1 MiB"),
        ({"log_offset": MIB + 4096}, CorruptStructureError, "both must be multiples of 1 MiB"),
        ({"log_offset": 0}, CorruptStructureError, "both must be multiples of 1 MiB"),
        ({"log_offset": 1 << 50}, CorruptStructureError, "are not inside the file"),
        ({"log_version": 1}, UnsupportedFeatureError, "version 1 is not known"),
        ({"log_guid": OTHER}, CorruptStructureError, "there is no valid sequence of entries"),
    ],
)
def test_headers_of_a_log_that_cannot_be(fields: dict[str, object], kind: type[FormatError], message: str) -> None:
    image = logged()
    image.set_header(**fields)
    caught = error(image)
    assert type(caught) is kind
    assert message in caught.message


def test_a_file_shorter_than_its_log_says() -> None:
    image = dynamic()
    put_log(image, [[Page(4 * MIB, b"first")]], flushed=7 * MIB)
    assert "it has 6291456 bytes, and had 7340032 when its log was written" in error(image).message


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (0, b"LOGE"), (4, b"\0\0\0\0"), (8, bytes(4)), (8, b"\1\0\0\0"), (8, b"\xff\xff\xff\xff"), (12, b"\1\0\0\0"),
        (12, b"\0\0\0\x7f"), (16, bytes(8)), (24, b"\xff\xff\xff\xff"), (24, b"\2\0\0\0"), (64, b"what"),
        (80, b"\1"), (88, b"\1"), (PAGE, b"nada"), (PAGE + 4, b"\1"), (2 * PAGE - 4, b"\1"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("checksum", [False, True])
def test_entries_that_cannot_be(at: int, value: bytes, checksum: bool) -> None:
    image = dynamic()
    data = bytearray(log_entry([Page(4 * MIB, b"x")], sequence=7, tail=0, flushed=0, last=0))
    data[at : at + len(value)] = value
    if checksum and at != 4:
        data = bytearray(with_crc(bytes(data)))
    put_in_ring(image, 0, bytes(data), MIB)
    image.set_header(log_guid=LOG_GUID)
    assert "there is no valid sequence of entries" in error(image).message


def test_the_sequence_with_the_highest_number_is_replayed() -> None:
    image = dynamic()
    put_log(image, [[Page(4 * MIB, b"wrong")]], start=0, sequence=10)
    put_log(image, [[Page(4 * MIB, b"first")]], start=200 * PAGE, sequence=1 << 40)
    put_log(image, [[Page(4 * MIB, b"wrong")]], start=100 * PAGE, sequence=900)
    assert codes(image) == ["vhdx.log_replayed"]


def test_a_head_whose_tail_is_lost_does_not_count() -> None:
    image = dynamic()
    put_log(image, [[Page(4 * MIB, b"first")]], start=0, sequence=10)
    lost = log_entry([Page(4 * MIB, b"wrong")], sequence=99, tail=50 * PAGE, flushed=0, last=0)
    put_in_ring(image, 80 * PAGE, lost, MIB)
    assert codes(image) == ["vhdx.log_replayed"]


def test_many_small_heads_end_soon() -> None:
    """Each entry of a log may be a head of its own that names the same long run."""
    image = dynamic()
    for place in range(255):
        data = log_entry([], sequence=place + 1 if place < 120 else 10_000 - 2 * place, tail=0, flushed=0, last=0)
        put_in_ring(image, place * PAGE, data, MIB)
    image.set_header(log_guid=LOG_GUID)
    disk = open_container(image, path=None)
    assert disk.notices[0].message.startswith("the log must be replayed: 120 entries")


def test_entries_that_lie_on_each_other() -> None:
    """Each sector begins an entry as long as the log: to read all of them would take hundreds of times its length."""
    image = dynamic()
    for place in range(256):
        data = log_entry([], sequence=place + 1, tail=0, flushed=0, last=0)
        image.write(LOG_OFFSET + place * PAGE, data[:8] + struct.pack("<I", MIB) + data[12:])
    image.set_header(log_guid=LOG_GUID)
    image.reads.clear()
    assert "its 256 entries lie on each other, 1048576 bytes cannot hold them" in error(image).message
    assert sum(length for _at, length in image.reads) < 2 * MIB


def test_old_entries_behind_new_ones() -> None:
    """A second round through the ring, cut in the middle of an entry of the first one."""
    image = dynamic()
    for sequence, start, count in ((1, 0, 80), (100, 0, 41)):
        for number in range(count):
            data = log_entry(
                [Page(4 * MIB, b"first" if sequence == 100 else b"wrong"), Page(4 * MIB, b"first")],
                sequence=sequence + number, tail=start, flushed=0, last=0,
            )  # fmt: skip
            put_in_ring(image, (start + number * len(data)) % MIB + (0 if sequence == 1 else PAGE), data, MIB)
    image.set_header(log_guid=LOG_GUID)
    put_log(image, [[Page(4 * MIB, b"first")]], start=200 * PAGE, sequence=1000)
    assert codes(image) == ["vhdx.log_replayed"]


def test_more_changes_than_are_read() -> None:
    count = 3 * 65536 + 1
    length = -(-(64 + 32 * count) // MIB) * MIB
    image = build_vhdx("dynamic", SIZE, content={0: b"first"}, log_length=length)
    head = struct.pack("<4sIIIQII16sQQ", b"loge", 0, length, 0, 7, count, 0, LOG_GUID.bytes_le, image.size, image.size)
    image.write(LOG_OFFSET, head)
    image.set_header(log_guid=LOG_GUID)
    caught = error(image)
    assert isinstance(caught, UnsupportedFeatureError)
    assert f"{count} changes in its entries, more than {count - 1} are not read" in caught.message


class Rewritten(Image):
    """A file whose log is written to by somebody else after it has been read a few times."""

    left = 5

    def read_at(self, offset: int, length: int) -> bytes:
        self.left -= offset >= LOG_OFFSET
        if self.left == 0:
            self.write(LOG_OFFSET, b"LOGE")
        return super().read_at(offset, length)


def test_a_log_that_changes_while_it_is_read() -> None:
    image, told = logged(), []
    for left in range(1, 8):
        other = Rewritten(image.location.path)
        other.__dict__.update(image.copy().__dict__)
        other.left = left
        try:
            told += [notice.code for notice in open_container(other, path=None).notices]
        except CorruptStructureError as exc:
            told.append(exc.message)
    assert set(told) == {
        "vhdx.log_replayed",
        "the VHDX must have its log replayed, but there is no valid sequence of entries in the log",
        "the log of the VHDX has been written to while it was read",
    }


def test_logs_of_files_beside_a_disk_have_a_budget() -> None:
    image = logged()
    budget = LogBudget(2 * MIB)
    assert read_disk_identity(image, budget) == read_disk_identity(image)
    assert read_disk_identity(dynamic(), budget) is not None
    assert read_disk_identity(image, budget) is not None
    with pytest.raises(ReadLimitError, match="its log of 1048576 bytes is not replayed") as caught:
        read_disk_identity(image, budget)
    assert caught.value.hint == "name this file itself to look into it"
    assert read_disk_identity(dynamic(), budget) is not None, "without a log nothing is spent"

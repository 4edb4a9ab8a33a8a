"""Malformed VHDX files: each has one clear error of its own; what can be read in spite of damage is, with a notice."""

from __future__ import annotations

import contextlib
import random
import struct
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.build.vhdx import (
    BAT_REGION,
    DISK_ID,
    FILE_PARAMETERS,
    FULL,
    HEADERS,
    LOG_GUID,
    LOG_OFFSET,
    LOGICAL_SECTOR,
    METADATA_REGION,
    MIB,
    PAGE,
    PARENT_LOCATOR,
    PARTIAL,
    PHYSICAL_SECTOR,
    REGION_TABLES,
    VIRTUAL_SIZE,
    Image,
    Page,
    Zeros,
    build_vhdx,
    items_of,
    link_to,
    log_entry,
    parent_locator,
    put_in_ring,
    put_log,
    with_crc,
)
from vdiskkit.container import open_container
from vdiskkit.container.identity import read_disk_identity
from vdiskkit.errors import CorruptStructureError, FormatError, UnsupportedFeatureError, VDiskError

if TYPE_CHECKING:
    from collections.abc import Callable

PARENT = uuid.UUID(int=99)
OTHER = uuid.UUID(int=5)
SIZE = 3 * MIB


def dynamic() -> Image:
    return build_vhdx("dynamic", SIZE, content={0: b"first", 2 * MIB: b"third"})


def differencing() -> Image:
    return build_vhdx("differencing", SIZE, content={0: b"x" * 512}, parent=link_to(PARENT, "p.vhdx"))


def error(image: Image) -> FormatError:
    with pytest.raises(FormatError) as caught:
        open_container(image, path=None)
    assert caught.value.location is not None
    assert len(image.reads) < 40
    return caught.value


def codes(image: Image) -> list[str]:
    disk = open_container(image, path=None)
    assert disk.read_at(0, 5) == b"first"
    assert disk.read_at(2 * MIB - 1, 7) == b"\0third\0"
    return [notice.code for notice in disk.notices]


def flip(image: Image, at: int) -> None:
    image.write(at, bytes([image.read_at(at, 1)[0] ^ 1]))


def test_a_healthy_file_has_nothing_to_tell() -> None:
    assert codes(dynamic()) == []


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("at", [0, 4, 8, 70, 4095])
def test_one_damaged_header(number: int, at: int) -> None:
    image = dynamic()
    flip(image, HEADERS[number - 1] + at)
    assert codes(image) == ["vhdx.header_damaged"]
    facts = open_container(image, path=None).facts().vhdx
    assert facts is not None
    assert facts.header == 3 - number
    assert facts.header_problem


def test_both_headers_damaged() -> None:
    image = dynamic()
    for place in HEADERS:
        flip(image, place + 20)
    assert "neither header of the VHDX can be used: 1: VHDX header: the checksum does not fit" in error(image).message


def test_equal_sequence_numbers() -> None:
    image = dynamic()
    image.set_header(sequence=9)
    assert codes(image) == []
    image.set_header(2, file_write=OTHER)
    assert "both headers of the VHDX have the sequence number 9 but differ" in error(image).message


def test_the_header_with_the_higher_number_is_taken() -> None:
    image = dynamic()
    image.set_header(1, sequence=1 << 63, data_write=OTHER)
    assert open_container(image, path=None).unique_id == str(OTHER)


def test_an_unknown_version() -> None:
    image = dynamic()
    image.set_header(version=2)
    caught = error(image)
    assert isinstance(caught, UnsupportedFeatureError)
    assert "version 2 of the format is not known" in caught.message


@pytest.mark.parametrize("size", [600, 4096, 70_000, 200_000, 300_000, MIB, 2 * MIB, 3 * MIB, 4 * MIB, 6 * MIB - 1])
def test_a_file_that_was_cut(size: int) -> None:
    image = dynamic()
    assert image.size == 6 * MIB
    image.truncate(size)
    caught = error(image)
    assert caught.hint


@pytest.mark.parametrize("at", [0, 5, 9, 16, 40, 65535])
def test_the_first_region_table_damaged(at: int) -> None:
    image = dynamic()
    flip(image, REGION_TABLES[0] + at)
    assert codes(image) == ["vhdx.region_table_damaged"]
    facts = open_container(image, path=None).facts().vhdx
    assert facts is not None
    assert facts.region_table == 2


def test_both_region_tables_damaged() -> None:
    image = dynamic()
    for place in REGION_TABLES:
        flip(image, place + 100)
    assert "neither region table of the VHDX can be used" in error(image).message


def test_a_good_second_table_is_not_even_read() -> None:
    image = dynamic()
    codes(image)
    assert all(at != REGION_TABLES[1] for at, _length in image.reads)
    assert sum(length for _at, length in image.reads) < 100_000


Regions = list[tuple[uuid.UUID, int, int, int]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: [r[0], r[1], (OTHER, 5 * MIB, MIB, 1)], f"region {OTHER} is not known, but required"),
        (lambda r: [r[0], r[0], r[1]], "the block allocation table is there twice"),
        (lambda r: [r[0]], "the metadata region is missing"),
        (lambda r: [r[1]], "the block allocation table is missing"),
        (lambda r: [r[0], (METADATA_REGION, r[0][1], MIB, 1)], "lies on the"),
        (lambda r: [r[0], (METADATA_REGION, LOG_OFFSET, MIB, 1)], "lies on the"),
        (lambda r: [r[0], (METADATA_REGION, 0, MIB, 1)], "cannot be there"),
        (lambda r: [r[0], (METADATA_REGION, 2 * MIB + 4096, MIB, 1)], "cannot be there"),
        (lambda r: [r[0], (METADATA_REGION, 1 << 63, MIB, 1)], "cannot be there"),
        (lambda r: [r[0], (METADATA_REGION, 2 * MIB, 0, 1)], "cannot be there"),
        (lambda r: [(BAT_REGION, 3 * MIB, 1 << 31, 1), r[1]], "cannot be there"),
    ],
)
def test_regions_that_cannot_be(change: Callable[[Regions], Regions], message: str) -> None:
    image = dynamic()
    image.set_regions(change(image.regions()))
    assert message in error(image).message


def test_too_many_regions() -> None:
    image = dynamic()
    image.set_regions(image.regions(), count=2048)
    assert "2048 entries, more than the 2047 it can have" in error(image).message


def test_an_unknown_region_that_is_not_required() -> None:
    image = dynamic()
    regions = image.regions()
    image.set_regions([*regions, (OTHER, 6 * MIB, MIB, 0)])
    image.truncate(7 * MIB)
    assert codes(image) == []
    image.set_entry(0, 6 * MIB | FULL)
    assert f"block 0 at 0x600000 lies on the region {OTHER}" in error(image).message


Items = list[tuple[uuid.UUID, bytes, int]]


def number(size: int, value: int) -> bytes:
    return value.to_bytes(size, "little")


def other(guid: uuid.UUID, content: bytes) -> Callable[[Items], Items]:
    return lambda items: [(item, content if item == guid else data, flags) for item, data, flags in items]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda i: [item for item in i if item[0] != FILE_PARAMETERS], "the file parameters is missing"),
        (lambda i: [item for item in i if item[0] != VIRTUAL_SIZE], "the virtual disk size is missing"),
        (lambda i: [item for item in i if item[0] != DISK_ID], "the virtual disk id is missing"),
        (lambda i: [item for item in i if item[0] != LOGICAL_SECTOR], "the logical sector size is missing"),
        (lambda i: [item for item in i if item[0] != PHYSICAL_SECTOR], "the physical sector size is missing"),
        (lambda i: [*i, i[0]], "is there twice"),
        (lambda i: [*i, (OTHER, b"x", 4)], f"item {OTHER} is not known, but required"),
        (lambda i: [*i, (FILE_PARAMETERS, bytes(8), 5)], "is not known, but required"),
        (other(FILE_PARAMETERS, number(8, 3 * MIB)), "the block size of 3145728 bytes is no power of two"),
        (other(FILE_PARAMETERS, number(8, MIB // 2)), "is no power of two from 1 MiB to 256 MiB"),
        (other(FILE_PARAMETERS, number(8, 512 * MIB)), "is no power of two from 1 MiB to 256 MiB"),
        (other(FILE_PARAMETERS, number(8, 0)), "is no power of two from 1 MiB to 256 MiB"),
        (other(FILE_PARAMETERS, number(4, MIB)), "the file parameters has 4 bytes instead of 8"),
        (other(FILE_PARAMETERS, number(8, 2 << 32 | MIB)), "the parent locator is missing"),
        (other(VIRTUAL_SIZE, number(8, 0)), "the virtual disk size of 0 bytes"),
        (other(VIRTUAL_SIZE, number(8, MIB + 100)), "is no multiple of the sector size (512)"),
        (other(VIRTUAL_SIZE, number(8, (64 << 40) + 512)), "from one sector to 64 TiB"),
        (other(VIRTUAL_SIZE, number(8, 1 << 40)), "a block allocation table of 1048576 bytes is too short"),
        (other(LOGICAL_SECTOR, number(4, 1024)), "the logical sector size of 1024 bytes is neither 512 nor 4096"),
        (other(PHYSICAL_SECTOR, number(4, 0)), "the physical sector size of 0 bytes is neither 512 nor 4096"),
    ],
)
def test_metadata_that_cannot_be(change: Callable[[Items], Items], message: str) -> None:
    image = dynamic()
    image.set_metadata(change(items_of("dynamic", SIZE, MIB, 512, None)))
    assert message in error(image).message


@pytest.mark.parametrize("fields", [(0, 8), (65535, 8), (MIB - 4, 8), (0xFFFFFFF0, 8)])
def test_a_metadata_item_outside(fields: tuple[int, int]) -> None:
    image = dynamic()
    image.write(image.region(METADATA_REGION) + 32 + 16, struct.pack("<II", *fields))
    assert "does not lie between the table and the end of the metadata region" in error(image).message


def test_other_metadata_faults() -> None:
    image = dynamic()
    image.write(image.region(METADATA_REGION) + 32 + 20, struct.pack("<I", MIB + 1))
    assert "more than the 1 MiB it can have" in error(image).message
    image = dynamic()
    image.write(image.region(METADATA_REGION) + 10, struct.pack("<H", 2048))
    assert "2048 entries, more than the 2047" in error(image).message
    image = dynamic()
    image.write(image.region(METADATA_REGION), b"Metadata")
    assert "there is no VHDX metadata table where it belongs" in error(image).message


def test_many_user_items_are_passed_over() -> None:
    image = dynamic()
    extra = [(uuid.UUID(int=1000 + n), b"", 1) for n in range(500)]
    image.set_metadata([*extra, *items_of("dynamic", SIZE, MIB, 512, None)])
    assert codes(image) == []


@pytest.mark.parametrize(
    ("index", "entry", "message"),
    [
        (1, 4, "block 1 has the reserved state 4"),
        (1, 5, "block 1 has the reserved state 5, which only preliminary versions"),
        (1, 5 * MIB | PARTIAL, "block 1 is partially present, but the file has no parent"),
        (1, 4 * MIB | FULL, "blocks 0 and 1 overlap (at 0x400000 and 0x400000"),
        (1, FULL, "block 1 at 0x0 lies on the header section"),
        (1, 1 * MIB | FULL, "block 1 at 0x100000 lies on the log"),
        (1, 2 * MIB | FULL, "block 1 at 0x200000 lies on the metadata region"),
        (1, 3 * MIB | FULL, "block 1 at 0x300000 lies on the block allocation table"),
        (1, 5 * MIB | FULL, "block 1 at 0x500000 lies on the last block (2)"),
        (1, 6 * MIB | FULL, "behind the end of the file (0x600000)"),
        (1, (1 << 64) - MIB | FULL, "behind the end of the file (0x600000)"),
        (2, 6 * MIB | FULL, "the last block (2) at 0x600000 ends at 0x700000, behind the end of the file"),
        (
            2,
            2 * MIB | FULL,
            "and the metadata region (0x200000 to 0x300000) overlap",
        ),
        (1, 8, "entry 1 (0x8) has reserved bits set"),
        (1, 1 << 19 | 2, "has reserved bits set"),
        (0, 1 << 12, "entry 0 (0x1000) has reserved bits set"),
    ],
)
def test_table_entries_that_cannot_be(index: int, entry: int, message: str) -> None:
    image = dynamic()
    image.set_entry(index, entry)
    assert message in error(image).message


def test_more_blocks_than_have_room() -> None:
    image = build_vhdx("dynamic", 20 * MIB, content={0: b"x"})
    for index in range(20):
        image.set_entry(index, 4 * MIB | FULL)
    assert "a file of 5242880 bytes has no room for 19 blocks" in error(image).message


def test_bitmaps_that_cannot_be() -> None:
    image = differencing()
    ratio = 4096
    image.set_entry(ratio, 0)
    assert "block 0 is partially present, but the sector bitmap of chunk 0 is missing" in error(image).message
    image.set_entry(ratio, 4 * MIB | PARTIAL)
    assert "the sector bitmap of chunk 0 has the state 7" in error(image).message
    image.set_entry(ratio, 2 * MIB | FULL)
    assert "sector bitmap of chunk 0 (0x200000 to 0x300000) overlap" in error(image).message
    image.set_entry(ratio, 100 * MIB | FULL)
    assert "the sector bitmap of chunk 0 at 0x6400000 ends at 0x6500000, behind the end" in error(image).message


@pytest.mark.parametrize(
    ("locator", "message"),
    [
        (b"", "it has only 0 bytes"),
        (parent_locator(link_to(PARENT), OTHER), f"unknown type {OTHER}"),
        (parent_locator({}), "parent_linkage, the id of the parent, is missing"),
        (parent_locator({"parent_linkage": "{not-a-guid}"}), "parent_linkage is no GUID"),
        (parent_locator(link_to(PARENT, parent_linkage2="x")), "parent_linkage2 is no GUID"),
        (parent_locator(link_to(PARENT))[:-2], "entry 0 does not lie inside"),
        (
            parent_locator(link_to(PARENT))[:18] + b"\xff\xff" + parent_locator(link_to(PARENT))[20:],
            "do not fit in its",
        ),
    ],
)
def test_parent_locators_that_cannot_be(locator: bytes, message: str) -> None:
    image = differencing()
    items = items_of("differencing", SIZE, MIB, 512, {})
    image.set_metadata([(guid, locator if guid == PARENT_LOCATOR else data, flags) for guid, data, flags in items])
    assert message in error(image).message


def test_a_key_twice_in_a_parent_locator() -> None:
    image = differencing()
    locator = bytearray(parent_locator({"a": "1", "b": "2"}))
    locator[20 + 12 : 20 + 16] = locator[20:24]
    items = items_of("differencing", SIZE, MIB, 512, {})
    image.set_metadata([(guid, bytes(locator) if guid == PARENT_LOCATOR else d, f) for guid, d, f in items])
    assert "the key 'a' is there twice" in error(image).message


def logged() -> Image:
    image = dynamic()
    put_log(image, [[Page(4 * MIB, b"first")], [Zeros(4 * MIB + PAGE, PAGE)]])
    return image


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


def test_identities() -> None:
    image = dynamic()
    identity = read_disk_identity(image)
    assert identity is not None
    assert (identity.unique_id, identity.parent_id) == (str(image.data_write_guid), None)
    assert sum(length for _at, length in image.reads) < 32 * 1024
    child = differencing()
    identity = read_disk_identity(child)
    assert identity is not None
    assert (identity.unique_id, identity.parent_id) == (str(child.data_write_guid), str(PARENT))


@pytest.mark.parametrize("build", [dynamic, differencing, logged])
def test_flipped_bytes_give_an_answer_or_one_error(build: Callable[[], Image]) -> None:
    """Any byte that is looked at may be wrong: facts or one of our own errors, and never a loop."""
    whole = build()
    try:
        open_container(whole, path=None).read_at(0, 4096)
    except VDiskError:
        assert build is differencing
    places = [(at, length) for at, length in whole.reads if length < 70_000]
    dice = random.Random(7)  # noqa: S311 - repeatable, no secret
    for _ in range(150):
        image = whole.copy()
        for _ in range(dice.choice((1, 1, 2, 5))):
            at, length = dice.choice(places)
            used = min(length, dice.choice((64, 600, length)))
            image.write(at + dice.randrange(used), bytes([dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))]))
        try:
            disk = open_container(image, path=None)
            disk.read_at(0, min(disk.size, 5 * MIB))
            disk.facts().to_dict()
        except VDiskError:
            pass
        with contextlib.suppress(VDiskError):
            read_disk_identity(image)
        assert len(image.reads) < 200

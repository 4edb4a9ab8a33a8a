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
    parent_locator,
    put_log,
)
from vdiskkit.container import open_container
from vdiskkit.container.detect import Probe
from vdiskkit.container.identity import read_disk_identity
from vdiskkit.container.vhdx.disk import VhdxDisk
from vdiskkit.errors import FormatError, UnsupportedFeatureError, VDiskError

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


def locator_of(entries: list[tuple[int, int, int, int]], text: bytes) -> Image:
    image = differencing()
    raw = parent_locator({})[:18] + struct.pack("<H", len(entries))
    raw += b"".join(struct.pack("<IIHH", *entry) for entry in entries) + text
    items = items_of("differencing", SIZE, MIB, 512, {})
    image.set_metadata([(guid, raw if guid == PARENT_LOCATOR else data, flags) for guid, data, flags in items])
    return image


def test_a_parent_locator_whose_entries_are_all_the_same_text() -> None:
    """Each key is another part of the text, so that none is there twice: together they would be a gigabyte."""
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 20_000))).encode("utf-16-le")
    count = 20_000
    start = 20 + 12 * count
    entries = [(start + number % 2000 * 2, start, 30_000 - number // 2000 * 2, 30_000) for number in range(count)]
    assert "its 20000 entries have more text than its 280020 bytes" in error(locator_of(entries, text)).message


def test_entries_of_a_parent_locator_may_have_text_in_common() -> None:
    text = "parent_linkage2{00000000-0000-0000-0000-000000000063}".encode("utf-16-le")
    start = 20 + 12 * 2
    entries = [(start, start + 30, 28, 76), (start, start + 30, 30, 76)]
    link = VhdxDisk(Probe.of(locator_of(entries, text)), None).read_parent_link()
    assert link is not None
    assert (link.unique_id, link.other_ids) == (str(PARENT), (str(PARENT),))


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

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from tests.unit.ntfs.volumes import (
    attribute_offset,
    editor,
    guarded,
    image,
    index_block,
    opened,
    patch_block,
    patch_record,
    poke,
)
from vdiskkit.errors import CorruptStructureError, FileMissingError
from vdiskkit.io import PageCache
from vdiskkit.ntfs import NtfsVolume

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.build.volume_edit import VolumeEditor


def name_of(number: int, folder: str = "many") -> str:
    return f"{folder}\\{folder} entry number {number:05}"


def blocks(volume: VolumeEditor, folder: str) -> int:
    record = volume.record(volume.number(folder))
    return sum(length for _, length in volume.record_runs(record, volume.find(record, 0xA0, "$I30"))) // 4096


def names(volume: NtfsVolume, folder: str) -> list[str]:
    return [entry.name for entry in volume.listdir(folder)]


@pytest.mark.parametrize(("name", "count"), [("directory", 3000), ("clusters65536", 400), ("records4096", 150)])
def test_every_name_of_a_deep_tree_is_listed_in_order_and_found(name: str, count: int) -> None:
    volume = opened(name)
    expected = [f"many entry number {number:05}" for number in range(count)]
    assert names(volume, "many") == expected
    for number in range(0, count, 7):
        file = volume.lookup(name_of(number).upper())
        assert file.name == expected[number]
    for missing in (f"many entry number {count:05}", "A", "zzz", "many entry number 0000", "many entry number 00010x"):
        assert volume.find(f"many\\{missing}") is None
    assert volume.notices == ()


def test_names_in_freed_blocks_are_gone() -> None:
    """Deleting leaves the names in the freed blocks on disk; they must not come back."""
    volume = opened("directory")
    remnants = editor("directory")
    stale = name_of(700, "thinned")[8:].encode("utf-16-le")
    assert stale in remnants.data
    assert names(volume, "thinned") == [f"thinned entry number {number:05}" for number in range(3)]
    assert volume.find(name_of(700, "thinned")) is None


def test_a_look_up_reads_only_the_way_down() -> None:
    volume = opened("directory")
    volume.lookup(name_of(1))
    budget = volume.source.budget  # type: ignore[attr-defined]
    before = budget.spent_calls
    volume.lookup(name_of(2500))
    assert budget.spent_calls - before <= 4


def test_a_checked_listing_reads_neighbouring_records_together() -> None:
    source = guarded(image("directory"))
    assert sum(1 for _ in NtfsVolume(PageCache(source)).listdir("many")) == 3000
    assert source.budget.spent_calls < 250  # about 190 index blocks, 3 MiB of records
    assert source.budget.spent_bytes < 5 << 20


def test_directory_path() -> None:
    volume = opened("basic")
    parent = volume.lookup("Windows\\System32\\config\\SOFTWARE").names()[0].parent
    assert volume.directory_path(parent) == "Windows\\System32\\config"
    assert volume.directory_path(volume.lookup("resident.txt").names()[0].parent) == "\\"
    with pytest.raises(CorruptStructureError, match="was reused"):
        volume.directory_path(parent._replace(sequence=99))


def test_a_missing_file_is_explained() -> None:
    volume = opened("basic")
    with pytest.raises(FileMissingError, match=r"there is no nope in Windows\\System32") as caught:
        volume.lookup("/windows/SYSTEM32/nope/deeper")
    assert caught.value.exit_code == 1
    with pytest.raises(FileMissingError, match=r"resident.txt is a file, not a directory"):
        volume.lookup("resident.txt\\below")
    with pytest.raises(FileMissingError, match="is a file, not a directory"):
        list(volume.listdir("resident.txt"))
    with pytest.raises(FileMissingError, match="is a directory, not a file"):
        volume.lookup("Windows").open()


# -- damaged blocks: the block that holds entry 0 of "many" is the leftmost leaf


def leaf(volume: VolumeEditor, number: int) -> int:
    wanted = f"many entry number {number:05}".encode("utf-16-le")
    for block in range(blocks(volume, "many")):
        place = index_block(volume, volume.number("many"), block)
        if wanted in volume.data[place : place + 4096]:
            return place
    raise AssertionError(number)


def damaged(change: Callable[[bytearray], object]) -> NtfsVolume:
    volume = editor("directory")
    patch_block(volume, leaf(volume, 0), change)
    return opened(volume.data)


def put(offset: int, layout: str, *values: int) -> Callable[[bytearray], object]:
    return lambda block: struct.pack_into(layout, block, offset, *values)


FIRST = 0x18 + 0x28  # entries behind header and update sequence array


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put(0, "<4s", b"FILE"), "signature"),  # type: ignore[arg-type]
        (put(16, "<Q", 99), "says it is block 0x63"),
        (put(0x18 + 8, "<I", 512), "room for 0x200 bytes"),
        (put(0x18 + 8, "<I", 0xFFFFFFFF), "room for 0xffffffff bytes"),
        (put(0x18 + 4, "<I", 0xFFFF), "entries from"),
        (put(0x18 + 4, "<I", 0x20), "entries from"),
        (put(0x18, "<I", 0), "entries from"),
        (put(0x18, "<I", 0x29), "entries from"),
        (put(0x18, "<I", 0x10), "overlap the update sequence"),
        (put(0x18, "<I", 0xFFFFFFF8), "entries from"),
        (put(FIRST + 8, "<H", 0), "0x0 bytes"),
        (put(FIRST + 8, "<H", 0x11), "0x11 bytes"),
        (put(FIRST + 8, "<H", 0xFFF8), "0xfff8 bytes"),
        (put(FIRST + 10, "<H", 0x400), "key of the entry"),
        (put(FIRST + 10, "<H", 20), "key of the entry"),
        (put(FIRST + 16 + 64, "<B", 255), "name of the entry"),
        (put(FIRST + 16 + 64, "<B", 0), "name of the entry"),
        (put(FIRST + 16, "<Q", 5 | 5 << 48), "belongs to directory 5"),
    ],
)
def test_faults_of_a_block(change: Callable[[bytearray], object], message: str) -> None:
    volume = damaged(change)
    with pytest.raises(CorruptStructureError, match=message):
        volume.lookup(name_of(0))
    # The listing goes on behind the damage and says so.
    found = names(volume, "many")
    assert 2900 < len(found) < 3000
    assert "ntfs.index_damaged" in {notice.code for notice in volume.notices}
    # Names on healthy ways are still found.
    assert volume.lookup(name_of(2500)).size == 0


def test_names_before_a_damaged_entry_are_still_listed() -> None:
    def spoil_the_tenth(block: bytearray) -> None:
        at = FIRST
        for _ in range(10):
            at += struct.unpack_from("<H", block, at + 8)[0]
        struct.pack_into("<H", block, at + 8, 0xEFEF)

    volume = damaged(spoil_the_tenth)
    assert names(volume, "many")[:10] == [f"many entry number {number:05}" for number in range(10)]
    assert [notice.code for notice in volume.notices] == ["ntfs.index_damaged"]
    with pytest.raises(CorruptStructureError, match="0xefef bytes"):
        volume.lookup(name_of(0))


def test_torn_block() -> None:
    volume = editor("directory")
    place = leaf(volume, 0)
    volume.data[place + 1022] ^= 0xFF
    with pytest.raises(CorruptStructureError, match="torn"):
        opened(volume.data).lookup(name_of(0))


def test_no_end_entry() -> None:
    def without_end(block: bytearray) -> None:
        first, _used = struct.unpack_from("<II", block, 0x18)
        at = 0x18 + first
        while not struct.unpack_from("<H", block, at + 12)[0] & 2:
            at += struct.unpack_from("<H", block, at + 8)[0]
        struct.pack_into("<I", block, 0x1C, at - 0x18)

    with pytest.raises(CorruptStructureError, match="no end entry"):
        damaged(without_end).lookup(name_of(0))


def inner(volume: VolumeEditor) -> tuple[int, int]:
    """An index block whose end entry has a subnode: (place, VCN)."""
    for block in range(blocks(volume, "many")):
        place = index_block(volume, volume.number("many"), block)
        if volume.data[place : place + 4] == b"INDX" and volume.data[place + 0x18 + 12] & 1:
            return place, struct.unpack_from("<Q", volume.data, place + 16)[0]
    raise AssertionError("the tree is too flat for this test")


def end_subnode(block: bytearray, vcn: int) -> None:
    at = 0x18 + struct.unpack_from("<I", block, 0x18)[0]
    while not struct.unpack_from("<H", block, at + 12)[0] & 2:
        at += struct.unpack_from("<H", block, at + 8)[0]
    length = struct.unpack_from("<H", block, at + 8)[0]
    struct.pack_into("<Q", block, at + length - 8, vcn)


def test_a_cycle_ends_with_an_error() -> None:
    volume = editor("directory")
    place, vcn = inner(volume)
    patch_block(volume, place, lambda block: end_subnode(block, vcn))
    image = opened(volume.data, max_bytes=16 << 20)
    faults = 0
    for number in range(0, 3000, 10):
        try:
            image.lookup(name_of(number))
        except CorruptStructureError as fault:
            assert "twice" in fault.message  # noqa: PT017 - some names are still found
            faults += 1
    assert faults
    assert len(names(image, "many")) < 3000
    assert any("twice" in notice.message for notice in image.notices)


@pytest.mark.parametrize(("vcn", "message"), [(1 << 40, "does not exist"), (100_000, "does not exist")])
def test_a_subnode_outside_of_the_index(vcn: int, message: str) -> None:
    volume = editor("directory")
    place, _ = inner(volume)
    patch_block(volume, place, lambda block: end_subnode(block, vcn))
    image = opened(volume.data)
    names(image, "many")
    assert any(message in notice.message for notice in image.notices)


def test_a_block_that_is_free_by_the_bitmap() -> None:
    volume = editor("directory")
    number = volume.number("many")
    record = volume.record(number)
    start, length = volume.value(record, volume.find(record, 0xB0, "$I30"))
    patch_record(volume, number, lambda data: data.__setitem__(slice(start, start + length), bytes(length)))
    image = opened(volume.data)
    with pytest.raises(CorruptStructureError, match="which is free"):
        image.lookup(name_of(0))
    assert len(names(image, "many")) < 3000
    assert any("which is free" in notice.message for notice in image.notices)


@pytest.mark.parametrize(
    ("offset", "layout", "value", "message"),
    [
        (0, "<I", 0x40, "attribute 0x40 by rule 1"),
        (4, "<I", 17, "by rule 17"),
        (8, "<I", 0, "index block of 0 bytes"),
        (8, "<I", 4097, "index block of 4097 bytes"),
        (8, "<I", 1 << 30, "index block of 1073741824 bytes"),
        (16, "<I", 0xFFFFFFF8, "entries from"),
        (20, "<I", 0xFFFFFFF8, "entries from"),
        (20, "<I", 16, "no end entry"),
    ],
)
def test_faults_of_the_root(offset: int, layout: str, value: int, message: str) -> None:
    volume = editor("basic")
    number = volume.number("names")
    record = volume.record(number)
    start, _ = volume.value(record, volume.find(record, 0x90, "$I30"))
    poke(volume, number, start + offset, layout, value)
    with pytest.raises(CorruptStructureError, match=message):
        opened(volume.data).lookup("names\\readme")


def test_an_index_root_that_is_too_short() -> None:
    volume = editor("basic")
    number = volume.number("names")
    poke(volume, number, attribute_offset(volume, number, 0x90, "$I30") + 16, "<I", 20)
    with pytest.raises(CorruptStructureError, match="only 20 bytes"):
        opened(volume.data).lookup("names\\readme")


def test_a_directory_without_index() -> None:
    volume = editor("basic")
    number = volume.number("empty.txt")
    poke(volume, number, 22, "<H", 3)  # says that it is a directory
    with pytest.raises(CorruptStructureError, match="no index root"):
        opened(volume.data).lookup("empty.txt\\x")


# -- stale references


@pytest.mark.parametrize(
    ("offset", "layout", "value", "message", "code"),
    [
        # The record still has the name: the file is there, so that the list lacks it.
        (16, "<H", 77, "was reused", "ntfs.index_damaged"),
        (22, "<H", 0, "leads to a deleted file", "ntfs.stale_entry"),
        (32, "<Q", 5 | 5 << 48, "extension record of file 5", "ntfs.index_damaged"),
    ],
)
def test_names_that_lead_nowhere(offset: int, layout: str, value: int, message: str, code: str) -> None:
    volume = editor("basic")
    poke(volume, volume.number("streams\\host.txt"), offset, layout, value)
    image = opened(volume.data)
    with pytest.raises(CorruptStructureError, match=message) as caught:
        image.lookup("streams\\host.txt")
    assert "streams\\host.txt" in caught.value.message
    assert names(image, "streams") == []
    assert [notice.code for notice in image.notices] == ["ntfs.damage_met", code]
    assert [entry.name for entry in image.listdir("streams", verify=False)] == ["host.txt"]
    with pytest.raises(CorruptStructureError, match=message):
        next(image.listdir("streams", verify=False)).open()


def test_a_record_without_that_name() -> None:
    volume = editor("basic")
    number = volume.number("resident.txt")
    record = volume.record(number)
    start, *_ = next(volume.names(record))
    poke(volume, number, start + 66, "<H", ord("Q"))
    with pytest.raises(CorruptStructureError, match="which has no such name"):
        opened(volume.data).lookup("resident.txt")


def test_a_record_past_the_table() -> None:
    volume = editor("basic")
    for node, entry in volume.entries(volume.number("streams\\host.txt"), *key(volume, "streams\\host.txt")):
        struct.pack_into("<Q", node, entry, 1 << 40 | 1 << 48)
    with pytest.raises(CorruptStructureError, match="the table ends at"):
        opened(volume.data).lookup("streams\\host.txt")


def key(volume: VolumeEditor, path: str) -> tuple[bytes, bytes]:
    record = volume.record(volume.number(path))
    start, _, _, name = next(volume.names(record))
    return bytes(record[start : start + 8]), name.encode("utf-16-le")


def test_root_that_is_no_directory() -> None:
    volume = editor("basic")
    poke(volume, 5, 22, "<H", 1)
    with pytest.raises(CorruptStructureError, match="root directory is damaged"):
        opened(volume.data).lookup("x")


def test_depth_is_limited() -> None:
    """Entries of one block that lead down a chain of ever new blocks end at 32."""
    volume = editor("directory")
    number = volume.number("many")
    count = blocks(volume, "many")
    assert count > 40
    # Each block: one end entry with a subnode, the next block. The bitmap says that all are in use.
    for block in range(count):
        place = index_block(volume, number, block)

        def chain(data: bytearray, block: int = block) -> None:
            data[:4] = b"INDX"
            struct.pack_into("<Q", data, 16, block)
            struct.pack_into("<IIIB", data, 0x18, 0x28, 0x28 + 24, 4096 - 0x18, 1)
            struct.pack_into("<QHHHHQ", data, FIRST, 0, 24, 0, 3, 0, (block + 1) % count)

        if volume.data[place : place + 4] != b"INDX":
            continue
        patch_block(volume, place, chain)
    image = opened(volume.data, max_bytes=1 << 20)
    with pytest.raises(CorruptStructureError, match="deeper than 32"):
        image.lookup("many\\zzz")
    assert all(name.startswith("many") for name in names(image, "many"))
    assert any("deeper than 32" in notice.message for notice in image.notices)

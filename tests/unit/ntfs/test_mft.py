from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from tests.unit.ntfs.volumes import attribute_offset, editor, image, opened, patch_record, poke
from vdiskkit.errors import CorruptStructureError
from vdiskkit.location import Location
from vdiskkit.ntfs.mft import ListEntry, parse_attribute_list
from vdiskkit.ntfs.record import FileReference

if TYPE_CHECKING:
    from tests.build.volume_edit import VolumeEditor

WHERE = Location("x")
SCATTERED = "scattered.bin"


def list_value(volume: VolumeEditor) -> tuple[int, int]:
    """Where the non-resident attribute list of the scattered file lies, and its size."""
    record = volume.record(volume.number(SCATTERED))
    attribute = volume.find(record, 0x20)
    if attribute.resident:
        raise AssertionError("the list became resident; choose more runs")
    start, _ = next(volume.record_runs(record, attribute))
    return start, struct.unpack_from("<Q", record, attribute.offset + 48)[0]


def entries(volume: VolumeEditor) -> list[tuple[int, int, int, int]]:
    """(place, type, lowest VCN, record number) of each line of the list."""
    start, size = list_value(volume)
    found, at = [], start
    while at < start + size:
        kind, length = struct.unpack_from("<IH", volume.data, at)
        vcn, reference = struct.unpack_from("<QQ", volume.data, at + 8)
        found.append((at, kind, vcn, reference & 0xFFFFFFFFFFFF))
        at += length
    return found


def test_a_file_over_several_records() -> None:
    volume = opened("fragmented")
    file = volume.lookup(SCATTERED)
    source = file.open()
    assert file.size == 500 * 1024 + 3
    assert len(source.runs()) > 400
    assert sum(run.clusters for run in source.runs()) == 501
    assert source.read_at(0, 16) == b"scattered line 0"


def test_size_and_times_need_no_extension_record() -> None:
    volume = opened("fragmented")
    file = volume.lookup(SCATTERED)
    before = volume.source.budget.spent_calls  # type: ignore[attr-defined]
    assert file.size
    assert file.created
    assert volume.source.budget.spent_calls - before <= 2  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("offset", "layout", "value", "message"),
    [
        (4, "<H", 0, "0x0 bytes"),
        (4, "<H", 0x21, "0x21 bytes"),
        (4, "<H", 0xFFF8, "0xfff8 bytes"),
        (0, "<I", 0x20, "names itself"),
        (6, "<B", 100, "name of the entry"),
        (8, "<Q", 7, "has none such|no part that starts"),
        (16, "<Q", 5 | 5 << 48, "does not belong to this file"),  # the root directory
        (16, "<Q", 20 | 1 << 48, "does not belong to this file"),  # a free record
        (16, "<Q", 1 << 40, "the table ends at"),
        (24, "<H", 99, "has none such"),
    ],
)
def test_faults_of_the_list(offset: int, layout: str, value: int, message: str) -> None:
    volume = editor("fragmented")
    at = next(place for place, kind, vcn, _ in entries(volume) if kind == 0x80 and vcn)
    struct.pack_into(layout, volume.data, at + offset, value)
    with pytest.raises(CorruptStructureError, match=message):
        opened(volume.data).lookup(SCATTERED).open()


def test_an_extension_record_of_another_file() -> None:
    volume = editor("fragmented")
    record = next(number for _, kind, vcn, number in entries(volume) if kind == 0x80 and vcn)
    poke(volume, record, 32, "<Q", 5 | 5 << 48)
    with pytest.raises(CorruptStructureError, match="does not belong to this file"):
        opened(volume.data).lookup(SCATTERED).open()


def test_a_missing_part() -> None:
    volume = editor("fragmented")
    at = next(place for place, kind, vcn, _ in entries(volume) if kind == 0x80 and vcn)
    struct.pack_into("<I", volume.data, at, 0x100)
    with pytest.raises(CorruptStructureError, match=r"no part that starts at VCN|only .* of clusters"):
        opened(volume.data).lookup(SCATTERED).open()


def test_a_list_of_gigabytes_is_refused_before_it_is_read() -> None:
    volume = editor("fragmented")
    number = volume.number(SCATTERED)
    at = attribute_offset(volume, number, 0x20)
    poke(volume, number, at + 40, "<QQQ", 1 << 32, 1 << 32, 1 << 32)
    with pytest.raises(CorruptStructureError, match="attribute list of 4294967296 bytes"):
        opened(volume.data, max_bytes=1 << 20).lookup(SCATTERED)


def test_list_entries() -> None:
    name = "$I30".encode("utf-16-le")
    first = struct.pack("<IHBBQQH", 0x10, 32, 0, 26, 0, 5 | 5 << 48, 0).ljust(32, b"\0")
    second = (struct.pack("<IHBBQQH", 0xA0, 40, 4, 26, 9, 77 | 3 << 48, 2) + name).ljust(40, b"\0")
    assert parse_attribute_list(first + second, WHERE) == [
        ListEntry(0x10, "", 0, FileReference(5, 5), 0),
        ListEntry(0xA0, "$I30", 9, FileReference(77, 3), 2),
    ]
    assert parse_attribute_list(b"", WHERE) == []
    with pytest.raises(CorruptStructureError, match="no room"):
        parse_attribute_list(first + second[:20], WHERE)


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (48, 12289, "only 0x3000 bytes of clusters"),
        (48, 1 << 62, "only 0x3000 bytes of clusters"),
        (56, 9001, "written up to 0x2329"),
        (56, 1 << 63, "written up to"),
    ],
)
def test_sizes_that_contradict_each_other(offset: int, value: int, message: str) -> None:
    volume = editor("basic")
    number = volume.number("links\\original.txt")
    poke(volume, number, attribute_offset(volume, number, 0x80) + offset, "<Q", value)
    with pytest.raises(CorruptStructureError, match=message):
        opened(volume.data).lookup("links\\original.txt").open()


# -- $MFT itself


def test_the_copy_in_the_mirror_is_used_and_told() -> None:
    data = bytearray(image("basic"))
    mft = struct.unpack_from("<Q", data, 48)[0] * 4096
    data[mft : mft + 4] = b"\0\0\0\0"
    volume = opened(data)
    assert [notice.code for notice in volume.notices] == ["ntfs.mft_damaged"]
    assert volume.lookup("resident.txt").size == 33


def test_both_copies_damaged() -> None:
    data = bytearray(image("basic"))
    for at in (48, 56):
        place = struct.unpack_from("<Q", data, at)[0] * 4096
        data[place : place + 4] = b"\0\0\0\0"
    with pytest.raises(CorruptStructureError, match="MFT record is damaged: its signature is 00000000") as caught:
        opened(data)
    assert "mft:0x0" in str(caught.value)


def split_table(volume: VolumeEditor, holder: int) -> None:
    """Tell the second run of $MFT in an extension record, as a fragmented table does."""
    record = volume.record(0)
    data = volume.find(record, 0x80)
    length = struct.unpack_from("<I", record, data.offset + 4)[0]
    bitmap = bytes(record[data.offset + length : struct.unpack_from("<I", record, 24)[0]])
    (first_start, first), (second_start, second) = volume.record_runs(record, data)
    clusters = first // 4096, second // 4096

    def pairs(lcn: int, count: int) -> bytes:
        return bytes([0x33]) + count.to_bytes(3, "little") + lcn.to_bytes(3, "little") + b"\0"

    base = bytearray(record[data.offset : data.offset + 64]) + pairs(first_start // 4096, clusters[0])
    struct.pack_into("<I", base, 4, len(base))
    struct.pack_into("<Q", base, 24, clusters[0] - 1)
    rest = bytearray(record[data.offset : data.offset + 64]) + pairs(second_start // 4096, clusters[1])
    struct.pack_into("<I", rest, 4, len(rest))
    struct.pack_into("<QQ", rest, 16, clusters[0], sum(clusters) - 1)
    struct.pack_into("<H", rest, 14, 0)
    struct.pack_into("<QQQ", rest, 40, 0, 0, 0)

    own, other = 0 | 1 << 48, holder | 1 << 48
    lines = b""
    for kind, vcn, reference, instance in (
        (0x10, 0, own, None),
        (0x30, 0, own, None),
        (0x80, 0, own, None),
        (0x80, clusters[0], other, 0),
        (0xB0, 0, own, None),
    ):
        at = volume.find(record, kind).offset + 14
        number = struct.unpack_from("<H", record, at)[0] if instance is None else instance
        lines += struct.pack("<IHBBQQH", kind, 32, 0, 26, vcn, reference, number).ljust(32, b"\0")
    listed = struct.pack("<IIBBHHHIHH", 0x20, 24 + len(lines), 0, 0, 0, 0, 90, len(lines), 24, 0) + lines

    names = volume.find(record, 0x30).offset
    body = bytes(record[: data.offset])
    new = bytearray(body[:names] + listed + body[names:] + bytes(base) + bitmap)
    struct.pack_into("<I", new, 24, len(new))
    struct.pack_into("<H", new, 40, 91)  # next instance
    bits, _ = next(volume.record_runs(record, volume.find(record, 0xB0)))
    volume.data[bits + holder // 8] |= 1 << holder % 8
    extension = bytearray(record[:0x38] + rest + b"\xff\xff\xff\xff\0\0\0\0")
    struct.pack_into("<HHHH", extension, 16, 1, 0, 0x38, 1)
    struct.pack_into("<IIQ", extension, 24, len(extension), 1024, 1 << 48)
    struct.pack_into("<I", extension, 44, holder)
    volume.put_record(0, new.ljust(1024, b"\0"))
    volume.put_record(holder, extension.ljust(1024, b"\0"))


def test_a_table_in_two_parts() -> None:
    volume = editor("directory")
    split_table(volume, 20)
    healed = opened(volume.data)
    table = healed.mft.runs(healed.mft.record(0), 0x80)
    assert table is not None
    assert len(table[1]) == 2
    assert sum(1 for _ in healed.listdir("many")) == 3000
    assert healed.lookup("$MFT").size == healed.mft.record_count * 1024


def test_a_table_that_needs_itself_to_be_found() -> None:
    volume = editor("directory")
    split_table(volume, volume.records - 10)  # a record in the very part that it tells
    with pytest.raises(CorruptStructureError, match=r"\$MFT needs record \d+ to find record"):
        opened(volume.data)


def test_a_table_whose_extension_is_record_zero() -> None:
    volume = editor("directory")
    split_table(volume, 20)

    def to_itself(record: bytearray) -> None:
        at = record.index(struct.pack("<Q", 20 | 1 << 48))
        struct.pack_into("<Q", record, at, 1 << 48)

    patch_record(volume, 0, to_itself)
    with pytest.raises(CorruptStructureError, match=r"\$MFT needs record 0"):
        opened(volume.data)


def test_records_past_the_end_of_the_table() -> None:
    volume = opened("basic")
    end = volume.mft.record_count
    with pytest.raises(CorruptStructureError, match=f"the table ends at {end}"):
        volume.mft.record(end)


def test_records_are_cached_within_bounds() -> None:
    volume = opened("directory")
    for _ in volume.listdir("many"):
        pass
    assert len(volume.mft._records) <= 512
    assert 0 in volume.mft._records

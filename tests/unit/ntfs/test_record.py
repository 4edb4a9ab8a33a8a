from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from tests.unit.ntfs.volumes import attribute_offset, editor, opened, poke
from vdiskkit.errors import CorruptStructureError
from vdiskkit.location import Location
from vdiskkit.ntfs.attributes import time_from_filetime
from vdiskkit.ntfs.record import apply_fixups, parse_record

if TYPE_CHECKING:
    from tests.build.volume_edit import VolumeEditor

WHERE = Location("disk.vhd").at("mft", 5)
PATH = "links\\original.txt"


@pytest.fixture(scope="module")
def basic() -> VolumeEditor:
    return editor("basic")


def raw(basic: VolumeEditor, path: str = PATH) -> bytearray:
    place = basic.place(basic.number(path))
    return bytearray(basic.data[place : place + 1024])


def broken(basic: VolumeEditor, offset: int, layout: str, *values: int) -> bytes:
    """A record with a wrong field and a right update sequence."""
    number = basic.number(PATH)
    copy = editor("basic")
    poke(copy, number, offset, layout, *values)
    return bytes(raw(copy))


def test_a_healthy_record(basic: VolumeEditor) -> None:
    number = basic.number(PATH)
    record = parse_record(bytes(raw(basic)), number, WHERE)
    assert record.in_use
    assert not record.is_directory
    assert record.link_count == 3
    assert [attribute.type for attribute in record.attributes] == [0x10, 0x30, 0x30, 0x30, 0x50, 0x80]
    data = record.attributes[-1]
    assert (data.resident, data.data_size, data.allocated_size, data.highest_vcn) == (False, 9000, 12288, 2)


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (4, 0xFFFF, "update sequence"),  # far outside: the heap overflow of others
        (4, 510, "update sequence"),
        (4, 0x31, "update sequence"),
        (4, 0, "update sequence"),
        (6, 0, "update sequence"),
        (6, 2, "update sequence"),
        (6, 0xFFFF, "update sequence"),
        (510, 0x1234, "torn"),
        (1022, 0x1234, "torn"),
    ],
)
def test_update_sequence(basic: VolumeEditor, offset: int, value: int, message: str) -> None:
    block = raw(basic)
    struct.pack_into("<H", block, offset, value)
    with pytest.raises(CorruptStructureError, match=message):
        parse_record(bytes(block), 5, WHERE)


@pytest.mark.parametrize("magic", [b"BAAD", b"INDX", b"\0\0\0\0"])
def test_signature(basic: VolumeEditor, magic: bytes) -> None:
    block = raw(basic)
    block[:4] = magic
    with pytest.raises(CorruptStructureError, match="chkdsk marked it bad" if magic == b"BAAD" else "signature"):
        parse_record(bytes(block), 5, WHERE)


def test_fixups_reject_a_block_too_short_for_its_array() -> None:
    with pytest.raises(CorruptStructureError, match="update sequence"):
        apply_fixups(b"FILE\x30\0\x03\0", b"FILE", "x", WHERE)


FIRST = 0x38  # $STANDARD_INFORMATION of the record, 0x60 bytes; the first name follows at 0x98


@pytest.mark.parametrize(
    ("offset", "layout", "value", "message"),
    [
        (28, "<I", 512, "allocated size"),
        (28, "<I", 0xFFFFFFFF, "allocated size"),
        (24, "<I", 2048, "in use"),
        (24, "<I", 0x101, "in use"),
        (24, "<I", 0x40, "no room for its header"),
        (24, "<I", 0x38, "first attribute"),
        (20, "<H", 0x39, "first attribute"),
        (20, "<H", 8, "first attribute"),
        (20, "<H", 0xFFF8, "first attribute"),
        (FIRST + 4, "<I", 0, "0x0 bytes"),
        (FIRST + 4, "<I", 0x16, "0x16 bytes"),
        (FIRST + 4, "<I", 0x61, "0x61 bytes"),
        (FIRST + 4, "<I", 0x7FFFFFF8, "0x7ffffff8 bytes"),
        (FIRST, "<I", 0xC0, "type 0x30 after 0xc0"),
        (FIRST, "<I", 0, "type 0x0"),
        (FIRST, "<I", 0x11, "type 0x11"),
        (FIRST + 8, "<B", 2, "form 2"),
        (FIRST + 9, "<B", 200, "name of the attribute"),
        (FIRST + 16, "<I", 0xFFFFFFF0, "value of the attribute"),
        (FIRST + 16, "<I", 0x49, "value of the attribute"),
        (FIRST + 20, "<H", 0xFFF0, "value of the attribute"),
        (FIRST + 20, "<H", 8, "value of the attribute"),
    ],
)
def test_structure(basic: VolumeEditor, offset: int, layout: str, value: int, message: str) -> None:
    with pytest.raises(CorruptStructureError, match=message):
        parse_record(broken(basic, offset, layout, value), 5, WHERE)


def test_no_end_marker(basic: VolumeEditor) -> None:
    used = struct.unpack_from("<I", basic.record(basic.number(PATH)), 24)[0]
    with pytest.raises(CorruptStructureError, match="no end marker"):
        parse_record(broken(basic, 24, "<I", used - 8), 5, WHERE)


@pytest.mark.parametrize(
    ("delta", "layout", "value", "message"),
    [
        (16, "<q", -1, "spans VCN"),
        (24, "<q", -3, "spans VCN"),
        (16, "<q", 9, "spans VCN"),
        (32, "<H", 0, "runlist"),
        (32, "<H", 0xFFF8, "runlist"),
        (32, "<H", 0x48, "runlist"),
        (4, "<I", 0x38, "no room for its header"),
    ],
)
def test_non_resident_header(basic: VolumeEditor, delta: int, layout: str, value: int, message: str) -> None:
    at = attribute_offset(basic, basic.number(PATH), 0x80)
    with pytest.raises(CorruptStructureError, match=message):
        parse_record(broken(basic, at + delta, layout, value), 5, WHERE)


def test_a_free_record_is_not_looked_into(basic: VolumeEditor) -> None:
    record = parse_record(broken(basic, 20, "<HH", 0xFFF8, 0), 5, WHERE)
    assert not record.in_use
    assert record.attributes == []


def test_faults_say_where_and_what_to_do(basic: VolumeEditor) -> None:
    copy = editor("basic")
    number = basic.number(PATH)
    poke(copy, number, 24, "<I", 2048)
    with pytest.raises(CorruptStructureError) as caught:
        opened(copy.data).lookup(PATH)
    assert str(caught.value) == (
        f"the MFT record is damaged: bytes in use are 0x800 of 0x400 (at disk.vhd > mft:{number:#x})"
    )
    assert caught.value.hint == "run chkdsk on the volume"


@pytest.mark.parametrize(
    ("ticks", "expected"),
    [
        (0, None),
        (1, "1601-01-01T00:00:00+00:00"),
        (132_223_104_000_000_019, "2020-01-01T00:00:00.000001+00:00"),
        (116_444_736_000_000_000, "1970-01-01T00:00:00+00:00"),
        (2_650_467_743_999_999_999, "9999-12-31T23:59:59.999999+00:00"),
        (2_650_467_744_000_000_000, None),
        (1 << 63, None),
        ((1 << 64) - 1, None),
    ],
)
def test_times(ticks: int, expected: str | None) -> None:
    time = time_from_filetime(ticks)
    assert (time.isoformat() if time else None) == expected

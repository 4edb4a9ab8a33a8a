"""Every VHD that contradicts itself is refused with a message that says what is wrong."""

from __future__ import annotations

import pytest

from tests.build.vhd import KIB, MIB, ParentLink, build_vhd
from tests.build.vhd_faults import FAULTS, break_vhd, set_bat, set_footer, set_header
from vdiskkit.container import open_container
from vdiskkit.errors import (
    ChainError,
    ChecksumError,
    CorruptStructureError,
    FormatError,
    UnknownFormatError,
    UnsupportedFeatureError,
    VDiskError,
)
from vdiskkit.io import BytesSource
from vdiskkit.location import Location

BLOCK = 64 * KIB
SIZE = 5 * BLOCK
CONTENT = {0: b"first", BLOCK + 100: b"second"}
PARENT = ParentLink(b"p" * 16, "base.vhd", ((b"W2ru", ".\\base.vhd"), (b"W2ku", "C:\\store\\base.vhd")))


def base(kind: str, fault: str) -> bytes:
    batmap = "batmap" in fault
    return build_vhd(
        kind,
        SIZE,
        BLOCK,
        CONTENT,
        parent=PARENT if kind == "differencing" else None,
        batmap=batmap,
        creator=b"tap\0" if batmap else b"win ",
    )


def open_bytes(data: bytes) -> VDiskError | None:
    source = BytesSource(data, Location("disk.vhd"))
    try:
        open_container(source, path="disk.vhd").close()
    except VDiskError as exc:
        return exc
    return None


REFUSED = [
    ("dynamic", "footer_and_copy_checksum", ChecksumError, "VHD footer: the checksum does not fit (stored 0x"),
    ("fixed", "footer_checksum", ChecksumError, "VHD footer: the checksum does not fit (stored 0x"),
    ("fixed", "footer_zeroed", UnknownFormatError, "this is no VHD file: "),
    ("fixed", "footer_cut", UnknownFormatError, "this is no VHD file: "),
    ("dynamic", "data_cut", CorruptStructureError, "the VHD file has been cut short: block 1 at 0x10a00 ends at"),
    ("dynamic", "poison", CorruptStructureError, "a resize of this VHD by XenServer was interrupted"),
    ("dynamic", "poison_at_end_only", CorruptStructureError, "a resize of this VHD by XenServer was interrupted"),
    ("dynamic", "footer_version", CorruptStructureError, "VHD footer: unknown format version 0x00020000"),
    ("dynamic", "type_unknown", CorruptStructureError, "VHD footer: unknown disk type 7"),
    ("dynamic", "size_zero", CorruptStructureError, "VHD footer: the current size of 0 bytes is no multiple of 512"),
    ("fixed", "size_unaligned", CorruptStructureError, "VHD footer: the current size of 1000 bytes is no multiple"),
    ("fixed", "size_too_large", CorruptStructureError, "the fixed VHD should hold 1310720 bytes before its footer"),
    ("fixed", "size_absurd", CorruptStructureError, "the fixed VHD should hold 18446744073709551104 bytes"),
    ("dynamic", "size_too_large", CorruptStructureError, "VHD dynamic disk header: 5 BAT entries are too few"),
    ("dynamic", "size_absurd", CorruptStructureError, "VHD dynamic disk header: 5 BAT entries are too few"),
    ("dynamic", "header_offset_unaligned", CorruptStructureError, "the dynamic disk header cannot be at 0x201"),
    ("dynamic", "header_offset_beyond", CorruptStructureError, "the dynamic disk header cannot be at 0x10000000000"),
    ("dynamic", "header_offset_none", CorruptStructureError, "the dynamic disk header cannot be at 0xffffffffffffffff"),
    ("dynamic", "header_checksum", ChecksumError, "VHD dynamic disk header: the checksum does not fit"),
    ("dynamic", "header_cookie", CorruptStructureError, "there is no dynamic disk header where the footer says"),
    ("dynamic", "header_version", CorruptStructureError, "VHD dynamic disk header: unknown version 0x00020000"),
    ("dynamic", "block_size_zero", CorruptStructureError, "the block size of 0 bytes is no power of two from 512 on"),
    ("dynamic", "block_size_small", CorruptStructureError, "the block size of 256 bytes is no power of two"),
    ("dynamic", "block_size_odd", CorruptStructureError, "the block size of 3145728 bytes is no power of two"),
    ("dynamic", "bat_huge", CorruptStructureError, "a BAT of 4294967295 entries cannot be at 0x600 in a file of"),
    (
        "dynamic",
        "bat_short",
        CorruptStructureError,
        "1 BAT entries are too few, 327680 bytes in blocks of 65536 need 5",
    ),
    ("dynamic", "bat_offset_unaligned", CorruptStructureError, "a BAT of 5 entries cannot be at 0x601"),
    ("dynamic", "bat_offset_beyond", CorruptStructureError, "a BAT of 5 entries cannot be at"),
    ("dynamic", "bat_on_header", CorruptStructureError, "the block allocation table at 0x400 lies on the dynamic disk"),
    ("dynamic", "block_on_copy", CorruptStructureError, "block 0 at 0x0 lies on the copy of the footer"),
    ("dynamic", "block_on_header", CorruptStructureError, "block 0 at 0x200 lies on the dynamic disk header"),
    ("dynamic", "block_on_bat", CorruptStructureError, "block 0 at 0x600 lies on the block allocation table"),
    ("dynamic", "block_on_footer", CorruptStructureError, "block 0 at 0x10c00 ends at 0x20e00, behind the last"),
    ("dynamic", "block_beyond_end", CorruptStructureError, "block 0 at 0x1fffffffc00 ends at"),
    ("dynamic", "blocks_equal", CorruptStructureError, "blocks 0 and 1 overlap"),
    ("dynamic", "blocks_overlap", CorruptStructureError, "blocks 0 and 1 overlap"),
    ("dynamic", "batmap_beyond", CorruptStructureError, "VHD batmap: 512 bytes at 0x10000000000 are not inside"),
    ("dynamic", "block_on_batmap", CorruptStructureError, "lies on the header of the batmap"),
    ("differencing", "locator_length", CorruptStructureError, "VHD parent locator W2ru: its length of 100000 bytes"),
    ("differencing", "locator_beyond", CorruptStructureError, "20 bytes at 0x4000000000000 are not inside the file"),
    ("differencing", "block_on_locator", CorruptStructureError, "lies on the parent locators"),
    ("differencing", "parent_is_self", ChainError, "the differencing disk names itself as its parent"),
]

READ_ON = [
    ("dynamic", "footer_checksum", "vhd.footer_damaged"),
    ("dynamic", "footer_zeroed", "vhd.footer_damaged"),
    ("dynamic", "footer_cut", "vhd.footer_damaged"),
    ("dynamic", "copy_checksum", "vhd.copy_damaged"),
    ("dynamic", "copy_zeroed", "vhd.copy_missing"),
    ("dynamic", "copy_differs", "vhd.copy_differs"),
]


@pytest.mark.parametrize(("kind", "fault", "error", "message"), REFUSED, ids=[f"{k}-{f}" for k, f, _e, _m in REFUSED])
def test_refused(kind: str, fault: str, error: type[VDiskError], message: str) -> None:
    caught = open_bytes(break_vhd(base(kind, fault), fault))
    assert type(caught) is error
    assert message in caught.message
    assert caught.exit_code == 3
    assert caught.location is not None
    assert caught.location.path == "disk.vhd"


@pytest.mark.parametrize(("kind", "fault", "code"), READ_ON, ids=[f for _k, f, _c in READ_ON])
def test_read_on_with_a_notice(kind: str, fault: str, code: str) -> None:
    source = BytesSource(break_vhd(base(kind, fault), fault), Location("disk.vhd"))
    disk = open_container(source, path="disk.vhd")
    assert [notice.code for notice in disk.notices] == [code]
    assert disk.read_at(0, 5) == b"first"
    assert disk.read_at(BLOCK + 99, 8) == b"\0second\0"
    assert disk.facts().footer == ("damaged" if code == "vhd.footer_damaged" else "ok")


def test_every_fault_is_tried() -> None:
    assert {fault for _kind, fault, *_rest in REFUSED + READ_ON} == set(FAULTS)


def test_hints_say_what_to_do() -> None:
    for kind, fault in (("dynamic", "data_cut"), ("fixed", "size_too_large"), ("dynamic", "footer_and_copy_checksum")):
        caught = open_bytes(break_vhd(base(kind, fault), fault))
        assert caught is not None
        assert "copy the file again" in (caught.hint or "")


def test_the_copy_names_the_fields_that_differ() -> None:
    source = BytesSource(break_vhd(base("dynamic", ""), "copy_differs"))
    (notice,) = open_container(source, path=None).notices
    assert "differ in timestamp" in notice.message


def test_reserved_bytes_of_the_copy_may_differ() -> None:
    source = BytesSource(bytes(set_footer(base("dynamic", ""), 300, b"x", end=False)))
    (notice,) = open_container(source, path=None).notices
    assert "differ in reserved bytes" in notice.message


def test_a_fixed_disk_has_no_copy_to_fall_back_on() -> None:
    fixed = base("fixed", "")
    caught = open_bytes(fixed[-512:] + fixed[:-512])
    assert type(caught) is CorruptStructureError
    assert "which a fixed disk never has" in caught.message


def test_more_blocks_than_can_be_kept_in_memory() -> None:
    """A table of 2**32 entries that is really there, in a file of holes, is refused before it is read."""

    class Sparse:
        """A file of 20 GiB that is empty behind what it was given."""

        location = Location("disk.vhd")

        def __init__(self, start: bytes, end: bytes) -> None:
            self.start, self.end = start, end
            self.size = 20 << 30

        def read_at(self, offset: int, length: int) -> bytes:
            assert length < 1 << 20
            if offset >= self.size - len(self.end):
                return self.end[offset - self.size + len(self.end) :][:length]
            return self.start[offset : offset + length].ljust(length, b"\xff")

    size = (0xFFFFFFFF * 512).to_bytes(8, "big")
    data = set_footer(build_vhd("dynamic", SIZE, 512), 48, size)
    data = set_header(data, 28, b"\xff" * 4)
    with pytest.raises(UnsupportedFeatureError, match="a VHD of 4294967295 blocks: more than 4194304") as caught:
        open_container(Sparse(bytes(data[:1536]), bytes(data[-512:])), path=None)
    assert caught.value.exit_code == 5


def test_more_entries_than_the_file_has_room_for() -> None:
    """A table full of blocks in a small file is refused without listing them all."""
    data = bytearray(build_vhd("dynamic", 100_000 * 512, 512, {0: b"x"}))
    for block in range(100_000):
        data = set_bat(data, block, 5) if block < 3 else data
    data[1536 : 1536 + 400_000] = (5).to_bytes(4, "big") * 100_000
    caught = open_bytes(bytes(data))
    assert type(caught) is CorruptStructureError
    assert "has no room for all the blocks of 1024 bytes" in caught.message


@pytest.mark.parametrize("kind", ["fixed", "dynamic", "differencing"])
def test_no_single_byte_makes_a_traceback(kind: str) -> None:
    """Every byte of the structures, set to some values, gives an answer or one of our errors."""
    data = base(kind, "")
    places = [*range(len(data) - 512, len(data) - 412)]
    if kind != "fixed":
        places += [*range(100), *range(512, 512 + 80), *range(512 + 576, 512 + 640), *range(1536, 1560)]
    for place in places:
        for value in (0x00, 0x01, 0x7F, 0xFF):
            broken = bytearray(data)
            broken[place] = value
            # With right checksums, so that the fault itself is met.
            for fixed in (bytes(broken), _rechecked(broken, place, kind)):
                caught = open_bytes(fixed)
                assert caught is None or isinstance(caught, FormatError | ChainError)


def _rechecked(data: bytearray, place: int, kind: str) -> bytes:
    if place >= len(data) - 512 or place < 512:
        at = place - (len(data) - 512) if place >= 512 else place
        return bytes(set_footer(data, at, data[place : place + 1]))
    if kind != "fixed" and 512 <= place < 1536:
        return bytes(set_header(data, place - 512, data[place : place + 1]))
    return bytes(data)


def test_cut_before_the_footer_is_refused() -> None:
    data = base("dynamic", "")
    for length in {0, 1, 511, 512, 513, 1024, 1536, 2048, MIB // 8, *range(0, len(data) - 512, 7919)}:
        source = BytesSource(data[:length], Location("disk.vhd"))
        with pytest.raises(FormatError):
            open_container(source, path="disk.vhd")

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.build.vhd import BAT_OFFSET, KIB, MIB, SECTOR, ParentLink, build_vhd, noise, with_checksum
from vdiskkit.container import VirtualDisk, open_container
from vdiskkit.container.vhd.disk import BlockVhd
from vdiskkit.errors import CorruptStructureError, WriteRefusedError
from vdiskkit.io import BytesSource
from vdiskkit.location import Location
from vdiskkit.patch.disk import WritableDisk, WritableSlice, _merged, _without, open_writable
from vdiskkit.patch.staging import FileChange, Phase, StagedFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BLOCK = 64 * KIB
SIZE = 8 * BLOCK


def staged_disk(data: bytes, path: str | None = None, kind: str | None = None) -> WritableDisk:
    return open_writable(StagedFile(BytesSource(data, Location("disk.vhd"))), path=path, format=kind)


def applied(data: bytes, changes: list[FileChange], size: int) -> bytes:
    result = bytearray(data.ljust(size, b"\0"))
    for change in changes:
        assert result[change.offset : change.offset + len(change.before)] == change.before
        result[change.offset : change.offset + len(change.after)] = change.after
    return bytes(result)


def result_of(disk: WritableDisk, data: bytes) -> bytes:
    return applied(data, disk.staged.changes(), disk.staged.size)


def read_disk(data: bytes) -> bytes:
    disk = open_container(BytesSource(data), path=None)
    return disk.read_at(0, disk.size)


def phases(disk: WritableDisk) -> list[tuple[str, int, int]]:
    return [(change.phase.name, change.offset, len(change.after)) for change in disk.staged.changes()]


def test_fixed_disks_are_written_where_they_are_read() -> None:
    data = build_vhd("fixed", SIZE, content=noise(SIZE))
    disk = staged_disk(data)
    disk.write_at(1000, b"new", Phase.LINK)
    assert disk.read_at(990, 20) == noise(SIZE)[990:1000] + b"new" + noise(SIZE)[1003:1010]
    assert phases(disk) == [("LINK", 512, 512)]
    assert disk.is_allocated(0, SIZE)
    assert disk.allocations == ()
    assert result_of(disk, data)[-SECTOR:] == data[-SECTOR:]


def test_raw_images_are_written_where_they_are_read() -> None:
    data = noise(SIZE)
    disk = staged_disk(data, "disk.img")
    disk.write_at(SIZE - 3, b"end", Phase.DATA)
    assert result_of(disk, data) == data[:-3] + b"end"


def test_an_allocated_block_is_written_in_place() -> None:
    data = build_vhd("dynamic", SIZE, BLOCK, {0: noise(BLOCK)})
    disk = staged_disk(data)
    disk.write_at(700, b"new", Phase.LINK)
    place = BAT_OFFSET + SECTOR + SECTOR + 512
    assert phases(disk) == [("LINK", place, 512)]
    assert disk.is_allocated(0, BLOCK)
    assert not disk.is_allocated(0, BLOCK + 1)


def test_missing_bits_of_a_dynamic_disk_are_set() -> None:
    data = build_vhd("dynamic", SIZE, BLOCK, {0: noise(BLOCK)}, stale_sectors={0: noise(2 * SECTOR, 7)})
    bitmap_at = BAT_OFFSET + SECTOR
    data = data[:bitmap_at] + bytes([0b10000000]) + data[bitmap_at + 1 :]
    disk = staged_disk(data)
    disk.write_at(2 * SECTOR + 10, b"x", Phase.DATA)
    assert [(name, at) for name, at, _ in phases(disk)] == [("DATA", bitmap_at + 3 * SECTOR), ("CLAIM", bitmap_at)]
    assert result_of(disk, data)[bitmap_at] == 0b10100000


def test_a_block_is_added_in_the_order_that_is_safe() -> None:
    data = build_vhd("dynamic", SIZE, BLOCK, {0: noise(BLOCK)})
    disk = staged_disk(data)
    disk.write_at(3 * BLOCK + 100, b"new", Phase.LINK)
    start = len(data) - SECTOR
    length = SECTOR + BLOCK
    (allocation,) = disk.allocations
    assert allocation == (3, 3 * BLOCK, start, length)
    assert phases(disk) == [
        ("GROW", start + length, SECTOR),
        ("DATA", start, SECTOR),
        ("CLAIM", BAT_OFFSET, SECTOR),
        ("LINK", start + SECTOR, SECTOR),
    ]
    result = result_of(disk, data)
    assert result[-SECTOR:] == data[-SECTOR:] == result[:SECTOR]
    assert result[start : start + SECTOR].rstrip(b"\0") == b"\xff" * (BLOCK // SECTOR // 8)
    assert read_disk(result) == noise(BLOCK) + bytes(2 * BLOCK + 100) + b"new" + bytes(5 * BLOCK - 103)
    assert disk.container.facts().allocated_blocks == 2


def test_several_blocks_leave_one_footer() -> None:
    data = build_vhd("dynamic", SIZE, BLOCK, {0: noise(BLOCK)})
    disk = staged_disk(data)
    disk.write_at(BLOCK - 5, noise(3 * BLOCK, 3), Phase.DATA)
    disk.write_at(7 * BLOCK, b"end", Phase.RELEASE)
    result = result_of(disk, data)
    assert [allocation.block for allocation in disk.allocations] == [1, 2, 3, 7]
    assert result.count(b"conectix") == 2
    assert read_disk(result) == (noise(BLOCK)[:-5] + noise(3 * BLOCK, 3)).ljust(7 * BLOCK, b"\0") + b"end".ljust(
        BLOCK, b"\0"
    )


def test_zeros_are_not_stored_where_there_are_zeros() -> None:
    data = build_vhd("dynamic", SIZE, BLOCK, {0: noise(BLOCK)})
    disk = staged_disk(data)
    disk.write_at(BLOCK, bytes(3 * BLOCK), Phase.DATA)
    assert disk.allocations == ()
    assert disk.staged.changes() == []
    disk.write_at(BLOCK - 1, bytes(2), Phase.DATA)
    assert disk.allocations == ()
    assert disk.read_at(BLOCK - 1, 2) == bytes(2)


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("block_size", [512 * KIB, 2 * MIB, 16 * MIB])
def test_alignment_is_kept_where_all_blocks_have_it(block_size: int, aligned: bool) -> None:
    data = build_vhd("dynamic", 4 * block_size, block_size, {block_size: b"old"}, aligned_4k=aligned)
    disk = staged_disk(data)
    disk.write_at(2 * block_size + 5000, b"new", Phase.DATA)
    disk.write_at(3 * block_size, b"newer", Phase.DATA)
    result = result_of(disk, data)
    again = open_container(BytesSource(result), path=None)
    assert isinstance(again, BlockVhd)
    assert again.data_aligned_4k is aligned
    if aligned:
        assert (len(result) - SECTOR) % 4096 == 0
    else:
        stride = block_size + again.header.bitmap_size
        assert [item.file_offset for item in disk.allocations] == [len(data) - SECTOR, len(data) - SECTOR + stride]
    assert again.notices == ()


def test_stray_content_behind_the_last_block_does_not_show() -> None:
    data = build_vhd("dynamic", SIZE, BLOCK, {0: noise(BLOCK)})
    stray = noise(3 * SECTOR, 9)
    data = data[:-SECTOR] + stray + data[-SECTOR:]
    disk = staged_disk(data)
    disk.write_at(BLOCK + 100, b"new", Phase.LINK)
    start = len(data) - 4 * SECTOR
    assert disk.allocations[0].file_offset == start
    assert read_disk(result_of(disk, data))[BLOCK : 2 * BLOCK] == (bytes(100) + b"new").ljust(BLOCK, b"\0")
    # The content lies in a sector that has to become zeros before the block is referred to.
    content_at = start + SECTOR
    assert phases(disk)[1:] == [
        ("DATA", start, 4 * SECTOR),
        ("CLAIM", BAT_OFFSET, SECTOR),
        ("LINK", content_at, SECTOR),
    ]
    before_link = [change for change in disk.staged.changes() if change.phase < Phase.LINK]
    assert read_disk(applied(data, before_link, disk.staged.size)) == read_disk(data)


def test_a_long_stray_tail_takes_the_block_without_growth() -> None:
    data = build_vhd("dynamic", SIZE, BLOCK, {0: noise(BLOCK)})
    data = data[:-SECTOR] + noise(2 * BLOCK, 9) + data[-SECTOR:]
    disk = staged_disk(data)
    disk.write_at(BLOCK, b"new", Phase.DATA)
    assert disk.staged.size == len(data)
    assert read_disk(result_of(disk, data))[BLOCK : 2 * BLOCK] == b"new".ljust(BLOCK, b"\0")


class Chain:
    """A dynamic parent with content everywhere, and a differencing child."""

    def __init__(self, folder: Path, content: dict[int, bytes]) -> None:
        parent = build_vhd("dynamic", SIZE, BLOCK, noise(SIZE, 1))
        (folder / "disk.vhd").write_bytes(parent)
        self.path = str(folder / "disk.1.avhd")
        self.data = build_vhd("differencing", SIZE, BLOCK, content, parent=ParentLink.to(parent, "disk.vhd"))

    def open(self) -> WritableDisk:
        return staged_disk(self.data, self.path)

    def read(self, data: bytes) -> bytes:
        disk = open_container(BytesSource(data), path=self.path)
        content = disk.read_at(0, disk.size)
        disk.close()
        return content


def test_a_differencing_disk_takes_the_rest_of_a_sector_from_its_parent(tmp_path: Path) -> None:
    chain = Chain(tmp_path, {0: noise(SECTOR, 2)})
    disk = chain.open()
    disk.write_at(SECTOR + 100, b"new", Phase.DATA)
    expected = bytearray(noise(SECTOR, 2) + noise(SIZE, 1)[SECTOR:])
    expected[SECTOR + 100 : SECTOR + 103] = b"new"
    assert chain.read(result_of(disk, chain.data)) == disk.read_at(0, SIZE) == expected
    assert [name for name, _, _ in phases(disk)] == ["DATA", "CLAIM"]
    disk.close()


def test_in_a_differencing_disk_the_bit_takes_the_phase_of_the_content(tmp_path: Path) -> None:
    chain = Chain(tmp_path, {0: noise(SECTOR, 2)})
    disk = chain.open()
    disk.write_at(0, b"shown", Phase.LINK)
    disk.write_at(2 * SECTOR, b"hidden", Phase.RELEASE)
    disk.write_at(2 * SECTOR, b"HIDDEN", Phase.LINK)
    bitmap_at = len(chain.data) - SECTOR - BLOCK - SECTOR
    assert phases(disk) == [
        ("DATA", bitmap_at + 3 * SECTOR, SECTOR),
        ("LINK", bitmap_at + SECTOR, SECTOR),
        ("RELEASE", bitmap_at, SECTOR),
    ]
    disk.close()


def test_a_new_block_of_a_differencing_disk_shows_the_parent_elsewhere(tmp_path: Path) -> None:
    chain = Chain(tmp_path, {})
    disk = chain.open()
    content = noise(3 * SECTOR, 5)
    disk.write_at(BLOCK - SECTOR - 7, content, Phase.LINK)
    result = result_of(disk, chain.data)
    expected = bytearray(noise(SIZE, 1))
    expected[BLOCK - SECTOR - 7 : BLOCK + 2 * SECTOR - 7] = content
    assert chain.read(result) == expected
    assert [allocation.block for allocation in disk.allocations] == [0, 1]
    assert [item for item in phases(disk) if item[0] == "CLAIM"] == [("CLAIM", BAT_OFFSET, SECTOR)]
    bitmaps = [allocation.file_offset for allocation in disk.allocations]
    assert [item for item in phases(disk) if item[0] == "LINK"] == [("LINK", at, SECTOR) for at in bitmaps]
    before_link = [change for change in disk.staged.changes() if change.phase < Phase.LINK]
    assert chain.read(applied(chain.data, before_link, disk.staged.size)) == noise(SIZE, 1)
    disk.close()


def test_in_a_differencing_disk_later_content_of_a_sector_is_written_over_earlier_one(tmp_path: Path) -> None:
    chain = Chain(tmp_path, {0: noise(SECTOR, 2)})
    disk = chain.open()
    for text, phase in ((b"one", Phase.DATA), (b"two", Phase.CLAIM), (b"three", Phase.LINK)):
        disk.write_at(2 * SECTOR, text, phase)
    bitmap_at = len(chain.data) - SECTOR - BLOCK - SECTOR
    assert phases(disk) == [
        ("DATA", bitmap_at + 3 * SECTOR, SECTOR),
        ("CLAIM", bitmap_at, SECTOR),
        ("LINK", bitmap_at + 3 * SECTOR, SECTOR),
    ]
    for phase, text in ((Phase.DATA, noise(SIZE, 1)[2 * SECTOR :][:5]), (Phase.CLAIM, b"two"), (Phase.LINK, b"three")):
        done = [change for change in disk.staged.changes() if change.phase <= phase]
        assert chain.read(applied(chain.data, done, disk.staged.size))[2 * SECTOR :].startswith(text)
    disk.close()


def test_what_the_parent_has_is_not_stored_again(tmp_path: Path) -> None:
    chain = Chain(tmp_path, {0: noise(SECTOR, 2)})
    disk = chain.open()
    disk.write_at(SECTOR, noise(SIZE, 1)[SECTOR : 2 * BLOCK], Phase.DATA)
    assert disk.staged.changes() == []
    disk.close()


def test_blocks_are_not_put_on_the_space_of_a_parent_locator(tmp_path: Path) -> None:
    chain = Chain(tmp_path, {})
    # The locator's text is shorter than the space that is reserved for it.
    space = 8 * SECTOR
    header = bytearray(chain.data[512:1536])
    struct.pack_into(">I", header, 576 + 4, space)
    locator_at = struct.unpack_from(">Q", header, 576 + 16)[0]
    chain.data = chain.data[:512] + with_checksum(bytes(header), 36) + chain.data[1536:]
    disk = chain.open()
    disk.write_at(0, b"new", Phase.DATA)
    start = disk.allocations[0].file_offset
    assert start >= locator_at + space
    assert (start + SECTOR) % 4096 == 0
    disk.close()


def footer_field(data: bytes, at: int, value: bytes, *, copy: bool = True) -> bytes:
    footer = bytearray(data[-SECTOR:])
    footer[at : at + len(value)] = value
    new = with_checksum(bytes(footer), 64)
    return (new if copy else data[:SECTOR]) + data[SECTOR:-SECTOR] + new


DYNAMIC = build_vhd("dynamic", SIZE, BLOCK, {0: noise(BLOCK)})
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "511_fixed": (lambda: build_vhd("fixed", SIZE, footer_511=True), "511 bytes"),
    "511_dynamic": (lambda: DYNAMIC[:-1], "511 bytes"),
    "damaged": (lambda: DYNAMIC[:-300] + b"?" + DYNAMIC[-299:], "footer at the end of the file is damaged"),
    "missing": (lambda: DYNAMIC[:-SECTOR], "footer at the end of the file is damaged or missing"),
    "copy_missing": (lambda: bytes(SECTOR) + DYNAMIC[SECTOR:], "copy of the VHD footer at the start of the file is mi"),
    "copy_damaged": (lambda: DYNAMIC[:300] + b"?" + DYNAMIC[301:], "at the start of the file is damaged"),
    "copy_differs": (lambda: footer_field(DYNAMIC, 100, b"?", copy=False), "at the start of the file differs"),
    "saved_state": (lambda: footer_field(DYNAMIC, 84, b"\1"), "saved state"),
    "batmap": (lambda: build_vhd("dynamic", SIZE, BLOCK, creator=b"tap\0", batmap=True), "batmap"),
    "odd_length": (lambda: DYNAMIC[:-SECTOR] + b"odd" + DYNAMIC[-SECTOR:], "no multiple of 512"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_unsafe_shapes_are_refused_with_the_reason(name: str) -> None:
    build, reason = REFUSED[name]
    with pytest.raises(WriteRefusedError, match=reason) as caught:
        staged_disk(build())
    assert str(caught.value.location) == "disk.vhd"
    assert caught.value.hint
    assert caught.value.exit_code == 5


def test_a_container_opened_as_raw_is_refused() -> None:
    with pytest.raises(WriteRefusedError, match="opened as raw"):
        staged_disk(DYNAMIC, kind="raw")


class Huge:
    """A dynamic VHD whose end is terabytes away: the parts that are read, zeros between them."""

    location = Location("disk.vhd")

    def __init__(self, virtual_size: int, last_sector: int | None) -> None:
        count = -(-virtual_size // (2 * MIB))
        table = bytearray(b"\xff" * (-(-count * 4 // SECTOR) * SECTOR))
        small = build_vhd("dynamic", 2 * MIB, 2 * MIB)
        end = BAT_OFFSET + len(table)
        if last_sector is not None:
            struct.pack_into(">I", table, 0, last_sector)
            end = last_sector * SECTOR + SECTOR + 2 * MIB
        footer = with_checksum(small[:48] + struct.pack(">Q", virtual_size) + small[56:SECTOR], 64)
        header = with_checksum(small[512:540] + struct.pack(">I", count) + small[544:1536], 36)
        self.size = end + SECTOR
        self._parts = [(0, footer + header + bytes(table)), (end, footer)]

    def read_at(self, offset: int, length: int) -> bytes:
        result = bytearray(length)
        for at, part in self._parts:
            low, high = max(at, offset), min(at + len(part), offset + length)
            if low < high:
                result[low - offset : high - offset] = part[low - at : high - at]
        return bytes(result)


def test_a_disk_of_more_than_2040_gib_is_refused() -> None:
    with pytest.raises(WriteRefusedError, match="2040 GiB"):
        open_writable(StagedFile(Huge(2041 << 30, None)), path=None)


def test_a_file_does_not_grow_beyond_2040_gib() -> None:
    last = ((2040 << 30) - 3 * MIB) // SECTOR // 8 * 8 - 1
    disk = open_writable(StagedFile(Huge(2040 << 30, last)), path=None)
    disk.write_at(100, b"in place", Phase.DATA)
    with pytest.raises(WriteRefusedError, match="grow beyond 2040 GiB"):
        disk.write_at(4 * MIB, b"new", Phase.DATA)
    assert disk.allocations == ()
    assert disk.staged.size == disk.staged.original_size


def test_a_container_of_another_kind_is_refused() -> None:
    class Other(VirtualDisk):
        format = "vmdk"

        def map(self, offset: int, length: int) -> object:  # type: ignore[override]
            raise AssertionError

        def facts(self) -> object:  # type: ignore[override]
            raise AssertionError

    staged = StagedFile(BytesSource(bytes(SIZE)))
    with pytest.raises(WriteRefusedError, match="VMDK"):
        WritableDisk(Other(staged, None, SIZE), staged)


def test_a_container_over_something_else_is_a_programming_error() -> None:
    source = BytesSource(DYNAMIC)
    with pytest.raises(ValueError, match="staged file itself"):
        WritableDisk(open_container(source, path=None), StagedFile(source))


def test_writes_outside_the_disk_are_refused() -> None:
    disk = staged_disk(DYNAMIC)
    for offset, data in ((SIZE - 1, b"xx"), (-1, b"x"), (SIZE, b"x")):
        with pytest.raises(CorruptStructureError, match="outside"):
            disk.write_at(offset, data, Phase.DATA)
    with pytest.raises(CorruptStructureError, match="outside"):
        disk.is_allocated(SIZE, 1)


def test_a_slice_writes_at_its_place_and_not_beyond() -> None:
    disk = staged_disk(build_vhd("fixed", SIZE))
    part = WritableSlice(disk, BLOCK, BLOCK, disk.location.at("partition", 1))
    assert (part.size, str(part.location)) == (BLOCK, "disk.vhd > partition:0x1")
    part.write_at(BLOCK - 3, b"end", Phase.LINK)
    assert part.read_at(BLOCK - 3, 3) == disk.read_at(2 * BLOCK - 3, 3) == b"end"
    with pytest.raises(CorruptStructureError):
        part.write_at(BLOCK - 3, b"past", Phase.LINK)
    with pytest.raises(CorruptStructureError):
        part.read_at(BLOCK, 1)
    with pytest.raises(CorruptStructureError):
        WritableSlice(disk, SIZE, 1)


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=6),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=6),
)
def test_ranges_without_holes(ranges: list[tuple[int, int]], holes: list[tuple[int, int]]) -> None:
    ranges, holes = ([(first, first + count) for first, count in items if count] for items in (ranges, holes))
    left = list(_without(_merged(ranges), _merged(holes)))
    expected = {number for first, end in ranges for number in range(first, end)}
    expected -= {number for first, end in holes for number in range(first, end)}
    assert [number for first, end in left for number in range(first, end)] == sorted(expected)


@pytest.mark.parametrize("kind", ["fixed", "dynamic", "differencing", "differencing-absent", "dynamic-absent"])
def test_guards_tell_when_somebody_else_has_written(tmp_path: Path, kind: str) -> None:
    """Any write into the guarded range of the disk, made by itself, changes a guarded range of the file."""
    there = 2 * BLOCK
    content = {there: noise(8 * SECTOR, 3), there + 40 * SECTOR: noise(8 * SECTOR, 4)} if "absent" not in kind else {}
    if kind.startswith("differencing"):
        chain = Chain(tmp_path, content)
        data, path = chain.data, chain.path
    else:
        data, path = build_vhd(kind.partition("-")[0], SIZE, BLOCK, content), None
    disk = staged_disk(data, path)
    disk.write_at(BLOCK, b"this change", Phase.LINK)
    disk.write_at(there + 50 * SECTOR, b"and there", Phase.LINK)
    guards = disk.guards([(there + 100, 3 * SECTOR), (there + 30 * SECTOR, 40 * SECTOR)])
    changed = applied(data, disk.staged.changes(), disk.staged.size)
    written = {
        number for change in disk.staged.changes() for number in range(change.offset, change.offset + len(change.after))
    }
    assert written.isdisjoint(number for at, length in guards for number in range(at, at + length))
    disk.close()
    for sector in (0, 2, 30, 31, 41, 49, 60, 69):
        other = staged_disk(changed, path)
        other.write_at(there + sector * SECTOR + 200, b"somebody else", Phase.LINK)
        after = applied(changed, other.staged.changes(), other.staged.size)
        seen = any(data[at : at + length] != after[at : at + length] for at, length in guards)
        journaled = any(
            changed[change.offset : change.offset + len(change.after)]
            != after[change.offset : change.offset + len(change.after)]
            for change in disk.staged.changes()
        )
        # Where the file has grown, anything that this change did not write is somebody else's.
        assert seen or journaled or after[len(data) :] != changed[len(data) :]
        other.close()

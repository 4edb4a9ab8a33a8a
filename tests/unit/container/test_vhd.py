"""Reading fixed, dynamic and differencing VHDs."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import pytest

from tests.build.vhd import KIB, MIB, SECTOR, ParentLink, build_vhd, difference, noise, write_vhd
from tests.build.vhd_faults import set_bat, set_footer
from tests.lacks import needs_holes
from vdiskkit.container import Extent, ExtentKind, open_container
from vdiskkit.errors import CorruptStructureError
from vdiskkit.io import BytesSource, FileSource
from vdiskkit.location import Location

if TYPE_CHECKING:
    from pathlib import Path

BLOCK = 64 * KIB
SIZE = 5 * BLOCK + 3 * SECTOR
FILE, PARENT, ZERO = ExtentKind.FILE, ExtentKind.PARENT, ExtentKind.ZERO


def raw_bytes() -> bytes:
    raw = bytearray(SIZE)
    raw[100:120] = b"twenty bytes of data"
    raw[BLOCK - 3 : BLOCK + 3] = b"across"
    raw[-5:] = b"close"
    return bytes(raw)


class Counting(BytesSource):
    """Bytes that remember their reads."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data, Location("disk.vhd"))
        self.calls: list[tuple[int, int]] = []

    def read_at(self, offset: int, length: int) -> bytes:
        self.calls.append((offset, length))
        return super().read_at(offset, length)


@pytest.mark.parametrize("kind", ["fixed", "dynamic"])
@pytest.mark.parametrize("footer_511", [False, True])
@pytest.mark.parametrize("aligned_4k", [False, True])
def test_every_byte(kind: str, footer_511: bool, aligned_4k: bool) -> None:
    raw = raw_bytes()
    data = build_vhd(kind, SIZE, BLOCK, raw, footer_511=footer_511, aligned_4k=aligned_4k)
    disk = open_container(BytesSource(data), path=None)
    assert disk.size == SIZE
    assert disk.subformat == kind
    assert disk.read_at(0, SIZE) == raw
    assert disk.read_at(SIZE, 0) == b""
    assert disk.notices == ()
    assert disk.facts().footer == ("short_511" if footer_511 else "ok")


@pytest.mark.parametrize("block_size", [512, 4 * KIB, 512 * KIB, 2 * MIB, 16 * MIB])
def test_block_sizes(block_size: int) -> None:
    size = 3 * max(block_size, 64 * KIB)
    content = {0: b"one", size - 4: b"last", size // 2: noise(5000, 1)}
    raw = bytearray(size)
    for at, piece in content.items():
        raw[at : at + len(piece)] = piece
    disk = open_container(BytesSource(build_vhd("dynamic", size, block_size, content)), path=None)
    assert disk.block_size == block_size
    assert disk.read_at(0, size) == raw


def test_blocks_in_any_order_of_the_file() -> None:
    raw = noise(SIZE, 2)
    data = build_vhd("dynamic", SIZE, BLOCK, raw, block_order=lambda blocks: blocks[::-1], extra_bat_entries=7)
    assert open_container(BytesSource(data), path=None).read_at(0, SIZE) == raw


def test_the_map_of_a_dynamic_disk() -> None:
    disk = open_container(BytesSource(build_vhd("dynamic", SIZE, BLOCK, {2 * BLOCK: b"x"})), path=None)
    assert list(disk.map(0, SIZE)) == [
        Extent(0, 2 * BLOCK, ZERO, None),
        Extent(2 * BLOCK, BLOCK, FILE, 2048 + 512),
        Extent(3 * BLOCK, SIZE - 3 * BLOCK, ZERO, None),
    ]
    assert list(disk.map(2 * BLOCK + 7, 5)) == [Extent(2 * BLOCK + 7, 5, FILE, 2048 + 512 + 7)]
    assert list(disk.map(5, 0)) == []


def test_the_map_of_a_fixed_disk() -> None:
    disk = open_container(BytesSource(build_vhd("fixed", SIZE)), path=None)
    assert list(disk.map(3, SIZE - 3)) == [Extent(3, SIZE - 3, FILE, 3)]
    assert list(disk.map(3, 0)) == []


@pytest.mark.parametrize("kind", ["fixed", "dynamic"])
@pytest.mark.parametrize(("offset", "length"), [(-1, 1), (0, SIZE + 1), (SIZE, 1), (5, -1), (1 << 70, 1)])
def test_outside_the_disk(kind: str, offset: int, length: int) -> None:
    disk = open_container(BytesSource(build_vhd(kind, SIZE, BLOCK), Location("disk.vhd")), path=None)
    with pytest.raises(CorruptStructureError, match="points outside the virtual disk"):
        disk.read_at(offset, length)
    with pytest.raises(CorruptStructureError, match="points outside the virtual disk"):
        list(disk.map(offset, length))


def test_a_dynamic_disk_ignores_its_sector_bitmaps() -> None:
    """As qemu and most readers do; tools disagree only on disks that no tool writes."""
    data = build_vhd("dynamic", SIZE, BLOCK, {0: b"set"}, stale_sectors={SECTOR: b"clear"})
    assert open_container(BytesSource(data), path=None).read_at(SECTOR, 5) == b"clear"


def test_reads_near_to_each_other_are_one_call() -> None:
    data = build_vhd("dynamic", SIZE, BLOCK, bytes([1]) * SIZE)
    source = Counting(data)
    disk = open_container(source, path=None)
    source.calls.clear()
    # Between the data of two neighbouring blocks lies one bitmap of 512 bytes.
    assert disk.read_at(BLOCK - 100, 200) == bytes([1]) * 200
    assert source.calls == [(2048 + 512 + BLOCK - 100, 712)]


def test_zeros_cost_no_call() -> None:
    source = Counting(build_vhd("dynamic", SIZE, BLOCK))
    disk = open_container(source, path=None)
    source.calls.clear()
    assert disk.read_at(0, SIZE) == bytes(SIZE)
    assert source.calls == []


def test_facts() -> None:
    unique_id = bytes(range(16))
    timestamp = int(
        (dt.datetime(2024, 5, 6, 7, 8, 9, tzinfo=dt.UTC) - dt.datetime(2000, 1, 1, tzinfo=dt.UTC)).total_seconds()
    )
    data = build_vhd("dynamic", 40 * MIB, content={0: b"x", 10 * MIB: b"y"}, unique_id=unique_id, timestamp=timestamp)
    disk = open_container(BytesSource(data, Location("disk.vhd")), path="disk.vhd")
    facts = disk.facts().to_dict()
    json.dumps(facts)
    assert facts == {
        "format": "vhd", "type": "dynamic", "virtual_size": 40 * MIB, "file_size": len(data), "sector_size": 512,
        "block_size": 2 * MIB, "block_count": 20, "allocated_blocks": 2, "allocated_bytes": 4 * MIB,
        "data_aligned_4k": False, "unique_id": "00010203-0405-0607-0809-0a0b0c0d0e0f", "windows_id": None,
        "creator_application": "win", "creator_version": "10.0", "creator_host_os": "Wi2k",
        "created": "2024-05-06T07:08:09Z",
        "geometry": {"cylinders": 963, "heads": 5, "sectors_per_track": 17}, "footer": "ok", "vhdx": None,
        "parent": None,
        "chain": [{
            "path": "disk.vhd", "format": "vhd", "type": "dynamic", "virtual_size": 40 * MIB, "file_size": len(data),
            "allocated_bytes": 4 * MIB, "unique_id": "00010203-0405-0607-0809-0a0b0c0d0e0f",
            "created": "2024-05-06T07:08:09Z", "parent": None,
        }],
    }  # fmt: skip
    assert disk.unique_id == "00010203-0405-0607-0809-0a0b0c0d0e0f"


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("block_size", [512 * KIB, 2 * MIB, 16 * MIB])
def test_alignment_is_told(aligned: bool, block_size: int) -> None:
    # A bitmap of 16 MiB blocks is 4096 bytes, so an unaligned start stays unaligned and an aligned one aligned.
    data = build_vhd("dynamic", 48 * MIB, block_size, {0: b"x", 30 * MIB: b"y"}, aligned_4k=aligned)
    assert open_container(BytesSource(data), path=None).facts().data_aligned_4k is aligned


def test_alignment_of_nothing_is_not_told() -> None:
    assert open_container(BytesSource(build_vhd("dynamic", MIB)), path=None).facts().data_aligned_4k is None


def test_a_batmap_is_passed_over() -> None:
    data = build_vhd("dynamic", SIZE, BLOCK, raw_bytes(), batmap=True, creator=b"tap\0")
    disk = open_container(BytesSource(data), path=None)
    assert disk.read_at(0, SIZE) == raw_bytes()
    assert disk.facts().creator_application == "tap"


def test_a_saved_state_is_said() -> None:
    data = bytes(set_footer(build_vhd("dynamic", SIZE, BLOCK), 84, b"\1"))
    assert [item.code for item in open_container(BytesSource(data), path=None).notices] == ["vhd.saved_state"]


@pytest.mark.parametrize(
    ("creator", "geometry", "codes"),
    [
        (b"win ", (1, 1, 1), []),
        (b"vpc ", (1, 1, 1), ["vhd.geometry_size"]),
        (b"qemu", (1, 1, 1), ["vhd.geometry_size"]),
        (b"qemu", (65535, 16, 255), []),
        *((creator, (1, 1, 1), []) for creator in (b"qem2", b"d2v ", b"tap\0", b"CTXS", b"wa\0\0")),
        *((creator, (1, 1, 1), ["vhd.geometry_size"]) for creator in (b"vbox", b"wimg", b"dutl", b"vs  ")),
    ],
)
def test_the_current_size_counts(creator: bytes, geometry: tuple[int, int, int], codes: list[str]) -> None:
    data = build_vhd("fixed", SIZE, creator=creator, geometry=geometry)
    disk = open_container(BytesSource(data), path=None)
    assert disk.size == SIZE
    assert [notice.code for notice in disk.notices] == codes


def test_bytes_between_a_fixed_disk_and_its_footer() -> None:
    data = build_vhd("fixed", SIZE, content={SIZE - 4: b"last"})
    disk = open_container(BytesSource(data[:-512] + bytes(1024) + data[-512:]), path=None)
    assert disk.size == SIZE
    assert disk.read_at(SIZE - 4, 4) == b"last"
    assert [notice.code for notice in disk.notices] == ["vhd.fixed_size"]


def test_entries_behind_the_size_are_not_looked_at() -> None:
    """There may be more entries than blocks; what they hold is not part of the disk."""
    data = bytes(set_bat(build_vhd("dynamic", SIZE, BLOCK, raw_bytes(), extra_bat_entries=3), 8, 1))
    assert open_container(BytesSource(data), path=None).read_at(0, SIZE) == raw_bytes()


@pytest.mark.thorough
@needs_holes
def test_a_disk_of_one_tebibyte(tmp_path: Path) -> None:
    """Its table of 524,288 entries is read in one call and its map walked without a list of blocks."""
    raw = tmp_path / "disk.raw"
    with raw.open("wb") as file:
        file.truncate(1 << 40)
        file.seek(600 << 30)
        file.write(b"far out")
    path = tmp_path / "disk.vhd"
    write_vhd(path, raw, aligned_4k=True)
    with FileSource(str(path)) as source:
        disk = open_container(source, path=str(path))
        assert disk.size == 1 << 40
        assert disk.read_at(600 << 30, 8) == b"far out\0"
        kinds = [(extent.kind, extent.length) for extent in disk.map(0, disk.size)]
        assert kinds == [(ZERO, 600 << 30), (FILE, 2 * MIB), (ZERO, (424 << 30) - 2 * MIB)]
        assert disk.facts().allocated_blocks == 1


def test_a_streamed_differencing_file(tmp_path: Path) -> None:
    old, new = tmp_path / "old.raw", tmp_path / "new.raw"
    before = noise(SIZE, 3)
    after = before[:BLOCK] + b"changed" + before[BLOCK + 7 :]
    old.write_bytes(before)
    new.write_bytes(after)
    write_vhd(tmp_path / "a.vhd", old, block_size=BLOCK)
    link = ParentLink.to(tmp_path / "a.vhd")
    write_vhd(tmp_path / "a.1.avhd", new, kind="differencing", block_size=BLOCK, base=old, parent=link)
    path = str(tmp_path / "a.1.avhd")
    with FileSource(path) as source:
        disk = open_container(source, path=path)
        assert disk.read_at(0, SIZE) == after
        assert disk.facts().allocated_blocks == 1
        disk.close()
    assert difference(before, after) == {BLOCK: after[BLOCK : BLOCK + SECTOR]}

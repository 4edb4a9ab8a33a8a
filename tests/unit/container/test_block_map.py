"""What a disk is made of and how its file is used, for every kind of file."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests.build.vhd import KIB, build_vhd
from tests.build.vhd import ParentLink as Link
from tests.build.vhdx import BAT_REGION, MIB, UNDEFINED, UNMAPPED, ZERO, Image, build_vhdx, chunk_ratio, link_to
from vdiskkit.container.block_map import IN_FILE, IN_PARENT, ZEROS, BlockState, FileUse, block_states, file_use, parts
from vdiskkit.container.detect import Probe
from vdiskkit.container.raw import RawDisk
from vdiskkit.container.single import open_single
from vdiskkit.io import BytesSource

if TYPE_CHECKING:
    from vdiskkit.container.disk import VirtualDisk
    from vdiskkit.io import ByteSource

LINK = Link(b"p" * 16, "parent.vhd", ((b"W2ru", r".\parent.vhd"),))


def disk_of(data: bytes | Image) -> VirtualDisk:
    source: ByteSource = BytesSource(data) if isinstance(data, bytes) else data
    return open_single(Probe.of(source), None)


def test_a_raw_image_and_a_fixed_vhd_are_their_file() -> None:
    raw = RawDisk(Probe.of(BytesSource(bytes(4096))), None)
    assert list(parts(raw)) == [(IN_FILE, 0, 4096)]
    assert block_states(raw) == (BlockState("whole", "file", 0, 4096),)
    assert file_use(raw) == FileUse(0, 4096, 0, 1)
    fixed = disk_of(build_vhd("fixed", 64 * KIB))
    assert list(parts(fixed)) == [(IN_FILE, 0, 64 * KIB)]
    assert file_use(fixed) == FileUse(512, 64 * KIB, 0, 1)
    data = build_vhd("fixed", 64 * KIB)
    assert file_use(disk_of(data[:-512] + bytes(1024) + data[-512:])).unreferenced == 1024
    assert file_use(disk_of(data[:-1])).structures == 511


def test_a_dynamic_vhd() -> None:
    block = 16 * KIB
    data = build_vhd("dynamic", 5 * block - 512, block, {block: b"a", 2 * block: b"b", 4 * block: b"c"})
    disk = disk_of(data)
    assert list(parts(disk)) == [
        (ZEROS, 0, block), (IN_FILE, block, 2 * block), (ZEROS, 3 * block, block), (IN_FILE, 4 * block, block - 512),
    ]  # fmt: skip
    assert block_states(disk) == (
        BlockState("not_allocated", "zeros", 2, 2 * block),
        BlockState("allocated", "file", 3, 3 * block - 512),
    )
    # Two footers, a header of two sectors, the table, and a bitmap before each block.
    assert file_use(disk) == FileUse((2 + 2 + 1 + 3) * 512, 3 * block, 0, 1)
    assert sum((*file_use(disk)[:3],)) == len(data)


@pytest.mark.parametrize("aligned", [False, True])
def test_gaps_of_alignment_belong_to_nothing_but_tear_nothing_apart(aligned: bool) -> None:
    block = 2 * MIB
    data = build_vhd("dynamic", 3 * block, block, {0: b"a", block: b"b", 2 * block: b"c"}, aligned_4k=aligned)
    use = file_use(disk_of(data))
    assert use.fragments == 1
    assert (use.unreferenced > 8000) is aligned
    assert use.structures + use.blocks + use.unreferenced == len(data)


def test_the_order_of_blocks_shows_as_fragments() -> None:
    block = 2 * MIB
    content = {at * block: b"x" for at in range(6)}
    for order, pieces in (([5, 4, 3, 2, 1, 0], 6), ([0, 1, 2, 3, 4, 5], 1), ([3, 4, 5, 0, 1, 2], 2)):
        data = build_vhd("dynamic", 6 * block, block, content, block_order=lambda _, order=order: order)
        assert file_use(disk_of(data)).fragments == pieces


def test_a_dropped_block_is_space_that_belongs_to_nothing() -> None:
    block = 64 * KIB
    data = bytearray(build_vhd("dynamic", 3 * block, block, {0: b"a", block: b"b"}))
    data[1536 + 4 : 1536 + 8] = b"\xff" * 4
    use = file_use(disk_of(bytes(data)))
    assert (use.blocks, use.unreferenced) == (block, block + 512)


def test_a_differencing_vhd() -> None:
    block = 64 * KIB
    content = {512: b"a" * 1024, block: b"b" * block, 3 * block - 512: b"c" * 512}
    disk = disk_of(build_vhd("differencing", 4 * block, block, content, parent=LINK))
    assert list(parts(disk)) == [
        (IN_PARENT, 0, 512), (IN_FILE, 512, 1024), (IN_PARENT, 1536, block - 1536), (IN_FILE, block, block),
        (IN_PARENT, 2 * block, block - 512), (IN_FILE, 3 * block - 512, 512), (IN_PARENT, 3 * block, block),
    ]  # fmt: skip
    assert block_states(disk) == (
        BlockState("not_allocated", "parent", 1, block),
        BlockState("allocated", "file_and_parent", 3, 3 * block),
    )
    use = file_use(disk)
    assert use.structures + use.blocks + use.unreferenced == disk.file_size
    assert use.unreferenced < 512, "the rest of the locator's last sector"


def test_a_dynamic_vhdx() -> None:
    states = {1: ZERO, 2: UNMAPPED, 3: UNDEFINED}
    image = build_vhdx("dynamic", 6 * MIB - 512, MIB, {0: b"a", 5 * MIB: b"b"}, states=states)
    disk = disk_of(image)
    assert list(parts(disk)) == [(IN_FILE, 0, MIB), (ZEROS, MIB, 4 * MIB), (IN_FILE, 5 * MIB, MIB - 512)]
    assert block_states(disk) == (
        BlockState("not_present", "zeros", 1, MIB),
        BlockState("undefined", "zeros", 1, MIB),
        BlockState("zero", "zeros", 1, MIB),
        BlockState("unmapped", "zeros", 1, MIB),
        BlockState("fully_present", "file", 2, 2 * MIB - 512),
    )
    # Header section, log, metadata and table take 1 MiB each.
    assert file_use(disk) == FileUse(4 * MIB, 2 * MIB, 0, 1)
    image.truncate(image.size + 3 * MIB)
    assert file_use(disk_of(image)).unreferenced == 3 * MIB
    image.truncate(image.size - 3 * MIB - 512)
    assert file_use(disk_of(image)) == FileUse(4 * MIB, 2 * MIB - 512, 0, 1)


def test_a_differencing_vhdx() -> None:
    """Zeros of its own hide the parent, blocks that are not there do not."""
    image = build_vhdx(
        "differencing", 4 * MIB, MIB, {512: b"a" * 512}, parent=link_to(uuid.UUID(int=1)), states={1: ZERO, 2: 6}
    )
    disk = disk_of(image)
    assert list(parts(disk)) == [
        (IN_PARENT, 0, 512), (IN_FILE, 512, 512), (IN_PARENT, 1024, MIB - 1024), (ZEROS, MIB, MIB),
        (IN_FILE, 2 * MIB, MIB), (IN_PARENT, 3 * MIB, MIB),
    ]  # fmt: skip
    assert [(item.name, item.reads_as) for item in block_states(disk)] == [
        ("not_present", "parent"), ("zero", "zeros"), ("fully_present", "file"),
        ("partially_present", "file_and_parent"),
    ]  # fmt: skip
    # One sector bitmap block beside the four regions.
    assert file_use(disk) == FileUse(5 * MIB, 2 * MIB, 0, 1)


@pytest.mark.thorough
def test_two_tebibytes_of_small_blocks_cost_no_read_and_little_memory() -> None:
    import tracemalloc

    size = 2 << 40
    image = build_vhdx("dynamic", size, MIB)
    place = image.size
    for block in range(0, 40_000, 2):
        image.set_entry(block + block // chunk_ratio(MIB, 512), place + block // 2 * MIB | 6)
    image.truncate(place + 20_000 * MIB)
    assert image.region(BAT_REGION)
    disk = disk_of(image)
    image.reads.clear()
    tracemalloc.start()
    found = sum(1 for _ in parts(disk))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == 40_000
    assert image.reads == []
    assert peak < 1 << 20
    assert [item.blocks for item in block_states(disk)] == [(2 << 20) - 20_000, 20_000]


def test_only_bitmaps_of_mixed_blocks_are_read() -> None:
    image = build_vhdx(
        "differencing", 64 * MIB, MIB, {at * MIB: b"a" * 512 for at in range(0, 64, 8)},
        parent=link_to(uuid.UUID(int=1)), states=dict.fromkeys(range(1, 64, 8), 6),
    )  # fmt: skip
    disk = disk_of(image)
    image.reads.clear()
    assert sum(part.length for part in parts(disk) if part.kind == IN_FILE) == 8 * 512 + 8 * MIB
    # 64 MiB of sectors have 16 KiB of bits.
    assert sum(length for _, length in image.reads) <= 16 * KIB

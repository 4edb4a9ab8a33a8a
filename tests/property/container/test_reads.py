"""Any read of any kind of disk, through any chain, equals a naive model."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.build.vhd import KIB, SECTOR, ParentLink, build_vhd
from tests.effort import tries
from vdiskkit.container import ExtentKind, VirtualDisk, open_container
from vdiskkit.container.bits import bit_runs
from vdiskkit.container.detect import Probe
from vdiskkit.container.vhd.disk import open_vhd
from vdiskkit.errors import FormatError
from vdiskkit.io import BytesSource

BLOCK_SIZES = (512, 1024, 4 * KIB, 8 * KIB, 64 * KIB)
MAX_SECTORS = 96

Writes = list[tuple[int, int, int]]
"""First sector, sectors, filling byte (0 writes zeros)."""


class Layer(NamedTuple):
    """One file of a chain: its own size and block size, and what is written into it."""

    sectors: int
    block_size: int
    writes: Writes
    stale: Writes
    reverse: bool
    aligned: bool


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    sectors = draw(st.integers(1, MAX_SECTORS))
    write = st.tuples(st.integers(0, sectors - 1), st.integers(1, 20), st.integers(0, 255))
    return Layer(
        sectors,
        draw(st.sampled_from(BLOCK_SIZES)),
        draw(st.lists(write, max_size=6)),
        draw(st.lists(write, max_size=2)),
        draw(st.booleans()),
        draw(st.booleans()),
    )


def content_of(layer: Layer, writes: Writes) -> dict[int, bytes]:
    content: dict[int, bytes] = {}
    for first, count, fill in writes:
        for sector in range(first, min(first + count, layer.sectors)):
            content[sector * SECTOR] = bytes([fill]) * SECTOR
    return content


def stale_of(layer: Layer) -> dict[int, bytes]:
    written = content_of(layer, layer.writes)
    return {at: data for at, data in content_of(layer, layer.stale).items() if at not in written}


def build_chain(kind: str, chain: list[Layer]) -> tuple[VirtualDisk, bytes]:
    """Return the open top of a chain and the bytes it must have."""
    files: dict[str, bytes] = {}
    model = b""
    parent: ParentLink | None = None
    for number, layer in enumerate(chain):
        size = layer.sectors * SECTOR
        content = content_of(layer, layer.writes)
        layer_kind = kind if parent is None else "differencing"
        data = build_vhd(
            layer_kind, size, layer.block_size, content, parent=parent, unique_id=bytes([number + 1]) * 16,
            stale_sectors=stale_of(layer) if parent is not None else None, aligned_4k=layer.aligned,
            block_order=(lambda blocks: blocks[::-1]) if layer.reverse else None,
        )  # fmt: skip
        expected = bytearray(model[:size].ljust(size, b"\0"))
        for at, piece in content.items():
            expected[at : at + len(piece)] = piece
        model = bytes(expected)
        files[f"/nowhere/{number}.vhd"] = data
        parent = ParentLink(bytes([number + 1]) * 16, f"{number}.vhd")
    top = f"/nowhere/{len(chain) - 1}.vhd"
    return _open(files, top), model


def _open(files: dict[str, bytes], path: str) -> VirtualDisk:
    """Open without the file system: only the search for parents needs one, and it has its own tests."""
    top = disk = open_vhd(Probe.of(BytesSource(files[path])), path)
    for number in range(len(files) - 2, -1, -1):
        parent = open_vhd(Probe.of(BytesSource(files[f"/nowhere/{number}.vhd"])), None)
        disk.parent = parent
        disk = parent
    return top


@settings(max_examples=tries(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    kind=st.sampled_from(["fixed", "dynamic"]),
    chain=st.lists(layers(), min_size=1, max_size=5),
    data=st.data(),
)
def test_reads_equal_the_model(kind: str, chain: list[Layer], data: st.DataObject) -> None:
    disk, model = build_chain(kind, chain)
    assert disk.size == len(model)
    assert disk.read_at(0, disk.size) == model
    for _ in range(8):
        offset = data.draw(st.integers(0, disk.size))
        length = data.draw(st.integers(0, disk.size - offset))
        assert disk.read_at(offset, length) == model[offset : offset + length]


@settings(max_examples=tries(100), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    kind=st.sampled_from(["fixed", "dynamic"]),
    chain=st.lists(layers(), min_size=1, max_size=2),
    data=st.data(),
)
def test_the_map_covers_exactly_what_was_asked(kind: str, chain: list[Layer], data: st.DataObject) -> None:
    disk, _model = build_chain(kind, chain)
    offset = data.draw(st.integers(0, disk.size))
    length = data.draw(st.integers(0, disk.size - offset))
    extents = list(disk.map(offset, length))
    position = offset
    for extent in extents:
        assert extent.virtual_offset == position
        assert extent.length > 0
        assert (extent.file_offset is not None) == (extent.kind is ExtentKind.FILE)
        position += extent.length
    assert position == offset + length
    for one, two in itertools.pairwise(extents):
        joined = one.kind is two.kind and (one.file_offset is None or one.file_offset + one.length == two.file_offset)
        assert not joined
    if len(chain) == 1:
        assert ExtentKind.PARENT not in {extent.kind for extent in extents}
    else:
        assert ExtentKind.ZERO not in {extent.kind for extent in extents}


@given(bitmap=st.binary(min_size=1, max_size=40), data=st.data())
def test_runs_of_bits(bitmap: bytes, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(bitmap) * 8 - 1))
    end = data.draw(st.integers(first, len(bitmap) * 8))
    bits = [bool(bitmap[sector // 8] >> (7 - sector % 8) & 1) for sector in range(first, end)]
    runs = list(bit_runs(bitmap, first, end, order="big"))
    assert [bit for bit, start, stop in runs for _ in range(start, stop)] == bits
    assert all(one[0] != two[0] for one, two in itertools.pairwise(runs))


@given(
    head=st.binary(max_size=5000), tail=st.binary(max_size=600), name=st.sampled_from(["a.vhd", "a.iso", "a.pvp", "a"])
)
def test_any_bytes_are_refused_by_name(head: bytes, tail: bytes, name: str) -> None:
    with pytest.raises(FormatError) as caught:
        open_container(BytesSource(head + tail), path=name)
    assert caught.value.hint

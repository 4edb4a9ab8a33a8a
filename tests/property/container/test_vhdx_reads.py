"""Any read of any VHDX, through any chain and any log, equals a naive model."""

from __future__ import annotations

import itertools
import uuid
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.build.vhdx import (
    FULL,
    MIB,
    PAGE,
    UNDEFINED,
    UNMAPPED,
    ZERO,
    Page,
    Zeros,
    build_vhdx,
    chunk_ratio,
    link_to,
    put_log,
)
from tests.effort import tries
from vdiskkit.container import ExtentKind
from vdiskkit.container.bits import bit_runs
from vdiskkit.container.detect import Probe
from vdiskkit.container.vhdx.disk import VhdxDisk
from vdiskkit.container.vhdx.header import read_headers
from vdiskkit.container.vhdx.log import ReplayedSource, replay_log
from vdiskkit.errors import CorruptStructureError

Writes = list[tuple[int, int, int]]
"""First sector, sectors, filling byte."""


class Layer(NamedTuple):
    """One file of a chain: its own size and block size, and what is written into it."""

    sectors: int
    block_size: int
    writes: Writes
    stale: Writes
    states: dict[int, int]
    reverse: bool


@st.composite
def layers(draw: st.DrawFn, sector_size: int) -> Layer:
    """Sectors are drawn around the ends of blocks, where the faults of readers are."""
    block_size = draw(st.sampled_from([MIB, 2 * MIB, 4 * MIB]))
    per_block = block_size // sector_size
    sectors = draw(st.integers(1, 4)) * per_block - draw(st.sampled_from([0, 0, 1, 7, per_block - 1]))
    near = st.builds(lambda block, off: max(block * per_block + off, 0), st.integers(0, 4), st.integers(-9, 9))
    place = st.one_of(near, st.integers(0, sectors - 1)).map(lambda sector: min(sector, sectors - 1))
    write = st.tuples(place, st.integers(1, 40), st.integers(0, 255))
    states = st.dictionaries(
        st.integers(0, -(-sectors // per_block) - 1), st.sampled_from([UNDEFINED, ZERO, UNMAPPED, FULL]), max_size=2
    )
    return Layer(
        sectors,
        block_size,
        draw(st.lists(write, max_size=5)),
        draw(st.lists(write, max_size=2)),
        draw(states),
        draw(st.booleans()),
    )


def content_of(layer: Layer, writes: Writes, sector_size: int) -> dict[int, bytes]:
    content: dict[int, bytes] = {}
    for first, count, fill in writes:
        for sector in range(first, min(first + count, layer.sectors)):
            content[sector * sector_size] = bytes([fill]) * sector_size
    return content


def build_chain(kind: str, chain: list[Layer], sector_size: int) -> tuple[VhdxDisk, bytes]:
    """Return the open top of a chain and the bytes it must have."""
    top: VhdxDisk | None = None
    model = b""
    parent: dict[str, str] | None = None
    for number, layer in enumerate(chain):
        size = layer.sectors * sector_size
        content = content_of(layer, layer.writes, sector_size)
        layer_kind = kind if parent is None else "differencing"
        stale = content_of(layer, layer.stale, sector_size)
        states = {} if layer_kind == "fixed" else layer.states
        image = build_vhdx(
            layer_kind, size, layer.block_size, content, sector_size=sector_size, parent=parent, states=states,
            stale=stale, reverse=layer.reverse, data_write=uuid.UUID(int=number + 1),
        )  # fmt: skip
        expected = bytearray(model[:size].ljust(size, b"\0"))
        all_bytes = {**stale, **content}
        for at, piece in all_bytes.items():
            if parent is None or at in content:
                expected[at : at + len(piece)] = piece
        for block, state in states.items():
            start, end = block * layer.block_size, min((block + 1) * layer.block_size, size)
            expected[start:end] = bytes(end - start)
            if state == FULL:
                for at, piece in all_bytes.items():
                    if start <= at < end:
                        expected[at : at + len(piece)] = piece
        model = bytes(expected)
        disk = VhdxDisk(Probe.of(image), f"/nowhere/{number}.vhdx")
        disk.parent = top
        top = disk
        parent = link_to(image)
    assert top is not None
    return top, model


def offsets(disk: VhdxDisk) -> st.SearchStrategy[int]:
    near = st.builds(
        lambda block, off: block * MIB + off, st.integers(0, disk.size // MIB + 1), st.integers(-9000, 9000)
    )
    return st.one_of(near, st.integers(0, disk.size)).map(lambda at: max(0, min(at, disk.size)))


@settings(max_examples=tries(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(kind=st.sampled_from(["fixed", "dynamic"]), sector_size=st.sampled_from([512, 4096]), data=st.data())
def test_reads_equal_the_model(kind: str, sector_size: int, data: st.DataObject) -> None:
    chain = data.draw(st.lists(layers(sector_size), min_size=1, max_size=4))
    disk, model = build_chain(kind, chain, sector_size)
    assert disk.size == len(model)
    assert disk.read_at(0, disk.size) == model
    for _ in range(8):
        start, end = sorted((data.draw(offsets(disk)), data.draw(offsets(disk))))
        assert disk.read_at(start, end - start) == model[start:end]
        few = min(data.draw(st.integers(0, 3000)), disk.size - start)
        assert disk.read_at(start, few) == model[start : start + few]
        extents = list(disk.map(start, end - start))
        position = start
        for extent in extents:
            assert extent.virtual_offset == position
            assert extent.length > 0
            assert (extent.file_offset is not None) == (extent.kind is ExtentKind.FILE)
            position += extent.length
        assert position == end
        for one, two in itertools.pairwise(extents):
            follows = one.file_offset is None or one.file_offset + one.length == two.file_offset
            assert not (one.kind is two.kind and follows)


@pytest.mark.parametrize("block_size", [1 << power for power in range(20, 29)])
@pytest.mark.parametrize("sector_size", [512, 4096])
def test_the_second_chunk(block_size: int, sector_size: int) -> None:
    """Behind the first sector bitmap block all entries are one further on."""
    chunk = chunk_ratio(block_size, sector_size) * block_size
    size = 2 * chunk + block_size + 3 * sector_size
    touched = (0, chunk - sector_size, chunk, 2 * chunk - sector_size, 2 * chunk + sector_size, size - sector_size)
    own = {at: bytes([7 + number]) * sector_size for number, at in enumerate(touched)}
    below = {0: b"b" * 3 * sector_size, chunk - 9 * sector_size: b"c" * 20 * sector_size,
             2 * chunk: b"d" * 9 * sector_size, size - 9 * sector_size: b"e" * 9 * sector_size}  # fmt: skip
    parent = build_vhdx("dynamic", size, block_size, below, sector_size=sector_size)
    child = build_vhdx("differencing", size, block_size, own, sector_size=sector_size, parent=link_to(parent))
    disk = VhdxDisk(Probe.of(child), None)
    disk.parent = VhdxDisk(Probe.of(parent), None)
    for middle in (0, chunk, 2 * chunk, size):
        start = max(middle - 10 * sector_size, 0)
        model = bytearray(min(middle + 10 * sector_size, size) - start)
        for pieces in (below, own):
            for at, piece in pieces.items():
                for number in range(0, len(piece), sector_size):
                    if start <= at + number < start + len(model):
                        model[at + number - start : at + number - start + sector_size] = piece[:sector_size]
        assert disk.read_at(start, len(model)) == model
        assert disk.read_at(start + 1, len(model) - 2) == model[1:-1]


@given(bitmap=st.binary(min_size=1, max_size=40), data=st.data())
def test_runs_of_bits(bitmap: bytes, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(bitmap) * 8 - 1))
    end = data.draw(st.integers(first, len(bitmap) * 8))
    bits = [bool(bitmap[sector // 8] >> sector % 8 & 1) for sector in range(first, end)]
    runs = list(bit_runs(bitmap, first, end, order="little"))
    assert [bit for bit, start, stop in runs for _ in range(start, stop)] == bits
    assert all(one[0] != two[0] for one, two in itertools.pairwise(runs))


changes = st.one_of(
    st.builds(Page, st.integers(0, 40).map(lambda page: page * PAGE), st.binary(min_size=1, max_size=40)),
    st.builds(Zeros, st.integers(0, 40).map(lambda page: page * PAGE), st.integers(0, 9).map(lambda page: page * PAGE)),
)


@settings(max_examples=tries(80), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    entries=st.lists(st.lists(changes, max_size=5), min_size=1, max_size=6),
    start=st.one_of(st.integers(0, 255), st.integers(240, 255)).map(lambda sector: sector * PAGE),
    grown=st.integers(0, 30),
    data=st.data(),
)
def test_replay_equals_writing_in_order(
    entries: list[list[Page | Zeros]], start: int, grown: int, data: st.DataObject
) -> None:
    """The target of the changes is the space behind the file's end, so that the file may grow, too."""
    image = build_vhdx("dynamic", MIB)
    base = image.size
    image.write(base, bytes(range(256)) * 100)
    moved = [[change._replace(offset=change.offset + base) for change in entry] for entry in entries]
    put_log(image, moved, start=start, last=base + grown * PAGE)
    replay = replay_log(image, read_headers(image).header)
    assert replay.sequence.entries == len(entries)
    source = ReplayedSource(image, replay)
    pages = [change.offset + PAGE for entry in moved for change in entry if isinstance(change, Page)]
    kept = {at for at, _page in replay.pages.items()}
    assert source.size == max([image.size, base + grown * PAGE, *(end for end in pages if end - PAGE in kept)])
    model = bytearray(image.read_at(base, image.size - base).ljust(60 * PAGE, b"\0"))
    for entry in moved:
        for change in entry:
            at = change.offset - base
            if isinstance(change, Page):
                model[at : at + PAGE] = change.data.ljust(PAGE, b"\0")
            else:
                model[at : at + change.length] = bytes(change.length)
    for _ in range(4):
        first = data.draw(st.integers(base, source.size))
        length = data.draw(st.integers(0, source.size - first))
        assert source.read_at(first, length) == bytes(model[first - base :][:length])
    assert source.read_at(0, base) == image.read_at(0, base)


@settings(max_examples=tries(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(count=st.integers(1, 6), start=st.integers(0, 255), broken=st.integers(0, 5), where=st.integers(0, 2 * PAGE - 1))
def test_a_torn_entry_ends_the_sequence(count: int, start: int, broken: int, where: int) -> None:
    """What was written whole before a torn entry is replayed; an entry is never replayed by half."""
    image = build_vhdx("dynamic", MIB, content={0: b"x"})
    block = image.size - MIB
    entries: list[list[Page | Zeros]] = [[Page(block + PAGE * number, bytes([number + 1]))] for number in range(count)]
    places = put_log(image, entries, start=start * PAGE)
    if broken < count:
        at = MIB + (places[broken] + where) % MIB
        image.write(at, bytes([image.read_at(at, 1)[0] ^ 0x10]))
    header = read_headers(image).header
    if broken == 0:
        # The others name the first as the one to begin with.
        with pytest.raises(CorruptStructureError, match="no valid sequence"):
            replay_log(image, header)
        return
    replay = replay_log(image, header)
    assert replay.sequence.entries == min(count, broken)
    assert sorted(replay.pages) == [block + PAGE * number for number in range(min(count, broken))]


@pytest.mark.parametrize("start", [0, 1, 200, 252, 254, 255])
def test_an_entry_of_many_sectors_goes_around_the_end(start: int) -> None:
    """More descriptors than the first sector of an entry holds, data behind them; each part may lie at the end."""
    image = build_vhdx("dynamic", MIB)
    base = image.size
    image.write(base, b"\xee" * 400 * PAGE)
    first: list[Page | Zeros] = [
        Page(base + number * 2 * PAGE, bytes([number % 255 + 1]) * PAGE) for number in range(60)
    ]
    zeros: list[Page | Zeros] = [Zeros(base + (200 + number) * PAGE, PAGE) for number in range(150)]
    second: list[Page | Zeros] = [*zeros, *(Page(base + number * 3 * PAGE, b"second") for number in range(50))]
    put_log(image, [first, second], start=start * PAGE)
    replay = replay_log(image, read_headers(image).header)
    assert replay.sequence.entries == 2
    model = bytearray(b"\xee" * 400 * PAGE)
    for change in (*first, *second):
        at = change.offset - base
        if isinstance(change, Page):
            model[at : at + PAGE] = change.data.ljust(PAGE, b"\0")
        else:
            model[at : at + change.length] = bytes(change.length)
    assert ReplayedSource(image, replay).read_at(base, len(model)) == model

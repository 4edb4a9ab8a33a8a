"""The survey of a disk equals its block map read plainly, and counters equal counting byte for byte."""

from __future__ import annotations

import uuid
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.build.vhd import KIB, ParentLink, build_vhd
from tests.build.vhdx import FULL, MIB, UNDEFINED, UNMAPPED, ZERO, build_vhdx, link_to
from tests.effort import tries
from vdiskkit.container.block_map import IN_FILE, IN_PARENT, ZEROS, Part, block_states, file_use, parts
from vdiskkit.container.detect import Probe
from vdiskkit.container.disk import ExtentKind, VirtualDisk
from vdiskkit.container.single import open_single
from vdiskkit.inspection.blocks import RangeList, SpanCounter, read_block_map
from vdiskkit.io import BytesSource

KINDS = {ExtentKind.FILE: IN_FILE, ExtentKind.PARENT: IN_PARENT, ExtentKind.ZERO: ZEROS}
LINK = ParentLink(b"p" * 16, "parent.vhd", ((b"W2ru", r".\parent.vhd"),))


def by_map(disk: VirtualDisk) -> list[Part]:
    """The same out of the one block map, sector for sector."""
    found: list[Part] = []
    for at in range(0, disk.size, disk.sector_size):
        (extent,) = disk.map(at, disk.sector_size)
        kind = KINDS[extent.kind]
        if found and found[-1].kind == kind:
            found[-1] = Part(kind, found[-1].offset, found[-1].length + disk.sector_size)
        else:
            found.append(Part(kind, at, disk.sector_size))
    return found


def check(disk: VirtualDisk) -> None:
    found = list(parts(disk))
    assert found == by_map(disk)
    assert sum(item.length for item in block_states(disk)) == disk.size
    use = file_use(disk)
    assert use.structures + use.blocks + use.unreferenced == disk.file_size
    facts = read_block_map(disk, (), None)
    totals = [sum(part.length for part in found if part.kind == kind) for kind in range(3)]
    assert [facts.file_bytes, facts.parent_bytes, facts.zero_bytes] == totals
    assert facts.unused_block_bytes == use.blocks - totals[IN_FILE]
    own = (IN_FILE, ZEROS) if disk.subformat == "differencing" else (IN_FILE,)
    assert sum(item.bytes for item in facts.ranges) == sum(totals[kind] for kind in own)
    for number, character in enumerate(facts.picture):
        start = number * facts.cell_bytes
        held = [0, 0, 0]
        for part in found:
            held[part.kind] += max(
                min(part.offset + part.length, start + facts.cell_bytes) - max(part.offset, start), 0
            )
        expected = "#" if held[0] * 2 >= sum(held) else "+" if held[0] else "." if held[1] else "-"
        assert character == expected


writes = st.lists(st.tuples(st.integers(0, 511), st.integers(1, 64)), max_size=6)


@settings(max_examples=tries(40), deadline=None)
@given(
    kind=st.sampled_from(["fixed", "dynamic", "differencing"]),
    sectors=st.integers(1, 512),
    block=st.sampled_from([4 * KIB, 16 * KIB, 64 * KIB]),
    writes=writes,
    aligned=st.booleans(),
)
def test_vhd(kind: str, sectors: int, block: int, writes: list[tuple[int, int]], aligned: bool) -> None:
    content = {at * 512: b"x" * 512 * min(length, sectors - at) for at, length in writes if at < sectors}
    parent = LINK if kind == "differencing" else None
    data = build_vhd(kind, sectors * 512, block, content, parent=parent, aligned_4k=aligned and kind != "fixed")
    check(open_single(Probe.of(BytesSource(data)), None))


@settings(max_examples=tries(25), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    kind=st.sampled_from(["fixed", "dynamic", "differencing"]),
    sectors=st.integers(1, 900),
    block=st.sampled_from([MIB, 2 * MIB]),
    writes=writes,
    states=st.dictionaries(st.integers(0, 3), st.sampled_from([UNDEFINED, ZERO, UNMAPPED, FULL]), max_size=3),
    reverse=st.booleans(),
)
def test_vhdx(
    kind: str, sectors: int, block: int, writes: list[tuple[int, int]], states: dict[int, int], reverse: bool
) -> None:
    size = sectors * 4096
    content = {at * 4096: b"x" * 4096 * min(length, sectors - at) for at, length in writes if at < sectors}
    blocks = -(-size // block)
    chosen = {number: state for number, state in states.items() if number < blocks and kind != "fixed"}
    image = build_vhdx(
        kind, size, block, content, sector_size=4096, states=chosen, reverse=reverse,
        parent=link_to(uuid.UUID(int=1)) if kind == "differencing" else None,
    )  # fmt: skip
    check(open_single(Probe.of(image), None))


spans = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 60), st.sampled_from("abc")).map(
        lambda item: (min(item[:2]), max(item[:2]), item[2])
    ),
    max_size=8,
)


@given(spans=spans, lengths=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 20)), max_size=12))
def test_spans_are_counted_as_byte_for_byte(spans: list[tuple[int, int, str]], lengths: list[tuple[int, int]]) -> None:
    counter = SpanCounter(spans)
    expected = {name: [0, 0, 0] for start, end, name in spans if start < end}
    outside = [0, 0, 0]
    at = 0
    for kind, length in lengths:
        counter.add(Part(kind, at, length))
        for byte in range(at, at + length):
            inside = [name for start, end, name in spans if start <= byte < end]
            for name in inside:
                expected[name][kind] += 1
            if not inside:
                outside[kind] += 1
        at += length
    assert counter.counts == expected
    assert counter.outside == outside


@given(
    steps=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), max_size=80),
    most=st.integers(1, 6),
)
def test_ranges_keep_every_byte_in_bounded_memory(steps: list[tuple[int, int]], most: int) -> None:
    kept = RangeList(most)
    exact: list[list[int]] = []
    at = 0
    for gap, length in steps:
        at += gap
        kept.add(at, length)
        if exact and exact[-1][1] == at:
            exact[-1][1] += length
        else:
            exact.append([at, at + length])
        at += length
    found = kept.ranges()
    assert kept.count == len(exact)
    assert len(found) <= most
    assert sum(held for _, _, held in found) == sum(end - start for start, end in exact)
    for start, end in exact:
        assert sum(first <= start and end <= last for first, last, _ in found) == 1
    if not kept.joined_below:
        assert [list(item[:2]) for item in found] == exact
    else:
        gaps = [second[0] - first[1] for first, second in pairwise(found)]
        assert all(gap >= kept.joined_below for gap in gaps)
    for first, last, held in found:
        inside = [(start, end) for start, end in exact if first <= start and end <= last]
        assert (first, last, held) == (inside[0][0], inside[-1][1], sum(end - start for start, end in inside))
        assert all(second[0] - one[1] < kept.joined_below for one, second in pairwise(inside))

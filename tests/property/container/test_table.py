"""The check of a block allocation table says the same as a naive one that compares every pair."""

from __future__ import annotations

import itertools
import struct

from hypothesis import given
from hypothesis import strategies as st

from vdiskkit.container.vhd.bat import UNALLOCATED, BlockSummary, Region, check_blocks, parse_table
from vdiskkit.errors import CorruptStructureError
from vdiskkit.location import Location

SECTOR = 512


def naive(entries: list[int], sectors: int, regions: list[Region], end: int) -> bool:
    blocks = [(entry, entry + sectors) for entry in entries if entry != UNALLOCATED]
    taken = [(region.start / SECTOR, region.end / SECTOR) for region in regions]
    inside = all(stop * SECTOR <= end for _start, stop in blocks)
    free = all(one[0] >= two[1] or two[0] >= one[1] for one in blocks for two in taken)
    apart = all(one[0] >= two[1] or two[0] >= one[1] for one, two in itertools.combinations(blocks, 2))
    return inside and free and apart


@given(
    entries=st.lists(st.one_of(st.just(UNALLOCATED), st.integers(0, 300), st.integers(0, UNALLOCATED)), max_size=12),
    sectors=st.integers(2, 40),
    regions=st.lists(st.tuples(st.integers(0, 100_000), st.integers(1, 5000)), max_size=3),
    end=st.integers(0, 400 * SECTOR),
    cut=st.booleans(),
)
def test_the_check_agrees_with_a_naive_one(
    entries: list[int], sectors: int, regions: list[tuple[int, int]], end: int, cut: bool
) -> None:
    data = struct.pack(f">{len(entries)}I", *entries)
    places = [Region(start, start + length, "region") for start, length in regions]
    table = parse_table(data)
    assert list(table) == entries
    summary: BlockSummary | None
    try:
        summary = check_blocks(
            data, table, stride=sectors * SECTOR, regions=places, end=end, location=Location("x"), cut=cut
        )
    except CorruptStructureError:
        summary = None
    assert (summary is not None) == naive(entries, sectors, places, end)
    if summary is not None:
        assert summary.allocated == sum(entry != UNALLOCATED for entry in entries)
        assert summary.alignments == {entry % 8 for entry in entries if entry != UNALLOCATED}


def test_long_tables_skip_what_is_empty() -> None:
    entries = [UNALLOCATED] * 5000
    entries[1023], entries[1024], entries[4999] = 100, 200, 300
    data = struct.pack(">5000I", *entries)
    table = parse_table(data)
    summary = check_blocks(
        data, table, stride=50 * SECTOR, regions=[], end=400 * SECTOR, location=Location("x"), cut=False
    )
    assert summary.allocated == 3

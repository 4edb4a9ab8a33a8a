from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdiskkit.location import Location
from vdiskkit.ntfs.record import DATA, Attribute
from vdiskkit.ntfs.runs import Run, parse_runs
from vdiskkit.patch.ntfs.mapping import Piece, encode_runs, extents, merge_runs, pieces

CLUSTERS = 1 << 40


def runs_of(parts: list[tuple[int | None, int]]) -> list[Run]:
    runs, vcn = [], 0
    for lcn, clusters in parts:
        runs.append(Run(vcn, lcn, clusters))
        vcn += clusters
    return runs


def decoded(pairs: bytes, runs: list[Run]) -> list[Run]:
    attribute = Attribute(DATA, "", 0, 0)
    attribute.pairs = pairs
    attribute.highest_vcn = sum(run.clusters for run in runs) - 1
    return parse_runs(attribute, CLUSTERS, Location("x"))


@given(
    st.lists(
        st.tuples(st.none() | st.integers(0, CLUSTERS - 1), st.integers(1, 1 << 30)).filter(
            lambda part: part[0] is None or part[0] + part[1] <= CLUSTERS
        ),
        max_size=30,
    )
)
def test_what_is_encoded_reads_back(parts: list[tuple[int | None, int]]) -> None:
    runs = runs_of(parts)
    assert decoded(encode_runs(runs), runs) == runs


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(5, 1)], "110105 00"),
        ([(0x7F, 0x7F)], "117f7f 00"),
        ([(0x80, 0x80)], "2280008000 00"),  # one byte more, or the sign would be lost
        ([(100, 1), (90, 1)], "110164 1101f6 00"),
        ([(None, 16)], "0110 00"),
        ([(0x123456, 0x1234)], "3234125634 12 00"),
        ([], "00"),
    ],
)
def test_numbers_take_as_few_bytes_as_windows_gives_them(parts: list[tuple[int | None, int]], expected: str) -> None:
    assert encode_runs(runs_of(parts)) == bytes.fromhex(expected)


def test_a_run_that_follows_the_last_one_makes_it_longer() -> None:
    runs = runs_of([(100, 10), (50, 5)])
    assert merge_runs(runs, [(55, 3), (200, 2)]) == [Run(0, 100, 10), Run(10, 50, 8), Run(18, 200, 2)]
    assert merge_runs([], [(7, 2), (9, 1)]) == [Run(0, 7, 3)]
    assert merge_runs(runs_of([(None, 4)]), [(7, 2)]) == [Run(0, None, 4), Run(4, 7, 2)]


def test_pieces_cross_runs_and_join_neighbours() -> None:
    runs = runs_of([(10, 1), (11, 1), (5, 2), (None, 1), (0, 1)])
    assert pieces(runs, 512, 0, 1024) == [Piece(5120, 1024)]
    assert pieces(runs, 512, 1000, 100) == [Piece(5120 + 1000, 24), Piece(2560, 76)]
    assert pieces(runs, 512, 2040, 600) == [Piece(2560 + 1016, 8), Piece(None, 512), Piece(0, 80)]
    assert pieces(runs, 512, 5, 0) == []


def test_extents_are_sorted_and_joined() -> None:
    assert extents(runs_of([(10, 2), (5, 5), (None, 9), (20, 1)])) == [(5, 7), (20, 1)]

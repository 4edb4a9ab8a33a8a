"""The hash of log entries, against the one of the log builder and against Windows's own entries."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.build.hive_log import entries_of
from tests.build.hive_log import marvin32 as simple
from tests.oracle.samples import real_sample
from vdiskkit.registry.marvin32 import HashJob, marvin32, marvin32_many


def job(data: bytes) -> HashJob:
    return HashJob(lambda offset, length: data[offset : offset + length], len(data))


WORDS = st.binary(max_size=300).map(lambda data: data[: len(data) & ~3])


@given(WORDS)
def test_one(data: bytes) -> None:
    assert marvin32(data) == simple(data)


@settings(deadline=None)
@given(st.lists(WORDS, max_size=12))
def test_many_side_by_side(parts: list[bytes]) -> None:
    assert marvin32_many([job(part) for part in parts]) == [simple(part) for part in parts]


def test_more_than_fit_beside_each_other() -> None:
    parts = [struct.pack("<I", number) * (number % 7) for number in range(300)]
    assert marvin32_many([job(part) for part in parts]) == [simple(part) for part in parts]


@pytest.mark.parametrize("lengths", [[70_000], [70_000, 70_000, 9_000], [20_000] * 3 + [512] * 5])
def test_pieces_are_read_in_chunks_and_once(lengths: list[int]) -> None:
    parts = [bytes(range(256)) * (length // 256 + 1) for length in lengths]
    parts = [part[:length] for part, length in zip(parts, lengths, strict=True)]
    asked: list[tuple[int, int, int]] = []

    def read(number: int, offset: int, length: int) -> bytes:
        asked.append((number, offset, length))
        return parts[number][offset : offset + length]

    jobs = [
        HashJob(lambda offset, length, number=number: read(number, offset, length), len(part))
        for number, part in enumerate(parts)
    ]
    assert marvin32_many(jobs) == [simple(part) for part in parts]
    for number, part in enumerate(parts):
        ranges = [(offset, offset + length) for which, offset, length in asked if which == number]
        assert ranges[0][0] == 0
        assert ranges[-1][1] == len(part)
        assert all(end == start for (_, end), (start, _) in itertools.pairwise(ranges))


def test_all_bits_of_the_state_turn_over() -> None:
    data = b"\xff" * 4096
    assert marvin32_many([job(data), job(data), job(data[:2048])]) == [simple(data)] * 2 + [simple(data[:2048])]


@pytest.mark.real
@pytest.mark.parametrize("name", ["SYSTEM_B.LOG1", "UsrClass.dat.LOG1", "UsrClass.dat.LOG2"])
def test_entries_of_windows(name: str) -> None:
    found = entries_of(real_sample(name))
    hashes = marvin32_many([job(one.raw[40:]) for one in found])
    assert hashes == [struct.unpack_from("<Q", one.raw, 24)[0] for one in found]
    assert [marvin32(one.raw[:32]) for one in found] == [struct.unpack_from("<Q", one.raw, 32)[0] for one in found]
    assert found

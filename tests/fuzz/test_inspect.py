"""Whole inspections of damaged samples: bytes that a healthy inspection reads are changed, one to eight at a time.

Whatever happens, the answer is facts or one of our own errors, within a bounded number of reads. More rounds than the
few of the default run: ``VDISKKIT_FUZZ_ROUNDS=2000``.
"""

from __future__ import annotations

import json
import os
import random
from functools import cache
from pathlib import Path

import pytest

import vdiskkit
from tests.effort import tries
from vdiskkit.io import BytesSource
from vdiskkit.report.style import Style
from vdiskkit.report.text import inspection_lines
from vdiskkit.vdisk import VDisk

SAMPLES = Path(__file__).resolve().parents[2] / "sample_images"
ROUNDS = int(os.environ.get("VDISKKIT_FUZZ_ROUNDS") or tries(20))
MOST_READS = 5_000
MOST_BYTES = 64 * 1024 * 1024


class Recording(BytesSource):
    """A disk file in memory that notes what is read from it."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.ranges: list[tuple[int, int]] = []

    def read_at(self, offset: int, length: int) -> bytes:
        self.ranges.append((offset, length))
        assert len(self.ranges) <= MOST_READS
        assert sum(size for _, size in self.ranges[-1000:]) <= MOST_BYTES
        return super().read_at(offset, length)


def inspect(data: bytes, name: str) -> list[tuple[int, int]]:
    """Inspect a disk and render what is known; return the ranges that were read."""
    source = Recording(data)
    # The path is not opened, but gives a chain its folder.
    with VDisk(source, target=name, path=str(SAMPLES / name)) as disk:
        facts = disk.inspect(deep=True, readiness=True)
    json.dumps(facts.to_dict())
    assert all("\n" not in line for line in inspection_lines(facts, Style(), ()))
    return source.ranges


@cache
def healthy(name: str) -> tuple[bytes, tuple[tuple[int, int], ...]]:
    data = (SAMPLES / name).read_bytes()
    return data, tuple(inspect(data, name))


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("*.*vhd")))
def test_changed_bytes_end_in_facts_or_in_our_own_error(name: str) -> None:
    data, ranges = healthy(name)
    for number in range(ROUNDS):
        chance = random.Random(f"{name} {number} {ROUNDS}")  # noqa: S311 - repeatable, not secret
        damaged = bytearray(data)
        for _ in range(chance.randint(1, 8)):
            offset, length = chance.choice(ranges)
            at = offset + chance.randrange(min(length, 4096))
            damaged[at] = chance.choice((0, 0xFF, damaged[at] ^ 1 << chance.randrange(8), chance.randrange(256)))
        error = None
        try:
            inspect(bytes(damaged), name)
        except vdiskkit.VDiskError as exc:
            error = exc
        assert error is None or (error.message and error.exit_code in {3, 5})

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.build.hive import HiveBuilder
from tests.oracle.samples import real_sample
from vdiskkit.io import BytesSource
from vdiskkit.patch.registry import LogFormat, LogState, read_log, read_log_sequences


def base(sequence_1: int, sequence_2: int, kind: int) -> bytes:
    block = bytearray(HiveBuilder(sequence=sequence_1).build()[:512])
    struct.pack_into("<I", block, 8, sequence_2)
    struct.pack_into("<I", block, 28, kind)
    return bytes(block)


def entry(sequence: int, size: int = 512) -> bytes:
    return struct.pack("<4sIII", b"HvLE", size, 0, sequence).ljust(size, b"\0")


@pytest.mark.parametrize(
    ("data", "state"),
    [
        (b"", LogState(0, LogFormat.NONE, 0)),
        (bytes(8192), LogState(0, LogFormat.NONE, 0)),
        (base(5, 6, 6), LogState(6, LogFormat.NEW, 0)),
        (base(9, 4, 1) + b"DIRT" + bytes(508), LogState(9, LogFormat.OLD, 0)),
        (base(7, 7, 6) + entry(7) + entry(8, 4096) + entry(9) + bytes(512), LogState(9, LogFormat.NEW, 3)),
        (base(7, 7, 6) + entry(7) + bytes(512) + entry(50), LogState(50, LogFormat.NEW, 1)),
        (base(7, 7, 6) + entry(7) + bytes(100) + entry(50), LogState(7, LogFormat.NEW, 1)),
        (base(7, 7, 6) + entry(7) + entry(8, 0).ljust(512, b"\0"), LogState(8, LogFormat.NEW, 1)),
        (base(7, 7, 6) + entry(7) + entry(99, 513) + bytes(99), LogState(99, LogFormat.NEW, 1)),
        (base(7, 7, 6) + entry(7, 1024)[:512] + entry(60) + entry(8), LogState(60, LogFormat.NEW, 2)),
        (base(7, 7, 6) + bytes(512) + entry(60) + b"HvLE", LogState(60, LogFormat.NEW, 0)),
        (base(9, 4, 1) + b"DIRT" + bytes(508) + entry(60), LogState(60, LogFormat.OLD, 0)),
        (bytes(512) + entry(12), LogState(12, LogFormat.NEW, 1)),
        (base(7, 7, 6) + entry(7)[:12], LogState(7, LogFormat.NEW, 0)),
    ],
)  # fmt: skip
def test_sequences(data: bytes, state: LogState) -> None:
    assert read_log(BytesSource(data)) == state
    assert read_log_sequences(BytesSource(data)) == state.sequence


def test_all_entries_are_looked_at() -> None:
    state = read_log(BytesSource(base(1, 1, 6) + entry(1) * 70_000 + entry(5)))
    assert state == LogState(5, LogFormat.NEW, 70_001)


@given(st.binary(max_size=3000), st.booleans())
def test_any_bytes(data: bytes, with_base: bool) -> None:
    state = read_log(BytesSource((base(1, 1, 6) if with_base else b"") + data))
    assert 0 <= state.sequence < 2**32


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "format_", "highest"),
    [
        ("SYSTEM_B.LOG1", LogFormat.NEW, 2130),
        ("SYSTEM_B.LOG2", LogFormat.NEW, 2130),
        ("UsrClass.dat.LOG1", LogFormat.NEW, 300),
        ("UsrClass.dat.LOG2", LogFormat.NEW, 300),
    ],
)
def test_real_logs(name: str, format_: LogFormat, highest: int) -> None:
    state = read_log(BytesSource(real_sample(name)))
    assert state.format is format_
    assert state.entries > 0
    assert highest - 30 <= state.sequence <= highest + 30


@pytest.mark.real
def test_a_real_log_of_the_old_format() -> None:
    folder = Path(os.environ.get("VDISKKIT_REAL_SAMPLES", "")) / "yarp/OldDirtyHive"
    logs = sorted(path.name.removesuffix(".xz") for path in folder.glob("*.LOG*")) if folder.is_dir() else []
    states = [read_log(BytesSource(real_sample(f"yarp/OldDirtyHive/{name}"))) for name in logs]
    if not states:
        pytest.skip("no real sample")
    assert LogFormat.OLD in {state.format for state in states}
    assert LogFormat.NEW not in {state.format for state in states}

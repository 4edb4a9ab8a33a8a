"""Logs of dirty hives with changed bytes, their checksums and hashes put right again or not.

Whatever happens, the hive is shown after a replay that holds, or as the primary has it and marked stale; no more is
read than a few times the files. More rounds than the few of the default run: ``VDISKKIT_FUZZ_ROUNDS=2000``.
"""

from __future__ import annotations

import os
import struct
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.build.hive import HiveBuilder, seal
from tests.build.hive_log import DirtyHive, entries_of, new_format, old_format, rehashed
from tests.effort import tries
from vdiskkit.errors import VDiskError
from vdiskkit.io import BytesSource, GuardedSource, ReadBudget
from vdiskkit.location import Location
from vdiskkit.registry import Hive
from vdiskkit.registry.replay import replay

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdiskkit.registry import RegistryKey

ROUNDS = int(os.environ.get("VDISKKIT_FUZZ_ROUNDS") or tries(10))
long = settings(
    max_examples=ROUNDS, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@cache
def states() -> list[bytes]:
    made = []
    for number in range(4):
        builder = HiveBuilder(name="SOFTWARE")
        builder.fill("Filler", 20 + 15 * number)
        builder.dword("Key", "Number", number)
        builder.sz("Key", "Text", "x" * (number + 1))
        builder.binary("Key", "Big", bytes([number]) * 20_000)
        made.append(builder.build())
    return made


BUILDERS: dict[str, Callable[[], DirtyHive]] = {
    "one log": lambda: new_format(states()),
    "two logs": lambda: new_format(states(), split=1),
    "swapped": lambda: new_format(states(), split=2, swapped=True),
    "torn": lambda: new_format(states(), split=1, bad_base=True),
    "old": lambda: old_format(states()),
    "old, torn": lambda: old_format(states(), bad_base=True),
}


class Part(NamedTuple):
    """A range of one of the files that is parsed."""

    file: int
    at: int
    length: int
    entry: bool


@cache
def healthy(name: str) -> tuple[tuple[bytes, bytes, bytes], tuple[Part, ...]]:
    dirty = BUILDERS[name]()
    files = (dirty.primary, dirty.log1, dirty.log2)
    parts = [Part(number, 0, 52, entry=False) for number, data in enumerate(files) if data]
    for number, data in enumerate(files[1:], 1):
        for one in entries_of(data):
            parts.append(Part(number, one.at, 40 + 8 * len(one.head.pages), entry=True))
            parts.append(Part(number, one.at, len(one.raw), entry=True))
        if name.startswith("old") and data:
            parts += [Part(number, 512, 64, entry=False), Part(number, 1024, len(data) - 1024, entry=False)]
    return files, tuple(parts)


numbers = st.one_of(
    st.sampled_from([0, 1, 2, 6, 40, 511, 512, 4096, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFE00, 0xFFFFFFFF]),
    st.integers(0, 400).map(lambda number: number * 512),
    st.integers(0, 0xFFFFFFFF),
)


class Files:
    """The hive and its logs; a class so that a failure does not print all their bytes."""

    def __init__(self, files: list[bytearray]) -> None:
        self.primary, *self.logs = map(bytes, files)


@st.composite
def damaged(draw: st.DrawFn, name: str) -> Files:
    whole, parts = healthy(name)
    files = [bytearray(data) for data in whole]
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3, 6]))):
        part = draw(st.sampled_from(parts))
        data = files[part.file]
        width = draw(st.sampled_from([1, 4, 4]))
        at = part.at + draw(st.integers(0, max(part.length // width - 1, 0))) * width
        data[at : at + width] = (draw(numbers) % (1 << 8 * width)).to_bytes(width, "little")
        if not draw(st.integers(0, 5)):
            continue
        if part.entry:
            (length,) = struct.unpack_from("<I", data, part.at + 4)
            raw = bytes(data[part.at : part.at + length])
            if len(raw) >= 40:
                data[part.at : part.at + length] = rehashed(raw)
        elif part.at == 0:
            seal(data)
    if not draw(st.integers(0, 9)):
        cut = draw(st.integers(0, 2))
        del files[cut][draw(st.integers(0, len(files[cut]))) :]
    return Files(files)


def walk(key: RegistryKey, left: list[int]) -> None:
    left[0] -= 1
    if left[0] < 0:
        return
    assert key.origin in ("primary", "log")
    for value in key.values():
        assert value.origin in ("primary", "log")
        value.data  # noqa: B018 - reading it is what is tested
    for child in key.subkeys():
        walk(child, left)


@pytest.mark.parametrize("name", BUILDERS)
@given(data=st.data())
@long
def test_damaged_logs_are_replayed_or_left_out(name: str, data: st.DataObject) -> None:
    files = data.draw(damaged(name))
    primary, logs = files.primary, files.logs
    size = len(primary) + sum(map(len, logs))
    budget = ReadBudget(40 * size + (1 << 20), 20_000 + size // 64)
    sources = [GuardedSource(BytesSource(file, Location("HIVE")), budget) for file in (primary, *logs)]
    named = [(f"HIVE.LOG{number}", source) for number, source in enumerate(sources[1:], 1)]
    try:
        result = replay(sources[0], named, "HIVE")
    except VDiskError as exc:
        assert not getattr(exc, "used_up", False), exc  # noqa: PT017 - both outcomes are right
        return
    assert not (result.stale and result.entries)
    shown = result.source
    if result.entries:
        # A log in the old format may have one sector of each page.
        assert sum(len(page) for _at, page in result.pages) <= 8 * sum(map(len, logs)) + 4096
    else:
        assert shown.read_at(0, shown.size) == primary
    try:
        hive = Hive(sources[0], "HIVE", logs=lambda: named)
        if hive.dirty:
            assert hive.replayed is not None
            assert (hive.replayed.entries, hive.replayed.stale) == (result.entries, result.stale)
        walk(hive.root, [3_000])
    except VDiskError as exc:
        assert not getattr(exc, "used_up", False), exc  # noqa: PT017
        # What is shown after a replay has been walked before; only the primary's own faults may be left.
        assert not result.entries or primary != healthy(name)[0][0]


@given(data=st.binary(max_size=3000), start=st.sampled_from([b"", b"regf", b"HvLE"]), sealed=st.booleans())
@long
def test_any_bytes_beside_a_dirty_hive(data: bytes, start: bytes, sealed: bool) -> None:
    (primary, _log1, _log2), _parts = healthy("one log")
    log = bytearray(start + data)
    if sealed and len(log) >= 512:
        log[28:32] = b"\6\0\0\0"
        log[8:12] = log[4:8]
        seal(log)
    result = replay(BytesSource(primary), [("HIVE.LOG1", BytesSource(bytes(log)))], "HIVE")
    assert result.stale
    assert result.reason
    assert result.source.read_at(0, result.source.size) == primary

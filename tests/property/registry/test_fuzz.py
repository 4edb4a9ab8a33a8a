"""Flipped bytes: nothing but our own errors comes out, and reading stays bounded."""

from __future__ import annotations

import contextlib
import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.build.hive import HiveBuilder, utf16
from tests.effort import tries
from vdiskkit.errors import FormatError, VDiskError
from vdiskkit.io import BytesSource, GuardedSource, ReadBudget
from vdiskkit.registry import Hive
from vdiskkit.registry.regfile import export_keys


@functools.cache
def sample(lists: str) -> bytes:
    builder = HiveBuilder(lists=lists, leaf_limit=6)
    for number in range(16):
        builder.key(f"Classes\\key{number}", class_name="class" if number == 3 else None).set("v", 1, utf16("text"))
    builder.binary("Big", "big", bytes(range(256)) * 70)
    builder.multi("Big", "list", ["a", "b"])
    builder.dword("Big", "number", 1)
    builder.key("äöü").set("ключ", 1, utf16("x"))
    return builder.build()


def use(data: bytes) -> None:
    # Every page may be read again for a value's data or a look back, but not again and again.
    budget = ReadBudget(40 * len(data) + 200_000, 20_000)
    hive = Hive(GuardedSource(BytesSource(data), budget), "X")
    errors: list[FormatError] = []
    for key in hive.walk(on_error=errors.append):
        _ = key.last_written, key.path
        with contextlib.suppress(VDiskError):
            _ = key.class_name, key.link_target
        for value in key.values(on_error=errors.append):
            with contextlib.suppress(VDiskError):
                _ = value.data, value.problem
    for path in (r"Classes\KEY7", r"Big\none", "ÄÖÜ"):
        with contextlib.suppress(VDiskError):
            hive.find(path)
    with contextlib.suppress(VDiskError):
        "".join(export_keys(hive.root, "ROOT"))
    assert budget.spent_bytes <= budget.max_bytes
    assert budget.spent_calls <= budget.max_calls


@pytest.mark.thorough
@pytest.mark.parametrize("lists", ["lh", "lf", "li"])
def test_every_byte_of_the_structures_changed(lists: str) -> None:
    data = sample(lists)
    # Every byte of the base block and, in small steps, of the bins; in the big data one changed byte tells nothing.
    positions = [*range(180), *range(4096, 4096 + 4000, 5)]
    for at in positions:
        for change in (0xFF, 0x01, 0x80):
            broken = bytearray(data)
            broken[at] ^= change
            with contextlib.suppress(VDiskError):
                use(bytes(broken))


@settings(max_examples=tries(250), deadline=None)
@given(
    lists=st.sampled_from(["lh", "lf", "li"]),
    changes=st.lists(st.tuples(st.integers(4096, 4096 + 5000), st.binary(min_size=1, max_size=4)), max_size=8),
    short=st.sampled_from([0, 0, 0, 0, 1, 4096, 10_000, 27_000]),
)
def test_several_places_overwritten(lists: str, changes: list[tuple[int, bytes]], short: int) -> None:
    broken = bytearray(sample(lists))
    for at, new in changes:
        broken[at : at + len(new)] = new
    with contextlib.suppress(VDiskError):
        use(bytes(broken[: len(broken) - short]))

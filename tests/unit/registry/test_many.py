"""Keys with more values and subkeys than anybody would guess: read whole, found, walked, in bounded memory."""

from __future__ import annotations

import struct
import tracemalloc
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.build.hive import BASE_BLOCK, HiveBuilder
from tests.build.many import many_subkeys, many_values
from vdiskkit.io import BytesSource, GuardedSource, ReadBudget
from vdiskkit.patch.registry.check import check_hive
from vdiskkit.registry import Hive
from vdiskkit.registry.room import CellSet, subkeys_possible, values_possible
from vdiskkit.registry.soundness import Fault, find_faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MANY = 150_000
"""More than session hosts had when keys were first held to a limit of 110,000 values."""


def peak(work: Callable[[], object]) -> int:
    """Bytes of memory that ``work`` had at most."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _values(hive: Hive) -> Iterable[object]:
    return hive.key("Many").values()


@pytest.fixture(scope="module")
def values() -> BytesSource:
    return BytesSource(many_values(MANY))


@pytest.fixture(scope="module")
def subkeys() -> BytesSource:
    return BytesSource(many_subkeys(MANY))


def test_all_values_of_a_key_are_read(values: BytesSource) -> None:
    key = Hive(values).key("Many")
    assert key.value_count == MANY
    assert sum(value.data == number for number, value in enumerate(key.values())) == MANY
    last = key.value(f"{MANY - 1:08x}")
    assert last is not None
    assert last.data == MANY - 1
    assert key.value("other") is None


def test_all_subkeys_of_a_key_are_read(subkeys: BytesSource) -> None:
    hive = Hive(subkeys)
    assert hive.key("Many").subkey_count == MANY
    assert sum(key.name == f"{number:08X}" for number, key in enumerate(hive.walk(), start=-2)) == MANY
    budget = ReadBudget(10**9, 10**9)
    assert Hive(GuardedSource(subkeys, budget)).find(f"Many\\{MANY - 1:08x}") is not None
    assert budget.spent_calls < 40


@pytest.mark.thorough
def test_the_checks_take_them_for_sound(values: BytesSource, subkeys: BytesSource) -> None:
    for source in (values, subkeys):
        assert find_faults(source, Hive(source).base_block) == []


@pytest.mark.thorough
@pytest.mark.parametrize("make", [many_values, many_subkeys])
def test_a_million(make: Callable[[int], bytes]) -> None:
    source = BytesSource(make(1_000_000))
    key = Hive(source).key("Many")
    assert (sum(1 for _ in key.values()), sum(1 for _ in key.subkeys())) == (key.value_count, key.subkey_count)
    assert max(key.value_count, key.subkey_count) == 1_000_000
    assert find_faults(source, Hive(source).base_block) == []
    assert check_hive(source) == ()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("make", "read"),
    [(many_values, _values), (many_subkeys, Hive.walk)],
    ids=["values", "subkeys"],
)
def test_listing_takes_memory_for_the_list_alone(
    monkeypatch: pytest.MonkeyPatch, make: Callable[[int], bytes], read: Callable[[Hive], Iterable[object]]
) -> None:
    monkeypatch.setattr("vdiskkit.registry.cells._PAGES_KEPT", 16)
    few, many = (BytesSource(make(count)) for count in (10_000, 30_000))
    taken = [peak(partial(lambda hive: sum(1 for _ in read(hive)), Hive(source))) for source in (few, many)]
    # The list itself has four bytes for each.
    assert taken[1] - taken[0] < 20_000 * 8


def test_a_count_that_the_hive_has_no_room_for() -> None:
    builder = HiveBuilder()
    builder.dword("Key", "v", 1)
    builder.key("Key\\Sub")
    bins = len(builder.build()) - BASE_BLOCK
    for at, most, word in ((36, values_possible(bins), "values"), (20, subkeys_possible(bins), "subkeys")):
        data = bytearray(builder.build())
        place = BASE_BLOCK + builder.find("Key").offset + 4 + at
        struct.pack_into("<I", data, place, most + 1)
        assert any(f"has {most + 1} {word}" in fault.message for fault in faults(bytes(data)))
        struct.pack_into("<I", data, place, most)
        assert not any(f"has {most} {word}" in fault.message for fault in faults(bytes(data)))


def faults(data: bytes) -> list[Fault]:
    source = BytesSource(data)
    return find_faults(source, Hive(source).base_block)


@pytest.mark.parametrize("size", [4096, 1 << 20])
def test_a_set_of_cells(size: int) -> None:
    cells, known = CellSet(size), set()
    for number in range(4000):
        offset = number * 7919 * 8 % size
        assert cells.add(offset) is (offset not in known)
        known.add(offset)
    # No cell can be there, so that whoever reads it says what is wrong.
    assert all(cells.add(place) for place in (size + 4096, size + 4096, 0xFFFFFFFF, 0xFFFFFFFF, 4, 4))

"""The walk that a hive must pass after its logs were replayed: nothing in a sound hive, and what breaks it is found."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.build.hive import BASE_BLOCK, HiveBuilder
from tests.effort import tries
from tests.oracle.samples import real_sample
from vdiskkit.errors import FormatError, ReadLimitError
from vdiskkit.io import BytesSource, GuardedSource, ReadBudget
from vdiskkit.registry import Hive, soundness
from vdiskkit.registry.soundness import Fault, find_faults, new_faults


def builder(**arguments: object) -> HiveBuilder:
    made = HiveBuilder(**arguments)  # type: ignore[arg-type]  # passed on as they are
    made.fill("Filler", 120)
    made.binary("Data", "Big", bytes(range(256)) * 300)
    made.sz("Data", "Text", "longer than four bytes")
    made.dword("Data", "Inline", 1)
    made.set("Data", "Empty", 3, b"")
    made.sz("Data", "ключ", "a name beyond Latin-1")
    made.key("Däta\\Ключ")
    return made


def faults(data: bytes) -> list[Fault]:
    source = BytesSource(data)
    return find_faults(source, Hive(source).base_block)


def read_errors(data: bytes) -> list[FormatError]:
    """What the reader meets when it is asked for everything."""
    errors: list[FormatError] = []
    hive = Hive(BytesSource(data))
    for key in hive.walk(on_error=errors.append):
        for value in key.values(on_error=errors.append):
            try:
                value.raw  # noqa: B018 - read
            except FormatError as exc:
                errors.append(exc)
    return errors


@pytest.mark.parametrize("minor", [3, 5])
@pytest.mark.parametrize("lists", ["lh", "lf", "li"])
def test_nothing_in_a_sound_hive(minor: int, lists: str) -> None:
    assert faults(builder(minor=minor, lists=lists).build()) == []


def test_subkey_lists_of_lists() -> None:
    made = HiveBuilder()
    for number in range(2000):
        made.key(f"Many\\{number}")
    assert faults(made.build()) == []


@pytest.mark.real
@pytest.mark.parametrize(
    "name",
    [
        "SYSTEM",
        "NTUSER_BAGMRU.DAT",
        "ntuser_software_partial",
        "BCD",
        "offreg_testhive",
        "yarp/BigDataHive",
        "yarp/ManySubkeysHive",
        "yarp/UnicodeHive",
        "yarp/ExtendedASCIIHive",
        "yarp/DupNameHive",
        "yarp/BogusKeyNamesHive",
    ],
)
def test_nothing_in_hives_of_windows(name: str) -> None:
    assert faults(real_sample(name)) == []


@pytest.mark.real
@pytest.mark.parametrize(
    "name", ["yarp/BadListHive", "yarp/BadSubkeyHive", "yarp/TruncatedNameHive", "corrupted_system_hive"]
)
def test_damaged_hives(name: str) -> None:
    assert faults(real_sample(name))


def cell(data: bytes, name: bytes) -> int:
    """Place in the file of the cell of the key with this Latin-1 name."""
    return data.index(name) - 80


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (4, b"xx", "begins with b'xx'"),
        (0, struct.pack("<i", 88), "no used cell begins there"),
        (0, struct.pack("<i", -8), "name does not fit"),
        (4 + 20, struct.pack("<I", 7), "where the key says 7"),
        (4 + 20, struct.pack("<I", 80_000), "it has 80000 subkeys"),
        (4 + 28, struct.pack("<I", 0xFFFFFFF0), "no place for a cell"),
        (4 + 36, struct.pack("<I", 200_000), "it has 200000 values"),
        (4 + 36, struct.pack("<I", 5_000), "a key says that it has 5000 values"),
        (4 + 36, struct.pack("<I", 50), "a list of values does not fit into its cell"),
        (4 + 40, struct.pack("<I", 20), "a list of values cannot be read"),
        (4 + 72, struct.pack("<H", 60_000), "name does not fit"),
    ],
)
def test_what_breaks_a_key(at: int, value: bytes, message: str) -> None:
    made = HiveBuilder()
    made.sz("Keyname", "Text", "value")
    made.key("Keyname\\Below")
    data = bytearray(made.build())
    place = cell(bytes(data), b"Keyname")
    data[place + at : place + at + len(value)] = value
    found = faults(bytes(data))
    assert message in " ".join(fault.message for fault in found)
    assert read_errors(bytes(data))


def test_two_pointers_to_one_cell() -> None:
    made = builder()
    data = bytearray(made.build())
    at = data.index(b"lh", cell(bytes(data), b"Element0000")) + 4
    data[at + 8 : at + 12] = data[at : at + 4]
    assert "something else has it" in faults(bytes(data))[0].message


@pytest.mark.parametrize(("at", "value"), [(0, b"xbin"), (4, b"\1"), (8, b"\1"), (9, b"\0"), (32, bytes(4))])
def test_what_breaks_a_bin(at: int, value: bytes) -> None:
    data = bytearray(builder().build())
    place = BASE_BLOCK + 4096
    assert data[place : place + 4] == b"hbin"
    data[place + at : place + at + len(value)] = value
    assert faults(bytes(data))


def test_damage_from_before_is_told_apart() -> None:
    data = bytearray(builder().build())
    at = cell(bytes(data), b"Filler")
    struct.pack_into("<I", data, at + 4 + 28, 0xFFFFFFF0)
    before = BytesSource(bytes(data))
    base = Hive(before).base_block
    assert [len(part) for part in new_faults(before, base, before, base)] == [0, 1]
    struct.pack_into("<I", data, cell(bytes(data), b"Data") + 4 + 40, 12)
    after = BytesSource(bytes(data))
    added, old = new_faults(after, base, before, base)
    assert (len(added), len(old)) == (1, 1)
    assert [len(part) for part in new_faults(after, base, before, None)] == [2, 0]


def test_a_hive_beyond_repair_is_not_compared() -> None:
    made = HiveBuilder()
    for number in range(600):
        made.sz("K", f"value {number}", "some text")
    data = made.build().replace(b"vk", b"xx")
    source = BytesSource(data)
    base = Hive(source).base_block
    added, old = new_faults(source, base, source, base)
    assert len(added) == 200
    assert not old


def test_what_is_not_held_is_read_where_it_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    data = builder().build()
    monkeypatch.setattr(soundness, "_HELD_MAX", 0)
    assert faults(data) == []


def test_a_used_up_budget_is_no_fault() -> None:
    data = builder().build()
    source = GuardedSource(BytesSource(data), ReadBudget(2 * 4096, 100))
    with pytest.raises(ReadLimitError):
        find_faults(source, Hive(source).base_block)


DATA = builder().build()


@settings(deadline=None, max_examples=tries(150))
@given(st.lists(st.tuples(st.integers(BASE_BLOCK, len(DATA) - 4), st.binary(min_size=1, max_size=4)), max_size=6))
def test_any_damage_ends_in_faults_or_in_nothing(changes: list[tuple[int, bytes]]) -> None:
    data = bytearray(DATA)
    for at, value in changes:
        data[at : at + len(value)] = value
    found = faults(bytes(data))
    assert len(found) <= 200
    if not found:
        # What passes the walk can be read: no pointer leads astray.
        assert not read_errors(bytes(data))

"""The structural checks see every fault that the hive builder can make, and nothing in sound hives."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.build.hive import BASE_BLOCK, DEFAULT_SECURITY, HiveBuilder, utf16
from vdiskkit.io import BytesSource
from vdiskkit.patch.registry import Touched, check_hive, check_touched
from vdiskkit.registry import Hive


def rich(**options: int) -> HiveBuilder:
    builder = HiveBuilder(**options)
    for number in range(5):
        builder.key(f"K\\s{number}", class_name="Class").set("v", 1, utf16("text"))
    builder.binary("K", "data", bytes(100))
    builder.binary("K", "big", bytes(40000))
    builder.key("K\\s1", security=DEFAULT_SECURITY[:-4] + b"\x21\2\0\0")
    return builder


TOUCHED = Touched(("K", "K\\s1", ""), ("K", ""), (0,))


def codes(data: bytes) -> tuple[set[str], set[str]]:
    """What the full and the partial check find."""
    source = BytesSource(data)
    return {p.code for p in check_hive(source)}, {p.code for p in check_touched(source, TOUCHED)}


@pytest.mark.parametrize("minor", [3, 4, 5])
def test_sound_hives(minor: int) -> None:
    assert codes(rich(minor=minor, leaf_limit=2).build()) == (set(), set())


@pytest.mark.parametrize(
    ("fault", "path", "value", "argument", "code"),
    [
        ("dirty", "", "", None, "base-block"),
        ("wrong-checksum", "", "", None, "base-block"),
        ("signature", "", "", None, "base-block"),
        ("hive-bins-size", "", "", 0x7000000, "base-block"),
        ("bin-signature", "K", "", None, "bin"),
        ("key-signature", "K\\s1", "", None, "key"),
        ("key-name-length", "K\\s1", "", 4000, "key"),
        ("key-name-length", "K\\s1", "", 0, "key"),
        ("key-parent", "K\\s1", "", 0x20, "key"),
        ("key-class", "K\\s1", "", 0x28, "key"),
        ("cell-free", "K\\s1", "", None, "list"),
        ("subkey-count", "K", "", 4, "list"),
        ("subkey-list", "K", "", 0xFFFFFFFF, "list"),
        ("list-signature", "K", "", None, "list"),
        ("list-count", "K", "", 0, "list"),
        ("list-count", "K", "", 6, "list"),
        ("list-entry", "K", "", 0x28, "list"),
        ("list-cell-free", "K", "", None, "list"),
        ("unsorted", "K", "", None, "list"),
        ("stale-hash", "K", "", None, "list"),
        ("value-count", "K", "", 400, "value"),
        ("value-list", "K", "", 0x28, "value"),
        ("value-pointer", "K", "", 0x28, "value"),
        ("value-signature", "K", "data", None, "value"),
        ("value-name-length", "K", "data", 300, "value"),
        ("data-length", "K", "data", 0x80000005, "value"),
        ("data-length", "K", "data", 400, "value"),
        ("data-pointer", "K", "data", 0x28, "value"),
        ("data-cell-free", "K", "data", None, "value"),
        ("db-signature", "K", "big", None, "value"),
        ("db-count-zero", "K", "big", None, "value"),
        ("db-table", "K", "big", None, "value"),
        ("db-segment", "K", "big", None, "value"),
    ],
)
def test_faults(fault: str, path: str, value: str, argument: object, code: str) -> None:
    full, partial = codes(rich().fault(fault, path, value, argument).build())
    assert code in full
    assert partial


def test_hints() -> None:
    data = bytearray(rich(minor=3).build())
    leaf = struct.unpack_from("<I", data, BASE_BLOCK + 4 + Hive(BytesSource(bytes(data))).key("K").offset + 28)[0]
    data[BASE_BLOCK + 4 + leaf + 8] ^= 1
    assert codes(bytes(data))[0] == {"list"}


@pytest.mark.parametrize("field", [52, 60, 64])
def test_maximum_fields_that_are_too_low(field: int) -> None:
    data = bytearray(rich().build())
    at = BASE_BLOCK + 4 + Hive(BytesSource(bytes(data))).key("K").offset + field
    struct.pack_into("<H", data, at, 1)
    problems = check_hive(BytesSource(bytes(data)))
    assert {(problem.code, problem.severe) for problem in problems} == {("maximum", False)}


@pytest.mark.parametrize(("at", "number"), [(0, 0x7878), (4, 0x28), (8, 0x20), (12, 9), (12, 0), (16, 5000)])
def test_security_descriptors(at: int, number: int) -> None:
    data = bytearray(rich().build())
    key = Hive(BytesSource(bytes(data))).key("K\\s1")
    (security,) = struct.unpack_from("<I", data, BASE_BLOCK + 4 + key.offset + 44)
    struct.pack_into("<H" if at == 0 else "<I", data, BASE_BLOCK + 4 + security + at, number)
    assert "security" in codes(bytes(data))[0]


def test_two_rings_of_security_descriptors() -> None:
    data = bytearray(rich().build())
    key = Hive(BytesSource(bytes(data))).key("K\\s1")
    (security,) = struct.unpack_from("<I", data, BASE_BLOCK + 4 + key.offset + 44)
    following, previous = struct.unpack_from("<II", data, BASE_BLOCK + 4 + security + 4)
    struct.pack_into("<II", data, BASE_BLOCK + 4 + security + 4, security, security)
    struct.pack_into("<I", data, BASE_BLOCK + 4 + following + 8, previous)
    struct.pack_into("<I", data, BASE_BLOCK + 4 + previous + 4, following)
    assert "not linked in one ring" in check_hive(BytesSource(bytes(data)))[0].message


def test_leaks_and_shared_cells() -> None:
    builder = rich()
    data = bytearray(builder.build())
    first, second = (Hive(BytesSource(bytes(data))).key(path).value("v") for path in ("K\\s2", "K\\s3"))
    assert first is not None
    assert second is not None
    struct.pack_into("<I", data, BASE_BLOCK + 4 + second._offset + 8, first._where)
    problems = check_hive(BytesSource(bytes(data)))
    assert {(problem.code, problem.severe) for problem in problems} == {("value", True), ("leak", False)}
    assert any("shares its cell with something else" in problem.message for problem in problems)


def test_a_loop_of_keys() -> None:
    full, _ = codes(rich().fault("subkey-is-ancestor", "K", argument="").build())
    assert {"key", "list"} <= full


def test_a_key_that_was_changed_must_be_there() -> None:
    touched = Touched(("K\\missing",), (), ())
    (problem,) = check_touched(BytesSource(rich().build()), touched)
    assert problem.message == "the key 'K\\\\missing' was changed but cannot be found"


@given(st.lists(st.tuples(st.integers(0, 60_000), st.integers(0, 255)), min_size=1, max_size=40))
def test_any_damage_is_survived(damage: list[tuple[int, int]]) -> None:
    data = bytearray(rich().build())
    for at, byte in damage:
        data[at % len(data)] = byte
    check_hive(BytesSource(bytes(data)))
    check_touched(BytesSource(bytes(data)), TOUCHED)

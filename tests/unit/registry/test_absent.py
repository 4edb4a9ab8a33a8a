"""That a key is not there is said only of a hive whose way to its place is whole: one wrong byte never hides a key."""

from __future__ import annotations

import contextlib
import random
import struct
from typing import TYPE_CHECKING

import pytest

from tests.build.hive import HiveBuilder, seal
from vdiskkit.errors import CorruptStructureError, FormatError
from vdiskkit.io import BytesSource
from vdiskkit.registry import Hive
from vdiskkit.registry.subkeys import find_subkey

if TYPE_CHECKING:
    from collections.abc import Iterator

BINS = 4096
PATH = r"Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform"
HOLDER = r"Microsoft\Windows NT\CurrentVersion"


def build(count: int, minor: int = 5) -> bytearray:
    """The key ``PATH`` among ``count`` others at its own level."""
    builder = HiveBuilder(minor, leaf_limit=100)
    builder.dword(PATH, "SkipRearm", 1)
    for number in range(count):
        builder.key(rf"{HOLDER}\{chr(65 + number % 26)}{number * 7919 % 100_000:05d}")
    return bytearray(builder.build())


def hive(data: bytes | bytearray) -> Hive:
    return Hive(BytesSource(bytes(data)), "SOFTWARE")


def cells_of_the_way(data: bytes) -> Iterator[tuple[int, int]]:
    """Offset and length, in the file, of the list entries and key nodes that lead to ``PATH``."""
    opened = hive(data)
    key = opened.root
    for name in PATH.split("\\"):
        node = key._node
        yield BINS + node.subkey_list + 4, 4 + 8 * min(node.subkey_count, 40)
        found = key.subkey(name)
        assert found is not None
        yield BINS + found.offset + 4, 76 + len(found.name)
        key = found


@pytest.mark.parametrize("count", [0, 12, 60, 400])
def test_no_wrong_byte_on_the_way_hides_a_key(count: int) -> None:
    data = build(count)
    picks = random.Random(count)  # noqa: S311 - places to spoil
    places = [at for start, length in cells_of_the_way(data) for at in range(start, start + length)]
    assert hive(data).find(PATH) is not None
    for at in places if count < 60 else picks.sample(places, 300):
        changed = bytearray(data)
        changed[at] ^= 1 << picks.randrange(8)
        with contextlib.suppress(FormatError):
            assert hive(changed).find(PATH) is not None, f"byte {at:#x}"


@pytest.mark.parametrize("count", [0, 12, 60, 400])
@pytest.mark.parametrize("minor", [3, 5])
def test_what_is_not_there_is_said_of_a_healthy_hive(count: int, minor: int) -> None:
    opened = hive(build(count, minor))
    for name in ("", "0", "M", "Sof", "SoftwareProtectionPlatform2", "zz", "ß", "\ud800"):
        assert opened.find(rf"{HOLDER}\x{name}") is None
        assert opened.find(rf"{PATH}\x{name}") is None
    assert opened.key(PATH).value("nothing") is None


def test_a_key_in_the_place_of_the_root_is_no_hive_that_holds_nothing() -> None:
    data = build(3)
    struct.pack_into("<I", data, 36, hive(data).key(HOLDER).offset)
    seal(data)
    with pytest.raises(CorruptStructureError) as caught:
        hive(data).find("Microsoft")
    assert caught.value.message == (
        "the base block calls the key 'CurrentVersion' the root, but it is a subkey: the hive would read as if nearly "
        "all of it were not there"
    )


def test_the_root_of_an_offline_library_has_no_flag_and_is_one() -> None:
    data = build(3)
    opened = hive(data)
    at = BINS + opened.root.offset + 4
    struct.pack_into("<H", data, at + 2, 0x20)
    for parent in (0xFFFFFFFF, opened.root.offset):
        struct.pack_into("<I", data, at + 16, parent)
        assert hive(data).find(PATH) is not None
        assert hive(data).find("x") is None


def test_a_list_that_belongs_to_another_key_proves_nothing() -> None:
    data = build(3)
    opened = hive(data)
    other = opened.key("Microsoft")._node
    at = BINS + opened.key(HOLDER).offset + 4
    struct.pack_into("<I", data, at + 20, other.subkey_count)
    struct.pack_into("<I", data, at + 28, other.subkey_list)
    with pytest.raises(CorruptStructureError) as caught:
        hive(data).find(PATH)
    assert caught.value.message == (
        "what is not found below the key 'CurrentVersion' may be there: it lists the key 'Windows NT', which names "
        "another key as its parent"
    )


def test_a_key_that_names_another_parent_is_read_but_nothing_is_called_missing_in_it() -> None:
    data = build(3)
    opened = hive(data)
    struct.pack_into("<I", data, BINS + opened.key(PATH).offset + 20, opened.root.offset)
    strayed = hive(data).key(PATH)
    value = strayed.value("SkipRearm")
    assert value is not None
    assert value.data == 1
    for ask in (
        lambda: strayed.value("KeyManagementServiceName"),
        lambda: strayed.subkey("x"),
        lambda: strayed.find("x"),
    ):
        with pytest.raises(CorruptStructureError) as caught:
            ask()
        assert caught.value.message == (
            f"what is not found in {PATH!r} may be elsewhere: the key {PATH!r} names another key as its parent than "
            "the one that lists it"
        )


def test_a_count_of_nothing_beside_a_list_is_damage() -> None:
    data = build(3)
    struct.pack_into("<I", data, BINS + hive(data).key(HOLDER).offset + 24, 0)
    with pytest.raises(CorruptStructureError) as caught:
        hive(data).find(PATH)
    assert caught.value.message == (
        "what is not found below the key 'CurrentVersion' may be there: it says that it has no subkeys, and yet has a "
        "list of them"
    )


def test_a_proof_of_absence_reads_few_keys_of_a_long_list(monkeypatch: pytest.MonkeyPatch) -> None:
    builder = HiveBuilder(leaf_limit=60_000)
    for number in range(20_000):
        builder.key(f"Key{number:06d}")
    opened = hive(builder.build())
    asked = []
    from vdiskkit.registry import subkeys

    original = subkeys.read_key_node
    monkeypatch.setattr(subkeys, "read_key_node", lambda *given: (asked.append(given[1]), original(*given))[1])
    assert find_subkey(opened.cells, opened.root._node, "Key0100005", None) is None
    assert len(asked) <= 20

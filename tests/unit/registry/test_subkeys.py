from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.build.hive import HiveBuilder
from vdiskkit.errors import CorruptStructureError
from vdiskkit.io import BytesSource, GuardedSource, ReadBudget
from vdiskkit.registry import Hive

if TYPE_CHECKING:
    from collections.abc import Callable

    OpenHive = Callable[[HiveBuilder | bytes], Hive]

NAMES = (
    "Select",
    "select2",
    "SELECTED",
    "_under",
    "under",
    "abcd_äöüß",
    "ÄÖÜ",
    "strasse",
    "straße",
    "ключ",
    "Ключи",
    "\u0131dotless",
    "\uff5afullwidth",
    "\U00010428deseret",
    "\u10d0georgian",
    "a",
    "ab",
    "abc",
    "abcd",
    "abcde",
    "name with spaces",
    "nul\0inside",
    "lone\ud800surrogate",
    "forward/slash",
    "{00000000-0000-0000-C000-000000000046}",
)


@pytest.mark.parametrize("lists", ["lh", "lf", "li"])
@pytest.mark.parametrize("leaf_limit", [507, 4, 1])
def test_every_name_is_found_in_any_case(open_hive: OpenHive, lists: str, leaf_limit: int) -> None:
    builder = HiveBuilder(lists=lists, leaf_limit=leaf_limit)
    for name in NAMES:
        builder.key(("Top", name))
    key = open_hive(builder).key("Top")
    assert key.subkey_count == len(NAMES)
    assert sorted(subkey.name for subkey in key.subkeys()) == sorted(NAMES)
    for name in NAMES:
        # Only ASCII and letters with a plain pair are swapped here; the table itself has its own tests.
        for asked in (name, name.swapcase() if name.isascii() else name):
            found = key.subkey(asked)
            assert found is not None, asked
            assert found.name == name
            assert found.path == f"Top\\{name}"
    for absent in ("", "Selec", "Select3", "zzz", "\0", "abcd_äöü", "STRASSEN", "\U00010400deseret", "x" * 300):
        assert key.subkey(absent) is None


@pytest.mark.parametrize(
    ("lists", "stored", "asked"),
    [
        ("li", "CurrentVersion", "currentversion"),  # li lists are not case-sensitive
        ("lf", "äpfel", "ÄPFEL"),  # lf hints are not ASCII
        ("lf", "zebra", "ZEBRA"),
        ("lh", "abcd_äöüß", "ABCD_ÄÖÜß"),  # the hash is not over str.upper()
        ("lh", "mikro\u00b5", "MIKRO\u00b5"),
    ],
)
def test_names_that_other_readers_miss(open_hive: OpenHive, lists: str, stored: str, asked: str) -> None:
    builder = HiveBuilder(lists=lists)
    builder.key("äquator")  # a sibling whose hint is not ASCII
    builder.key(stored)
    assert open_hive(builder).key(asked).name == stored


@pytest.mark.parametrize("lists", ["lh", "lf", "li"])
@pytest.mark.parametrize("count", [5, 40, 400])
def test_a_list_out_of_order_is_searched_whole(open_hive: OpenHive, lists: str, count: int) -> None:
    builder = HiveBuilder(lists=lists)
    for number in range(count):
        builder.key(f"name{number:04d}")
    builder.fault("unsorted")
    hive = open_hive(builder)
    names = [key.name for key in hive.root.subkeys()]
    assert names == sorted(names, reverse=True)
    assert all(hive.find(name) is not None for name in names)


def test_leaves_out_of_order_are_searched_one_by_one(open_hive: OpenHive) -> None:
    names = [f"name{number:04d}" for number in range(200)]
    builder = HiveBuilder(leaf_limit=10)
    for name in names:
        builder.key(name)
    data = bytearray(builder.build())
    at = 4096 + builder.root.list_offset + 8  # the ri list's entries
    entries = [bytes(data[at + 4 * n : at + 4 * n + 4]) for n in range(20)]
    data[at : at + 80] = b"".join(reversed(entries))
    hive = open_hive(bytes(data))
    assert all(hive.find(name) is not None for name in names)


def test_a_key_under_a_stale_hash_is_listed_and_not_called_missing(open_hive: OpenHive) -> None:
    builder = HiveBuilder().fault("stale-hash")
    builder.key("Alpha")
    builder.key("Beta")
    hive = open_hive(builder)
    assert [key.name for key in hive.root.subkeys()] == ["Alpha", "Beta"]
    for name in ("Alpha", "Gamma"):
        with pytest.raises(CorruptStructureError) as caught:
            hive.find(name)
        assert caught.value.message == (
            "what is not found below the key 'ROOT' may be there: it lists the key 'Alpha' under the hash of another "
            "name"
        )
    assert hive.find("Beta") is not None


def test_equal_hashes_are_told_apart_by_name(open_hive: OpenHive) -> None:
    builder = HiveBuilder()
    for name in ("B\x0b", "A0", "AZ", "B5"):  # 37 * "A" + "Z" == 37 * "B" + "5"
        builder.key(name)
    hive = open_hive(builder)
    assert [hive.key(name).name for name in ("AZ", "B5", "A0", "B\x0b")] == ["AZ", "B5", "A0", "B\x0b"]


@pytest.mark.parametrize(("lists", "calls"), [("lh", 26), ("lf", 60), ("li", 60)])
def test_a_list_of_20000_names_is_not_read_name_by_name(lists: str, calls: int) -> None:
    builder = HiveBuilder(lists=lists)
    for number in range(20_000):
        builder.key(f"{{{number * 2654435761 & 0xFFFFFFFF:08X}-1CE0-11D3}}").set("v", 4, b"1234")
    data = builder.build()
    asked = f"{{{7777 * 2654435761 & 0xFFFFFFFF:08x}-1ce0-11d3}}"
    for name, present in ((asked, True), ("{00000000-none}", False), ("zzz", False), ("!", False)):
        budget = ReadBudget(10**9, 10**9)
        hive = Hive(GuardedSource(BytesSource(data), budget))
        assert (hive.find(name) is not None) == present
        assert budget.spent_calls <= calls
        assert budget.spent_bytes <= calls * 4096 + 512


def test_paths_tolerate_slashes_at_both_ends(open_hive: OpenHive) -> None:
    builder = HiveBuilder()
    builder.key(r"Microsoft\Windows NT")
    hive = open_hive(builder)
    for path in (r"Microsoft\Windows NT", r"\microsoft\\WINDOWS NT\\", r"\Microsoft\Windows NT"):
        assert hive.key(path).path == r"Microsoft\Windows NT"
    for path in ("", "\\", "\\\\"):
        assert hive.key(path).offset == hive.root.offset
    assert hive.find("Microsoft/Windows NT") is None


def test_a_name_with_a_backslash_is_reached_from_its_parent(open_hive: OpenHive) -> None:
    builder = HiveBuilder()
    builder.key(("Mounted", "C:\\Data"))
    found = open_hive(builder).key("Mounted").subkey("c:\\data")
    assert found is not None
    assert found.name == "C:\\Data"

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.build.hive import REG_DWORD, REG_SZ, HiveBuilder, utf16
from vdiskkit.errors import CorruptStructureError, FormatError, KeyMissingError, ReadLimitError
from vdiskkit.io import BytesSource, GuardedSource, ReadBudget
from vdiskkit.registry import Hive, HiveLimits

if TYPE_CHECKING:
    from collections.abc import Callable

    OpenHive = Callable[[HiveBuilder | bytes], Hive]

PLATFORM = r"Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform"


def test_values_by_name_and_type(open_hive: OpenHive) -> None:
    builder = HiveBuilder()
    builder.dword(PLATFORM, "SkipRearm", 1)
    builder.sz(PLATFORM, "KeyManagementServiceName", "kms.example.org")
    builder.multi(PLATFORM, "List", ["a", "b"])
    builder.qword(PLATFORM, "Q", 2**40)
    builder.expand(PLATFORM, "Path", r"%windir%\x")
    builder.binary(PLATFORM, "Blob", bytes(range(100)))
    builder.sz(PLATFORM, "", "the default")
    builder.sz(PLATFORM, "Größe", "x")
    builder.set(PLATFORM, "Odd", 0xFFFF0012, b"12345")
    key = open_hive(builder).key(PLATFORM.upper())
    assert key.value_count == 9
    assert key.subkey_count == 0
    rearm = key.value("skiprearm")
    assert rearm is not None
    assert (rearm.name, rearm.type, rearm.type_name, rearm.data) == ("SkipRearm", 4, "REG_DWORD", 1)
    assert (rearm.raw, rearm.size, rearm.problem) == (b"\1\0\0\0", 4, None)
    assert {value.name: value.data for value in key.values()} == {
        "SkipRearm": 1,
        "KeyManagementServiceName": "kms.example.org",
        "List": ("a", "b"),
        "Q": 2**40,
        "Path": r"%windir%\x",
        "Blob": bytes(range(100)),
        "": "the default",
        "Größe": "x",
        "Odd": b"12345",
    }
    default, umlaut = key.value(""), key.value("GRÖßE")
    assert default is not None
    assert umlaut is not None
    assert default.data == "the default"
    assert key.value("GRÖSSE") is None
    assert key.value("absent") is None


def test_keys_say_when_they_were_written_and_of_what_class(open_hive: OpenHive) -> None:
    builder = HiveBuilder()
    written = datetime(2021, 3, 4, 5, 6, 7, 891011, tzinfo=UTC)
    builder.key(r"Lsa\JD", class_name="1a2b3c4d", written=written)
    hive = open_hive(builder)
    key = hive.key(r"lsa\jd")
    assert key.last_written == written
    assert key.class_name == "1a2b3c4d"
    assert hive.root.class_name == ""
    assert str(key.location) == f"x.hive > hive:{4096 + key.offset:#x}"


def test_a_missing_key_is_a_key_error_with_its_place(open_hive: OpenHive) -> None:
    with pytest.raises(KeyMissingError, match="there is no key 'Nope") as caught:
        open_hive(HiveBuilder()).key(r"Nope\Deeper")
    assert isinstance(caught.value, KeyError)
    assert caught.value.exit_code == 1


def test_a_symbolic_link_is_a_key_that_says_where_it_leads(open_hive: OpenHive) -> None:
    builder = HiveBuilder()
    builder.link("Link", r"\Registry\Machine\SOFTWARE\Real")
    builder.key("Plain").set("SymbolicLinkValue", REG_SZ, utf16("no"))
    hive = open_hive(builder)
    assert hive.key("Link").is_link
    assert hive.key("Link").link_target == r"\Registry\Machine\SOFTWARE\Real"
    assert not hive.key("Plain").is_link
    assert hive.key("Plain").link_target is None


def test_a_predefined_handle_is_not_a_value_count(open_hive: OpenHive) -> None:
    builder = HiveBuilder()
    builder.key("Handle", flags=0x40)
    builder.fault("value-count", "Handle", argument=0x80000002)
    assert list(open_hive(builder).key("Handle").values()) == []


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 4000, 5000, 16344, 16345, 32688, 32689, 100_000])
@pytest.mark.parametrize("minor", [3, 4, 5])
def test_data_of_every_length(open_hive: OpenHive, size: int, minor: int) -> None:
    content = bytes(number * 7 % 251 for number in range(size))
    builder = HiveBuilder(minor=minor)
    builder.binary("K", "v", content)
    value = open_hive(builder).key("K").value("v")
    assert value is not None
    assert value.raw == content


def test_data_that_begins_like_big_data_is_data_where_there_is_none(open_hive: OpenHive) -> None:
    builder = HiveBuilder(minor=3)
    builder.binary("K", "v", b"db\1\0" + bytes(20000))
    value = open_hive(builder).key("K").value("v")
    assert value is not None
    assert value.raw[:4] == b"db\1\0"


def test_walk_goes_parents_first_in_hive_order_as_deep_as_asked(open_hive: OpenHive) -> None:
    builder = HiveBuilder()
    for path in (r"B\y\deep", r"B\x", "A", "C"):
        builder.key(path)
    hive = open_hive(builder)
    assert [key.path for key in hive.walk()] == ["", "A", "B", r"B\x", r"B\y", r"B\y\deep", "C"]
    assert [key.path for key in hive.walk(depth=0)] == [""]
    assert [key.path for key in hive.walk(depth=1)] == ["", "A", "B", "C"]
    assert [key.path for key in hive.walk(hive.key("b"), depth=1)] == ["B", r"B\x", r"B\y"]


def test_a_deep_tree_is_read_and_a_deeper_one_refused(open_hive: OpenHive) -> None:
    builder = HiveBuilder()
    builder.key(tuple("k" * 500))
    assert sum(1 for _ in open_hive(builder).walk()) == 501
    builder.key(tuple("k" * 600))
    hive = open_hive(builder)
    with pytest.raises(CorruptStructureError, match="keys are nested more than 512 deep"):
        list(hive.walk())
    assert hive.find("\\".join("k" * 600)) is not None


def test_limits_are_the_callers(open_hive: OpenHive) -> None:
    builder = HiveBuilder()
    builder.binary("K", "v", bytes(100))
    builder.binary("K", "w", bytes(4))
    builder.key(r"K\a")
    builder.key(r"K\b")
    source = BytesSource(builder.build())
    key = Hive(source, limits=HiveLimits(value_size=99)).key("K")
    value = key.value("v")
    assert value is not None
    assert value.size == 100
    with pytest.raises(ReadLimitError, match="the value 'v' has 100 bytes of data, the limit is 99"):
        _ = value.data
    with pytest.raises(ReadLimitError, match="has 2 values, the limit is 1"):
        list(Hive(source, limits=HiveLimits(values=1)).key("K").values())
    with pytest.raises(ReadLimitError, match="has 2 subkeys, the limit is 1"):
        Hive(source, limits=HiveLimits(subkeys=1)).find(r"K\a")


@pytest.mark.thorough
def test_reading_one_value_reads_little_whatever_the_size() -> None:
    spent = []
    for keys in (1_000, 60_000):
        builder = HiveBuilder()
        builder.fill("Classes", keys)
        builder.dword(PLATFORM, "SkipRearm", 1)
        budget = ReadBudget(10**9, 10**9)
        value = Hive(GuardedSource(BytesSource(builder.build()), budget)).key(PLATFORM).value("SkipRearm")
        assert value is not None
        assert value.data == 1
        spent.append((budget.spent_bytes, budget.spent_calls))
    assert max(spent)[0] <= 32 * 1024
    assert max(spent)[0] <= 1.1 * min(spent)[0]


def test_a_dirty_hive_is_read(open_hive: OpenHive) -> None:
    builder = HiveBuilder().fault("dirty")
    builder.set("K", "v", REG_DWORD, b"\5\0\0\0")
    hive = open_hive(builder)
    value = hive.key("K").value("v")
    assert hive.base_block.dirty
    assert value is not None
    assert value.data == 5


def test_what_is_damaged_can_be_left_out(open_hive: OpenHive) -> None:
    builder = HiveBuilder()
    for name in ("A", "B", "C"):
        builder.dword(name, "v", 1)
        builder.dword(name, "w", 2)
    builder.fault("key-signature", "B").fault("value-signature", "C", "v")
    hive = open_hive(builder)
    errors: list[FormatError] = []
    assert [key.path for key in hive.walk(on_error=errors.append)] == ["", "A", "C"]
    assert [value.name for value in hive.key("C").values(on_error=errors.append)] == ["w"]
    assert len(errors) == 2
    with pytest.raises(CorruptStructureError):
        list(hive.walk())


def test_importing_loads_no_dissect_module() -> None:
    code = (
        "import sys; from vdiskkit.registry import Hive; from vdiskkit.io import BytesSource\n"
        "loaded = [m for m in sys.modules if m.split('.')[0] in ('dissect', 'construct', 'dataclasses')]\n"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

"""Hives opened with the logs beside them: what is read, what is said of it, and when the logs are looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.build.dirty_disk import dirty_software
from tests.build.hive import HiveBuilder
from tests.build.hive_log import DirtyHive, new_format, old_format
from tests.build.windows import service_key
from vdiskkit.errors import CorruptStructureError, SourceError, UnknownFormatError, UnsupportedFeatureError
from vdiskkit.hivefile import open_hive
from vdiskkit.io import BytesSource, GuardedSource, ReadBudget
from vdiskkit.location import Location
from vdiskkit.registry import Hive
from vdiskkit.registry.dissect_view import CheckedRegistryHive

if TYPE_CHECKING:
    from pathlib import Path

    from vdiskkit.io import ByteSource

SERVICE = service_key("win10")


def opened(dirty: DirtyHive) -> Hive:
    logs = [("X.LOG1", BytesSource(dirty.log1)), ("X.LOG2", BytesSource(dirty.log2))]
    return Hive(BytesSource(dirty.primary, Location("X")), "X", logs=lambda: logs)


def never() -> list[tuple[str, ByteSource]]:
    raise AssertionError("the logs of a clean hive were asked for")


@pytest.mark.parametrize("old", [False, True])
def test_a_dirty_hive_is_read_as_after_the_replay(old: bool) -> None:
    hive = opened(dirty_software(old=old))
    key = hive.key(SERVICE)
    value = key.value("KeyManagementServiceName")
    assert value is not None
    assert (value.data, value.origin) == ("kms.last.example.com", "log")
    assert (hive.dirty, hive.stale, hive.base_block.dirty) == (True, False, False)
    assert hive.primary_block is not None
    assert hive.primary_block.dirty
    facts = hive.facts()
    assert facts.logs is not None
    assert (facts.dirty, facts.stale, facts.logs.replayed) == (True, False, True)
    assert (facts.logs.format, facts.logs.entries) == (("old", 1) if old else ("new", 2))
    assert facts.logs.files == ("X.LOG1",)
    assert facts.sequence_1 != facts.sequence_2


def test_each_key_and_value_says_where_it_is_from() -> None:
    before, after = HiveBuilder(), HiveBuilder()
    for builder, number in ((before, 1), (after, 2)):
        builder.sz("Same", "Text", "as it was")
        builder.binary("Same", "Big", bytes(range(200)) * 100)
        builder.dword("Changed", "Inline", number)
        builder.sz("Changed", "Text", f"number {number}")
        builder.binary("Changed", "Big", bytes(20_000) + bytes([number]) + bytes(20_000))
        builder.binary("Changed", "Kept", bytes(20))
    hive = opened(new_format([before.build(), after.build()]))
    found = {f"{key.path}\\{value.name}": value.origin for key in hive.walk() for value in key.values()}
    assert found == {
        r"Same\Text": "primary",
        r"Same\Big": "primary",
        r"Changed\Inline": "log",
        r"Changed\Text": "log",
        r"Changed\Big": "log",
        r"Changed\Kept": "primary",
    }
    assert {key.origin for key in hive.walk()} == {"primary"}
    new = opened(dirty_software()).key(rf"{SERVICE}\Only in the log")
    assert new.origin == "log"


def test_everything_in_a_clean_hive_is_from_the_file() -> None:
    hive = Hive(BytesSource(dirty_software().after), "X", logs=never)
    assert hive.replayed is None
    assert {key.origin for key in hive.walk()} == {"primary"}
    assert {value.origin for key in hive.walk() for value in key.values()} == {"primary"}


def test_without_usable_logs_the_file_is_shown_and_called_stale() -> None:
    dirty = dirty_software()
    for log in (b"", bytes(4096), dirty.log1[:700]):
        hive = opened(dirty._replace(log1=log))
        value = hive.key(SERVICE).value("SkipRearm")
        assert value is not None
        assert (value.data, value.origin) == (1, "primary")
        assert (hive.dirty, hive.stale) == (True, True)
        facts = hive.facts()
        assert facts.logs is not None
        assert (facts.stale, facts.logs.replayed, facts.logs.entries) == (True, False, 0)
        assert facts.logs.reason


@pytest.mark.parametrize("error", [SourceError("no permission"), CorruptStructureError("a torn record")])
def test_logs_that_cannot_be_opened(error: Exception) -> None:
    def logs() -> list[tuple[str, ByteSource]]:
        raise error

    hive = Hive(BytesSource(dirty_software().primary), "X", logs=logs)
    assert hive.stale
    assert hive.replayed is not None
    assert "its logs cannot be opened" in hive.replayed.reason


def test_a_damaged_base_block_is_recovered_and_told() -> None:
    dirty = dirty_software()
    for primary in (bytes(512) + dirty.primary[512:], dirty.primary[:36] + bytes(4) + dirty.primary[40:]):
        hive = opened(dirty._replace(primary=primary))
        assert hive.key(rf"{SERVICE}\Only in the log").value("Number") is not None
        assert (hive.dirty, hive.stale, hive.primary_block) == (True, False, None)
        facts = hive.facts()
        assert facts.logs is not None
        assert facts.logs.base_block_recovered
        assert facts.dirty_reason
        assert not facts.checksum_ok


def test_a_damaged_base_block_without_logs_stays_an_error() -> None:
    dirty = dirty_software()
    broken = dirty._replace(primary=dirty.primary[:36] + bytes(4) + dirty.primary[40:], log1=b"")
    with pytest.raises(CorruptStructureError, match="the base block is damaged") as damaged:
        opened(broken)
    assert damaged.value.hint == "take the hive from a backup; the logs beside it do not help: its logs are empty"
    with pytest.raises(UnknownFormatError):
        opened(broken._replace(primary=bytes(16384)))
    with pytest.raises(UnsupportedFeatureError, match="this is a transaction log"):
        Hive(BytesSource(dirty.log1.ljust(8192, b"\0")), "X", logs=never)


def test_dissect_sees_the_same() -> None:
    hive = opened(dirty_software())
    theirs = {value.name: value.value for value in CheckedRegistryHive(hive).open(SERVICE).values()}
    assert theirs["KeyManagementServiceName"] == "kms.last.example.com"
    assert {value.name for value in hive.key(SERVICE).values()} == set(theirs)


@pytest.mark.thorough
def test_replaying_holds_only_pages_of_the_logs() -> None:
    states = []
    for number in (1, 2):
        builder = HiveBuilder()
        builder.fill("Classes", 20_000)
        builder.dword("K", "v", number)
        states.append(builder.build())
    dirty = new_format(states)
    budget = ReadBudget(3 * len(dirty.primary), 10_000)
    hive = Hive(GuardedSource(BytesSource(dirty.primary), budget), "X", logs=lambda: [("L", BytesSource(dirty.log1))])
    assert hive.replayed is not None
    assert sum(len(data) for _, data in hive.replayed.pages) < len(dirty.primary) // 100
    value = hive.key("K").value("v")
    assert value is not None
    assert value.data == 2


# -- files -------------------------------------------------------------------------------------------------------------
def write(folder: Path, dirty: DirtyHive, names: tuple[str, str, str]) -> Path:
    for name, data in zip(names, (dirty.primary, dirty.log1, dirty.log2), strict=True):
        (folder / name).write_bytes(data)
    return folder / names[0]


@pytest.mark.parametrize("endings", [(".LOG1", ".LOG2"), (".log1", ".log2"), (".LOG", ".LOG2")])
def test_a_hive_file_uses_the_logs_beside_it(tmp_path: Path, endings: tuple[str, str]) -> None:
    path = write(tmp_path, dirty_software(), ("SOFTWARE", f"SOFTWARE{endings[0]}", f"SOFTWARE{endings[1]}"))
    (tmp_path / "SOFTWARE.LOG1.bak").write_bytes(b"something else")
    with open_hive(path) as hive:
        assert not hive.stale
        assert hive.replayed is not None
        assert hive.replayed.logs == (f"SOFTWARE{endings[0]}",)
        assert hive.key(rf"{SERVICE}\Only in the log")


def test_a_hive_file_object_has_no_logs(tmp_path: Path) -> None:
    path = write(tmp_path, dirty_software(), ("SOFTWARE", "SOFTWARE.LOG1", "SOFTWARE.LOG2"))
    with path.open("rb") as stream, open_hive(stream) as hive:
        assert hive.stale
        assert hive.replayed is None


def test_a_log_that_is_a_folder_leaves_the_hive_stale(tmp_path: Path) -> None:
    path = tmp_path / "SOFTWARE"
    path.write_bytes(dirty_software().primary)
    (tmp_path / "SOFTWARE.LOG1").mkdir()
    with open_hive(path) as hive:
        assert hive.stale


def test_old_format_in_a_file(tmp_path: Path) -> None:
    dirty = old_format([HiveBuilder().build(), dirty_software().after])
    path = write(tmp_path, dirty, ("S", "S.LOG1", "S.LOG2"))
    with open_hive(path) as hive:
        assert hive.key(SERVICE)

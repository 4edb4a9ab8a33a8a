"""The builder of logs makes what Windows makes: real logs, taken apart and built again, are the same bytes."""

from __future__ import annotations

import pytest

from tests.build.hive import HiveBuilder
from tests.build.hive_log import DAMAGES, damage, entries_of, log, new_format, old_format, recover, sequences
from tests.oracle.samples import real_sample


def states(*numbers: int, keys: int = 60) -> list[bytes]:
    made = []
    for number in numbers:
        builder = HiveBuilder()
        builder.fill("Filler", keys)
        builder.dword("Key", "Number", number)
        made.append(builder.build())
    return made


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "entries"),
    [
        ("SYSTEM_B.LOG1", 4),
        ("SYSTEM_B.LOG2", 20),
        ("UsrClass.dat.LOG1", 4),
        ("UsrClass.dat.LOG2", 10),
        ("yarp/NewDirtyHive1/NewDirtyHive.LOG1", 1),
        ("yarp/NewDirtyHive1/NewDirtyHive.LOG2", 3),
    ],
)
def test_real_logs_built_again(name: str, entries: int) -> None:
    data = real_sample(name)
    found = entries_of(data)
    assert len(found) == entries
    assert all(one.sound for one in found)
    again = log(data, [one.head for one in found])
    assert again == data[: len(again)]


@pytest.mark.real
def test_the_simple_reader_recovers_what_windows_recovers() -> None:
    folder = "yarp/NewDirtyHive1"
    logs = [real_sample(f"{folder}/NewDirtyHive.LOG{number}") for number in (1, 2)]
    primary = real_sample(f"{folder}/NewDirtyHive")
    windows = real_sample(f"{folder}/RecoveredHive_Windows10")
    assert recover(primary, logs) == recover(primary, logs[::-1]) == windows


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("split", [1, 2, 3])
def test_round_trip(split: int, swapped: bool) -> None:
    dirty = new_format(states(1, 2, 3, 4), split=split, swapped=swapped)
    assert recover(dirty.primary, [dirty.log1, dirty.log2]) == dirty.after
    assert len(set(sequences(dirty.primary))) == 2
    assert len(set(sequences(dirty.after))) == 1


@pytest.mark.parametrize("how", DAMAGES)
def test_damage(how: str) -> None:
    dirty = new_format(states(1, 2, 3))
    damaged = damage(dirty.log1, 1, how)
    assert entries_of(damaged)[0] == entries_of(dirty.log1)[0]
    sound = [one.sound for one in entries_of(damaged)]
    assert sound == [True, True] if how.endswith(", hashed") else sound != [True, True]


def test_an_old_log_holds_the_changed_sectors_only() -> None:
    before, after = states(1, 2)
    dirty = old_format([before, after])
    assert dirty.log1[512:516] == b"DIRT"
    assert len(dirty.log1) < 8 * 512

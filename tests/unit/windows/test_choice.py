"""One of several: which Windows, which control set. Readers say what they took, writers ask or say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import vdiskkit
from tests.unit.rules.disks import dynamic_disk, image, two_windows
from vdiskkit.errors import KeyMissingError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

SERVICE = r"HKLM\SYSTEM\CurrentControlSet\Services\Example"
FORCED = ("standard-mode",)


def set_value(key: str = SERVICE) -> list[vdiskkit.CreateKey | vdiskkit.SetValue]:
    return [
        vdiskkit.CreateKey(key=key),
        vdiskkit.SetValue(key=key, name="Start", type=4, data=(3).to_bytes(4, "little")),
    ]


def test_the_next_start_decides_which_control_set_is_meant(tmp_path: Path) -> None:
    disk = image(system={"control_set": 2, "last_set": 1})(tmp_path)
    said = "Windows last ran with ControlSet001 and starts next with ControlSet002: that one is read and changed"
    with vdiskkit.open_vdisk(disk) as opened:
        facts = opened.inspect()
        assert opened.windows.resolve(SERVICE).text == r"HKLM\SYSTEM\ControlSet002\Services\Example"
    assert facts.windows is not None
    assert (facts.windows.control_set, facts.windows.computer_name) == (2, "PVS-MASTER01")
    assert [notice.message for notice in facts.notices if notice.code == "windows.control_sets_differ"] == [said]
    plan = vdiskkit.plan(disk, set_value(), force=FORCED)
    assert {change.where for change in plan.changes} == {r"HKLM\SYSTEM\ControlSet002\Services\Example"}
    assert plan.notes.count(said) == 1


def test_a_set_that_is_not_there_is_not_taken(tmp_path: Path) -> None:
    disk = image(system={"control_set": 1, "last_set": 7})(tmp_path)
    with vdiskkit.open_vdisk(disk) as opened:
        assert opened.windows.control_set == 1
        assert opened.windows.control_sets_differ is not None


def test_nothing_is_written_to_a_set_that_nobody_knows(tmp_path: Path) -> None:
    disk = image(system={"control_set": 1000})(tmp_path)
    with pytest.raises(KeyMissingError, match=r"which control set Windows starts with is not known") as caught:
        vdiskkit.plan(disk, set_value(), force=FORCED)
    assert caught.value.hint == r"name the control set itself, such as HKLM\SYSTEM\ControlSet001"
    assert vdiskkit.plan(disk, set_value(r"HKLM\SYSTEM\ControlSet1000\Services\Example"), force=FORCED).changes


def test_writers_ask_which_windows_is_meant(tmp_path: Path) -> None:
    disk = two_windows(tmp_path)
    with pytest.raises(
        UsageError, match="partitions 1, 2 each hold a Windows, and which one is meant was not said"
    ) as caught:
        vdiskkit.plan(disk, set_value(), force=FORCED)
    assert caught.value.hint == "name one with --volume; `inspect --volume N` shows each"
    with pytest.raises(UsageError, match="which one is meant"):
        vdiskkit.plan_kms_prep(disk, skip_rearm=1, force=FORCED)
    plan = vdiskkit.plan(disk, set_value(), force=FORCED, volume=2)
    assert "this changes partition 2; a Windows is on 1 too" in plan.notes


def test_a_change_of_what_may_be_half_a_mirror_says_so(tmp_path: Path) -> None:
    plan = vdiskkit.plan_kms_prep(dynamic_disk(tmp_path), skip_rearm=0, force=FORCED)
    assert any(
        note.startswith("partition 1 belongs to a dynamic disk (LDM): it may be one half") for note in plan.notes
    )


def test_readers_say_which_windows_they_took(tmp_path: Path) -> None:
    disk = two_windows(tmp_path)
    with vdiskkit.open_vdisk(disk) as opened:
        assert opened.silent_choice == "partitions 1, 2 each hold a Windows; this is about partition 1"
    with vdiskkit.open_vdisk(disk, volume=2) as opened:
        assert opened.silent_choice is None

"""When a disk must not be changed: each gate alone, what opens it, and which comes first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.build.pair import PRIVATE, write_pair
from tests.build.scenario import make, windows_disk
from tests.build.vhd_faults import break_vhd
from vdiskkit import (
    HibernatedVolumeError,
    InUseError,
    JournalPendingError,
    LogReplayNeededError,
    StateError,
    UnsupportedFeatureError,
    WriteRefusedError,
    open_vdisk,
)
from vdiskkit.patch.gates import FORCES, check_gates, gates

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdiskkit.patch.gates import Gate


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Make a scenario once; looking at gates writes nothing."""
    made: dict[str, Path] = {}

    def once(name: str) -> Path:
        if name not in made:
            made[name] = make(name, tmp_path_factory.mktemp("gates"))
        return made[name]

    return once


def closed(path: Path, *, disk: bool = True, volume: bool = True) -> list[Gate]:
    with open_vdisk(path) as opened:
        return list(gates(opened, edits_disk=disk, edits_volume=volume))


def test_a_private_disk_is_open(scenario: Callable[[str], Path]) -> None:
    assert closed(scenario("win10-private-mak")) == []


def test_a_disk_without_side_car_is_open(scenario: Callable[[str], Path]) -> None:
    assert closed(scenario("no-side-car")) == []


@pytest.mark.parametrize(
    ("name", "kinds", "forces"),
    [
        ("win7-kms", [StateError], ["standard-mode"]),
        ("locked", [InUseError, StateError], ["lok", "standard-mode"]),
        ("dirty-volume", [StateError, StateError, LogReplayNeededError], ["standard-mode", "", ""]),
        ("hibernated", [StateError, HibernatedVolumeError], ["standard-mode", ""]),
        ("bitlocker", [StateError, UnsupportedFeatureError], ["standard-mode", ""]),
        ("dirty-hive", [StateError], ["standard-mode"]),
    ],
)
def test_closed_gates(
    scenario: Callable[[str], Path], name: str, kinds: list[type[Exception]], forces: list[str]
) -> None:
    found = closed(scenario(name))
    assert [type(gate.error) for gate in found] == kinds
    assert [gate.force for gate in found] == forces
    for gate in found:
        assert gate.error.hint
        assert gate.error.location is not None
        if gate.force:
            assert f"--force {gate.force}" in gate.error.hint


@pytest.mark.thorough
def test_the_side_car_alone_minds_only_the_lock(scenario: Callable[[str], Path]) -> None:
    for name in ("win7-kms", "dirty-volume", "hibernated", "bitlocker"):
        assert closed(scenario(name), disk=False, volume=False) == []
    assert [gate.force for gate in closed(scenario("locked"), disk=False, volume=False)] == ["lok"]


def test_a_base_and_a_middle_version_have_children(scenario: Callable[[str], Path]) -> None:
    folder = scenario("desk10").parent
    for name, child in (("desk10.vhd", "desk10.1.avhd"), ("desk10.1.avhd", "desk10.2.avhd")):
        error = next(gate for gate in closed(folder / name) if isinstance(gate.error, WriteRefusedError))
        assert error.force == ""
        assert child in error.error.message
    assert not any(isinstance(gate.error, WriteRefusedError) for gate in closed(folder / "desk10.2.avhd"))


@pytest.mark.parametrize("fault", ["footer_checksum", "footer_zeroed", "copy_checksum", "copy_zeroed", "copy_differs"])
def test_a_container_that_is_not_sound(tmp_path: Path, scenario: Callable[[str], Path], fault: str) -> None:
    path = tmp_path / "desk.vhd"
    path.write_bytes(break_vhd(scenario("no-side-car").read_bytes(), fault))
    found = closed(path)
    assert found
    assert all(isinstance(gate.error, WriteRefusedError) and gate.force == "" for gate in found)
    assert "the container is not sound: " in found[0].error.message
    assert "mend or convert the file first" in (found[0].error.hint or "")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (1, "it is marked dirty"),
        (0x10, "the deletion of its change journal"),
        (0x4000, "a run of chkdsk is not finished"),
    ],
)
def test_volume_flags(tmp_path: Path, flags: int, message: str) -> None:
    disk = write_pair(tmp_path, "desk", windows_disk("win10", volume_flags=flags), pvp={"write_cache_type": PRIVATE})
    (gate,) = closed(disk)
    assert type(gate.error) is StateError
    assert message in gate.error.message
    assert "start Windows from it" in (gate.error.hint or "")


def test_a_flag_that_announces_no_work(tmp_path: Path) -> None:
    disk = write_pair(tmp_path, "desk", windows_disk("win10", volume_flags=0x8000), pvp={"write_cache_type": PRIVATE})
    assert closed(disk) == []


def test_a_log_that_was_not_closed(tmp_path: Path) -> None:
    disk = write_pair(tmp_path, "desk", windows_disk("win10", clean_log=False), pvp={"write_cache_type": PRIVATE})
    (gate,) = closed(disk)
    assert isinstance(gate.error, LogReplayNeededError)
    assert "$LogFile is unclean" in gate.error.message


def test_a_pending_journal_comes_first(tmp_path: Path) -> None:
    from uuid import UUID

    from vdiskkit.journal import Journal, JournalFile, JournalState, build_body, build_state

    disk = make("locked", tmp_path)
    size = disk.stat().st_size
    files = (JournalFile(disk.name, size, size, 0),)
    header, body = build_body(Journal(UUID(int=1), JournalState.WRITING, {}, files, (), (), ()))
    journal = Path(f"{disk}.vdiskkit-journal")
    journal.write_bytes(header + build_state(JournalState.ARMED) + body)
    found = closed(disk)
    assert isinstance(found[0].error, JournalPendingError)
    assert found[0].force == ""
    journal.write_bytes(header + build_state(JournalState.WRITING) + body)
    assert not any(isinstance(gate.error, JournalPendingError) for gate in closed(disk)), "nothing was written yet"


def test_a_side_car_that_cannot_be_read_hides_the_mode(tmp_path: Path) -> None:
    disk = make("win10-private-mak", tmp_path)
    side_car = disk.with_suffix(".pvp")
    side_car.write_bytes(side_car.read_bytes()[:300])
    (gate,) = closed(disk)
    assert "the side-car cannot be read, so the mode is not known" in gate.error.message
    assert gate.force == ""


def test_a_file_object_cannot_be_changed(scenario: Callable[[str], Path]) -> None:
    with scenario("no-side-car").open("rb") as file, open_vdisk(file) as opened:
        (gate,) = gates(opened, edits_disk=True, edits_volume=True)
    assert isinstance(gate.error, WriteRefusedError)
    assert "name the disk file by its path" in (gate.error.hint or "")


def test_forces_open_their_own_gate_and_never_a_format_gate(scenario: Callable[[str], Path]) -> None:
    with open_vdisk(scenario("locked")) as opened:
        with pytest.raises(InUseError):
            check_gates(opened, edits_disk=True, edits_volume=True)
        with pytest.raises(InUseError):
            check_gates(opened, edits_disk=True, edits_volume=True, forced=["standard-mode", "mode"])
        with pytest.raises(StateError, match="Standard mode"):
            check_gates(opened, edits_disk=True, edits_volume=True, forced=["lok"])
        check_gates(opened, edits_disk=True, edits_volume=True, forced=["lok", "standard-mode"])
    for name in ("dirty-volume", "hibernated", "bitlocker"):
        with open_vdisk(scenario(name)) as opened, pytest.raises((StateError, UnsupportedFeatureError)) as refused:
            check_gates(opened, edits_disk=True, edits_volume=True, forced=[*FORCES, ""])
        assert "Standard mode" not in str(refused.value)

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.patch.plain import OLD, edit, interrupt, run
from vdiskkit.errors import ChangedSinceError, JournalPendingError, PatchError, StalePlanError
from vdiskkit.io import FileSource
from vdiskkit.journal import JournalState, OldStateView, journal_path, read_pending, undo_paths
from vdiskkit.patch.history import RecoveryAction, exclusive, history, recover, undo
from vdiskkit.patch.staging import Phase


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk.vhd"
    path.write_bytes(OLD)
    return path


def test_a_change_is_applied_kept_and_taken_back(disk: Path) -> None:
    kept = run(edit(disk, (700, b"new", Phase.LINK), (5000, b"grown", Phase.DATA), grow=2048))
    new = disk.read_bytes()
    assert new == OLD[:700] + b"new" + OLD[703:] + bytes(904) + b"grown" + bytes(1139)
    assert kept is not None
    assert undo_paths(str(disk)) == [kept]
    if os.name != "nt":  # access lists of Windows: tests/unit/io/test_opening.py
        assert Path(kept).stat().st_mode & 0o077 == 0
    assert not Path(journal_path(str(disk))).exists()
    (change,) = history(str(disk))
    assert (change.journal.state, change.journal.about["summary"]) == (JournalState.COMMITTED, "test")
    undo(str(disk))
    assert disk.read_bytes() == OLD
    assert sorted(path.name for path in disk.parent.iterdir()) == ["disk.vhd"]


def test_changes_are_taken_back_newest_first(disk: Path) -> None:
    states = [OLD]
    for number in range(3):
        run(edit(disk, (number * 512, bytes([number]) * 100, Phase.LINK), grow=512 * number))
        states.append(disk.read_bytes())
    for state in reversed(states[:-1]):
        undo(str(disk))
        assert disk.read_bytes() == state


def test_two_files_are_one_change(disk: Path) -> None:
    side_car = disk.with_suffix(".pvp")
    side_car.write_bytes(b"p" * 4608)
    run(edit(disk, (0, b"x", Phase.LINK)), edit(side_car, (477, b"\2", Phase.LINK)))
    assert (disk.read_bytes()[:1], side_car.read_bytes()[477:478]) == (b"x", b"\2")
    undo(str(disk))
    assert (disk.read_bytes(), side_car.read_bytes()) == (OLD, b"p" * 4608)


def test_what_fails_is_rolled_back(disk: Path) -> None:
    def fail(_files: object) -> None:
        raise OSError("the share went away")

    with pytest.raises(PatchError, match="rolled back: the share went away"):
        run(edit(disk, (0, b"x", Phase.LINK), grow=4096), verify=fail)
    assert disk.read_bytes() == OLD
    assert not Path(journal_path(str(disk))).exists()


def test_a_disk_that_changed_since_the_plan_is_left_alone(disk: Path) -> None:
    planned = edit(disk, (0, b"x", Phase.LINK))
    disk.write_bytes(b"!" + OLD[1:])
    with pytest.raises(StalePlanError):
        run(planned)
    assert disk.read_bytes() == b"!" + OLD[1:]


def test_readers_see_the_old_state_and_recovery_brings_it_back(disk: Path) -> None:
    new = interrupt(disk, edit(disk, (100, b"abc", Phase.LINK), grow=1024))
    assert new != OLD
    journal = read_pending(str(disk))
    assert journal is not None
    with FileSource(str(disk)) as source:
        view = OldStateView(source, journal)
        assert view.read_at(0, view.size) == OLD
    with pytest.raises(JournalPendingError):
        run(edit(disk, (0, b"y", Phase.LINK)))
    assert recover(str(disk)).action is RecoveryAction.ROLLED_BACK
    assert disk.read_bytes() == OLD
    assert recover(str(disk)).action is RecoveryAction.NOTHING


def test_recovery_can_finish_what_was_all_written(disk: Path) -> None:
    new = interrupt(disk, edit(disk, (100, b"abc", Phase.LINK)))
    assert recover(str(disk), forward=True).action is RecoveryAction.FINISHED
    assert disk.read_bytes() == new
    undo(str(disk))
    assert disk.read_bytes() == OLD


@pytest.mark.parametrize("place", ["sector", "watched", "length"])
def test_a_disk_that_was_used_since_is_not_touched(disk: Path, place: str) -> None:
    planned = edit(disk, (0, b"abc", Phase.LINK), watched=((2048, 512),))
    for interrupted in (True, False):
        disk.write_bytes(OLD)
        if interrupted:
            interrupt(disk, planned)
        else:
            run(planned)
        data = bytearray(disk.read_bytes())
        if place == "sector":
            data[5] ^= 1
        elif place == "watched":
            data[2500] ^= 1
        else:
            data += bytes(512)
        stamp = disk.stat().st_mtime_ns
        disk.write_bytes(data)
        os.utime(disk, ns=(stamp, stamp))
        with pytest.raises(ChangedSinceError):
            recover(str(disk)) if interrupted else undo(str(disk))
        assert disk.read_bytes() == data
        for leftover in disk.parent.glob("*.vdiskkit-*"):
            leftover.unlink()


def test_undo_refuses_when_only_the_time_differs(disk: Path) -> None:
    run(edit(disk, (0, b"abc", Phase.LINK)))
    os.utime(disk)
    with pytest.raises(ChangedSinceError, match="length or time"):
        undo(str(disk))


def test_only_one_may_change_a_disk(disk: Path) -> None:
    from vdiskkit.errors import InUseError

    with exclusive(str(disk)), pytest.raises(InUseError), exclusive(str(disk)):
        pass
    with exclusive(str(disk)):
        pass

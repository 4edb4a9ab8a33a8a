"""A journal acts on the disk that was named and on its own side-car, whatever names it holds."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from uuid import UUID

import pytest

from tests.lacks import needs_links, needs_named_pipes
from tests.unit.patch.plain import OLD, edit, interrupt, run
from vdiskkit.errors import ChangedSinceError, CorruptStructureError, PatchError, SourceError, WriteRefusedError
from vdiskkit.io import FileSource
from vdiskkit.journal import (
    Journal,
    JournalFile,
    JournalState,
    Record,
    build_body,
    build_state,
    sector_digests,
    undo_paths,
)
from vdiskkit.journal.format import Stamp
from vdiskkit.patch.history import DamagedJournal, RecoveryAction, history, recover, undo
from vdiskkit.patch.staging import Phase
from vdiskkit.pending import old_state

SIDE_CAR = b"p" * 4608


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "gold.vhd"
    path.write_bytes(OLD)
    path.with_suffix(".pvp").write_bytes(SIDE_CAR)
    return path


def both(disk: Path, number: int = 0) -> str | None:
    """Change disk and side-car."""
    return run(
        edit(disk, (number * 512, b"new", Phase.LINK)),
        edit(disk.with_suffix(".pvp"), (477 + number, b"\2", Phase.LINK)),
    )


def pair(disk: Path) -> tuple[bytes, bytes]:
    return disk.read_bytes(), disk.with_suffix(".pvp").read_bytes()


def family(disk: Path) -> list[Path]:
    """The files of a disk: itself, its side-car, its journals."""
    return [disk, disk.with_suffix(".pvp"), *disk.parent.glob(f"{disk.name}.vdiskkit-*")]


def copied(disk: Path, name: str, *, times: bool = True) -> Path:
    """Copy a disk with all that belongs to it to another name beside it."""
    for path in family(disk):
        (shutil.copy2 if times else shutil.copy)(path, disk.parent / (name + path.name.removeprefix(disk.stem)))
    return disk.parent / f"{name}{disk.suffix}"


def renamed(disk: Path, name: str) -> Path:
    for path in family(disk):
        path.rename(disk.parent / (name + path.name.removeprefix(disk.stem)))
    return disk.parent / f"{name}{disk.suffix}"


def test_undo_of_a_copy_changes_the_copy_only(disk: Path) -> None:
    both(disk)
    copy = copied(disk, "test")
    new = pair(disk)
    undo(str(copy))
    assert pair(copy) == (OLD, SIDE_CAR)
    assert (pair(disk), len(undo_paths(str(disk))), undo_paths(str(copy))) == (new, 1, [])
    undo(str(disk))
    assert pair(disk) == (OLD, SIDE_CAR)


def test_undo_of_a_copy_with_new_times_is_refused(disk: Path) -> None:
    both(disk)
    copy = copied(disk, "test", times=False)
    new = pair(disk)
    os.utime(copy)
    with pytest.raises(ChangedSinceError, match="it was used or copied since") as caught:
        undo(str(copy))
    assert str(caught.value.location) == str(copy)
    assert (pair(copy), pair(disk)) == (new, new)


def test_recovery_of_a_copy_restores_the_copy_only(disk: Path) -> None:
    half = interrupt(disk, edit(disk, (0, b"new", Phase.LINK)), edit(disk.with_suffix(".pvp"), (0, b"n", Phase.LINK)))
    copy = copied(disk, "test", times=False)
    assert recover(str(copy)).action is RecoveryAction.ROLLED_BACK
    assert pair(copy) == (OLD, SIDE_CAR)
    assert disk.read_bytes() == half
    assert recover(str(copy)).action is RecoveryAction.NOTHING
    assert recover(str(disk)).action is RecoveryAction.ROLLED_BACK
    assert pair(disk) == (OLD, SIDE_CAR)


def test_a_renamed_pair_keeps_its_history(disk: Path) -> None:
    states = [pair(disk)]
    for number in range(2):
        both(disk, number)
        states.append(pair(disk))
    gold = renamed(disk, "2027")
    both(gold, 2)
    gold = renamed(gold, "Better.2")
    assert [[entry.name for entry in kept.journal.files] for kept in history(str(gold))] == [
        ["Better.2.vhd", "Better.2.pvp"]
    ] * 3
    for state in reversed(states):
        undo(str(gold))
        assert pair(gold) == state
    assert sorted(path.name for path in gold.parent.iterdir()) == ["Better.2.pvp", "Better.2.vhd"]


def test_a_renamed_pair_can_be_recovered_and_its_earlier_changes_taken_back(disk: Path) -> None:
    both(disk)
    changed = pair(disk)
    interrupt(disk, edit(disk, (1024, b"more", Phase.LINK)), edit(disk.with_suffix(".pvp"), (0, b"n", Phase.LINK)))
    gold = renamed(disk, "other")
    recover(str(gold))
    assert pair(gold) == changed
    undo(str(gold))
    assert pair(gold) == (OLD, SIDE_CAR)


def test_the_side_car_is_found_in_any_case_after_renaming(disk: Path) -> None:
    both(disk)
    gold = renamed(disk, "other")
    gold.with_suffix(".pvp").rename(gold.with_suffix(".PVP"))
    undo(str(gold))
    assert (gold.read_bytes(), gold.with_suffix(".PVP").read_bytes()) == (OLD, SIDE_CAR)


def test_a_side_car_that_is_gone_is_told(disk: Path) -> None:
    both(disk)
    new = disk.read_bytes()
    disk.with_suffix(".pvp").unlink()
    with pytest.raises(SourceError, match="the file cannot be opened for writing"):
        undo(str(disk))
    assert disk.read_bytes() == new


def planted(path: Path, files: list[tuple[str, bytes]], state: JournalState, number: int = 0) -> None:
    """Put a journal there that would write zeros over the first sector of one of some files."""
    entries = tuple(JournalFile(name, len(data), len(data), 0) for name, data in files)
    now = files[number][1][:512]
    record = Record(number, 4, 0, bytes(len(now)), len(now), sector_digests(now))
    stamps = []
    if state is JournalState.COMMITTED:
        for name, _data in files:
            status = (path.parent / name).stat()
            stamps.append(Stamp(status.st_size, status.st_mtime_ns))
    journal = Journal(UUID(int=1), state, {"summary": "x"}, entries, (record,), (), ())
    header, body = build_body(journal)
    path.write_bytes(header + build_state(state, stamps) + body)


FOREIGN = {
    "another extension": ["notes.txt"],
    "a side-car first": ["gold.pvp"],
    "two disks": ["gold.vhd", "other.vhd"],
    "another folder": ["../gold.vhd"],
    "a folder for the side-car": ["gold.vhd", "../gold.pvp"],
    "no name": [""],
    "dots": [".."],
}


@pytest.mark.parametrize("names", FOREIGN.values(), ids=FOREIGN)
def test_a_journal_that_is_about_something_else_is_refused(disk: Path, names: list[str]) -> None:
    other = disk.with_name("other.vhd")
    other.write_bytes(OLD)
    notes = disk.with_name("notes.txt")
    notes.write_bytes(OLD)
    planted(disk.with_name("gold.vhd.vdiskkit-journal"), [(name, OLD) for name in names], JournalState.ARMED)
    before = {path: path.read_bytes() for path in disk.parent.iterdir()}
    with pytest.raises(CorruptStructureError, match="not one of this disk and its side-car") as caught:
        recover(str(disk))
    assert caught.value.hint
    assert "move the journals beside this disk away" in caught.value.hint
    assert {path: path.read_bytes() for path in disk.parent.iterdir()} == before
    with FileSource(str(disk)) as source:
        state = old_state(str(disk), source)
        assert state.source is source
        assert "the journal is not one of this disk and its side-car" in state.notices[0]


def test_a_journal_that_names_another_disk_writes_to_the_named_one_if_anywhere(disk: Path) -> None:
    other = disk.with_name("other.vhd")
    other.write_bytes(OLD[::-1])
    planted(disk.with_name("gold.vhd.vdiskkit-journal"), [("other.vhd", OLD[::-1])], JournalState.ARMED)
    with pytest.raises(ChangedSinceError):
        recover(str(disk))
    planted(disk.with_name("gold.vhd.vdiskkit-undo-0001"), [("other.vhd", OLD[::-1])], JournalState.COMMITTED)
    disk.with_name("gold.vhd.vdiskkit-journal").unlink()
    with pytest.raises(ChangedSinceError):
        undo(str(disk))
    assert (disk.read_bytes(), other.read_bytes()) == (OLD, OLD[::-1])


@needs_links
class TestLinks:
    def test_a_side_car_that_is_a_link_is_not_written(self, disk: Path, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.write_bytes(SIDE_CAR)
        side_car = disk.with_suffix(".pvp")
        side_car.unlink()
        side_car.symlink_to(outside)
        planned = edit(side_car, (0, b"x", Phase.LINK))
        with pytest.raises(SourceError, match="it is a symbolic link, not a file"):
            run(edit(disk, (0, b"x", Phase.LINK)), planned)
        journal = disk.with_name("gold.vhd.vdiskkit-journal")
        planted(journal, [("gold.vhd", OLD), ("gold.pvp", SIDE_CAR)], JournalState.ARMED, number=1)
        with pytest.raises(SourceError, match="it is a symbolic link, not a file"):
            recover(str(disk))
        assert (disk.read_bytes(), outside.read_bytes()) == (OLD, SIDE_CAR)

    def test_a_journal_that_is_a_link_is_not_read(self, disk: Path, tmp_path: Path) -> None:
        kept = both(disk)
        assert kept is not None
        outside = tmp_path / "journal"
        Path(kept).rename(outside)
        Path(kept).symlink_to(outside)
        with pytest.raises(SourceError, match="it is a symbolic link, not a file"):
            undo(str(disk))
        Path(kept).rename(disk.with_name("gold.vhd.vdiskkit-journal"))
        with pytest.raises(SourceError, match="it is a symbolic link, not a file"):
            recover(str(disk))
        with FileSource(str(disk)) as source, pytest.raises(SourceError, match="it is a symbolic link, not a file"):
            old_state(str(disk), source)


@needs_named_pipes
def test_a_journal_that_is_a_pipe_is_not_waited_for(disk: Path) -> None:
    os.mkfifo(f"{disk}.vdiskkit-journal")
    with pytest.raises(SourceError, match="not a file"):
        recover(str(disk))
    with FileSource(str(disk)) as source, pytest.raises(SourceError, match="not a file"):
        old_state(str(disk), source)


class TestReaders:
    """A journal is laid over a disk only if recovery would restore what is shown then."""

    def notices(self, disk: Path, shown: bytes) -> tuple[str, ...]:
        with FileSource(str(disk)) as source:
            state = old_state(str(disk), source)
            assert state.source.read_at(0, state.source.size) == shown
            return state.notices

    def test_the_state_before_the_change_is_shown(self, disk: Path) -> None:
        interrupt(disk, edit(disk, (0, b"new", Phase.LINK)))
        assert self.notices(disk, OLD) == (
            "a change of this disk was interrupted; shown is the state before it. `recover` brings that state back",
        )

    @pytest.mark.parametrize("place", ["sector", "watched", "longer", "shorter", "other", "side-car"])
    def test_a_disk_that_was_replaced_or_used_is_shown_as_it_is(self, disk: Path, place: str) -> None:
        side_car = disk.with_suffix(".pvp")
        interrupt(
            disk,
            edit(disk, (0, b"new", Phase.LINK), watched=((2048, 512),)),
            edit(side_car, (0, b"new", Phase.LINK)),
        )
        data = disk.read_bytes()
        if place == "sector":
            data = b"!" + data[1:]
        elif place == "watched":
            data = data[:2048] + b"!" + data[2049:]
        elif place == "longer":
            data += b"!" * 512
        elif place == "shorter":
            data = data[:-1]
        elif place == "other":
            data = b"another disk"
        else:
            side_car.write_bytes(SIDE_CAR + b"!")
        disk.write_bytes(data)
        (notice,) = self.notices(disk, data)
        assert notice.startswith("the journal of an interrupted change beside this disk does not belong to its present")
        assert notice.endswith("If this state is wanted, move the journal away; else restore a copy")
        with pytest.raises(ChangedSinceError):
            recover(str(disk))

    def test_a_damaged_journal_is_told_and_left(self, disk: Path) -> None:
        half = interrupt(disk, edit(disk, (0, b"new", Phase.LINK)))
        journal = disk.with_name("gold.vhd.vdiskkit-journal")
        data = bytearray(journal.read_bytes())
        data[515] ^= 1
        data[1500] ^= 1
        journal.write_bytes(data)
        (notice,) = self.notices(disk, half)
        assert "cannot be looked through" in notice
        with pytest.raises(CorruptStructureError, match="the change journal is damaged") as caught:
            recover(str(disk))
        assert caught.value.exit_code == 3
        assert (journal.read_bytes(), disk.read_bytes()) == (bytes(data), half)
        with pytest.raises((CorruptStructureError, PatchError), match="the change journal is damaged"):
            run(edit(disk, (1024, b"x", Phase.LINK)))
        assert journal.read_bytes() == data


class TestKept:
    """Journals that are kept: only the newest decides about itself, and no number loses one."""

    def test_an_older_damaged_journal_is_in_nobodys_way(self, disk: Path) -> None:
        for number in range(3):
            both(disk, number)
        states = pair(disk)
        first = Path(undo_paths(str(disk))[0])
        data = bytearray(first.read_bytes())
        data[1100] ^= 1
        first.write_bytes(data)
        with pytest.raises(CorruptStructureError, match="the change journal is damaged"):
            history(str(disk))
        damaged: list[DamagedJournal] = []
        assert len(history(str(disk), on_damaged=damaged.append)) == 2
        assert [item.path for item in damaged] == [str(first)]
        undo(str(disk))
        undo(str(disk))
        assert pair(disk) != states
        with pytest.raises(CorruptStructureError, match="the change journal is damaged"):
            undo(str(disk))
        assert first.read_bytes() == data

    def test_no_number_loses_a_journal(self, disk: Path) -> None:
        kept = both(disk)
        assert kept is not None
        Path(kept).rename(f"{disk}.vdiskkit-undo-999999999")
        assert both(disk, 1) == f"{disk}.vdiskkit-undo-1000000000"
        assert len(history(str(disk))) == 2
        undo(str(disk))
        undo(str(disk))
        assert pair(disk) == (OLD, SIDE_CAR)

    def test_numbers_that_are_used_up_are_told_before_anything_is_written(self, disk: Path) -> None:
        planted(Path(f"{disk}.vdiskkit-undo-{10**18 - 1}"), [("gold.vhd", OLD)], JournalState.COMMITTED)
        with pytest.raises(WriteRefusedError, match="no further change of this disk can be kept") as caught:
            both(disk)
        assert caught.value.hint
        assert pair(disk) == (OLD, SIDE_CAR)
        assert not disk.with_name("gold.vhd.vdiskkit-journal").exists()

    def test_a_folder_that_cannot_be_listed_is_no_empty_history(
        self, disk: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        both(disk)
        changed = pair(disk)

        def refused(_folder: str) -> list[str]:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("vdiskkit.journal.places.names_in", refused)
        monkeypatch.setattr("vdiskkit.patch.files.names_in", refused)
        for call in (history, undo):
            with pytest.raises(SourceError, match="which changes are kept cannot be listed: Permission denied"):
                call(str(disk))
        with pytest.raises(PatchError, match=r"nothing was changed: .*Permission denied"):
            both(disk, 1)
        assert pair(disk) == changed

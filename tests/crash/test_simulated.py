"""The simulated file system keeps the rules of the personality that it has."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.build.vhd import noise
from tests.crash.edits import interrupted, pair, staged
from tests.crash.matrix import DISK, change_of, content, kept, settled, undo_of
from tests.crash.simulated import POSIX, WINDOWS, File, Personality, SimulatedFileSystem, WindowsError
from vdiskkit.errors import InUseError, SourceError
from vdiskkit.journal import journal_path
from vdiskkit.patch.history import recover, undo
from vdiskkit.patch.staging import Phase
from vdiskkit.patch.transaction import FileEdit, Transaction

OTHER_SPELLINGS = ["D:\\store\\disk.vhd", "D:/STORE/Disk.VHD", "store\\DISK.vhd", "d:\\store\\.\\disk.vhd"]


def system_with_a_file() -> SimulatedFileSystem:
    return SimulatedFileSystem({"store/a": File(b"abc")})


def test_an_open_file_keeps_its_name_on_windows_only(rules: Personality) -> None:
    system = system_with_a_file()
    file = system.open("store/a")
    if rules is WINDOWS:
        for refused in (lambda: system.rename("store/a", "store/b"), lambda: system.remove("store/a")):
            with pytest.raises(WindowsError) as caught:
                refused()
            assert caught.value.winerror == 32
        file.close()
    system.rename("store/a", "store/b")
    system.remove("store/b")
    assert system.files() == {}


def test_a_rename_never_takes_a_name_on_windows(rules: Personality) -> None:
    system = SimulatedFileSystem({"store/a": File(b"abc"), "store/b": File(b"def")})
    if rules is WINDOWS:
        with pytest.raises(FileExistsError):
            system.rename("store/a", "store/B")
        return
    system.rename("store/a", "store/b")
    assert system.files() == {"store/b": File(b"abc")}


def test_whoever_changes_keeps_readers_away_on_windows_only(rules: Personality) -> None:
    system = system_with_a_file()
    for readers in (False, True):
        file = system.open("store/a", readers=readers)
        if rules is WINDOWS and not readers:
            with pytest.raises(SourceError):
                system.read("store/a", 9)
        else:
            assert system.read("store/a", 9) == b"abc"
        file.close()


@pytest.mark.parametrize("sharing", [(True, True, True), (True, True, False), (True, False, False)])
def test_what_another_program_has_open_is_not_changed_on_windows(
    rules: Personality, sharing: tuple[bool, bool, bool]
) -> None:
    """A writer wants to be alone there, whatever the other one would share."""
    read, write, delete = sharing
    for change in (pair(), undo_of(pair())):
        system = SimulatedFileSystem(change.start)
        other = system.hold(DISK, read=read, write=write, delete=delete)
        if rules is WINDOWS or not write:
            with pytest.raises(InUseError):
                change.run(system)
            assert content(system.files(), change.before) == change.before
        other.close()
        change.run(system)
        assert content(settled(system), change.after) == change.after


def test_names_differ_in_more_than_case_on_windows_only(rules: Personality) -> None:
    system = system_with_a_file()
    for spelling in ("D:\\STORE\\A", "store\\.\\a", "d:/store/a"):
        assert system.exists(spelling) == (rules is WINDOWS)
    if rules is WINDOWS:
        assert system.names("D:\\STORE") == ["a"]
        with pytest.raises(FileExistsError):
            system.create("STORE/A")


def test_names_last_by_flushing_folders_or_files(rules: Personality) -> None:
    system = system_with_a_file()
    file = system.create("store/b")
    system.flush_folder("store/b")
    assert ("store/b" in system.after_power_cut(())) == (rules is POSIX)
    file.write_at(0, b"x")
    file.flush()
    assert "store/b" in system.after_power_cut(())
    file.close()
    system.remove("store/b")
    system.remove("store/a")
    arrived = {tuple(system.after_power_cut([number])) for number in range(2)}
    # Windows: the second removal brings the first one.
    assert arrived == ({("store/a",), ()} if rules is WINDOWS else {("store/a",), ("store/b",)})


@pytest.mark.parametrize("spelling", OTHER_SPELLINGS)
def test_a_disk_may_be_called_by_any_of_its_names(rules: Personality, spelling: str) -> None:
    """Its journals are found under each, so nothing pending is overlooked and nothing kept is lost."""
    if rules is not WINDOWS:
        pytest.skip("elsewhere these are names of other files")
    change = pair()
    done = change.done()
    system = SimulatedFileSystem(done)
    undo(spelling, system=system)
    assert content(settled(system), change.before) == change.before
    assert kept(system.files()) == []
    for files in interrupted(change):
        system = SimulatedFileSystem(files)
        recover(spelling, system=system)
        assert content(settled(system), change.before) in (change.before, change.after)
        assert journal_path(DISK) not in system.files()


@pytest.mark.parametrize("spelling", OTHER_SPELLINGS)
def test_changes_under_several_names_are_taken_back_one_by_one(rules: Personality, spelling: str) -> None:
    if rules is not WINDOWS:
        pytest.skip("elsewhere these are names of other files")
    first = change_of({DISK: staged(noise(3000, 1), [(700, b"first", Phase.LINK)])})
    system = SimulatedFileSystem(first.done())
    overlay = staged(first.after[DISK], [(1800, b"second", Phase.LINK)])
    edit = FileEdit(spelling, overlay.changes(), overlay.original_size, overlay.size)
    Transaction([edit], {"summary": "t"}, change_id=UUID(int=9), system=system).run()
    assert system.files()[DISK].content == overlay.read_at(0, overlay.size)
    assert len(kept(system.files())) == 2
    undo(DISK, system=system)
    undo(spelling, system=system)
    assert content(settled(system), first.before) == first.before
    assert set(system.files()) == {DISK}

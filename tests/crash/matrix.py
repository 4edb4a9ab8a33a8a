"""What must hold wherever a change, its recovery or its undo is interrupted: old or new, never a third state."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

import pytest

from tests.crash.simulated import Call, Fault, File, PowerCut, SimulatedFileSystem, at
from vdiskkit.errors import ChangedSinceError, VDiskError
from vdiskkit.io import BytesSource
from vdiskkit.journal import Journal, JournalState, OldStateView, journal_path, parse_journal, undo_paths
from vdiskkit.location import Location
from vdiskkit.patch.history import RecoveryAction, recover, undo
from vdiskkit.patch.transaction import FileEdit, Transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from vdiskkit.patch.staging import StagedFile

DISK = "store/disk.vhd"
SIDE_CAR = "store/disk.pvp"
Files = dict[str, File]


class Change(NamedTuple):
    """Something that leads files from one state to another.

    Attributes:
        start: What is there at first, journals of earlier changes included.
        before: Content of each file that it concerns; the disk is the first.
        after: Content of each of them afterwards.
        run: Does it.
        check: Looks at files on which nothing is pending any more, told which side they are on.
    """

    start: Files
    before: dict[str, bytes]
    after: dict[str, bytes]
    run: Callable[[SimulatedFileSystem], object]
    check: Callable[[Files, str], None]

    def __repr__(self) -> str:
        return f"Change({ {path: (len(data), len(self.after[path])) for path, data in self.before.items()} })"

    def calls(self) -> list[Call]:
        """The calls that a run makes when nothing goes wrong."""
        system = SimulatedFileSystem(self.start)
        self.run(system)
        return system.calls

    def done(self) -> Files:
        """What is there after a run."""
        system = SimulatedFileSystem(self.start)
        self.run(system)
        return settled(system)


def change_of(
    staged: dict[str, StagedFile],
    *,
    keep: bool = True,
    start: Files | None = None,
    watched: dict[str, tuple[tuple[int, int], ...]] | None = None,
) -> Change:
    """Return the change that writes what is staged; the disk is the first file.

    Args:
        staged: Overlays by path.
        keep: Whether the change can be taken back afterwards.
        start: What is there at first; just the files when None.
        watched: Ranges of each file that must stay.
    """
    planned = {}
    for path, file in staged.items():
        edit = FileEdit(path, file.changes(), file.original_size, file.size, (watched or {}).get(path, ()))
        planned[path] = (edit, file.base.read_at(0, file.base.size))
    return change_by(planned, keep=keep, start=start)


def change_by(
    planned: Mapping[str, tuple[FileEdit, bytes]], *, keep: bool = True, start: Files | None = None
) -> Change:
    """Return the change that makes edits of files with these contents; see :func:`change_of`."""
    before = {path: old for path, (_edit, old) in planned.items()}
    edits = [edit for edit, _old in planned.values()]
    after = {edit.path: _edited(before[edit.path], edit) for edit in edits}
    first = {path: File(content, 5) for path, content in before.items()} if start is None else start
    earlier = len(kept(first))

    def run(system: SimulatedFileSystem) -> object:
        transaction = Transaction(edits, {"summary": "t"}, change_id=UUID(int=7), system=system)
        return transaction.run(keep=keep)

    def check(files: Files, where: str) -> None:
        if where == "before":
            assert len(kept(files)) == earlier
        elif keep:
            assert len(kept(files)) == earlier + 1
            assert content(undone(files), before) == before

    return Change(first, before, after, run, check)


def _edited(old: bytes, edit: FileEdit) -> bytes:
    new = bytearray(old[: edit.new_size].ljust(edit.new_size, b"\0"))
    for change in edit.changes:
        new[change.offset : change.offset + len(change.after)] = change.after
    return bytes(new)


def undo_of(change: Change) -> Change:
    """Return the change that takes a change back which has been made."""
    start = change.done()

    def run(system: SimulatedFileSystem) -> object:
        return undo(DISK, system=system)

    def check(files: Files, where: str) -> None:
        journals = kept(files)
        if where == "before":
            assert len(journals) == len(kept(start))
            files = undone(files)
            assert content(files, change.before) == change.before
        assert len(kept(files)) == len(kept(start)) - 1
        for path in kept(files):
            assert files[path].content

    return Change(start, change.after, change.before, run, check)


def chooser(seed: int) -> random.Random:
    """Return a source of choices, the same for the same seed."""
    return random.Random(seed)  # noqa: S311 - it chooses test cases


def content(files: Files, like: dict[str, bytes]) -> dict[str, bytes]:
    """Return the content of the files that are in ``like``."""
    return {path: files[path].content for path in like}


def kept(files: Files) -> list[str]:
    """Return the journals that are kept to take changes back."""
    system = SimulatedFileSystem(files)
    found = {system.paths.basename(path) for path in undo_paths(DISK, system)}
    return sorted(path for path in files if system.paths.basename(path) in found)


def undone(files: Files) -> Files:
    """Take the newest change back."""
    system = SimulatedFileSystem(files)
    undo(DISK, system=system)
    return settled(system)


def recovered(files: Files) -> Files:
    """Recover."""
    system = SimulatedFileSystem(files)
    recover(DISK, system=system)
    return settled(system)


def side(files: Files, change: Change) -> str:
    """Say on which side of the change the files are; fail when they are on none."""
    found = content(files, change.before)
    if found == change.before:
        return "before"
    assert found == change.after, "a third state"
    return "after"


def pending(files: Files) -> Journal | None:
    """Return the journal through which readers look, None when they need none."""
    file = files.get(journal_path(DISK))
    journal = parse_journal(file.content, Location("journal")) if file else None
    return journal if journal is not None and journal.state is not JournalState.COMMITTED else None


def check_readers(files: Files, change: Change) -> None:
    """Check that a reader sees old or new: through a pending journal the old state, else what is there."""
    journal = pending(files)
    if journal is None:
        side(files, change)
        return
    for number, (path, old) in enumerate(change.before.items()):
        view = OldStateView(BytesSource(files[path].content), journal, number)
        assert view.size == len(old)
        assert view.read_at(0, view.size) == old


def settled(system: SimulatedFileSystem) -> Files:
    """Return what is there, after checking that nothing of it can still get lost and that nothing is open."""
    assert system.open_files == 0
    files, lasting = system.files(), system.after_power_cut(())
    if system.rules.names_in_order:
        # A removal may not last. What comes back then is a journal that changes nothing any more.
        back = lasting.keys() - files.keys()
        assert all(path.startswith(f"{DISK}.vdiskkit-") for path in back)
        if back:
            again = SimulatedFileSystem(lasting)
            recover(DISK, system=again)
            disks = files.keys() & {DISK, SIDE_CAR}
            assert all(again.files()[path].content == files[path].content for path in disks)
    else:
        assert files.keys() == lasting.keys()
    for path, file in files.items():
        assert lasting[path] == file, f"{path} may still lose something"
    return files


def check_recovery(files: Files, change: Change, choose: random.Random, *, nested: int = 0) -> str:
    """Recover, interrupting that at every call as well when asked to; return the side that it led to.

    Args:
        files: What a crash left.
        change: The change that was interrupted.
        choose: Source of random choices.
        nested: How many states are looked at for each interruption of recovery; 0 for no interruptions.
    """
    check_readers(files, change)
    system = SimulatedFileSystem(files)
    result = recover(DISK, system=system)
    calls = len(system.calls)
    done = settled(system)
    assert journal_path(DISK) not in done
    where = side(done, change)
    assert where == "before" or result.action is not RecoveryAction.ROLLED_BACK
    change.check(done, where)
    if nested:
        for number in range(calls):
            system = SimulatedFileSystem(files, at(number))
            with pytest.raises(PowerCut):
                recover(DISK, system=system)
            for left in system.power_cuts(choose, exhaustive=2, samples=nested):
                again = check_recovery(left, change, choose)
                assert again == where or result.action is not RecoveryAction.ROLLED_BACK
    return where


def check_power_cuts(
    change: Change, choose: random.Random, *, samples: int = 8, nested: int = 0, nested_every: int = 1
) -> int:
    """Cut the power before every call, with every choice of what had arrived by then; return how many states.

    Args:
        change: The change.
        choose: Source of random choices.
        samples: How many choices are looked at where there are too many.
        nested: As for :func:`check_recovery`.
        nested_every: Of how many states one has its recovery interrupted as well.
    """
    done = change.done()
    assert side(done, change) == "after"
    change.check(done, "after")
    states = 0
    sides = set()
    for number in range(len(change.calls())):
        system = SimulatedFileSystem(change.start, at(number))
        with pytest.raises(PowerCut):
            change.run(system)
        for left in system.power_cuts(choose, samples=samples):
            sides.add(check_recovery(left, change, choose, nested=0 if states % nested_every else nested))
            states += 1
    assert sides == {"before", "after"}
    return states


def check_failures(
    change: Change, fault: Fault, choose: random.Random, *, keep_flushed: bool = False, sparse: bool = False
) -> str:
    """Let calls fail while the program goes on; return how it ended.

    The program must end with an error of ours, never a bare one; with the files as before, or with a journal from
    which they become so - without a restart, and after a power cut as well.
    """

    def keep(count: int) -> Iterable[int]:
        return range(count) if keep_flushed else [number for number in range(count) if choose.random() < 0.5]

    system = SimulatedFileSystem(change.start, fault, keep_of_failed_flush=keep, sparse=sparse)
    outcome = "done"
    try:
        change.run(system)
    except VDiskError as exc:
        outcome = type(exc).__name__ if exc.hint else f"{exc} has no hint"
    assert system.open_files == 0
    if outcome == "done":
        assert side(system.files(), change) == "after"
    elif outcome != "RollbackFailedError":
        assert side(system.files(), change) == "before"
        assert journal_path(DISK) not in system.files()
    for left in system.power_cuts(choose, exhaustive=3, samples=6):
        check_recovery(left, change, choose)
    # The same without a restart of the machine: the share is back, the program is started again.
    system.heal()
    recover(DISK, system=system)
    files = settled(system)
    change.check(files, side(files, change))
    return outcome


def check_refusal(files: Files, take_back: Callable[[str], object]) -> None:
    """Check that taking back is refused, and that nothing is touched by the attempt."""
    system = SimulatedFileSystem(files)
    with pytest.raises(ChangedSinceError) as caught:
        take_back_on(system, take_back)
    assert caught.value.hint
    assert system.calls == []
    assert system.files() == files


def take_back_on(system: SimulatedFileSystem, take_back: Callable[..., object]) -> None:
    take_back(DISK, system=system)

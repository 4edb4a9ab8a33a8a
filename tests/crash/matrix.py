"""What must hold wherever a change, its recovery or its undo is interrupted: old or new, never a third state."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

import pytest

from tests.crash.simulated import Fault, File, PowerCut, SimulatedFileSystem, at, never
from vdiskkit.errors import VDiskError
from vdiskkit.io import BytesSource
from vdiskkit.journal import JournalState, OldStateView, journal_path, parse_journal, undo_paths
from vdiskkit.location import Location
from vdiskkit.patch.history import RecoveryAction, recover, undo
from vdiskkit.patch.staging import StagedFile
from vdiskkit.patch.transaction import FileEdit, Transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vdiskkit.patch.files import OpenFile

DISK = "store/disk.vhd"
SIDE_CAR = "store/disk.pvp"
Files = dict[str, File]


class Change(NamedTuple):
    """A change of one or two files; the disk is always the first.

    Attributes:
        before: Content of each file.
        edits: What is to be done.
        after: Content of each file afterwards.
        keep: Whether it can be taken back afterwards.
    """

    before: dict[str, bytes]
    edits: tuple[FileEdit, ...]
    after: dict[str, bytes]
    keep: bool = True

    @classmethod
    def of(
        cls,
        staged: dict[str, StagedFile],
        *,
        keep: bool = True,
        watched: dict[str, tuple[tuple[int, int], ...]] | None = None,
    ) -> Change:
        before, after, edits = {}, {}, []
        for path, file in staged.items():
            before[path] = file.base.read_at(0, file.base.size)
            after[path] = file.read_at(0, file.size)
            changes = file.changes()
            edits.append(FileEdit(path, changes, file.original_size, file.size, (watched or {}).get(path, ())))
        return cls(before, tuple(edits), after, keep)

    def __repr__(self) -> str:
        edits = [
            (
                edit.path,
                edit.old_size,
                edit.new_size,
                [(c.offset, len(c.before), len(c.after), c.phase.name) for c in edit.changes],
            )
            for edit in self.edits
        ]
        return f"Change({edits}, keep={self.keep})"

    def files(self) -> Files:
        """The files before the change."""
        return {path: File(content, 5) for path, content in self.before.items()}

    def run(
        self, system: SimulatedFileSystem, verify: Callable[[Iterable[OpenFile]], None] | None = None
    ) -> str | None:
        transaction = Transaction(self.edits, {"summary": "t"}, change_id=UUID(int=7), system=system, verify=verify)
        return transaction.run(keep=self.keep)

    def applied(self) -> Files:
        """The files after the change, with the journal that is kept."""
        system = SimulatedFileSystem(self.files())
        self.run(system)
        return system.after_power_cut(())


def content(files: Files, change: Change) -> dict[str, bytes]:
    return {path: files[path].content for path in change.before}


def side(files: Files, change: Change) -> str:
    """Say on which side of the change the files are; fail when they are on none."""
    found = content(files, change)
    if found == change.before:
        return "before"
    assert found == change.after, "a third state"
    return "after"


def check_readers(files: Files, change: Change) -> None:
    """Check that a reader sees old or new: through a pending journal the old state, else what is there."""
    journal_file = files.get(journal_path(DISK))
    journal = parse_journal(journal_file.content, Location("journal")) if journal_file else None
    if journal is None or journal.state is JournalState.COMMITTED:
        side(files, change)
        return
    for number, path in enumerate(change.before):
        view = OldStateView(BytesSource(files[path].content), journal, number)
        assert view.size == len(change.before[path])
        assert view.read_at(0, view.size) == change.before[path]


def settled(system: SimulatedFileSystem) -> Files:
    """Return what is there, after checking that nothing of it can still get lost and that nothing is open."""
    assert system.open_files == 0
    files, lasting = system.files(), system.after_power_cut(())
    assert files.keys() == lasting.keys()
    for path, file in files.items():
        assert lasting[path] == file, f"{path} may still lose something"
    return files


def check_recovery(files: Files, change: Change, choose: random.Random, *, interrupted: int = 0) -> str:
    """Recover, interrupting that at every call as well when asked to; return the side that it led to.

    Args:
        files: What a crash left.
        change: The change that was interrupted.
        choose: Source of random choices.
        interrupted: How many states are looked at for each interruption; 0 for no interruptions.
    """
    check_readers(files, change)
    system = SimulatedFileSystem(files)
    result = recover(DISK, system=system)
    calls = len(system.calls)
    done = settled(system)
    assert journal_path(DISK) not in done
    where = side(done, change)
    if result.action is RecoveryAction.ROLLED_BACK:
        assert where == "before"
    if interrupted:
        for number in range(calls):
            system = SimulatedFileSystem(files, at(number))
            with pytest.raises(PowerCut):
                recover(DISK, system=system)
            for left in system.power_cuts(choose, exhaustive=2, samples=interrupted):
                again = check_recovery(left, change, choose)
                assert again == where or result.action is not RecoveryAction.ROLLED_BACK
    return where


def check_undo(files: Files, change: Change) -> None:
    """Take a committed change back."""
    system = SimulatedFileSystem(files, time=5000)
    undo(DISK, system=system)
    done = settled(system)
    assert content(done, change) == change.before
    assert set(done) == set(change.before)


def check_power_cuts(change: Change, choose: random.Random, *, samples: int = 8, nested: int = 0) -> None:
    """Cut the power before every call, with every choice of what had arrived by then."""
    system = SimulatedFileSystem(change.files())
    change.run(system)
    total = len(system.calls)
    done = settled(system)
    assert side(done, change) == "after"
    sides = set()
    for number in range(total):
        system = SimulatedFileSystem(change.files(), at(number))
        with pytest.raises(PowerCut):
            change.run(system)
        for left in system.power_cuts(choose, samples=samples):
            where = check_recovery(left, change, choose, interrupted=nested)
            sides.add(where)
            if where == "after" and change.keep:
                system_again = SimulatedFileSystem(left)
                recover(DISK, system=system_again)
                check_undo(settled(system_again), change)
    assert sides == {"before", "after"} or change.before == change.after
    if change.keep:
        check_undo(done, change)


def check_failures(change: Change, fault: Fault, choose: random.Random, *, keep_flushed: bool = False) -> str:
    """Let calls fail while the program goes on; return how it ended.

    The program must end with an error of ours, never a bare one; with the files as before, or with a journal from
    which they become so - without a restart, and after a power cut as well.
    """
    keep = (
        (lambda count: range(count))
        if keep_flushed
        else (lambda count: [n for n in range(count) if choose.random() < 0.5])
    )
    system = SimulatedFileSystem(change.files(), fault, keep_of_failed_flush=keep)
    outcome = "done"
    try:
        change.run(system)
    except VDiskError as exc:
        outcome = type(exc).__name__
        assert exc.hint
    assert system.open_files == 0
    if outcome == "done":
        assert side(system.files(), change) == "after"
    elif outcome not in {"RollbackFailedError", "JournalPendingError"}:
        assert side(system.files(), change) == "before"
        assert journal_path(DISK) not in system.files()
    for left in system.power_cuts(choose, exhaustive=3, samples=6):
        check_recovery(left, change, choose)
    # The same without a restart: the share is back, the program is started again.
    system.heal()
    recover(DISK, system=system)
    side(settled(system), change)
    return outcome


def list_of_undo(files: Files) -> list[str]:
    system = SimulatedFileSystem(files)
    return undo_paths(DISK, system.names)


__all__ = [
    "DISK", "SIDE_CAR", "Change", "Files", "check_failures", "check_power_cuts", "check_readers", "check_recovery",
    "check_undo", "content", "list_of_undo", "never", "settled", "side",
]  # fmt: skip

"""Changes of the past, as scripts and the command line ask for them: listed, taken back, recovered.

Gates stand here as well: a change is not taken back under a server that streams the disk, or under versions that were
made from it since.
"""

from __future__ import annotations

import contextlib
import os
import re
from functools import cached_property
from typing import TYPE_CHECKING

from vdiskkit.container.same_disk import check_length
from vdiskkit.errors import InUseError, JournalPendingError, NotFoundError, UsageError, VDiskError
from vdiskkit.events import absolute
from vdiskkit.io.paths import is_there, open_source, real_path
from vdiskkit.journal import Journal, JournalState, journal_path, read_journal
from vdiskkit.location import Location
from vdiskkit.patch import history as kept_changes
from vdiskkit.patch.gates import FORCES, pair_gates, pass_gates
from vdiskkit.patch.history import DamagedJournal, KeptChange, Recovery, exclusive
from vdiskkit.patch.told import Telling, summary_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from uuid import UUID

    from vdiskkit.pair.facts import PairFacts
    from vdiskkit.pvp import Pvp

__all__ = ["find_change", "history", "newest_change", "pending_change", "recover", "undo"]

_KEPT = re.compile(r"(?P<disk>.+)\.vdiskkit-undo-[0-9]{4,18}", re.DOTALL)
_SHORTEST_ID = 4


def history(
    path: str | os.PathLike[str], *, on_damaged: Callable[[DamagedJournal], None] | None = None
) -> list[KeptChange]:
    """Return the changes of a disk that are kept and can be taken back, the newest first.

    Args:
        path: The disk, or its side-car.
        on_damaged: Called with each journal that cannot be read, which is left out then; None raises.

    Raises:
        SourceError: The disk does not exist, its folder cannot be listed, or a journal cannot be read.
        CorruptStructureError: A journal is damaged.
    """
    return kept_changes.history(_existing_disk(path), on_damaged=on_damaged)


def newest_change(path: str | os.PathLike[str]) -> KeptChange | None:
    """Return the newest change of a disk that is kept, None when none is; older journals are not read.

    Raises:
        VDiskError: As for :func:`history`.
    """
    return kept_changes.newest_change(_existing_disk(path))


def pending_change(path: str | os.PathLike[str]) -> KeptChange | None:
    """Return the change of a disk that was interrupted and waits for :func:`recover`; None when there is none.

    Raises:
        VDiskError: As for :func:`history`.
    """
    where = journal_path(_existing_disk(path))
    if not is_there(where):
        return None
    journal = read_journal(where)
    return KeptChange(where, journal) if journal is not None else None


def find_change(path: str | os.PathLike[str], change_id: str) -> KeptChange:
    """Return the change whose id begins with ``change_id``, the interrupted one included.

    Raises:
        UsageError: The text is too short, or more than one change begins so.
        NotFoundError: None does.
        VDiskError: As for :func:`history`.
    """
    wanted = change_id.strip().lower().replace("-", "")
    if len(wanted) < _SHORTEST_ID:
        raise UsageError(
            f"the id {change_id!r} is too short",
            hint=f"give at least {_SHORTEST_ID} characters of what `journal ls` shows",
        )
    waiting = pending_change(path)
    damaged: list[DamagedJournal] = []
    changes = [*([waiting] if waiting is not None else []), *history(path, on_damaged=damaged.append)]
    found = [item for item in changes if item.journal.id.hex.startswith(wanted)]
    if not found and damaged:
        raise damaged[0].error  # it may be the one
    if not found:
        raise NotFoundError(
            f"no change with the id {change_id!r} is kept",
            location=Location(os.fspath(path)),
            hint="`journal ls` lists what is kept",
        )
    if len(found) > 1:
        raise UsageError(f"{len(found)} changes have ids that begin with {change_id!r}", hint="give more of the id")
    return found[0]


def undo(
    path: str | os.PathLike[str],
    *,
    change_id: UUID | str | None = None,
    force: Collection[str] = (),
    dry_run: bool = False,
    progress: Callable[[str], None] | None = None,
) -> KeptChange:
    """Take the newest kept change of a disk back, to the exact bytes before it.

    Args:
        path: The disk, its side-car, or the kept journal of its newest change.
        change_id: Id of the change that is expected to be the newest, or its beginning; None takes whichever is.
        force: Gates that a person judged: ``lok``, ``standard-mode``.
        dry_run: Check only that it can be taken back.
        progress: Called with the name of each step.

    Returns:
        The change; its journal is removed, unless it was only checked.

    Raises:
        NotFoundError: No change is kept, or the one that is meant is not the newest.
        ChangedSinceError: The disk was used since; nothing was touched.
        StateError: The disk is in use, in Standard mode, or waits for recovery.
        WriteRefusedError: Other versions were made from it since.
        PatchError: It failed; the files are as they were.
    """
    _check_forces(force)
    text = os.fspath(path)
    kept = _KEPT.fullmatch(text)
    disk_path = _existing_disk(kept["disk"] if kept is not None else text)
    wanted = find_change(disk_path, change_id).journal.id if isinstance(change_id, str) else change_id
    if kept is not None and wanted is None:
        journal = read_journal(text)
        wanted = journal.id if journal is not None else None
    with exclusive(disk_path):
        waiting = pending_change(disk_path)
        if waiting is not None and waiting.journal.state is not JournalState.COMMITTED:
            raise JournalPendingError(
                "an earlier change of this disk was interrupted",
                location=Location(waiting.path),
                hint="run `recover` on the disk first",
            )
        # A change that was interrupted after its commit is the newest one, though its journal is not put away yet.
        newest = waiting or kept_changes.newest_change(disk_path)
        if newest is not None:
            _check_gates(disk_path, edits_disk=_concerns_disk(newest.journal), forced=force)
        return _undo(disk_path, newest, wanted, force, dry_run=dry_run, progress=progress)


def recover(
    path: str | os.PathLike[str], *, forward: bool = False, force: Collection[str] = (), dry_run: bool = False
) -> Recovery:
    """Bring a disk back to its old state after an interrupted change.

    Args:
        path: The disk, or its side-car.
        forward: When everything was written already, finish the change instead of taking it back.
        force: Gates that a person judged: ``lok``, ``standard-mode``.
        dry_run: Check only, and return what would be done.

    Raises:
        ChangedSinceError: The disk was used since; nothing was touched.
        StateError: The disk is in use, or in Standard mode.
        WriteRefusedError: Other versions were made from it since.
        SourceError: A file cannot be opened.
        CorruptStructureError: The journal is damaged.
    """
    _check_forces(force)
    disk_path = _existing_disk(path)
    with exclusive(disk_path):
        if is_there(journal_path(disk_path)):
            waiting = pending_change(disk_path)
            # A change that had not begun, or is complete, leaves nothing to write to the disk.
            unfinished = waiting is not None and waiting.journal.state is not JournalState.COMMITTED
            edits_disk = unfinished and waiting is not None and _concerns_disk(waiting.journal)
            _check_gates(disk_path, edits_disk=edits_disk, forced=force)
        return _recover(disk_path, force, forward=forward, dry_run=dry_run)


def _undo(
    disk_path: str,
    newest: KeptChange | None,
    wanted: UUID | None,
    force: Collection[str],
    *,
    dry_run: bool,
    progress: Callable[[str], None] | None,
) -> KeptChange:
    journal = newest.journal if newest is not None else None
    if dry_run:
        done = kept_changes.undo(disk_path, change_id=wanted, dry_run=True, judge=check_length)
        told = Telling("undo", disk_path, done.journal.id)
        told.checked(journal=absolute(done.path), summary=summary_of(done.journal))
        return done
    known = wanted or (journal.id if journal is not None else None)
    told = Telling("undo", disk_path, known, forced=force, summary=summary_of(journal))
    with told:
        done = kept_changes.undo(disk_path, change_id=wanted, progress=told.steps(progress), judge=check_length)
    told.done(journal=absolute(done.path))
    return done


def _recover(disk_path: str, force: Collection[str], *, forward: bool, dry_run: bool) -> Recovery:
    waiting = pending_change(disk_path)
    journal = waiting.journal if waiting is not None else None
    told = Telling(
        "recover",
        disk_path,
        journal.id if journal is not None else None,
        forced=force,
        forward=forward,
        summary=summary_of(journal),
    )
    if dry_run:
        found = kept_changes.recover(disk_path, forward=forward, dry_run=True, judge=check_length)
        told.checked(action=found.action.value, forward=forward, summary=summary_of(journal))
        return found
    with told:
        done = kept_changes.recover(disk_path, forward=forward, judge=check_length)
    told.done(action=done.action.value)
    return done


class _Beside:
    """What lies beside a disk that is not opened itself: it may be half-way through a change."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._problem: str | None = None

    @cached_property
    def pair(self) -> PairFacts | None:
        from vdiskkit.container.identity import LogBudget, read_disk_identity
        from vdiskkit.io.paths import open_source
        from vdiskkit.pair import Identity, read_pair

        budget = LogBudget()

        def identity(path: str) -> Identity | None:
            with open_source(path) as source:
                found = read_disk_identity(source, budget)
            return Identity(found.unique_id, found.parent_id) if found is not None else None

        return read_pair(self._path, read_identity=identity)

    @cached_property
    def pvp(self) -> Pvp | None:
        from vdiskkit.pending import pvp_state

        if self.pair is None or self.pair.pvp_path is None:
            return None
        try:
            # A side-car that is half-written by the interrupted change counts as it was before.
            return pvp_state(self._path, self.pair.pvp_path)[0]
        except VDiskError as exc:
            self._problem = str(exc)
            return None

    def pvp_problem(self) -> str | None:
        return self._problem if self.pvp is None else None


def _check_gates(disk_path: str, *, edits_disk: bool, forced: Collection[str]) -> None:
    pass_gates(pair_gates(_Beside(disk_path), disk_path, edits_disk=edits_disk), disk_path, forced)


def _check_forces(force: Collection[str]) -> None:
    unknown = [name for name in force if name not in FORCES]
    if unknown:
        raise UsageError(f"there is no gate {unknown[0]!r} to force", hint=f"gates: {', '.join(FORCES)}")


def _concerns_disk(journal: Journal) -> bool:
    first = journal.files[0]
    return first.old_size != first.new_size or any(record.file == 0 for record in journal.records)


def _existing_disk(path: str | os.PathLike[str]) -> str:
    text = os.fspath(path)
    if text.lower().endswith(".pvp"):
        from vdiskkit.pair import disk_for_sidecar

        text = disk_for_sidecar(text)
    # Says what is wrong with the path, if anything. Who uses the disk is found out later, and said better.
    with contextlib.suppress(InUseError):
        open_source(text).close()
    return real_path(text)

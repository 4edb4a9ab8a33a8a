"""The history of a disk's changes: what was done, taking it back, and recovery after an interruption."""

from __future__ import annotations

import contextlib
import os
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from vdiskkit.container.same_disk import ContentSource, check_disk_id
from vdiskkit.errors import (
    ChangedSinceError,
    CorruptStructureError,
    InUseError,
    JournalPendingError,
    NotFoundError,
    PatchError,
    VDiskError,
)
from vdiskkit.io.paths import host_path
from vdiskkit.journal import (
    Journal,
    JournalState,
    build_state,
    journal_path,
    read_journal,
    undo_paths,
)
from vdiskkit.journal.checks import check_all_new, check_old_or_new
from vdiskkit.journal.format import SECTOR, Stamp
from vdiskkit.journal.places import paths_of
from vdiskkit.journal.versions import versions
from vdiskkit.location import Location
from vdiskkit.patch.files import RealFileSystem, close_quietly
from vdiskkit.patch.kept import (
    discard_journal,
    is_named,
    load_journal,
    remove_journal,
    restamp_after_rollback,
    settle_undo,
    tidy,
    write_state,
)
from vdiskkit.patch.recovery import roll_back, write_again
from vdiskkit.patch.staging import FileChange, Phase
from vdiskkit.patch.transaction import FileEdit, Transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from uuid import UUID

    from vdiskkit.io import ByteSource
    from vdiskkit.patch.files import FileSystem, OpenFile

    Judge = Callable[[Journal, ByteSource], None]

__all__ = [
    "DamagedJournal",
    "KeptChange",
    "Recovery",
    "RecoveryAction",
    "exclusive",
    "history",
    "newest_change",
    "recover",
    "undo",
]

_LOCK_SUFFIX = ".vdiskkit-lock"
_PIECE = 64 * 1024


class RecoveryAction(Enum):
    """What recovery did."""

    NOTHING = "nothing"  # no journal was there
    DISCARDED = "discarded"  # the change had not begun to write
    ROLLED_BACK = "rolled_back"  # the old state is back
    FINISHED = "finished"  # the change was complete; its journal is kept to take it back


class Recovery(NamedTuple):
    """Result of :func:`recover`: what was done, and the change that was concerned."""

    action: RecoveryAction
    journal: Journal | None


class KeptChange(NamedTuple):
    """A committed change that can be taken back, newest first, and the journal that does it."""

    path: str
    journal: Journal


class DamagedJournal(NamedTuple):
    """A kept journal that cannot be read, so that its change cannot be taken back, and why."""

    path: str
    error: VDiskError


@contextlib.contextmanager
def exclusive(disk_path: str) -> Iterator[None]:
    """Keep every other vdiskkit from changing this disk during the block.

    Raises:
        InUseError: Another one is at it.
    """
    from filelock import FileLock, Timeout

    lock_path = host_path(disk_path + _LOCK_SUFFIX).opened
    lock = FileLock(lock_path, timeout=0)
    try:
        lock.acquire()
    except (Timeout, OSError) as exc:
        raise InUseError(
            "another vdiskkit is changing this disk"
            if isinstance(exc, Timeout)
            else f"the disk cannot be locked: {exc}",
            location=Location(disk_path),
            hint="wait until it has ended" if isinstance(exc, Timeout) else "check that its folder can be written",
        ) from exc
    try:
        yield
    finally:
        # Removed while it is held, where the system lets us (on Windows its release removes it). Whoever opened it in
        # between still meets the lock on the disk and the journal.
        with contextlib.suppress(OSError):
            os.unlink(lock_path)
        lock.release()


def history(disk_path: str, *, on_damaged: Callable[[DamagedJournal], None] | None = None) -> list[KeptChange]:
    """Return the committed changes that are kept, the newest first.

    Args:
        disk_path: The disk.
        on_damaged: Called with each journal that cannot be read, which is left out then; None raises.

    Raises:
        SourceError: The folder cannot be listed, or a journal cannot be read.
        CorruptStructureError: A journal is damaged.
    """
    kept = []
    for path in reversed(undo_paths(disk_path)):
        try:
            journal = read_journal(path)
        except VDiskError as exc:
            if on_damaged is None:
                raise
            on_damaged(DamagedJournal(path, exc))
            continue
        if journal is not None:
            kept.append(KeptChange(path, journal))
    return kept


def newest_change(disk_path: str) -> KeptChange | None:
    """Return the newest kept change, None when none is kept. Whatever is wrong with older ones is in nobody's way.

    Raises:
        SourceError: The folder cannot be listed, or the journal cannot be read.
        CorruptStructureError: The journal is damaged.
    """
    for path in reversed(undo_paths(disk_path)):
        journal = read_journal(path)
        if journal is not None:
            return KeptChange(path, journal)
    return None


def recover(
    disk_path: str,
    *,
    forward: bool = False,
    dry_run: bool = False,
    system: FileSystem | None = None,
    judge: Judge | None = None,
) -> Recovery:
    """Bring a disk back to its old state after an interrupted change.

    Args:
        disk_path: The disk.
        forward: When everything was written already, finish the change instead of taking it back.
        dry_run: Check only, and return what would be done.
        system: Where the files lie.
        judge: Called with the journal and the disk before anything is written back; raises when that must not be.

    Raises:
        ChangedSinceError: The disk was used since; nothing was touched.
        SourceError: A file cannot be opened.
        CorruptStructureError: The journal is damaged.
        PatchError: The system could not read, write, rename or remove; the journal is kept, and recovery can run again.
    """
    try:
        return _recover(disk_path, system or RealFileSystem(), judge, forward=forward, dry_run=dry_run)
    except VDiskError:
        raise
    except OSError as exc:
        raise PatchError(
            f"recovery failed: {exc.strerror or exc}",
            location=Location(exc.filename or disk_path),
            hint="the journal is kept; mend the cause, then run `recover` on the disk again",
        ) from exc


def _recover(disk_path: str, system: FileSystem, judge: Judge | None, *, forward: bool, dry_run: bool) -> Recovery:
    path = journal_path(disk_path)
    if not system.exists(path):
        if not dry_run:
            # It may have been removed or renamed a moment ago, and only making that last has failed.
            with contextlib.suppress(OSError):
                system.flush_folder(path)
        return Recovery(RecoveryAction.NOTHING, None)
    journal = load_journal(path, system)
    if journal is None:
        if not dry_run:
            remove_journal(path, system)
        return Recovery(RecoveryAction.DISCARDED, None)
    if journal.state is JournalState.COMMITTED:
        if not dry_run:
            tidy(disk_path, system)
        return Recovery(RecoveryAction.FINISHED, journal)
    paths = paths_of(disk_path, journal, system)
    with _opened(paths, system) as files:
        check_disk_id(journal, ContentSource(files[0], disk_path))
        if forward:
            check_all_new(journal, files, paths)
        else:
            check_old_or_new(journal, files, paths)
            if judge is not None:
                judge(journal, ContentSource(files[0], disk_path))
        if not dry_run:
            (write_again if forward else roll_back)(journal, files, paths)
    if dry_run:
        return Recovery(RecoveryAction.FINISHED if forward else RecoveryAction.ROLLED_BACK, journal)
    if not forward:
        restamp_after_rollback(disk_path, journal, paths, system)
        discard_journal(path, system)
        return Recovery(RecoveryAction.ROLLED_BACK, journal)
    stamps = tuple(Stamp(*system.stamp(name)) for name in paths)
    write_state(path, build_state(JournalState.COMMITTED, stamps), system)
    tidy(disk_path, system)
    return Recovery(RecoveryAction.FINISHED, journal)


def undo(
    disk_path: str,
    *,
    change_id: UUID | None = None,
    dry_run: bool = False,
    system: FileSystem | None = None,
    progress: Callable[[str], None] | None = None,
    judge: Judge | None = None,
) -> KeptChange:
    """Take the newest kept change of a disk back, to the exact bytes before it.

    Args:
        disk_path: The disk.
        change_id: The change that is expected to be the newest; None takes whichever is.
        dry_run: Check only that it can be taken back.
        system: Where the files lie.
        progress: Called with the name of each step.
        judge: As for :func:`recover`.

    Returns:
        The change that was taken back; its journal is removed.

    Raises:
        NotFoundError: No change is kept, or ``change_id`` is not the newest.
        JournalPendingError: An earlier change waits for recovery.
        ChangedSinceError: The disk was used since; nothing was touched.
        PatchError: It failed; the files are as they were.
    """
    try:
        return _undo(disk_path, change_id, system or RealFileSystem(), progress, judge, dry_run=dry_run)
    except VDiskError:
        raise
    except OSError as exc:
        raise PatchError(
            f"nothing was taken back: {exc.strerror or exc}",
            location=Location(exc.filename or disk_path),
            hint="the files are as they were; mend the cause and try again",
        ) from exc


def _undo(
    disk_path: str,
    change_id: UUID | None,
    system: FileSystem,
    progress: Callable[[str], None] | None,
    judge: Judge | None,
    *,
    dry_run: bool,
) -> KeptChange:
    if not dry_run:
        tidy(disk_path, system)
    kept, journal = _newest(disk_path, system)
    if journal is None:
        raise NotFoundError(
            "no change of this disk is kept", location=Location(disk_path), hint="`journal ls` lists what is kept"
        )
    if change_id is not None and journal.id != change_id:
        raise NotFoundError(
            f"the newest change is {journal.id}, and changes are taken back newest first", location=Location(kept)
        )
    if journal.state is not JournalState.COMMITTED:
        raise CorruptStructureError(
            "this journal was kept without having been committed",
            location=Location(kept),
            hint="it takes nothing back; restore a copy if the state before the change is wanted",
        )
    paths = paths_of(disk_path, journal, system)
    with _opened(paths, system) as files:
        check_disk_id(journal, ContentSource(files[0], disk_path))
        edits = _reversed_edits(journal, files, paths, system)
        if judge is not None:
            judge(journal, ContentSource(files[0], disk_path))
    if dry_run:
        return KeptChange(kept, journal)
    # Its journal has to go at the end. Whoever has it open would keep that from happening, after the disk was written.
    system.open(kept).close()
    about = {
        "undoes": system.paths.basename(kept),
        "change": str(journal.id),
        "disk_id": journal.about.get("disk_id"),
        "summary": journal.about.get("summary", ""),
    }
    transaction = Transaction(
        edits,
        about,
        change_id=uuid4(),
        system=system,
        settle=lambda committed: settle_undo(disk_path, committed, system),
        backwards=True,
    )
    transaction.run(keep=False, progress=progress)
    return KeptChange(kept, journal)


def _newest(disk_path: str, system: FileSystem) -> tuple[str, Journal | None]:
    """Return the newest change that can be taken back, put away already or not."""
    path = journal_path(disk_path)
    waiting = load_journal(path, system) if system.exists(path) else None
    if waiting is not None and waiting.state is not JournalState.COMMITTED:
        raise JournalPendingError(
            "an earlier change of this disk was interrupted",
            location=Location(path),
            hint="run `recover` on the disk first",
        )
    undone = None
    if waiting is not None:
        undone = waiting.about.get("undoes")
        if undone is None:
            return path, waiting
    kept = [item for item in undo_paths(disk_path, system) if not is_named(item, undone)]
    return (kept[-1], load_journal(kept[-1], system)) if kept else (path, None)


def _reversed_edits(
    journal: Journal, files: Sequence[OpenFile], paths: Sequence[str], system: FileSystem
) -> list[FileEdit]:
    if journal.state is not JournalState.COMMITTED or len(journal.stamps) != len(paths):
        raise CorruptStructureError(
            "the kept journal does not say how the change left the files",
            location=Location(paths[0]),
            hint="the change cannot be taken back by it; restore a copy if the state before the change is wanted",
        )
    for path, stamp in zip(paths, journal.stamps, strict=True):
        if system.stamp(path) != stamp:
            raise ChangedSinceError(
                "the file's length or time is not what the change left: it was used or copied since",
                location=Location(path),
                hint="nothing was touched; restore a copy if the state before the change is wanted",
            )
    check_all_new(journal, files, paths)
    several = versions(journal.records)
    edits = []
    for number, (entry, file, path) in enumerate(zip(journal.files, files, paths, strict=True)):
        # The sectors behind the old end go with the length.
        behind = -(-entry.old_size // SECTOR) * SECTOR
        changes = []
        left = _Left(file, {offset for of_file, offset in several if of_file == number})
        for record in reversed(journal.records):
            if record.file == number and record.offset < behind:
                now = left.read(record.offset, min(record.length, behind - record.offset))
                before = record.before[: behind - record.offset]
                changes.append(FileChange(record.offset, now, before, Phase(record.phase)))
                left.write(record.offset, before)
        changes += _tail(behind, entry.new_size, file)
        watched = [(watch.offset, watch.length) for watch in journal.watches if watch.file == number]
        edits.append(FileEdit(path, changes, entry.new_size, entry.old_size, watched))
    return edits


class _Left:
    """What a file holds while its records are taken back one by one, the last first.

    Args:
        file: The file as the change left it.
        several: Where the sectors begin that the change wrote several times.
    """

    def __init__(self, file: OpenFile, several: Collection[int]) -> None:
        self._file = file
        self._several = several
        self._sectors: dict[int, bytes] = {}

    def read(self, offset: int, length: int) -> bytes:
        data = self._file.read_at(offset, length)
        if self._several:
            places = range(offset, offset + length, SECTOR)
            data = b"".join(self._sectors.get(at, data[at - offset : at - offset + SECTOR]) for at in places)
        return data

    def write(self, offset: int, data: bytes) -> None:
        for at in range(offset, offset + len(data), SECTOR):
            if at in self._several:
                self._sectors[at] = data[at - offset : at - offset + SECTOR]


def _tail(start: int, new_size: int, file: OpenFile) -> list[FileChange]:
    """The part by which the file grew: it goes away with the length, and its bytes are kept for the way back."""
    pieces = ((at, file.read_at(at, min(_PIECE, new_size - at))) for at in range(start, new_size, _PIECE))
    return [FileChange(at, data, b"", Phase.GROW) for at, data in pieces if any(data)]


@contextlib.contextmanager
def _opened(paths: Sequence[str], system: FileSystem) -> Iterator[list[OpenFile]]:
    files: list[OpenFile] = []
    try:
        for path in paths:
            files.append(system.open(path))  # noqa: PERF401 - those opened must be closed on error
        yield files
    finally:
        close_quietly(files)

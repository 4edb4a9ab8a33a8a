"""Journals on a file system: read, given another state, and told the new times of the files.

A kept journal remembers length and time of each file at its commit, and its change is taken back only while they are
the same. So when a later change is taken back, which writes to the files too, the journal before it is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.errors import FormatError
from vdiskkit.journal import Journal, JournalState, build_state, journal_path, next_undo_path, undo_paths
from vdiskkit.journal.format import STATE_OFFSET, Stamp, cause_of
from vdiskkit.journal.places import read_journal, undo_number
from vdiskkit.patch.files import closed_quietly

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vdiskkit.patch.files import FileSystem

__all__ = [
    "discard_journal",
    "is_named",
    "load_journal",
    "remove_journal",
    "restamp",
    "restamp_after_rollback",
    "settle_undo",
    "tidy",
    "write_state",
]


def load_journal(path: str, system: FileSystem) -> Journal | None:
    """Read a journal; None when it was never completed.

    Raises:
        SourceError: It cannot be opened.
        CorruptStructureError: It is damaged.
        OSError: It cannot be read.
    """
    return read_journal(path, system)


def write_state(path: str, state: bytes, system: FileSystem) -> None:
    """Write the state sector of a journal and flush it.

    Raises:
        SourceError: It cannot be opened.
        OSError: It cannot be written.
    """
    with closed_quietly(system.open(path, readers=True)) as file:
        file.write_at(STATE_OFFSET, state)
        file.flush()


def remove_journal(path: str, system: FileSystem) -> None:
    """Remove a journal, for good."""
    system.remove(path)
    system.flush_folder(path)


def discard_journal(path: str, system: FileSystem) -> None:
    """Remove the journal of a change that was rolled back.

    Should the removal not last, a journal that still says "armed" would come back later, when the disk has been used.
    """
    write_state(path, build_state(JournalState.WRITING), system)
    remove_journal(path, system)


def restamp(
    journals: Iterable[str], old: Sequence[Stamp], new: Sequence[Stamp], system: FileSystem, *, cause: int = 0
) -> None:
    """Tell kept journals the new stamps of files: of each file the newest journal that concerns it.

    Args:
        journals: The journals, the oldest first.
        old: Stamps that the files had: the disk's, and where it was concerned the side-car's, as in every journal.
            Where a journal has another one, the file was used in between.
        new: Stamps that they have now.
        system: Where the files lie.
        cause: Stands for the change that was rolled back. A rollback that was interrupted and is done again finds
            the stamps changed by its first run, but knows them by this.

    Raises:
        SourceError: A journal cannot be opened.
        OSError: A journal cannot be read or written.
    """
    left = set(range(min(len(old), len(new))))
    for path in reversed(list(journals)):
        if not left:
            return
        try:
            journal = load_journal(path, system)
        except FormatError:
            continue  # what cannot be understood takes nothing back any more
        if journal is None or journal.state is not JournalState.COMMITTED:
            continue
        ours = bool(cause) and journal.cause == cause
        stamps = tuple(
            new[number] if number in left and (ours or old[number] == stamp) else stamp
            for number, stamp in enumerate(journal.stamps)
        )
        if stamps != journal.stamps:
            write_state(path, build_state(JournalState.COMMITTED, stamps, cause), system)
        left -= set(range(len(journal.files)))


def restamp_after_rollback(disk_path: str, rolled_back: Journal, paths: Sequence[str], system: FileSystem) -> None:
    """Tell the kept journals that rolling back a later change has given the files new times.

    Raises:
        SourceError: A file cannot be opened.
        OSError: A file cannot be read or written.
    """
    old = [Stamp(entry.old_size, entry.old_time) for entry in rolled_back.files]
    new = [Stamp(*system.stamp(path)) for path in paths]
    restamp(undo_paths(disk_path, system), old, new, system, cause=cause_of(rolled_back.id))


def settle_undo(disk_path: str, committed: Journal, system: FileSystem) -> None:
    """Forget the change that was taken back, and tell the one before it the files' new times."""
    name = committed.about.get("undoes")
    kept = undo_paths(disk_path, system)
    undone = next((path for path in kept if is_named(path, name)), None)
    if undone is None:
        return
    journal = load_journal(undone, system)
    if journal is not None:
        # The files are as before the change that was taken back, save for their times.
        old = [Stamp(entry.old_size, entry.old_time) for entry in journal.files]
        new = list(committed.stamps)
        restamp(kept[: kept.index(undone)], old, new, system)
    remove_journal(undone, system)


def is_named(path: str, name: object) -> bool:
    """Whether a name that a journal holds is that of a kept journal, perhaps from before the disk was renamed."""
    return isinstance(name, str) and bool(undo_number(name)) and undo_number(path) == undo_number(name)


def tidy(disk_path: str, system: FileSystem) -> bool:
    """Finish what needs no decision: a journal that was never armed is removed, one that is committed put away.

    Returns:
        Whether an interrupted change waits for recovery.

    Raises:
        SourceError: A journal cannot be opened.
        CorruptStructureError: The journal is damaged.
        OSError: The operating system could not read, write, rename or remove.
    """
    path = journal_path(disk_path)
    if not system.exists(path):
        return False
    journal = load_journal(path, system)
    if journal is None:
        remove_journal(path, system)
    elif journal.state is JournalState.COMMITTED:
        # Once more: if flushing it failed, what is read may not be what is on the disk.
        write_state(path, build_state(JournalState.COMMITTED, journal.stamps, journal.cause), system)
        _put_away(disk_path, journal, system)
    else:
        return True
    return False


def _put_away(disk_path: str, journal: Journal, system: FileSystem) -> None:
    path = journal_path(disk_path)
    if "undoes" in journal.about:
        settle_undo(disk_path, journal, system)
        remove_journal(path, system)
        return
    kept = next_undo_path(disk_path, system)
    system.rename(path, kept)
    system.flush_folder(kept)

"""Where journals lie: beside the disk, under the disk's name. None of the names ends in ``.lok``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from vdiskkit.errors import CorruptStructureError, SourceError
from vdiskkit.io.paths import HOST_PATHS, is_there, names_in, open_source
from vdiskkit.journal.format import BODY_LIMIT, BODY_OFFSET, Journal, JournalState, parse_journal
from vdiskkit.naming import JOURNAL_SUFFIX

if TYPE_CHECKING:
    from vdiskkit.io import ByteSource
    from vdiskkit.io.paths import PathRules

__all__ = [
    "JOURNAL_LIMIT",
    "JOURNAL_SUFFIX",
    "journal_path",
    "next_undo_path",
    "read_from",
    "read_journal",
    "read_pending",
    "undo_paths",
]

JOURNAL_LIMIT = BODY_OFFSET + BODY_LIMIT
"""Bytes that a journal has at most."""

_UNDO = ".vdiskkit-undo-"


class Folders(Protocol):
    """A file system, as far as names are looked for in it."""

    @property
    def paths(self) -> PathRules:
        """How paths are written there."""
        ...

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder."""
        ...


class _HostFolders:
    paths = HOST_PATHS

    def names(self, folder: str) -> list[str]:
        return names_in(folder)


_HOST = _HostFolders()


def journal_path(disk_path: str) -> str:
    """Return the path of the journal of a change to ``disk_path`` that is under way."""
    return disk_path + JOURNAL_SUFFIX


def undo_paths(disk_path: str, system: Folders = _HOST) -> list[str]:
    """Return the journals that are kept to take changes back, the oldest first.

    Args:
        disk_path: The disk.
        system: Where it lies.
    """
    try:
        return [path for _, path in _kept(disk_path, system)]
    except OSError:
        return []


def next_undo_path(disk_path: str, system: Folders = _HOST) -> str:
    """Return the path under which the next committed journal is kept; see :func:`undo_paths`.

    Raises:
        OSError: The folder cannot be listed, so nobody knows which names are taken.
    """
    kept = _kept(disk_path, system)
    return f"{disk_path}{_UNDO}{kept[-1][0] + 1 if kept else 1:04d}"


def _kept(disk_path: str, system: Folders) -> list[tuple[int, str]]:
    folder, name = system.paths.split(disk_path)
    pattern = re.compile(re.escape(system.paths.normcase(name + _UNDO)) + r"([0-9]{4,9})")
    found = []
    for entry in system.names(folder or "."):
        match = pattern.fullmatch(system.paths.normcase(entry))
        if match is not None:
            found.append((int(match[1]), system.paths.join(folder, entry)))
    return sorted(found)


def read_journal(path: str) -> Journal | None:
    """Read a journal; None when it was never completed.

    Raises:
        SourceError: The file cannot be read.
        CorruptStructureError: It is damaged.
    """
    with open_source(path) as source:
        return read_from(source)


def read_from(source: ByteSource) -> Journal | None:
    """Read a journal from a source; see :func:`read_journal`."""
    if source.size > JOURNAL_LIMIT:
        raise CorruptStructureError(
            f"a change journal of {source.size} bytes is impossible",
            location=source.location,
            hint="this file was not written by vdiskkit; move it away",
        )
    return parse_journal(source.read_at(0, source.size), source.location)


def read_pending(disk_path: str) -> Journal | None:
    """Return the journal of a change to ``disk_path`` that was interrupted; None when there is none.

    Raises:
        SourceError: The journal cannot be read.
        CorruptStructureError: It is damaged.
    """
    path = journal_path(disk_path)
    if not is_there(path):
        return None
    try:
        journal = read_journal(path)
    except SourceError:
        if is_there(path):
            raise
        return None  # the change has ended in this very moment
    return journal if journal is not None and journal.state is not JournalState.COMMITTED else None

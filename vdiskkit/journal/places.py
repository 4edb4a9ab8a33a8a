"""Where journals lie: beside the disk, under the disk's name. None of the names ends in ``.lok``."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from vdiskkit.errors import CorruptStructureError, SourceError
from vdiskkit.io.paths import open_source
from vdiskkit.journal.format import BODY_LIMIT, BODY_OFFSET, Journal, JournalState, parse_journal
from vdiskkit.naming import JOURNAL_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdiskkit.io import ByteSource

__all__ = ["JOURNAL_SUFFIX", "journal_path", "next_undo_path", "read_journal", "read_pending", "undo_paths"]

_UNDO = ".vdiskkit-undo-"


def journal_path(disk_path: str) -> str:
    """Return the path of the journal of a change to ``disk_path`` that is under way."""
    return disk_path + JOURNAL_SUFFIX


def undo_paths(disk_path: str, list_names: Callable[[str], list[str]] = os.listdir) -> list[str]:
    """Return the journals that are kept to take changes back, the oldest first.

    Args:
        disk_path: The disk.
        list_names: Lists the names in a folder.
    """
    try:
        return [path for _, path in _kept(disk_path, list_names)]
    except OSError:
        return []


def next_undo_path(disk_path: str, list_names: Callable[[str], list[str]] = os.listdir) -> str:
    """Return the path under which the next committed journal is kept; see :func:`undo_paths`.

    Raises:
        OSError: The folder cannot be listed, so nobody knows which names are taken.
    """
    kept = _kept(disk_path, list_names)
    return f"{disk_path}{_UNDO}{kept[-1][0] + 1 if kept else 1:04d}"


def _kept(disk_path: str, list_names: Callable[[str], list[str]]) -> list[tuple[int, str]]:
    folder, name = os.path.split(disk_path)
    pattern = re.compile(re.escape(name + _UNDO) + r"([0-9]{4,9})")
    matches = filter(None, map(pattern.fullmatch, list_names(folder or ".")))
    return sorted((int(match[1]), os.path.join(folder, match[0])) for match in matches)


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
    if source.size > BODY_OFFSET + BODY_LIMIT:
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
    if not os.path.exists(path):
        return None
    try:
        journal = read_journal(path)
    except SourceError:
        if os.path.exists(path):
            raise
        return None  # the change has ended in this very moment
    return journal if journal is not None and journal.state is not JournalState.COMMITTED else None

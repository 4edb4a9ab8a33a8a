"""Where journals lie: beside the disk, under the disk's name. None of the names ends in ``.lok``."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from vdiskkit.errors import CorruptStructureError
from vdiskkit.io.paths import open_source
from vdiskkit.journal.format import BODY_LIMIT, BODY_OFFSET, Journal, JournalState, parse_journal
from vdiskkit.naming import JOURNAL_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdiskkit.io import ByteSource

__all__ = ["JOURNAL_SUFFIX", "journal_path", "next_undo_path", "read_journal", "read_pending", "undo_paths"]

_UNDO = ".vdiskkit-undo-"
_UNDO_LIMIT = 9999


def journal_path(disk_path: str) -> str:
    """Return the path of the journal of a change to ``disk_path`` that is under way."""
    return disk_path + JOURNAL_SUFFIX


def undo_paths(disk_path: str, list_names: Callable[[str], list[str]] = os.listdir) -> list[str]:
    """Return the journals that are kept to take changes back, the oldest first.

    Args:
        disk_path: The disk.
        list_names: Lists the names in a folder.
    """
    folder, name = os.path.split(disk_path)
    pattern = re.compile(re.escape(name + _UNDO) + r"([0-9]{4})")
    try:
        names = sorted(entry for entry in list_names(folder or ".") if pattern.fullmatch(entry))
    except OSError:
        return []
    return [os.path.join(folder, entry) for entry in names]


def next_undo_path(disk_path: str, list_names: Callable[[str], list[str]] = os.listdir) -> str:
    """Return the path under which the next committed journal is kept; see :func:`undo_paths`."""
    kept = undo_paths(disk_path, list_names)
    number = int(kept[-1][-4:]) + 1 if kept else 1
    return f"{disk_path}{_UNDO}{min(number, _UNDO_LIMIT):04d}"


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
    journal = read_journal(path)
    return journal if journal is not None and journal.state is not JournalState.COMMITTED else None

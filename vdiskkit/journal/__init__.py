"""The change journal beside a disk: its format, where it lies, and the old state that it still holds.

Nothing here writes to a disk; :mod:`vdiskkit.patch` makes, applies and takes back journals.
"""

from vdiskkit.journal.format import (
    Journal,
    JournalFile,
    JournalState,
    Record,
    Watch,
    build_body,
    build_state,
    digest,
    parse_journal,
    sector_digests,
)
from vdiskkit.journal.places import (
    JOURNAL_SUFFIX,
    journal_path,
    next_undo_path,
    read_journal,
    read_pending,
    undo_paths,
)
from vdiskkit.journal.view import OldStateView

__all__ = [
    "JOURNAL_SUFFIX",
    "Journal",
    "JournalFile",
    "JournalState",
    "OldStateView",
    "Record",
    "Watch",
    "build_body",
    "build_state",
    "digest",
    "journal_path",
    "next_undo_path",
    "parse_journal",
    "read_journal",
    "read_pending",
    "sector_digests",
    "undo_paths",
]

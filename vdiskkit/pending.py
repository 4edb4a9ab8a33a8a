"""Reading while a change is pending: an interrupted change shows its old state, and says so.

A journal is laid over a disk only when recovery would restore that very state. A disk that was replaced or used since
the change is shown as it is.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import ChangedSinceError, FormatError, SourceError
from vdiskkit.io.paths import HOST_PATHS, is_there, open_source
from vdiskkit.naming import JOURNAL_SUFFIX

if TYPE_CHECKING:
    from vdiskkit.io import ByteSource
    from vdiskkit.journal import Journal
    from vdiskkit.pvp import Pvp

__all__ = ["OldState", "old_state", "pvp_state", "read_old_pvp"]

_OLD = "a change of this disk was interrupted; shown is the state before it. `recover` brings that state back"
_FOREIGN = (
    "the journal of an interrupted change beside this disk does not belong to its present state, so the disk is shown "
    "as it is: {why}. If this state is wanted, move the journal away; else restore a copy"
)
_UNREADABLE = "an interrupted change cannot be looked through: {why}"


class OldState(NamedTuple):
    """A file as it was before a pending change, and what to tell about that."""

    source: ByteSource
    notices: tuple[str, ...]


def old_state(path: str, source: ByteSource) -> OldState:
    """Return the state of a disk file before a pending change, the file itself when none is pending.

    Raises:
        SourceError: Whether a change is pending cannot be read.
    """
    try:
        journal, notices = _pending(path, source)
    except FormatError as exc:
        return OldState(source, (_UNREADABLE.format(why=exc),))
    if journal is None:
        return OldState(source, notices)
    from vdiskkit.journal import OldStateView

    return OldState(OldStateView(source, journal), notices)


def read_old_pvp(disk_path: str, pvp_path: str) -> Pvp | None:
    """Return the side-car as it was before a pending change; None when the change does not concern it.

    Raises:
        SourceError: Whether a change is pending, or the side-car, cannot be read.
        FormatError: The journal or the side-car is damaged.
    """
    return _old_pvp(disk_path, pvp_path)[0]


def pvp_state(disk_path: str, pvp_path: str) -> tuple[Pvp, tuple[str, ...]]:
    """Return the side-car before a pending change, the side-car itself when none is pending, and what to tell.

    Raises:
        SourceError: Whether a change is pending, or the side-car, cannot be read.
        FormatError: The side-car is damaged.
    """
    from vdiskkit.pvp import read_pvp

    try:
        pvp, notices = _old_pvp(disk_path, pvp_path)
    except FormatError as exc:
        pvp, notices = None, (_UNREADABLE.format(why=exc),)
    return pvp or read_pvp(pvp_path), notices


def _old_pvp(disk_path: str, pvp_path: str) -> tuple[Pvp | None, tuple[str, ...]]:
    if not disk_path or not is_there(disk_path + JOURNAL_SUFFIX):
        return None, ()
    from vdiskkit.journal import OldStateView
    from vdiskkit.location import Location
    from vdiskkit.pvp import Pvp

    with open_source(disk_path) as disk:
        journal, notices = _pending(disk_path, disk)
    fold = HOST_PATHS.normcase
    if journal is None or fold(HOST_PATHS.basename(pvp_path)) not in [fold(item.name) for item in journal.files[1:]]:
        return None, notices
    with open_source(pvp_path) as source:
        view = OldStateView(source, journal, 1)
        return Pvp.parse(view.read_at(0, view.size), location=Location(pvp_path)), notices


def _pending(path: str, source: ByteSource) -> tuple[Journal | None, tuple[str, ...]]:
    """Return the journal that may be laid over a disk and its side-car, if any, and what to tell."""
    if not is_there(path + JOURNAL_SUFFIX):
        return None, ()
    from vdiskkit.journal import read_pending

    journal = read_pending(path)
    if journal is None:
        return None, ()
    why = _foreign(path, journal, source)
    return (None, (_FOREIGN.format(why=why),)) if why else (journal, (_OLD,))


def _foreign(path: str, journal: Journal, source: ByteSource) -> str:
    """Say why a journal does not belong to a disk as it is; empty when recovery would take the change back."""
    from vdiskkit.container.same_disk import check_disk_id, check_length
    from vdiskkit.journal.checks import ReadOnly, check_old_or_new
    from vdiskkit.journal.places import paths_of

    try:
        paths = paths_of(path, journal)
        with ExitStack() as stack:
            sources = [source, *(stack.enter_context(open_source(beside)) for beside in paths[1:])]
            check_disk_id(journal, source)
            check_old_or_new(journal, [ReadOnly(item) for item in sources], paths)
            check_length(journal, source)
    except (ChangedSinceError, FormatError, SourceError) as exc:
        return f"{exc.message} ({exc.location})"
    except OSError as exc:
        return f"the folder cannot be listed ({exc.strerror or exc})"
    return ""

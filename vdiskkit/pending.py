"""Reading while a change is pending: an interrupted change shows its old state, and says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import FormatError
from vdiskkit.io.paths import HOST_PATHS, is_there, open_source
from vdiskkit.naming import JOURNAL_SUFFIX

if TYPE_CHECKING:
    from vdiskkit.io import ByteSource
    from vdiskkit.pvp import Pvp

__all__ = ["OldState", "old_state", "read_old_pvp"]


class OldState(NamedTuple):
    """A file as it was before a pending change, and what to tell about that."""

    source: ByteSource
    notices: tuple[str, ...]


def old_state(path: str, source: ByteSource) -> OldState:
    """Return the state of a disk file before a pending change, the file itself when none is pending."""
    if not is_there(path + JOURNAL_SUFFIX):
        return OldState(source, ())
    from vdiskkit.journal import OldStateView, read_pending

    try:
        journal = read_pending(path)
    except FormatError as exc:
        return OldState(source, (f"an interrupted change cannot be looked through: {exc}",))
    if journal is None:
        return OldState(source, ())
    told = "a change of this disk was interrupted; shown is the state before it. `recover` brings that state back"
    return OldState(OldStateView(source, journal), (told,))


def read_old_pvp(disk_path: str, pvp_path: str) -> Pvp | None:
    """Return the side-car as it was before a pending change; None when the change does not concern it."""
    if not disk_path or not is_there(disk_path + JOURNAL_SUFFIX):
        return None
    from vdiskkit.journal import OldStateView, read_pending
    from vdiskkit.location import Location
    from vdiskkit.pvp import Pvp

    journal = read_pending(disk_path)
    fold = HOST_PATHS.normcase
    names = [fold(entry.name) for entry in journal.files] if journal is not None else []
    name = fold(HOST_PATHS.basename(pvp_path))
    if journal is None or name not in names:
        return None
    with open_source(pvp_path) as source:
        view = OldStateView(source, journal, names.index(name))
        return Pvp.parse(view.read_at(0, view.size), location=Location(pvp_path))

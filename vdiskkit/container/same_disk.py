"""Whether a disk is the one that a journal was made for, by the id that every change leaves as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.container.identity import read_disk_id
from vdiskkit.errors import ChangedSinceError, FormatError
from vdiskkit.io.source import check_range
from vdiskkit.journal import JournalState, OldStateView
from vdiskkit.location import Location

if TYPE_CHECKING:
    from vdiskkit.io import ByteSource
    from vdiskkit.journal import Journal
    from vdiskkit.journal.checks import Content

__all__ = ["ContentSource", "check_disk_id"]


class ContentSource:
    """A file that is open for writing, as a source."""

    def __init__(self, file: Content, path: str) -> None:
        self._file = file
        self._location = Location(path)

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self._file.size()

    @property
    def location(self) -> Location:
        """The address of byte 0."""
        return self._location

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes; see :class:`~vdiskkit.io.source.ByteSource`."""
        check_range(self, offset, length)
        return self._file.read_at(offset, length)


def check_disk_id(journal: Journal, disk: ByteSource) -> None:
    """Raise when a disk has another id than the one that a journal names.

    A disk whose id cannot be read is left to the checks of its sectors, and so is one that the journal names no id of.

    Raises:
        ChangedSinceError: It is another disk.
        OSError: It cannot be read.
    """
    wanted = journal.about.get("disk_id")
    if not isinstance(wanted, str):
        return
    try:
        # Half-way through a change only the old state is whole.
        found = read_disk_id(disk if journal.state is JournalState.COMMITTED else OldStateView(disk, journal))
    except FormatError:
        return
    if found is not None and found != wanted:
        raise ChangedSinceError(
            f"this is another disk than the one that was changed: its id is {found}, not {wanted[:64]}",
            location=disk.location,
            hint="nothing was touched; the journals beside this disk belong to another one, move them there",
        )

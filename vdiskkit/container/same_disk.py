"""Whether a disk is the one that a journal was made for, by the id that every change leaves as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.container.detect import Probe, choose_format
from vdiskkit.container.identity import read_disk_id
from vdiskkit.container.single import open_single
from vdiskkit.errors import ChangedSinceError, CorruptStructureError, FormatError
from vdiskkit.io.source import check_range
from vdiskkit.journal import JournalState, OldStateView
from vdiskkit.location import Location

if TYPE_CHECKING:
    from vdiskkit.io import ByteSource
    from vdiskkit.journal import Journal
    from vdiskkit.journal.checks import Content

__all__ = ["ContentSource", "check_disk_id", "check_length"]

_DAMAGE = ("vhd.footer_damaged", "vhd.copy_damaged", "vhd.copy_missing", "vhd.copy_differs")
"""Notices of disks that are never changed, so that no journal leads back to such a one."""

_NOT_OURS = "nothing was touched; move the journals beside this disk away, vdiskkit did not write them for it"


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


def check_length(journal: Journal, disk: ByteSource) -> None:
    """Raise when a journal would cut or lengthen a disk file to what is no whole disk, or its side-car at all.

    Everything else that it leads back to is held against what the files hold. A length is its own word.

    Raises:
        CorruptStructureError: The state before the change would be none in which a disk is changed.
        OSError: It cannot be read.
    """
    entry = journal.files[0]
    if any(beside.old_size != beside.new_size for beside in journal.files[1:]):
        raise CorruptStructureError(
            "the journal changes the length of the side-car, which no change does",
            location=disk.location,
            hint=_NOT_OURS,
        )
    if entry.old_size == entry.new_size:
        return
    why = "a raw image never changes its length"
    view = OldStateView(disk, journal)
    try:
        probe = Probe.of(view)
        if choose_format(probe, str(disk.location), None) != "raw":
            found = open_single(probe, None)
            why = next((notice.message for notice in found.own_notices if notice.code in _DAMAGE), "")
    except FormatError as exc:
        why = exc.message
    if why:
        raise CorruptStructureError(
            f"the journal leads from {entry.new_size} bytes to {entry.old_size}, and that is no whole disk: {why}",
            location=disk.location,
            hint=_NOT_OURS,
        )

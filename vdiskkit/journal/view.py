"""The old state of a file while a change to it is pending: the file with the journal's bytes over it."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from vdiskkit.io.source import check_range
from vdiskkit.journal.versions import first_versions

if TYPE_CHECKING:
    from vdiskkit.io import ByteSource
    from vdiskkit.journal.format import Journal
    from vdiskkit.location import Location

__all__ = ["OldStateView"]


class OldStateView:
    """A file as it was before a pending change.

    Args:
        source: The file as it is now, anywhere between old and new.
        journal: The journal of the change.
        file: Index of the file in the journal.
    """

    def __init__(self, source: ByteSource, journal: Journal, file: int = 0) -> None:
        self._source = source
        self._size = journal.files[file].old_size
        self._records = sorted(
            (record.offset, record.before)
            for record in first_versions([record for record in journal.records if record.file == file])
            if record.before
        )
        self._offsets = [offset for offset, _ in self._records]

    @property
    def size(self) -> int:
        """Length before the change in bytes."""
        return self._size

    @property
    def location(self) -> Location:
        """The address of byte 0."""
        return self._source.location

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes as they were; see :class:`~vdiskkit.io.source.ByteSource`."""
        check_range(self, offset, length)
        inside = max(min(length, self._source.size - offset), 0)
        data = bytearray(self._source.read_at(offset, inside) if inside else b"")
        data += bytes(length - inside)
        for at, before in self._records[max(bisect_right(self._offsets, offset) - 1, 0) :]:
            if at >= offset + length:
                break
            low, high = max(at, offset), min(at + len(before), offset + length)
            if low < high:
                data[low - offset : high - offset] = before[low - at : high - at]
        return bytes(data)

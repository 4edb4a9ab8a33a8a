"""Changing files on an NTFS volume."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import FileMissingError
from vdiskkit.ntfs import NtfsVolume
from vdiskkit.ntfs.record import DATA
from vdiskkit.patch.ntfs.content import AttributeContent
from vdiskkit.patch.ntfs.deletion import DeletedFile, Deletion
from vdiskkit.patch.ntfs.records import FileRecords, RecordStore
from vdiskkit.patch.ntfs.space import ClusterSpace
from vdiskkit.patch.ntfs.stream import WritableFile, check_writable
from vdiskkit.patch.ntfs.times import filetime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from vdiskkit.patch.staging import WritableSource

__all__ = ["Touched", "VolumeEditor"]


class Touched(NamedTuple):
    """What was changed so far, for a check of just that.

    Attributes:
        files: Base records of files and directories whose records or indexes were changed and are still in use.
        freed_records: Records that were freed.
        freed_extents: (offset, length) in bytes of the volume that were freed and not taken again.
    """

    files: frozenset[int]
    freed_records: frozenset[int]
    freed_extents: tuple[tuple[int, int], ...]


class VolumeEditor:
    """Overwrites, grows and deletes files on one volume.

    Every method reads and checks what it needs before it writes. When one raises all the same, what it has staged until
    then is to be thrown away with the stage.

    Attributes:
        store: The MFT records.
        space: The clusters.
        now: The time for directories and grown files, as FILETIME, None to leave times alone.

    Args:
        source: The volume, byte 0 being its boot sector.
        prefer: Tells whether a range of the volume (offset, length in bytes) is a good place for new clusters.
        now: The time of the change, as datetime or FILETIME.

    Raises:
        FormatError: This is no NTFS volume, or its $MFT or $Bitmap is damaged.
        WriteRefusedError: $MFTMirr or $Bitmap is not as it must be.
    """

    def __init__(
        self,
        source: WritableSource,
        prefer: Callable[[int, int], bool] | None = None,
        now: datetime | int | None = None,
    ) -> None:
        self._source = source
        self.now = None if now is None else filetime(now)
        self._volume: NtfsVolume | None = None
        self._collation = NtfsVolume(source).collation
        self.store = RecordStore(self.volume, source)
        self.space = ClusterSpace(self.store, prefer)
        self._files: set[int] = set()
        self._freed: set[int] = set()
        self._extents: list[tuple[int, int]] = []

    @property
    def volume(self) -> NtfsVolume:
        """A reader that sees every change so far."""
        if self._volume is None:
            self._volume = NtfsVolume(self._source)
            self._volume.collation = self._collation
        return self._volume

    @property
    def touched(self) -> Touched:
        """What was changed so far."""
        return Touched(
            frozenset(self._files - self._freed),
            frozenset(self._freed),
            tuple(self._extents),
        )

    def open_stream(self, path: str) -> WritableFile:
        r"""Open the content of a file, or ``file:stream``, for overwriting and growing.

        Raises:
            FileMissingError: There is no such file or stream, or it is a directory.
            WriteRefusedError: Encrypted, compressed, a reparse point, or a file of NTFS itself.
            CorruptStructureError: What belongs to it is damaged.
        """
        file = self.volume.lookup(path)
        stream = next((one.name for one in file.streams() if self._same(one.name, file.stream)), None)
        content = None
        if stream is not None:
            content = AttributeContent.of(self.store, FileRecords(self.store, file.record_number), DATA, stream)
        if content is None or stream is None:
            kind = "is a directory, not a file" if file.is_directory and not file.stream else "has no content"
            raise FileMissingError(f"{file.path} {kind}", location=file.location)
        check_writable(file, content)
        return WritableFile(self, file, stream)

    def delete_file(self, path: str, *, all_links: bool = True) -> DeletedFile:
        """Delete a file with everything that belongs to it.

        Args:
            path: The file. A link at its end is deleted itself, not what it leads to.
            all_links: Delete all its hard links; False takes away only the named one, and the file with the last one.

        Raises:
            FileMissingError: There is no such file.
            WriteRefusedError: A directory, a file of NTFS itself, or a deletion that is not provably safe.
            CorruptStructureError: What belongs to it is damaged.
        """
        deletion = Deletion(self.volume, self.store, self.space, path, all_links=all_links, now=self.now)
        result = deletion.run()
        self._freed.update(result.records)
        self._extents += result.extents
        if result.record not in result.records:
            self._files.add(result.record)
        self.changed(*result.directories)
        return result

    def taken(self, extents: Iterable[tuple[int, int]]) -> None:
        """Note clusters, as (offset, length) in bytes, that were taken; they may have been freed before."""
        taken = sorted(extents)
        if not taken:
            return
        left = []
        at = 0
        for first, size in sorted(self._extents):
            start, end = first, first + size
            while at < len(taken) and sum(taken[at]) <= start:
                at += 1
            following = at
            while following < len(taken) and taken[following][0] < end:
                offset, length = taken[following]
                if offset > start:
                    left.append((start, offset - start))
                start = max(start, offset + length)
                following += 1
            if start < end:
                left.append((start, end - start))
        self._extents = left

    def gave_back(self, extents: Iterable[tuple[int, int]]) -> None:
        """Note clusters, as (offset, length) in bytes, that were freed."""
        self._extents += extents

    def changed(self, *numbers: int) -> None:
        """Note records that were changed; readers made before do not see it."""
        self._files.update(numbers)
        self._volume = None

    def _same(self, name: str, wanted: str) -> bool:
        return name == wanted or bool(name and wanted and self._collation.equal(name, wanted))

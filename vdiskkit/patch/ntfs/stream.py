"""A data stream of a file, open for overwriting and for growing."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import CorruptStructureError, FileMissingError, WriteRefusedError
from vdiskkit.ntfs.attributes import WOF
from vdiskkit.ntfs.record import COMPRESSION_MASK, DATA, ENCRYPTED
from vdiskkit.patch.ntfs.content import AttributeContent
from vdiskkit.patch.ntfs.growth import grow, write_initialized
from vdiskkit.patch.ntfs.names import Trees, check_entries, refresh_sizes
from vdiskkit.patch.ntfs.records import FileRecords
from vdiskkit.patch.ntfs.times import stamp

if TYPE_CHECKING:
    from vdiskkit.location import Location
    from vdiskkit.ntfs import NtfsFile
    from vdiskkit.patch.ntfs.editor import VolumeEditor
    from vdiskkit.patch.staging import Phase

__all__ = ["GrownFile", "WritableFile", "check_writable"]

_FIRST_USER_RECORD = 24
_LZNT1 = 1


class GrownFile(NamedTuple):
    """What growing a stream did.

    Attributes:
        path: The file, with its stream.
        old_size: Bytes before.
        size: Bytes now.
        allocated_size: Bytes of clusters now.
        taken: (offset, length) in bytes of the volume of the clusters that were added.
        names: Names whose copy of the sizes was renewed.
        cases: Which cases of the index surgery ran; sizes are renewed in place, so there is normally none.
        records: Extension records that were added, because the runlist had no room in those that there were.
    """

    path: str
    old_size: int
    size: int
    allocated_size: int
    taken: tuple[tuple[int, int], ...]
    names: tuple[str, ...]
    cases: dict[str, int]
    records: tuple[int, ...]


class WritableFile:
    """A stream as a :class:`~vdiskkit.patch.staging.WritableSource`; made by ``VolumeEditor.open_stream``.

    It is overwritten in place. Writing behind the initialized size fills what was never written with zeros first.

    Attributes:
        path: The file, as it was found.
    """

    def __init__(self, editor: VolumeEditor, file: NtfsFile, stream: str) -> None:
        self._editor = editor
        self.path = file.path
        self._stream = stream
        self._number = file.record_number
        self._location = file.location.at("stream", stream) if stream else file.location
        self._content = self._load()

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self._content.size

    @property
    def allocated_size(self) -> int:
        """Bytes of clusters; up to here it grows without taking new ones. The size itself for a resident stream."""
        return self._content.size if self._content.resident else self._content.allocated

    @property
    def location(self) -> Location:
        """The address of byte 0."""
        return self._location

    def extents(self) -> list[tuple[int, int]]:
        """Return (offset, length) in bytes of the volume of the stream's clusters, in the order of the stream."""
        size = self._editor.store.boot.cluster_size
        return [(run.lcn * size, run.clusters * size) for run in self._content.runs if run.lcn is not None]

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``, written ones included."""
        self._check(offset, length)
        written = min(length, max(self._content.attribute.initialized_size - offset, 0))
        return self._content.read(offset, written) + bytes(length - written)

    def write_at(self, offset: int, data: bytes, phase: Phase) -> None:
        """Stage ``data`` at ``offset``.

        Raises:
            CorruptStructureError: The range reaches outside the stream.
            WriteRefusedError: Part of the range is a hole of a sparse file.
        """
        self._check(offset, len(data))
        end = offset + len(data)
        initialized = self._content.attribute.initialized_size
        start = min(offset, initialized)
        if self._content.has_hole(start, end - start):
            raise WriteRefusedError(
                f"{self.path} is sparse and has no clusters for {len(data)} bytes at {offset:#x}",
                location=self._location,
                hint="write the file inside Windows",
            )
        if end > initialized and data:
            write_initialized(self._editor.store, self._number, DATA, self._stream, end)
            self._editor.changed(self._number)
            self._content = self._load()
        self._content.write(offset, bytes(data), phase)
        if self._content.resident:
            self._editor.changed(self._number)

    def grow(self, size: int) -> GrownFile:
        """Make the stream longer; the new part is zeros, all of it counts as written.

        Clusters that it has already are used first. New ones lie right behind the last one where they can, and the
        sizes in every $FILE_NAME and in the indexes of the directories follow. A runlist that no longer fits its MFT
        record goes on in free ones, told by an attribute list.

        Raises:
            WriteRefusedError: The stream is smaller afterwards, sparse, compressed or encrypted; the volume is full;
                or the longer runlist does not fit its MFT record, and no other one is free.
            CorruptStructureError: What belongs to the file is damaged.
        """
        editor = self._editor
        old_size = self.size
        trees = Trees(editor.store, editor.space, editor.volume.collation)
        if not self._stream:  # a name without its entry must be found before anything is written
            check_entries(editor.store, trees, FileRecords(editor.store, self._number))
        path = f"{self.path}:{self._stream}" if self._stream else self.path
        result = grow(editor.store, editor.space, self._number, DATA, self._stream, size, what=path)
        names: tuple[str, ...] = ()
        cases: dict[str, int] = {}
        if not self._stream:
            records = FileRecords(editor.store, self._number)
            allocated = result.allocated_size or (size + 7) & ~7
            names = refresh_sizes(editor.store, trees, records, allocated, size)
            cases = trees.flush()
        if editor.now is not None:
            stamp(editor.store, self._number, editor.now)
        editor.taken(result.taken)
        editor.gave_back(result.freed)
        editor.changed(self._number, *trees.directories)
        self._content = self._load()
        return GrownFile(path, old_size, size, result.allocated_size, result.taken, names, cases, result.records)

    def _load(self) -> AttributeContent:
        store = self._editor.store
        content = AttributeContent.of(store, FileRecords(store, self._number), DATA, self._stream)
        if content is None:
            raise FileMissingError(f"{self.path} has no content", location=self._location)
        return content

    def _check(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise CorruptStructureError(
                f"a write or read reaches outside: {length} bytes at {offset:#x} of {self.size:#x}",
                location=self._location,
            )


def check_writable(file: NtfsFile, content: AttributeContent) -> None:
    """Refuse what cannot be overwritten in place, by name.

    Raises:
        WriteRefusedError: Encrypted, compressed, reparse point, or a file of NTFS itself.
    """
    where = file.location
    if file.record_number < _FIRST_USER_RECORD:
        raise WriteRefusedError(f"{file.path} is part of NTFS itself", location=where)
    flags = content.attribute.flags
    if flags & ENCRYPTED:
        raise WriteRefusedError(
            f"{file.path} is encrypted (EFS)", location=where, hint="change it inside Windows, as its owner"
        )
    method = flags & COMPRESSION_MASK
    if method:
        name = "NTFS (LZNT1)" if method == _LZNT1 else f"unknown method {method}"
        raise WriteRefusedError(
            f"{file.path} is compressed by {name}", location=where, hint="uncompress it inside Windows: compact /u"
        )
    reparse = file.reparse
    if reparse is None:
        return
    if reparse.tag == WOF:
        raise WriteRefusedError(
            f"{file.path} is compressed by the Windows Overlay Filter (WOF)",
            location=where,
            hint="uncompress it inside Windows: compact /u /exe",
        )
    raise WriteRefusedError(f"{file.path} is a reparse point: {reparse.tag_name}", location=where)

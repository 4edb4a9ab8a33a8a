"""Files and directories of a volume."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import CorruptStructureError, FileMissingError, UnsupportedFeatureError
from vdiskkit.ntfs.attributes import (
    MAX_REPARSE_DATA,
    MOUNT_POINT,
    SYMLINK,
    WOF,
    FileName,
    ReparsePoint,
    StandardInformation,
    parse_file_name,
    parse_reparse_point,
    parse_standard_information,
    time_from_filetime,
)
from vdiskkit.ntfs.record import (
    COMPRESSION_MASK,
    DATA,
    ENCRYPTED,
    FILE_NAME,
    REPARSE_POINT,
    SPARSE,
    STANDARD_INFORMATION,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from vdiskkit.location import Location
    from vdiskkit.ntfs.attributes import FileName
    from vdiskkit.ntfs.facts import FileFacts
    from vdiskkit.ntfs.index import IndexEntry
    from vdiskkit.ntfs.record import Attribute, FileReference, MftRecord
    from vdiskkit.ntfs.streams import AttributeSource
    from vdiskkit.ntfs.volume import NtfsVolume

__all__ = ["DirectoryEntry", "NtfsFile", "StreamInfo"]

DOS_NAMESPACE = 2
LZNT1 = 1
_DIRECTORY_ATTRIBUTE = 0x10000000
# FILE_ATTRIBUTE_OFFLINE, _RECALL_ON_OPEN, _RECALL_ON_DATA_ACCESS: the content is somewhere else.
_AWAY_ATTRIBUTES = 0x1000 | 0x40000 | 0x400000


class StreamInfo(NamedTuple):
    """A data stream: its name (empty for the content itself), sizes in bytes, and how it is stored."""

    name: str
    size: int
    allocated_size: int
    storage: tuple[str, ...]


class DirectoryEntry:
    """One file in a directory, under its long name. Sizes and times are the directory's copies.

    NTFS renews these copies late, and not at all for the other hard links of a file; :meth:`open` gives the file with
    its true ones.

    Attributes:
        name: Long name.
        short_name: DOS 8.3 name, None without one.
        reference: Record and sequence number of the file.
        path: Path below the root of the volume.
    """

    __slots__ = ("_key", "_volume", "name", "path", "reference", "short_name")

    def __init__(self, volume: NtfsVolume, entry: IndexEntry, short_name: str | None, path: str) -> None:
        self._volume = volume
        self._key: FileName = entry.key
        self.reference: FileReference = entry.reference
        self.name = entry.key.name
        self.short_name = short_name
        self.path = path

    def __repr__(self) -> str:
        return f"<DirectoryEntry {self.path!r}>"

    @property
    def record_number(self) -> int:
        """Number of the file's MFT record."""
        return self.reference.number

    @property
    def is_directory(self) -> bool:
        """Whether this is a directory."""
        return bool(self._key.attributes & _DIRECTORY_ATTRIBUTE)

    @property
    def size(self) -> int:
        """Bytes in the content, as the directory remembers it."""
        return self._key.size

    @property
    def allocated_size(self) -> int:
        """Bytes of clusters, as the directory remembers it."""
        return self._key.allocated_size

    @property
    def attributes(self) -> int:
        """File attributes (FILE_ATTRIBUTE_*), as the directory remembers them."""
        return self._key.attributes

    @property
    def created(self) -> datetime | None:
        """Creation time, UTC, None when it is not a time."""
        return time_from_filetime(self._key.created)

    @property
    def modified(self) -> datetime | None:
        """Last write, UTC, None when it is not a time."""
        return time_from_filetime(self._key.modified)

    def open(self) -> NtfsFile:
        """Return the file itself.

        Raises:
            CorruptStructureError: The name leads to a deleted or reused record.
        """
        return self._volume.file(self.reference, self.path, self._key)


class NtfsFile:
    """A file or directory, found and checked.

    Attributes:
        name: Its name in the directory where it was found.
        path: Path below the root of the volume, links resolved, without drive.
        stream: The data stream that was asked for, empty for the content itself.
        record_number: Number of its base record in $MFT.
        sequence_number: Sequence number of that record.
        is_directory: Whether it is a directory.
        location: Its address.
    """

    __slots__ = (
        "_record",
        "_reparse",
        "_standard",
        "_volume",
        "is_directory",
        "location",
        "name",
        "path",
        "record_number",
        "sequence_number",
        "stream",
    )

    def __init__(self, volume: NtfsVolume, record: MftRecord, path: str, stream: str, location: Location) -> None:
        self._volume = volume
        self._record = record
        self.path = path
        self.name = path.rpartition("\\")[2] or path
        self.stream = stream
        self.record_number = record.number
        self.sequence_number = record.sequence
        self.is_directory = record.is_directory
        self.location = location
        self._standard: StandardInformation | None = None
        self._reparse: ReparsePoint | bool | None = False

    def __repr__(self) -> str:
        return f"<NtfsFile {self.path!r} record {self.record_number}>"

    # -- times and attributes -----------------------------------------------------------------------------------

    @property
    def standard_information(self) -> StandardInformation:
        """Times as FILETIME and file attributes, exactly as stored.

        Raises:
            CorruptStructureError: The file has none.
        """
        if self._standard is None:
            attribute = next(self._volume.mft.attributes(self._record, STANDARD_INFORMATION, ""), None)
            if attribute is None or not attribute.resident:
                raise CorruptStructureError("the file has no $STANDARD_INFORMATION", location=self.location)
            self._standard = parse_standard_information(attribute.value, self.location)
        return self._standard

    @property
    def attributes(self) -> int:
        """File attributes (FILE_ATTRIBUTE_*)."""
        return self.standard_information.attributes

    @property
    def created(self) -> datetime | None:
        """Creation time, UTC, None when it is not a time."""
        return time_from_filetime(self.standard_information.created)

    @property
    def modified(self) -> datetime | None:
        """Last write to the content, UTC, None when it is not a time."""
        return time_from_filetime(self.standard_information.modified)

    @property
    def changed(self) -> datetime | None:
        """Last change of the MFT record, UTC, None when it is not a time."""
        return time_from_filetime(self.standard_information.changed)

    @property
    def accessed(self) -> datetime | None:
        """Last access, UTC, None when it is not a time; Windows renews it rarely."""
        return time_from_filetime(self.standard_information.accessed)

    # -- content ------------------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Bytes in the stream that was asked for; 0 for a directory."""
        attribute = self._first_part(self.stream)
        return attribute.data_size if attribute else 0

    @property
    def allocated_size(self) -> int:
        """Bytes of clusters that the stream takes on disk; 0 when it lies in the MFT record."""
        attribute = self._first_part(self.stream)
        return attribute.compressed_size if attribute else 0

    @property
    def storage(self) -> tuple[str, ...]:
        """How the stream is stored: ``resident``, ``sparse``, ``compressed``, ``encrypted``, ``wof``, ``reparse``."""
        attribute = self._first_part(self.stream)
        notes = _storage(attribute) if attribute else ()
        reparse = self.reparse
        if reparse is not None:
            notes += ("wof",) if reparse.tag == WOF else ("reparse",)
        return notes

    @property
    def reparse(self) -> ReparsePoint | None:
        """The reparse point, None when the file is none.

        Raises:
            CorruptStructureError: It is damaged.
        """
        if self._reparse is False:
            source = self._volume.mft.open(self._record, REPARSE_POINT, "", self.location)
            if source is None:
                self._reparse = None
            elif source.size > MAX_REPARSE_DATA:
                raise CorruptStructureError(
                    f"a reparse point of {source.size} bytes is impossible", location=self.location
                )
            else:
                self._reparse = parse_reparse_point(source.read_at(0, source.size), self.location)
        return self._reparse if isinstance(self._reparse, ReparsePoint) else None

    @property
    def is_link(self) -> bool:
        """Whether this is a symbolic link, junction or mount point."""
        reparse = self.reparse
        return reparse is not None and reparse.tag in (SYMLINK, MOUNT_POINT)

    def streams(self) -> tuple[StreamInfo, ...]:
        """Return the data streams, the content itself (empty name) first where there is one."""
        found = [
            StreamInfo(part.name, part.data_size, part.compressed_size, _storage(part)) for part in self._first_parts()
        ]
        return tuple(sorted(found, key=lambda stream: stream.name))

    def has_stream(self, stream: str) -> bool:
        """Whether the file has a data stream of that name, whatever its case; empty for the content itself."""
        return self._first_part(stream) is not None

    def open(self, stream: str | None = None) -> AttributeSource:
        """Open a data stream for reading.

        Args:
            stream: Name of the stream, empty for the content itself; None for the one that was looked up.

        Returns:
            A byte source of exactly the stream's size; what was never written reads as zeros, as in Windows. Its
            ``runs()`` tell where the clusters lie.

        Raises:
            FileMissingError: There is no such stream, or this is a directory.
            UnsupportedFeatureError: The content is encrypted (EFS), WOF-compressed, deduplicated or in a cloud.
            CorruptStructureError: The runlist or the sizes are wrong.
        """
        stream = self.stream if stream is None else stream
        attribute = self._first_part(stream)
        if attribute is None:
            if self.is_directory and not stream:
                raise FileMissingError(
                    f"{self.path} is a directory, not a file", location=self.location, hint="name a file in it"
                )
            raise FileMissingError(
                f"{self.path} has no stream {stream!r}" if stream else f"{self.path} has no content",
                location=self.location,
            )
        self._refuse_unreadable(attribute, stream)
        where = self.location.at("stream", attribute.name) if attribute.name else self.location
        try:
            source = self._volume.mft.open(self._record, DATA, attribute.name, where)
        except CorruptStructureError as fault:
            self._volume.met(fault)
            raise
        if source is None:  # it was there a moment ago
            raise FileMissingError(f"{self.path} has no content", location=self.location)
        return source

    def extent_count(self, stream: str = "") -> int | None:
        """Return how many pieces a stream lies in, holes not counted; None when its runlist is damaged."""
        try:
            found = self._volume.mft.runs(self._record, DATA, stream)
        except CorruptStructureError:
            return None
        return sum(run.lcn is not None for run in found[1]) if found else 0

    def names(self) -> tuple[FileName, ...]:
        """Return all names: hard links and their DOS names."""
        return tuple(
            parse_file_name(attribute.value, self.location)
            for attribute in self._volume.mft.attributes(self._record, FILE_NAME)
        )

    def facts(self) -> FileFacts:
        """Return everything known about the file; see :class:`~vdiskkit.ntfs.facts.FileFacts`."""
        from vdiskkit.ntfs.facts import file_facts

        return file_facts(self, self._volume)

    def _first_part(self, stream: str) -> Attribute | None:
        equal = self._volume.collation.equal
        for attribute in self._first_parts():
            if attribute.name == stream or (stream and attribute.name and equal(attribute.name, stream)):
                return attribute
        return None

    def _first_parts(self) -> Iterator[Attribute]:
        for attribute in self._volume.mft.attributes(self._record, DATA, first_parts=True):
            if attribute.resident or attribute.lowest_vcn == 0:
                yield attribute

    def _refuse_unreadable(self, attribute: Attribute, stream: str) -> None:
        if attribute.flags & ENCRYPTED:
            raise UnsupportedFeatureError(
                f"{self.path} is encrypted (EFS)", location=self.location, hint="read it inside Windows, as its owner"
            )
        method = attribute.flags & COMPRESSION_MASK
        if method not in (0, LZNT1):
            raise UnsupportedFeatureError(
                f"{self.path} is compressed by unknown method {method}", location=self.location
            )
        reparse = None if stream else self.reparse
        if reparse is None:
            return
        if reparse.tag == WOF:
            detail = f", {reparse.detail}" if reparse.detail else ""
            raise UnsupportedFeatureError(
                f"{self.path} is compressed by the Windows Overlay Filter (WOF{detail})",
                location=self.location,
                hint="uncompress it inside Windows: compact /u /exe",
            )
        if reparse.tag in (SYMLINK, MOUNT_POINT):
            raise UnsupportedFeatureError(f"{self.path} is a link to {reparse.target}", location=self.location)
        # A cloud file that is present on this disk keeps its tag, but is neither sparse nor marked as away.
        if reparse.is_cloud and not attribute.flags & SPARSE and not self.attributes & _AWAY_ATTRIBUTES:
            return
        raise UnsupportedFeatureError(
            f"the content of {self.path} is not in the file itself: {reparse.tag_name}", location=self.location
        )


def _storage(attribute: Attribute) -> tuple[str, ...]:
    flags = attribute.flags
    notes = (
        ("resident", attribute.resident),
        ("sparse", flags & SPARSE),
        ("compressed", flags & COMPRESSION_MASK),
        ("encrypted", flags & ENCRYPTED),
    )
    return tuple(note for note, given in notes if given)

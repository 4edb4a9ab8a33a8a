"""Whether files are in a state that a journal leads through: as before the change, as after it, or on the way between.

Readers ask it before they lay a journal over a disk, recovery and undo before they write. Otherwise the disk was used
since, and its old bytes belong to no state of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from vdiskkit.errors import ChangedSinceError
from vdiskkit.journal.format import SECTOR, digest
from vdiskkit.journal.versions import first_versions, last_versions, versions
from vdiskkit.location import Location

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vdiskkit.io import ByteSource
    from vdiskkit.journal.format import Journal, Record, Watch

__all__ = ["Content", "ReadOnly", "check_all_new", "check_old_or_new", "digest_of", "is_new", "is_old"]

_CHUNK = 1024 * 1024
_HINT = "nothing was touched; if the disk's present state is wanted, move the journal away, else restore a copy"


class Content(Protocol):
    """The content of a file, as far as it is compared."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to ``length`` bytes; fewer only at the end of the file."""
        ...

    def size(self) -> int:
        """Return the length in bytes."""
        ...


class ReadOnly:
    """The content of a source."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to ``length`` bytes; see :class:`Content`."""
        inside = min(length, self._source.size - offset)
        return self._source.read_at(offset, inside) if inside > 0 else b""

    def size(self) -> int:
        """Return the length in bytes."""
        return self._source.size


def check_old_or_new(journal: Journal, files: Sequence[Content], paths: Sequence[str]) -> None:
    """Raise when a file is neither as before the change nor as after it, or on the way between.

    Raises:
        ChangedSinceError: It is not; the message says where.
    """
    for number, (entry, file) in enumerate(zip(journal.files, files, strict=True)):
        size = file.size()
        low, high = sorted((entry.old_size, entry.new_size))
        if not low <= size <= high:
            raise ChangedSinceError(
                f"the file has {size} bytes, but the change leads from {entry.old_size} to {entry.new_size}",
                location=_at(paths, number, 0),
                hint=_HINT,
            )
        _check_growth(journal, number, file, paths)
    several = versions(journal.records)
    for record in first_versions(journal.records):
        _check_record(record, files[record.file], paths, several)
    for watch in journal.watches:
        _check_watch(watch, files[watch.file], paths)


def check_all_new(journal: Journal, files: Sequence[Content], paths: Sequence[str]) -> None:
    """Raise when a file is not wholly as after the change.

    Raises:
        ChangedSinceError: It is not; the message says where.
    """
    for number, (entry, file) in enumerate(zip(journal.files, files, strict=True)):
        if file.size() != entry.new_size:
            raise ChangedSinceError(
                f"the file has {file.size()} bytes, the change left it with {entry.new_size}",
                location=_at(paths, number, 0),
                hint=_HINT,
            )
        _check_growth(journal, number, file, paths)
    for record in last_versions(journal.records):
        data = files[record.file].read_at(record.offset, record.length)
        for index, wanted in enumerate(record.after):
            if digest(data[index * SECTOR : (index + 1) * SECTOR]) != wanted:
                raise _changed(paths, record.file, record.offset + index * SECTOR)
    for watch in journal.watches:
        _check_watch(watch, files[watch.file], paths)


def digest_of(file: Content, offset: int, length: int) -> bytes:
    """Return the digest of a range, read in pieces when it is long."""
    if length <= _CHUNK:
        return digest(file.read_at(offset, length))
    pieces = range(offset, offset + length, _CHUNK)
    return digest(b"".join(digest(file.read_at(at, min(_CHUNK, offset + length - at))) for at in pieces))


def _check_record(
    record: Record, file: Content, paths: Sequence[str], several: Mapping[tuple[int, int], Sequence[Record]]
) -> None:
    """Check each sector of a record, which is the first that writes it; ``several`` has those that follow."""
    length = max(len(record.before), record.length)
    data = file.read_at(record.offset, length)
    for index, at in enumerate(range(0, length, SECTOR)):
        before, present = record.before[at : at + SECTOR], data[at : at + SECTOR]
        if is_old(present, before):
            continue
        new_length = min(max(record.length - at, 0), SECTOR)
        if is_new(present, new_length, record.after[index : index + 1], before):
            continue
        # The disk wrote what it was given in any order, so any content that the change gave it may be there.
        later = several.get((record.file, record.offset + at), ())
        if not any(is_new(present, version.length, version.after, version.before) for version in later):
            raise _changed(paths, record.file, record.offset + at)


def is_new(present: bytes, new_length: int, new: Sequence[bytes], before: bytes) -> bool:
    """Whether a sector begins with the new bytes, whose digest is in ``new``, and nothing foreign follows.

    Where the file shrinks, old bytes stand behind the new ones until it is cut, and zeros while it grows again.
    """
    if new_length and (len(present) < new_length or digest(present[:new_length]) != new[0]):
        return False
    rest = present[new_length:]
    return not any(rest) or is_old(rest, before[new_length:])


def is_old(present: bytes, old: bytes) -> bool:
    """Whether the bytes are the old ones, as far as the file reaches, and zeros where there was nothing before."""
    return present[: len(old)] == old[: len(present)] and not any(present[len(old) :])


def _check_growth(journal: Journal, number: int, file: Content, paths: Sequence[str]) -> None:
    """Check that where the file has grown, and the change wrote nothing, there is nothing."""
    at, end = journal.files[number].old_size, min(journal.files[number].new_size, file.size())
    written = sorted(
        (record.offset, record.offset + record.length) for record in journal.records if record.file == number
    )
    for first, last in [*written, (end, end)]:
        while at < min(first, end):
            data = file.read_at(at, min(_CHUNK, first - at, end - at))
            if any(data) or not data:
                raise _changed(paths, number, at)
            at += len(data)
        at = max(at, last)


def _check_watch(watch: Watch, file: Content, paths: Sequence[str]) -> None:
    if digest_of(file, watch.offset, watch.length) != watch.digest:
        raise _changed(paths, watch.file, watch.offset)


def _changed(paths: Sequence[str], file: int, offset: int) -> ChangedSinceError:
    return ChangedSinceError(
        "the disk was used since the change: bytes there are neither the old nor the new ones",
        location=_at(paths, file, offset),
        hint=_HINT,
    )


def _at(paths: Sequence[str], file: int, offset: int) -> Location:
    return Location(paths[file]).at("byte", offset)

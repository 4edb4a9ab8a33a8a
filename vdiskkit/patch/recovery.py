"""Taking a change back: after a failure, after a crash, or because somebody wants the old state again.

Absolute bytes are written, never increments, so repeating an interrupted recovery gives the same result. Before
anything is written, every sector of the journal must hold its old or its new content, or one that it has in between;
every watched range must be unchanged, and the length must be one that the change passes through. Otherwise the disk was
used since, and writing old file system structures back would wreck it: then nothing is touched.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from vdiskkit.errors import ChangedSinceError, VerifyFailedError
from vdiskkit.journal import digest
from vdiskkit.journal.format import SECTOR
from vdiskkit.journal.versions import first_versions, last_versions, versions
from vdiskkit.location import Location

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vdiskkit.journal import Journal, Record, Watch
    from vdiskkit.patch.files import OpenFile

__all__ = ["check_all_new", "check_old_or_new", "digest_of", "roll_back", "write_again"]

_CHUNK = 1024 * 1024
_HINT = "nothing was touched; if the disk's present state is wanted, move the journal away, else restore a copy"


def roll_back(journal: Journal, files: Sequence[OpenFile], paths: Sequence[str]) -> None:
    """Restore the old bytes and length of every file, flush, and compare.

    Whoever did not just write the new bytes himself calls :func:`check_old_or_new` before. All old bytes are written,
    those too that are there already: after a flush that failed, what is read may not be what is on the disk.

    Raises:
        VerifyFailedError: What was read back is not the old state.
        OSError: The operating system could not read or write.
    """
    # The newest writes are taken back first, phase by phase: the reverse of an order in which each prefix was harmless.
    for (number, _phase), records in itertools.groupby(_to_take_back(journal, files), _step):
        for record in records:
            if record.before:
                files[number].write_at(record.offset, _whole_sectors(record))
        files[number].flush()
    for entry, file in zip(journal.files, files, strict=True):
        if file.size() != entry.old_size:
            # By now all is on the disk: a sector that is cut in two before it is old could not be told to be a new one.
            file.resize(entry.old_size)
        file.flush()
    for record in first_versions(journal.records):
        if files[record.file].read_at(record.offset, len(record.before)) != record.before:
            raise VerifyFailedError(
                "what was read back is not the old state", location=_at(paths, record.file, record.offset)
            )


def _to_take_back(journal: Journal, files: Sequence[OpenFile]) -> list[Record]:
    """Return the records whose old bytes are to be written, in that order.

    Where a sector is written several times, the old bytes of a later time are what an earlier one wrote. They must not
    come to the disk when the change never came so far: a header would tell of a log that was not written yet.
    """
    several = versions(journal.records)
    if not several:
        return list(reversed(journal.records))
    steps = {key: number for number, key in enumerate(dict.fromkeys(map(_step, journal.records)))}
    reached: dict[int, int] = {}
    for (number, offset), same in several.items():
        present = files[number].read_at(offset, SECTOR)
        if not _is_old(present, same[0].before):
            found = (item for item in same if _is_new(present, item.length, item.after, item.before))
            step = max((steps[_step(item)] for item in itertools.islice(found, 1)), default=len(steps))
            reached[number] = max(step, reached.get(number, 0))
    whole = [item for item in journal.records if steps[_step(item)] <= reached.get(item.file, -1)]
    first = [item for item in first_versions(journal.records) if steps[_step(item)] > reached.get(item.file, -1)]
    return sorted(whole + first, key=lambda item: steps[_step(item)])[::-1]


def _step(record: Record) -> tuple[int, int]:
    """What is written to a file between two flushes."""
    return record.file, record.phase


def _whole_sectors(record: Record) -> bytes:
    """Return the old bytes; a sector that the old file ended in is filled up as far as the new file reaches.

    Else a half of it would be old and the other new for a while, and nobody could tell that from a foreign one.
    """
    end = min(-(-len(record.before) // SECTOR) * SECTOR, record.length)
    return record.before.ljust(end, b"\0")


def write_again(journal: Journal, files: Sequence[OpenFile], paths: Sequence[str]) -> None:  # noqa: ARG001 - as roll_back
    """Bring the new state to stable storage, which :func:`check_all_new` has found to be there.

    After a flush that failed, what is read may not be what is on the disk; so it is written once more.

    Raises:
        OSError: The operating system could not read or write.
    """
    for record in journal.records:
        data = files[record.file].read_at(record.offset, record.length)
        files[record.file].write_at(record.offset, data)
    for file in files:
        file.flush()


def check_old_or_new(journal: Journal, files: Sequence[OpenFile], paths: Sequence[str]) -> None:
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


def check_all_new(journal: Journal, files: Sequence[OpenFile], paths: Sequence[str]) -> None:
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


def digest_of(file: OpenFile, offset: int, length: int) -> bytes:
    """Return the digest of a range, read in pieces when it is long."""
    if length <= _CHUNK:
        return digest(file.read_at(offset, length))
    pieces = range(offset, offset + length, _CHUNK)
    return digest(b"".join(digest(file.read_at(at, min(_CHUNK, offset + length - at))) for at in pieces))


def _check_record(
    record: Record, file: OpenFile, paths: Sequence[str], several: Mapping[tuple[int, int], Sequence[Record]]
) -> None:
    """Check each sector of a record, which is the first that writes it; ``several`` has those that follow."""
    length = max(len(record.before), record.length)
    data = file.read_at(record.offset, length)
    for index, at in enumerate(range(0, length, SECTOR)):
        before, present = record.before[at : at + SECTOR], data[at : at + SECTOR]
        if _is_old(present, before):
            continue
        new_length = min(max(record.length - at, 0), SECTOR)
        if _is_new(present, new_length, record.after[index : index + 1], before):
            continue
        # The disk wrote what it was given in any order, so any content that the change gave it may be there.
        later = several.get((record.file, record.offset + at), ())
        if not any(_is_new(present, version.length, version.after, version.before) for version in later):
            raise _changed(paths, record.file, record.offset + at)


def _is_new(present: bytes, new_length: int, new: Sequence[bytes], before: bytes) -> bool:
    """Whether a sector begins with the new bytes, whose digest is in ``new``, and nothing foreign follows.

    Where the file shrinks, old bytes stand behind the new ones until it is cut, and zeros while it grows again.
    """
    if new_length and (len(present) < new_length or digest(present[:new_length]) != new[0]):
        return False
    rest = present[new_length:]
    return not any(rest) or _is_old(rest, before[new_length:])


def _is_old(present: bytes, old: bytes) -> bool:
    """Whether the bytes are the old ones, as far as the file reaches, and zeros where there was nothing before."""
    return present[: len(old)] == old[: len(present)] and not any(present[len(old) :])


def _check_growth(journal: Journal, number: int, file: OpenFile, paths: Sequence[str]) -> None:
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


def _check_watch(watch: Watch, file: OpenFile, paths: Sequence[str]) -> None:
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

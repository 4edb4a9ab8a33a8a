"""Taking a change back: after a failure, after a crash, or because somebody wants the old state again.

Absolute bytes are written, never increments, so repeating an interrupted recovery gives the same result. Before
anything is written, every sector of the journal must hold its old or its new content, or one that it has in between;
every watched range must be unchanged, and the length must be one that the change passes through. Otherwise the disk was
used since, and writing old file system structures back would wreck it: then nothing is touched.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from vdiskkit.errors import VerifyFailedError
from vdiskkit.journal.checks import is_new, is_old
from vdiskkit.journal.format import SECTOR
from vdiskkit.journal.versions import first_versions, versions
from vdiskkit.location import Location

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdiskkit.journal import Journal, Record
    from vdiskkit.patch.files import OpenFile

__all__ = ["roll_back", "write_again"]


def roll_back(journal: Journal, files: Sequence[OpenFile], paths: Sequence[str]) -> None:
    """Restore the old bytes and length of every file, flush, and compare.

    Whoever did not just write the new bytes himself calls :func:`~vdiskkit.journal.checks.check_old_or_new` before. All
    old bytes are written, those too that are there already: after a flush that failed, what is read may not be what is
    on the disk.

    Raises:
        VerifyFailedError: What was read back is not the old state.
        OSError: The operating system could not read or write.
    """
    # The newest writes are taken back first, phase by phase: the reverse of an order in which each prefix was harmless.
    for (number, _phase), records in itertools.groupby(_to_take_back(journal, files), _step):
        for record in records:
            if record.before:
                _write(files[number], record.offset, _whole_sectors(record))
        files[number].flush()
    for entry, file in zip(journal.files, files, strict=True):
        if file.size() != entry.old_size:
            # By now all is on the disk: a sector that is cut in two before it is old could not be told to be a new one.
            file.resize(entry.old_size)
        file.flush()
    for record in first_versions(journal.records):
        if files[record.file].read_at(record.offset, len(record.before)) != record.before:
            raise VerifyFailedError(
                "what was read back is not the old state",
                location=Location(paths[record.file]).at("byte", record.offset),
            )


def _write(file: OpenFile, offset: int, data: bytes) -> None:
    """Write, but leave out holes in which there are to be zeros.

    Nothing was ever stored there, so zeros is what they hold for certain. Writing them would take space, and on a full
    file system fail, for a change that is taken back because the space did not suffice.
    """
    begin = 0
    for start in range(0, len(data), SECTOR):
        end = min(start + SECTOR, len(data))
        if not any(data[start:end]) and file.is_hole(offset + start, end - start):
            if begin < start:
                file.write_at(offset + begin, data[begin:start])
            begin = end
    if begin < len(data):
        file.write_at(offset + begin, data[begin:])


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
        if not is_old(present, same[0].before):
            found = (item for item in same if is_new(present, item.length, item.after, item.before))
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
    """Bring the new state, which :func:`~vdiskkit.journal.checks.check_all_new` has found there, to stable storage.

    After a flush that failed, what is read may not be what is on the disk; so it is written once more.

    Raises:
        OSError: The operating system could not read or write.
    """
    for record in journal.records:
        data = files[record.file].read_at(record.offset, record.length)
        _write(files[record.file], record.offset, data)
    for file in files:
        file.flush()

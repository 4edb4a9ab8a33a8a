"""Sectors that a change writes several times, one after the other: which record begins there, and which ends.

A record of such a sector leads from what the one before it left. Taking the change back restores what the first one
found, its result is what the last one leaves, and in between each of them may be what the disk holds.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vdiskkit.journal.format import Record

__all__ = ["first_versions", "last_versions", "repeated_bytes", "uncovered", "versions"]

_SECTOR = 512


def first_versions(records: Sequence[Record]) -> list[Record]:
    """Return the records without the sectors that an earlier one writes: what they hold before is the old state."""
    return _cut_by_file(records)


def last_versions(records: Sequence[Record]) -> list[Record]:
    """Return the records without the sectors that a later one writes: what they hold afterwards is the new state."""
    return _cut_by_file(records[::-1])[::-1]


def versions(records: Sequence[Record]) -> dict[tuple[int, int], list[Record]]:
    """Return the records of each sector that is written several times, cut to it, by file and offset."""
    found: dict[tuple[int, int], list[Record]] = {}
    for file in {record.file for record in records}:
        own = [record for record in records if record.file == file]
        repeated = _repeated([_span(record) for record in own])
        if not repeated:
            continue
        for record in own:
            start, end = _span(record)
            for number in repeated[bisect_left(repeated, start // _SECTOR) : bisect_left(repeated, -(-end // _SECTOR))]:
                at = number * _SECTOR
                found.setdefault((file, at), []).append(_cut(record, at, at + _SECTOR))
    return found


def uncovered(spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """Yield the parts of ranges that no earlier range covers: number of the range, start and end.

    Args:
        spans: Start and end in bytes; each starts at a sector.
    """
    repeated = _repeated(spans)
    seen: set[int] = set()
    for index, (start, end) in enumerate(spans):
        at = start
        for number in repeated[bisect_left(repeated, start // _SECTOR) : bisect_left(repeated, -(-end // _SECTOR))]:
            if number not in seen:
                seen.add(number)
                continue
            if at < number * _SECTOR:
                yield index, at, number * _SECTOR
            at = (number + 1) * _SECTOR
        if at < end:
            yield index, at, end


def repeated_bytes(records: Sequence[Record]) -> int:
    """Return how many bytes of records lie where another one has been, in whole sectors."""
    total = 0
    for file in {record.file for record in records}:
        spans = [_span(record) for record in records if record.file == file]
        total += sum(end - start for start, end in _overlaps(spans))
    return total


def _cut_by_file(records: Sequence[Record]) -> list[Record]:
    parts = []
    for file in {record.file for record in records}:
        numbers = [number for number, record in enumerate(records) if record.file == file]
        for index, start, end in uncovered([_span(records[number]) for number in numbers]):
            parts.append((numbers[index], start, end))
    return [_cut(records[number], start, end) for number, start, end in sorted(parts)]


def _span(record: Record) -> tuple[int, int]:
    return record.offset, record.offset + max(len(record.before), record.length)


def _cut(record: Record, start: int, end: int) -> Record:
    """Return the part of a record between two sectors."""
    low, high = start - record.offset, end - record.offset
    if low == 0 and high >= max(len(record.before), record.length):
        return record
    return record._replace(
        offset=start,
        before=record.before[low:high],
        length=max(min(record.length, high) - low, 0),
        after=record.after[low // _SECTOR : -(-high // _SECTOR)],
    )


def _repeated(spans: Sequence[tuple[int, int]]) -> list[int]:
    """Return the numbers of the sectors that are in more than one range, ascending."""
    return sorted({number for start, end in _overlaps(spans) for number in range(start // _SECTOR, end // _SECTOR)})


def _overlaps(spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield what each range has in common with those that begin before it, in whole sectors."""
    reached = 0
    for start, end in sorted(spans):
        until = -(-end // _SECTOR) * _SECTOR
        if start < min(reached, until):
            yield start, min(reached, until)
        reached = max(reached, until)

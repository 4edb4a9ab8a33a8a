"""Which entries of a log hang together: numbers without a gap, hashes and page references that hold.

The second hash of an entry covers its head and is checked on the way, the first one covers its pages and is computed
for all entries of all logs side by side, see :mod:`vdiskkit.registry.marvin32`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.registry.base_block import CHECKED_SIZE
from vdiskkit.registry.logs import BYTES_MAX, ENTRY_HEAD, read_entry, read_references
from vdiskkit.registry.marvin32 import HashJob, marvin32_many

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdiskkit.io import ByteSource
    from vdiskkit.registry.logs import HiveLog, LogEntry

__all__ = ["Run", "gather_runs", "is_behind"]

_WORD = 0xFFFFFFFF
_HALF = 0x80000000


class Run(NamedTuple):
    """The entries of a log that can be applied one after the other.

    Attributes:
        log: The log.
        entries: The entries; their numbers run from that of the log's base block.
        references: (Offset in the hive bins, length, offset in the log) of all their pages, in order.
        ended: Why the entry behind the last one is not among them; empty when there is none, or only an old one.
    """

    log: HiveLog
    entries: list[LogEntry]
    references: list[tuple[int, int, int]]
    ended: str


def is_behind(number: int, other: int) -> bool:
    """Whether a sequence number comes before another one; they start over behind 2**32 - 1."""
    return number - other & _WORD >= _HALF


def gather_runs(logs: Sequence[HiveLog]) -> list[Run]:
    """Gather the entries of each log.

    Raises:
        VDiskError: A log cannot be read.
    """
    left = BYTES_MAX
    found: list[tuple[HiveLog, list[LogEntry], str]] = []
    for log in logs:
        entries, ended = _numbered(log, left)
        left -= sum(entry.size for entry in entries)
        found.append((log, entries, ended))
    jobs = [_job(log.source, entry) for log, entries, _ in found for entry in entries]
    hashes = iter(marvin32_many(jobs))
    runs = []
    for log, entries, ended in found:
        fitting = [next(hashes) == entry.hash for entry in entries]
        runs.append(_run(log, entries, fitting, ended))
    return runs


def _numbered(log: HiveLog, left: int) -> tuple[list[LogEntry], str]:
    """The entries of a log whose numbers run without a gap, and why the next one is not among them."""
    entries: list[LogEntry] = []
    at, expected = CHECKED_SIZE, log.sequence
    while True:
        entry = read_entry(log.source, at)
        if entry is None:
            return entries, "" if entries else f"entry {expected} is missing"
        if isinstance(entry, str):
            return entries, f"entry {expected} at {at:#x} is damaged: {entry}"
        if entry.sequence != expected:
            if entries and is_behind(entry.sequence, expected):
                return entries, ""  # left from an earlier use of the file
            return entries, f"entry {expected} is missing: number {entry.sequence} stands at {at:#x}"
        left -= entry.size
        if left < 0:
            return entries, f"more than {BYTES_MAX // 1024 // 1024} MiB of entries are not read"
        entries.append(entry)
        at += entry.size
        expected = expected + 1 & _WORD


def _job(source: ByteSource, entry: LogEntry) -> HashJob:
    start = entry.at + ENTRY_HEAD

    def read(offset: int, length: int) -> bytes:
        return source.read_at(start + offset, length)

    return HashJob(read, entry.size - ENTRY_HEAD)


def _run(log: HiveLog, entries: Sequence[LogEntry], fitting: Sequence[bool], ended: str) -> Run:
    taken: list[LogEntry] = []
    references: list[tuple[int, int, int]] = []
    for entry, fits in zip(entries, fitting, strict=True):
        found = read_references(log.source, entry) if fits else "the hash of its pages does not fit"
        if isinstance(found, str):
            ended = f"entry {entry.sequence} at {entry.at:#x} is damaged: {found}"
            break
        taken.append(entry)
        references += found
    return Run(log, taken, references, ended)

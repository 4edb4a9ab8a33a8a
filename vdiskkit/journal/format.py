"""Format of the change journal: an undo journal with the bytes before and digests of the bytes after.

::

    sector 0   static header: magic, version, id, length and CRC-32 of the body, CRC-32 of the sector
    sector 1   state: writing, armed or committed; at commit the size and time of each file; CRC-32 of the sector
    sector 2…  body: JSON about the change, the files, then records and watches in binary

Version 2 says that a sector is written several times, or in a phase that version 1 does not have. Whoever knows only
version 1 would take the first content of such a sector for a foreign one, or the second for the old one. Version 3 has
further phases, those of hives.

The state sector comes first, alone, and is flushed; the body is flushed before the state says "armed", and nothing of
the disk is touched before that. So a change had not begun when the state sector says "writing", or when nothing at all
was written; everything else that does not fit is damage, and whatever is damaged may have been armed. The state sector
is the only part that is written again; it is one sector, which a disk writes whole or not at all.

The checksums tell damage, not the author: whoever can write beside the disk can write a journal that fits. What a
journal can do is bounded by the disk that it lies beside, and by what that disk holds.

Integers are little-endian. A digest is BLAKE2b with 16 bytes.
"""

from __future__ import annotations

import json
import struct
from enum import IntEnum
from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID
from zlib import crc32

from vdiskkit.errors import CorruptStructureError, UnsupportedFeatureError
from vdiskkit.journal.versions import first_versions, last_versions, repeated_bytes, versions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdiskkit.location import Location

__all__ = [
    "BODY_LIMIT",
    "BODY_OFFSET",
    "MOST_FILES",
    "RECORD_LIMIT",
    "SECTOR",
    "STATE_OFFSET",
    "Journal",
    "JournalFile",
    "JournalState",
    "Record",
    "Watch",
    "build_body",
    "build_state",
    "cause_of",
    "digest",
    "parse_journal",
    "sector_digests",
]

SECTOR = 512
STATE_OFFSET = SECTOR
BODY_OFFSET = 2 * SECTOR
BODY_LIMIT = 256 * 1024 * 1024
"""Largest body: a change that needs more is refused when it is planned."""

_MAGIC = b"VDKJRNL\x01"
_STATE_MAGIC = b"VDKSTATE"
_PHASES = {1: 5, 2: 15, 3: 19}
"""How many phases each version of the format has; see :class:`vdiskkit.patch.staging.Phase`."""
RECORD_LIMIT = 1 << 18
"""Most records, and most watches; a change that needs more is refused when it is planned."""
MOST_FILES = 2
"""A disk and its side-car."""
_MAX_SIZE = 1 << 47  # twice as long as the longest VHDX
_MAX_GROWTH = 1 << 40
_WATCHED_OFTEN = 4  # how often watches may cover a file, so that checking them has an end
_DIGEST = 16
_HEADER = struct.Struct("<8sHHI16sQI")
_STATE = struct.Struct("<8sHHI")
_STAMP = struct.Struct("<Qq")
_RECORD = struct.Struct("<HHQII")
_WATCH = struct.Struct("<HHQQ16s")
_COUNTS = struct.Struct("<IIII")


class JournalState(IntEnum):
    """How far the change is."""

    WRITING = 0
    ARMED = 1
    COMMITTED = 2


class Record(NamedTuple):
    """A run of sectors that the change writes.

    Attributes:
        file: Index of the file.
        phase: When it is written.
        offset: First byte, a multiple of 512.
        before: The bytes before; shorter than the run where the file grows. Where an earlier record has written, what
            that one left.
        length: Bytes of the run afterwards; shorter than ``before`` where the file shrinks.
        after: Digest of each sector afterwards.
    """

    file: int
    phase: int
    offset: int
    before: bytes
    length: int
    after: tuple[bytes, ...]


class Watch(NamedTuple):
    """A range that the change does not write, but that must not change before it can be taken back."""

    file: int
    offset: int
    length: int
    digest: bytes


class JournalFile(NamedTuple):
    """One file of the change.

    Attributes:
        name: File name in the journal's folder.
        old_size: Length before the change in bytes.
        new_size: Length after it.
        old_time: Modification time before the change, in nanoseconds since 1970.
    """

    name: str
    old_size: int
    new_size: int
    old_time: int


class Stamp(NamedTuple):
    """Size and modification time of a file at commit."""

    size: int
    time: int


class Journal(NamedTuple):
    """A parsed journal.

    Attributes:
        id: Id of the change.
        state: How far it is.
        about: What the change is, for people and for recovery (JSON).
        files: The files it concerns.
        records: The sectors it writes; those of each file in the order of writing.
        watches: What must not have changed before it can be taken back.
        stamps: Size and time of each file at commit, empty before that.
        cause: Which later change, rolled back, gave the stamps their present times; see :func:`cause_of`.
    """

    id: UUID
    state: JournalState
    about: dict[str, Any]
    files: tuple[JournalFile, ...]
    records: tuple[Record, ...]
    watches: tuple[Watch, ...]
    stamps: tuple[Stamp, ...]
    cause: int = 0


def digest(data: bytes) -> bytes:
    """Return the digest of some bytes."""
    return blake2b(data, digest_size=_DIGEST).digest()


def sector_digests(data: bytes) -> tuple[bytes, ...]:
    """Return the digest of each 512-byte sector; the last one may be short."""
    return tuple(digest(data[at : at + SECTOR]) for at in range(0, len(data), SECTOR))


def build_body(journal: Journal) -> tuple[bytes, bytes]:
    """Return the static header sector and the body of a journal."""
    about = json.dumps(
        {"about": journal.about, "files": [list(item) for item in journal.files]}, ensure_ascii=True
    ).encode("ascii")
    parts = [_COUNTS.pack(len(about), len(journal.files), len(journal.records), len(journal.watches)), about]
    for record in journal.records:
        parts.append(_RECORD.pack(record.file, record.phase, record.offset, len(record.before), record.length))
        parts += [record.before, b"".join(record.after)]
    parts += [_WATCH.pack(watch.file, 0, watch.offset, watch.length, watch.digest) for watch in journal.watches]
    body = b"".join(parts)
    header = bytearray(SECTOR)
    lowest = 2 if repeated_bytes(journal.records) else 1
    last = max((record.phase for record in journal.records), default=0)
    version = next(version for version, phases in _PHASES.items() if version >= lowest and last < phases)
    _HEADER.pack_into(header, 0, _MAGIC, version, 0, crc32(body), journal.id.bytes, len(body), 0)
    struct.pack_into("<I", header, SECTOR - 4, crc32(header[:-4]))
    return bytes(header), body


def cause_of(change_id: UUID) -> int:
    """Return the number that stands for a change in the state sector of an earlier one."""
    return crc32(change_id.bytes)


def build_state(state: JournalState, stamps: Sequence[Stamp] = (), cause: int = 0) -> bytes:
    """Return the state sector."""
    sector = bytearray(SECTOR)
    _STATE.pack_into(sector, 0, _STATE_MAGIC, state, len(stamps), cause)
    for number, stamp in enumerate(stamps):
        _STAMP.pack_into(sector, _STATE.size + number * _STAMP.size, *stamp)
    struct.pack_into("<I", sector, SECTOR - 4, crc32(sector[:-4]))
    return bytes(sector)


def parse_journal(data: bytes, location: Location) -> Journal | None:
    """Parse a journal.

    Returns:
        The journal; None when its change had provably not begun to write.

    Raises:
        CorruptStructureError: It is no journal, or is damaged: then its change may have begun.
        UnsupportedFeatureError: It was made by a newer version.
    """
    state, stamps, cause = _parse_state(data)
    if state is JournalState.WRITING or (len(data) <= BODY_OFFSET and not any(data)):
        return None
    header = data[:SECTOR]
    whole = len(header) == SECTOR and struct.unpack_from("<I", header, SECTOR - 4)[0] == crc32(header[:-4])
    if not whole or header[:8] != _MAGIC:
        raise _damaged("its header does not fit", location)
    _, version, _, body_crc, raw_id, body_length, _ = _HEADER.unpack_from(header)
    if version not in _PHASES:
        raise UnsupportedFeatureError(
            f"the journal has version {version}, this program knows version {max(_PHASES)}",
            location=location,
            hint="use the version of vdiskkit that made the change",
        )
    body = data[BODY_OFFSET : BODY_OFFSET + body_length]
    if len(body) != body_length or crc32(body) != body_crc:
        raise _damaged("its body does not fit its checksum", location)
    try:
        about, files, records, watches = _parse_body(body, _PHASES[version])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError, struct.error) as exc:
        raise _damaged(f"its contents make no sense ({exc})", location) from exc
    if state is JournalState.COMMITTED and len(stamps) != len(files):
        raise _damaged("it has other numbers of files and of their times", location)
    # A state that cannot be read may have been "armed": recovery looks at every sector before it does anything.
    return Journal(UUID(bytes=raw_id), state or JournalState.ARMED, about, files, records, watches, stamps, cause)


def _parse_state(data: bytes) -> tuple[JournalState | None, tuple[Stamp, ...], int]:
    sector = data[STATE_OFFSET : STATE_OFFSET + SECTOR]
    if len(sector) < SECTOR or struct.unpack_from("<I", sector, SECTOR - 4)[0] != crc32(sector[:-4]):
        return None, (), 0
    magic, state, count, cause = _STATE.unpack_from(sector)
    if magic != _STATE_MAGIC or state not in set(JournalState) or count > MOST_FILES:
        return None, (), 0
    stamps = tuple(Stamp(*_STAMP.unpack_from(sector, _STATE.size + number * _STAMP.size)) for number in range(count))
    return JournalState(state), stamps, cause


def _parse_body(
    body: bytes, phases: int
) -> tuple[dict[str, Any], tuple[JournalFile, ...], tuple[Record, ...], tuple[Watch, ...]]:
    about_length, file_count, record_count, watch_count = _COUNTS.unpack_from(body)
    at = _COUNTS.size + about_length
    about = json.loads(body[_COUNTS.size : at].decode("ascii"))
    files = tuple(JournalFile(*entry) for entry in about["files"][: MOST_FILES + 1])
    if len(files) != file_count or not 0 < file_count <= MOST_FILES or not isinstance(about["about"], dict):
        raise ValueError("number of files")
    for entry in files:
        _check_file(entry)
    if max(record_count, watch_count) > RECORD_LIMIT:
        raise ValueError(f"more than {RECORD_LIMIT} records")
    records, at = _parse_records(body, at, record_count, files, phases)
    watches, at = _parse_watches(body, at, watch_count, files)
    if at != len(body):
        raise ValueError("something follows the last watch")
    _check_versions(files, records)
    return about["about"], files, tuple(records), tuple(watches)


def _parse_records(
    body: bytes, at: int, count: int, files: Sequence[JournalFile], phases: int
) -> tuple[list[Record], int]:
    records = []
    for _ in range(count):
        file, phase, offset, before_length, length = _RECORD.unpack_from(body, at)
        at += _RECORD.size
        digests = -(-length // SECTOR) * _DIGEST
        if file >= len(files) or offset % SECTOR:
            raise ValueError("a record lies nowhere")
        if not before_length and not length:
            raise ValueError("a record holds nothing")
        if phase >= phases:
            raise ValueError("a record has no phase")
        if offset + max(before_length, length) > max(files[file].old_size, files[file].new_size):
            raise ValueError("a record reaches outside its file")
        if at + before_length + digests > len(body):
            raise ValueError("a record reaches outside")
        before = body[at : at + before_length]
        at += before_length
        after = tuple(body[start : start + _DIGEST] for start in range(at, at + digests, _DIGEST))
        at += digests
        records.append(Record(file, phase, offset, before, length, after))
    return records, at


def _parse_watches(body: bytes, at: int, count: int, files: Sequence[JournalFile]) -> tuple[list[Watch], int]:
    watches = []
    watched = [0] * len(files)
    for _ in range(count):
        file, _, offset, length, value = _WATCH.unpack_from(body, at)
        at += _WATCH.size
        if file >= len(files) or offset + length > files[file].old_size:
            raise ValueError("a watch reaches outside its file")
        watched[file] += length
        if watched[file] > _WATCHED_OFTEN * files[file].old_size:
            raise ValueError("watches overlap")
        watches.append(Watch(file, offset, length, value))
    return watches, at


def _check_file(entry: JournalFile) -> None:
    numbers = (entry.old_size, entry.new_size, entry.old_time)
    if not isinstance(entry.name, str) or any(type(number) is not int for number in numbers):
        raise ValueError("name or length of a file")
    if any(not 0 <= size <= _MAX_SIZE for size in numbers[:2]) or abs(entry.new_size - entry.old_size) > _MAX_GROWTH:
        raise ValueError("length of a file")


def _check_versions(files: Sequence[JournalFile], records: Sequence[Record]) -> None:
    """Raise unless the records lead from the old lengths to the new ones, each from where the one before it led."""
    # What a later record of a sector finds is in the body, so no more than that can be repeated.
    if repeated_bytes(records) > BODY_LIMIT:
        raise ValueError("records overlap")
    # Where a file grows there is nothing before, where it shrinks nothing afterwards.
    for record in first_versions(records):
        if record.before and record.offset + len(record.before) > files[record.file].old_size:
            raise ValueError("a record begins outside its file")
    for record in last_versions(records):
        if record.length and record.offset + record.length > files[record.file].new_size:
            raise ValueError("a record ends outside its file")
    for same in versions(records).values():
        for earlier, later in pairwise(same):
            if earlier.length != len(later.before) or earlier.after != sector_digests(later.before):
                raise ValueError("a record does not begin where the one before it ended")


def _damaged(why: str, location: Location) -> CorruptStructureError:
    return CorruptStructureError(
        f"the change journal is damaged: {why}",
        location=location,
        hint="the change can be neither finished nor taken back by it; restore the disk from a copy, then remove it",
    )

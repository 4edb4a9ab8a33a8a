"""Transaction logs of hives, built from the states that a hive went through, for tests.

    states = [HiveBuilder(...).build(), ..., ...]                # what is on disk, then one state for each change
    dirty = new_format(states)                                   # .primary, .log1, .log2: what Windows leaves behind
    dirty = old_format(states)                                   # the same with one .LOG1 in the format of Windows 7
    build_image(hives=dirty.files("SOFTWARE"))

Smaller parts, for what Windows would not write: :func:`entry`, :func:`log`, :func:`pages_between`, :func:`damage`.
:func:`recover` is a reader as simple as can be: what the primary and its logs stand for. All of it has its own hash,
and knows nothing of the product.
"""

from __future__ import annotations

import itertools
import struct
from typing import TYPE_CHECKING, NamedTuple

from tests.build.hive import BASE_BLOCK, seal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Pages = Sequence[tuple[int, bytes]]

SECTOR = 512
NEW, OLD = 6, 1
SEED = (0x7A4E55C5, 0x82EF4D88)
_MASK = 0xFFFFFFFF
_HEAD = struct.Struct("<4sIIIIIQQ")


# -- parts -------------------------------------------------------------------------------------------------------------
def marvin32(data: bytes, seed: tuple[int, int] = SEED) -> int:
    """Marvin32, as a number of 64 bits: how Windows hashes log entries."""
    low, high = seed

    def mix(word: int) -> None:
        nonlocal low, high
        low = (low + word) & _MASK
        high ^= low
        low = (_rotated(low, 20) + high) & _MASK
        high = _rotated(high, 9) ^ low
        low = (_rotated(low, 27) + high) & _MASK
        high = _rotated(high, 19)

    whole = len(data) & ~3
    for (word,) in struct.iter_unpack("<I", data[:whole]):
        mix(word)
    mix(int.from_bytes(data[whole:] + b"\x80", "little"))
    mix(0)
    return high << 32 | low


def _rotated(word: int, by: int) -> int:
    return (word << by | word >> (32 - by)) & _MASK


def sequences(hive: bytes) -> tuple[int, int]:
    """Both sequence numbers of a base block."""
    first, second = struct.unpack_from("<II", hive, 4)
    return first, second


def bins_size(hive: bytes) -> int:
    """Bytes of hive bins, as the base block says."""
    size: int = struct.unpack_from("<I", hive, 40)[0]
    return size


def with_base(
    hive: bytes,
    *,
    sequence_1: int | None = None,
    sequence_2: int | None = None,
    size: int | None = None,
    kind: int | None = None,
    written: int | None = None,
    sealed: bool = True,
) -> bytes:
    """A hive (or a base block) with other fields in its base block; with the right checksum when ``sealed``."""
    data = bytearray(hive)
    fields = ((4, sequence_1, 4), (8, sequence_2, 4), (40, size, 4), (28, kind, 4), (12, written, 8))
    for at, value, length in fields:
        if value is not None:
            data[at : at + length] = value.to_bytes(length, "little")
    if sealed:
        seal(data)
    return bytes(data)


def pages_between(before: bytes, after: bytes, page: int = 4096) -> list[tuple[int, bytes]]:
    """What changed in the hive bins, as (offset from their start, bytes): whole pages, neighbours joined."""
    pages: list[tuple[int, bytes]] = []
    for at in range(0, bins_size(after), page):
        new = after[BASE_BLOCK + at : BASE_BLOCK + at + page]
        if at >= bins_size(before) or before[BASE_BLOCK + at : BASE_BLOCK + at + page] != new:
            if pages and pages[-1][0] + len(pages[-1][1]) == at:
                pages[-1] = (pages[-1][0], pages[-1][1] + new)
            else:
                pages.append((at, new))
    return pages


def entry(sequence: int, size: int, pages: Pages, *, flags: int = 0, at: int = SECTOR, align: int = 4096) -> bytes:
    """One entry of a log in the new format, with true hashes.

    Args:
        sequence: Its number.
        size: Bytes of hive bins after it.
        pages: (Offset from the start of the hive bins, bytes).
        flags: Of the base block.
        at: Where in the log it will lie.
        align: It ends at a multiple of this in the log.
    """
    refs = b"".join(struct.pack("<II", offset, len(data)) for offset, data in pages)
    body = refs + b"".join(data for _, data in pages)
    length = (at + 40 + len(body) + align - 1) // align * align - at
    raw = bytearray(_HEAD.pack(b"HvLE", length, flags, sequence, size, len(pages), 0, 0) + body)
    raw += bytes(length - len(raw))
    return rehashed(bytes(raw))


def rehashed(raw: bytes) -> bytes:
    """An entry with the hashes that its bytes have."""
    first = struct.pack("<Q", marvin32(raw[40:]))
    head = raw[:24] + first
    return head + struct.pack("<Q", marvin32(head)) + raw[40:]


def log(base: bytes, entries: Iterable[Entry], *, size: int = 0, leftovers: Iterable[Entry] = ()) -> bytes:
    """A log in the new format.

    Args:
        base: A hive, of which the base block is copied; its numbers become that of the first entry.
        entries: In the order of the file.
        size: Length of the file in bytes, at least.
        leftovers: Entries of an earlier use of the file that still stand behind the others.
    """
    listed = [*entries, *leftovers]
    first = listed[0].sequence if listed else sequences(base)[0]
    data = with_base(base[:SECTOR], sequence_1=first, sequence_2=first, kind=NEW)
    for one in listed:
        data += entry(one.sequence, one.size, one.pages, flags=one.flags, at=len(data))
    return data.ljust(size, b"\0")


def old_log(base: bytes, size: int, pages: Pages, *, sequence: int, length: int = 0) -> bytes:
    """A log in the format of Windows 7: a base block, one bit for each 512 bytes of hive bins, the dirty pages.

    Args:
        base: A hive, of which the base block is copied.
        size: Bytes of hive bins.
        pages: (Offset from the start of the hive bins, bytes), whole sectors.
        sequence: Both numbers of the base block.
        length: Of the file in bytes, at least.
    """
    bits = bytearray(-(-size // SECTOR // 8))
    content = {}
    for offset, data in pages:
        for at in range(0, len(data), SECTOR):
            number = (offset + at) // SECTOR
            bits[number // 8] |= 1 << number % 8
            content[number] = data[at : at + SECTOR].ljust(SECTOR, b"\0")
    head = with_base(base[:SECTOR], sequence_1=sequence, sequence_2=sequence, size=size, kind=OLD)
    bitmap = b"DIRT" + bytes(bits)
    bitmap += bytes(-len(bitmap) % SECTOR)
    return (head + bitmap + b"".join(content[number] for number in sorted(content))).ljust(length, b"\0")


class Entry(NamedTuple):
    """An entry to be written."""

    sequence: int
    size: int
    pages: Pages
    flags: int = 0


# -- whole hives -------------------------------------------------------------------------------------------------------
class DirtyHive(NamedTuple):
    """A hive that was not written back, its logs, and what all of it stands for.

    Attributes:
        primary: The hive file.
        log1: ``.LOG1``.
        log2: ``.LOG2``.
        after: The last state of the hive bins, with the base block that Windows gives it.
        entries: The entries in the order of their numbers (new format).
    """

    primary: bytes
    log1: bytes
    log2: bytes
    after: bytes
    entries: tuple[Entry, ...] = ()

    def files(self, name: str) -> dict[str, bytes]:
        """The three files by name: ``hives`` of ``build_image``."""
        return {name: self.primary, f"{name}.LOG1": self.log1, f"{name}.LOG2": self.log2}


def entries_between(states: Sequence[bytes], first: int, *, flags: int = 0, page: int = 4096) -> tuple[Entry, ...]:
    """An entry for each change from one state to the next, numbered from ``first``."""
    return tuple(
        Entry(first + number, bins_size(after), pages_between(before, after, page), flags)
        for number, (before, after) in enumerate(itertools.pairwise(states))
    )


def new_format(
    states: Sequence[bytes],
    *,
    first: int | None = None,
    split: int | None = None,
    swapped: bool = False,
    leftovers: Iterable[Entry] = (),
    size: int = 0,
    bad_base: bool = False,
) -> DirtyHive:
    """The first state as the primary, dirty by one, and the others in logs of Windows 8.1 and later.

    Args:
        states: Hives in the order of time; they may grow.
        first: Number of the first entry; by default the one that the primary waits for.
        split: How many entries are in the older log; by default all of them, and the other file is empty.
        swapped: Whether LOG2 is the older one.
        leftovers: Old entries that still stand behind those of the younger log (of the older, when only that is used).
        size: Length of each log in bytes, at least.
        bad_base: Whether the checksum of the primary is wrong, as when its base block was torn.
    """
    start = sequences(states[0])[0]
    entries = entries_between(states, start + 1 if first is None else first)
    cut = len(entries) if split is None else split
    older, younger = entries[:cut], entries[cut:]
    last = tuple(leftovers)
    logs = [
        log(states[0], older, size=size, leftovers=() if younger else last) if older else b"",
        log(states[0], younger, size=size, leftovers=last) if younger else b"",
    ]
    if swapped:
        logs.reverse()
    primary = with_base(states[0], sequence_1=start + 1)
    if bad_base:
        primary = primary[:508] + bytes([primary[508] ^ 0xFF]) + primary[509:]
    return DirtyHive(primary, logs[0], logs[1], _recovered(states, entries[-1].sequence + 1), entries)


def old_format(
    states: Sequence[bytes], *, page: int = 512, written: int | None = None, length: int = 0, bad_base: bool = False
) -> DirtyHive:
    """The first state as the primary, dirty by one, and all changes in one log of Windows 7.

    Args:
        states: Hives in the order of time; they may grow.
        page: Bytes that are taken as one dirty page; a multiple of 512.
        written: Last-written time in the log as a FILETIME, when it is not the hive's.
        length: Of the log in bytes, at least.
        bad_base: Whether the checksum of the primary is wrong, as when its base block was torn.
    """
    start, last = sequences(states[0])[0], states[-1]
    (stamp,) = struct.unpack_from("<Q", states[0], 12)
    base = with_base(last, written=stamp if written is None else written)
    pages = [
        (at, data[inside : inside + SECTOR])
        for offset, data in pages_between(states[0], last, page)
        for inside, at in enumerate_sectors(offset, data)
    ]
    raw = old_log(base, bins_size(last), pages, sequence=start + 1, length=length)
    primary = with_base(states[0], sequence_1=start + 1)
    if bad_base:
        primary = primary[:508] + bytes([primary[508] ^ 0xFF]) + primary[509:]
    return DirtyHive(primary, raw, b"", _recovered(states, start + 1))


def enumerate_sectors(offset: int, data: bytes) -> Iterator[tuple[int, int]]:
    """(Place in ``data``, offset in the hive bins) of each sector."""
    return ((inside, offset + inside) for inside in range(0, len(data), SECTOR))


def _recovered(states: Sequence[bytes], sequence: int) -> bytes:
    size = bins_size(states[-1])
    whole = states[0][:BASE_BLOCK] + states[-1][BASE_BLOCK : BASE_BLOCK + size]
    whole += states[0][len(whole) :]
    return with_base(whole, sequence_1=sequence, sequence_2=sequence, size=size, kind=0)


# -- reading ----------------------------------------------------------------------------------------------------------
class Found(NamedTuple):
    """An entry as it stands in a log.

    Attributes:
        at: Where in the log.
        raw: All its bytes.
        head: Its first fields: sequence, bytes of hive bins, pages, flags.
        sound: Whether both hashes are right.
        fits: Whether its pages are whole, in the entry and in the hive bins; ``head`` has none otherwise.
    """

    at: int
    raw: bytes
    head: Entry
    sound: bool
    fits: bool


def entries_of(data: bytes) -> list[Found]:
    """All entries in a row in a log of the new format, sound or not."""
    found, at = [], SECTOR
    while at + 40 <= len(data):
        mark, length, flags, sequence, size, count, first, second = _HEAD.unpack_from(data, at)
        raw = data[at : at + length]
        if mark != b"HvLE" or length < SECTOR or length % SECTOR or len(raw) < length:
            break
        sound = first == marvin32(raw[40:]) and second == marvin32(raw[:32])
        pages, fits = _pages(raw, count, size)
        found.append(Found(at, raw, Entry(sequence, size, pages, flags), sound, fits))
        at += length
    return found


def _pages(raw: bytes, count: int, size: int) -> tuple[list[tuple[int, bytes]], bool]:
    pages, place = [], 40 + 8 * count
    if place > len(raw):
        return [], False
    for offset, part in struct.iter_unpack("<II", raw[40:place]):
        whole = part > 0 and offset % SECTOR == part % SECTOR == 0
        if not whole or offset + part > size or place + part > len(raw):
            return [], False
        pages.append((offset, raw[place : place + part]))
        place += part
    return pages, True


def recover(primary: bytes, logs: Sequence[bytes]) -> bytes:
    """What a hive and its logs stand for, by the rules of the new format; a clean hive is itself.

    For sound base blocks only. It takes the entries of all logs, begins at the first entry of the log with the lowest
    number that is not below the hive's second number, and goes on while the next number is there.
    """
    seq_1, seq_2 = sequences(primary)
    if seq_1 == seq_2:
        return primary
    runs = []
    for data in logs:
        if data[:4] == b"regf" and data[28] == NEW:
            run: list[Found] = []
            for one in entries_of(data):
                following = not run or one.head.sequence == run[-1].head.sequence + 1
                if not (one.sound and one.fits and following) or one.head.size % 4096:
                    break
                run.append(one)
            if run and run[0].head.sequence == sequences(data)[0] >= seq_2:
                runs.append(run)
    runs.sort(key=lambda run: run[0].head.sequence)
    result, last = bytearray(primary), None
    for run in runs:
        for one in run:
            if last is not None and one.head.sequence != last + 1:
                break
            last = one.head.sequence
            result[40:44] = struct.pack("<I", one.head.size)
            result += bytes(max(BASE_BLOCK + one.head.size - len(result), 0))
            for offset, data in one.head.pages:
                result[BASE_BLOCK + offset : BASE_BLOCK + offset + len(data)] = data
    if last is None:
        return primary
    return with_base(bytes(result), sequence_1=last + 1, sequence_2=last + 1, kind=0)


# -- damage -----------------------------------------------------------------------------------------------------------
def damage(data: bytes, number: int, how: str) -> bytes:
    """A log in the new format whose entry ``number`` (from 0) is damaged.

    Args:
        data: The log.
        number: Which entry.
        how: A key of :data:`DAMAGES`; those named ``..., hashed`` have true hashes over what is wrong.
    """
    found = entries_of(data)[number]
    if how == "file cut":
        return data[: found.at + len(found.raw) // 2]
    name, _, hashed = how.partition(", ")
    raw = bytearray(found.raw)
    DAMAGES[how](raw)
    changed = rehashed(bytes(raw)) if hashed else bytes(raw)
    assert changed != found.raw, name
    return data[: found.at] + changed + data[found.at + len(found.raw) :]


def _set(at: int, value: int) -> Callable[[bytearray], None]:
    def change(raw: bytearray) -> None:
        struct.pack_into("<I", raw, at, value)

    return change


def _add(at: int, value: int) -> Callable[[bytearray], None]:
    def change(raw: bytearray) -> None:
        (old,) = struct.unpack_from("<I", raw, at)
        struct.pack_into("<I", raw, at, (old + value) & _MASK)

    return change


def _flip(at: int) -> Callable[[bytearray], None]:
    def change(raw: bytearray) -> None:
        raw[at] ^= 1

    return change


def _torn(raw: bytearray) -> None:
    raw[SECTOR:] = bytes(len(raw) - SECTOR)


DAMAGES: dict[str, Callable[[bytearray], None]] = {
    "file cut": _torn,
    "page bit": _flip(-1),
    "first page bit": _flip(60),
    "hash-1": _flip(24),
    "hash-2": _flip(32),
    "torn": _torn,
    "signature": _flip(0),
    "size zero": _set(4, 0),
    "size odd": _add(4, 8),
    "size huge": _set(4, 0xFFFFFE00),
    "sequence": _add(12, 1),
    "gap, hashed": _add(12, 1),
    "repeated, hashed": _add(12, -1),
    "bins size odd, hashed": _add(16, 512),
    "bins size zero, hashed": _set(16, 0),
    "bins size huge, hashed": _set(16, 0xFFFFF000),
    "count huge, hashed": _set(20, _MASK),
    "count too large, hashed": _add(20, 1000),
    "page far outside, hashed": _set(40, 0xFFFFF000),
    "page size zero, hashed": _set(44, 0),
    "page size huge, hashed": _set(44, 0xFFFFF000),
    "page unaligned, hashed": _add(40, 8),
}
"""What can be wrong with an entry."""

"""Marvin32, the hash over the entries of a hive's transaction logs: of one piece of data, or of many side by side.

The hash is a chain: every word of 32 bits is mixed into the state that the word before it left, by additions,
exclusive ors and rotations. In Python one step costs half a microsecond, whatever the size of the numbers in it, and
logs may hold eight million words. So the states of all entries are packed into one big integer, 64 bits each, and
mixed in lockstep: the same step then serves up to ``_LANES`` entries.

Follows System.Marvin in .NET, with the seed of the "Windows registry file format specification", whose low word comes
first. Only data of whole words occurs in logs: entries are multiples of 512 bytes, and what is hashed of them begins
at byte 0 or 40.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["HashJob", "marvin32", "marvin32_many"]

_SEED = 0x82EF4D887A4E55C5
_WORD = 0xFFFFFFFF
_LANE_BITS = 64
_LANE_BYTES = 8
_LANES = 128
"""States that are mixed together; more would not make a word cheaper."""
_BUFFER = 2 * 1024 * 1024
"""Bytes of words that are laid out for mixing at a time, twice as many as are read."""
_CHUNK_MIN = 4 * 1024
_CHUNK_MAX = 256 * 1024
_END = (0x80, 0)
"""The words that finish the hash of whole words."""


class HashJob(NamedTuple):
    """Data to hash, read piece by piece.

    Attributes:
        read: Returns exactly as many bytes from an offset as are asked for.
        length: Bytes to hash, a multiple of 4.
    """

    read: Callable[[int, int], bytes]
    length: int


def marvin32(data: bytes) -> int:
    """Return the hash of a few bytes, a multiple of 4, as a number of 64 bits."""
    return _finish(*_mix(_SEED & _WORD, _SEED >> 32, data))


def marvin32_many(jobs: Sequence[HashJob]) -> list[int]:
    """Return the hashes of many pieces of data, in their order.

    No more than two megabytes are held at a time. What ``read`` raises comes through.
    """
    # Neighbours in a batch should be about as long as each other: the shorter leave the longer ones alone.
    order = sorted(range(len(jobs)), key=lambda number: jobs[number].length, reverse=True)
    results = [0] * len(jobs)
    for start in range(0, len(order), _LANES):
        batch = order[start : start + _LANES]
        for number, value in zip(batch, _hash_batch([jobs[number] for number in batch]), strict=True):
            results[number] = value
    return results


def _hash_batch(jobs: Sequence[HashJob]) -> list[int]:
    """Hash jobs that are sorted by length, the longest first."""
    active = len(jobs)
    results = [0] * active
    first, second = _spread(_SEED & _WORD, active), _spread(_SEED >> 32, active)
    at = 0
    while active:
        while active and jobs[active - 1].length == at:
            active -= 1
            shift = _LANE_BITS * active
            results[active] = _finish(first >> shift, second >> shift)
            first &= (1 << shift) - 1
            second &= (1 << shift) - 1
        if not active:
            break
        wanted = min(max(_BUFFER // 2 // active, _CHUNK_MIN), _CHUNK_MAX) & ~3
        length = min(jobs[active - 1].length - at, wanted)
        chunks = [job.read(at, length) for job in jobs[:active]]
        if active == 1:
            first, second = _mix(first, second, chunks[0])
        else:
            first, second = _mix_lanes(first, second, chunks, length)
        at += length
    return results


def _mix(first: int, second: int, data: bytes) -> tuple[int, int]:
    # A word times 2**32 + 1 is the word twice, so one right shift rotates it. The last sum of a round is cut off to 32
    # bits in the next one only.
    for word in struct.unpack(f"<{len(data) // 4}I", data):
        first = first + word & 0xFFFFFFFF
        second ^= first
        first = (first * 0x100000001 >> 12) + second & 0xFFFFFFFF
        second = first ^ (second * 0x100000001 >> 23 & 0xFFFFFFFF)
        first = (first * 0x100000001 >> 5) + second
        second = second * 0x100000001 >> 13 & 0xFFFFFFFF
    return first & 0xFFFFFFFF, second


def _mix_lanes(first: int, second: int, chunks: Sequence[bytes], length: int) -> tuple[int, int]:
    """Mix one chunk into each lane; the lower half of a lane is its word, the upper half room for rotating.

    A sum may reach one bit into the upper half, and never into the next lane.
    """
    lanes = len(chunks)
    step = _LANE_BYTES * lanes
    # Word 0 of all lanes, then word 1 of all lanes, each in 8 bytes.
    buffer = bytearray(2 * length * lanes)
    for lane, chunk in enumerate(chunks):
        for byte in range(4):
            buffer[_LANE_BYTES * lane + byte :: step] = chunk[byte::4]
    mask = _spread(_WORD, lanes)
    number = int.from_bytes
    for (words,) in struct.iter_unpack(f"{step}s", buffer):
        first = first + number(words, "little") & mask
        second ^= first
        first = (first * 0x100000001 >> 12 & mask) + second & mask
        second = first ^ (second * 0x100000001 >> 23 & mask)
        first = (first * 0x100000001 >> 5 & mask) + second
        second = second * 0x100000001 >> 13 & mask
    return first & mask, second


def _finish(first: int, second: int) -> int:
    first, second = _mix(first, second, struct.pack("<2I", *_END))
    return second << 32 | first


def _spread(word: int, lanes: int) -> int:
    """The same word in every lane."""
    return int.from_bytes(word.to_bytes(_LANE_BYTES, "little") * lanes, "little")

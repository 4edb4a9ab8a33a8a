"""Changes inside one MFT record: values that grow and shrink, runlists, attributes that go.

All functions take a record whose update sequence is undone and change it in place. Attributes behind the changed one
move; their order, their instances and everything else stay.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vdiskkit.errors import WriteRefusedError

if TYPE_CHECKING:
    from vdiskkit.location import Location

__all__ = [
    "free_record",
    "insert_attribute",
    "next_sequence",
    "put_value",
    "remove_attribute",
    "replace_attribute",
    "replace_pairs",
    "room",
    "set_sizes",
    "take_instance",
    "value_offset",
]

_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_VALUE = struct.Struct("<IH")
_SIZES = struct.Struct("<QQQ")
_IN_USE_AT, _ALLOCATED_AT = 24, 28
_SEQUENCE_AT, _FIRST_AT, _FLAGS_AT, _NEXT_INSTANCE_AT = 16, 20, 22, 40
_INSTANCE_AT = 14
_END = 0xFFFFFFFF
_PAIRS_AT, _HIGHEST_AT, _SIZES_AT = 32, 24, 40


def room(record: bytes | bytearray) -> int:
    """Return how many bytes a record has left."""
    return int(_U32.unpack_from(record, _ALLOCATED_AT)[0] - _U32.unpack_from(record, _IN_USE_AT)[0])


def value_offset(record: bytes | bytearray, offset: int) -> int:
    """Return where in the record the value of the resident attribute at ``offset`` begins."""
    return int(offset + _VALUE.unpack_from(record, offset + 16)[1])


def put_value(record: bytearray, offset: int, value: bytes, where: Location) -> None:
    """Give the resident attribute at ``offset`` another value, of any length that fits.

    Raises:
        WriteRefusedError: The record has no room for it.
    """
    start = _VALUE.unpack_from(record, offset + 16)[1]
    _resize(record, offset, start + len(value), where)
    length = _U32.unpack_from(record, offset + 4)[0]
    _U32.pack_into(record, offset + 16, len(value))
    record[offset + start : offset + length] = value.ljust(length - start, b"\0")


def replace_pairs(record: bytearray, offset: int, pairs: bytes, highest_vcn: int, where: Location) -> None:
    """Give the non-resident attribute at ``offset`` another runlist and highest VCN.

    Raises:
        WriteRefusedError: The record has no room for it.
    """
    start = _U16.unpack_from(record, offset + _PAIRS_AT)[0]
    _resize(record, offset, start + len(pairs), where)
    length = _U32.unpack_from(record, offset + 4)[0]
    record[offset + start : offset + length] = pairs.ljust(length - start, b"\0")
    struct.pack_into("<q", record, offset + _HIGHEST_AT, highest_vcn)


def set_sizes(record: bytearray, offset: int, allocated: int, size: int, initialized: int) -> None:
    """Set the three sizes of the first part of the non-resident attribute at ``offset``."""
    _SIZES.pack_into(record, offset + _SIZES_AT, allocated, size, initialized)


def replace_attribute(record: bytearray, offset: int, attribute: bytes, where: Location) -> None:
    """Put another attribute record, a multiple of 8 bytes long, in the place of the one at ``offset``.

    Raises:
        WriteRefusedError: The record has no room for it.
    """
    _resize(record, offset, len(attribute), where)
    record[offset : offset + len(attribute)] = attribute


def insert_attribute(record: bytearray, attribute: bytes, where: Location) -> None:
    """Put an attribute record, a multiple of 8 bytes long, behind those of its type and of smaller ones.

    Raises:
        WriteRefusedError: The record has no room for it.
    """
    kind = _U32.unpack_from(attribute)[0]
    offset = _U16.unpack_from(record, _FIRST_AT)[0]
    while (there := _U32.unpack_from(record, offset)[0]) <= kind and there != _END:
        offset += _U32.unpack_from(record, offset + 4)[0]
    if len(attribute) > room(record):
        raise _no_room(len(attribute), record, where)
    _move(record, offset, len(attribute))
    record[offset : offset + len(attribute)] = attribute


def take_instance(record: bytearray) -> int:
    """Return a number that no attribute of the record has, and count it as given away."""
    used = set()
    offset = _U16.unpack_from(record, _FIRST_AT)[0]
    while _U32.unpack_from(record, offset)[0] != _END:
        used.add(_U16.unpack_from(record, offset + _INSTANCE_AT)[0])
        offset += _U32.unpack_from(record, offset + 4)[0]
    instance = int(_U16.unpack_from(record, _NEXT_INSTANCE_AT)[0])
    while instance in used:
        instance = (instance + 1) & 0xFFFF
    _U16.pack_into(record, _NEXT_INSTANCE_AT, (instance + 1) & 0xFFFF)
    return instance


def remove_attribute(record: bytearray, offset: int) -> None:
    """Take the attribute at ``offset`` out of the record."""
    length = _U32.unpack_from(record, offset + 4)[0]
    _move(record, offset + length, -length)


def free_record(record: bytearray) -> None:
    """Mark a record as free: flag cleared, sequence number raised. Its content stays, as Windows leaves it."""
    _U16.pack_into(record, _SEQUENCE_AT, next_sequence(_U16.unpack_from(record, _SEQUENCE_AT)[0]))
    _U16.pack_into(record, _FLAGS_AT, _U16.unpack_from(record, _FLAGS_AT)[0] & ~1)


def next_sequence(sequence: int) -> int:
    """Return the sequence number after ``sequence``; 0 is never used."""
    return (sequence + 1) & 0xFFFF or 1


def _resize(record: bytearray, offset: int, wanted: int, where: Location) -> None:
    length = _U32.unpack_from(record, offset + 4)[0]
    wanted = (wanted + 7) & ~7
    if wanted - length > room(record):
        raise _no_room(wanted - length, record, where)
    if wanted != length:
        _move(record, offset + length, wanted - length)
        _U32.pack_into(record, offset + 4, wanted)


def _no_room(missing: int, record: bytearray, where: Location) -> WriteRefusedError:
    return WriteRefusedError(
        f"an attribute would have to grow by {missing} bytes, its MFT record has {room(record)} left; "
        "a new extension record would be needed",
        location=where,
    )


def _move(record: bytearray, start: int, distance: int) -> None:
    """Move everything from ``start`` to the end marker, and keep count of the bytes in use."""
    in_use = _U32.unpack_from(record, _IN_USE_AT)[0]
    tail = bytes(record[start:in_use])
    record[start + distance : in_use + distance] = tail
    if distance < 0:
        record[in_use + distance : in_use] = bytes(-distance)
    _U32.pack_into(record, _IN_USE_AT, in_use + distance)

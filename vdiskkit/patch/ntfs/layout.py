"""Attribute records, MFT records and lines of an $ATTRIBUTE_LIST, made from nothing."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.patch.ntfs.mapping import encode_runs
from vdiskkit.patch.ntfs.surgery import next_sequence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdiskkit.ntfs.record import FileReference
    from vdiskkit.ntfs.runs import Run

__all__ = [
    "Sizes",
    "extension_record",
    "list_entry",
    "non_resident_attribute",
    "pairs_room",
    "resident_attribute",
]

_STRIDE = 512
_USA_AT = 0x30  # where NTFS 3.1 has it, behind the record's number
_END = b"\xff\xff\xff\xff\0\0\0\0"
_HEADER = struct.Struct("<4sHHQHHHHIIQHHI")
_RESIDENT = struct.Struct("<IIBBHHHIHBx")
_NON_RESIDENT = struct.Struct("<IIBBHHHqqHB5xQQQ")
_ENTRY = struct.Struct("<IHBBQQH")
_SEQUENCE_AT = 16
_IN_USE = 1


class Sizes(NamedTuple):
    """The three sizes of a stream, which its first part holds; all 0 in the other parts."""

    allocated: int = 0
    data: int = 0
    initialized: int = 0


def non_resident_attribute(kind: int, name: str, flags: int, instance: int, runs: Sequence[Run], sizes: Sizes) -> bytes:
    """Return one part of a non-resident attribute.

    Args:
        kind: Its type.
        name: Its name.
        flags: Its flags; sparse and compressed ones have a longer header, which is not made here.
        instance: Its number in the record.
        runs: The runs of this part, which say at which VCN it begins.
        sizes: Sizes in bytes, for a part at VCN 0.
    """
    encoded = name.encode("utf-16-le", "surrogatepass")
    lowest = runs[0].vcn if runs else 0
    highest = runs[-1].vcn + runs[-1].clusters - 1 if runs else -1
    start = _pairs_at(name)
    pairs = encode_runs(runs)
    length = _rounded(start + len(pairs))
    header = _NON_RESIDENT.pack(
        kind,
        length,
        1,
        len(encoded) // 2,
        _NON_RESIDENT.size,
        flags,
        instance,
        lowest,
        highest,
        start,
        0,
        *sizes,
    )
    return ((header + encoded).ljust(start, b"\0") + pairs).ljust(length, b"\0")


def resident_attribute(kind: int, instance: int, value: bytes) -> bytes:
    """Return a resident attribute without a name."""
    length = _rounded(_RESIDENT.size + len(value))
    header = _RESIDENT.pack(kind, length, 0, 0, _RESIDENT.size, 0, instance, len(value), _RESIDENT.size, 0)
    return (header + value).ljust(length, b"\0")


def list_entry(kind: int, name: str, lowest_vcn: int, holder: FileReference, instance: int) -> bytes:
    """Return one line of an $ATTRIBUTE_LIST.

    The name's offset is told without a name too: Windows fails to open a file whose lines say otherwise.
    """
    encoded = name.encode("utf-16-le", "surrogatepass")
    length = _rounded(_ENTRY.size + len(encoded))
    reference = holder.number | holder.sequence << 48
    entry = _ENTRY.pack(kind, length, len(encoded) // 2, _ENTRY.size, lowest_vcn, reference, instance)
    return (entry + encoded).ljust(length, b"\0")


def pairs_room(record_size: int, name: str) -> int:
    """Return how many bytes of mapping pairs, end marker included, an extension record for one part has room for."""
    return record_size - _first_at(record_size) - len(_END) - _pairs_at(name)


def extension_record(free: bytes | bytearray, number: int, base: FileReference, attribute: bytes) -> bytearray:
    """Return the extension record that takes the place of a free record.

    Its sequence number was raised when it was freed, so it stays; so does the update sequence number.

    Args:
        free: The free record, its update sequence undone.
        number: Its number.
        base: The file.
        attribute: The only attribute, which has instance 0.
    """
    size = len(free)
    first = _first_at(size)
    usa_at = struct.unpack_from("<H", free, 4)[0]
    update, sequence = free[usa_at : usa_at + 2], struct.unpack_from("<H", free, _SEQUENCE_AT)[0]
    log_number = struct.unpack_from("<Q", free, 8)[0]
    in_use = first + len(attribute) + len(_END)
    record = bytearray(size)
    _HEADER.pack_into(
        record,
        0,
        b"FILE",
        _USA_AT,
        1 + size // _STRIDE,
        log_number,
        sequence or next_sequence(sequence),
        0,
        first,
        _IN_USE,
        in_use,
        size,
        base.number | base.sequence << 48,
        1,
        number >> 32,
        number & 0xFFFF_FFFF,
    )
    record[_USA_AT : _USA_AT + 2] = update
    record[first:in_use] = attribute + _END
    return record


def _pairs_at(name: str) -> int:
    return _rounded(_NON_RESIDENT.size + len(name.encode("utf-16-le", "surrogatepass")))


def _first_at(record_size: int) -> int:
    return _rounded(_USA_AT + 2 * (1 + record_size // _STRIDE))


def _rounded(length: int) -> int:
    return (length + 7) & ~7

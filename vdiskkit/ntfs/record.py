"""MFT records: update sequence (fixups), header and the chain of attributes.

Pure parsers over bytes, total on any input: they return or raise :class:`CorruptStructureError`. The checks follow
ntfs-3g's ``mst.c``, ``ntfs_mft_record_check`` and ``ntfs_attr_inconsistent``.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import CorruptStructureError

if TYPE_CHECKING:
    from vdiskkit.location import Location

__all__ = ["Attribute", "FileReference", "MftRecord", "apply_fixups", "parse_record"]

STANDARD_INFORMATION = 0x10
ATTRIBUTE_LIST = 0x20
FILE_NAME = 0x30
VOLUME_NAME = 0x60
VOLUME_INFORMATION = 0x70
DATA = 0x80
INDEX_ROOT = 0x90
INDEX_ALLOCATION = 0xA0
BITMAP = 0xB0
REPARSE_POINT = 0xC0

COMPRESSION_MASK = 0x00FF
ENCRYPTED = 0x4000
SPARSE = 0x8000

_END = 0xFFFFFFFF
_STRIDE = 512  # the distance of update sequence words, whatever the sector size
_USA = struct.Struct("<HH")
_HEADER = struct.Struct("<16xHHHHIIQ")
_COMMON = struct.Struct("<IIBBHHH")
_RESIDENT = struct.Struct("<IH")
_NON_RESIDENT = struct.Struct("<QQHB5xQQQ")
_U64 = struct.Struct("<Q")
_MIN_LENGTH = 24
_NON_RESIDENT_LENGTH = 64


class FileReference(NamedTuple):
    """A record number and the sequence number that the record must still have."""

    number: int
    sequence: int

    @classmethod
    def decode(cls, value: int) -> FileReference:
        """Split the 64-bit form that is stored on disk."""
        return cls(value & 0xFFFF_FFFF_FFFF, value >> 48)


class Attribute:
    """One attribute as it stands in one record; a large stream is described by several of them."""

    __slots__ = (
        "allocated_size",
        "compressed_size",
        "compression_unit",
        "data_size",
        "flags",
        "highest_vcn",
        "initialized_size",
        "instance",
        "lowest_vcn",
        "name",
        "pairs",
        "resident",
        "type",
        "value",
    )

    def __init__(self, kind: int, name: str, flags: int, instance: int) -> None:
        self.type = kind
        self.name = name
        self.flags = flags
        self.instance = instance
        self.resident = True
        self.value = b""
        self.lowest_vcn = 0
        self.highest_vcn = -1
        self.pairs = b""
        self.compression_unit = 0
        self.allocated_size = 0
        self.data_size = 0
        self.initialized_size = 0
        self.compressed_size = 0

    def __repr__(self) -> str:
        kind = "resident" if self.resident else f"vcn {self.lowest_vcn}-{self.highest_vcn}"
        return f"<Attribute {self.type:#x} {self.name!r} {kind}>"


class MftRecord:
    """One record of $MFT, checked. ``attributes`` is empty when the record is not in use."""

    __slots__ = ("attributes", "base", "in_use", "is_directory", "link_count", "number", "sequence")

    def __init__(
        self, number: int, sequence: int, link_count: int, flags: int, base: FileReference, attributes: list[Attribute]
    ) -> None:
        self.number = number
        self.sequence = sequence
        self.link_count = link_count
        self.in_use = bool(flags & 1)
        self.is_directory = bool(flags & 2)
        self.base = base
        self.attributes = attributes

    def __repr__(self) -> str:
        return f"<MftRecord {self.number}#{self.sequence}>"

    def first(self, kind: int, name: str = "") -> Attribute | None:
        """Return the first attribute of that type and name in this record alone."""
        for attribute in self.attributes:
            if attribute.type == kind and attribute.name == name:
                return attribute
        return None


def apply_fixups(block: bytes, magic: bytes, what: str, location: Location) -> bytes:
    """Check the signature and undo the update sequence of a FILE, INDX or RSTR block.

    Raises:
        CorruptStructureError: Wrong signature, impossible update sequence array, or a torn block.
    """
    if block[:4] != magic:
        found = block[:4]
        why = "chkdsk marked it bad" if found == b"BAAD" else f"its signature is {found.hex()}"
        raise CorruptStructureError(f"{what} is damaged: {why}, not {magic.decode()}", location=location)
    size = len(block)
    offset, count = _USA.unpack_from(block, 4)
    if offset % 2 or offset < 8 or count != 1 + size // _STRIDE or offset + 2 * count > _STRIDE - 2:
        raise CorruptStructureError(
            f"{what} is damaged: impossible update sequence array ({count} words at {offset:#x})", location=location
        )
    fixed = bytearray(block)
    stamp = block[offset : offset + 2]
    for position in range(_STRIDE - 2, size, _STRIDE):
        if block[position : position + 2] != stamp:
            raise CorruptStructureError(
                f"{what} is torn: sector {position // _STRIDE} was not written together with the others",
                location=location,
                hint="run chkdsk on the volume",
            )
        offset += 2
        fixed[position : position + 2] = block[offset : offset + 2]
    return bytes(fixed)


def parse_record(block: bytes, number: int, location: Location) -> MftRecord:
    """Check and decode one MFT record.

    Args:
        block: The record as read from disk, a multiple of 512 bytes.
        number: Its record number.
        location: Its address.

    Raises:
        CorruptStructureError: Signature, fixups, sizes or the chain of attributes are wrong.
    """
    data = apply_fixups(block, b"FILE", "the MFT record", location)
    sequence, links, first, flags, in_use, allocated, base = _HEADER.unpack_from(data)
    if allocated != len(data):
        raise _broken(f"allocated size is {allocated:#x} bytes, not {len(data):#x}", location)
    if in_use > allocated or in_use % 4:
        raise _broken(f"bytes in use are {in_use:#x} of {allocated:#x}", location)
    attributes: list[Attribute] = []
    if flags & 1:
        if first % 8 or not 0x28 <= first < in_use:
            raise _broken(f"the first attribute is said to be at {first:#x}", location)
        attributes = _parse_attributes(data, first, in_use, location)
    return MftRecord(number, sequence, links, flags, FileReference.decode(base), attributes)


def _parse_attributes(data: bytes, offset: int, in_use: int, location: Location) -> list[Attribute]:
    attributes: list[Attribute] = []
    previous = 0
    while True:
        if offset + 4 > in_use:
            raise _broken("the chain of attributes has no end marker", location)
        if data[offset : offset + 4] == b"\xff\xff\xff\xff":
            return attributes
        if offset + _MIN_LENGTH > in_use:
            raise _broken(f"an attribute at {offset:#x} has no room for its header", location)
        kind, length, non_resident, name_length, name_offset, flags, instance = _COMMON.unpack_from(data, offset)
        if length < _MIN_LENGTH or length % 8 or offset + length > in_use:
            raise _broken(f"the attribute at {offset:#x} is said to have {length:#x} bytes", location)
        if kind < previous or not kind or kind % 16:
            raise _broken(f"the attribute at {offset:#x} has type {kind:#x} after {previous:#x}", location)
        previous = kind
        name = ""
        if name_length:
            end = name_offset + 2 * name_length
            if name_offset < _MIN_LENGTH or end > length:
                raise _broken(f"the name of the attribute at {offset:#x} lies outside of it", location)
            name = data[offset + name_offset : offset + end].decode("utf-16-le", "surrogatepass")
        attribute = Attribute(kind, name, flags, instance)
        if non_resident == 0:
            _fill_resident(attribute, data, offset, length, location)
        elif non_resident == 1:
            _fill_non_resident(attribute, data, offset, length, location)
        else:
            raise _broken(f"the attribute at {offset:#x} has form {non_resident}", location)
        attributes.append(attribute)
        offset += length


def _fill_resident(attribute: Attribute, data: bytes, offset: int, length: int, location: Location) -> None:
    size, start = _RESIDENT.unpack_from(data, offset + 16)
    if size and (start < _MIN_LENGTH or start + size > length):
        raise _broken(f"the value of the attribute at {offset:#x} lies outside of it", location)
    attribute.value = data[offset + start : offset + start + size]
    attribute.data_size = attribute.initialized_size = size


def _fill_non_resident(attribute: Attribute, data: bytes, offset: int, length: int, location: Location) -> None:
    if length < _NON_RESIDENT_LENGTH:
        raise _broken(f"the attribute at {offset:#x} has no room for its header", location)
    lowest, highest, pairs, unit, allocated, size, initialized = _NON_RESIDENT.unpack_from(data, offset + 16)
    if not _NON_RESIDENT_LENGTH <= pairs < length:
        raise _broken(f"the runlist of the attribute at {offset:#x} lies outside of it", location)
    # An empty stream has highest VCN -1.
    highest = -1 if highest == 0xFFFF_FFFF_FFFF_FFFF else highest
    if lowest >> 63 or highest >= 1 << 63 or highest < lowest - 1:
        raise _broken(f"the attribute at {offset:#x} spans VCN {lowest:#x} to {highest:#x}", location)
    attribute.resident = False
    attribute.lowest_vcn = lowest
    attribute.highest_vcn = highest
    attribute.pairs = data[offset + pairs : offset + length]
    attribute.compression_unit = unit
    attribute.allocated_size = allocated
    attribute.data_size = size
    attribute.initialized_size = initialized
    attribute.compressed_size = allocated
    if lowest == 0 and attribute.flags & (COMPRESSION_MASK | SPARSE) and pairs >= _NON_RESIDENT_LENGTH + 8:
        attribute.compressed_size = _U64.unpack_from(data, offset + _NON_RESIDENT_LENGTH)[0]


def _broken(why: str, location: Location) -> CorruptStructureError:
    return CorruptStructureError(
        f"the MFT record is damaged: {why}", location=location, hint="run chkdsk on the volume"
    )

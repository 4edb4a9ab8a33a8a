"""$ATTRIBUTE_LIST: which records hold the attributes of a file that needs more than one."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import CorruptStructureError
from vdiskkit.ntfs.record import ATTRIBUTE_LIST, FileReference

if TYPE_CHECKING:
    from vdiskkit.location import Location

__all__ = ["ListEntry", "parse_attribute_list"]

_ENTRY = struct.Struct("<IHBBQQH")
_MIN_ENTRY = 26


class ListEntry(NamedTuple):
    """One line of an $ATTRIBUTE_LIST: which record holds which part of which attribute."""

    type: int
    name: str
    lowest_vcn: int
    reference: FileReference
    instance: int


def parse_attribute_list(data: bytes, location: Location) -> list[ListEntry]:
    """Decode the value of an $ATTRIBUTE_LIST.

    Raises:
        CorruptStructureError: An entry lies outside, has no length, or names the list itself.
    """
    entries = []
    offset = 0
    while offset < len(data):
        if offset + _MIN_ENTRY > len(data):
            raise _bad_list(f"there is no room for an entry at {offset:#x}", location)
        kind, length, name_length, name_offset, lowest_vcn, reference, instance = _ENTRY.unpack_from(data, offset)
        end = name_offset + 2 * name_length
        if length < _MIN_ENTRY or length % 8 or offset + length > len(data):
            raise _bad_list(f"the entry at {offset:#x} is said to have {length:#x} bytes", location)
        if name_length and (name_offset < _MIN_ENTRY or end > length):
            raise _bad_list(f"the name of the entry at {offset:#x} lies outside of it", location)
        if kind == ATTRIBUTE_LIST:
            raise _bad_list("it names itself", location)
        name = data[offset + name_offset : offset + end].decode("utf-16-le", "surrogatepass") if name_length else ""
        entries.append(ListEntry(kind, name, lowest_vcn, FileReference.decode(reference), instance))
        offset += length
    return entries


def _bad_list(why: str, location: Location) -> CorruptStructureError:
    return CorruptStructureError(
        f"an attribute list is damaged: {why}", location=location, hint="run chkdsk on the volume"
    )

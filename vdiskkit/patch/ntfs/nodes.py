"""Nodes of an NTFS index: the entries of the root or of one index block, taken apart and put together again.

The entries are kept as bytes, so that an entry that only moves keeps every byte: key, data of view indexes, padding.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vdiskkit.errors import CorruptStructureError

if TYPE_CHECKING:
    from vdiskkit.location import Location

__all__ = ["BLOCK_HEADER", "INDEX_HEADER", "Entry", "Node", "new_block", "parse_node"]

BLOCK_HEADER = 24
INDEX_HEADER = 16
_HEADER = struct.Struct("<IIIB3x")
_ENTRY = struct.Struct("<8xHHH2x")
_VCN = struct.Struct("<Q")
_SUBNODE, _LAST = 1, 2
_MIN_ENTRY = 16
_USA_OFFSET = 0x28
_STRIDE = 512


class Entry:
    """One entry: ``body`` without the trailing VCN, and the VCN of the subnode or None."""

    __slots__ = ("body", "subnode")

    def __init__(self, body: bytes, subnode: int | None = None) -> None:
        self.body = body
        self.subnode = subnode

    @property
    def last(self) -> bool:
        """Whether this is the end entry, which has no key."""
        return bool(_ENTRY.unpack_from(self.body)[2] & _LAST)

    @property
    def key(self) -> bytes:
        """The key."""
        return self.body[_MIN_ENTRY : _MIN_ENTRY + _ENTRY.unpack_from(self.body)[1]]

    @property
    def reference(self) -> int:
        """The file reference of an entry in a directory, as stored."""
        return int(_VCN.unpack_from(self.body)[0])

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return len(self.body) + (8 if self.subnode is not None else 0)

    def with_subnode(self, subnode: int | None) -> Entry:
        """Return the same entry over another subnode."""
        return Entry(self.body, subnode)

    def encode(self) -> bytes:
        """Return the bytes on disk."""
        entry = bytearray(self.body)
        flags = _ENTRY.unpack_from(entry)[2] & ~_SUBNODE
        struct.pack_into("<H", entry, 8, self.size)
        struct.pack_into("<H", entry, 12, flags if self.subnode is None else flags | _SUBNODE)
        if self.subnode is not None:
            entry += _VCN.pack(self.subnode)
        return bytes(entry)


class Node:
    """Entries in order; the last one is the end entry.

    Attributes:
        vcn: VCN of the block, None for the root.
        head: What stands before the entries: block header with update sequence, index header.
        header_at: Where the index header is in ``head``.
        entries: The entries.
    """

    __slots__ = ("entries", "head", "header_at", "vcn")

    def __init__(self, vcn: int | None, head: bytes, header_at: int, entries: list[Entry]) -> None:
        self.vcn = vcn
        self.head = head
        self.header_at = header_at
        self.entries = entries

    @property
    def leaf(self) -> bool:
        """Whether nothing is below it."""
        return self.entries[-1].subnode is None

    @property
    def empty(self) -> bool:
        """Whether it has no entry but the end entry."""
        return len(self.entries) == 1

    @property
    def size(self) -> int:
        """Bytes on disk, header included."""
        return len(self.head) + sum(entry.size for entry in self.entries)

    def encode(self, block_size: int | None = None) -> bytes:
        """Return the bytes on disk, padded to a whole block, with the update sequence still undone."""
        data = bytearray(self.head) + b"".join(entry.encode() for entry in self.entries)
        first, _, allocated, flags = _HEADER.unpack_from(self.head, self.header_at)
        used = len(data) - self.header_at
        flags = flags & ~1 | (0 if self.leaf else 1)
        _HEADER.pack_into(data, self.header_at, first, used, used if block_size is None else allocated, flags)
        return bytes(data.ljust(block_size or 0, b"\0"))


def new_block(vcn: int, block_size: int) -> Node:
    """Return an index block with nothing but an end entry."""
    words = 1 + block_size // _STRIDE
    first = (_USA_OFFSET + 2 * words + 7) & ~7
    head = bytearray(first)
    struct.pack_into("<4sHHQQ", head, 0, b"INDX", _USA_OFFSET, words, 0, vcn)
    _HEADER.pack_into(head, BLOCK_HEADER, first - BLOCK_HEADER, 0, block_size - BLOCK_HEADER, 0)
    return Node(vcn, bytes(head), BLOCK_HEADER, [Entry(struct.pack("<8xHHH2x", _MIN_ENTRY, 0, _LAST))])


def parse_node(data: bytes, header_at: int, vcn: int | None, location: Location) -> Node:
    """Take a node apart: the value of $INDEX_ROOT, or an index block with its update sequence undone.

    Raises:
        CorruptStructureError: Header or entries are wrong, or leaf and inner entries are mixed.
    """
    if header_at + _HEADER.size > len(data):
        raise _broken("it has no header", location)
    first, used, allocated, flags = _HEADER.unpack_from(data, header_at)
    if first % 8 or first < INDEX_HEADER or not first < used <= allocated or header_at + allocated > len(data):
        raise _broken(f"entries from {first:#x} to {used:#x} of {allocated:#x} bytes", location)
    if vcn is not None:
        usa, words = struct.unpack_from("<HH", data, 4)
        if header_at + first < usa + 2 * words or header_at + allocated != len(data):
            raise _broken("its header contradicts its update sequence array or size", location)
        own = _VCN.unpack_from(data, 16)[0]
        if own != vcn:
            raise _broken(f"the block at VCN {vcn:#x} says it is at {own:#x}", location)
    start = header_at + first
    node = Node(vcn, data[:start], header_at, _parse_entries(data, start, header_at + used, location))
    if any((entry.subnode is None) != node.leaf for entry in node.entries) or bool(flags & 1) == node.leaf:
        raise _broken("some of its entries have subnodes, others have not", location)
    return node


def _parse_entries(data: bytes, offset: int, end: int, location: Location) -> list[Entry]:
    entries = []
    while True:
        if offset + _MIN_ENTRY > end:
            raise _broken("it has no end entry", location)
        length, key_length, flags = _ENTRY.unpack_from(data, offset)
        room = length - 8 if flags & _SUBNODE else length
        if length % 8 or room < _MIN_ENTRY or offset + length > end:
            raise _broken(f"an entry is said to have {length:#x} bytes", location)
        if not flags & _LAST and not 0 < key_length <= room - _MIN_ENTRY:
            raise _broken(f"a key is said to have {key_length:#x} bytes", location)
        subnode = _VCN.unpack_from(data, offset + room)[0] if flags & _SUBNODE else None
        entries.append(Entry(data[offset : offset + room], subnode))
        offset += length
        if flags & _LAST:
            if offset != end:
                raise _broken("something follows its end entry", location)
            return entries


def _broken(why: str, location: Location) -> CorruptStructureError:
    return CorruptStructureError(f"an index is damaged: {why}", location=location, hint="run chkdsk on the volume")

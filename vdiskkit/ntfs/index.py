"""Directory indexes: the B-tree of $FILE_NAME keys in $INDEX_ROOT and $INDEX_ALLOCATION, named $I30.

The tree is walked as NTFS walks it, from the root down: blocks that are free according to the index bitmap hold names
of deleted files and are never looked at. Every block is checked before use (ntfs-3g's ``ntfs_index_block_inconsistent``
and ``ntfs_index_entry_inconsistent``), and no path through the tree is deeper than 32 blocks or meets a block twice.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import CorruptStructureError, FormatError
from vdiskkit.ntfs.attributes import FileName, parse_file_name
from vdiskkit.ntfs.boot import MAX_INDEX_BLOCK_SIZE
from vdiskkit.ntfs.record import BITMAP, FILE_NAME, INDEX_ALLOCATION, INDEX_ROOT, FileReference, apply_fixups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vdiskkit.location import Location
    from vdiskkit.ntfs.collation import Collation
    from vdiskkit.ntfs.mft import Mft
    from vdiskkit.ntfs.record import MftRecord
    from vdiskkit.ntfs.streams import AttributeSource

__all__ = ["DirectoryIndex", "IndexEntry", "NodeCache"]

NAME = "$I30"
MAX_DEPTH = 32
_CACHED_NODES = 128
_COLLATION_FILE_NAME = 1
_POSIX = 0

_ROOT = struct.Struct("<IIIB3x")
_HEADER = struct.Struct("<IIIB3x")
_ENTRY = struct.Struct("<QHHH2x")
_U64 = struct.Struct("<Q")
_USA = struct.Struct("<HH")
_SUBNODE, _LAST = 1, 2
_NAME_START = 66  # of the name inside a $FILE_NAME key
_BLOCK_HEADER = 24  # of an index block, in front of the index header


class IndexEntry(NamedTuple):
    """One name in a directory and the file it stands for."""

    reference: FileReference
    key: FileName


_Entry = tuple[int, str | None, int | None]
"""Offset of the entry, name (None: the end entry), VCN of the subnode or None."""


class _Node(NamedTuple):
    """Entries of one block, or of the root; the last one is the end entry."""

    data: bytes
    entries: list[_Entry]
    location: Location


class NodeCache:
    """Index blocks of one volume that were checked already: few, since one look-up needs only a handful."""

    __slots__ = ("_nodes",)

    def __init__(self) -> None:
        self._nodes: dict[tuple[int, int], _Node] = {}

    def get(self, key: tuple[int, int]) -> _Node | None:
        """Return the block of a directory's record number and VCN, None when it is not kept."""
        return self._nodes.get(key)

    def put(self, key: tuple[int, int], node: _Node) -> None:
        """Keep a block."""
        if len(self._nodes) >= _CACHED_NODES:
            self._nodes.clear()
        self._nodes[key] = node


class DirectoryIndex:
    """The index of one directory.

    Args:
        mft: The table that the directory's record comes from.
        record: The directory's base record.
        collation: How names are compared.
        nodes: Where checked blocks are kept.
        cluster_size: Bytes in a cluster.
        location: The address of the directory.

    Raises:
        CorruptStructureError: The directory has no index, or its root is damaged.
    """

    def __init__(
        self,
        mft: Mft,
        record: MftRecord,
        collation: Collation,
        nodes: NodeCache,
        cluster_size: int,
        location: Location,
    ) -> None:
        self._collation = collation
        self._location = location
        root = next(mft.attributes(record, INDEX_ROOT, NAME), None)
        if root is None or not root.resident:
            raise CorruptStructureError("the directory has no index root", location=location)
        value = root.value
        if len(value) < _ROOT.size + _HEADER.size:
            raise CorruptStructureError(f"the index root has only {len(value)} bytes", location=location)
        kind, rule, block_size, _ = _ROOT.unpack_from(value)
        if kind != FILE_NAME or rule != _COLLATION_FILE_NAME:
            raise CorruptStructureError(
                f"the index of the directory orders attribute {kind:#x} by rule {rule}", location=location
            )
        if block_size & (block_size - 1) or not 512 <= block_size <= MAX_INDEX_BLOCK_SIZE:
            raise CorruptStructureError(f"an index block of {block_size} bytes is impossible", location=location)
        self._block_size = block_size
        # Subnodes are counted in clusters, or in units of 512 bytes when a cluster is larger than a block.
        self._unit = cluster_size if cluster_size <= block_size else 512
        self._root = _parse_node(value, _ROOT.size, len(value), location)
        self._mft, self._record = mft, record
        self._opened: tuple[AttributeSource, AttributeSource] | None = None
        self._nodes = nodes

    def lookup(self, name: str) -> IndexEntry | None:
        """Find a name, whatever its case; where names differ in case only, the exact one wins.

        Raises:
            CorruptStructureError: The tree is damaged on the way to the name.
        """
        node, depth, seen = self._root, 0, set[int]()
        while True:
            position, equal = self._position(node, name)
            offset, entry_name, subnode = node.entries[position]
            if equal:
                entry = self._entry(node, offset)
                if entry_name != name and entry.key.namespace == _POSIX:
                    return self._exact(name) or entry
                return entry
            if subnode is None:
                return None
            depth += 1
            node = self._child(subnode, depth, seen, node.location)

    def _position(self, node: _Node, name: str) -> tuple[int, bool]:
        """Return the first entry that does not sort before ``name``, and whether it is equal."""
        compare = self._collation.compare
        low, high = 0, len(node.entries) - 1  # the last one is the end entry, behind every name
        equal = False
        while low < high:
            middle = (low + high) // 2
            order = compare(node.entries[middle][1] or "", name)
            if order < 0:
                low = middle + 1
            else:
                high = middle
                equal = not order
        return low, equal

    def entries(self, damaged: Callable[[FormatError], None] | None = None) -> Iterator[IndexEntry]:
        """Yield all names in their order.

        Args:
            damaged: Called with each fault that was met; the walk goes on behind it. None: the fault is raised.

        Raises:
            CorruptStructureError: The tree is damaged and ``damaged`` was not given.
        """
        yield from self._walk(self._root, 0, set(), damaged)

    def _walk(
        self, node: _Node, depth: int, seen: set[int], damaged: Callable[[FormatError], None] | None
    ) -> Iterator[IndexEntry]:
        for offset, name, subnode in node.entries:
            if subnode is not None:
                try:
                    child = self._child(subnode, depth + 1, seen, node.location, damaged)
                except FormatError as fault:
                    if damaged is None:
                        raise
                    damaged(fault)
                else:
                    yield from self._walk(child, depth + 1, seen, damaged)
            if name is not None:
                try:
                    entry = self._entry(node, offset)
                except FormatError as fault:
                    if damaged is None:
                        raise
                    damaged(fault)
                else:
                    yield entry

    def _exact(self, name: str) -> IndexEntry | None:
        # Names of the POSIX namespace may differ in case only; they stand side by side in the order of the tree.
        return self._exact_in(self._root, name, 0, set())

    def _exact_in(self, node: _Node, name: str, depth: int, seen: set[int]) -> IndexEntry | None:
        for offset, entry_name, subnode in node.entries:
            order = 1 if entry_name is None else self._collation.compare(entry_name, name)
            if order < 0:
                continue
            if entry_name == name:
                return self._entry(node, offset)
            if subnode is not None:
                found = self._exact_in(self._child(subnode, depth + 1, seen, node.location), name, depth + 1, seen)
                if found is not None:
                    return found
            if order > 0:
                return None
        return None

    def _entry(self, node: _Node, offset: int) -> IndexEntry:
        reference, _, key_length, _ = _ENTRY.unpack_from(node.data, offset)
        start = offset + _ENTRY.size
        key = parse_file_name(node.data[start : start + key_length], node.location)
        if key.parent.number != self._record.number:
            raise _broken(f"{key.name} belongs to directory {key.parent.number}", node.location)
        return IndexEntry(FileReference.decode(reference), key)

    def _child(
        self,
        vcn: int,
        depth: int,
        seen: set[int],
        parent: Location,
        damaged: Callable[[FormatError], None] | None = None,
    ) -> _Node:
        if depth > MAX_DEPTH:
            raise CorruptStructureError(f"the index tree is deeper than {MAX_DEPTH} blocks", location=parent)
        if vcn in seen:
            raise CorruptStructureError(f"the index tree leads to block {vcn:#x} twice", location=parent)
        seen.add(vcn)
        key = self._record.number, vcn
        node = self._nodes.get(key)
        if node is None:
            node = self._read_node(vcn, damaged)
            if node.entries and node.entries[-1][1] is None:  # whole: it has its end entry
                self._nodes.put(key, node)
        return node

    def _read_node(self, vcn: int, damaged: Callable[[FormatError], None] | None) -> _Node:
        where = self._location.at("index", vcn)
        allocation, bitmap = self._allocation()
        size = self._block_size
        offset = vcn * self._unit
        if offset % size or offset + size > allocation.size:
            raise CorruptStructureError(f"the index tree leads to block {vcn:#x}, which does not exist", location=where)
        number = offset // size
        if number // 8 >= bitmap.size or not bitmap.read_at(number // 8, 1)[0] >> number % 8 & 1:
            raise CorruptStructureError(
                f"the index tree leads to block {vcn:#x}, which is free",
                location=where,
                hint="run chkdsk on the volume",
            )
        data = apply_fixups(allocation.read_at(offset, size), b"INDX", "the index block", where)
        own = _U64.unpack_from(data, 16)[0]
        if own != vcn:
            raise CorruptStructureError(f"the index block at {vcn:#x} says it is block {own:#x}", location=where)
        return _parse_node(data, _BLOCK_HEADER, size, where, damaged)

    def _allocation(self) -> tuple[AttributeSource, AttributeSource]:
        if self._opened is None:
            allocation = self._mft.open(self._record, INDEX_ALLOCATION, NAME, self._location.at("index", "blocks"))
            bitmap = self._mft.open(self._record, BITMAP, NAME, self._location.at("index", "bitmap"))
            if allocation is None or bitmap is None:
                raise CorruptStructureError(
                    "the index root has subnodes, but the directory has no index blocks", location=self._location
                )
            self._opened = allocation, bitmap
        return self._opened


def _parse_node(
    data: bytes,
    header: int,
    limit: int,
    location: Location,
    damaged: Callable[[FormatError], None] | None = None,
) -> _Node:
    """Check an index header and the entries behind it.

    Args:
        data: The block, or the value of the index root.
        header: Where the index header is in it.
        limit: Where the block ends.
        location: Its address.
        damaged: Called with the fault of an entry; the entries before it are returned. None: the fault is raised.
    """
    first, used, allocated, _ = _HEADER.unpack_from(data, header)
    in_block = header == _BLOCK_HEADER
    if in_block and header + allocated != limit:
        raise _broken(f"it has room for {allocated:#x} bytes", location)
    if first % 8 or first < _HEADER.size or used > allocated or header + used > limit or first > used:
        raise _broken(f"entries from {first:#x} to {used:#x} of {limit - header:#x} bytes", location)
    if in_block:
        usa, words = _USA.unpack_from(data, 4)
        if header + first < usa + 2 * words:
            raise _broken("its entries overlap the update sequence array", location)
    entries: list[_Entry] = []
    try:
        _parse_entries(data, header + first, header + used, location, entries)
    except CorruptStructureError as fault:
        if damaged is None:
            raise
        damaged(fault)
    return _Node(data, entries, location)


def _parse_entries(data: bytes, offset: int, end: int, location: Location, entries: list[_Entry]) -> None:
    """Append the entries up to the end entry, the last one appended."""
    unpack = _ENTRY.unpack_from
    while True:
        if offset + _ENTRY.size > end:
            raise _broken("it has no end entry", location)
        _, length, key_length, flags = unpack(data, offset)
        key_end = _ENTRY.size + key_length
        room = length - 8 if flags & _SUBNODE else length
        if length % 8 or room < _ENTRY.size or offset + length > end:
            raise _broken(f"the entry at {offset:#x} is said to have {length:#x} bytes", location)
        subnode = _U64.unpack_from(data, offset + length - 8)[0] if flags & _SUBNODE else None
        if flags & _LAST:
            entries.append((offset, None, subnode))
            return
        if key_end > room or key_length < _NAME_START:
            raise _broken(f"the key of the entry at {offset:#x} has {key_length:#x} bytes", location)
        start = offset + _ENTRY.size + _NAME_START
        stop = start + 2 * data[start - 2]
        if stop > offset + key_end or stop == start:
            raise _broken(f"the name of the entry at {offset:#x} lies outside of it", location)
        entries.append((offset, data[start:stop].decode("utf-16-le", "surrogatepass"), subnode))
        offset += length


def _broken(why: str, location: Location) -> CorruptStructureError:
    return CorruptStructureError(
        f"the index of the directory is damaged: {why}", location=location, hint="run chkdsk on the volume"
    )

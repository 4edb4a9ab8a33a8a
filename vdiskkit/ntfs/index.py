"""Directory indexes: the B-tree of $FILE_NAME keys in $INDEX_ROOT and $INDEX_ALLOCATION, named $I30.

The tree is walked as NTFS walks it, from the root down: blocks that are free according to the index bitmap hold names
of deleted files and are never looked at. Every block is checked before use (ntfs-3g's ``ntfs_index_block_inconsistent``
and ``ntfs_index_entry_inconsistent``), and no path through the tree is deeper than it can be or meets a
block twice.

That a name is not there follows from the order of the others. So every block on the way to a name must be in order, and
must lie between the entries that lead to it; the two entries that the name would stand between are told, for whoever
asks to hold them against their files.
"""

from __future__ import annotations

import struct
from itertools import pairwise
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

__all__ = ["Absence", "DirectoryIndex", "IndexEntry", "NodeCache"]

NAME = "$I30"
MAX_DEPTH = 32
"""Blocks on a way below the root. Each has an entry, so each above the leaves has two subnodes: a tree that is deeper
has more names than a volume has files, which are 2**32 at most."""
_CACHED_NODES = 128
_COLLATION_FILE_NAME = 1
_POSIX = 0

_ROOT = struct.Struct("<IIIB3x")
_HEADER = struct.Struct("<IIIB3x")
_ENTRY = struct.Struct("<QHHH2x")
_U64 = struct.Struct("<Q")
_USA = struct.Struct("<HH")
_SUBNODE, _LAST = 1, 2  # of an entry
_HAS_SUBNODES = 1  # of an index header
_NAME_START = 66  # of the name inside a $FILE_NAME key
_BLOCK_HEADER = 24  # of an index block, in front of the index header


class IndexEntry(NamedTuple):
    """One name in a directory and the file it stands for."""

    reference: FileReference
    key: FileName


class Absence(NamedTuple):
    """A name that a directory does not have: the entries that it would stand between, one or none at either end."""

    neighbours: tuple[IndexEntry, ...]


_Entry = tuple[int, str | None, int | None]
"""Offset of the entry, name (None: the end entry), VCN of the subnode or None."""


class _Node(NamedTuple):
    """Entries of one block, or of the root; the last one is the end entry."""

    data: bytes
    entries: list[_Entry]
    location: Location


class _Place(NamedTuple):
    """An entry that was passed on the way down."""

    node: _Node
    position: int

    @property
    def offset(self) -> int:
        return self.node.entries[self.position][0]

    @property
    def name(self) -> str:
        return self.node.entries[self.position][1] or ""


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
        self._in_order: set[Location] = set()  # blocks whose order was checked

    def lookup(self, name: str) -> IndexEntry | Absence:
        """Find a name, whatever its case; where names differ in case only, the exact one wins.

        Raises:
            CorruptStructureError: The tree is damaged on the way to the name.
        """
        found = self._descend(name, self._collation.compare)
        if isinstance(found, IndexEntry) and found.key.name != name and found.key.namespace == _POSIX:
            exact = self._descend(name, self._collation.order)
            return exact if isinstance(exact, IndexEntry) else found
        return found

    def _descend(self, name: str, compare: Callable[[str, str], int]) -> IndexEntry | Absence:
        node, seen = self._root, set[int]()
        below: _Place | None = None
        above: _Place | None = None
        while True:
            self._check_order(node, below, above)
            position, equal = _position(node, name, compare)
            offset, entry_name, subnode = node.entries[position]
            if equal:
                return self._entry(node, offset)
            if position:
                below = _Place(node, position - 1)
            if entry_name is not None:
                above = _Place(node, position)
            if subnode is None:
                found = (self._entry(place.node, place.offset) for place in (below, above) if place is not None)
                return Absence(tuple(found))
            if len(seen) >= MAX_DEPTH:
                raise _too_deep(node.location)
            node = self._child(subnode, seen, node.location)

    def _check_order(self, node: _Node, below: _Place | None, above: _Place | None) -> None:
        """Check that the names of a block ascend, and lie between the entries that lead to it."""
        names = [name for _, name, _ in node.entries if name is not None]
        if node.location not in self._in_order:
            for one, other in pairwise(names):
                if self._collation.order(one, other) >= 0:
                    raise _disorder(one, other, node.location)
            self._in_order.add(node.location)
        if not names:
            return
        if below is not None and self._collation.order(below.name, names[0]) >= 0:
            raise _disorder(below.name, names[0], node.location)
        if above is not None and self._collation.order(names[-1], above.name) >= 0:
            raise _disorder(names[-1], above.name, node.location)

    def entries(self, damaged: Callable[[FormatError], None] | None = None) -> Iterator[IndexEntry]:
        """Yield all names in their order.

        Args:
            damaged: Called with each fault that was met; the walk goes on behind it. None: the fault is raised.

        Raises:
            CorruptStructureError: The tree is damaged and ``damaged`` was not given.
        """
        before: str | None = None
        for node, offset, name in self._walk(damaged):
            if before is not None and self._collation.order(before, name) >= 0:
                _tell(_disorder(before, name, node.location), damaged)
            before = name
            try:
                entry = self._entry(node, offset)
            except FormatError as fault:
                _tell(fault, damaged)
            else:
                yield entry

    def keys(self, damaged: Callable[[FormatError], None]) -> Iterator[tuple[bytes, bytes]]:
        """Yield (file reference, key) of all names as they are stored; faults are told as by :meth:`entries`."""
        before: str | None = None
        for node, offset, name in self._walk(damaged):
            if before is not None and self._collation.order(before, name) >= 0:
                damaged(_disorder(before, name, node.location))
            before = name
            size = _ENTRY.unpack_from(node.data, offset)[2]
            start = offset + _ENTRY.size
            yield node.data[offset : offset + 8], node.data[start : start + size]

    def _walk(self, damaged: Callable[[FormatError], None] | None) -> Iterator[tuple[_Node, int, str]]:
        """Yield (block, offset, name) of all entries, as deep as the tree is: it meets no block twice."""
        seen: set[int] = set()
        way = [(self._root, iter(self._root.entries))]
        held: list[tuple[int, str | None]] = []  # the entry behind each subnode on the way
        while way:
            node, left = way[-1]
            entry = next(left, None)
            if entry is not None:
                offset, name, subnode = entry
                if subnode is None:
                    if name is not None:
                        yield node, offset, name
                    continue
                held.append((offset, name))
                try:
                    if len(way) > MAX_DEPTH:
                        raise _too_deep(node.location)
                    child = self._child(subnode, seen, node.location, damaged)
                    way.append((child, iter(child.entries)))
                    continue
                except FormatError as fault:
                    _tell(fault, damaged)
            else:
                way.pop()
                if not way:
                    return
            offset, name = held.pop()
            if name is not None:
                yield way[-1][0], offset, name

    def _entry(self, node: _Node, offset: int) -> IndexEntry:
        reference, _, key_length, _ = _ENTRY.unpack_from(node.data, offset)
        start = offset + _ENTRY.size
        key = parse_file_name(node.data[start : start + key_length], node.location)
        if key.parent != (self._record.number, self._record.sequence):
            raise _broken(
                f"{key.name} belongs to directory {key.parent.number} of sequence {key.parent.sequence}", node.location
            )
        return IndexEntry(FileReference.decode(reference), key)

    def _child(
        self,
        vcn: int,
        seen: set[int],
        parent: Location,
        damaged: Callable[[FormatError], None] | None = None,
    ) -> _Node:
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


def _position(node: _Node, name: str, compare: Callable[[str, str], int]) -> tuple[int, bool]:
    """Return the first entry that does not sort before ``name``, and whether it is equal."""
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
    first, used, allocated, flags = _HEADER.unpack_from(data, header)
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
        _parse_entries(data, header + first, header + used, flags & _HAS_SUBNODES, location, entries)
    except CorruptStructureError as fault:
        if damaged is None:
            raise
        damaged(fault)
    return _Node(data, entries, location)


def _parse_entries(
    data: bytes, offset: int, end: int, subnodes: int, location: Location, entries: list[_Entry]
) -> None:
    """Append the entries up to the end entry, the last one appended; all lead to subnodes, or none does."""
    unpack = _ENTRY.unpack_from
    while True:
        if offset + _ENTRY.size > end:
            raise _broken("it has no end entry", location)
        _, length, key_length, flags = unpack(data, offset)
        key_end = _ENTRY.size + key_length
        room = length - 8 if flags & _SUBNODE else length
        if length % 8 or room < _ENTRY.size or offset + length > end:
            raise _broken(f"the entry at {offset:#x} is said to have {length:#x} bytes", location)
        if bool(flags & _SUBNODE) != bool(subnodes):
            raise _broken(f"the entry at {offset:#x} has {'a' if flags & _SUBNODE else 'no'} subnode", location)
        subnode = _U64.unpack_from(data, offset + length - 8)[0] if flags & _SUBNODE else None
        if flags & _LAST:
            if offset + length != end:
                raise _broken(f"it goes on behind its end entry at {offset:#x}", location)
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


def _tell(fault: FormatError, damaged: Callable[[FormatError], None] | None) -> None:
    if damaged is None:
        raise fault
    damaged(fault)


def _too_deep(location: Location) -> CorruptStructureError:
    return CorruptStructureError(f"the index tree is deeper than {MAX_DEPTH} blocks", location=location)


def _disorder(one: str, other: str, location: Location) -> CorruptStructureError:
    return _broken(f"{other} does not sort after {one}, which stands before it", location)


def _broken(why: str, location: Location) -> CorruptStructureError:
    return CorruptStructureError(
        f"the index of the directory is damaged: {why}", location=location, hint="run chkdsk on the volume"
    )

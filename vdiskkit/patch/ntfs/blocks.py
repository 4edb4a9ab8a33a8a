"""Where the nodes of one index lie: $INDEX_ROOT in a record, blocks in $INDEX_ALLOCATION, their bits in $BITMAP.

Bit k of the bitmap stands for block k; VCNs count in clusters, or in units of 512 bytes where a cluster is larger than
a block (ntfs-3g's ``index.c``).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vdiskkit.errors import CorruptStructureError, WriteRefusedError
from vdiskkit.ntfs.record import BITMAP, INDEX_ALLOCATION, INDEX_ROOT, apply_fixups
from vdiskkit.patch.ntfs.content import AttributeContent
from vdiskkit.patch.ntfs.fixups import protect
from vdiskkit.patch.ntfs.growth import grow
from vdiskkit.patch.ntfs.nodes import BLOCK_HEADER, INDEX_HEADER, Node, parse_node
from vdiskkit.patch.ntfs.records import FileRecords
from vdiskkit.patch.ntfs.surgery import put_value, room
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vdiskkit.location import Location
    from vdiskkit.patch.ntfs.records import HeldAttribute, RecordStore
    from vdiskkit.patch.ntfs.space import ClusterSpace

__all__ = ["IndexBlocks"]

_ROOT = struct.Struct("<IIIB3x")
_MAX_BLOCK = 64 * 1024
_BITMAP_STEP = 8  # bitmaps of indexes are whole quad words


class IndexBlocks:
    """Loads, allocates, frees and stores the nodes of one index.

    Attributes:
        rule: The collation rule.
        indexed: The type of the attribute that is indexed; 0 for a view index.
        grown: Blocks that were added behind the end of $INDEX_ALLOCATION.
        location: The address of the index.

    Args:
        store: The records of the volume.
        space: Its clusters.
        number: The base record of the directory or view index.
        name: Name of the index, such as ``$I30``.
        location: Its address, for messages.

    Raises:
        CorruptStructureError: The index is missing or damaged.
    """

    def __init__(self, store: RecordStore, space: ClusterSpace, number: int, name: str, location: Location) -> None:
        self.block_size: int
        self._store = store
        self._space = space
        self._number = number
        self._name = name
        self.location = location
        records = FileRecords(store, number)
        value = self._root_of(records).attribute.value
        if len(value) < _ROOT.size + INDEX_HEADER:
            raise CorruptStructureError(f"the root of index {name} has {len(value)} bytes", location=location)
        self.indexed: int
        self.rule: int
        self.indexed, self.rule, self.block_size, _ = _ROOT.unpack_from(value)
        if self.block_size & (self.block_size - 1) or not 512 <= self.block_size <= _MAX_BLOCK:
            raise CorruptStructureError(f"an index block of {self.block_size} bytes is impossible", location=location)
        cluster_size = store.boot.cluster_size
        self._unit = cluster_size if cluster_size <= self.block_size else 512
        self._root_value = value
        self._allocation = AttributeContent.of(store, records, INDEX_ALLOCATION, name)
        self._bits = self._read_bits(records)
        self._old_bits = self._bits
        self._count = 0
        if self._allocation is not None:
            if self._allocation.resident or self._allocation.attribute.flags:
                raise CorruptStructureError(f"the blocks of index {name} are stored oddly", location=location)
            self._count = self._allocation.attribute.initialized_size // self.block_size
        self.grown = 0

    @property
    def root_limit(self) -> int:
        """How many bytes the value of the root may have in its record."""
        held = self._root_of(FileRecords(self._store, self._number))
        record = self._store.load(held.record)
        start = struct.unpack_from("<H", record, held.offset + 20)[0]
        return int(held.length + room(record) - start)

    def root(self) -> Node:
        """Return the root node."""
        return parse_node(self._root_value, _ROOT.size, None, self.location)

    def block(self, vcn: int) -> Node:
        """Return the node in a block.

        Raises:
            CorruptStructureError: It does not exist, is free or damaged.
        """
        where = self.location.at("index", vcn)
        offset = vcn * self._unit
        number = offset // self.block_size
        if self._allocation is None or offset % self.block_size or number >= self._count:
            raise CorruptStructureError(f"the index leads to block {vcn:#x}, which does not exist", location=where)
        if not self._bits >> number & 1:
            raise CorruptStructureError(
                f"the index leads to block {vcn:#x}, which is free", location=where, hint="run chkdsk on the volume"
            )
        raw = self._allocation.read(offset, self.block_size)
        return parse_node(apply_fixups(raw, b"INDX", "the index block", where), BLOCK_HEADER, vcn, where)

    def allocate(self) -> int:
        """Take a free block, or one more behind the last, and return its VCN."""
        if self._allocation is None:
            raise WriteRefusedError("the index has no blocks yet, but would need one", location=self.location)
        number = (~self._bits & (self._bits + 1)).bit_length() - 1
        if number >= self._count + self.grown:
            number = self._count + self.grown
            self.grown += 1
        self._bits |= 1 << number
        return number * self.block_size // self._unit

    def number_of(self, vcn: int) -> int:
        """Return the number of the block at a VCN, which is that of its bit."""
        return vcn * self._unit // self.block_size

    def used_blocks(self) -> set[int]:
        """Return the numbers of the blocks that the bitmap marks as used, as far as there are blocks."""
        return {number for number in range(self._count) if self._bits >> number & 1}

    def free(self, vcn: int) -> None:
        """Give a block back."""
        self._bits &= ~(1 << self.number_of(vcn))

    def flush(self, nodes: Iterable[Node]) -> None:
        """Write changed nodes and the bitmap.

        Raises:
            WriteRefusedError: The record or the volume has no room for an index that had to grow.
        """
        if self.grown:
            self._grow()
        self._write_bits(Phase.CLAIM, self._bits | self._old_bits)
        for node in nodes:
            if node.vcn is None:
                self._write_root(node)
            else:
                self._write_block(node, node.vcn)
        self._write_bits(Phase.RELEASE, self._bits)

    def _grow(self) -> None:
        size = (self._count + self.grown) * self.block_size
        what = f"the index {self._name}"
        grow(self._store, self._space, self._number, INDEX_ALLOCATION, self._name, size, what=what)
        bitmap = AttributeContent.of(self._store, FileRecords(self._store, self._number), BITMAP, self._name)
        needed = -(-(self._count + self.grown) // (8 * _BITMAP_STEP)) * _BITMAP_STEP
        if bitmap is not None and bitmap.size < needed:
            grow(self._store, self._space, self._number, BITMAP, self._name, needed, what=what)
        self._count += self.grown
        self.grown = 0
        self._allocation = AttributeContent.of(
            self._store, FileRecords(self._store, self._number), INDEX_ALLOCATION, self._name
        )

    def _write_root(self, node: Node) -> None:
        held = self._root_of(FileRecords(self._store, self._number))
        record = self._store.load(held.record)
        self._root_value = node.encode()
        put_value(record, held.offset, self._root_value, self._store.where(held.record))
        self._store.store(held.record, record, Phase.LINK)

    def _write_block(self, node: Node, vcn: int) -> None:
        if self._allocation is None:  # only blocks that were loaded or allocated come here
            return
        block = protect(node.encode(self.block_size))
        self._allocation.write(vcn * self._unit, block, Phase.LINK)

    def _read_bits(self, records: FileRecords) -> int:
        bitmap = AttributeContent.of(self._store, records, BITMAP, self._name)
        if self._allocation is None:
            return 0
        if bitmap is None:
            raise CorruptStructureError("the index has blocks, but no bitmap of them", location=self.location)
        count = self._allocation.attribute.initialized_size // self.block_size
        if bitmap.size * 8 < count or bitmap.size > _MAX_BLOCK * 1024:
            raise CorruptStructureError(
                f"the bitmap of the index has {bitmap.size} bytes for {count} blocks", location=self.location
            )
        return int.from_bytes(bitmap.read(0, bitmap.size), "little")

    def _write_bits(self, phase: Phase, bits: int) -> None:
        if bits == self._old_bits:
            return
        bitmap = AttributeContent.of(self._store, FileRecords(self._store, self._number), BITMAP, self._name)
        if bitmap is None:
            raise CorruptStructureError("the index has blocks, but no bitmap of them", location=self.location)
        old = self._old_bits.to_bytes(bitmap.size, "little")
        new = bits.to_bytes(bitmap.size, "little")
        changed = [at for at in range(bitmap.size) if old[at] != new[at]]
        if bitmap.resident:
            # The root is in the same record, or one like it: both must change at once, or the tree would have one
            # shape by its root and another by its blocks.
            phase = Phase.LINK
        bitmap.write(changed[0], new[changed[0] : changed[-1] + 1], phase)
        self._old_bits = bits

    def _root_of(self, records: FileRecords) -> HeldAttribute:
        found = records.find(INDEX_ROOT, self._name)
        if len(found) != 1 or not found[0].attribute.resident:
            raise CorruptStructureError(f"there is no index {self._name}", location=self.location)
        return found[0]

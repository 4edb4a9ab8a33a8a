"""One index, walked whole: order, depth, blocks against their bitmap, no block without an entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import CorruptStructureError
from vdiskkit.patch.ntfs.blocks import IndexBlocks
from vdiskkit.patch.ntfs.order import compare_keys

if TYPE_CHECKING:
    from vdiskkit.ntfs.collation import Collation
    from vdiskkit.patch.ntfs.nodes import Entry, Node
    from vdiskkit.patch.ntfs.records import RecordStore
    from vdiskkit.patch.ntfs.space import ClusterSpace

__all__ = ["IndexReport", "check_index"]

_MAX_DEPTH = 32
"""As in ``vdiskkit.ntfs.index``: a deeper tree has more names than the 2**32 files of a volume."""


class IndexReport(NamedTuple):
    """What a walk found: all entries in order, and what is wrong."""

    entries: list[Entry]
    problems: list[str]


def check_index(store: RecordStore, space: ClusterSpace, collation: Collation, number: int, name: str) -> IndexReport:
    """Walk an index from its root.

    Args:
        store: The records of the volume.
        space: Its clusters.
        collation: The order of names.
        number: The base record of the directory or view index.
        name: Name of the index.

    Raises:
        CorruptStructureError: It is too damaged to be walked.
        WriteRefusedError: It has an order that is not understood.
    """
    blocks = IndexBlocks(store, space, number, name, store.where(number).at("index", name))
    walk = _Walk(blocks)
    walk.visit(blocks.root(), 0)
    compare = compare_keys(blocks, collation)
    keys = [entry.key for entry in walk.entries]
    walk.problems += [
        f"entry {position} does not sort after the one before it"
        for position in range(1, len(keys))
        if compare(keys[position - 1], keys[position]) >= 0
    ]
    if len(walk.depths) > 1:
        walk.problems.append(f"its leaves lie at depths {sorted(walk.depths)}")
    lost = blocks.used_blocks() - walk.seen
    if lost:
        walk.problems.append(f"its bitmap marks blocks {sorted(lost)[:5]}, which are not in the tree")
    return IndexReport(walk.entries, walk.problems)


class _Walk:
    def __init__(self, blocks: IndexBlocks) -> None:
        self._blocks = blocks
        self.entries: list[Entry] = []
        self.problems: list[str] = []
        self.seen: set[int] = set()
        self.depths: set[int] = set()

    def visit(self, node: Node, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise CorruptStructureError("the index is too deep", location=self._blocks.location)
        if node.leaf:
            self.depths.add(depth)
            if node.vcn is not None and node.empty:
                self.problems.append(f"the block at VCN {node.vcn:#x} has no entry")
        for entry in node.entries:
            if entry.subnode is not None:
                number = self._blocks.number_of(entry.subnode)
                if number in self.seen:
                    raise CorruptStructureError(
                        f"the index leads to block {entry.subnode:#x} twice", location=self._blocks.location
                    )
                self.seen.add(number)
                self.visit(self._blocks.block(entry.subnode), depth + 1)
            if not entry.last:
                self.entries.append(entry)

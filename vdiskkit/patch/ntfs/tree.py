"""The B-tree of an NTFS index: find, remove, insert and update entries, all in memory until :meth:`IndexTree.flush`.

Removal follows ntfs-3g's ``ntfs_index_rm`` and what Windows leaves behind: an entry above leaves is replaced by its
neighbour from a leaf; a leaf that becomes empty is freed and its separator in the parent goes back into the tree; a
parent that has nothing left goes the same way; a root that has nothing left becomes a leaf. Leaves stay at one depth,
and no leaf block is left without an entry.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import CorruptStructureError, WriteRefusedError
from vdiskkit.patch.ntfs.nodes import Entry, Node, new_block

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vdiskkit.patch.ntfs.blocks import IndexBlocks

__all__ = ["IndexTree", "Step"]

_MAX_DEPTH = 32
"""As in ``vdiskkit.ntfs.index``: a deeper tree has more names than the 2**32 files of a volume."""
_log = logging.getLogger(__name__)


class Step(NamedTuple):
    """One node on the way to an entry, and the position in it."""

    node: Node
    position: int

    @property
    def entry(self) -> Entry:
        """The entry at the position."""
        return self.node.entries[self.position]


class IndexTree:
    """One index.

    Attributes:
        cases: Which cases of the surgery ran, and how often.
        changed: Whether anything was changed.

    Args:
        blocks: Where its nodes lie.
        compare: The order of keys: negative, zero or positive.
    """

    def __init__(self, blocks: IndexBlocks, compare: Callable[[bytes, bytes], int]) -> None:
        self._blocks = blocks
        self._compare = compare
        self._root = blocks.root()
        self._nodes: dict[int, Node] = {}
        self._dirty: set[int | None] = set()
        self._limit: int | None = None
        self.cases: Counter[str] = Counter()
        self.changed = False

    def find(self, key: bytes) -> list[Step] | None:
        """Return the way to the entry of a key, None when there is none.

        Raises:
            CorruptStructureError: The tree is damaged on the way.
        """
        path, equal = self._descend(key)
        return path if equal else None

    def remove(self, path: list[Step]) -> None:
        """Take out the entry that a path leads to; every path found before is void afterwards.

        Raises:
            WriteRefusedError: The tree has a shape that is not understood, or no room for what must move.
        """
        node, position = path[-1]
        if not node.leaf:
            self._replace(path)
            return
        del node.entries[position]
        self._touch(node)
        if node.vcn is None:
            self._count("entry of a root that is a leaf")
        elif not node.empty:
            self._count("entry of a leaf")
        else:
            self._prune(path)

    def update(self, path: list[Step], body: bytes) -> None:
        """Replace the bytes of an entry by others of the same length and key."""
        node, position = path[-1]
        node.entries[position] = Entry(body, node.entries[position].subnode)
        self._touch(node)

    def walk(self) -> Iterator[Entry]:
        """Yield all entries in order, end entries left out.

        Raises:
            CorruptStructureError: The tree is damaged.
        """
        yield from self._walk(self._root, 0, set())

    def flush(self) -> None:
        """Write what changed."""
        changed = [self._root if vcn is None else self._nodes[vcn] for vcn in sorted(self._dirty, key=_order)]
        if self._blocks.grown:
            self._count("index grown by a block", self._blocks.grown)
        self._blocks.flush(changed)
        self._dirty.clear()
        self._limit = None

    # -- ways through the tree ----------------------------------------------------------------------------------

    def _descend(self, key: bytes) -> tuple[list[Step], bool]:
        path: list[Step] = []
        node = self._root
        while True:
            low, high = 0, len(node.entries) - 1
            equal = False
            while low < high:
                middle = (low + high) // 2
                order = self._compare(node.entries[middle].key, key)
                if order < 0:
                    low = middle + 1
                else:
                    high, equal = middle, not order
            path.append(Step(node, low))
            if equal or node.leaf:
                return path, equal
            node = self._child(path)

    def _to_leaf(self, path: list[Step], *, left: bool) -> list[Step]:
        """Extend a path to the entry right before (``left``) or after the one it leads to, in the leaf there."""
        node, position = path[-1]
        way = [*path[:-1], Step(node, position if left else position + 1)]
        while True:
            node = self._child(way)
            if node.leaf:
                way.append(Step(node, len(node.entries) - 2 if left else 0))
                return way
            way.append(Step(node, len(node.entries) - 1 if left else 0))

    def _child(self, path: list[Step]) -> Node:
        vcn = path[-1].entry.subnode
        if vcn is None or len(path) > _MAX_DEPTH or any(vcn == node.vcn for node, _ in path):
            raise CorruptStructureError(
                "the index is damaged: its blocks form a loop or end too early",
                location=self._blocks.location,
                hint="run chkdsk on the volume",
            )
        return self._node(vcn)

    def _node(self, vcn: int) -> Node:
        node = self._nodes.get(vcn)
        if node is None:
            node = self._nodes[vcn] = self._blocks.block(vcn)
        return node

    def _walk(self, node: Node, depth: int, seen: set[int]) -> Iterator[Entry]:
        if depth > _MAX_DEPTH:
            raise CorruptStructureError("the index is too deep", location=self._blocks.location)
        for entry in node.entries:
            if entry.subnode is not None:
                if entry.subnode in seen:
                    raise CorruptStructureError(
                        f"the index leads to block {entry.subnode:#x} twice", location=self._blocks.location
                    )
                seen.add(entry.subnode)
                yield from self._walk(self._node(entry.subnode), depth + 1, seen)
            if not entry.last:
                yield entry

    # -- removal ------------------------------------------------------------------------------------------------

    def _replace(self, path: list[Step]) -> None:
        """Put the neighbour from a leaf in the place of an entry that has a subnode."""
        node, position = path[-1]
        old = path[-1].entry
        ways = [self._to_leaf(path, left=left) for left in (False, True)]
        if any(way[-1].node.empty for way in ways):
            raise WriteRefusedError(
                "the index has a block without an entry, which is not repaired here",
                location=self._blocks.location,
                hint="run chkdsk on the volume",
            )

        def cost(way: list[Step]) -> tuple[bool, bool]:
            fits = node.size + way[-1].entry.size + 8 - old.size <= self._limit_of(node)
            return not fits, len(way[-1].node.entries) == 2

        way = min(ways, key=cost)
        left = way is ways[1]
        leaf, at = way[-1]
        replacement = leaf.entries[at].with_subnode(old.subnode)
        del leaf.entries[at]
        node.entries[position] = replacement
        self._touch(leaf)
        self._touch(node)
        self._count("entry replaced by its predecessor" if left else "entry replaced by its successor")
        self._split(path)
        if leaf.empty:
            found = self.find(replacement.key)
            if found is None:  # the tree was in order on the way down, so it is there
                raise self._disorder()
            self._prune(self._to_leaf(found, left=left))

    def _prune(self, path: list[Step]) -> None:
        """Free an empty leaf, and all above it that then have nothing left."""
        way = list(path)
        while True:
            node = way.pop().node
            if node.vcn is not None:
                self._drop(node.vcn)
            parent, position = way[-1]
            if position < len(parent.entries) - 1:
                separator = parent.entries.pop(position)
                self._count("separator of an emptied leaf inserted again")
            elif not parent.empty:
                separator = parent.entries.pop(-2)
                parent.entries[-1] = parent.entries[-1].with_subnode(separator.subnode)
                self._count("end entry given the block before it")
            elif parent.vcn is None:
                parent.entries[-1] = parent.entries[-1].with_subnode(None)
                self._touch(parent)
                self._count("root became a leaf")
                return
            else:
                continue
            self._touch(parent)
            self._insert(separator.with_subnode(None))
            return

    def _drop(self, vcn: int) -> None:
        self._blocks.free(vcn)
        self._nodes.pop(vcn, None)
        self._dirty.discard(vcn)
        self._count("index block freed")

    # -- insertion ----------------------------------------------------------------------------------------------

    def _insert(self, entry: Entry) -> None:
        path, equal = self._descend(entry.key)
        if equal:
            raise self._disorder()
        node, position = path[-1]
        node.entries.insert(position, entry)
        self._touch(node)
        self._split(path)

    def _split(self, path: list[Step]) -> None:
        """Divide a node that has become too large, and those above it as far as needed."""
        node = path[-1].node
        limit = self._limit_of(node)
        if node.size <= limit:
            return
        if node.vcn is None:
            if node.leaf:
                raise WriteRefusedError("the root of the index has no room left", location=self._blocks.location)
            self._push_down(node)
            return
        middle = self._middle(node)
        new = new_block(self._blocks.allocate(), self._blocks.block_size)
        vcn = self._adopt(new)
        median = node.entries[middle]
        new.entries = node.entries[middle + 1 :]
        end = new.entries[-1].with_subnode(median.subnode)
        node.entries = [*node.entries[:middle], end]
        parent, position = path[-2]
        parent.entries[position] = parent.entries[position].with_subnode(vcn)
        parent.entries.insert(position, median.with_subnode(node.vcn))
        self._touch(node)
        self._touch(parent)
        self._count("index block split")
        self._split(path[:-1])

    def _push_down(self, root: Node) -> None:
        """Move all entries of the root into a new block, which gives the tree one more level."""
        new = new_block(self._blocks.allocate(), self._blocks.block_size)
        vcn = self._adopt(new)
        new.entries = root.entries
        root.entries = [root.entries[-1].with_subnode(vcn)]
        self._touch(root)
        self._count("root moved into a block")
        self._split([Step(root, 0), Step(new, 0)])

    def _middle(self, node: Node) -> int:
        """The entry that goes up: it must leave at least one entry on either side, in blocks that hold them."""
        total, before = sum(entry.size for entry in node.entries), 0
        for middle, entry in enumerate(node.entries[:-2]):
            before += entry.size
            if middle and before * 2 >= total:
                return middle
        if len(node.entries) < 4:
            raise WriteRefusedError("an index block is too small to be split", location=self._blocks.location)
        return len(node.entries) - 3

    def _adopt(self, node: Node) -> int:
        if node.vcn is None:
            raise self._disorder()
        self._nodes[node.vcn] = node
        self._touch(node)
        return node.vcn

    # -- inside -------------------------------------------------------------------------------------------------

    def _limit_of(self, node: Node) -> int:
        if node.vcn is not None:
            return self._blocks.block_size
        if self._limit is None:
            self._limit = self._blocks.root_limit
        return self._limit

    def _touch(self, node: Node) -> None:
        self._dirty.add(node.vcn)
        self.changed = True

    def _count(self, case: str, times: int = 1) -> None:
        self.cases[case] += times
        _log.debug("index %s: %s", self._blocks.location, case)

    def _disorder(self) -> CorruptStructureError:
        return CorruptStructureError(
            "the index is damaged: its entries are not in order",
            location=self._blocks.location,
            hint="run chkdsk on the volume",
        )


def _order(vcn: int | None) -> int:
    return -1 if vcn is None else vcn

"""The B-tree alone, over blocks in memory: against a sorted list, until it is empty."""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.effort import tries
from vdiskkit.errors import CorruptStructureError, WriteRefusedError
from vdiskkit.location import Location
from vdiskkit.patch.ntfs.nodes import BLOCK_HEADER, Entry, Node, new_block, parse_node
from vdiskkit.patch.ntfs.tree import IndexTree

if TYPE_CHECKING:
    from collections.abc import Iterable

HERE = Location("index")
END = struct.pack("<8xHHH2x", 16, 0, 2)


class MemoryBlocks:
    """Blocks of an index kept as bytes; ``most`` bounds them."""

    def __init__(self, block_size: int = 1024, root_limit: int = 300, most: int = 1 << 20) -> None:
        self.block_size = block_size
        self.root_limit = root_limit
        self.location = HERE
        self.grown = 0
        self.used: set[int] = set()
        self.bytes: dict[int, bytes] = {}
        self._most = most
        head = struct.pack("<IIIB3xIIIB3x", 0x30, 1, block_size, 1, 16, 32, 32, 0)
        self.root_bytes = head + END

    def root(self) -> Node:
        return parse_node(self.root_bytes, 16, None, HERE)

    def block(self, vcn: int) -> Node:
        assert vcn in self.used, f"block {vcn} is free"
        return parse_node(self.bytes[vcn], BLOCK_HEADER, vcn, HERE)

    def allocate(self) -> int:
        vcn = next(number for number in range(self._most + 1) if number not in self.used)
        if vcn == self._most:
            raise WriteRefusedError("no block left", location=HERE)
        self.used.add(vcn)
        return vcn

    def free(self, vcn: int) -> None:
        self.used.remove(vcn)
        self.bytes.pop(vcn, None)

    def flush(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            if node.vcn is None:
                self.root_bytes = node.encode()
                assert len(self.root_bytes) <= self.root_limit
            else:
                data = node.encode(self.block_size)
                assert len(data) == self.block_size
                self.bytes[node.vcn] = data


def entry(key: bytes) -> Entry:
    body = struct.pack("<QHHH2x", len(key), 0, len(key), 0) + key
    return Entry(body.ljust((len(body) + 7) & ~7, b"\0"))


def order(left: bytes, right: bytes) -> int:
    return (left > right) - (left < right)


def tree_of(blocks: MemoryBlocks) -> IndexTree:
    return IndexTree(blocks, order)  # type: ignore[arg-type]  # the same members


def grown(blocks: MemoryBlocks, keys: Iterable[bytes]) -> IndexTree:
    """A tree with all keys, inserted one by one; the root becomes a node as soon as a first block is needed."""
    tree = tree_of(blocks)
    tree._push_down(tree._root)
    for key in keys:
        tree._insert(entry(key))
    tree.flush()
    return tree_of(blocks)


def verify(blocks: MemoryBlocks, keys: Iterable[bytes]) -> None:
    """The tree as stored: order, one depth, no empty leaf, exactly the blocks that are in use."""
    seen: set[int] = set()
    depths: set[int] = set()
    found: list[bytes] = []

    def visit(node: Node, depth: int) -> None:
        if node.leaf:
            depths.add(depth)
            assert node.vcn is None or not node.empty
        for one in node.entries:
            if one.subnode is not None:
                assert one.subnode not in seen
                seen.add(one.subnode)
                visit(blocks.block(one.subnode), depth + 1)
            if not one.last:
                found.append(one.key)

    visit(blocks.root(), 0)
    assert found == sorted(keys)
    assert len(depths) == 1
    assert seen == blocks.used


def remove(tree: IndexTree, key: bytes) -> None:
    path = tree.find(key)
    assert path is not None
    tree.remove(path)


KEYS = st.sets(st.binary(min_size=1, max_size=120), min_size=1, max_size=400)


@settings(
    max_examples=tries(60), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(KEYS, st.randoms(use_true_random=False), st.sampled_from([(512, 200), (1024, 300), (4096, 600)]))
def test_removals_keep_a_tree_until_it_is_empty(
    keys: set[bytes], chance: random.Random, sizes: tuple[int, int]
) -> None:
    blocks = MemoryBlocks(*sizes)
    keys = set(keys)
    tree = grown(blocks, sorted(keys))
    verify(blocks, keys)
    shuffled = sorted(keys)
    chance.shuffle(shuffled)
    for number, key in enumerate(shuffled):
        remove(tree, key)
        keys.remove(key)
        if number % 7 == 0:
            tree.flush()
            verify(blocks, keys)
    tree.flush()
    verify(blocks, keys)
    assert blocks.root().leaf
    assert not blocks.used


@pytest.mark.parametrize("seed", range(6))
def test_inserting_and_removing_in_turn(seed: int) -> None:
    """What is removed may come back: separators are inserted again all the time."""
    chance = random.Random(seed)  # noqa: S311 - wanted: the same every time
    blocks = MemoryBlocks(512, 200)
    keys = {chance.randbytes(chance.randint(1, 110)) for _ in range(300)}
    tree = grown(blocks, sorted(keys, key=lambda key: key[::-1]))
    kept = set(keys)
    for _ in range(1500):
        if kept and chance.random() < 0.5 + (len(kept) > 150) * 0.2:
            key = chance.choice(sorted(kept))
            remove(tree, key)
            kept.remove(key)
        else:
            key = chance.randbytes(chance.randint(1, 110))
            if key not in kept and not tree._root.leaf:
                tree._insert(entry(key))
                kept.add(key)
    tree.flush()
    verify(blocks, kept)


def test_every_case_of_the_surgery_is_counted() -> None:
    cases: set[str] = set()
    for seed in range(60):
        chance = random.Random(seed)  # noqa: S311 - wanted: the same every time
        blocks = MemoryBlocks(*((512, 250), (1024, 300))[seed % 2])
        keys = [chance.randbytes(chance.choice(([1, 4, 60, 110], [1, 1, 1, 110])[seed // 2 % 2])) for _ in range(200)]
        tree = grown(blocks, sorted(set(keys)))
        shuffled = sorted(set(keys))
        chance.shuffle(shuffled)
        tree.cases.clear()
        for key in shuffled:
            remove(tree, key)
        cases |= set(tree.cases)
    assert cases == {
        "entry of a leaf",
        "entry replaced by its successor",
        "entry replaced by its predecessor",
        "index block freed",
        "separator of an emptied leaf inserted again",
        "end entry given the block before it",
        "root became a leaf",
        "index block split",
        "root moved into a block",
    }


def two_leaves(left: list[bytes], separator: bytes, right: list[bytes]) -> MemoryBlocks:
    blocks = MemoryBlocks()
    nodes = []
    for keys in (left, right):
        node = new_block(blocks.allocate(), blocks.block_size)
        node.entries = [*(entry(key) for key in keys), node.entries[-1]]
        nodes.append(node)
    root = blocks.root()
    root.entries = [entry(separator).with_subnode(0), root.entries[-1].with_subnode(1)]
    blocks.flush([*nodes, root])
    return blocks


def test_the_neighbour_that_leaves_no_empty_leaf_replaces() -> None:
    blocks = two_leaves([b"a", b"b"], b"m", [b"z"])
    tree = tree_of(blocks)
    remove(tree, b"m")
    tree.flush()
    assert tree.cases == {"entry replaced by its predecessor": 1}
    verify(blocks, [b"a", b"b", b"z"])


def test_the_last_entry_of_a_leaf_takes_the_leaf_along() -> None:
    blocks = two_leaves([b"a"], b"m", [b"y", b"z"])
    tree = tree_of(blocks)
    remove(tree, b"a")
    tree.flush()
    assert tree.cases == {"index block freed": 1, "separator of an emptied leaf inserted again": 1}
    verify(blocks, [b"m", b"y", b"z"])


def test_an_emptied_last_leaf_is_taken_over_by_the_one_before() -> None:
    blocks = two_leaves([b"a"], b"m", [b"z"])
    tree = tree_of(blocks)
    remove(tree, b"z")
    tree.flush()
    assert tree.cases == {"index block freed": 1, "end entry given the block before it": 1}
    verify(blocks, [b"a", b"m"])
    remove(tree, b"a")
    remove(tree, b"m")
    tree.flush()
    assert tree.cases["root became a leaf"] == 1
    verify(blocks, [])


def test_an_empty_leaf_that_was_there_before_is_refused() -> None:
    blocks = two_leaves([], b"m", [b"z"])
    tree = tree_of(blocks)
    path = tree.find(b"m")
    assert path is not None
    with pytest.raises(WriteRefusedError, match="a block without an entry"):
        tree.remove(path)


def test_a_loop_of_blocks_is_an_error() -> None:
    blocks = two_leaves([b"a"], b"m", [b"z"])
    node = blocks.block(1)
    node.entries = [one.with_subnode(1) for one in node.entries]
    blocks.flush([node])
    tree = tree_of(blocks)
    with pytest.raises(CorruptStructureError, match="loop"):
        tree.find(b"zz")
    with pytest.raises(CorruptStructureError, match="twice"):
        list(tree.walk())


def test_a_duplicate_is_an_error() -> None:
    tree = tree_of(two_leaves([b"a"], b"m", [b"z"]))
    with pytest.raises(CorruptStructureError, match="not in order"):
        tree._insert(entry(b"a"))


def test_no_block_left_is_refused() -> None:
    keys = [bytes([number]) * 100 for number in range(30)]
    blocks = MemoryBlocks(512, 10_000, most=12)
    tree = grown(blocks, keys[:20])
    blocks._most = len(blocks.used)

    def fill() -> None:
        for key in keys[20:]:
            tree._insert(entry(key))

    with pytest.raises(WriteRefusedError, match="no block left"):
        fill()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.__setitem__(16, 7), "says it is at"),
        (lambda data: struct.pack_into("<I", data, 24, 0x1B), "entries from"),
        (lambda data: struct.pack_into("<I", data, 28, 0x5000), "entries from"),
        (lambda data: struct.pack_into("<I", data, 32, 0x100), "contradicts"),
        (lambda data: data.__setitem__(36, 1), "subnodes"),
        (lambda data: struct.pack_into("<H", data, 64 + 8, 9), "is said to have"),
        (lambda data: struct.pack_into("<H", data, 64 + 8, 0), "is said to have"),
        (lambda data: struct.pack_into("<H", data, 64 + 10, 0x100), "a key is said"),
        (lambda data: struct.pack_into("<H", data, 64 + 10, 0), "a key is said"),
        (lambda data: struct.pack_into("<I", data, 28, 0x40), "no end entry"),
        (lambda data: struct.pack_into("<I", data, 28, 0x68), "follows its end entry"),
    ],
)
def test_damaged_blocks_are_errors(change: object, message: str) -> None:
    node = new_block(3, 4096)
    node.entries = [entry(b"abc"), node.entries[-1]]
    data = bytearray(node.encode(4096))
    assert len(node.head) == 64
    assert parse_node(bytes(data), BLOCK_HEADER, 3, HERE).entries[0].key == b"abc"
    change(data)  # type: ignore[operator]  # a lambda of the table
    with pytest.raises(CorruptStructureError, match=message):
        parse_node(bytes(data), BLOCK_HEADER, 3, HERE)

"""Subkey lists: lf, lh, li leaves and the ri lists above them; listing, and look-up by name with few reads.

Names are folded one code unit to one (:mod:`vdiskkit.registry.upcase`), as Windows does it.

Look-up reads as few key nodes as the list allows. In an ``lh`` list the hash tells which ones; in an ``lf`` list the
hint (first four characters) narrows the choice. What is left is searched by halving, as lists are sorted; when the
names seen on the way contradict that, and always in short lists, every one left is read. Windows itself relies on hash
and order, so a key under a wrong hash is not found by it. Here such a list is damaged: that a name is not there is said
only after the place where it belongs was looked at, by order and by hash, and the keys met there name this one as their
parent, and have the hash that the list gives them. That costs some twenty key nodes of a long list, all of a short one.

Follows the section "Subkeys list" of the "Windows registry file format specification".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vdiskkit.errors import CorruptStructureError, ReadLimitError
from vdiskkit.registry.cells import NO_CELL
from vdiskkit.registry.key_node import KeyNode, read_key_node
from vdiskkit.registry.room import subkeys_possible
from vdiskkit.registry.upcase import name_hash, sort_key, upcase

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vdiskkit.registry.cells import CellReader

__all__ = ["find_subkey", "subkey_offsets"]

_HEAD = struct.Struct("<2sH")
_SHORT = 16
"""Up to this many candidates all are read instead of halving: hardly more reads, and no reliance on the order."""


class _Leaf:
    """One leaf in memory: where its keys are, and what it tells about their names."""

    __slots__ = ("kind", "offsets", "tails")

    def __init__(self, kind: bytes, numbers: Sequence[int]) -> None:
        self.kind = kind
        self.offsets = numbers if kind == b"li" else numbers[::2]
        self.tails = () if kind == b"li" else numbers[1::2]

    def candidates(self, folded: str) -> Sequence[int]:
        """Offsets of the keys that may have that name, in list order."""
        if self.kind == b"lh":
            wanted = name_hash(folded)
            return [offset for offset, tail in zip(self.offsets, self.tails, strict=True) if tail == wanted]
        if self.kind == b"lf":
            pairs = zip(self.offsets, self.tails, strict=True)
            return [offset for offset, tail in pairs if _hint_fits(tail, folded)]
        return self.offsets


def subkey_offsets(cells: CellReader, node: KeyNode, limit: int | None) -> Iterator[int]:
    """Yield the offsets of all subkeys in list order, leaf by leaf.

    Before the first is yielded, all leaves have been asked how many they hold.

    Raises:
        CorruptStructureError: A list is damaged, or does not hold as many subkeys as the key says.
        ReadLimitError: There are more subkeys than ``limit``, where it is not None.
    """
    if not node.subkey_count:
        return
    _check_count(cells, node, limit)
    kind, numbers = _read_list(cells, node.subkey_list)
    if kind != b"ri":
        offsets = _Leaf(kind, numbers).offsets
        if len(offsets) != node.subkey_count:
            raise _count_differs(cells, node, len(offsets))
        yield from offsets
        return
    total = 0
    for number in numbers:
        total += _leaf_count(cells, number)
        if total > node.subkey_count:
            break
    if total != node.subkey_count:
        raise _count_differs(cells, node, total)
    for number in numbers:
        yield from _read_leaf(cells, number).offsets


def find_subkey(cells: CellReader, node: KeyNode, name: str, limit: int | None) -> KeyNode | None:
    """Return the subkey of that name; None when there is none.

    Raises:
        CorruptStructureError: A list or a key on the way is damaged.
        ReadLimitError: There are more subkeys than ``limit``, where it is not None.
    """
    if not node.subkey_count:
        if node.subkey_list != NO_CELL:
            raise _absence_unsure(cells, node, "says that it has no subkeys, and yet has a list of them")
        return None
    _check_count(cells, node, limit)
    folded = upcase(name)
    kind, numbers = _read_list(cells, node.subkey_list)
    if kind != b"ri":
        if len(numbers) != node.subkey_count * (1 if kind == b"li" else 2):
            raise _count_differs(cells, node, len(numbers) // (1 if kind == b"li" else 2))
        return _search(cells, node, _Leaf(kind, numbers), folded)
    if len(numbers) > _SHORT // 2:
        leaf, seen_leaves = _choose_leaf(cells, numbers, folded)
        if leaf is not None:
            chosen = _search(cells, node, leaf, folded)
            for other in seen_leaves if chosen is None else ():
                _check_entry(cells, node, other, 0, folded)
            return chosen
    seen = 0
    for number in numbers:
        leaf = _read_leaf(cells, number)
        seen += len(leaf.offsets)
        if seen > node.subkey_count:
            raise _count_differs(cells, node, seen)
        found = _search(cells, node, leaf, folded)
        if found is not None:
            return found
    return None


def _choose_leaf(cells: CellReader, numbers: Sequence[int], folded: str) -> tuple[_Leaf | None, list[_Leaf]]:
    """Return the one leaf that can hold the name, None when the leaves are not in order, and all that were asked."""
    wanted = sort_key(folded)
    low, high = 0, len(numbers)
    floor, ceiling = b"", None
    chosen = None
    seen = []
    while low < high:
        middle = (low + high) // 2
        leaf = _read_leaf(cells, numbers[middle])
        seen.append(leaf)
        first = sort_key(read_key_node(cells, leaf.offsets[0]).name)
        if first < floor or (ceiling is not None and first >= ceiling):
            return None, seen
        if first <= wanted:
            low, floor, chosen = middle + 1, first, leaf
        else:
            high, ceiling = middle, first
    # Before the first name of the first leaf there is nothing; any leaf gives that answer.
    return chosen or _read_leaf(cells, numbers[0]), seen


def _search(cells: CellReader, parent: KeyNode, leaf: _Leaf, folded: str) -> KeyNode | None:
    """Return the key of that name in a leaf; None when it is proven not to be there."""
    found = _look_up(cells, leaf.candidates(folded), folded)
    if found is None:
        _prove_absent(cells, parent, leaf, folded)
    return found


def _look_up(cells: CellReader, candidates: Sequence[int], folded: str) -> KeyNode | None:
    if len(candidates) > _SHORT:
        found, ordered = _halve(cells, candidates, folded)
        if found is not None or ordered:
            return found
    for offset in candidates:
        node = read_key_node(cells, offset)
        if upcase(node.name) == folded:
            return node
    return None


def _prove_absent(cells: CellReader, parent: KeyNode, leaf: _Leaf, folded: str) -> None:
    """Look at the place in a leaf where a name belongs, and at the keys that its hash leads to.

    Raises:
        CorruptStructureError: The name is there all the same, or what was met on the way contradicts the list.
    """
    count = len(leaf.offsets)
    if count <= _SHORT:
        for index in range(count):
            _check_entry(cells, parent, leaf, index, folded)
        return
    wanted = sort_key(folded)
    low, high = 0, count
    floor, ceiling = b"", None
    while low < high:
        middle = (low + high) // 2
        key = _check_entry(cells, parent, leaf, middle, folded)
        if key < floor or (ceiling is not None and key > ceiling):
            # Not in order, as some tools leave them: then every key is looked at.
            for index in range(count):
                _check_entry(cells, parent, leaf, index, folded)
            return
        if key < wanted:
            low, floor = middle + 1, key
        else:
            high, ceiling = middle, key
    if leaf.kind == b"lh":
        hashed = name_hash(folded)
        for index, tail in enumerate(leaf.tails):
            if tail == hashed:
                _check_entry(cells, parent, leaf, index, folded)


def _check_entry(cells: CellReader, parent: KeyNode, leaf: _Leaf, index: int, folded: str) -> bytes:
    """Hold one element of a leaf against the key that it leads to; return what the key is sorted by."""
    node = read_key_node(cells, leaf.offsets[index])
    name = upcase(node.name)
    if node.parent != parent.offset:
        raise _absence_unsure(cells, parent, f"lists the key {node.name!r}, which names another key as its parent")
    if (leaf.kind == b"lh" and leaf.tails[index] != name_hash(name)) or (
        leaf.kind == b"lf" and not _hint_fits(leaf.tails[index], name)
    ):
        raise _absence_unsure(cells, parent, f"lists the key {node.name!r} under the hash of another name")
    if name == folded:
        raise _absence_unsure(cells, parent, f"lists the key {node.name!r} where Windows does not look for it")
    return sort_key(name)


def _absence_unsure(cells: CellReader, node: KeyNode, why: str) -> CorruptStructureError:
    return CorruptStructureError(
        f"what is not found below the key {node.name!r} may be there: it {why}",
        location=cells.location(node.offset),
        hint="the hive is damaged: restore it, or let Windows repair it by loading it",
    )


def _halve(cells: CellReader, candidates: Sequence[int], folded: str) -> tuple[KeyNode | None, bool]:
    """Search by halving; the second result is False when the names seen are not in order."""
    wanted = sort_key(folded)
    low, high = 0, len(candidates)
    floor, ceiling = b"", None
    while low < high:
        middle = (low + high) // 2
        node = read_key_node(cells, candidates[middle])
        key = sort_key(node.name)
        if key == wanted:
            return node, True
        if key < floor or (ceiling is not None and key > ceiling):
            return None, False
        if key < wanted:
            low, floor = middle + 1, key
        else:
            high, ceiling = middle, key
    return None, True


def _hint_fits(hint: int, folded: str) -> bool:
    """Whether a name that begins with ``folded`` can have that hint; only its first ASCII characters are relied on."""
    for index, char in enumerate(folded[:4].ljust(4, "\0")):
        byte = hint >> 8 * index & 0xFF
        if not byte or char >= "\x80":
            # Behind a character that did not fit Windows leaves zeros, or counts on in halves of surrogate pairs.
            return True
        if byte < 0x80 and chr(byte).upper() != char:
            return False
    return True


def _read_head(cells: CellReader, offset: int) -> tuple[bytes, int, int]:
    """Return the signature of a list, the number of its elements and the bytes of each."""
    kind, count = _HEAD.unpack(cells.read(offset, 4, 4, "a subkey list"))
    width = {b"lf": 8, b"lh": 8, b"li": 4, b"ri": 4}.get(kind)
    if width is None:
        raise CorruptStructureError(
            f"a subkey list cannot be read: it begins with {kind!r} instead of 'lf', 'lh', 'li' or 'ri'",
            location=cells.location(offset),
            hint="the hive is damaged: restore it, or let Windows repair it by loading it",
        )
    return kind, count, width


def _read_list(cells: CellReader, offset: int) -> tuple[bytes, Sequence[int]]:
    """Return the signature of a list and the numbers in it."""
    kind, count, width = _read_head(cells, offset)
    length = 4 + width * count
    raw = cells.read(offset, length, length, f"a subkey list of {count} elements")
    return kind, struct.unpack_from(f"<{width // 4 * count}I", raw, 4)


def _leaf_count(cells: CellReader, offset: int) -> int:
    """Return how many keys a leaf below a list of lists holds."""
    kind, count, _width = _read_head(cells, offset)
    if kind == b"ri":
        # The format allows one level; more could loop for ever.
        raise CorruptStructureError(
            "a list of subkey lists (ri) contains another one, or itself", location=cells.location(offset)
        )
    if not count:
        raise CorruptStructureError(
            "a list of subkey lists (ri) contains an empty one", location=cells.location(offset)
        )
    return count


def _read_leaf(cells: CellReader, offset: int) -> _Leaf:
    _leaf_count(cells, offset)
    return _Leaf(*_read_list(cells, offset))


def _check_count(cells: CellReader, node: KeyNode, limit: int | None) -> None:
    if limit is not None and node.subkey_count > limit:
        raise ReadLimitError(
            f"the key {node.name!r} has {node.subkey_count} subkeys, the limit is {limit}",
            location=cells.location(node.offset),
            hint="open the hive with a higher limit, or with none",
        )
    possible = subkeys_possible(cells.hive_bins_size)
    if node.subkey_count > possible:
        raise CorruptStructureError(
            f"the key {node.name!r} says that it has {node.subkey_count} subkeys, and a hive of this size has room "
            f"for {possible} at most",
            location=cells.location(node.offset),
            hint="the hive is damaged: restore it, or let Windows repair it by loading it",
        )


def _count_differs(cells: CellReader, node: KeyNode, found: int) -> CorruptStructureError:
    return CorruptStructureError(
        f"the key {node.name!r} says that it has {node.subkey_count} subkeys, but its list holds "
        f"{'more' if found > node.subkey_count else found}",
        location=cells.location(node.offset),
        hint="the hive is damaged: Windows drops such a list when it loads the hive",
    )

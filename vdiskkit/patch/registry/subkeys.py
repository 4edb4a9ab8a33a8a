"""Subkey lists for the editor: look-up that notices disorder, insertion in Windows' order, removal.

Windows finds keys by the order of their upper-cased names and by hashes, so a key put into a list that is out of order,
or one put there twice, damages the hive. Names around the place of a change are always compared, in short lists and in
lists without hashes all of them, and a list that is out of order is refused.

A list keeps its kind. One that is full is split as Windows does it: an ``lf`` list becomes ``li`` first, other lists
become leaves under an ``ri`` list; a leaf is halved, or a new one begun when the key comes last. A leaf that becomes
empty goes.

A list that was there before the edit is never changed: a new one takes its place together with the count in the key, as
Windows drops a list whose length is not that count. Where the two lie in two sectors the key moves.

Follows the section "Subkeys list" of the "Windows registry file format specification".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import CorruptStructureError, WriteRefusedError
from vdiskkit.patch.registry.leaves import (
    HEAD,
    LIMIT,
    Leaf,
    encode_leaf,
    entry_for,
    entry_width,
    leaf_limit,
    read_entries,
    read_head,
    read_leaf,
)
from vdiskkit.patch.registry.records import NK_SUBKEY_COUNT, NK_SUBKEY_LIST, KeyRecord, check_parent, put32, read_key
from vdiskkit.registry.cells import NO_CELL
from vdiskkit.registry.room import subkeys_possible
from vdiskkit.registry.upcase import name_hash, sort_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vdiskkit.patch.registry.cells import CellStore

__all__ = ["SubkeyList"]

_SHORT = 16
_LEAVES_MAX = 0xFFFF
"""What the field for the length of a list can say."""
_SCANS = 2
"""Names that are not there are looked for in the hashes so often, as one insertion does, before these are kept."""
_SPARE_FROM = 16
_SPARE_MAX = 64
"""A new leaf gets room for a quarter more keys, from 16 keys on and for 64 at most, so that it is moved rarely."""


class _Place(NamedTuple):
    """A place in the leaves of a list; ``found`` is the key there when it has the name that was looked for."""

    leaf: int
    position: int
    found: KeyRecord | None


class SubkeyList:
    """The subkeys of one key.

    Args:
        cells: Cells of the hive.
        key: The key, as it is now.
        minor: Minor version of the hive; it decides the kind of a new list.
        ordered: Keys (by offset) whose lists were found to be in order; added to.

    Raises:
        CorruptStructureError: The list is damaged.
    """

    def __init__(self, cells: CellStore, key: KeyRecord, minor: int, ordered: set[int]) -> None:
        self._cells = cells
        self._key = key
        self._minor = minor
        self._ordered = ordered
        self._root: int | None = None
        self._leaves: list[int] = []
        self._loaded: dict[int, Leaf] = {}
        self._hashed = False
        """Whether all leaves keep hashes of their names."""
        self._tails: set[int] | None = None
        self._scans = 0
        if key.subkey_count:
            self._open()

    @property
    def offset(self) -> int:
        """Offset of the list's first cell; NO_CELL when there is none."""
        if self._root is not None:
            return self._root
        return self._leaves[0] if self._leaves else NO_CELL

    def cells_used(self) -> list[int]:
        """Offsets of all cells of the list."""
        return self._leaves + ([] if self._root is None else [self._root])

    @property
    def leaves(self) -> tuple[int, ...]:
        """Offsets of the leaves, in order."""
        return tuple(self._leaves)

    def place_of(self, offset: int) -> tuple[int, int]:
        """Return the leaf that leads to a key node, and the position of the pointer in its content.

        Raises:
            CorruptStructureError: None does.
        """
        for number in range(len(self._leaves)):
            leaf = self._leaf(number)
            offsets = leaf.key_offsets()
            if offset in offsets:
                return leaf.offset, HEAD.size + entry_width(leaf.kind) * offsets.index(offset)
        raise CorruptStructureError(
            "a key is not in the list of the key above it", location=self._cells.location(offset)
        )

    def offsets(self) -> list[int]:
        """Offsets of all subkeys' key nodes, in list order."""
        return [offset for number in range(len(self._leaves)) for offset in self._leaf(number).key_offsets()]

    def find(self, name: str) -> KeyRecord | None:
        """Return the subkey of that name, None when there is none.

        Raises:
            CorruptStructureError: A list or a key on the way is damaged.
            WriteRefusedError: The list is out of order, so that the answer is not certain.
        """
        return self._place(name).found

    def insert(self, name: str, offset: int) -> None:
        """Put a new key into the list, and count it in the key.

        Raises:
            WriteRefusedError: The list is out of order, or there are too many lists.
        """
        place = self._place(name)
        if place.found is not None:
            raise WriteRefusedError(
                f"the key {self._key.name!r} has a subkey {name!r} already", location=self._cells.location(offset)
            )
        if not self._leaves:
            kind = b"lh" if self._minor >= 5 else b"lf"
            self._leaves = [self._cells.allocate(encode_leaf(kind, [entry_for(kind, offset, name)]), self._key.offset)]
            self._hashed = kind == b"lh"
            self._point_key()
        else:
            self._add(place.leaf, place.position, name, offset)
        if self._tails is not None:
            self._tails.add(name_hash(name))
        self._count(1)

    def remove(self, name: str) -> None:
        """Take a key out of the list, and count it out.

        Raises:
            CorruptStructureError: It is not there.
            WriteRefusedError: The list is out of order.
        """
        number, position, found = self._place(name)
        if found is None:
            raise CorruptStructureError(
                f"the key {name!r} is not in its parent's list", location=self._cells.location(self._key.offset)
            )
        leaf = self._leaf(number)
        del leaf.entries[position]
        if leaf.entries:
            self._store_leaf(number)
        else:
            self._drop_leaf(number)
        self._count(-1)

    # -- look-up ---------------------------------------------------------------------------------------------------
    def _open(self) -> None:
        cells, key = self._cells, self._key
        possible = subkeys_possible(cells.bins_size)
        if key.subkey_count > possible:
            raise CorruptStructureError(
                f"the key {key.name!r} says that it has {key.subkey_count} subkeys, and a hive of this size has room "
                f"for {possible} at most",
                location=cells.location(key.offset),
            )
        kind, count = read_head(cells, key.subkey_list)
        total = count
        self._leaves = [key.subkey_list]
        self._hashed = kind == b"lh"
        if kind == b"ri":
            self._root = key.subkey_list
            raw = cells.read(self._root, HEAD.size + 4 * count, HEAD.size + 4 * count, f"a list of {count} lists")
            self._leaves = list(struct.unpack_from(f"<{count}I", raw, HEAD.size))
            self._hashed = True
            total = sum(self._head_count(offset) for offset in self._leaves)
        if total != key.subkey_count or len(set(self._leaves)) != len(self._leaves):
            raise CorruptStructureError(
                f"the key {key.name!r} says that it has {key.subkey_count} subkeys, but its list holds {total}",
                location=cells.location(key.offset),
                hint="the hive is damaged: Windows drops such a list when it loads the hive",
            )

    def _head_count(self, offset: int) -> int:
        kind, count = read_head(self._cells, offset)
        if kind not in (b"lf", b"lh", b"li") or not count:
            raise CorruptStructureError(
                "a list of subkey lists (ri) contains an empty one, or one of its own kind",
                location=self._cells.location(offset),
            )
        self._hashed = self._hashed and kind == b"lh"
        return count

    def _leaf(self, number: int) -> Leaf:
        offset = self._leaves[number]
        leaf = self._loaded.get(offset)
        if leaf is None:
            leaf = self._loaded[offset] = read_leaf(self._cells, offset)
        return leaf

    def _record(self, number: int, index: int) -> KeyRecord:
        record = read_key(self._cells, self._leaf(number).key_at(index), "a subkey")
        check_parent(self._cells, record, self._key)
        return record

    def _sort_key(self, number: int, index: int) -> bytes:
        return sort_key(self._record(number, index).name)

    def _place(self, name: str) -> _Place:
        wanted = sort_key(name)
        if not self._leaves:
            return _Place(0, 0, None)
        if self._key.subkey_count <= _SHORT:
            self._check_order()
        number = self._search(wanted, len(self._leaves), lambda index: self._sort_key(index, 0), past_equal=True) - 1
        number = max(number, 0)
        count = len(self._leaf(number).entries)
        low = self._search(wanted, count, lambda index: self._sort_key(number, index), past_equal=False)
        found = None
        if low < count:
            record = self._record(number, low)
            found = record if sort_key(record.name) == wanted else None
        self._check_around(number, low, low if found is None else low + 1, wanted)
        if found is None:
            self._check_absent(name, wanted)
        return _Place(number, low, found)

    def _search(self, wanted: bytes, count: int, key_at: Callable[[int], bytes], *, past_equal: bool) -> int:
        """Return the first of ``count`` places whose key does not sort before ``wanted`` (or is equal to it)."""
        low, high = 0, count
        floor, ceiling = b"", None
        while low < high:
            middle = (low + high) // 2
            key = key_at(middle)
            if key <= floor or (ceiling is not None and key >= ceiling):
                raise self._disorder()
            if key < wanted or (past_equal and key == wanted):
                low, floor = middle + 1, key
            else:
                high, ceiling = middle, key
        return low

    def _check_order(self) -> None:
        if self._key.offset in self._ordered:
            return
        previous = b""
        for offset in self.offsets():
            record = read_key(self._cells, offset, "a subkey")
            check_parent(self._cells, record, self._key)
            current = sort_key(record.name)
            if current <= previous:
                raise self._disorder()
            previous = current
        self._ordered.add(self._key.offset)

    def _check_around(self, number: int, index: int, following: int, wanted: bytes) -> None:
        """Compare a name with the keys before ``index`` and from ``following`` on."""
        if index:
            before: tuple[int, int] | None = (number, index - 1)
        else:
            before = (number - 1, len(self._leaf(number - 1).entries) - 1) if number else None
        after: tuple[int, int] | None = (number, following)
        if following == len(self._leaf(number).entries):
            after = (number + 1, 0) if number + 1 < len(self._leaves) else None
        if (before and self._sort_key(*before) >= wanted) or (after and self._sort_key(*after) <= wanted):
            raise self._disorder()

    def _check_absent(self, name: str, wanted: bytes) -> None:
        """Make sure that a key which is not where it should be is nowhere else, for it would be put there twice."""
        tail = name_hash(name)
        if not self._hashed:
            self._check_order()
        elif self._has_tail(tail):
            for number in range(len(self._leaves)):
                for index, known in enumerate(self._leaf_tails(number)):
                    if known == tail and self._sort_key(number, index) == wanted:
                        raise self._disorder()

    def _has_tail(self, tail: int) -> bool:
        """Whether any key in the list has that hash. One that was removed may count, too."""
        if self._tails is None:
            numbers = range(len(self._leaves))
            self._scans += 1
            if self._scans <= _SCANS:
                return any(tail in self._leaf_tails(number) for number in numbers)
            self._tails = {known for number in numbers for known in self._leaf_tails(number)}
        return tail in self._tails

    def _leaf_tails(self, number: int) -> Sequence[int]:
        """Return the hashes of a leaf that keeps them, which need not be loaded for it."""
        leaf = self._loaded.get(self._leaves[number])
        entries = read_entries(self._cells, self._leaves[number])[1] if leaf is None else b"".join(leaf.entries)
        return struct.unpack(f"<{len(entries) // 4}I", entries)[1::2]

    def _disorder(self) -> WriteRefusedError:
        return WriteRefusedError(
            f"the subkeys of {self._key.name!r} are not in Windows' order; a change there could make Windows lose keys",
            location=self._cells.location(self._key.offset),
            hint="export the key, delete it in Windows and import it again",
        )

    # -- change ----------------------------------------------------------------------------------------------------
    def _count(self, step: int) -> None:
        count = self._key.subkey_count + step
        put32(self._cells, self._key.offset, NK_SUBKEY_COUNT, count)
        self._cells.count_apart(self._key.offset, NK_SUBKEY_COUNT, NK_SUBKEY_LIST)
        self._key = self._key._replace(subkey_count=count)

    def _point_key(self) -> None:
        put32(self._cells, self._key.offset, NK_SUBKEY_LIST, self.offset)

    def _add(self, number: int, index: int, name: str, offset: int) -> None:
        leaf = self._leaf(number)
        if len(leaf.entries) >= leaf_limit(leaf):
            if leaf.kind != b"lf" or self._root is not None or len(leaf.entries) >= LIMIT:
                self._split(number, index, entry_for(leaf.kind, offset, name))
                return
            leaf = leaf._replace(kind=b"li", entries=[entry[:4] for entry in leaf.entries])
            leaf.entries.insert(index, entry_for(b"li", offset, name))
            self._replace_leaf(number, leaf)
            return
        leaf.entries.insert(index, entry_for(leaf.kind, offset, name))
        self._store_leaf(number)

    def _store_leaf(self, number: int) -> None:
        """Write a leaf that changed: one of this edit in place, as long as it fits, else as a new cell."""
        cells, leaf = self._cells, self._leaf(number)
        content = encode_leaf(leaf.kind, leaf.entries)
        if cells.is_new(leaf.offset) and len(content) <= cells.capacity(leaf.offset, "a subkey list"):
            cells.write(leaf.offset, 0, content)
        else:
            self._replace_leaf(number, leaf)

    def _replace_leaf(self, number: int, leaf: Leaf) -> None:
        count = len(leaf.entries)
        spare = min(count // 4, _SPARE_MAX) * entry_width(leaf.kind) if count >= _SPARE_FROM else 0
        old, new = self._leaves[number], self._new_leaf(leaf.kind, leaf.entries, spare)
        self._loaded.pop(old, None)
        self._leaves[number] = new
        if self._root is None:
            self._point_key()
        else:
            self._store_root()
        self._cells.free(old, "a subkey list")

    def _new_leaf(self, kind: bytes, entries: list[bytes], spare: int = 0) -> int:
        offset = self._cells.allocate(encode_leaf(kind, entries), self._key.offset, spare)
        self._loaded[offset] = Leaf(offset, kind, entries)
        return offset

    def _drop_leaf(self, number: int) -> None:
        old = self._leaves.pop(number)
        self._loaded.pop(old, None)
        if self._root is not None and self._leaves:
            self._store_root()
        else:
            root, self._root = self._root, None
            self._point_key()
            if root is not None:
                self._cells.free(root, "a list of subkey lists")
        self._cells.free(old, "a subkey list")

    def _split(self, number: int, index: int, entry: bytes) -> None:
        """Put an element into a full leaf by making two of it."""
        leaf = self._leaf(number)
        if len(self._leaves) >= _LEAVES_MAX:
            raise WriteRefusedError(
                f"the key {self._key.name!r} has too many subkey lists", location=self._cells.location(self._key.offset)
            )
        comes_last = index == len(leaf.entries) and number == len(self._leaves) - 1
        entries = [*leaf.entries[:index], entry, *leaf.entries[index:]]
        kept = len(leaf.entries) if comes_last else len(entries) // 2
        self._leaves.insert(number + 1, self._new_leaf(leaf.kind, entries[kept:]))
        self._loaded[leaf.offset] = leaf._replace(entries=entries[:kept])
        self._store_root()
        self._store_leaf(number)

    def _store_root(self) -> None:
        """Write the list of lists: one of this edit in place, as long as it fits, else as a new cell."""
        cells, old = self._cells, self._root
        content = HEAD.pack(b"ri", len(self._leaves)) + struct.pack(f"<{len(self._leaves)}I", *self._leaves)
        if old is not None and cells.is_new(old) and len(content) <= cells.capacity(old, "a list of subkey lists"):
            cells.write(old, 0, content)
            return
        self._root = self._cells.allocate(content, self._key.offset)
        self._point_key()
        if old is not None:
            self._cells.free(old, "a list of subkey lists")

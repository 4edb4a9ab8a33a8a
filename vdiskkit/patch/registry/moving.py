"""Keys that are moved with all keys below them, because they cannot be changed at once where they lie.

Windows drops a list of subkeys whose length is not the count in the key. The count and the pointer to the list are 8
bytes apart, and in one key out of 64 they lie in two sectors, which a disk may write one without the other. Such a key
is copied to another cell, and with it the keys below, as each names its parent. Nothing leads to the copies until one
pointer in the list of the key above is changed, which lies in one sector. Values, class names and security descriptors
stay where they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import FormatError, WriteRefusedError
from vdiskkit.patch.registry.leaves import HEAD, entry_width, read_leaf
from vdiskkit.patch.registry.records import NK_PARENT, NK_SUBKEY_LIST, U32, KeyRecord, check_parent, put32, read_key
from vdiskkit.patch.registry.subkeys import SubkeyList

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.patch.registry.cells import CellStore

__all__ = ["MOVED_MAX", "move_torn_keys"]

MOVED_MAX = 256
"""Keys that are moved at once. Above larger trees a key stays, and its two sectors are written one after the other."""


class _Member(NamedTuple):
    """A key that moves."""

    path: tuple[str, ...]
    key: KeyRecord
    subkeys: SubkeyList


def move_torn_keys(cells: CellStore, root: int, minor: int) -> Iterator[tuple[str, bool]]:
    r"""Move the keys whose counts of subkeys could be torn from their lists; called when the edit is committed.

    Args:
        cells: Cells of the hive.
        root: Offset of the root key, which cannot move.
        minor: Minor version of the hive.

    Yields:
        Path of each key that was moved, names joined by ``\``, and whether it has subkeys.
    """
    for offset in cells.torn():
        if offset == root or not cells.is_used(offset):
            continue
        try:
            above = _path(cells, offset, root)
            tree = _tree(cells, offset, minor)
            parent = SubkeyList(cells, read_key(cells, tree[0].key.parent), minor, set())
            place = parent.place_of(offset)
        except (FormatError, WriteRefusedError):
            continue  # damaged somewhere below: it stays, as do those above too many
        copies = _copied(cells, tree)
        cells.write(*place, U32.pack(copies[offset]))
        for member in tree:
            for used in (member.key.offset, *member.subkeys.cells_used()):
                cells.free(used, f"the old place of {member.key.name!r}")
            yield "\\".join((*above, *member.path)), bool(member.key.subkey_count)


def _path(cells: CellStore, offset: int, root: int) -> tuple[str, ...]:
    """The names from below the root down to a key."""
    names: list[str] = []
    while offset != root:
        key = read_key(cells, offset)
        if len(names) > MOVED_MAX * 2:
            raise WriteRefusedError("the keys above a key make no path", location=cells.location(offset))
        names.append(key.name)
        offset = key.parent
    return tuple(reversed(names))


def _tree(cells: CellStore, offset: int, minor: int) -> list[_Member]:
    """A key and all keys below it, each behind the one above it; their names without that of the first."""
    key = read_key(cells, offset)
    found = [_Member((), key, SubkeyList(cells, key, minor, set()))]
    for member in found:
        for child in member.subkeys.offsets():
            key = read_key(cells, child)
            check_parent(cells, key, member.key)
            if len(found) >= MOVED_MAX:
                raise WriteRefusedError(f"there are more than {MOVED_MAX} keys", location=cells.location(offset))
            found.append(_Member((*member.path, key.name), key, SubkeyList(cells, key, minor, set())))
    if len({member.key.offset for member in found}) != len(found):
        raise WriteRefusedError("a key is listed twice", location=cells.location(offset))
    return found


def _copied(cells: CellStore, tree: list[_Member]) -> dict[int, int]:
    """Copy keys and their lists; return the new offsets of the keys by the old ones."""
    copies: dict[int, int] = {}
    for member in tree:
        key = member.key
        content = bytearray(_whole(cells, key.offset))
        content[NK_PARENT : NK_PARENT + 4] = U32.pack(copies.get(key.parent, key.parent))
        copies[key.offset] = cells.allocate(bytes(content), key.offset)
    for member in tree:
        if member.subkeys.cells_used():
            put32(cells, copies[member.key.offset], NK_SUBKEY_LIST, _copied_list(cells, member.subkeys, copies))
    return copies


def _copied_list(cells: CellStore, subkeys: SubkeyList, copies: dict[int, int]) -> int:
    moved: dict[int, int] = {}
    for offset in subkeys.leaves:
        leaf, content = read_leaf(cells, offset), bytearray(_whole(cells, offset))
        width = entry_width(leaf.kind)
        for index, old in enumerate(leaf.key_offsets()):
            at = HEAD.size + width * index
            content[at : at + 4] = U32.pack(copies[old])
        moved[offset] = cells.allocate(bytes(content), offset)
    root = subkeys.offset
    if root in moved:
        return moved[root]
    content = bytearray(_whole(cells, root))
    for index, offset in enumerate(subkeys.leaves):
        at = HEAD.size + 4 * index
        content[at : at + 4] = U32.pack(moved[offset])
    return cells.allocate(bytes(content), root)


def _whole(cells: CellStore, offset: int) -> bytes:
    room = cells.capacity(offset, "a cell to be moved")
    return cells.read(offset, room, room, "a cell to be moved")

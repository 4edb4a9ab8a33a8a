"""Keys with all that is below them: which may be edited, and how a whole tree is given back."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from vdiskkit.errors import CorruptStructureError, WriteRefusedError
from vdiskkit.patch.registry.records import (
    FLAG_LINK,
    FLAG_NO_DELETE,
    FLAG_PREDEFINED,
    KeyRecord,
    check_parent,
    read_key,
)
from vdiskkit.patch.registry.values import KeyValues
from vdiskkit.registry.cells import NO_CELL
from vdiskkit.registry.room import CellSet

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdiskkit.patch.registry.cells import CellStore
    from vdiskkit.patch.registry.security import SecurityCounts
    from vdiskkit.patch.registry.subkeys import SubkeyList

__all__ = ["collect_tree", "free_tree", "refuse_stand_in"]


def refuse_stand_in(cells: CellStore, key: KeyRecord, shown: str) -> None:
    """Refuse a key that stands for another one.

    Raises:
        WriteRefusedError: It is a symbolic link or a predefined handle.
    """
    if key.flags & FLAG_LINK:
        reason, hint = "is a symbolic link to another key", "name the key that it leads to"
    elif key.flags & FLAG_PREDEFINED:
        reason, hint = "stands for a predefined handle", None
    else:
        return
    raise WriteRefusedError(
        f"{shown!r} {reason}; it is not edited, nor is anything below it",
        location=cells.location(key.offset),
        hint=hint,
    )


def collect_tree(
    cells: CellStore, top: KeyRecord, path: str, subkeys: Callable[[KeyRecord], SubkeyList]
) -> list[KeyRecord]:
    """Return a key and all keys below it, after making sure that all of them may be deleted.

    Args:
        cells: Cells of the hive.
        top: The key.
        path: Its path, for messages.
        subkeys: Opens the subkey list of a key.

    Raises:
        CorruptStructureError: A key is listed twice, or is damaged.
        WriteRefusedError: One of them stands for another key, or is marked as not to be deleted.
    """
    found: list[KeyRecord] = []
    seen = CellSet(cells.bins_size)
    todo = [top]
    while todo:
        key = todo.pop()
        if not seen.add(key.offset):
            raise CorruptStructureError(f"below {path!r} a key is listed twice", location=cells.location(key.offset))
        refuse_stand_in(cells, key, path if key is top else f"{key.name} below {path}")
        if key.flags & FLAG_NO_DELETE:
            raise WriteRefusedError(
                f"the key {key.name!r} is marked as one that may not be deleted", location=cells.location(key.offset)
            )
        found.append(key)
        for offset in subkeys(key).offsets():
            child = read_key(cells, offset, "a subkey")
            check_parent(cells, child, key)
            todo.append(child)
    return found


def free_tree(
    cells: CellStore,
    tree: list[KeyRecord],
    subkeys: Callable[[KeyRecord], SubkeyList],
    securities: SecurityCounts,
    minor: int,
) -> int:
    """Give back all cells of keys that are listed nowhere any more.

    Args:
        cells: Cells of the hive.
        tree: The keys, from :func:`collect_tree`.
        subkeys: Opens the subkey list of a key.
        securities: Counts the users of security descriptors.
        minor: Minor version of the hive.

    Returns:
        How many values went with them.

    Raises:
        CorruptStructureError: Something else uses one of their cells.
    """
    for key in tree:
        KeyValues(cells, key, minor).free_all()
        for offset in subkeys(key).cells_used():
            cells.free(offset, f"the subkey list of {key.name!r}")
        if key.class_length and key.class_offset != NO_CELL:
            cells.free(key.class_offset, f"the class name of {key.name!r}")
        cells.free(key.offset, f"the key {key.name!r}")
    for security, count in Counter(key.security for key in tree).items():
        securities.drop(security, count)
    return sum(key.value_count for key in tree)

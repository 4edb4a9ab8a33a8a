"""What must hold after a list of operations, by playing them through in order.

What is asked of keys and values is kept as a tree of keys, as the hives have them: it is gone through key by key, so
that it takes as long to check as there are operations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.patch.operations import CreateKey, DeleteFile, DeleteKey, DeleteValue, SetValue
from vdiskkit.registry.upcase import upcase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdiskkit.patch.operations import Operation
    from vdiskkit.windows.image import WindowsImage

__all__ = ["ExpectedKey", "ExpectedState", "ExpectedValue", "expected_state"]


class ExpectedValue(NamedTuple):
    """A value that must be there with that type and raw data; that must not be there when ``type`` is None."""

    name: str
    type: int | None
    data: bytes


class ExpectedKey:
    """What must hold of one key and those below it.

    Attributes:
        name: Name as it was asked for; that of the hive for its root.
        exists: Whether it must exist, None when nothing was asked but of what is in it.
        written: Whether a value was set in it or below it, so that it exists.
        values: What must hold of its values, by name in upper case.
        children: The keys below it of which anything is asked, by name in upper case.
    """

    __slots__ = ("children", "exists", "name", "values", "written")

    def __init__(self, name: str) -> None:
        self.name = name
        self.exists: bool | None = None
        self.written = False
        self.values: dict[str, ExpectedValue] = {}
        self.children: dict[str, ExpectedKey] = {}

    def way_to(self, path: str) -> list[ExpectedKey]:
        """Return the keys from this one to the one at ``path``, both included, made where they are missing."""
        way = [self]
        for name in path.split("\\"):
            if name:
                key, folded = way[-1], upcase(name)
                if folded not in key.children:
                    key.children[folded] = ExpectedKey(name)
                way.append(key.children[folded])
        return way


class ExpectedState(NamedTuple):
    """What must hold.

    Attributes:
        hives: The root keys of the hives of which anything is asked, by the names of the hives.
        deleted_files: Paths of files that must be gone.
    """

    hives: dict[str, ExpectedKey]
    deleted_files: tuple[str, ...]


def expected_state(operations: Sequence[Operation], windows: WindowsImage | None) -> ExpectedState:
    """Play operations through; a later one overrules what an earlier one asked of the same thing."""
    state = ExpectedState({}, tuple(item.path for item in operations if isinstance(item, DeleteFile)))
    if windows is None:
        return state
    for operation in operations:
        if isinstance(operation, SetValue | DeleteValue | CreateKey | DeleteKey):
            path = windows.resolve(operation.key)
            root = state.hives.setdefault(path.hive, ExpectedKey(path.hive))
            _play(root.way_to(path.key), operation)
    return state


def _play(way: list[ExpectedKey], operation: SetValue | DeleteValue | CreateKey | DeleteKey) -> None:
    key = way[-1]
    if isinstance(operation, DeleteKey):
        key.values.clear()
        key.children.clear()
        key.exists = key.written = False
        return
    if isinstance(operation, CreateKey | SetValue):
        # A key that is made again makes those above it again, whatever was deleted before.
        for above in way:
            above.exists = above.exists or None
            above.written = above.written or isinstance(operation, SetValue)
    if isinstance(operation, CreateKey):
        key.exists = True
    elif isinstance(operation, SetValue):
        key.values[upcase(operation.name)] = ExpectedValue(operation.name, operation.type, operation.data)
    else:
        key.values[upcase(operation.name)] = ExpectedValue(operation.name, None, b"")

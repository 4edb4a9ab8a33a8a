"""What must hold after a list of operations, by playing them through in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from vdiskkit.patch.operations import CreateKey, DeleteFile, DeleteKey, DeleteValue, SetValue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vdiskkit.patch.operations import Operation
    from vdiskkit.windows.image import WindowsImage

__all__ = ["ExpectedState", "expected_state"]

_Name = TypeVar("_Name", bound=tuple[str, ...])
_Wanted = TypeVar("_Wanted")


class ExpectedState(NamedTuple):
    """What must hold.

    Attributes:
        values: By hive, key path and name: type and raw data, or None for an absent value.
        keys: By hive and key path: whether the key must exist.
        deleted_files: Paths of files that must be gone.
    """

    values: dict[tuple[str, str, str], tuple[int, bytes] | None]
    keys: dict[tuple[str, str], bool]
    deleted_files: tuple[str, ...]


def expected_state(operations: Sequence[Operation], windows: WindowsImage | None) -> ExpectedState:
    """Play operations through; a later one overrules what an earlier one asked of the same thing."""
    state = ExpectedState({}, {}, tuple(item.path for item in operations if isinstance(item, DeleteFile)))
    if windows is None:
        return state
    for operation in operations:
        if isinstance(operation, SetValue | DeleteValue | CreateKey | DeleteKey):
            path = windows.resolve(operation.key)
            _play(state, operation, path.hive, path.key)
    return state


def _play(state: ExpectedState, operation: SetValue | DeleteValue | CreateKey | DeleteKey, hive: str, key: str) -> None:
    if isinstance(operation, DeleteKey):
        _drop(state.values, lambda item: item[0] == hive and _inside(item[1], key))
        _drop(state.keys, lambda item: item[0] == hive and _inside(item[1], key))
        state.keys[hive, key] = False
        return
    if isinstance(operation, CreateKey | SetValue):
        # A key that is made again makes those above it again, whatever was deleted before.
        _drop(state.keys, lambda item: item[0] == hive and _inside(key, item[1]))
    if isinstance(operation, CreateKey):
        state.keys[hive, key] = True
    else:
        _drop(state.values, lambda item: _same(item, (hive, key, operation.name)))
        wanted = (operation.type, operation.data) if isinstance(operation, SetValue) else None
        state.values[hive, key, operation.name] = wanted


def _drop(entries: dict[_Name, _Wanted], which: Callable[[_Name], bool]) -> None:
    for name in [name for name in entries if which(name)]:
        del entries[name]


def _inside(path: str, folder: str) -> bool:
    """Whether a key path is ``folder`` or below it."""
    return f"{path}\\".casefold().startswith(f"{folder}\\".casefold())


def _same(one: tuple[str, str, str], other: tuple[str, str, str]) -> bool:
    return tuple(part.casefold() for part in one) == tuple(part.casefold() for part in other)

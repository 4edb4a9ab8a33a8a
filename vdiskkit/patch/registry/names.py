"""Names of keys and values that may be given to something new.

Limits of "Registry element size limits" (Windows documentation); names in an existing hive may be stranger and are
found all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.errors import WriteRefusedError
from vdiskkit.registry.upcase import code_units
from vdiskkit.text import displayable

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["check_new_keys", "check_new_value", "split_path"]

_KEY_NAME_MAX = 255
_VALUE_NAME_MAX = 16_383
_DEPTH_MAX = 512
"""Characters and levels; Windows refuses more."""


def split_path(path: str) -> list[str]:
    r"""Return the names in a path from the hive's root, joined by ``\``; doubled and outer ones do not count."""
    return [name for name in path.split("\\") if name]


def check_new_keys(names: Sequence[str], depth: int) -> None:
    """Refuse keys that Windows would not make.

    Args:
        names: Names of the keys, each below the one before.
        depth: Keys above the first one, the root included.

    Raises:
        WriteRefusedError: A name is too long or has a NUL character, or the keys would be nested too deep.
    """
    for name in names:
        length = len(code_units(name))
        if length > _KEY_NAME_MAX:
            raise WriteRefusedError(
                f"the key name {displayable(name, 40)!r} has {length} characters; Windows allows {_KEY_NAME_MAX}"
            )
        _refuse_nul(name, "key")
    if depth + len(names) > _DEPTH_MAX:
        raise WriteRefusedError(f"keys would be nested more than {_DEPTH_MAX} deep, which Windows does not allow")


def check_new_value(name: str) -> None:
    """Refuse a value name that Windows would not accept.

    Raises:
        WriteRefusedError: It is too long or has a NUL character.
    """
    length = len(code_units(name))
    if length > _VALUE_NAME_MAX:
        raise WriteRefusedError(
            f"the value name {displayable(name, 40)!r} has {length} characters; Windows allows {_VALUE_NAME_MAX}"
        )
    _refuse_nul(name, "value")


def _refuse_nul(name: str, what: str) -> None:
    if "\0" in name:
        raise WriteRefusedError(
            f"the {what} name {displayable(name, 40)!r} contains a NUL character: regedit and most programs could "
            "neither see nor delete it"
        )

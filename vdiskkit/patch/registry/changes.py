"""What an edit did, in the words of its user, and which structures it touched."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.registry.value_types import decode, type_name

if TYPE_CHECKING:
    from vdiskkit.registry.value_types import RegistryData

__all__ = ["ChangeKind", "HiveChange", "Touched", "ValueData"]


class ChangeKind(StrEnum):
    """What was done."""

    SET_VALUE = "set-value"
    DELETE_VALUE = "delete-value"
    CREATE_KEY = "create-key"
    DELETE_KEY = "delete-key"


class ValueData(NamedTuple):
    """Type and data of a value.

    Attributes:
        type: Type number.
        raw: The data as stored.
    """

    type: int
    raw: bytes

    @property
    def type_name(self) -> str:
        """Type, such as ``REG_DWORD``."""
        return type_name(self.type)

    @property
    def data(self) -> RegistryData:
        """The data decoded strictly by type."""
        return decode(self.type, self.raw)[0]


class HiveChange(NamedTuple):
    r"""One change.

    Attributes:
        kind: What was done.
        key: Path of the key from the hive's root, names joined by ``\``, as they are stored.
        value: Name of the value, empty for the default value; None for a key.
        before: The value as it was; None when it is new.
        after: The value as it is now; None when it is deleted.
        keys: Keys that were deleted, the named one included.
        values: Values that were deleted with them.
    """

    kind: ChangeKind
    key: str
    value: str | None = None
    before: ValueData | None = None
    after: ValueData | None = None
    keys: int = 0
    values: int = 0


class Touched(NamedTuple):
    """What :func:`vdiskkit.patch.registry.check.check_touched` looks at.

    Attributes:
        keys: Paths of keys that were changed or made, where they still exist.
        lists: Paths of those keys whose subkeys changed.
        bins: Offsets of the hive bins in which something was written.
    """

    keys: tuple[str, ...]
    lists: tuple[str, ...]
    bins: tuple[int, ...]

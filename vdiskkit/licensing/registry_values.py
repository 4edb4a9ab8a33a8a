"""Registry values as licensing facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from vdiskkit.errors import FormatError, ReadLimitError
from vdiskkit.registry import Hive

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdiskkit.registry import RegistryValue

__all__ = ["fact_data", "in_the_file_alone", "type_problem"]

T = TypeVar("T")


def in_the_file_alone(hive: Hive, read: Callable[[Hive], T], default: T) -> T:
    """Return what ``read`` finds in a hive whose logs were replayed when these are left out.

    Args:
        hive: The hive.
        read: Reads something from a hive.
        default: Returned for hives that were not replayed, and where the file alone cannot be read.
    """
    replayed = hive.replayed
    if replayed is None or replayed.stale:
        return default
    try:
        return read(Hive(replayed.primary, hive.name, hive.limits))
    except FormatError as exc:
        if isinstance(exc, ReadLimitError) and exc.used_up:
            raise
        return default


def fact_data(value: RegistryValue) -> int | str | tuple[str, ...]:
    """Return a value's data as a JSON type: number, text, texts, or hex text for binary data."""
    data = value.data
    return data.hex() if isinstance(data, bytes) else data


def type_problem(value: RegistryValue, expected: str | None) -> str | None:
    """Say what is wrong with a value's type or data; None when nothing is."""
    if expected is not None and value.type_name != expected:
        return f"the type is {value.type_name}, but Windows reads {expected} here"
    return value.problem

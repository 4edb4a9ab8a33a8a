"""Registry values as licensing facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.errors import FormatError
from vdiskkit.registry import Hive

if TYPE_CHECKING:
    from vdiskkit.registry import RegistryValue

__all__ = ["absent_origin", "fact_data", "type_problem"]


def absent_origin(hive: Hive, path: str, name: str) -> str:
    """Say where it comes from that a value is not there: ``log`` when the hive file alone still has it."""
    replayed = hive.replayed
    if replayed is None or replayed.stale:
        return "primary"
    try:
        key = Hive(replayed.primary, hive.name, hive.limits).find(path)
        return "log" if key is not None and key.value(name) is not None else "primary"
    except FormatError:
        return "log"  # that it is not there can only be seen with the logs


def fact_data(value: RegistryValue) -> int | str | tuple[str, ...]:
    """Return a value's data as a JSON type: number, text, texts, or hex text for binary data."""
    data = value.data
    return data.hex() if isinstance(data, bytes) else data


def type_problem(value: RegistryValue, expected: str | None) -> str | None:
    """Say what is wrong with a value's type or data; None when nothing is."""
    if expected is not None and value.type_name != expected:
        return f"the type is {value.type_name}, but Windows reads {expected} here"
    return value.problem

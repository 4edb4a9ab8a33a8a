"""Registry values as licensing facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vdiskkit.registry import RegistryValue

__all__ = ["fact_data", "type_problem"]


def fact_data(value: RegistryValue) -> int | str | tuple[str, ...]:
    """Return a value's data as a JSON type: number, text, texts, or hex text for binary data."""
    data = value.data
    return data.hex() if isinstance(data, bytes) else data


def type_problem(value: RegistryValue, expected: str | None) -> str | None:
    """Say what is wrong with a value's type or data; None when nothing is."""
    if expected is not None and value.type_name != expected:
        return f"the type is {value.type_name}, but Windows reads {expected} here"
    return value.problem

"""Typed look-ups of single registry values for fact gatherers: a value of another type counts as absent."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vdiskkit.registry import RegistryKey

__all__ = ["number_value", "text_value"]


def text_value(key: RegistryKey | None, name: str) -> str | None:
    """Return the text of a REG_SZ or REG_EXPAND_SZ value, None when it is absent, empty or of another type."""
    value = key.value(name) if key is not None else None
    return value.data if value is not None and isinstance(value.data, str) and value.data else None


def number_value(key: RegistryKey | None, name: str) -> int | None:
    """Return the number of a REG_DWORD or REG_QWORD value, None when it is absent or of another type."""
    value = key.value(name) if key is not None else None
    return value.data if value is not None and isinstance(value.data, int) else None

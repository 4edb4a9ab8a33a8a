"""The results of ``reg get`` and ``reg ls``: schemas ``vdiskkit.reg-get/1`` and ``vdiskkit.reg-ls/1``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from vdiskkit.facts import Facts

__all__ = [
    "RegistryGetResult",
    "RegistryKeyTree",
    "RegistryLsResult",
    "RegistrySource",
    "RegistryValueItem",
    "plain_data",
]


def plain_data(data: int | str | bytes | tuple[str, ...]) -> int | str | tuple[str, ...]:
    """Registry data in JSON types: bytes become hex text."""
    return data.hex() if isinstance(data, bytes) else data


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySource(Facts):
    r"""Where a key was read.

    Attributes:
        key: Full key path; ``\...`` in a hive file.
        asked: The path that was asked for when it led through ``CurrentControlSet``, else None.
        hive: The hive's path inside the image, or the hive file.
        dirty: Whether Windows would replay the hive's logs before it uses it.
        stale: Whether it is dirty and its logs could not be replayed: values may be older than those in the logs.
        replayed_entries: How many log entries were replayed; 1 for a log of Windows 8 and earlier.
        last_written: When the key was last written, UTC.
        origin: ``primary``, or ``log`` when a replayed log changes the record of the key.
    """

    key: str
    asked: str | None
    hive: str
    dirty: bool
    stale: bool
    replayed_entries: int
    last_written: datetime | None
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryGetResult(Facts):
    """One value.

    Attributes:
        name: Value name, empty for the default value.
        type: ``REG_DWORD``, ``REG_SZ`` and so on.
        data: Number, text, list of texts, or hex text for everything else.
        problem: What is wrong with the data, None when nothing is.
        origin: ``primary``, or ``log`` when only a replayed log of the hive says so.
        source: Where it was read.
    """

    name: str
    type: str
    data: int | str | tuple[str, ...]
    problem: str | None
    origin: str
    source: RegistrySource


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryValueItem(Facts):
    """One value in a list; see :class:`RegistryGetResult`."""

    name: str
    type: str
    data: int | str | tuple[str, ...]
    problem: str | None
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryKeyTree(Facts):
    """A key and what is below it, as deep as was asked.

    Attributes:
        name: Key name.
        last_written: When it was last written, UTC.
        origin: ``primary``, or ``log`` when a replayed log changes the record of the key.
        values: Its values, None below the depth that was asked for.
        subkeys: Its subkeys, None below the depth that was asked for.
    """

    name: str
    last_written: datetime | None
    origin: str
    values: tuple[RegistryValueItem, ...] | None
    subkeys: tuple[RegistryKeyTree, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryLsResult(Facts):
    """The values and subkeys of one key.

    Attributes:
        source: Where the key was read.
        values: Its values.
        subkeys: Its subkeys.
        problems: What is damaged and therefore missing here.
    """

    source: RegistrySource
    values: tuple[RegistryValueItem, ...]
    subkeys: tuple[RegistryKeyTree, ...]
    problems: tuple[str, ...]

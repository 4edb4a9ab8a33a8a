"""Where the bytes of a key or value come from: the hive file itself, or a log that was replayed over it.

Logs hold whole pages, in which most of what they hold is what the hive file holds too. So bytes are compared: a record
is from a log when any byte that makes it what it is differs from the hive file.
"""

from __future__ import annotations

import struct
from enum import StrEnum
from typing import TYPE_CHECKING

from vdiskkit.registry.base_block import BASE_BLOCK_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.registry.hive import Hive
    from vdiskkit.registry.replay import Replayed

__all__ = ["Origin", "key_origin", "value_origin"]

_CELL_HEAD = 4
_KEY_HEAD, _VALUE_HEAD = 76, 20
_INLINE = 0x80000000
_SEGMENT = 16344
_BIG_DATA_HEAD = 8


class Origin(StrEnum):
    """Where something was read."""

    PRIMARY = "primary"
    """In the hive file."""
    LOG = "log"
    """In a log of the hive: the hive file alone says something else, or nothing."""


def key_origin(hive: Hive, replayed: Replayed, offset: int) -> Origin:
    """Return the origin of a key's own record: its name, its times, its counts and pointers.

    Raises:
        VDiskError: The record cannot be read.
    """
    cell = hive.cells.read(offset, _KEY_HEAD, _KEY_HEAD, "a key")
    (name_length,) = struct.unpack_from("<H", cell, 72)
    return _origin(replayed, ((offset, _KEY_HEAD + name_length),))


def value_origin(hive: Hive, replayed: Replayed, offset: int) -> Origin:
    """Return the origin of a value: its name, type and data.

    Raises:
        VDiskError: The value or its data cannot be read.
    """
    return _origin(replayed, _value_ranges(hive, offset))


def _origin(replayed: Replayed, cells: Iterator[tuple[int, int]] | tuple[tuple[int, int], ...]) -> Origin:
    """LOG when the content of any of the cells, given by offset and length, or its size differs."""
    differ = (replayed.from_log(BASE_BLOCK_SIZE + offset, _CELL_HEAD + length) for offset, length in cells)
    return Origin.LOG if any(differ) else Origin.PRIMARY


def _value_ranges(hive: Hive, offset: int) -> Iterator[tuple[int, int]]:
    cells = hive.cells
    _, name_length, size, where = struct.unpack_from("<2sHII", cells.read(offset, _VALUE_HEAD, _VALUE_HEAD, "a value"))
    yield offset, _VALUE_HEAD + name_length
    if size & _INLINE or not size:
        return
    if size <= _SEGMENT or hive.base_block.minor <= 3:
        yield where, size
        return
    yield where, _BIG_DATA_HEAD
    head = cells.read(where, _BIG_DATA_HEAD, _BIG_DATA_HEAD, "a big data record")
    _, count, table = struct.unpack("<2sHI", head)
    yield table, 4 * count
    for segment in struct.unpack(f"<{count}I", cells.read(table, 4 * count, 4 * count, "a list of segments")):
        yield segment, min(size, _SEGMENT)
        size = max(size - _SEGMENT, 0)

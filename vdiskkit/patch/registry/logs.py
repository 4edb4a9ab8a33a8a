"""What a hive's transaction logs say about sequence numbers.

When a hive is edited offline its sequence numbers must end above every number in its logs. Then no entry that is left
in a log can be taken for a later change should the hive ever become dirty.

Follows the sections "Old format" and "New format" of transaction logs in the "Windows registry file format
specification".
"""

from __future__ import annotations

import struct
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from vdiskkit.io import ByteSource

__all__ = ["LogFormat", "LogState", "read_log", "read_log_sequences"]

_SECTOR = 512
_HEAD = struct.Struct("<4sII")
_KIND_AT = 28
_NEW_KIND = 6
_ENTRY = struct.Struct("<4sIII")
_ENTRIES_MAX = 65_536


class LogFormat(StrEnum):
    """How a log is kept."""

    NONE = "none"
    """Empty or not in use."""
    OLD = "old"
    """Windows 8 and earlier: one set of dirty pages, bound to the hive by its last-written time."""
    NEW = "new"
    """Windows 8.1 and later: numbered entries."""


class LogState(NamedTuple):
    """What a log says.

    Attributes:
        sequence: The highest sequence number in it; 0 when it has none.
        format: How it is kept.
        entries: How many entries it has in a row (new format).
    """

    sequence: int
    format: LogFormat
    entries: int


def read_log(source: ByteSource) -> LogState:
    """Read the sequence numbers of one log file; what is no log has none.

    Only headers are read: 512 bytes, and 16 of each entry.

    Raises:
        SourceError: The file cannot be read.
    """
    if source.size < _SECTOR:
        return LogState(0, LogFormat.NONE, 0)
    block = source.read_at(0, _SECTOR)
    signature, first, second = _HEAD.unpack_from(block)
    highest = max(first, second) if signature == b"regf" else 0
    entries = 0
    at = _SECTOR
    while entries < _ENTRIES_MAX and at + _ENTRY.size <= source.size:
        mark, size, _, sequence = _ENTRY.unpack(source.read_at(at, _ENTRY.size))
        if mark != b"HvLE" or size < _SECTOR or size % _SECTOR:
            break
        entries += 1
        highest = max(highest, sequence)
        at += size
    kind = int.from_bytes(block[_KIND_AT : _KIND_AT + 4], "little")
    if entries or (signature == b"regf" and kind == _NEW_KIND):
        return LogState(highest, LogFormat.NEW, entries)
    return LogState(highest, LogFormat.OLD if signature == b"regf" else LogFormat.NONE, 0)


def read_log_sequences(source: ByteSource) -> int:
    """Return the highest sequence number in a ``.LOG``, ``.LOG1`` or ``.LOG2`` file; 0 when it has none.

    Raises:
        SourceError: The file cannot be read.
    """
    return read_log(source).sequence

"""Times in $STANDARD_INFORMATION. The copies in $FILE_NAME and in indexes are renewed late by Windows itself."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from vdiskkit.ntfs.record import STANDARD_INFORMATION
from vdiskkit.patch.ntfs.surgery import value_offset
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from vdiskkit.patch.ntfs.records import RecordStore

__all__ = ["filetime", "stamp"]

_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_MODIFIED_AT = 8  # last write, then last change of the record


def filetime(when: datetime | int) -> int:
    """Return 100-ns ticks since 1601; an integer is taken as such already."""
    return when if isinstance(when, int) else (when - _EPOCH) // timedelta(microseconds=1) * 10


def stamp(store: RecordStore, number: int, now: int) -> None:
    """Set the times of the last write and of the last change of a record to ``now``."""
    for held in store.attributes(number):
        if held.attribute.type == STANDARD_INFORMATION and held.attribute.resident:
            record = store.load(number)
            struct.pack_into("<QQ", record, value_offset(record, held.offset) + _MODIFIED_AT, now, now)
            store.store(number, record, Phase.LINK)

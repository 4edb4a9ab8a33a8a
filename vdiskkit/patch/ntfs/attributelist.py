"""Taking attributes out of a file, out of its attribute list too where it has one."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vdiskkit.ntfs.record import ATTRIBUTE_LIST
from vdiskkit.patch.ntfs.content import AttributeContent
from vdiskkit.patch.ntfs.surgery import free_record, put_value, remove_attribute, set_sizes
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdiskkit.patch.ntfs.records import FileRecords, HeldAttribute, RecordStore

__all__ = ["remove_attributes"]

_ENTRY = struct.Struct("<IHBBQQH")


def remove_attributes(store: RecordStore, records: FileRecords, gone: Sequence[HeldAttribute]) -> tuple[int, ...]:
    """Remove resident attributes; extension records that hold nothing any more are freed.

    Args:
        store: The records of the volume.
        records: The file.
        gone: Its attributes that go.

    Returns:
        Numbers of the extension records that were freed; their bits in the bitmap of $MFT are the caller's.
    """
    if records.listed:
        _shorten_list(store, records, gone)
    freed = []
    for number in sorted({held.record for held in gone}):
        record = store.load(number)
        # The list is shorter by now, so the places are looked up again; instances do not change.
        instances = {held.attribute.instance for held in gone if held.record == number}
        there = store.attributes(number)
        leaving = [held for held in there if held.attribute.instance in instances]
        for held in reversed(leaving):
            remove_attribute(record, held.offset)
        if number != records.number and len(leaving) == len(there):
            free_record(record)
            store.store(number, record, Phase.RELEASE)
            freed.append(number)
        else:
            store.store(number, record, Phase.LINK)
    return tuple(freed)


def _shorten_list(store: RecordStore, records: FileRecords, gone: Sequence[HeldAttribute]) -> None:
    listed = records.find(ATTRIBUTE_LIST)[0]
    leaving = {(held.record, held.attribute.instance) for held in gone}
    old = records.list_content(listed)
    kept = bytearray()
    offset = 0
    while offset < len(old):
        _, length, _, _, _, reference, instance = _ENTRY.unpack_from(old, offset)
        if (reference & 0xFFFF_FFFF_FFFF, instance) not in leaving:
            kept += old[offset : offset + length]
        offset += length
    record = store.load(listed.record)
    if listed.attribute.resident:
        put_value(record, listed.offset, bytes(kept), store.where(listed.record))
    else:
        AttributeContent(store, [listed]).write(0, bytes(kept).ljust(len(old), b"\0"), Phase.LINK)
        set_sizes(record, listed.offset, listed.attribute.allocated_size, len(kept), len(kept))
    store.store(listed.record, record, Phase.LINK)

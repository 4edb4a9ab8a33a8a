"""The $ATTRIBUTE_LIST of a file: its lines, longer and shorter ones, and where they lie.

A list that becomes longer is written so that the base record alone turns the old one into the new: lines at its end
lie behind what the base record says of its length, and any other longer list in clusters goes into new ones.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vdiskkit.errors import CorruptStructureError, WriteRefusedError
from vdiskkit.ntfs.record import ATTRIBUTE_LIST, FileReference
from vdiskkit.patch.ntfs.content import AttributeContent
from vdiskkit.patch.ntfs.layout import Sizes, list_entry, non_resident_attribute, resident_attribute
from vdiskkit.patch.ntfs.mapping import extents, merge_runs, pieces
from vdiskkit.patch.ntfs.records import MAX_LIST
from vdiskkit.patch.ntfs.surgery import (
    insert_attribute,
    put_value,
    remove_attribute,
    replace_attribute,
    room,
    set_sizes,
    take_instance,
    value_offset,
)
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdiskkit.ntfs.runs import Run
    from vdiskkit.patch.ntfs.records import FileRecords, HeldAttribute, RecordStore
    from vdiskkit.patch.ntfs.space import ClusterSpace

__all__ = ["ListWriter", "is_ordered", "line_of", "list_lines", "remove_attributes"]

_ENTRY = struct.Struct("<IHBBQQH")
_RECORD = 0xFFFF_FFFF_FFFF


def list_lines(store: RecordStore, records: FileRecords) -> list[bytes]:
    """Return the lines of a file's attribute list, or of the one that it would have.

    Raises:
        CorruptStructureError: The list is damaged.
    """
    if not records.listed:
        base = FileReference(records.number, records.record.sequence)
        return [
            list_entry(one.type, one.name, one.lowest_vcn, base, one.instance)
            for one in (held.attribute for held in store.attributes(records.number))
        ]
    data = records.list_content(records.find(ATTRIBUTE_LIST)[0])
    lines = []
    offset = 0
    while offset < len(data):  # the lengths were checked when the file's records were gathered
        length = _ENTRY.unpack_from(data, offset)[1]
        lines.append(data[offset : offset + length])
        offset += length
    return lines


def line_of(lines: Sequence[bytes], held: HeldAttribute) -> int:
    """Return the index of the line that names an attribute.

    Raises:
        CorruptStructureError: There is none.
    """
    for index, line in enumerate(lines):
        if _target(line) == (held.record, held.attribute.instance):
            return index
    raise CorruptStructureError(f"the attribute list does not name an attribute of MFT record {held.record}")


def is_ordered(lines: Sequence[bytes]) -> bool:
    """Whether lines stand as whoever looks one up expects: by type, the parts of a stream together and by VCN."""
    streams: set[tuple[int, bytes]] = set()
    previous = (0, b"", 0)
    for line in lines:
        kind, _, length, start, vcn, _, _ = _ENTRY.unpack_from(line)
        name = line[start : start + 2 * length]
        same = (kind, name) == previous[:2]
        if kind < previous[0] or (same and vcn < previous[2]) or (not same and (kind, name) in streams):
            return False
        streams.add((kind, name))
        previous = kind, name, vcn
    return True


class ListWriter:
    """A longer attribute list, put into a base record in memory when it is made; clusters follow in :meth:`write`.

    Attributes:
        freed: (first cluster, number of clusters) that held the list before and do so no longer.

    Args:
        store: The records of the volume.
        space: Its clusters.
        records: The file as it is.
        base: Its base record, which is changed; nothing in front of the list may have moved in it.
        lines: The lines of the new list.
        taken: Clusters that are chosen for something else, but not claimed yet.
        what: Whose list it is, for messages.

    Raises:
        WriteRefusedError: The base record or the volume has no room for it.
        CorruptStructureError: The old list is damaged.
    """

    def __init__(
        self,
        store: RecordStore,
        space: ClusterSpace,
        records: FileRecords,
        base: bytearray,
        lines: Sequence[bytes],
        *,
        taken: Sequence[tuple[int, int]],
        what: str,
    ) -> None:
        self._store = store
        self._space = space
        self._where = store.where(records.number)
        self._what = what
        self._chosen: list[tuple[int, int]] = []
        self._writes: list[tuple[int, bytes]] = []
        self.freed: list[tuple[int, int]] = []
        value = b"".join(lines)
        if len(value) > MAX_LIST:
            raise WriteRefusedError(
                f"the attribute list of {what} would have {len(value)} bytes, {MAX_LIST} are allowed",
                location=self._where,
                hint="defragment the file inside Windows",
            )
        listed = records.find(ATTRIBUTE_LIST)
        if not listed:
            block = resident_attribute(ATTRIBUTE_LIST, take_instance(base), value)
            if len(block) > room(base):
                block = self._outside(value, block, taken)
            self._refuse_unless(len(block) <= room(base), base)
            insert_attribute(base, block, self._where)
        elif listed[0].attribute.resident:
            self._lengthen_resident(base, listed[0], value, taken)
        else:
            self._lengthen_clusters(base, listed[0], value, taken)

    def write(self) -> None:
        """Write what lies in clusters, and claim those."""
        for place, data in self._writes:
            self._store.source.write_at(place, data, Phase.DATA)
        self._space.claim(self._chosen)

    def _lengthen_resident(
        self, base: bytearray, held: HeldAttribute, value: bytes, taken: Sequence[tuple[int, int]]
    ) -> None:
        header = value_offset(base, held.offset) - held.offset
        if ((header + len(value) + 7) & ~7) - held.length <= room(base):
            put_value(base, held.offset, value, self._where)
            return
        self._replace(base, held, self._outside(value, base[held.offset :], taken))

    def _lengthen_clusters(
        self, base: bytearray, held: HeldAttribute, value: bytes, taken: Sequence[tuple[int, int]]
    ) -> None:
        content = AttributeContent(self._store, [held])
        old = content.read(0, content.size)
        if value.startswith(old) and len(value) <= content.allocated:
            self._put(content.runs, len(old), value[len(old) :])
            set_sizes(base, held.offset, content.allocated, len(value), len(value))
            return
        self._replace(base, held, self._outside(value, base[held.offset :], taken))
        self.freed = extents(content.runs)

    def _replace(self, base: bytearray, held: HeldAttribute, block: bytes) -> None:
        self._refuse_unless(len(block) - held.length <= room(base), base)
        replace_attribute(base, held.offset, block, self._where)

    def _outside(self, value: bytes, old: bytes | bytearray, taken: Sequence[tuple[int, int]]) -> bytes:
        """Choose clusters for the list and return the attribute that leads to them; its instance is the old one's."""
        cluster_size = self._store.boot.cluster_size
        count = -(-len(value) // cluster_size)
        self._chosen = self._space.choose(count, None, taken)
        runs = merge_runs((), self._chosen)
        self._put(runs, 0, value)
        sizes = Sizes(count * cluster_size, len(value), len(value))
        instance = struct.unpack_from("<H", old, 14)[0]
        return non_resident_attribute(ATTRIBUTE_LIST, "", 0, instance, runs, sizes)

    def _put(self, runs: Sequence[Run], offset: int, data: bytes) -> None:
        done = 0
        for place, part in pieces(runs, self._store.boot.cluster_size, offset, len(data)):
            if place is None:
                raise CorruptStructureError("the attribute list has a hole", location=self._where)
            self._writes.append((place, data[done : done + part]))
            done += part

    def _refuse_unless(self, fits: bool, base: bytearray) -> None:  # noqa: FBT001 - private
        if not fits:
            raise WriteRefusedError(
                f"the MFT record of {self._what} has {room(base)} bytes left, too few for an attribute list",
                location=self._where,
                hint="defragment the file inside Windows",
            )


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
        store.store(number, record, Phase.LINK)
        if number != records.number and len(leaving) == len(there):
            store.free(number)
            freed.append(number)
    return tuple(freed)


def _shorten_list(store: RecordStore, records: FileRecords, gone: Sequence[HeldAttribute]) -> None:
    listed = records.find(ATTRIBUTE_LIST)[0]
    leaving = {(held.record, held.attribute.instance) for held in gone}
    old = records.list_content(listed)
    kept = b"".join(line for line in list_lines(store, records) if _target(line) not in leaving)
    record = store.load(listed.record)
    if listed.attribute.resident:
        put_value(record, listed.offset, kept, store.where(listed.record))
    else:
        AttributeContent(store, [listed]).write(0, kept.ljust(len(old), b"\0"), Phase.LINK)
        set_sizes(record, listed.offset, listed.attribute.allocated_size, len(kept), len(kept))
    store.store(listed.record, record, Phase.LINK)


def _target(line: bytes) -> tuple[int, int]:
    """Return the record and the instance that a line names."""
    _, _, _, _, _, reference, instance = _ENTRY.unpack_from(line)
    return reference & _RECORD, instance

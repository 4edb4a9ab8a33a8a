"""A stream whose runlist no longer fits its MFT record: it goes on in new extension records.

In a file without an attribute list the stream moves out of the base record as a whole, and the base record, where the
list stands then, is the one thing that turns the old state into the new. In a file that has a list already, the parts
stay as they are and further ones follow. Nothing leads to a new record before the list does: a change that is cut off
leaves records and clusters that belong to nobody, which chkdsk frees.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vdiskkit.errors import WriteRefusedError
from vdiskkit.ntfs.record import FileReference
from vdiskkit.patch.ntfs.attributelist import ListWriter, line_of, list_lines
from vdiskkit.patch.ntfs.freerecords import RecordSpace
from vdiskkit.patch.ntfs.layout import Sizes, extension_record, list_entry, non_resident_attribute, pairs_room
from vdiskkit.patch.ntfs.mapping import split_runs
from vdiskkit.patch.ntfs.surgery import remove_attribute
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdiskkit.ntfs.runs import Run
    from vdiskkit.patch.ntfs.records import FileRecords, HeldAttribute, RecordStore
    from vdiskkit.patch.ntfs.space import ClusterSpace

__all__ = ["Spread"]

_SEQUENCE_AT = 16


class Spread:
    """One such change, checked when it is made and done by :meth:`run`.

    Attributes:
        freed: (first cluster, number of clusters) that held the attribute list before and are given back.

    Args:
        store: The records of the volume.
        space: Its clusters.
        records: The file.
        held: The last part of the stream, or a resident stream that becomes non-resident.
        runs: The runs that the new parts tell: all of the stream when they replace ``held``, else what follows it.
        sizes: The sizes of the stream, which the part at VCN 0 holds.
        taken: Clusters that are chosen for the stream, but not claimed yet.
        what: What grows, for messages.

    Raises:
        WriteRefusedError: There are no free MFT records or clusters, or the base record has no room for the list.
        CorruptStructureError: The attribute list is damaged.
    """

    def __init__(
        self,
        store: RecordStore,
        space: ClusterSpace,
        records: FileRecords,
        held: HeldAttribute,
        runs: Sequence[Run],
        sizes: Sizes,
        *,
        taken: Sequence[tuple[int, int]],
        what: str,
    ) -> None:
        self._store = store
        self._number = records.number
        replaced = runs[0].vcn == held.attribute.lowest_vcn
        if replaced and held.record != records.number:
            raise WriteRefusedError(
                f"{what} lies in an extension record that has no room to turn it into clusters",
                location=store.where(held.record),
                hint="let Windows write the file",
            )
        name = held.attribute.name
        parts = split_runs(runs, pairs_room(store.record_size, name))
        self._record_space = RecordSpace(store)
        self._records: dict[int, bytearray] = {}
        added = []
        for number, part in zip(self._record_space.choose(len(parts), what), parts, strict=True):
            lowest = part[0].vcn
            block = non_resident_attribute(
                held.attribute.type, name, held.attribute.flags, 0, part, Sizes() if lowest else sizes
            )
            base = FileReference(records.number, records.record.sequence)
            record = self._records[number] = extension_record(store.load(number), number, base, block)
            holder = FileReference(number, struct.unpack_from("<H", record, _SEQUENCE_AT)[0])
            added.append(list_entry(held.attribute.type, name, lowest, holder, 0))
        lines = list_lines(store, records)
        at = line_of(lines, held)
        lines[at : at + 1] = added if replaced else [lines[at], *added]
        self._base = store.load(records.number)
        if replaced:
            remove_attribute(self._base, held.offset)
        self._list = ListWriter(store, space, records, self._base, lines, taken=taken, what=what)
        self.freed = self._list.freed

    def run(self) -> tuple[int, ...]:
        """Write the change, except for the bits of the stream's own clusters; return the numbers of the new records."""
        numbers = tuple(self._records)
        self._list.write()
        self._record_space.claim(numbers)
        for number, record in self._records.items():
            self._store.take(number, record)
        self._store.store(self._number, self._base, Phase.LINK)
        return numbers

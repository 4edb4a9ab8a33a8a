"""MFT records, raw: loaded without their update sequence, changed as bytes, and stored with a new one.

The first records are kept twice; what goes into $MFTMirr is byte for byte what goes into $MFT, as a copy that was
stamped a second time makes Windows and ntfs-3g distrust both.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import CorruptStructureError, WriteRefusedError
from vdiskkit.ntfs.mft import parse_attribute_list
from vdiskkit.ntfs.record import ATTRIBUTE_LIST, DATA, FileReference, apply_fixups, parse_record
from vdiskkit.ntfs.runs import Run, parse_runs
from vdiskkit.patch.ntfs.fixups import protect
from vdiskkit.patch.ntfs.mapping import pieces
from vdiskkit.patch.ntfs.surgery import free_record
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdiskkit.location import Location
    from vdiskkit.ntfs import NtfsVolume
    from vdiskkit.ntfs.record import Attribute, MftRecord
    from vdiskkit.patch.staging import WritableSource

__all__ = ["MAX_LIST", "FileRecords", "HeldAttribute", "RecordStore"]

MAX_LIST = 256 * 1024
"""Bytes that an attribute list has at most."""
_LENGTH = struct.Struct("<I")
_FIRST_ATTRIBUTE = struct.Struct("<H")


class HeldAttribute(NamedTuple):
    """An attribute and where it stands: the record that holds it, its offset and length there."""

    record: int
    offset: int
    length: int
    attribute: Attribute


class RecordStore:
    """Loads and stores whole records of one volume.

    Attributes:
        source: The volume.
        boot: Its geometry.
        location: Its address.
        freed: Numbers of the records that were freed here.

    Args:
        volume: The reader of the volume; only its geometry and the runlists of $MFT and $MFTMirr are taken from it.
        source: The volume, to be written to.
    """

    def __init__(self, volume: NtfsVolume, source: WritableSource) -> None:
        self.source = source
        self.boot = volume.boot
        self.location = volume.location
        self._count = volume.mft.record_count
        self._runs = self._system_runs(volume, 0, "$MFT")[1]
        size, self._mirror_runs = self._system_runs(volume, 1, "$MFTMirr")
        self._mirrored = size // self.boot.record_size
        self.freed: set[int] = set()
        self._taken: set[int] = set()
        self._phases: dict[int, Phase] = {}

    @property
    def record_size(self) -> int:
        """Bytes in a record."""
        return self.boot.record_size

    @property
    def count(self) -> int:
        """Records in the table."""
        return self._count

    @property
    def mirrored(self) -> int:
        """How many of the first records are also in $MFTMirr."""
        return self._mirrored

    def load(self, number: int) -> bytearray:
        """Return a record with its update sequence undone.

        Raises:
            CorruptStructureError: There is no such record, or it is damaged.
        """
        return bytearray(apply_fixups(self._read(number), b"FILE", "the MFT record", self.where(number)))

    def parsed(self, number: int) -> MftRecord:
        """Return a record, checked and decoded.

        Raises:
            CorruptStructureError: There is no such record, or it is damaged.
        """
        return parse_record(self._read(number), number, self.where(number))

    def store(self, number: int, data: bytes | bytearray, phase: Phase, *, early: bool = False) -> None:
        """Write a record back, with the next update sequence number, and into $MFTMirr where it is kept twice.

        Args:
            number: Its number.
            data: The record as :meth:`load` returned it, changed.
            phase: When it is written.
            early: Write it then though it was changed for a later phase before, as nothing of that does harm earlier.
        """
        if len(data) != self.record_size:
            raise CorruptStructureError(
                f"a record of {len(data)} bytes cannot be stored, records have {self.record_size}",
                location=self.where(number),
            )
        if number in self._taken and phase is Phase.LINK:
            phase = Phase.CLAIM  # nothing leads to it before what is linked, so it can be whole by then
        # A record is written as a whole, with all that was changed in it before.
        last = max(phase, self._phases.get(number, phase))
        self._phases[number] = last
        phase = phase if early else last
        block = protect(data)
        self._write(self._runs, number, block, phase)
        if number < self._mirrored:
            self._write(self._mirror_runs, number, block, phase)

    def take(self, number: int, data: bytearray) -> None:
        """Write a record into the place of a free one; its bit in the bitmap of $MFT is the caller's."""
        self._taken.add(number)
        self.store(number, data, Phase.CLAIM)

    def free(self, number: int) -> None:
        """Free a record; its bit in the bitmap of $MFT is the caller's."""
        record = self.load(number)
        free_record(record)
        # Before the bitmaps: a record that is in use must not own what they call free.
        self.store(number, record, Phase.HIVE_UNLINK)
        self.freed.add(number)

    def mirror_equals(self, number: int) -> bool:
        """Whether one of the first records equals its copy in $MFTMirr."""
        return self._read(number) == self._bytes(self._mirror_runs, number)

    def attributes(self, number: int) -> list[HeldAttribute]:
        """Return the attributes of one record with their places.

        Raises:
            CorruptStructureError: The record is damaged.
        """
        record = self.parsed(number)
        data = self.load(number)
        held = []
        offset = _FIRST_ATTRIBUTE.unpack_from(data, 20)[0]
        for attribute in record.attributes:
            length = _LENGTH.unpack_from(data, offset + 4)[0]
            held.append(HeldAttribute(number, offset, length, attribute))
            offset += length
        return held

    def where(self, number: int) -> Location:
        """The address of a record."""
        return self.location.at("mft", number)

    def runs_of(self, attributes: Sequence[HeldAttribute]) -> list[Run]:
        """Return the joined runlist of the parts of a non-resident attribute.

        Raises:
            CorruptStructureError: Parts are missing or overlap, or a runlist is damaged.
        """
        runs: list[Run] = []
        for held in sorted(attributes, key=lambda part: part.attribute.lowest_vcn):
            expected = runs[-1].vcn + runs[-1].clusters if runs else 0
            if held.attribute.resident or held.attribute.lowest_vcn != expected:
                raise CorruptStructureError(
                    f"a stream has no part that starts at VCN {expected:#x}",
                    location=self.where(held.record),
                    hint="run chkdsk on the volume",
                )
            runs += parse_runs(held.attribute, self.boot.total_clusters, self.where(held.record))
        return runs

    def _read(self, number: int) -> bytes:
        if not 0 <= number < self._count:
            raise CorruptStructureError(
                f"a reference leads to MFT record {number}, the table ends at {self._count}",
                location=self.where(number),
            )
        return self._bytes(self._runs, number)

    def _bytes(self, runs: Sequence[Run], number: int) -> bytes:
        found = pieces(runs, self.boot.cluster_size, number * self.record_size, self.record_size)
        return b"".join(self.source.read_at(place or 0, length) for place, length in found)

    def _write(self, runs: Sequence[Run], number: int, block: bytes, phase: Phase) -> None:
        done = 0
        for place, length in pieces(runs, self.boot.cluster_size, number * self.record_size, self.record_size):
            self.source.write_at(place or 0, block[done : done + length], phase)
            done += length

    def _system_runs(self, volume: NtfsVolume, number: int, name: str) -> tuple[int, list[Run]]:
        record = volume.mft.record(number)
        found = volume.mft.runs(record, DATA) if record.in_use else None
        if found is None or found[0].resident or any(run.lcn is None for run in found[1]):
            raise WriteRefusedError(
                f"{name} is damaged: it has no clusters of its own",
                location=self.where(number),
                hint="run chkdsk on the volume",
            )
        return found[0].data_size, found[1]


class FileRecords:
    """All records of one file: the base record and, by its attribute list, the extension records.

    Attributes:
        number: The base record.
        record: The base record, decoded.
        attributes: All attributes, the attribute list included, in the order of the list.
        extensions: Numbers of the extension records.
        listed: Whether there is an attribute list.

    Args:
        store: Where the records come from.
        number: The base record.

    Raises:
        CorruptStructureError: A record or the attribute list is damaged, or they do not fit together.
    """

    def __init__(self, store: RecordStore, number: int) -> None:
        self._store = store
        self.number = number
        self.record = store.parsed(number)
        if not self.record.in_use or self.record.base.number or self.record.base.sequence:
            raise CorruptStructureError(f"MFT record {number} is no file", location=store.where(number))
        own = store.attributes(number)
        list_attribute = next((held for held in own if held.attribute.type == ATTRIBUTE_LIST), None)
        self.listed = list_attribute is not None
        self.attributes = own
        self.extensions: tuple[int, ...] = ()
        if list_attribute is not None:
            self._gather(own, list_attribute)

    def find(self, kind: int, name: str = "") -> list[HeldAttribute]:
        """Return all parts of the attributes of that type and name."""
        return [held for held in self.attributes if held.attribute.type == kind and held.attribute.name == name]

    def of_type(self, kind: int) -> list[HeldAttribute]:
        """Return all attributes of that type, whatever their names."""
        return [held for held in self.attributes if held.attribute.type == kind]

    def list_content(self, held: HeldAttribute) -> bytes:
        """Return the content of the attribute list."""
        attribute = held.attribute
        if attribute.resident:
            return attribute.value
        where = self._store.where(self.number)
        runs = self._store.runs_of([held])
        cluster_size = self._store.boot.cluster_size
        room = sum(run.clusters for run in runs) * cluster_size
        if attribute.data_size > min(room, MAX_LIST) or any(run.lcn is None for run in runs):
            raise CorruptStructureError("the attribute list is damaged", location=where)
        found = pieces(runs, cluster_size, 0, attribute.data_size)
        return b"".join(self._store.source.read_at(place or 0, length) for place, length in found)

    def _gather(self, own: list[HeldAttribute], list_attribute: HeldAttribute) -> None:
        where = self._store.where(self.number)
        held_by = {self.number: own}
        gathered = [list_attribute]
        for entry in parse_attribute_list(self.list_content(list_attribute), where):
            holder = entry.reference.number
            if holder not in held_by:
                self._check_extension(entry.reference)
                held_by[holder] = self._store.attributes(holder)
            match = [
                held
                for held in held_by[holder]
                if (held.attribute.type, held.attribute.instance, held.attribute.lowest_vcn, held.attribute.name)
                == (entry.type, entry.instance, entry.lowest_vcn, entry.name)
            ]
            if len(match) != 1:
                raise CorruptStructureError(
                    f"the attribute list names attribute {entry.type:#x} in MFT record {holder}, which has none such",
                    location=where,
                    hint="run chkdsk on the volume",
                )
            gathered += match
        places = [(held.record, held.offset) for held in gathered]
        if sorted(places) != sorted((held.record, held.offset) for one in held_by.values() for held in one):
            raise CorruptStructureError(
                "the attribute list does not name every attribute of its file once",
                location=where,
                hint="run chkdsk on the volume",
            )
        self.attributes = gathered
        self.extensions = tuple(sorted(number for number in held_by if number != self.number))

    def _check_extension(self, reference: FileReference) -> None:
        extension = self._store.parsed(reference.number)
        expected = FileReference(self.number, self.record.sequence)
        if not extension.in_use or extension.sequence != reference.sequence or extension.base != expected:
            raise CorruptStructureError(
                f"the attribute list names MFT record {reference.number}, which does not belong to this file",
                location=self._store.where(self.number),
                hint="run chkdsk on the volume",
            )

"""The master file table: records by number, and the attributes of a file over all of its records.

$MFT describes itself. Its first record gives the first runs; when the rest is told in extension records, each of them
must lie in the part that is already known, or the table would need itself to be found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.errors import CorruptStructureError, FormatError
from vdiskkit.ntfs.attribute_list import ListEntry, parse_attribute_list
from vdiskkit.ntfs.record import (
    ATTRIBUTE_LIST,
    COMPRESSION_MASK,
    DATA,
    ENCRYPTED,
    SPARSE,
    Attribute,
    FileReference,
    MftRecord,
    parse_record,
)
from vdiskkit.ntfs.runs import parse_runs
from vdiskkit.ntfs.streams import AttributeSource, CompressedSource, NonResidentSource, ResidentSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location
    from vdiskkit.ntfs.boot import BootSector
    from vdiskkit.ntfs.runs import Run

__all__ = ["ListEntry", "Mft", "parse_attribute_list"]

MAX_ATTRIBUTE_LIST = 1024 * 1024  # Windows stops at 256 KiB; this bounds the memory for one
MAX_UNIT = 1024 * 1024  # NTFS compresses 16 clusters of 4 KiB at most, 64 KiB; this bounds the memory for one
_BAD_CLUSTER_RECORD = 8  # its stream is one hole as large as the volume, without the sparse flag
_CACHED_RECORDS = 512
_AHEAD_GAP = 4 * 1024  # records this near to each other are read together,
_AHEAD_MANY_GAP = 16 * 1024  # and when there are many, calls cost more than bytes
_AHEAD_MANY = 1000
_AHEAD_SIZE = 256 * 1024


class Mft:
    """Records of one volume, checked and cached.

    Args:
        volume: The volume.
        boot: Its geometry.
        location: The address of the volume.
        notice: Called with a code, a message and a location for what was worth telling.
    """

    def __init__(
        self,
        volume: ByteSource,
        boot: BootSector,
        location: Location,
        notice: Callable[[str, str, Location | None], None],
    ) -> None:
        self._volume = volume
        self._boot = boot
        self._location = location
        self._records: dict[int, MftRecord] = {}
        self._lists: dict[int, list[ListEntry]] = {}
        self._ahead: dict[int, bytes] = {}
        record = self._first_record(notice)
        self._records[0] = record
        self._table = self._bootstrap(record)

    @property
    def table(self) -> AttributeSource:
        """The bytes of all records."""
        return self._table

    @property
    def record_count(self) -> int:
        """Records that the table has room for."""
        return min(self._table.size, self._table.initialized_size) // self._boot.record_size

    def record(self, number: int) -> MftRecord:
        """Return one record, in use or not.

        Raises:
            CorruptStructureError: There is no such record, or it is damaged.
        """
        found = self._records.get(number)
        if found is not None:
            return found
        where = self._location.at("mft", number)
        if number >= self.record_count:
            raise CorruptStructureError(
                f"a reference leads to MFT record {number}, the table ends at {self.record_count}", location=where
            )
        size = self._boot.record_size
        block = self._ahead.pop(number, None)
        record = parse_record(block or self._table.read_at(number * size, size), number, where)
        if len(self._records) >= _CACHED_RECORDS:
            # Oldest first; record 0 stays because everything hangs on it.
            for old in list(self._records)[1 : _CACHED_RECORDS // 2]:
                del self._records[old]
                self._lists.pop(old, None)
        self._records[number] = record
        return record

    def read_ahead(self, numbers: Iterable[int]) -> None:
        """Read records that will be asked for next, neighbours together; what was read ahead before is dropped."""
        size = self._boot.record_size
        end = self.record_count
        wanted = sorted({number for number in numbers if number < end and number not in self._records})
        gap = (_AHEAD_MANY_GAP if len(wanted) > _AHEAD_MANY else _AHEAD_GAP) // size
        self._ahead = {}
        first = 0
        for index in range(1, len(wanted) + 1):
            if (
                index == len(wanted)
                or wanted[index] - wanted[index - 1] > gap
                or (wanted[index] - wanted[first] + 1) * size > _AHEAD_SIZE
            ):
                self._fetch(wanted[first:index])
                first = index

    def _fetch(self, numbers: list[int]) -> None:
        if len(numbers) == 1:
            return  # alone it is read when it is asked for
        size = self._boot.record_size
        first = numbers[0]
        try:
            data = self._table.read_at(first * size, (numbers[-1] - first + 1) * size)
        except CorruptStructureError:
            return  # told when one of the records is asked for
        for number in numbers:
            at = (number - first) * size
            self._ahead[number] = data[at : at + size]

    def referenced(self, reference: FileReference, what: str) -> MftRecord:
        """Return the base record that a file reference leads to.

        Raises:
            CorruptStructureError: The record is free, was reused since, or is a mere extension.
        """
        record = self.record(reference.number)
        where = self._location.at("mft", reference.number)
        if not record.in_use:
            raise CorruptStructureError(
                f"{what} leads to a deleted file: MFT record {reference.number} is free",
                location=where,
                hint="run chkdsk on the volume",
            )
        if record.sequence != reference.sequence:
            raise CorruptStructureError(
                f"{what} is out of date: MFT record {reference.number} was reused "
                f"(sequence {record.sequence}, expected {reference.sequence})",
                location=where,
                hint="run chkdsk on the volume",
            )
        if record.base.number or record.base.sequence:
            raise CorruptStructureError(
                f"{what} leads to an extension record of file {record.base.number}", location=where
            )
        return record

    def attributes(
        self, record: MftRecord, kind: int | None = None, name: str | None = None, *, first_parts: bool = False
    ) -> Iterator[Attribute]:
        """Yield the attributes of a file over its base and extension records, in the order of the attribute list.

        Args:
            record: The base record.
            kind: Only attributes of this type; extension records that hold none are not read.
            name: Only attributes of this name.
            first_parts: Only the part of each stream that holds its sizes; the records of the others are not read.

        Raises:
            CorruptStructureError: The attribute list or an extension record is damaged.
        """
        listed = self._attribute_list(record)
        if listed is None:
            for attribute in record.attributes:
                if kind in (None, attribute.type) and name in (None, attribute.name):
                    yield attribute
            return
        for entry in listed:
            if kind in (None, entry.type) and name in (None, entry.name) and not (first_parts and entry.lowest_vcn):
                yield self._listed(record, entry)

    def runs(self, record: MftRecord, kind: int, name: str = "") -> tuple[Attribute, list[Run]] | None:
        """Return the first part of a stream and the runlist over all parts, or None without such a stream.

        Raises:
            CorruptStructureError: Parts are missing, overlap, or contradict the sizes.
        """
        parts = sorted(self.attributes(record, kind, name), key=lambda part: part.lowest_vcn)
        if not parts:
            return None
        where = self._location.at("mft", record.number)
        first = parts[0]
        if first.resident:
            if len(parts) > 1:
                raise CorruptStructureError("a resident stream is told to have several parts", location=where)
            return first, []
        runs = self._joined(parts, where)
        self._check_sizes(first, runs, where)
        return first, runs

    def open(
        self, record: MftRecord, kind: int, name: str = "", location: Location | None = None
    ) -> AttributeSource | None:
        """Open the content of an attribute, or return None when the file has none of that type and name.

        Raises:
            CorruptStructureError: Its runlist or sizes are wrong.
        """
        found = self.runs(record, kind, name)
        if found is None:
            return None
        attribute, runs = found
        where = location or self._location.at("mft", record.number)
        if attribute.resident:
            return ResidentSource(attribute.value, where)
        cluster_size = self._boot.cluster_size
        if attribute.flags & COMPRESSION_MASK and attribute.compression_unit:
            if attribute.compression_unit > 16 or cluster_size << attribute.compression_unit > MAX_UNIT:
                raise CorruptStructureError(
                    f"a compression unit of 2^{attribute.compression_unit} clusters is impossible", location=where
                )
            return CompressedSource(
                self._volume,
                runs,
                cluster_size,
                attribute.data_size,
                attribute.initialized_size,
                unit_shift=attribute.compression_unit,
                location=where,
            )
        return NonResidentSource(
            self._volume,
            runs,
            cluster_size,
            attribute.data_size,
            attribute.initialized_size,
            holes=bool(attribute.flags & (SPARSE | COMPRESSION_MASK)) or record.number == _BAD_CLUSTER_RECORD,
            location=where,
        )

    # -- the table itself ---------------------------------------------------------------------------------------

    def _first_record(self, notice: Callable[[str, str, Location | None], None]) -> MftRecord:
        boot = self._boot
        where = self._location.at("mft", 0)
        try:
            return self._self_record(boot.mft_lcn)
        except FormatError as damage:
            # The first records are kept twice for just this case.
            if not 0 < boot.mft_mirror_lcn < boot.total_clusters:
                raise
            try:
                record = self._self_record(boot.mft_mirror_lcn)
            except FormatError:
                raise damage from None
            notice("ntfs.mft_damaged", f"{damage.message}; its copy in $MFTMirr was used", where)
            return record

    def _self_record(self, lcn: int) -> MftRecord:
        size = self._boot.record_size
        where = self._location.at("mft", 0)
        record = parse_record(self._volume.read_at(lcn * self._boot.cluster_size, size), 0, where)
        if not record.in_use or record.base.number or record.first(DATA) is None:
            raise CorruptStructureError("the first MFT record does not describe $MFT", location=where)
        return record

    def _bootstrap(self, record: MftRecord) -> NonResidentSource:
        where = self._location.at("mft", 0)
        first = record.first(DATA)
        if first is None or first.resident or first.lowest_vcn or first.flags & (COMPRESSION_MASK | ENCRYPTED | SPARSE):
            raise CorruptStructureError("$MFT has no plain content of its own", location=where)
        runs = parse_runs(first, self._boot.total_clusters, where)
        self._table = self._table_source(first, runs, where)
        listed = record.first(ATTRIBUTE_LIST)
        if listed is None:
            self._check_sizes(first, runs, where)
            return self._table
        entries = [entry for entry in self._read_list(record, listed) if entry.type == DATA and not entry.name]
        for entry in sorted(entries, key=lambda entry: entry.lowest_vcn):
            if entry.lowest_vcn == 0 and entry.reference.number == 0:
                continue
            # Read through what is known so far; a record outside of it cannot be the one that tells the rest.
            if entry.reference.number >= self.record_count or entry.reference.number == 0:
                raise CorruptStructureError(
                    f"$MFT needs record {entry.reference.number} to find record {entry.reference.number}",
                    location=where,
                    hint="run chkdsk on the volume",
                )
            part = self._listed(record, entry)
            runs += self._contiguous(part, runs, where)
            self._table = self._table_source(first, runs, where)
        self._check_sizes(first, runs, where)
        return self._table

    def _table_source(self, first: Attribute, runs: list[Run], where: Location) -> NonResidentSource:
        cluster_size = self._boot.cluster_size
        known = (runs[-1].vcn + runs[-1].clusters) * cluster_size if runs else 0
        size = min(first.data_size, known)
        return NonResidentSource(
            self._volume, runs, cluster_size, size, min(first.initialized_size, size), holes=False, location=where
        )

    # -- attribute lists ----------------------------------------------------------------------------------------

    def _attribute_list(self, record: MftRecord) -> list[ListEntry] | None:
        listed = record.first(ATTRIBUTE_LIST)
        if listed is None:
            return None
        entries = self._lists.get(record.number)
        if entries is None:
            entries = self._lists[record.number] = self._read_list(record, listed)
        return entries

    def _read_list(self, record: MftRecord, listed: Attribute) -> list[ListEntry]:
        where = self._location.at("mft", record.number)
        if listed.resident:
            return parse_attribute_list(listed.value, where)
        if listed.data_size > MAX_ATTRIBUTE_LIST:
            raise CorruptStructureError(f"an attribute list of {listed.data_size} bytes is impossible", location=where)
        runs = self._joined([listed], where)
        self._check_sizes(listed, runs, where)
        source = NonResidentSource(
            self._volume,
            runs,
            self._boot.cluster_size,
            listed.data_size,
            listed.initialized_size,
            holes=False,
            location=where,
        )
        return parse_attribute_list(source.read_at(0, source.size), where)

    def _listed(self, record: MftRecord, entry: ListEntry) -> Attribute:
        where = self._location.at("mft", record.number)
        holder = record
        if entry.reference.number != record.number:
            holder = self.record(entry.reference.number)
            if (
                not holder.in_use
                or holder.sequence != entry.reference.sequence
                or holder.base != (record.number, record.sequence)
            ):
                raise CorruptStructureError(
                    f"the attribute list names MFT record {holder.number}, which does not belong to this file",
                    location=where,
                    hint="run chkdsk on the volume",
                )
        for attribute in holder.attributes:
            if (
                attribute.type == entry.type
                and attribute.instance == entry.instance
                and attribute.lowest_vcn == entry.lowest_vcn
                and attribute.name == entry.name
            ):
                return attribute
        raise CorruptStructureError(
            f"the attribute list names attribute {entry.type:#x} in MFT record {holder.number}, which has none such",
            location=where,
            hint="run chkdsk on the volume",
        )

    # -- runlists -----------------------------------------------------------------------------------------------

    def _joined(self, parts: list[Attribute], where: Location) -> list[Run]:
        runs: list[Run] = []
        for part in parts:
            runs += self._contiguous(part, runs, where)
        return runs

    def _contiguous(self, part: Attribute, runs: list[Run], where: Location) -> list[Run]:
        expected = runs[-1].vcn + runs[-1].clusters if runs else 0
        if part.resident or part.lowest_vcn != expected:
            raise CorruptStructureError(
                f"a stream has no part that starts at VCN {expected:#x}",
                location=where,
                hint="run chkdsk on the volume",
            )
        return parse_runs(part, self._boot.total_clusters, where)

    def _check_sizes(self, first: Attribute, runs: list[Run], where: Location) -> None:
        allocated = (runs[-1].vcn + runs[-1].clusters) * self._boot.cluster_size if runs else 0
        if first.data_size > allocated:
            raise CorruptStructureError(
                f"a stream of {first.data_size:#x} bytes has only {allocated:#x} bytes of clusters",
                location=where,
                hint="run chkdsk on the volume",
            )
        if first.initialized_size > first.data_size:
            raise CorruptStructureError(
                f"a stream of {first.data_size:#x} bytes is said to be written up to {first.initialized_size:#x}",
                location=where,
                hint="run chkdsk on the volume",
            )

"""The content of one attribute, raw: its bytes as they lie in clusters or in the record, to read and to overwrite.

This knows nothing of files: no sizes are changed, nothing is refused for the sake of its meaning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.errors import CorruptStructureError
from vdiskkit.patch.ntfs.mapping import pieces
from vdiskkit.patch.ntfs.surgery import value_offset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdiskkit.ntfs.record import Attribute
    from vdiskkit.ntfs.runs import Run
    from vdiskkit.patch.ntfs.records import FileRecords, HeldAttribute, RecordStore
    from vdiskkit.patch.staging import Phase

__all__ = ["AttributeContent"]


class AttributeContent:
    """Content of an attribute.

    Attributes:
        parts: The attribute's parts in the order of their VCNs.
        runs: The joined runlist; empty for a resident attribute.
        size: Its size in bytes.

    Args:
        store: The records of the volume.
        parts: All parts of the attribute.

    Raises:
        CorruptStructureError: The runlist is damaged or does not cover the size.
    """

    def __init__(self, store: RecordStore, parts: Sequence[HeldAttribute]) -> None:
        self._store = store
        self.parts = sorted(parts, key=lambda held: held.attribute.lowest_vcn)
        first = self.first.attribute
        self.size = first.data_size
        self.runs: list[Run] = []
        if first.resident:
            if len(parts) > 1:
                raise self._broken("a resident attribute is told to have several parts")
            return
        self.runs = store.runs_of(self.parts)
        if first.data_size > self.allocated:
            raise self._broken(f"{first.data_size:#x} bytes have only {self.allocated:#x} bytes of clusters")
        if first.initialized_size > first.data_size:
            raise self._broken(f"of {first.data_size:#x} bytes {first.initialized_size:#x} are said to be written")

    @classmethod
    def of(cls, store: RecordStore, records: FileRecords, kind: int, name: str = "") -> AttributeContent | None:
        """Return the content of an attribute of a file, None where it has none of that type and name."""
        parts = records.find(kind, name)
        return cls(store, parts) if parts else None

    @property
    def first(self) -> HeldAttribute:
        """The first part, which holds the sizes."""
        return self.parts[0]

    @property
    def attribute(self) -> Attribute:
        """The first part, decoded."""
        return self.parts[0].attribute

    @property
    def resident(self) -> bool:
        """Whether the content lies in the record itself."""
        return self.attribute.resident

    @property
    def allocated(self) -> int:
        """Bytes of clusters, holes included."""
        last = self.runs[-1] if self.runs else None
        return (last.vcn + last.clusters) * self._store.boot.cluster_size if last else 0

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes as they lie on the volume, initialized or not; holes are zeros."""
        if not length:
            return b""
        if self.resident:
            return self.attribute.value[offset : offset + length]
        source = self._store.source
        return b"".join(
            bytes(part) if place is None else source.read_at(place, part)
            for place, part in pieces(self.runs, self._store.boot.cluster_size, offset, length)
        )

    def write(self, offset: int, data: bytes, phase: Phase) -> None:
        """Overwrite bytes inside the clusters, or inside the resident value."""
        if not data:
            return
        if self.resident:
            held = self.first
            record = self._store.load(held.record)
            start = value_offset(record, held.offset) + offset
            record[start : start + len(data)] = data
            self._store.store(held.record, record, phase)
            value = held.attribute.value
            held.attribute.value = value[:offset] + data + value[offset + len(data) :]
            return
        done = 0
        for place, part in pieces(self.runs, self._store.boot.cluster_size, offset, len(data)):
            if place is None:
                raise self._broken(f"there is a hole at {offset + done:#x}")
            self._store.source.write_at(place, data[done : done + part], phase)
            done += part

    def has_hole(self, offset: int, length: int) -> bool:
        """Whether part of a range has no clusters."""
        if self.resident or not length:
            return False
        found = pieces(self.runs, self._store.boot.cluster_size, offset, length)
        return any(place is None for place, _ in found)

    def _broken(self, why: str) -> CorruptStructureError:
        return CorruptStructureError(
            f"a stream is damaged: {why}",
            location=self._store.where(self.first.record),
            hint="run chkdsk on the volume",
        )

"""Facts about a partition table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vdiskkit.facts import Facts, Notice

if TYPE_CHECKING:
    from vdiskkit.partition.table import PartitionTable

__all__ = ["PartitionFacts", "PartitionTableFacts", "table_facts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionFacts(Facts):
    """One partition.

    Attributes:
        number: Number, as ``--volume`` takes it.
        offset: First byte on the disk.
        size: Bytes, as the table says.
        type_id: Type as ``0x07`` (MBR) or a GUID (GPT); empty without a table.
        type_name: What the type stands for.
        name: Name in the GPT, empty otherwise.
        unique_id: GUID of the partition, empty in an MBR.
        active: Whether the MBR marks it active.
        attributes: Attribute bits of the GPT entry, 16 hex digits.
    """

    number: int
    offset: int
    size: int
    type_id: str
    type_name: str
    name: str
    unique_id: str
    active: bool
    attributes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionTableFacts(Facts):
    """A partition table.

    Attributes:
        scheme: ``mbr``, ``gpt`` or ``none``.
        disk_id: GUID of the disk (GPT), signature as eight hex digits (MBR), or empty.
        sector_size: Bytes in a sector, by which the table counts.
        partitions: In the order of their numbers.
        notices: What is worth telling besides.
    """

    scheme: str
    disk_id: str
    sector_size: int
    partitions: tuple[PartitionFacts, ...]
    notices: tuple[Notice, ...]


def table_facts(table: PartitionTable) -> PartitionTableFacts:
    """Turn a table into facts."""
    return PartitionTableFacts(
        scheme=table.scheme,
        disk_id=table.disk_id,
        sector_size=table.sector_size,
        partitions=tuple(
            PartitionFacts(
                number=partition.number,
                offset=partition.offset,
                size=partition.size,
                type_id=partition.type_id,
                type_name=partition.type_name,
                name=partition.name,
                unique_id=partition.unique_id,
                active=partition.active,
                attributes=f"{partition.attributes:016x}",
            )
            for partition in table.partitions
        ),
        notices=tuple(
            Notice(code=notice.code, message=notice.message, location=str(notice.location) if notice.location else None)
            for notice in table.notices
        ),
    )

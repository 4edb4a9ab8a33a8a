"""What a disk is divided into.

The tables are small and need checks that ``dissect.volume`` does not make (checksums, the second GPT, loops, ends), and
its import costs a third of a whole cold look-up; so they are parsed here, and ``dissect.volume`` is the judge in the
tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import CorruptStructureError, UnknownFormatError
from vdiskkit.io import SliceSource

if TYPE_CHECKING:
    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location
    from vdiskkit.partition.facts import PartitionTableFacts

__all__ = ["Partition", "PartitionNotice", "PartitionTable", "read_partitions"]

SECTOR_SIZES = (512, 4096)
_DYNAMIC, _SPACES = "a dynamic disk (LDM)", "a pool of Storage Spaces"
_MANAGERS = {
    "0x42": _DYNAMIC,
    "af9b60a0-1431-4f62-bc68-3311714a69ad": _DYNAMIC,
    "e75caf8f-f680-4cee-afa3-b001e56efc2d": _SPACES,
}
"""Types of partitions whose volumes may reach over several of them, or lie on several disks."""


class PartitionNotice(NamedTuple):
    """Something worth telling that did not stop the reading."""

    code: str
    message: str
    location: Location | None


class Partition(NamedTuple):
    """One partition.

    Attributes:
        number: Slot in the table, from 1; logical partitions of an MBR begin at 5.
        offset: First byte on the disk.
        size: Bytes, as the table says; it may reach past the end of the disk.
        type_id: Type as ``0x07`` (MBR) or a GUID (GPT); empty without a table.
        type_name: What the type stands for.
        name: Name in the GPT, empty otherwise.
        unique_id: GUID of the partition, empty in an MBR.
        active: Whether the MBR marks it active (bootable).
        attributes: Attribute bits of the GPT entry.
    """

    number: int
    offset: int
    size: int
    type_id: str
    type_name: str
    name: str = ""
    unique_id: str = ""
    active: bool = False
    attributes: int = 0

    @property
    def manager(self) -> str | None:
        """What volumes in this partition belong to, when that is more than the partition itself; None otherwise."""
        return _MANAGERS.get(self.type_id.casefold())

    @property
    def caution(self) -> str | None:
        """Why a volume that begins in this partition may not be all of it; None when nothing speaks for that."""
        if self.manager is None:
            return None
        return (
            f"partition {self.number} belongs to {self.manager}: it may be one half of a mirror, or a piece of a "
            "volume that goes on elsewhere"
        )

    def open(self, disk: ByteSource) -> SliceSource:
        """Return the bytes of the partition; what would lie past the end of the disk is left out.

        Raises:
            CorruptStructureError: The partition begins past the end of the disk.
        """
        where = disk.location.at("partition", str(self.number))
        if self.offset >= disk.size:
            raise CorruptStructureError(
                f"partition {self.number} begins at {self.offset:#x}, past the end of the disk ({disk.size:#x} bytes)",
                location=where,
                hint="the disk file is cut off or its partition table is damaged; compare its size with another copy",
            )
        return SliceSource(disk, self.offset, min(self.size, disk.size - self.offset), where)


class PartitionTable:
    """A partition table.

    Attributes:
        scheme: ``mbr``, ``gpt`` or ``none``.
        disk_id: GUID of the disk (GPT), signature as eight hex digits (MBR), or empty.
        sector_size: Bytes in a sector, by which the table counts.
        partitions: In the order of their numbers.
        notices: What is worth telling.
    """

    __slots__ = ("disk_id", "notices", "partitions", "scheme", "sector_size")

    def __init__(
        self,
        scheme: str,
        disk_id: str,
        sector_size: int,
        partitions: tuple[Partition, ...],
        notices: tuple[PartitionNotice, ...],
    ) -> None:
        self.scheme = scheme
        self.disk_id = disk_id
        self.sector_size = sector_size
        self.partitions = partitions
        self.notices = notices

    def __repr__(self) -> str:
        return f"<PartitionTable {self.scheme}, {len(self.partitions)} partitions>"

    def facts(self) -> PartitionTableFacts:
        """Return the table as facts."""
        from vdiskkit.partition.facts import table_facts

        return table_facts(self)


def read_partitions(disk: ByteSource, sector_size: int = 512) -> PartitionTable:
    """Read the partition table of a disk.

    A file system that begins at byte 0 has no table: it is returned as scheme ``none`` with one partition over the
    whole disk. So is a disk without any signature, with no partition at all.

    Args:
        disk: The disk.
        sector_size: Bytes in a sector, 512 or 4096. A GPT tells its own: the other size is tried when it is not found.

    Raises:
        CorruptStructureError: The disk says that it has a GPT, but neither copy can be used.
        UnknownFormatError: The disk is too small to hold a table.
    """
    from vdiskkit.partition.gpt import read_gpt
    from vdiskkit.partition.mbr import MBR_SIZE, PROTECTIVE, parse_mbr, read_extended, whole_disk_kind

    if sector_size not in SECTOR_SIZES:
        raise CorruptStructureError(f"a sector of {sector_size} bytes is impossible", location=disk.location)
    if disk.size < MBR_SIZE:
        raise UnknownFormatError(f"a disk of {disk.size} bytes is too small to hold anything", location=disk.location)
    sector = disk.read_at(0, MBR_SIZE)
    notices: list[PartitionNotice] = []

    kind = whole_disk_kind(sector)
    if kind:
        whole = Partition(1, 0, disk.size, "", kind)
        return PartitionTable("none", "", sector_size, (whole,), ())

    mbr = parse_mbr(sector)
    protective = mbr is not None and any(entry.type == PROTECTIVE for entry in mbr.entries)
    if protective or mbr is None or not mbr.entries:
        table = read_gpt(disk, sector_size, notices, demanded=protective)
        if table is not None:
            if not protective:
                notices.append(PartitionNotice("gpt.no_protective_mbr", "the GPT has no protective MBR", disk.location))
            elif mbr is not None and any(entry.type != PROTECTIVE for entry in mbr.entries):
                notices.append(
                    PartitionNotice(
                        "gpt.hybrid_mbr",
                        "the MBR lists partitions beside the GPT (hybrid MBR); the GPT counts",
                        disk.location,
                    )
                )
            _judge_layout(table.partitions, disk, notices)
            return PartitionTable("gpt", table.disk_id, table.sector_size, table.partitions, tuple(notices))
    if mbr is None:
        if sector[510:512] == b"\x55\xaa":
            notices.append(
                PartitionNotice("mbr.damaged", "the disk begins with a boot sector, but with no partition table", None)
            )
        return PartitionTable("none", "", sector_size, (), tuple(notices))

    partitions = [entry.partition(number, sector_size) for number, entry in mbr.primary()]
    for entry in mbr.extended():
        partitions += read_extended(disk, entry, sector_size, len(partitions), notices)
    ordered = tuple(sorted(partitions))
    _judge_layout(ordered, disk, notices)
    return PartitionTable("mbr", mbr.disk_id, sector_size, ordered, tuple(notices))


def _judge_layout(partitions: tuple[Partition, ...], disk: ByteSource, notices: list[PartitionNotice]) -> None:
    previous: Partition | None = None
    for partition in sorted(partitions, key=lambda partition: (partition.offset, partition.number)):
        where = disk.location.at("partition", str(partition.number))
        end = partition.offset + partition.size
        if end > disk.size:
            notices.append(
                PartitionNotice(
                    "partition.past_end",
                    f"partition {partition.number} ends at {end:#x}, the disk at {disk.size:#x}",
                    where,
                )
            )
        if previous is not None and partition.offset < previous.offset + previous.size:
            notices.append(
                PartitionNotice(
                    "partition.overlap", f"partitions {previous.number} and {partition.number} overlap", where
                )
            )
        if previous is None or end > previous.offset + previous.size:
            previous = partition

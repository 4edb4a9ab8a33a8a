"""The master boot record and the chain of extended boot records."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import FormatError
from vdiskkit.partition.table import Partition, PartitionNotice

if TYPE_CHECKING:
    from vdiskkit.io import ByteSource

__all__ = ["Mbr", "MbrEntry", "parse_mbr", "read_extended", "whole_disk_kind"]

MBR_SIZE = 512
PROTECTIVE = 0xEE
MAX_LOGICAL = 128
_EXTENDED = (0x05, 0x0F, 0x85)
_ENTRY = struct.Struct("<B3xB3xII")
_TABLE = 446
_SIGNATURE = b"\x55\xaa"
_ACTIVE = 0x80
_FIRST_LOGICAL = 5

_TYPE_NAMES = {
    0x01: "FAT12",
    0x04: "FAT16",
    0x06: "FAT16",
    0x07: "NTFS or exFAT",
    0x0B: "FAT32",
    0x0C: "FAT32",
    0x0E: "FAT16",
    0x11: "hidden FAT12",
    0x17: "hidden NTFS",
    0x1B: "hidden FAT32",
    0x1C: "hidden FAT32",
    0x27: "Windows recovery",
    0x42: "Windows dynamic disk (LDM)",
    0x82: "Linux swap",
    0x83: "Linux",
    0x8E: "Linux LVM",
    0xA5: "FreeBSD",
    0xAF: "Apple HFS",
    0xEE: "GPT protective",
    0xEF: "EFI system",
    0xFD: "Linux RAID",
}
# Names of file systems whose boot sector looks like an MBR, at their place in the sector.
_WHOLE_DISK = (
    (3, b"NTFS    ", "NTFS without partition table"),
    (3, b"-FVE-FS-", "BitLocker without partition table"),
    (3, b"ReFS\0\0\0\0", "ReFS without partition table"),
    (3, b"EXFAT   ", "exFAT without partition table"),
    (54, b"FAT12   ", "FAT12 without partition table"),
    (54, b"FAT16   ", "FAT16 without partition table"),
    (82, b"FAT32   ", "FAT32 without partition table"),
)


class MbrEntry(NamedTuple):
    """One entry of a boot record; positions in sectors."""

    slot: int
    active: bool
    type: int
    start: int
    sectors: int

    def partition(self, number: int, sector_size: int, base: int = 0) -> Partition:
        """Return the partition that starts ``start`` sectors behind sector ``base``."""
        return Partition(
            number,
            (base + self.start) * sector_size,
            self.sectors * sector_size,
            f"0x{self.type:02x}",
            _TYPE_NAMES.get(self.type, f"type 0x{self.type:02x}"),
            active=self.active,
        )


class Mbr(NamedTuple):
    """A master boot record."""

    disk_id: str
    entries: tuple[MbrEntry, ...]

    def primary(self) -> list[tuple[int, MbrEntry]]:
        """Return primary partitions with their numbers."""
        return [(entry.slot, entry) for entry in self.entries if entry.type not in (*_EXTENDED, PROTECTIVE)]

    def extended(self) -> list[MbrEntry]:
        """Return the extended partitions; a healthy disk has one at most."""
        return [entry for entry in self.entries if entry.type in _EXTENDED]


def whole_disk_kind(sector: bytes) -> str | None:
    """Return the file system that begins in the first sector, None when there is none."""
    for offset, name, kind in _WHOLE_DISK:
        if sector[offset : offset + len(name)] == name:
            return kind
    return None


def parse_mbr(sector: bytes) -> Mbr | None:
    """Decode a boot record.

    Returns:
        None when the signature is missing, or when an entry is marked neither active nor inactive: then these bytes
        are no partition table (Windows and libblkid judge so, too).
    """
    if sector[510:512] != _SIGNATURE:
        return None
    entries = []
    for slot in range(4):
        status, kind, start, sectors = _ENTRY.unpack_from(sector, _TABLE + slot * _ENTRY.size)
        if status not in (0, _ACTIVE):
            return None
        if kind and sectors:
            entries.append(MbrEntry(slot + 1, status == _ACTIVE, kind, start, sectors))
    return Mbr(sector[440:444][::-1].hex(), tuple(entries))


def read_extended(
    disk: ByteSource, first: MbrEntry, sector_size: int, count: int, notices: list[PartitionNotice]
) -> list[Partition]:
    """Follow a chain of extended boot records.

    The chain ends with a notice where it is damaged; the logical partitions before that are kept, since the Windows
    volume is rarely among those behind it.

    Args:
        disk: The disk.
        first: The extended partition.
        sector_size: Bytes in a sector.
        count: Logical partitions are numbered from 5; those of a second chain go on behind ``count`` partitions.
        notices: Where faults are added.
    """
    found: list[Partition] = []
    seen: set[int] = set()
    start = first.start
    number = max(_FIRST_LOGICAL, count + 1)
    while True:
        where = disk.location.at("ebr", start)
        if start in seen or len(seen) >= MAX_LOGICAL:
            notices.append(
                PartitionNotice("mbr.extended_loop", "the chain of extended boot records forms a loop", where)
            )
            return found
        seen.add(start)
        try:
            sector = disk.read_at(start * sector_size, MBR_SIZE)
        except FormatError:
            notices.append(
                PartitionNotice(
                    "mbr.extended_past_end", f"an extended boot record lies past the end of the disk: {start:#x}", where
                )
            )
            return found
        record = parse_mbr(sector)
        if record is None:
            notices.append(PartitionNotice("mbr.extended_damaged", "an extended boot record is damaged", where))
            return found
        following = None
        for entry in record.entries:
            if entry.type in _EXTENDED:
                following = following or entry
            else:
                found.append(entry.partition(number, sector_size, start))
                number += 1
        if following is None:
            return found
        # Logical partitions count from their own boot record, the next record from the first one.
        start = first.start + following.start

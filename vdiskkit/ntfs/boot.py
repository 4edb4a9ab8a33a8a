"""The NTFS boot sector: geometry of the volume, and what a partition holds judged by its first sector.

Follows the BIOS parameter block of NTFS (``NTFS_BOOT_SECTOR``); the checks are those of ntfs-3g's ``bootsect.c``.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import CorruptStructureError, UnknownFormatError, UnsupportedFeatureError

if TYPE_CHECKING:
    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location

__all__ = ["BootSector", "parse_boot_sector", "probe"]

BOOT_SIZE = 512
MAX_CLUSTER_SIZE = 2 * 1024 * 1024
MAX_RECORD_SIZE = 64 * 1024
MAX_INDEX_BLOCK_SIZE = 64 * 1024

_BPB = struct.Struct("<3x8sHB")
_EXTENDED = struct.Struct("<QQQb3xb3xQ")
# BitLocker To Go keeps a FAT name and is known by this GUID {4967d63b-2e29-4ad8-8399-f6a339e3d001}.
_BITLOCKER_TO_GO = bytes.fromhex("3bd66749292ed84a8399f6a339e3d001")


class BootSector(NamedTuple):
    """Geometry of a volume; sizes in bytes, positions in clusters."""

    sector_size: int
    cluster_size: int
    total_sectors: int
    mft_lcn: int
    mft_mirror_lcn: int
    record_size: int
    index_block_size: int
    serial: int

    @property
    def volume_size(self) -> int:
        """Bytes from the first to the last sector that belongs to the file system."""
        return self.total_sectors * self.sector_size

    @property
    def total_clusters(self) -> int:
        """Whole clusters in the volume."""
        return self.volume_size // self.cluster_size


def probe(source: ByteSource) -> str | None:
    """Tell by the first sector what a partition holds.

    Returns:
        ``"ntfs"``, ``"bitlocker"``, ``"refs"``, or None for anything else.
    """
    if source.size < BOOT_SIZE:
        return None
    return _recognise(source.read_at(0, BOOT_SIZE))


def parse_boot_sector(sector: bytes, location: Location) -> BootSector:
    """Check and decode a boot sector of at least 512 bytes.

    Raises:
        UnknownFormatError: This is no NTFS volume.
        UnsupportedFeatureError: The volume is encrypted by BitLocker.
        CorruptStructureError: A field contradicts the format.
    """
    kind = _recognise(sector)
    if kind == "bitlocker":
        raise UnsupportedFeatureError(
            "the volume is encrypted by BitLocker",
            location=location,
            hint="decrypt it inside Windows (manage-bde -off), then look again",
        )
    if kind != "ntfs":
        raise UnknownFormatError("this is no NTFS volume: its first sector does not say NTFS", location=location)

    _, sector_size, per_cluster = _BPB.unpack_from(sector)
    total_sectors, mft_lcn, mirror_lcn, record_code, index_code, serial = _EXTENDED.unpack_from(sector, 40)
    if sector_size not in (256, 512, 1024, 2048, 4096):
        raise _broken("bytes per sector", sector_size, location)
    # Above 0x80 the byte is a negative power of two, which is how clusters beyond 64 KiB are told.
    sectors = 1 << (256 - per_cluster) if per_cluster > 0x80 else per_cluster
    cluster_size = sectors * sector_size
    if not _power_of_two(sectors) or cluster_size > MAX_CLUSTER_SIZE:
        raise _broken("sectors per cluster", per_cluster, location)
    record_size = _coded_size(record_code, cluster_size)
    if not _power_of_two(record_size) or not BOOT_SIZE <= record_size <= MAX_RECORD_SIZE:
        raise _broken("size of an MFT record", record_code, location)
    index_size = _coded_size(index_code, cluster_size)
    if not _power_of_two(index_size) or not BOOT_SIZE <= index_size <= MAX_CLUSTER_SIZE:
        raise _broken("size of an index block", index_code, location)
    boot = BootSector(sector_size, cluster_size, total_sectors, mft_lcn, mirror_lcn, record_size, index_size, serial)
    if total_sectors >> 63 or not boot.total_clusters:
        raise _broken("number of sectors", total_sectors, location)
    if not 0 < mft_lcn < boot.total_clusters:
        raise _broken("cluster of $MFT", mft_lcn, location)
    if mirror_lcn == mft_lcn:
        raise _broken("cluster of $MFTMirr", mirror_lcn, location)
    return boot


def _recognise(sector: bytes) -> str | None:
    name = sector[3:11]
    if name == b"NTFS    ":
        return "ntfs"
    if name == b"-FVE-FS-" or (name == b"MSWIN4.1" and sector[424:440] == _BITLOCKER_TO_GO):
        return "bitlocker"
    return "refs" if name == b"ReFS\0\0\0\0" else None


def _coded_size(code: int, cluster_size: int) -> int:
    return code * cluster_size if code >= 0 else 1 << -code


def _power_of_two(value: int) -> bool:
    return value > 0 and not value & (value - 1)


def _broken(field: str, value: int, location: Location) -> CorruptStructureError:
    return CorruptStructureError(
        f"the NTFS boot sector is damaged: {field} is {value:#x}",
        location=location,
        hint="a copy lies in the last sector of the partition; chkdsk or TestDisk can restore it",
    )

"""The GUID partition table: two copies, each with a checksum over its header and over its entries (UEFI 5.3)."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import ChecksumError, CorruptStructureError, FormatError, UnknownFormatError
from vdiskkit.partition.table import SECTOR_SIZES, Partition, PartitionNotice

if TYPE_CHECKING:
    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location

__all__ = ["Gpt", "read_gpt"]

MAX_ENTRIES_SIZE = 1024 * 1024
_SIGNATURE = b"EFI PART"
_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
_ENTRY = struct.Struct("<16s16sQQQ72s")
_USUAL_ENTRIES = 128 * 128

_TYPE_NAMES = {
    "c12a7328-f81f-11d2-ba4b-00a0c93ec93b": "EFI system",
    "e3c9e316-0b5c-4db8-817d-f92df00215ae": "Microsoft reserved",
    "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7": "basic data",
    "de94bba4-06d1-4d40-a16a-bfd50179d6ac": "Windows recovery",
    "5808c8aa-7e8f-42e0-85d2-e1e90434cfb3": "Windows dynamic disk metadata (LDM)",
    "af9b60a0-1431-4f62-bc68-3311714a69ad": "Windows dynamic disk data (LDM)",
    "e75caf8f-f680-4cee-afa3-b001e56efc2d": "Storage Spaces",
    "21686148-6449-6e6f-744e-656564454649": "BIOS boot",
    "0fc63daf-8483-4772-8e79-3d69d8477de4": "Linux",
    "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f": "Linux swap",
    "e6d6d379-f507-44c2-a23c-238f2a3df928": "Linux LVM",
}


class _Header(NamedTuple):
    own_lba: int
    other_lba: int
    first_usable: int
    last_usable: int
    disk_id: str
    entries_lba: int
    entry_count: int
    entry_size: int
    entries_crc: int


class Gpt(NamedTuple):
    """A GPT that can be used."""

    disk_id: str
    sector_size: int
    partitions: tuple[Partition, ...]


def read_gpt(disk: ByteSource, sector_size: int, notices: list[PartitionNotice], *, demanded: bool) -> Gpt | None:
    """Read both copies of the GPT and choose.

    Args:
        disk: The disk.
        sector_size: Bytes in a sector, tried first.
        notices: Where faults of one copy are added.
        demanded: Whether the MBR says that there is a GPT; otherwise its absence is no fault.

    Raises:
        ChecksumError: Both copies fail their checksum.
        CorruptStructureError: Both copies are damaged otherwise.
    """
    size = next((size for size in _sizes(sector_size) if _has_signature(disk, size)), None)
    if size is None and not demanded:
        # Without a protective MBR and a primary header, what stands in the last sector is a remnant.
        return None
    if size is None:
        size = next((size for size in _sizes(sector_size) if _has_backup(disk, size)), sector_size)
    elif size != sector_size:
        notices.append(
            PartitionNotice("gpt.sector_size", f"the GPT counts sectors of {size} bytes, not {sector_size}", None)
        )
    last = disk.size // size - 1
    faults: list[FormatError] = []
    primary = _try_copy(disk, 1, size, faults)
    backup_lba = primary[0].other_lba if primary else last
    backup = _try_copy(disk, backup_lba, size, faults)
    if primary is None and backup is None:
        if not demanded:
            return None
        fault = faults[0]
        fault.hint = "both copies of the partition table are damaged; take the disk from another server"
        raise fault
    if primary is None or backup is None:
        damaged, used = ("primary", "backup") if primary is None else ("backup", "primary")
        notices.append(
            PartitionNotice(
                f"gpt.{damaged}_damaged", f"{faults[0].message}; the {used} copy is used", faults[0].location
            )
        )
    elif primary[0].other_lba != last:
        notices.append(
            PartitionNotice(
                "gpt.backup_misplaced",
                f"the backup copy of the partition table lies at sector {primary[0].other_lba:#x}, not in the last one "
                f"of the disk ({last:#x}): the disk was enlarged and its table was not",
                disk.location.at("gpt", primary[0].other_lba * size),
            )
        )
    if primary is not None and backup is not None and _differ(primary, backup):
        notices.append(
            PartitionNotice(
                "gpt.copies_differ",
                "the two copies of the partition table differ; the primary one is used",
                disk.location.at("gpt", primary[0].own_lba * size),
            )
        )
    header, entries = primary or backup or (None, b"")
    assert header is not None  # noqa: S101 - one of them is there
    return Gpt(header.disk_id, size, _partitions(header, entries, size, notices, disk.location))


def _sizes(preferred: int) -> tuple[int, ...]:
    return (preferred, *(size for size in SECTOR_SIZES if size != preferred))


def _has_signature(disk: ByteSource, size: int) -> bool:
    return disk.size >= 2 * size and disk.read_at(size, 8) == _SIGNATURE


def _has_backup(disk: ByteSource, size: int) -> bool:
    last = disk.size // size - 1
    return last > 1 and disk.read_at(last * size, 8) == _SIGNATURE


def _try_copy(disk: ByteSource, lba: int, size: int, faults: list[FormatError]) -> tuple[_Header, bytes] | None:
    try:
        return _read_copy(disk, lba, size)
    except FormatError as fault:
        faults.append(fault)
        return None


def _read_copy(disk: ByteSource, lba: int, size: int) -> tuple[_Header, bytes]:
    where = disk.location.at("gpt", lba * size)
    which = "primary GPT" if lba == 1 else "backup GPT"
    if lba < 1 or (lba + 1) * size > disk.size:
        raise CorruptStructureError(f"the {which} lies past the end of the disk, at sector {lba:#x}", location=where)
    header = _parse_header(disk.read_at(lba * size, size), lba, which, where)
    length = header.entry_count * header.entry_size
    start = header.entries_lba * size
    if not 2 * size <= start <= disk.size - length:
        raise CorruptStructureError(
            f"the entries of the {which} lie outside of the disk, at {start:#x}", location=where
        )
    entries = disk.read_at(start, length)
    actual = zlib.crc32(entries)
    if actual != header.entries_crc:
        raise ChecksumError(
            f"the checksum of the entries of the {which} is wrong",
            expected=header.entries_crc,
            actual=actual,
            location=where,
        )
    return header, entries


def _parse_header(sector: bytes, lba: int, which: str, where: Location) -> _Header:
    signature, revision, header_size, crc, _, own, other, first, last, disk, at, count, entry_size, entries_crc = (
        _HEADER.unpack_from(sector)
    )
    if signature != _SIGNATURE:
        raise UnknownFormatError(f"there is no {which}: the signature is missing", location=where)
    if not _HEADER.size <= header_size <= len(sector):
        raise CorruptStructureError(f"the header of the {which} is said to have {header_size} bytes", location=where)
    actual = zlib.crc32(sector[:16] + bytes(4) + sector[20:header_size])
    if actual != crc:
        raise ChecksumError(
            f"the checksum of the header of the {which} is wrong", expected=crc, actual=actual, location=where
        )
    if revision >> 16 != 1:
        raise CorruptStructureError(f"the {which} has revision {revision:#x}", location=where)
    if own != lba:
        raise CorruptStructureError(f"the {which} says it is at sector {own:#x}, not {lba:#x}", location=where)
    if entry_size < _ENTRY.size or entry_size % 8 or not 0 < count * entry_size <= MAX_ENTRIES_SIZE:
        raise CorruptStructureError(f"the {which} has {count} entries of {entry_size} bytes", location=where)
    return _Header(own, other, first, last, _guid(disk), at, count, entry_size, entries_crc)


def _differ(primary: tuple[_Header, bytes], backup: tuple[_Header, bytes]) -> bool:
    one, other = primary[0], backup[0]
    return (
        primary[1] != backup[1]
        or one.disk_id != other.disk_id
        or (one.first_usable, one.last_usable) != (other.first_usable, other.last_usable)
        or other.other_lba != one.own_lba
    )


def _partitions(
    header: _Header, entries: bytes, size: int, notices: list[PartitionNotice], location: Location
) -> tuple[Partition, ...]:
    found = []
    for slot in range(header.entry_count):
        kind, unique, first, last, attributes, name = _ENTRY.unpack_from(entries, slot * header.entry_size)
        if kind == bytes(16):
            continue
        number = slot + 1
        if last < first or first >> 48 or last >> 48:
            notices.append(
                PartitionNotice(
                    "gpt.entry_damaged",
                    f"partition {number} goes from sector {first:#x} to {last:#x} and is left out",
                    location.at("partition", str(number)),
                )
            )
            continue
        if first < header.first_usable or last > header.last_usable:
            notices.append(
                PartitionNotice(
                    "gpt.outside_usable",
                    f"partition {number} reaches outside of the range that the GPT reserves for partitions",
                    location.at("partition", str(number)),
                )
            )
        type_id = _guid(kind)
        found.append(
            Partition(
                number,
                first * size,
                (last - first + 1) * size,
                type_id,
                _TYPE_NAMES.get(type_id, type_id),
                name.decode("utf-16-le", "surrogatepass").split("\0", 1)[0],
                _guid(unique),
                attributes=attributes,
            )
        )
    return tuple(found)


def _guid(raw: bytes) -> str:
    one, two, three = struct.unpack_from("<IHH", raw)
    return f"{one:08x}-{two:04x}-{three:04x}-{raw[8:10].hex()}-{raw[10:].hex()}"

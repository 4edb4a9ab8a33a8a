"""Partition tables built by hand, so that single fields can be wrong."""

from __future__ import annotations

import struct
import uuid
import zlib

MIB = 1 << 20
BASIC = uuid.UUID("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7")
EFI = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
DISK_ID = uuid.UUID("11223344-5566-7788-99aa-bbccddeeff00")
MbrEntry = tuple[int, int, int]  # type, first sector, sectors


def boot_record(*entries: MbrEntry, active: int | None = None, signature: bytes = b"\x55\xaa") -> bytes:
    sector = bytearray(512)
    struct.pack_into("<I", sector, 440, 0xDEADBEEF)
    for slot, (kind, start, count) in enumerate(entries):
        status = 0x80 if slot == active else 0
        struct.pack_into("<B3xB3xII", sector, 446 + 16 * slot, status, kind, start, count)
    sector[510:512] = signature
    return bytes(sector)


def mbr_disk(size: int, *entries: MbrEntry, sectors: dict[int, bytes] | None = None, **more: object) -> bytearray:
    """A disk with a boot record, and other sectors (extended boot records) by number."""
    disk = bytearray(size)
    disk[:512] = boot_record(*entries, **more)  # type: ignore[arg-type]
    for number, sector in (sectors or {}).items():
        disk[number * 512 : number * 512 + len(sector)] = sector
    return disk


def entry(
    first: int, last: int, *, kind: uuid.UUID = BASIC, name: str = "Basic data partition", attributes: int = 0
) -> bytes:
    unique = uuid.uuid5(DISK_ID, f"{first}")
    text = name.encode("utf-16-le", "surrogatepass").ljust(72, b"\0")
    return struct.pack("<16s16sQQQ72s", kind.bytes_le, unique.bytes_le, first, last, attributes, text)


class Gpt:
    """A GPT disk; change fields, then ask for the bytes."""

    def __init__(self, size: int, *entries: bytes, sector: int = 512) -> None:
        self.size = size
        self.sector = sector
        self.entry_size = 128
        self.count = 128
        self.entries = b"".join(entries).ljust(128 * 128, b"\0")
        self.last = size // sector - 1
        self.table_sectors = 128 * 128 // sector
        self.protective = boot_record((0xEE, 1, min(self.last, 0xFFFFFFFF)))

    def header(self, *, primary: bool, **wrong: int) -> bytes:
        own, other = (1, self.last) if primary else (self.last, 1)
        at = 2 if primary else self.last - self.table_sectors
        fields = {
            "revision": 0x10000,
            "size": 92,
            "own": own,
            "other": other,
            "first": 2 + self.table_sectors,
            "last": self.last - self.table_sectors - 1,
            "at": at,
            "count": self.count,
            "entry_size": self.entry_size,
            "crc": zlib.crc32(self.entries[: self.count * self.entry_size]),
            "disk": int.from_bytes(DISK_ID.bytes_le, "little"),
        } | wrong
        head = struct.pack(
            "<8sIIIIQQQQ16sQIII",
            b"EFI PART",
            fields["revision"],
            fields["size"],
            0,
            0,
            fields["own"],
            fields["other"],
            fields["first"],
            fields["last"],
            fields["disk"].to_bytes(16, "little"),
            fields["at"],
            fields["count"],
            fields["entry_size"],
            fields["crc"],
        ).ljust(self.sector, b"\0")
        crc = zlib.crc32(head[: fields["size"]] if fields["size"] <= self.sector else head)
        return head[:16] + struct.pack("<I", crc) + head[20:]

    def build(self, *, primary: bytes | None = None, backup: bytes | None = None) -> bytearray:
        disk = bytearray(self.size)
        disk[:512] = self.protective
        for head, number, at in (
            (primary if primary is not None else self.header(primary=True), 1, 2),
            (backup if backup is not None else self.header(primary=False), self.last, self.last - self.table_sectors),
        ):
            disk[number * self.sector : number * self.sector + len(head)] = head
            disk[at * self.sector : at * self.sector + len(self.entries)] = self.entries
        return disk

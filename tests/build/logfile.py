"""The two restart pages at the start of an NTFS ``$LogFile``."""

from __future__ import annotations

import struct

_PAGE = 4096


def restart_pages(*, clean: bool = True, size: int = 2 << 20, lsn: int = 0x100000, major: int = 1) -> bytes:
    """Return the first 8192 bytes of a log: shut down cleanly, or with NTFS as a client still in use.

    Args:
        clean: Whether the volume was unmounted properly.
        size: Length of the log file.
        lsn: Sequence number of the newest restart area.
        major: 1 for version 1.1, 2 for 2.0 as Windows 8 and later use while mounted.
    """
    return _page(clean, size, lsn, major) + _page(clean, size, lsn - 8, major)


def _page(clean: bool, size: int, lsn: int, major: int) -> bytes:
    area_at, clients_at = 0x30, 0x40
    client = struct.pack("<QQHHH6xI", lsn - 16, lsn - 8, 0xFFFF, 0xFFFF, 0, 8) + "NTFS".encode("utf-16-le")
    client = client.ljust(160, b"\0")
    in_use, flags = (0xFFFF, 2) if clean else (0, 0)
    area = struct.pack(
        "<QHHHHIHHQIHHII",
        lsn,
        1,
        0 if clean else 0xFFFF,
        in_use,
        flags,
        67 - size.bit_length(),
        clients_at + len(client),
        clients_at,
        size,
        0,
        0x30,
        0x40,
        1,
        0,
    ).ljust(clients_at, b"\0")
    page = bytearray(_PAGE)
    struct.pack_into("<4sHHQIIHHH", page, 0, b"RSTR", 30, 9, 0, _PAGE, _PAGE, area_at, 1 if major == 1 else 0, major)
    page[area_at : area_at + len(area) + len(client)] = area + client
    number = 1
    struct.pack_into("<H", page, 30, number)
    for index in range(1, 9):
        end = index * 512 - 2
        page[30 + 2 * index : 32 + 2 * index] = page[end : end + 2]
        struct.pack_into("<H", page, end, number)
    return bytes(page)

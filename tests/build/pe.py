"""Smallest PE files with a version resource, built by hand for tests."""

from __future__ import annotations

import struct

__all__ = ["build_pe"]

_SECTION_RVA, _SECTION_RAW = 0x1000, 0x400


def build_pe(version: tuple[int, int, int, int], *, pe32_plus: bool = True) -> bytes:
    """Return a PE file whose only content is VS_FIXEDFILEINFO with ``version`` as file and product version."""
    high, low = version[0] << 16 | version[1], version[2] << 16 | version[3]
    fixed = struct.pack("<13I", 0xFEEF04BD, 0x10000, high, low, high, low, 0x3F, 0, 0x40004, 1, 0, 0, 0)
    key = "VS_VERSION_INFO\0".encode("utf-16-le")
    info = struct.pack("<HHH", 6 + len(key) + 2 + len(fixed), len(fixed), 0) + key + b"\0\0" + fixed

    def directory(entry_id: int, target: int) -> bytes:
        return struct.pack("<IIHHHH", 0, 0, 0, 0, 0, 1) + struct.pack("<II", entry_id, target)

    tree = directory(16, 0x80000000 | 24) + directory(1, 0x80000000 | 48) + directory(1033, 72)
    tree += struct.pack("<IIII", _SECTION_RVA + 88, len(info), 0, 0)
    section = (tree + info).ljust(0x200, b"\0")

    directories_at = 112 if pe32_plus else 96
    optional = bytearray(directories_at + 128)
    struct.pack_into("<H", optional, 0, 0x20B if pe32_plus else 0x10B)
    struct.pack_into("<I", optional, directories_at - 4, 16)
    struct.pack_into("<II", optional, directories_at + 16, _SECTION_RVA, len(tree + info))
    header = bytearray(0x80)
    header[:2] = b"MZ"
    struct.pack_into("<I", header, 0x3C, 0x80)
    file_header = b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664 if pe32_plus else 0x14C, 1, 0, 0, 0, len(optional), 0x22)
    section_header = b".rsrc\0\0\0" + struct.pack(
        "<IIIIIIHHI", len(section), _SECTION_RVA, len(section), _SECTION_RAW, 0, 0, 0, 0, 0x40000040
    )
    return (bytes(header) + file_header + bytes(optional) + section_header).ljust(_SECTION_RAW, b"\0") + section

"""The fixed version number of a Windows program or driver, from its version resource.

Follows the PE/COFF specification, sections "Optional Header" and ".rsrc": headers, section table, resource directory
of type 16 (RT_VERSION), and ``VS_FIXEDFILEINFO`` inside. Only these few ranges are read.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vdiskkit.errors import FormatError

if TYPE_CHECKING:
    from vdiskkit.io import ByteSource

__all__ = ["file_version"]

_RT_VERSION = 16
_HEADER_LIMIT = 4096
_RESOURCE_LIMIT = 64 * 1024
_FIXED_INFO = struct.pack("<I", 0xFEEF04BD)


def file_version(source: ByteSource) -> str | None:
    """Return the four-part product version of a PE file, None when it has none or is no PE file."""
    try:
        return _version(source)
    except (FormatError, struct.error):
        # A damaged program is not worth an error here: its version is simply not known.
        return None


def _version(source: ByteSource) -> str | None:
    head = source.read_at(0, min(_HEADER_LIMIT, source.size))
    if head[:2] != b"MZ":
        return None
    pe = struct.unpack_from("<I", head, 0x3C)[0]
    if head[pe : pe + 4] != b"PE\0\0":
        return None
    sections, optional_size = struct.unpack_from("<H", head, pe + 6)[0], struct.unpack_from("<H", head, pe + 20)[0]
    optional = pe + 24
    directories = optional + (112 if struct.unpack_from("<H", head, optional)[0] == 0x20B else 96)  # PE32+
    resource_rva = struct.unpack_from("<I", head, directories + 16)[0]
    for number in range(sections):
        at = optional + optional_size + 40 * number
        virtual_size, rva, raw_size, raw = struct.unpack_from("<IIII", head, at + 8)
        if rva <= resource_rva < rva + max(virtual_size, raw_size):
            start = raw + resource_rva - rva
            return _from_resources(source, start, raw_size, resource_rva)
    return None


def _from_resources(source: ByteSource, start: int, size: int, resource_rva: int) -> str | None:
    length = min(size, _RESOURCE_LIMIT, source.size - start)
    data = source.read_at(start, min(length, 4096))
    entry = _directory_entry(data, 0, _RT_VERSION)
    for _ in range(2):  # name level, then language level: the first of each
        if entry is None or not entry & 0x80000000:
            break
        entry = _directory_entry(data, entry & 0x7FFFFFFF, None)
    if entry is None or entry & 0x80000000:
        return None
    rva, info_size = struct.unpack_from("<II", data, entry)
    info = source.read_at(start + rva - resource_rva, min(info_size, 512))
    at = info.find(_FIXED_INFO)
    if at < 0:
        return None
    high, low = struct.unpack_from("<II", info, at + 16)
    return f"{high >> 16}.{high & 0xFFFF}.{low >> 16}.{low & 0xFFFF}"


def _directory_entry(data: bytes, at: int, wanted: int | None) -> int | None:
    named, by_id = struct.unpack_from("<HH", data, at + 12)
    for number in range(named + by_id):
        name, target = struct.unpack_from("<II", data, at + 16 + 8 * number)
        if wanted is None or name == wanted:
            return int(target)
    return None

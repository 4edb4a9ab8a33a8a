"""LZNT1 (MS-XCA 2.5): NTFS compression, one unit of usually 64 KiB at a time.

``dissect.util`` accepts references before the start of a chunk and units that end early, and so turns damage into
plausible bytes; here both are errors, and a chunk can not grow beyond its 4 KiB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.errors import CorruptStructureError

if TYPE_CHECKING:
    from vdiskkit.location import Location

__all__ = ["decompress_unit"]

_CHUNK = 4096
_MIN_LENGTH = 3


def decompress_unit(packed: bytes, unit_size: int, wanted: int, location: Location) -> bytes:
    """Decompress one unit.

    Args:
        packed: The stored clusters of the unit; slack may follow the last chunk.
        unit_size: Bytes in a unit, the most that can come out.
        wanted: Bytes that must come out, unless an end marker says that the rest is zeros.
        location: Address of the unit.

    Raises:
        CorruptStructureError: The data is not LZNT1, or ends too early.
    """
    parts: list[bytes] = []
    position = 0
    while position + 2 <= len(packed) and len(parts) * _CHUNK < unit_size:
        header = int.from_bytes(packed[position : position + 2], "little")
        if not header and parts:
            return b"".join(parts)
        end = position + 3 + (header & 0xFFF)
        if header & 0x7000 != 0x3000 or end > len(packed):
            raise _bad(f"chunk {len(parts)} has an impossible header", location)
        chunk = packed[position + 2 : end]
        if header & 0x8000:
            chunk = _decompress_chunk(chunk, len(parts), location)
        # Only the last chunk of a stream is shorter; Windows fills the rest of a chunk with zeros.
        parts.append(chunk.ljust(_CHUNK, b"\0"))
        position = end
    data = b"".join(parts)
    if len(data) < wanted:
        raise _bad(f"it yields {len(data):#x} bytes of {wanted:#x}", location)
    return data[:unit_size]


def _decompress_chunk(packed: bytes, number: int, location: Location) -> bytes:
    out = bytearray()
    position, end = 0, len(packed)
    shift, limit = 12, 16  # a reference has 16 bits: the further out, the more of them tell the distance
    while position < end:
        flags = packed[position]
        position += 1
        for bit in range(8):
            if position >= end:
                break
            if not flags >> bit & 1:
                out.append(packed[position])
                position += 1
                continue
            if position + 2 > end:
                raise _bad(f"chunk {number} is cut off", location)
            token = packed[position] | packed[position + 1] << 8
            position += 2
            while len(out) > limit:
                shift -= 1
                limit <<= 1
            distance = (token >> shift) + 1
            length = (token & (1 << shift) - 1) + _MIN_LENGTH
            start = len(out) - distance
            if start < 0 or len(out) + length > _CHUNK:
                raise _bad(f"chunk {number} has a reference out of bounds", location)
            if distance >= length:
                out += out[start : start + length]
            else:
                out += (out[start:] * (length // distance + 1))[:length]
    if len(out) > _CHUNK:
        raise _bad(f"chunk {number} has more than {_CHUNK} bytes", location)
    return bytes(out)


def _bad(why: str, location: Location) -> CorruptStructureError:
    return CorruptStructureError(f"compressed data (LZNT1) is damaged: {why}", location=location)

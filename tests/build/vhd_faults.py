"""Deliberate faults of VHD files by name. Checksums are put right again unless the fault is the checksum itself."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from tests.build.vhd import SECTOR, with_checksum

if TYPE_CHECKING:
    from collections.abc import Callable

FAULTS: dict[str, Callable[[bytearray], bytes | bytearray]] = {}


def break_vhd(data: bytes, fault: str) -> bytes:
    """Return ``data`` with the named fault."""
    return bytes(FAULTS[fault](bytearray(data)))


def set_footer(data: bytes | bytearray, at: int, value: bytes, *, end: bool = True, start: bool = True) -> bytearray:
    """Change bytes of the footer and its copy, with right checksums."""
    result = bytearray(data)
    places = [len(result) - SECTOR] if end else []
    if start and result[:8] == b"conectix":
        places.append(0)
    for place in places:
        footer = bytearray(result[place : place + SECTOR])
        footer[at : at + len(value)] = value
        result[place : place + SECTOR] = with_checksum(bytes(footer), 64)
    return result


def set_header(data: bytes | bytearray, at: int, value: bytes) -> bytearray:
    """Change bytes of the dynamic disk header, with a right checksum."""
    result = bytearray(data)
    place = int.from_bytes(result[16:24], "big")
    header = bytearray(result[place : place + 1024])
    header[at : at + len(value)] = value
    result[place : place + 1024] = with_checksum(bytes(header), 36)
    return result


def get_bat(data: bytes | bytearray, block: int) -> int:
    """Return the entry of a block."""
    return int(struct.unpack_from(">I", data, _bat_at(data) + block * 4)[0])


def set_bat(data: bytes | bytearray, block: int, sector: int) -> bytearray:
    """Change the entry of a block."""
    result = bytearray(data)
    struct.pack_into(">I", result, _bat_at(result) + block * 4, sector)
    return result


def _bat_at(data: bytes | bytearray) -> int:
    return int.from_bytes(data[512 + 16 : 512 + 24], "big")


def _fault(function: Callable[[bytearray], bytes | bytearray]) -> Callable[[bytearray], bytes | bytearray]:
    FAULTS[function.__name__] = function
    return function


def _flip(data: bytearray, *places: int) -> bytearray:
    for place in places:
        data[place] ^= 0xFF
    return data


# The footer ---------------------------------------------------------------------------------------------------------


@_fault
def footer_checksum(data: bytearray) -> bytearray:
    return _flip(data, len(data) - SECTOR + 70)


@_fault
def footer_and_copy_checksum(data: bytearray) -> bytearray:
    return _flip(data, 70, len(data) - SECTOR + 70)


@_fault
def footer_zeroed(data: bytearray) -> bytearray:
    data[-SECTOR:] = bytes(SECTOR)
    return data


@_fault
def footer_cut(data: bytearray) -> bytearray:
    return data[:-SECTOR]


@_fault
def data_cut(data: bytearray) -> bytearray:
    return data[: len(data) - SECTOR - 5000]


@_fault
def copy_checksum(data: bytearray) -> bytearray:
    return _flip(data, 70)


@_fault
def copy_zeroed(data: bytearray) -> bytearray:
    data[:SECTOR] = bytes(SECTOR)
    return data


@_fault
def copy_differs(data: bytearray) -> bytearray:
    return set_footer(data, 24, b"\1\2\3\4", end=False)


@_fault
def poison(data: bytearray) -> bytearray:
    return set_footer(data, 0, b"v_poison")


@_fault
def poison_at_end_only(data: bytearray) -> bytearray:
    return set_footer(data, 0, b"v_poison", start=False)


@_fault
def footer_version(data: bytearray) -> bytearray:
    return set_footer(data, 12, b"\0\2\0\0")


@_fault
def type_unknown(data: bytearray) -> bytearray:
    return set_footer(data, 60, b"\0\0\0\7")


@_fault
def size_zero(data: bytearray) -> bytearray:
    return set_footer(data, 48, bytes(8))


@_fault
def size_unaligned(data: bytearray) -> bytearray:
    return set_footer(data, 48, (1000).to_bytes(8, "big"))


@_fault
def size_too_large(data: bytearray) -> bytearray:
    size = int.from_bytes(data[-SECTOR + 48 : -SECTOR + 56], "big")
    return set_footer(data, 48, (size * 4).to_bytes(8, "big"))


@_fault
def size_absurd(data: bytearray) -> bytearray:
    return set_footer(data, 48, (2**64 - 512).to_bytes(8, "big"))


@_fault
def header_offset_unaligned(data: bytearray) -> bytearray:
    return set_footer(data, 16, (513).to_bytes(8, "big"))


@_fault
def header_offset_beyond(data: bytearray) -> bytearray:
    return set_footer(data, 16, (1 << 40).to_bytes(8, "big"))


@_fault
def header_offset_none(data: bytearray) -> bytearray:
    return set_footer(data, 16, b"\xff" * 8)


# The dynamic disk header --------------------------------------------------------------------------------------------


@_fault
def header_checksum(data: bytearray) -> bytearray:
    return _flip(data, 512 + 900)


@_fault
def header_cookie(data: bytearray) -> bytearray:
    return set_header(data, 0, b"cxsparsE")


@_fault
def header_version(data: bytearray) -> bytearray:
    return set_header(data, 24, b"\0\2\0\0")


@_fault
def block_size_zero(data: bytearray) -> bytearray:
    return set_header(data, 32, bytes(4))


@_fault
def block_size_small(data: bytearray) -> bytearray:
    return set_header(data, 32, (256).to_bytes(4, "big"))


@_fault
def block_size_odd(data: bytearray) -> bytearray:
    return set_header(data, 32, (0x300000).to_bytes(4, "big"))


@_fault
def bat_huge(data: bytearray) -> bytearray:
    return set_header(data, 28, b"\xff" * 4)


@_fault
def bat_short(data: bytearray) -> bytearray:
    return set_header(data, 28, (1).to_bytes(4, "big"))


@_fault
def bat_offset_unaligned(data: bytearray) -> bytearray:
    return set_header(data, 16, (1537).to_bytes(8, "big"))


@_fault
def bat_offset_beyond(data: bytearray) -> bytearray:
    return set_header(data, 16, (len(data) + 512).to_bytes(8, "big"))


@_fault
def bat_on_header(data: bytearray) -> bytearray:
    return set_header(data, 16, (1024).to_bytes(8, "big"))


# The block allocation table -----------------------------------------------------------------------------------------


@_fault
def block_on_copy(data: bytearray) -> bytearray:
    return set_bat(data, 0, 0)


@_fault
def block_on_header(data: bytearray) -> bytearray:
    return set_bat(data, 0, 1)


@_fault
def block_on_bat(data: bytearray) -> bytearray:
    return set_bat(data, 0, 3)


@_fault
def block_on_footer(data: bytearray) -> bytearray:
    return set_bat(data, 0, max(get_bat(data, 0), get_bat(data, 1)) + 1)


@_fault
def block_beyond_end(data: bytearray) -> bytearray:
    return set_bat(data, 0, 0xFFFFFFFE)


@_fault
def blocks_equal(data: bytearray) -> bytearray:
    return set_bat(data, 0, get_bat(data, 1))


@_fault
def blocks_overlap(data: bytearray) -> bytearray:
    return set_bat(data, 0, get_bat(data, 1) - 1)


@_fault
def batmap_beyond(data: bytearray) -> bytearray:
    at = data.index(b"tdbatmap")
    data[at + 8 : at + 16] = (1 << 40).to_bytes(8, "big")
    return data


@_fault
def block_on_batmap(data: bytearray) -> bytearray:
    return set_bat(data, 0, data.index(b"tdbatmap") // SECTOR)


# Parent locators ----------------------------------------------------------------------------------------------------


@_fault
def locator_length(data: bytearray) -> bytearray:
    return set_header(data, 576 + 8, (100_000).to_bytes(4, "big"))


@_fault
def locator_beyond(data: bytearray) -> bytearray:
    return set_header(data, 576 + 16, (1 << 50).to_bytes(8, "big"))


@_fault
def block_on_locator(data: bytearray) -> bytearray:
    place = int.from_bytes(data[512 + 576 + 16 : 512 + 576 + 24], "big")
    return set_bat(data, 0, place // SECTOR)


@_fault
def parent_is_self(data: bytearray) -> bytearray:
    return set_header(data, 40, bytes(data[68:84]))

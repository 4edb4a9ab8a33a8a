"""The structures of a VHD file, each parsed by a pure function that is total on any bytes.

Follows the Microsoft "Virtual Hard Disk Image Format Specification" 1.0: sections Hard Disk Footer, Dynamic Disk
Header and Parent Locator. All numbers are big-endian.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import ChecksumError, CorruptStructureError

if TYPE_CHECKING:
    from vdiskkit.location import Location

__all__ = [
    "DYNAMIC_HEADER_SIZE",
    "FOOTER_COOKIE",
    "FOOTER_SIZE",
    "MAX_LOCATOR_LENGTH",
    "POISON_COOKIE",
    "SECTOR_SIZE",
    "DynamicHeader",
    "Footer",
    "ParentLocator",
    "parse_dynamic_header",
    "parse_footer",
    "uuid_text",
]

SECTOR_SIZE = 512
FOOTER_SIZE = 512
DYNAMIC_HEADER_SIZE = 1024
FOOTER_COOKIE = b"conectix"
POISON_COOKIE = b"v_poison"
"""What XenServer puts in place of the footer's cookie while a resize is under way."""
MAX_LOCATOR_LENGTH = 64 * 1024
"""The longest path that Windows knows, in bytes of UTF-16."""

_HEADER_COOKIE = b"cxsparse"
_VERSION_MAJOR = 1
_TYPES = {2: "fixed", 3: "dynamic", 4: "differencing"}
_FOOTER = struct.Struct(">8sIIQI4sI4sQQHBBII16sB")
_DYNAMIC_HEADER = struct.Struct(">8sQQIIII16sI4x512s")
_LOCATOR = struct.Struct(">4sIIIQ")
_FOOTER_CHECKSUM_AT = 64
_HEADER_CHECKSUM_AT = 36
_LOCATORS_AT = 576
_LOCATOR_COUNT = 8


class Footer(NamedTuple):
    """The hard disk footer. Sizes in bytes, timestamp in seconds since 2000-01-01 UTC, ``kind`` the type's name."""

    features: int
    data_offset: int
    timestamp: int
    creator_application: bytes
    creator_version: int
    creator_host_os: bytes
    original_size: int
    current_size: int
    cylinders: int
    heads: int
    sectors_per_track: int
    kind: str
    unique_id: bytes
    saved_state: bool


class ParentLocator(NamedTuple):
    """Where a differencing file keeps one form of its parent's path. Offsets and lengths in bytes."""

    code: bytes
    data_space: int
    data_length: int
    offset: int

    @property
    def space(self) -> int:
        """Bytes reserved: the specification counts sectors, Virtual PC and Hyper-V store bytes."""
        return self.data_space if self.data_space >= SECTOR_SIZE else self.data_space * SECTOR_SIZE


class DynamicHeader(NamedTuple):
    """The dynamic disk header."""

    table_offset: int
    max_table_entries: int
    block_size: int
    parent_unique_id: bytes
    parent_timestamp: int
    parent_name: str
    locators: tuple[ParentLocator, ...]

    @property
    def bitmap_size(self) -> int:
        """Bytes of the sector bitmap before each block's data."""
        bits = self.block_size // SECTOR_SIZE
        return -(-bits // (8 * SECTOR_SIZE)) * SECTOR_SIZE


def uuid_text(raw: bytes) -> str:
    """Return sixteen bytes as UUID text, big-endian as VHD stores them."""
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def parse_footer(data: bytes, location: Location) -> Footer:
    """Parse and check the 512 bytes of a footer or its copy.

    Raises:
        ChecksumError: The checksum does not fit.
        CorruptStructureError: Cookie, version, type or size cannot be.
    """
    if len(data) != FOOTER_SIZE or data[:8] != FOOTER_COOKIE:
        raise CorruptStructureError("there is no VHD footer (cookie 'conectix' missing)", location=location)
    (
        _cookie,
        features,
        version,
        data_offset,
        timestamp,
        application,
        application_version,
        host,
        original_size,
        current_size,
        cylinders,
        heads,
        per_track,
        kind,
        stored,
        unique_id,
        saved_state,
    ) = _FOOTER.unpack_from(data)
    _check_sum("VHD footer", data, _FOOTER_CHECKSUM_AT, stored, location)
    if version >> 16 != _VERSION_MAJOR:
        raise CorruptStructureError(f"VHD footer: unknown format version {version:#010x}", location=location)
    if kind not in _TYPES:
        raise CorruptStructureError(
            f"VHD footer: unknown disk type {kind} (2 fixed, 3 dynamic and 4 differencing are known)", location=location
        )
    if not current_size or current_size % SECTOR_SIZE:
        raise CorruptStructureError(
            f"VHD footer: the current size of {current_size} bytes is no multiple of 512 above zero", location=location
        )
    return Footer(
        features,
        data_offset,
        timestamp,
        application,
        application_version,
        host,
        original_size,
        current_size,
        cylinders,
        heads,
        per_track,
        _TYPES[kind],
        unique_id,
        bool(saved_state),
    )


def parse_dynamic_header(data: bytes, location: Location) -> DynamicHeader:
    """Parse and check the 1024 bytes of a dynamic disk header.

    Raises:
        ChecksumError: The checksum does not fit.
        CorruptStructureError: Cookie, version or block size cannot be.
    """
    if len(data) != DYNAMIC_HEADER_SIZE or data[:8] != _HEADER_COOKIE:
        raise CorruptStructureError(
            "there is no dynamic disk header where the footer says (cookie 'cxsparse' missing)", location=location
        )
    (_cookie, _next, table_offset, version, entries, block_size, stored, parent_id, parent_time, name) = (
        _DYNAMIC_HEADER.unpack_from(data)
    )
    _check_sum("VHD dynamic disk header", data, _HEADER_CHECKSUM_AT, stored, location)
    if version >> 16 != _VERSION_MAJOR:
        raise CorruptStructureError(f"VHD dynamic disk header: unknown version {version:#010x}", location=location)
    if block_size < SECTOR_SIZE or block_size & (block_size - 1):
        raise CorruptStructureError(
            f"VHD dynamic disk header: the block size of {block_size} bytes is no power of two from 512 on",
            location=location,
        )
    locators = []
    for number in range(_LOCATOR_COUNT):
        code, space, length, _reserved, offset = _LOCATOR.unpack_from(data, _LOCATORS_AT + number * _LOCATOR.size)
        if code != bytes(4) and length:
            locators.append(ParentLocator(code, space, length, offset))
    text = name.decode("utf-16-be", "replace").partition("\0")[0]
    return DynamicHeader(table_offset, entries, block_size, parent_id, parent_time, text, tuple(locators))


def _check_sum(what: str, data: bytes, field_at: int, stored: int, location: Location) -> None:
    # Ones' complement of the byte sum, the field itself counted as zero.
    computed = ~(sum(data) - sum(data[field_at : field_at + 4])) & 0xFFFFFFFF
    if stored != computed:
        raise ChecksumError(f"{what}: the checksum does not fit", expected=stored, actual=computed, location=location)

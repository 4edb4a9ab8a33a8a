"""The structures of a VHDX file outside its blocks, each parsed by a pure function that is total on any bytes.

Follows [MS-VHDX] sections 2.2 (header section) and 2.6 (metadata region). All numbers are little-endian, GUIDs are in
Windows' mixed order.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.container.vhdx.crc32c import crc32c
from vdiskkit.errors import ChecksumError, CorruptStructureError, UnsupportedFeatureError

if TYPE_CHECKING:
    from vdiskkit.location import Location

__all__ = [
    "BAT_REGION",
    "HEADER_OFFSETS",
    "HEADER_SECTION_SIZE",
    "HEADER_SIZE",
    "METADATA_REGION",
    "METADATA_TABLE_SIZE",
    "MIB",
    "NO_GUID",
    "REGION_TABLE_OFFSETS",
    "REGION_TABLE_SIZE",
    "FileParameters",
    "Header",
    "MetadataEntry",
    "RegionEntry",
    "guid_text",
    "metadata_entry_count",
    "parse_file_parameters",
    "parse_header",
    "parse_metadata_table",
    "parse_parent_locator",
    "parse_region_entries",
    "parse_region_table",
    "parse_sector_size",
    "parse_virtual_size",
]

MIB = 1024 * 1024
HEADER_SECTION_SIZE = MIB
HEADER_SIZE = 4096
HEADER_OFFSETS = (64 * 1024, 128 * 1024)
REGION_TABLE_SIZE = 64 * 1024
REGION_TABLE_OFFSETS = (192 * 1024, 256 * 1024)
METADATA_TABLE_SIZE = 64 * 1024
MAX_ENTRIES = 2047
"""Of a region table and of a metadata table."""
BAT_REGION = "2dc27766-f623-4200-9d64-115e9bfd4a08"
METADATA_REGION = "8b7ca206-4790-4b9a-b8fe-575f050f886e"
NO_GUID = "00000000-0000-0000-0000-000000000000"

_HEADER = struct.Struct("<4sIQ16s16s16sHHIQ")
_REGION_TABLE = struct.Struct("<4sII4x")
_REGION_ENTRY = struct.Struct("<16sQII")
_METADATA_TABLE = struct.Struct("<8s2xH20x")
_METADATA_ENTRY = struct.Struct("<16sIII4x")
_LOCATOR_HEADER = struct.Struct("<16s2xH")
_LOCATOR_ENTRY = struct.Struct("<IIHH")
_GUID = struct.Struct("<IHH")
_CHECKSUM_AT = 4
_VERSION = 1
_LOCATOR_TYPE = "b04aefb7-d19e-4a81-b789-25b8e9445913"
_LOCATOR_SHARING = 4
"""Entries of a parent locator may have text in common; without a bound 65,535 of them make gigabytes of a megabyte."""
_IS_USER, _IS_REQUIRED = 1, 4
_LEAVE_ALLOCATED, _HAS_PARENT = 1, 2
_MAX_BLOCK = 256 * MIB
_MAX_DISK = 64 << 40


class Header(NamedTuple):
    """One of the two headers. GUIDs as text, offset and length of the log in bytes."""

    sequence: int
    file_write_guid: str
    data_write_guid: str
    log_guid: str
    log_version: int
    log_length: int
    log_offset: int

    @property
    def log_pending(self) -> bool:
        """Whether the log holds changes that the file does not have yet."""
        return self.log_guid != NO_GUID


class RegionEntry(NamedTuple):
    """Where a region is. Bytes; ``required`` means that who does not know the region must not open the file."""

    guid: str
    offset: int
    length: int
    required: bool


class MetadataEntry(NamedTuple):
    """Where a metadata item is. ``offset`` counts from the start of the metadata region."""

    guid: str
    offset: int
    length: int
    user: bool
    required: bool


class FileParameters(NamedTuple):
    """The item of that name."""

    block_size: int
    leave_allocated: bool
    has_parent: bool


def guid_text(raw: bytes) -> str:
    """Return the sixteen bytes of a GUID as text."""
    first, second, third = _GUID.unpack_from(raw)
    rest = raw[8:].hex()
    return f"{first:08x}-{second:04x}-{third:04x}-{rest[:4]}-{rest[4:]}"


def parse_header(data: bytes, location: Location) -> Header:
    """Parse and check the 4096 bytes of a header.

    Raises:
        ChecksumError: The checksum does not fit.
        CorruptStructureError: The signature is missing.
        UnsupportedFeatureError: It is of another version of the format.
    """
    _check_signature("header", data, HEADER_SIZE, b"head", location)
    _signature, _checksum, sequence, file_write, data_write, log, log_version, version, length, offset = (
        _HEADER.unpack_from(data)
    )
    _check_sum("header", data, location)
    if version != _VERSION:
        raise UnsupportedFeatureError(f"VHDX header: version {version} of the format is not known", location=location)
    return Header(sequence, guid_text(file_write), guid_text(data_write), guid_text(log), log_version, length, offset)


def parse_region_table(data: bytes, location: Location, *, zeros: int = 0) -> tuple[RegionEntry, ...]:
    """Parse and check the 64 KiB of a region table.

    Args:
        data: The table, or its beginning.
        location: Address of the table.
        zeros: Bytes behind ``data`` that were not read and are taken for zeros.

    Raises:
        ChecksumError: The checksum does not fit.
        CorruptStructureError: Signature or number of entries cannot be.
    """
    if len(data) + zeros < REGION_TABLE_SIZE:
        raise CorruptStructureError(f"VHDX region table: only {len(data)} bytes", location=location)
    _check_sum("region table", data, location, zeros)
    return parse_region_entries(data, location)


def parse_region_entries(data: bytes, location: Location) -> tuple[RegionEntry, ...]:
    """Parse the entries of a region table, or of its beginning; its checksum is not looked at.

    Raises:
        CorruptStructureError: The signature is missing, or there are more entries than there can be.
    """
    _check_signature("region table", data, _REGION_TABLE.size, b"regi", location)
    _signature, _checksum, count = _REGION_TABLE.unpack_from(data)
    if count > MAX_ENTRIES or _REGION_TABLE.size + count * _REGION_ENTRY.size > len(data):
        raise CorruptStructureError(
            f"VHDX region table: {count} entries, more than the {MAX_ENTRIES} it can have", location=location
        )
    entries = []
    for number in range(count):
        guid, offset, length, flags = _REGION_ENTRY.unpack_from(data, _REGION_TABLE.size + number * _REGION_ENTRY.size)
        entries.append(RegionEntry(guid_text(guid), offset, length, bool(flags & 1)))
    return tuple(entries)


def metadata_entry_count(data: bytes, location: Location) -> int:
    """Return how many entries a metadata table has, from its first 32 bytes.

    Raises:
        CorruptStructureError: Signature or number of entries cannot be.
    """
    _check_signature("metadata table", data, _METADATA_TABLE.size, b"metadata", location)
    _signature, count = _METADATA_TABLE.unpack_from(data)
    if count > MAX_ENTRIES:
        raise CorruptStructureError(
            f"VHDX metadata table: {count} entries, more than the {MAX_ENTRIES} it can have", location=location
        )
    return int(count)


def parse_metadata_table(data: bytes, region_length: int, location: Location) -> tuple[MetadataEntry, ...]:
    """Parse and check a metadata table.

    Args:
        data: The table, at least up to its last entry.
        region_length: Bytes of the metadata region.
        location: Address of the table.

    Raises:
        CorruptStructureError: An item cannot be where it should be, or is there twice.
    """
    count = metadata_entry_count(data, location)
    if _METADATA_TABLE.size + count * _METADATA_ENTRY.size > len(data):
        raise CorruptStructureError(f"VHDX metadata table: {count} entries, but it is cut short", location=location)
    entries: dict[tuple[str, bool], MetadataEntry] = {}
    for number in range(count):
        at = _METADATA_TABLE.size + number * _METADATA_ENTRY.size
        guid, offset, length, flags = _METADATA_ENTRY.unpack_from(data, at)
        entry = MetadataEntry(guid_text(guid), offset, length, bool(flags & _IS_USER), bool(flags & _IS_REQUIRED))
        if (entry.guid, entry.user) in entries:
            raise CorruptStructureError(f"VHDX metadata table: item {entry.guid} is there twice", location=location)
        if length > MIB:
            raise CorruptStructureError(
                f"VHDX metadata table: item {entry.guid} has {length} bytes, more than the 1 MiB it can have",
                location=location,
            )
        if length and (offset < METADATA_TABLE_SIZE or offset + length > region_length):
            raise CorruptStructureError(
                f"VHDX metadata table: item {entry.guid}, {length} bytes at {offset:#x}, does not lie between the "
                f"table and the end of the metadata region ({METADATA_TABLE_SIZE:#x} to {region_length:#x})",
                location=location,
            )
        entries[entry.guid, entry.user] = entry
    return tuple(entries.values())


def parse_file_parameters(data: bytes, location: Location) -> FileParameters:
    """Parse and check the item "file parameters".

    Raises:
        CorruptStructureError: The block size cannot be.
    """
    block_size, flags = struct.unpack("<II", data)
    if not MIB <= block_size <= _MAX_BLOCK or block_size & (block_size - 1):
        raise CorruptStructureError(
            f"VHDX file parameters: the block size of {block_size} bytes is no power of two from 1 MiB to 256 MiB",
            location=location,
        )
    return FileParameters(block_size, bool(flags & _LEAVE_ALLOCATED), bool(flags & _HAS_PARENT))


def parse_sector_size(data: bytes, what: str, location: Location) -> int:
    """Parse and check the item "logical sector size" or "physical sector size".

    Raises:
        CorruptStructureError: It is neither 512 nor 4096.
    """
    size = int.from_bytes(data, "little")
    if size not in (512, 4096):
        raise CorruptStructureError(
            f"VHDX metadata: the {what} sector size of {size} bytes is neither 512 nor 4096", location=location
        )
    return size


def parse_virtual_size(data: bytes, sector_size: int, location: Location) -> int:
    """Parse and check the item "virtual disk size".

    Raises:
        CorruptStructureError: It is no whole number of sectors, or more than a VHDX can have.
    """
    size = int.from_bytes(data, "little")
    if not size or size % sector_size or size > _MAX_DISK:
        raise CorruptStructureError(
            f"VHDX metadata: the virtual disk size of {size} bytes is no multiple of the sector size ({sector_size}) "
            "from one sector to 64 TiB",
            location=location,
        )
    return size


def parse_parent_locator(data: bytes, location: Location) -> dict[str, str]:
    """Parse and check the item "parent locator".

    Returns:
        Its keys, such as ``parent_linkage`` and ``relative_path``, and their values.

    Raises:
        CorruptStructureError: A key or value does not lie inside the item, or a key is there twice.
        UnsupportedFeatureError: It is a locator of an unknown type.
    """
    if len(data) < _LOCATOR_HEADER.size:
        raise CorruptStructureError(f"VHDX parent locator: it has only {len(data)} bytes", location=location)
    kind, count = _LOCATOR_HEADER.unpack_from(data)
    if guid_text(kind) != _LOCATOR_TYPE:
        raise UnsupportedFeatureError(
            f"VHDX parent locator: unknown type {guid_text(kind)}; the parent is no VHDX", location=location
        )
    if _LOCATOR_HEADER.size + count * _LOCATOR_ENTRY.size > len(data):
        raise CorruptStructureError(
            f"VHDX parent locator: {count} entries do not fit in its {len(data)} bytes", location=location
        )
    texts: dict[str, str] = {}
    left = _LOCATOR_SHARING * len(data)
    for number in range(count):
        key_at, value_at, key_length, value_length = _LOCATOR_ENTRY.unpack_from(
            data, _LOCATOR_HEADER.size + number * _LOCATOR_ENTRY.size
        )
        if key_at + key_length > len(data) or value_at + value_length > len(data):
            raise CorruptStructureError(
                f"VHDX parent locator: entry {number} does not lie inside its {len(data)} bytes", location=location
            )
        left -= key_length + value_length
        if left < 0:
            raise CorruptStructureError(
                f"VHDX parent locator: its {count} entries have more text than its {len(data)} bytes", location=location
            )
        key = data[key_at : key_at + key_length].decode("utf-16-le", "replace")
        if key in texts:
            raise CorruptStructureError(f"VHDX parent locator: the key {key!r} is there twice", location=location)
        # Some programs count a closing zero in.
        texts[key] = data[value_at : value_at + value_length].decode("utf-16-le", "replace").partition("\0")[0]
    return texts


def _check_signature(what: str, data: bytes, size: int, signature: bytes, location: Location) -> None:
    if len(data) < size or not data.startswith(signature):
        raise CorruptStructureError(
            f"there is no VHDX {what} where it belongs (signature {signature.decode()!r} missing)", location=location
        )


def _check_sum(what: str, data: bytes, location: Location, zeros: int = 0) -> None:
    stored = int.from_bytes(data[_CHECKSUM_AT : _CHECKSUM_AT + 4], "little")
    computed = crc32c(data[:_CHECKSUM_AT] + bytes(4) + data[_CHECKSUM_AT + 4 :], zeros)
    if stored != computed:
        raise ChecksumError(
            f"VHDX {what}: the checksum does not fit", expected=stored, actual=computed, location=location
        )

"""The metadata region of a VHDX: what the disk is.

Follows [MS-VHDX] section 2.6. Of the table only the used part is read, of the items only those that are known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.container.vhdx.layout import (
    METADATA_TABLE_SIZE,
    FileParameters,
    MetadataEntry,
    RegionEntry,
    guid_text,
    metadata_entry_count,
    parse_file_parameters,
    parse_metadata_table,
    parse_parent_locator,
    parse_sector_size,
    parse_virtual_size,
)
from vdiskkit.errors import CorruptStructureError, UnsupportedFeatureError

if TYPE_CHECKING:
    from vdiskkit.io import ByteSource

__all__ = ["Metadata", "read_metadata"]

_FIRST_READ = 4096
_MERGED = 64 * 1024
"""Items that lie within so many bytes are read by one call."""

_PARAMETERS = "caa16737-fa36-4d43-b3b6-33f0aa44e76b"
_SIZE = "2fa54224-cd1b-4876-b211-5dbed83bf4b8"
_DISK_ID = "beca12ab-b2e6-4523-93ef-c309e000c746"
_LOGICAL = "8141bf1d-a96f-4709-ba47-f233a8faab5f"
_PHYSICAL = "cda348c7-445d-4471-9cc9-e9885251c556"
_LOCATOR = "a8d35f2d-b30b-454d-abf7-d3d84834ab0c"
_NAMES = {
    _PARAMETERS: ("file parameters", 8),
    _SIZE: ("virtual disk size", 8),
    _DISK_ID: ("virtual disk id", 16),
    _LOGICAL: ("logical sector size", 4),
    _PHYSICAL: ("physical sector size", 4),
    _LOCATOR: ("parent locator", None),
}


class Metadata(NamedTuple):
    """What the known items say.

    Attributes:
        parameters: Block size and flags.
        virtual_size: Bytes of the virtual disk.
        sector_size: Bytes of a logical sector.
        physical_sector_size: Bytes of a physical sector, as it is shown to Windows.
        disk_id: Id of the virtual disk, the same in all files of a chain.
        parent_locator: Keys and values of the parent locator, None without a parent.
    """

    parameters: FileParameters
    virtual_size: int
    sector_size: int
    physical_sector_size: int
    disk_id: str
    parent_locator: dict[str, str] | None


def read_metadata(source: ByteSource, region: RegionEntry) -> Metadata:
    """Read and check the metadata.

    Raises:
        FormatError: An item is missing or cannot be.
        UnsupportedFeatureError: There is an item that a reader must know, and we do not.
        SourceError: The operating system could not read.
    """
    where = source.location.at("byte", region.offset)
    if region.length < METADATA_TABLE_SIZE:
        raise CorruptStructureError(
            f"VHDX: the metadata region has {region.length} bytes, its table alone takes {METADATA_TABLE_SIZE}",
            location=where,
        )
    table = source.read_at(region.offset, _FIRST_READ)
    needed = 32 + 32 * metadata_entry_count(table, where)
    if needed > len(table):
        table += source.read_at(region.offset + len(table), needed - len(table))
    entries: dict[str, MetadataEntry] = {}
    for entry in parse_metadata_table(table, region.length, where):
        if entry.guid in _NAMES and not entry.user:
            entries[entry.guid] = entry
        elif entry.required:
            raise UnsupportedFeatureError(
                f"VHDX metadata table: item {entry.guid} is not known, but required for reading this file",
                location=where,
            )
    for guid, (name, size) in _NAMES.items():
        if size is None:
            continue
        if guid not in entries:
            raise CorruptStructureError(f"VHDX metadata table: the {name} is missing", location=where)
        if entries[guid].length != size:
            raise CorruptStructureError(
                f"VHDX metadata table: the {name} has {entries[guid].length} bytes instead of {size}", location=where
            )
    return _parse_items(source, region, entries)


def _parse_items(source: ByteSource, region: RegionEntry, entries: dict[str, MetadataEntry]) -> Metadata:
    where = source.location.at("byte", region.offset)
    items = _read_items(source, region, entries)
    parameters = parse_file_parameters(items[_PARAMETERS], where)
    sector_size = parse_sector_size(items[_LOGICAL], "logical", where)
    locator = None
    if parameters.has_parent:
        if _LOCATOR not in entries:
            raise CorruptStructureError(
                "VHDX metadata table: the file is a differencing disk, but the parent locator is missing",
                location=where,
            )
        locator = parse_parent_locator(items[_LOCATOR], where)
    return Metadata(
        parameters,
        parse_virtual_size(items[_SIZE], sector_size, where),
        sector_size,
        parse_sector_size(items[_PHYSICAL], "physical", where),
        guid_text(items[_DISK_ID]),
        locator,
    )


def _read_items(source: ByteSource, region: RegionEntry, entries: dict[str, MetadataEntry]) -> dict[str, bytes]:
    start = min(entry.offset for entry in entries.values() if entry.length)
    end = max(entry.offset + entry.length for entry in entries.values() if entry.length)
    if end - start > _MERGED:
        return {
            guid: source.read_at(region.offset + entry.offset, entry.length) if entry.length else b""
            for guid, entry in entries.items()
        }
    data = source.read_at(region.offset + start, end - start)
    return {guid: data[entry.offset - start :][: entry.length] for guid, entry in entries.items()}

"""What is known about a container and its chain."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from vdiskkit.facts import Facts

__all__ = [
    "ChainLinkFacts",
    "ContainerFacts",
    "FooterState",
    "GeometryFacts",
    "LocatorFacts",
    "ParentFacts",
    "VhdxFacts",
    "VhdxLogFacts",
]


class FooterState(StrEnum):
    """The footer at the end of a VHD file."""

    OK = "ok"
    DAMAGED = "damaged"
    SHORT_511 = "short_511"


@dataclass(frozen=True, slots=True, kw_only=True)
class GeometryFacts(Facts):
    """The geometry that the footer names; nothing here depends on it.

    Attributes:
        cylinders: Cylinders.
        heads: Heads.
        sectors_per_track: Sectors per track.
    """

    cylinders: int
    heads: int
    sectors_per_track: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LocatorFacts(Facts):
    """One path under which a differencing file remembers its parent.

    Attributes:
        code: In a VHD the platform code: ``W2ru`` relative, ``W2ku`` absolute, and older ones. In a VHDX the key:
            ``relative_path``, ``volume_path`` or ``absolute_win32_path``.
        path: The path as stored.
    """

    code: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentFacts(Facts):
    """What a differencing file says about its parent, and what was found.

    Attributes:
        name: The parent's name as the header has it; empty in a VHDX, which has only paths.
        unique_id: The id that the parent must have.
        modified: The parent file's time when the child was made, None when it was not recorded.
        locators: Stored paths; only their file names are used unless the user trusts them.
        found: The file that was taken.
        found_unique_id: Its id.
        tried: The files that were looked at or for, in order.
    """

    name: str
    unique_id: str
    modified: datetime | None
    locators: tuple[LocatorFacts, ...]
    found: str | None
    found_unique_id: str | None
    tried: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainLinkFacts(Facts):
    """One file of a chain.

    Attributes:
        path: The file.
        format: ``vhd``, ``vhdx`` or ``raw``.
        type: ``fixed``, ``dynamic`` or ``differencing``.
        virtual_size: Bytes of the virtual disk.
        file_size: Bytes of the file.
        allocated_bytes: Bytes of blocks that the file holds, None where all are there.
        unique_id: The file's own id, by which a child knows its parent; None where it has none.
        created: When the file was made, None where it does not say.
        parent: Its parent, None for the base.
    """

    path: str | None
    format: str
    type: str
    virtual_size: int
    file_size: int
    allocated_bytes: int | None
    unique_id: str | None
    created: datetime | None
    parent: ParentFacts | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VhdxLogFacts(Facts):
    """The log of a VHDX that was not closed: what its replay, in memory only, changes.

    Attributes:
        entries: Entries of the log's active sequence.
        first_sequence: Number of the oldest.
        last_sequence: Number of the newest.
        changed_bytes: Bytes of the pages of the file that get new content.
        zeroed_bytes: Bytes of the file that become zeros.
    """

    entries: int
    first_sequence: int
    last_sequence: int
    changed_bytes: int
    zeroed_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VhdxFacts(Facts):
    """What only a VHDX has.

    Attributes:
        virtual_disk_id: Id of the virtual disk, the same in all files of a chain.
        physical_sector_size: Bytes of a physical sector, as it is shown to Windows.
        file_write_id: Id that changes when anything in the file is written.
        header: Which of the two headers is the current one, 1 or 2.
        header_sequence: Its sequence number.
        header_problem: What is wrong with the other one, None when it can be used.
        region_table: Which of the two region tables was used, 1 or 2.
        region_table_problem: What is wrong with the first, when the second was used.
        keeps_blocks_allocated: Whether blocks must never be given back: the mark of a fixed disk.
        log: The log that must be replayed, None when there is none; everything shown is as after its replay.
    """

    virtual_disk_id: str
    physical_sector_size: int
    file_write_id: str
    header: int
    header_sequence: int
    header_problem: str | None
    region_table: int
    region_table_problem: str | None
    keeps_blocks_allocated: bool
    log: VhdxLogFacts | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerFacts(Facts):
    """The disk file: its format, its sizes, and the chain below it.

    Attributes:
        format: ``vhd``, ``vhdx`` or ``raw``.
        type: ``fixed``, ``dynamic`` or ``differencing``; a raw image is fixed.
        virtual_size: Bytes of the virtual disk.
        file_size: Bytes of the file.
        sector_size: Bytes of a logical sector.
        block_size: Bytes of a block, None where the file has no blocks.
        block_count: Blocks that the virtual size needs, None where the file has no blocks.
        allocated_blocks: Blocks that are in the file, None where the file has no blocks.
        allocated_bytes: Their bytes, None where the file has no blocks.
        data_aligned_4k: Whether all blocks' data begin on multiples of 4096 bytes of the file; None where the file
            has no blocks or none is allocated.
        unique_id: The file's own id as UUID text, by which a child knows its parent; None where it has none. In a
            VHDX it is the id of the content (DataWriteGuid), which changes when the disk is written to. In a VHD it is
            the order of the bytes in the file, as the format's specification has it.
        windows_id: Of a VHD that Windows made: the same id as Hyper-V and diskpart print it. Windows takes the bytes
            for a little-endian GUID, and makes GUIDs of version 4: it is given where they are one only when read so;
            None otherwise.
        creator_application: What made the file, such as ``win`` or ``qem2``.
        creator_version: Its version as ``major.minor``.
        creator_host_os: Where it ran: ``Wi2k`` or ``Mac``.
        created: When the file was made (not when it was last written).
        geometry: Cylinders, heads and sectors.
        footer: State of the footer at the end; ``damaged`` means that its copy at the start was used.
        vhdx: What only a VHDX has; None for other formats.
        parent: What a differencing file says about its parent.
        chain: Every file from this one down to the base; one entry for a disk without a parent.
    """

    format: str
    type: str
    virtual_size: int
    file_size: int
    sector_size: int
    block_size: int | None = None
    block_count: int | None = None
    allocated_blocks: int | None = None
    allocated_bytes: int | None = None
    data_aligned_4k: bool | None = None
    unique_id: str | None = None
    windows_id: str | None = None
    creator_application: str | None = None
    creator_version: str | None = None
    creator_host_os: str | None = None
    created: datetime | None = None
    geometry: GeometryFacts | None = None
    footer: FooterState | None = None
    vhdx: VhdxFacts | None = None
    parent: ParentFacts | None = None
    chain: tuple[ChainLinkFacts, ...] = ()

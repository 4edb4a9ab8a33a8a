"""What is known about a container and its chain."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from vdiskkit.facts import Facts

__all__ = ["ChainLinkFacts", "ContainerFacts", "FooterState", "GeometryFacts", "LocatorFacts", "ParentFacts"]


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
        code: Platform code: ``W2ru`` relative, ``W2ku`` absolute, and older ones.
        path: The path as stored.
    """

    code: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentFacts(Facts):
    """What a differencing file says about its parent, and what was found.

    Attributes:
        name: The parent's name as the header has it.
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
        format: ``vhd`` or ``raw``.
        type: ``fixed``, ``dynamic`` or ``differencing``.
        virtual_size: Bytes of the virtual disk.
        file_size: Bytes of the file.
        allocated_bytes: Bytes of blocks that the file holds, None where all are there.
        unique_id: The file's own id, None where it has none.
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
class ContainerFacts(Facts):
    """The disk file: its format, its sizes, and the chain below it.

    Attributes:
        format: ``vhd`` or ``raw``.
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
        unique_id: The file's own id as UUID text, None where it has none.
        creator_application: What made the file, such as ``win`` or ``qem2``.
        creator_version: Its version as ``major.minor``.
        creator_host_os: Where it ran: ``Wi2k`` or ``Mac``.
        created: When the file was made (not when it was last written).
        geometry: Cylinders, heads and sectors.
        footer: State of the footer at the end; ``damaged`` means that its copy at the start was used.
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
    creator_application: str | None = None
    creator_version: str | None = None
    creator_host_os: str | None = None
    created: datetime | None = None
    geometry: GeometryFacts | None = None
    footer: FooterState | None = None
    parent: ParentFacts | None = None
    chain: tuple[ChainLinkFacts, ...] = ()

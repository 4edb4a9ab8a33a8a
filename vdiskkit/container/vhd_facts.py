"""The facts of a VHD and its chain, gathered from the open disks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from vdiskkit.container.facts import (
    ChainLinkFacts,
    ContainerFacts,
    FooterState,
    GeometryFacts,
    LocatorFacts,
    ParentFacts,
)
from vdiskkit.container.vhd import BlockVhd, VhdDisk

if TYPE_CHECKING:
    from vdiskkit.container.disk import VirtualDisk

__all__ = ["vhd_facts", "vhd_time"]

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def vhd_time(seconds: int) -> datetime | None:
    """Return a VHD timestamp (seconds since 2000-01-01 UTC) as a time; None for zero, which means not recorded."""
    return _EPOCH + timedelta(seconds=seconds) if seconds else None


def vhd_facts(disk: VhdDisk) -> ContainerFacts:
    """Return what is known about a VHD file and its chain."""
    footer = disk.footer
    blocks = disk if isinstance(disk, BlockVhd) else None
    version = footer.creator_version
    return ContainerFacts(
        format=disk.format,
        type=disk.subformat,
        virtual_size=disk.size,
        file_size=disk.file_size,
        sector_size=disk.sector_size,
        block_size=disk.block_size,
        block_count=blocks.block_count if blocks else None,
        allocated_blocks=blocks.allocated_blocks if blocks else None,
        allocated_bytes=_allocated_bytes(disk),
        data_aligned_4k=blocks.data_aligned_4k if blocks and blocks.allocated_blocks else None,
        unique_id=disk.unique_id,
        creator_application=_code(footer.creator_application),
        creator_version=f"{version >> 16}.{version & 0xFFFF}",
        creator_host_os=_code(footer.creator_host_os),
        created=vhd_time(footer.timestamp),
        geometry=GeometryFacts(
            cylinders=footer.cylinders, heads=footer.heads, sectors_per_track=footer.sectors_per_track
        ),
        footer=FooterState(disk.footer_state),
        parent=_parent_facts(disk),
        chain=tuple(_link_facts(link) for link in disk.chain),
    )


def _link_facts(disk: VirtualDisk) -> ChainLinkFacts:
    return ChainLinkFacts(
        path=disk.path,
        format=disk.format,
        type=disk.subformat,
        virtual_size=disk.size,
        file_size=disk.file_size,
        allocated_bytes=_allocated_bytes(disk),
        unique_id=disk.unique_id or None,
        created=vhd_time(disk.footer.timestamp) if isinstance(disk, VhdDisk) else None,
        parent=_parent_facts(disk),
    )


def _parent_facts(disk: VirtualDisk) -> ParentFacts | None:
    if not isinstance(disk, BlockVhd) or disk.parent_link is None:
        return None
    link = disk.parent_link
    return ParentFacts(
        name=link.name,
        unique_id=link.unique_id,
        modified=vhd_time(link.timestamp),
        locators=tuple(LocatorFacts(code=code, path=path) for code, path in link.locators),
        found=disk.parent.path if disk.parent else None,
        found_unique_id=disk.parent.unique_id if disk.parent else None,
        tried=link.tried,
    )


def _allocated_bytes(disk: VirtualDisk) -> int | None:
    return disk.allocated_blocks * disk.block_size if isinstance(disk, BlockVhd) else None


def _code(raw: bytes) -> str:
    return raw.decode("latin-1").rstrip("\0 ")

"""The facts of a chain of files, the same for every format."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from vdiskkit.container.facts import ChainLinkFacts, LocatorFacts, ParentFacts

if TYPE_CHECKING:
    from vdiskkit.container.disk import VirtualDisk

__all__ = ["allocated_bytes", "chain_facts", "parent_facts", "vhd_time"]

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def vhd_time(seconds: int) -> datetime | None:
    """Return a VHD timestamp (seconds since 2000-01-01 UTC) as a time; None for zero, which means not recorded."""
    return _EPOCH + timedelta(seconds=seconds) if seconds else None


def chain_facts(disk: VirtualDisk) -> tuple[ChainLinkFacts, ...]:
    """Return what is known about each file from ``disk`` down to the base."""
    return tuple(_link_facts(link) for link in disk.chain)


def _link_facts(disk: VirtualDisk) -> ChainLinkFacts:
    return ChainLinkFacts(
        path=disk.path,
        format=disk.format,
        type=disk.subformat,
        virtual_size=disk.size,
        file_size=disk.file_size,
        allocated_bytes=allocated_bytes(disk),
        unique_id=disk.unique_id or None,
        created=vhd_time(disk.created),
        parent=parent_facts(disk),
    )


def parent_facts(disk: VirtualDisk) -> ParentFacts | None:
    """Return what a differencing file says about its parent, and what was found; None without a parent."""
    link = disk.parent_link
    if link is None:
        return None
    return ParentFacts(
        name=link.name,
        unique_id=link.unique_id,
        modified=vhd_time(link.timestamp),
        locators=tuple(LocatorFacts(code=code, path=path) for code, path in link.locators),
        found=disk.parent.path if disk.parent else None,
        found_unique_id=disk.parent.unique_id if disk.parent else None,
        tried=link.tried,
    )


def allocated_bytes(disk: VirtualDisk) -> int | None:
    """Return the bytes of blocks that the file holds; None where it has no blocks."""
    if disk.allocated_blocks is None or disk.block_size is None:
        return None
    return disk.allocated_blocks * disk.block_size

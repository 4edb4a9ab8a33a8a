"""The facts of a VHD and its chain, gathered from the open disks."""

from __future__ import annotations

from vdiskkit.container.chain_facts import allocated_bytes, chain_facts, parent_facts, vhd_time
from vdiskkit.container.facts import ContainerFacts, FooterState, GeometryFacts
from vdiskkit.container.vhd.disk import BlockVhd, VhdDisk

__all__ = ["vhd_facts"]


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
        allocated_bytes=allocated_bytes(disk),
        data_aligned_4k=blocks.data_aligned_4k if blocks and blocks.allocated_blocks else None,
        unique_id=disk.unique_id,
        windows_id=_windows_id(disk.unique_id),
        creator_application=_code(footer.creator_application),
        creator_version=f"{version >> 16}.{version & 0xFFFF}",
        creator_host_os=_code(footer.creator_host_os),
        created=vhd_time(footer.timestamp),
        geometry=GeometryFacts(
            cylinders=footer.cylinders, heads=footer.heads, sectors_per_track=footer.sectors_per_track
        ),
        footer=FooterState(disk.footer_state),
        parent=parent_facts(disk),
        chain=chain_facts(disk),
    )


def _code(raw: bytes) -> str:
    return raw.decode("latin-1").rstrip("\0 ")


def _windows_id(unique_id: str) -> str | None:
    """The id as Windows prints it; None when nothing speaks for Windows having made it."""
    from uuid import RFC_4122, UUID

    big = UUID(unique_id)
    little = UUID(bytes_le=big.bytes)
    if little.variant == RFC_4122 and little.version == 4 and big.version != 4:
        return str(little)
    return None

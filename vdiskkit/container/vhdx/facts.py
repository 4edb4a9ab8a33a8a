"""The facts of a VHDX and its chain, gathered from the open disks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.container.chain_facts import allocated_bytes, chain_facts, parent_facts
from vdiskkit.container.facts import ContainerFacts, VhdxFacts, VhdxLogFacts

if TYPE_CHECKING:
    from vdiskkit.container.vhdx.disk import VhdxDisk

__all__ = ["vhdx_facts"]

_PAGE = 4096


def vhdx_facts(disk: VhdxDisk) -> ContainerFacts:
    """Return what is known about a VHDX file and its chain."""
    header, metadata = disk.header, disk.metadata
    return ContainerFacts(
        format=disk.format,
        type=disk.subformat,
        virtual_size=disk.size,
        file_size=disk.file_size,
        sector_size=disk.sector_size,
        block_size=disk.block_size,
        block_count=disk.shape.blocks,
        allocated_blocks=disk.allocated_blocks,
        allocated_bytes=allocated_bytes(disk),
        # Blocks begin on multiples of 1 MiB.
        data_aligned_4k=True if disk.allocated_blocks else None,
        unique_id=disk.unique_id,
        creator_application=disk.creator or None,
        vhdx=VhdxFacts(
            virtual_disk_id=metadata.disk_id,
            physical_sector_size=metadata.physical_sector_size,
            file_write_id=header.file_write_guid,
            header=disk.header_number,
            header_sequence=header.sequence,
            header_problem=disk.header_problem or None,
            region_table=disk.regions.number,
            region_table_problem=disk.regions.problem or None,
            keeps_blocks_allocated=metadata.parameters.leave_allocated,
            log=_log_facts(disk),
        ),
        parent=parent_facts(disk),
        chain=chain_facts(disk),
    )


def _log_facts(disk: VhdxDisk) -> VhdxLogFacts | None:
    if disk.log is None:
        return None
    sequence = disk.log.sequence
    return VhdxLogFacts(
        entries=sequence.entries,
        first_sequence=sequence.first,
        last_sequence=sequence.last,
        changed_bytes=len(disk.log.pages) * _PAGE,
        zeroed_bytes=sum(end - start for start, end in disk.log.zeros),
    )

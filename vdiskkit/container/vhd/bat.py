"""The block allocation table of a VHD: read once, whole, and checked before any answer.

One TiB in blocks of 2 MiB has 524,288 entries, so the work on all of them is left to C: ``array``, ``sorted``,
``map``; Python loops run over chunks of the table and over the few regions that a block must not touch.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from itertools import islice
from operator import sub
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.container.vhd.layout import SECTOR_SIZE
from vdiskkit.errors import CorruptStructureError

if TYPE_CHECKING:
    from vdiskkit.location import Location

__all__ = ["UNALLOCATED", "BlockSummary", "Region", "check_blocks", "parse_table"]

UNALLOCATED = 0xFFFFFFFF
_CHUNK = 4096
_EMPTY_CHUNK = b"\xff" * _CHUNK
_ALWAYS_LISTED = 65536
_SECTORS_IN_4K_MASK = 4096 // SECTOR_SIZE - 1


class Region(NamedTuple):
    """A range of the file that holds something else than blocks. Byte offsets, ``end`` is the first byte behind."""

    start: int
    end: int
    name: str


class BlockSummary(NamedTuple):
    """What the check of a table found.

    Attributes:
        allocated: Blocks that are in the file.
        alignments: Remainders of their places, in sectors, by 4096 bytes.
    """

    allocated: int
    alignments: frozenset[int]


def parse_table(data: bytes) -> array[int]:
    """Return the entries (sector numbers) of a table's bytes."""
    entries = array("I", data)
    if sys.byteorder == "little":
        entries.byteswap()
    return entries


def check_blocks(
    data: bytes, entries: array[int], *, stride: int, regions: list[Region], end: int, location: Location, cut: bool
) -> BlockSummary:
    """Check that every block lies inside the file, off the other structures and off the other blocks.

    Args:
        data: The table's bytes.
        entries: The same, parsed.
        stride: Bytes of a block with its bitmap.
        regions: What blocks must not touch.
        end: First byte behind the blocks (the footer, or the end of the file).
        location: Address of the file.
        cut: Whether the footer at the end of the file is missing, which makes a block behind the end a sign of a
            file that was cut.

    Raises:
        CorruptStructureError: A block lies where none can be.
    """
    # More entries than blocks have room for overlap for certain; the bound keeps a hostile table from filling memory.
    allocated = _allocated(data, limit=max(end // stride, _ALWAYS_LISTED))
    if allocated is None:
        raise CorruptStructureError(
            f"VHD block allocation table: a file of {end} bytes has no room for all the blocks of {stride} bytes in it",
            location=location,
        )
    if not allocated:
        return BlockSummary(0, frozenset())
    sectors = stride // SECTOR_SIZE
    if allocated[-1] * SECTOR_SIZE + stride > end:
        block = entries.index(allocated[-1])
        at = allocated[-1] * SECTOR_SIZE
        what = f"block {block} at {at:#x} ends at {at + stride:#x}, behind the last possible byte {end:#x}"
        if cut:
            raise CorruptStructureError(
                f"the VHD file has been cut short: {what}, and the footer at the end of the file is missing",
                location=location.at("bat_entry", block),
                hint="copy the file again from its source and compare the sizes",
            )
        raise CorruptStructureError(
            f"VHD block allocation table: {what}",
            location=location.at("bat_entry", block),
            hint="the file is damaged or was cut; copy it again from its source",
        )
    for region in regions:
        # The first block that ends behind the region's start is the only one that can reach into it.
        number = bisect_left(allocated, region.start // SECTOR_SIZE - sectors + 1)
        if number < len(allocated) and allocated[number] * SECTOR_SIZE < region.end:
            block = entries.index(allocated[number])
            raise CorruptStructureError(
                f"VHD block allocation table: block {block} at {allocated[number] * SECTOR_SIZE:#x} "
                f"lies on the {region.name}",
                location=location.at("bat_entry", block),
            )
    distances = map(sub, islice(allocated, 1, None), allocated)
    if min(distances, default=sectors) < sectors:
        pairs = zip(allocated, islice(allocated, 1, None), strict=False)
        first, second = next(pair for pair in pairs if pair[1] - pair[0] < sectors)
        one = entries.index(first)
        other = entries.index(second, one + 1) if first == second else entries.index(second)
        raise CorruptStructureError(
            f"VHD block allocation table: blocks {one} and {other} overlap "
            f"(at {first * SECTOR_SIZE:#x} and {second * SECTOR_SIZE:#x}, each {stride:#x} bytes long)",
            location=location.at("bat_entry", max(one, other)),
        )
    return BlockSummary(len(allocated), frozenset(map(_SECTORS_IN_4K_MASK.__and__, allocated)))


def _allocated(data: bytes, limit: int) -> list[int] | None:
    """Return the allocated entries in ascending order, None when there are more than ``limit``.

    Long stretches without any are passed over as bytes.
    """
    found: list[int] = []
    for at in range(0, len(data), _CHUNK):
        chunk = data[at : at + _CHUNK]
        if chunk != _EMPTY_CHUNK:
            found.extend(filter(UNALLOCATED.__ne__, parse_table(chunk)))
            if len(found) > limit:
                return None
    found.sort()
    return found

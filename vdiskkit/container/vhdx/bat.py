"""The block allocation table of a VHDX: read once, whole, and checked before any answer.

Follows [MS-VHDX] section 2.5. The entries of payload blocks are interleaved with those of sector bitmap blocks, one
behind each chunk. The work on all entries is left to C (``array``, ``bytes.translate``, ``compress``, ``sorted``).
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from itertools import compress, islice, pairwise, repeat
from operator import rshift, sub
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.container.vhdx.header import COPY_AGAIN, FileRegion
from vdiskkit.container.vhdx.layout import MIB
from vdiskkit.errors import CorruptStructureError

if TYPE_CHECKING:
    from vdiskkit.location import Location

__all__ = [
    "FULLY_PRESENT",
    "NOT_PRESENT",
    "PARTIALLY_PRESENT",
    "ZERO",
    "BlockTable",
    "TableShape",
    "check_table",
    "offset_of",
    "parse_table",
    "state_of",
]

NOT_PRESENT = 0
UNDEFINED = 1
ZERO = 2
UNMAPPED = 3
_UNMAPPED_V095 = 5
FULLY_PRESENT = 6
PARTIALLY_PRESENT = 7
_STATE_MASK = 7
_OFFSET_SHIFT = 20
_SECTORS_IN_CHUNK = 1 << 23
_STATES = bytes(value & _STATE_MASK for value in range(256))
"""For ``translate``: an entry's lowest byte to its state."""
_IN_FILE = bytes(value & _STATE_MASK >= FULLY_PRESENT for value in range(256))
_RESERVED_LOW = bytes(value & ~_STATE_MASK & 0xFF for value in range(256))
_RESERVED_HIGH = bytes(value & 0x0F for value in range(256))
_ENTRY_SIZE = 8


class TableShape(NamedTuple):
    """How many entries a table has, and where which ones are.

    Attributes:
        blocks: Payload blocks that the virtual size needs.
        chunk_ratio: Payload blocks that share one sector bitmap block.
        entries: Entries in all.
    """

    blocks: int
    chunk_ratio: int
    entries: int

    @classmethod
    def of(cls, size: int, block_size: int, sector_size: int, *, differencing: bool) -> TableShape:
        """Return the shape of the table of a disk. All sizes in bytes."""
        blocks = -(-size // block_size)
        ratio = _SECTORS_IN_CHUNK * sector_size // block_size
        entries = -(-blocks // ratio) * (ratio + 1) if differencing else blocks + (blocks - 1) // ratio
        return cls(blocks, ratio, entries)

    def payload_index(self, block: int) -> int:
        """Return which entry of the table is the payload block's."""
        return block + block // self.chunk_ratio

    def bitmap_index(self, chunk: int) -> int:
        """Return which entry of the table is the one of the chunk's sector bitmap block."""
        return (chunk + 1) * self.chunk_ratio + chunk


class BlockTable(NamedTuple):
    """A table with its two kinds of entries taken apart.

    Attributes:
        payload: Entries of the payload blocks.
        states: Their states.
        bitmaps: Entries of the sector bitmap blocks, one for each chunk that has one.
    """

    payload: array[int]
    states: bytes
    bitmaps: array[int]

    @property
    def allocated(self) -> int:
        """Payload blocks that are in the file, wholly or in part."""
        return self.states.count(FULLY_PRESENT) + self.states.count(PARTIALLY_PRESENT)

    @property
    def highest(self) -> int | None:
        """The entry of the payload block that lies farthest behind in the file; None when no block is there."""
        return max(compress(self.payload, self.states.translate(_IN_FILE)), default=None)


def parse_table(data: bytes, shape: TableShape, location: Location) -> BlockTable:
    """Take the bytes of a table apart.

    Raises:
        CorruptStructureError: An entry has a reserved bit set.
    """
    entries = array("Q", data)
    if sys.byteorder == "big":
        entries.byteswap()
    low = data[::_ENTRY_SIZE]
    # Bits 3 to 19 are reserved.
    odd = max(low.translate(_RESERVED_LOW), default=0) or data[1::_ENTRY_SIZE].strip(b"\0")
    if odd or max(data[2::_ENTRY_SIZE].translate(_RESERVED_HIGH), default=0):
        number = next(number for number, entry in enumerate(entries) if entry & 0xFFFF8)
        raise CorruptStructureError(
            f"VHDX block allocation table: entry {number} ({entries[number]:#x}) has reserved bits set",
            location=location.at("bat_entry", number),
        )
    states = bytearray(low.translate(_STATES))
    step = shape.chunk_ratio + 1
    bitmaps = entries[shape.chunk_ratio :: step]
    del entries[shape.chunk_ratio :: step]
    del states[shape.chunk_ratio :: step]
    # A differencing disk's table ends with a whole chunk, used or not.
    return BlockTable(entries[: shape.blocks], bytes(states[: shape.blocks]), bitmaps)


def check_table(
    table: BlockTable,
    shape: TableShape,
    *,
    size: int,
    block_size: int,
    differencing: bool,
    regions: tuple[FileRegion, ...],
    end: int,
    location: Location,
) -> None:
    """Check every state, and that every block lies inside the file, off the other structures and off other blocks.

    Args:
        table: The table.
        shape: Its shape.
        size: Virtual size in bytes; of the last block the file needs to hold no more than that.
        block_size: Bytes of a block.
        differencing: Whether the file has a parent.
        regions: What blocks must not touch, in order.
        end: Length of the file.
        location: Address of the file.

    Raises:
        CorruptStructureError: A state or a place cannot be.
    """
    _check_states(table, shape, differencing=differencing, location=location)
    taken = list(regions)
    if differencing:
        for chunk in range(len(table.bitmaps)):
            if state_of(table.bitmaps[chunk]) == FULLY_PRESENT:
                start = offset_of(table.bitmaps[chunk])
                taken.append(FileRegion(start, start + MIB, f"sector bitmap of chunk {chunk}"))
    last = shape.blocks - 1
    if table.states[last] >= FULLY_PRESENT:
        # Of the last block no more than the virtual size has to be there: qemu cuts fixed files so.
        start = offset_of(table.payload[last])
        taken.append(FileRegion(start, start + size - last * block_size, f"last block ({last})"))
    taken.sort()
    for region in taken:
        if region.end > end:
            raise CorruptStructureError(
                f"VHDX block allocation table: the {region.name} at {region.start:#x} ends at {region.end:#x}, "
                f"behind the end of the file ({end:#x})",
                location=location.at("byte", region.start),
                hint=COPY_AGAIN,
            )
    for one, other in pairwise(taken):
        if other.start < one.end:
            raise CorruptStructureError(
                f"VHDX block allocation table: the {one.name} ({one.start:#x} to {one.end:#x}) and "
                f"the {other.name} ({other.start:#x} to {other.end:#x}) overlap",
                location=location.at("byte", other.start),
            )
    _check_places(table, shape, block_size, taken, end, location)


def state_of(entry: int) -> int:
    """Return the state of an entry."""
    return entry & _STATE_MASK


def offset_of(entry: int) -> int:
    """Return the byte of the file where an entry's block begins."""
    return (entry >> _OFFSET_SHIFT) * MIB


def _check_states(table: BlockTable, shape: TableShape, *, differencing: bool, location: Location) -> None:
    states = table.states
    for state in (4, 5):
        block = states.find(state)
        if block >= 0:
            old = ", which only preliminary versions of the format had" if state == _UNMAPPED_V095 else ""
            raise CorruptStructureError(
                f"VHDX block allocation table: block {block} has the reserved state {state}{old}",
                location=location.at("bat_entry", shape.payload_index(block)),
            )
    block = states.find(PARTIALLY_PRESENT)
    if not differencing:
        if block >= 0:
            raise CorruptStructureError(
                f"VHDX block allocation table: block {block} is partially present, but the file has no parent",
                location=location.at("bat_entry", shape.payload_index(block)),
            )
        return
    for chunk, entry in enumerate(table.bitmaps):
        state = state_of(entry)
        if state not in (NOT_PRESENT, FULLY_PRESENT):
            raise CorruptStructureError(
                f"VHDX block allocation table: the sector bitmap of chunk {chunk} has the state {state}, "
                "which only blocks of data can have",
                location=location.at("bat_entry", shape.bitmap_index(chunk)),
            )
        if state == NOT_PRESENT:
            first = chunk * shape.chunk_ratio
            block = states.find(PARTIALLY_PRESENT, first, first + shape.chunk_ratio)
            if block >= 0:
                raise CorruptStructureError(
                    f"VHDX block allocation table: block {block} is partially present, but the sector bitmap "
                    f"of chunk {chunk} is missing",
                    location=location.at("bat_entry", shape.payload_index(block)),
                )


def _check_places(
    table: BlockTable, shape: TableShape, block_size: int, taken: list[FileRegion], end: int, location: Location
) -> None:
    """Check the places of all blocks but the last, which is one of ``taken``."""
    mask = table.states[:-1].translate(_IN_FILE)
    count = mask.count(1)
    if not count:
        return
    # More blocks than have room overlap for certain; the bound keeps a hostile table from filling memory.
    if count > end // block_size:
        raise CorruptStructureError(
            f"VHDX block allocation table: a file of {end} bytes has no room for {count} blocks of {block_size} bytes",
            location=location,
        )
    places = sorted(map(rshift, compress(table.payload, mask), repeat(_OFFSET_SHIFT)))
    stride = block_size // MIB

    def block_at(place: int, skip: int = 0) -> int:
        found = (number for number in compress(range(len(mask)), mask) if table.payload[number] >> 20 == place)
        return next(islice(found, skip, None))

    if places[-1] * MIB + block_size > end:
        block = block_at(places[-1])
        raise CorruptStructureError(
            f"VHDX block allocation table: block {block} at {places[-1] * MIB:#x} ends at "
            f"{places[-1] * MIB + block_size:#x}, behind the end of the file ({end:#x})",
            location=location.at("bat_entry", shape.payload_index(block)),
            hint=COPY_AGAIN,
        )
    for region in taken:
        # The first block that ends behind the region's start is the only one that can reach into it.
        number = bisect_left(places, region.start // MIB - stride + 1)
        if number < len(places) and places[number] * MIB < region.end:
            block = block_at(places[number])
            raise CorruptStructureError(
                f"VHDX block allocation table: block {block} at {places[number] * MIB:#x} lies on the {region.name}",
                location=location.at("bat_entry", shape.payload_index(block)),
            )
    if min(map(sub, islice(places, 1, None), places), default=stride) < stride:
        first, second = next(pair for pair in pairwise(places) if pair[1] - pair[0] < stride)
        one, other = block_at(first), block_at(second, skip=int(first == second))
        raise CorruptStructureError(
            f"VHDX block allocation table: blocks {one} and {other} overlap "
            f"(at {first * MIB:#x} and {second * MIB:#x}, each {block_size:#x} bytes long)",
            location=location.at("bat_entry", shape.payload_index(max(one, other))),
        )

"""What each part of a disk is made of: this file, its parent, or zeros; how the file's own space is used.

The block allocation table is looked at by runs of equal states, in C; only blocks that are a mixture of two files are
asked sector by sector, through :meth:`~vdiskkit.container.disk.VirtualDisk.map`. Memory does not grow with the disk:
what is found is added up as it comes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.container.disk import ExtentKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vdiskkit.container.disk import VirtualDisk
    from vdiskkit.container.vhd.disk import BlockVhd
    from vdiskkit.container.vhdx.disk import VhdxDisk

__all__ = ["IN_FILE", "IN_PARENT", "ZEROS", "BlockState", "FileUse", "Part", "block_states", "file_use", "parts"]

IN_FILE, IN_PARENT, ZEROS = range(3)

# Runs of equal bytes, of those that there are: one repeated character needs no memory, a back reference would.
_RUNS = re.compile(rb"\x00+|\x01+|\x02+|\x03+|\x06+|\x07+")
_KIND = {"file": IN_FILE, "parent": IN_PARENT, "zeros": ZEROS}
_KIND_OF_EXTENT = {ExtentKind.FILE: IN_FILE, ExtentKind.PARENT: IN_PARENT, ExtentKind.ZERO: ZEROS}
_VHDX_STATES = {
    0: "not_present",
    1: "undefined",
    2: "zero",
    3: "unmapped",
    6: "fully_present",
    7: "partially_present",
}
_FULLY_PRESENT, _PARTIALLY_PRESENT = 6, 7
_IN_FILE = bytes(value >= _FULLY_PRESENT for value in range(256))
_MIB = 1024 * 1024


class Part(NamedTuple):
    """A range of the virtual disk whose bytes are all in one kind of place.

    Attributes:
        kind: :data:`IN_FILE`, :data:`IN_PARENT` or :data:`ZEROS`; a number, as there can be millions of parts.
        offset: First byte.
        length: Bytes.
    """

    kind: int
    offset: int
    length: int


class BlockState(NamedTuple):
    """How many blocks are in one state.

    Attributes:
        name: ``allocated``, ``not_allocated`` (VHD) or the state of the VHDX table; ``whole`` where a file has no
            blocks.
        reads_as: ``file``, ``parent``, ``zeros``, or ``file_and_parent`` when a sector bitmap decides.
        blocks: Blocks.
        length: Bytes of the virtual disk that they stand for.
    """

    name: str
    reads_as: str
    blocks: int
    length: int


class FileUse(NamedTuple):
    """How the file's own bytes are used.

    Attributes:
        structures: Bytes of headers, tables, log, sector bitmaps and footers.
        blocks: Bytes of blocks that are in the file.
        unreferenced: Bytes that belong to nothing.
        fragments: Pieces that the blocks make in the file, read in the order of the disk: each begins more than 1 MiB
            behind the block before it, or in front of it. 0 without blocks.
    """

    structures: int
    blocks: int
    unreferenced: int
    fragments: int


def parts(disk: VirtualDisk) -> Iterator[Part]:
    """Yield what the disk is made of, in order and without gaps; neighbours of one kind are one part.

    Raises:
        SourceError: A sector bitmap could not be read.
    """
    kind, start, end = ZEROS, 0, 0
    for next_kind, offset, length in _parts(disk):
        if next_kind == kind:
            end += length
            continue
        if start < end:
            yield Part(kind, start, end - start)
        kind, start, end = next_kind, offset, offset + length
    if start < end:
        yield Part(kind, start, end - start)


def block_states(disk: VirtualDisk) -> tuple[BlockState, ...]:
    """Count the blocks by their state."""
    block_size = disk.block_size
    if block_size is None:
        return (BlockState("whole", "file", 0, disk.size),)
    states = _states(disk)
    last = disk.size - (len(states) - 1) * block_size
    found = []
    for state in sorted(set(states)):
        count = states.count(state)
        length = count * block_size - (block_size - last if states[-1] == state else 0)
        name, reads_as = _meaning(disk, state)
        found.append(BlockState(name, reads_as, count, length))
    return tuple(found)


def file_use(disk: VirtualDisk) -> FileUse:
    """Add up what the bytes of the file are used for.

    Raises:
        FormatError: A header that was read before cannot be read any more.
        SourceError: The operating system could not read.
    """
    if disk.format == "raw":
        return FileUse(0, disk.size, 0, 1)
    if disk.block_size is None:
        footer = disk.file_size - disk.size
        return FileUse(min(footer, 512), disk.size, max(footer - 512, 0), 1)
    structures, stride, blocks, places = _vhdx_use(disk) if _is_vhdx(disk) else _vhd_use(disk)
    fragments, expected = 0, disk.file_size
    for place in places:
        # A gap for alignment, or a sector bitmap block, does not tear blocks apart.
        fragments += not 0 <= place - expected <= _MIB
        expected = place + stride
    return FileUse(structures, blocks, max(disk.file_size - structures - blocks, 0), fragments)


def _parts(disk: VirtualDisk) -> Iterator[tuple[int, int, int]]:
    """Yield kind, offset and length; neighbours may be of one kind."""
    block_size, size = disk.block_size, disk.size
    if block_size is None:
        yield IN_FILE, 0, size
        return
    states = _states(disk)
    reads_as = {state: _meaning(disk, state)[1] for state in set(states)}
    kinds = {state: _KIND.get(text) for state, text in reads_as.items()}
    for match in _RUNS.finditer(states):
        first, last = match.span()
        start, end = first * block_size, min(last * block_size, size)
        kind = kinds[states[first]]
        if kind is not None:
            yield kind, start, end - start
            continue
        for extent in disk.map(start, end - start):
            yield _KIND_OF_EXTENT[extent.kind], extent.virtual_offset, extent.length


def _states(disk: VirtualDisk) -> bytes:
    """One byte for each block: the state in a VHDX, 0 or 1 in a VHD."""
    return _vhdx(disk).block_states if _is_vhdx(disk) else _vhd(disk).blocks_present


def _meaning(disk: VirtualDisk, state: int) -> tuple[str, str]:
    """Return a state's name and what its blocks read as."""
    differencing = disk.subformat == "differencing"
    absent = "parent" if differencing else "zeros"
    if not _is_vhdx(disk):
        if not state:
            return "not_allocated", absent
        return "allocated", "file_and_parent" if differencing else "file"
    if state == _PARTIALLY_PRESENT:
        reads_as = "file_and_parent"
    else:
        reads_as = "file" if state == _FULLY_PRESENT else "zeros" if state else absent
    return _VHDX_STATES[state], reads_as


def _vhd_use(disk: VirtualDisk) -> tuple[int, int, int, Iterable[int]]:
    """Return bytes of structures, bytes from block to block, bytes of blocks, and where they are, by block."""
    from vdiskkit.container.detect import Probe
    from vdiskkit.container.vhd.footer import read_footer
    from vdiskkit.container.vhd.structures import regions_of

    vhd = _vhd(disk)
    probe = Probe.of(vhd.source)
    reading = read_footer(probe)
    # Parent locators may share their space.
    structures, end = disk.file_size - reading.end, 0
    for region in regions_of(probe, reading, vhd.header):
        structures += max(region.end - max(region.start, end), 0)
        end = max(end, region.end)
    bitmap = vhd.header.bitmap_size
    places = (place for place in map(vhd.block_offset, _present(vhd.blocks_present)) if place is not None)
    count = vhd.allocated_blocks
    return structures + count * bitmap, bitmap + vhd.block_size, count * vhd.block_size, places


def _vhdx_use(disk: VirtualDisk) -> tuple[int, int, int, Iterable[int]]:
    """The same for a VHDX."""
    vhdx = _vhdx(disk)
    structures = sum(region.end - region.start for region in vhdx.regions.taken)
    chunks = range(0, vhdx.shape.blocks, vhdx.shape.chunk_ratio)
    structures += sum(vhdx.bitmap_offset(block) is not None for block in chunks) * _MIB
    last = vhdx.shape.blocks - 1
    blocks = vhdx.allocated_blocks * vhdx.block_size
    place = vhdx.block_offset(last)
    if place is not None:
        # The last block may be cut where the virtual disk ends.
        blocks -= max(place + vhdx.block_size - vhdx.source.size, 0)
    in_file = vhdx.block_states.translate(_IN_FILE)
    places = (place for place in map(vhdx.block_offset, _present(in_file)) if place is not None)
    return structures, vhdx.block_size, blocks, places


def _present(mask: bytes) -> Iterator[int]:
    """Yield the numbers of the blocks whose byte is 1."""
    at = mask.find(1)
    while at >= 0:
        yield at
        at = mask.find(1, at + 1)


def _is_vhdx(disk: VirtualDisk) -> bool:
    return disk.format == "vhdx"


def _vhdx(disk: VirtualDisk) -> VhdxDisk:
    from vdiskkit.container.vhdx.disk import VhdxDisk

    assert isinstance(disk, VhdxDisk)  # noqa: S101 - its format says so
    return disk


def _vhd(disk: VirtualDisk) -> BlockVhd:
    from vdiskkit.container.vhd.disk import BlockVhd

    assert isinstance(disk, BlockVhd)  # noqa: S101 - a VHD with blocks is of this kind
    return disk

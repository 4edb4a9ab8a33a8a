"""What a disk file holds of its disk, and how its own space is used: the facts of ``inspect --blocks``."""

from __future__ import annotations

from dataclasses import dataclass

from vdiskkit.facts import Facts

__all__ = ["BlockMapFacts", "BlockRange", "BlockStateFacts", "FileChange", "PartitionUse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockStateFacts(Facts):
    """How many blocks are in one state.

    Attributes:
        state: ``allocated`` or ``not_allocated`` in a VHD; ``not_present``, ``undefined``, ``zero``, ``unmapped``,
            ``fully_present`` or ``partially_present`` in a VHDX; ``whole`` where the file has no blocks.
        reads_as: ``file``, ``parent``, ``zeros``, or ``file_and_parent`` when a sector bitmap decides.
        blocks: Number of blocks; 0 where the file has no blocks.
        bytes: Bytes of the virtual disk that they stand for.
    """

    state: str
    reads_as: str
    blocks: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRange(Facts):
    """A range of the virtual disk.

    Attributes:
        offset: First byte on the virtual disk.
        length: Bytes from there to the end of the range.
        bytes: Bytes in it that are this file's; fewer than ``length`` where neighbouring ranges were joined.
    """

    offset: int
    length: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionUse(Facts):
    """What one partition is made of.

    Attributes:
        partition: Its number; None for what lies outside all partitions.
        offset: First byte on the disk; None for what lies outside.
        size: Bytes on the disk.
        file_bytes: Bytes that are in this file.
        parent_bytes: Bytes that are the parent's.
        zero_bytes: Bytes that are in no file and read as zeros.
    """

    partition: int | None
    offset: int | None
    size: int
    file_bytes: int
    parent_bytes: int
    zero_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange(Facts):
    """How much of a guest file or NTFS structure this disk file holds.

    Attributes:
        path: Path in the volume that was read.
        size: Bytes of its clusters.
        file_bytes: Bytes of them that are in this disk file: in a differencing one, what has changed since its parent.
    """

    path: str
    size: int
    file_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockMapFacts(Facts):
    """The allocation map of a disk file.

    Attributes:
        states: Blocks by state.
        file_bytes: Bytes of the virtual disk that are in this file.
        parent_bytes: Bytes that are the parent's; 0 without a parent.
        zero_bytes: Bytes that are in no file and read as zeros. In a differencing VHDX some hide what the parent has.
        structure_bytes: Bytes of the file for headers, tables, sector bitmaps and log.
        block_bytes: Bytes of the file for blocks.
        unused_block_bytes: Bytes of these blocks that are read by nobody: sectors that are still the parent's.
        unreferenced_bytes: Bytes of the file that belong to nothing: gaps for alignment, blocks that were given up.
        fragments: Pieces that the blocks make in the file when they are read in the order of the disk: each begins
            more than 1 MiB behind the block before it, or in front of it.
        cell_bytes: Bytes of the virtual disk that one character of ``picture`` stands for.
        picture: The disk from its start: ``#`` at least half of the cell is in this file, ``+`` some of it is, ``.``
            nothing is and some is the parent's, ``-`` all is zeros.
        ranges: The ranges of the virtual disk that are this file's own: its data, and in a differencing file also the
            zeros that hide the parent. At most 1024: of more, the nearest are joined.
        range_count: How many there are before any are joined.
        joined_below: Ranges with gaps of fewer bytes than this were joined; 0 when none were.
        partitions: What each partition is made of, then what lies outside all of them.
        files: NTFS structures and some large files of the volume that was read; empty without such a volume.
    """

    states: tuple[BlockStateFacts, ...]
    file_bytes: int
    parent_bytes: int
    zero_bytes: int
    structure_bytes: int
    block_bytes: int
    unused_block_bytes: int
    unreferenced_bytes: int
    fragments: int
    cell_bytes: int
    picture: str
    ranges: tuple[BlockRange, ...]
    range_count: int
    joined_below: int
    partitions: tuple[PartitionUse, ...]
    files: tuple[FileChange, ...]

"""Writes to dynamic and differencing VHDs: blocks found, allocated and marked so that each prefix is a valid file.

Follows the Microsoft "Virtual Hard Disk Image Format Specification" 1.0, sections Block Allocation Table and Data
Blocks. How the phases keep every instant harmless:

- A block that is not referenced yet is filled in ``DATA``, behind the old end of the file, whose footer was written at
  the new end in ``GROW`` before. Its table entry, four bytes of one sector, follows in ``CLAIM``: the block then holds
  zeros (or shows the parent) wherever the content belongs to a later phase.
- In a differencing disk a sector whose bit is clear is the parent's, so its data is written in ``DATA`` whatever the
  phase of the content, and only its bit takes that phase, at the earliest ``CLAIM``. What changes in it in later phases
  is written over that, in those phases.
- In a dynamic disk most readers do not look at the bits, one does: they are set behind the data.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.container.vhd.layout import DYNAMIC_HEADER_SIZE, FOOTER_SIZE, SECTOR_SIZE
from vdiskkit.errors import WriteRefusedError
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.container.vhd.disk import BlockVhd
    from vdiskkit.patch.staging import StagedFile

__all__ = ["MAX_SIZE", "BlockAllocation", "BlockWriter"]

MAX_SIZE = 2040 * 1024**3
"""The largest VHD that Windows takes, in bytes."""
_PAGE = 4096


class BlockAllocation(NamedTuple):
    """A block that was appended to the file.

    Attributes:
        block: Number of the block.
        virtual_offset: Its first byte on the virtual disk.
        file_offset: Where it begins in the file, in a VHD its sector bitmap first.
        length: Bytes in the file, in a VHD its sector bitmap included.
    """

    block: int
    virtual_offset: int
    file_offset: int
    length: int


class BlockWriter:
    """Stages writes to a dynamic or differencing VHD.

    Args:
        disk: The disk, opened over ``staged``.
        staged: The overlay over its file.
    """

    def __init__(self, disk: BlockVhd, staged: StagedFile) -> None:
        self._disk = disk
        self._staged = staged
        self._bitmap_size = disk.header.bitmap_size
        self.allocations: list[BlockAllocation] = []
        self.notes: list[str] = []
        self._new: dict[int, BlockAllocation] = {}
        self._old_bitmaps: dict[int, bytes] = {}
        self._shown: dict[tuple[int, int], Phase] = {}
        self._end: int | None = None

    def write(self, offset: int, data: bytes, phase: Phase) -> None:
        """Stage a write to the virtual disk; the range has been checked."""
        done = 0
        while done < len(data):
            block, inside = divmod(offset + done, self._disk.block_size)
            part = data[done : done + self._disk.block_size - inside]
            self._write_in_block(block, inside, part, max(phase, Phase.DATA))
            done += len(part)

    def is_allocated(self, offset: int, length: int) -> bool:
        """Whether all blocks of a range are in the file."""
        blocks = range(offset // self._disk.block_size, -(-(offset + length) // self._disk.block_size))
        return all(self._disk.block_offset(block) is not None for block in blocks)

    def replay(self) -> int:
        """A VHD has no log."""
        return 0

    def deciding(self, offset: int, length: int) -> Iterator[tuple[int, int]]:
        """Yield where in the file, as it is without what is staged, it is decided what a range of the disk holds.

        That is the data; the sector bitmap where a clear bit stands for the parent's data; and the sector of the
        table where the block is not in the file at all.
        """
        disk = self._disk
        end = offset + length
        while offset < end:
            block, inside = divmod(offset, disk.block_size)
            part = min(disk.block_size - inside, end - offset)
            at = None if block in self._new else disk.block_offset(block)
            if at is None:
                yield (disk.header.table_offset + block * 4) // SECTOR_SIZE * SECTOR_SIZE, SECTOR_SIZE
            elif not disk.differencing:
                yield at + self._bitmap_size + inside, part
            else:
                yield from self._deciding_sectors(block, at, inside, part)
            offset += part

    def _deciding_sectors(self, block: int, at: int, inside: int, length: int) -> Iterator[tuple[int, int]]:
        first, end = inside // SECTOR_SIZE, -(-(inside + length) // SECTOR_SIZE)
        start = first // 8 // SECTOR_SIZE * SECTOR_SIZE
        yield at + start, _padded((end - 1) // 8 + 1, SECTOR_SIZE) - start
        bitmap = self._old_bitmap(block, at)
        for present, run in groupby(range(first, end), lambda sector: _bit(bitmap, sector)):
            if present:
                sectors = list(run)
                yield at + self._bitmap_size + sectors[0] * SECTOR_SIZE, len(sectors) * SECTOR_SIZE

    def _write_in_block(self, block: int, inside: int, data: bytes, phase: Phase) -> None:
        at = self._disk.block_offset(block)
        if at is None:
            # Zeros, or what the parent has: such content is there already.
            if self._disk.read_at(block * self._disk.block_size + inside, len(data)) == data:
                return
            at = self._allocate(block)
        if self._disk.differencing:
            self._write_sectors(block, at, inside, data, phase)
        else:
            self._write_bytes(block, at, inside, data, phase)

    def _write_bytes(self, block: int, at: int, inside: int, data: bytes, phase: Phase) -> None:
        """Write into a block of a dynamic disk."""
        first, end = inside // SECTOR_SIZE, -(-(inside + len(data)) // SECTOR_SIZE)
        self._staged.write_at(at + self._bitmap_size + inside, data, phase)
        if block not in self._new and self._set_bits(block, at, first, end, max(phase, Phase.CLAIM)):
            self._disk.reread_block(block)

    def _write_sectors(self, block: int, at: int, inside: int, data: bytes, phase: Phase) -> None:
        """Write into a block of a differencing disk: whole sectors where the parent's are replaced."""
        first, end = inside // SECTOR_SIZE, -(-(inside + len(data)) // SECTOR_SIZE)
        base = block * self._disk.block_size + first * SECTOR_SIZE
        old = self._disk.read_at(base, (end - first) * SECTOR_SIZE)
        shift = inside - first * SECTOR_SIZE
        content = old[:shift] + data + old[shift + len(data) :]
        place = at + self._bitmap_size
        changed = False
        old_bits = self._old_bitmap(block, at)
        shows = max(phase, Phase.CLAIM)

        def since(sector: int) -> Phase | None:
            """Say when a sector shows that is written, as far as that decides how; None for one that stays."""
            low, high = (sector - first) * SECTOR_SIZE, (sector - first + 1) * SECTOR_SIZE
            if old[low:high] == content[low:high]:
                return None
            return Phase.DATA if _bit(old_bits, sector) else self._shown.get((block, sector), shows)

        for shown, run in groupby(range(first, end), since):
            sectors = list(run)
            start, stop = sectors[0], sectors[-1] + 1
            piece = content[(start - first) * SECTOR_SIZE : (stop - first) * SECTOR_SIZE]
            if shown is None:
                continue
            if shown is Phase.DATA or shown < phase:
                self._staged.write_at(place + start * SECTOR_SIZE, piece, phase)
                continue
            # Nothing shows there before that.
            self._staged.write_at(place + start * SECTOR_SIZE, piece, Phase.DATA)
            self._shown.update(((block, sector), shown) for sector in sectors)
            changed |= self._set_bits(block, at, start, stop, shown)
        if changed:
            self._disk.reread_block(block)

    def _old_bitmap(self, block: int, at: int) -> bytes:
        """Return a block's bitmap as it is in the file, without what is staged."""
        if block in self._new:
            return bytes(self._bitmap_size)
        bitmap = self._old_bitmaps.get(block)
        if bitmap is None:
            bitmap = self._old_bitmaps[block] = self._staged.base.read_at(at, self._bitmap_size)
        return bitmap

    def _set_bits(self, block: int, at: int, first: int, end: int, phase: Phase) -> bool:
        """Set the bits of some sectors; return whether one of them has to be set by this change."""
        old = self._old_bitmap(block, at)
        start, stop = first // 8, -(-end // 8)
        wanted = bytearray(self._staged.read_at(at + start, stop - start))
        missing = [sector for sector in range(first, end) if not _bit(old, sector)]
        for sector in missing:
            wanted[sector // 8 - start] |= 0x80 >> sector % 8
        if missing:
            self._staged.write_at(at + start, bytes(wanted), phase)
        return bool(missing)

    def _allocate(self, block: int) -> int:
        """Append a block; return where it begins in the file."""
        disk, staged = self._disk, self._staged
        footer_at = staged.size - FOOTER_SIZE
        footer = staged.read_at(footer_at, FOOTER_SIZE)
        start = self._next_block()
        length = self._bitmap_size + disk.block_size
        end = start + length
        # Windows takes a file for an aligned one by the place of its footer as well.
        new_footer_at = max(_padded(end, _PAGE) if disk.data_aligned_4k else end, footer_at)
        if new_footer_at + FOOTER_SIZE > MAX_SIZE:
            raise WriteRefusedError(
                f"block {block} would have to be added, and the VHD would grow beyond 2040 GiB",
                location=staged.location,
                hint="free space inside the image does not help; make the VHD compact, or use a VHDX",
            )
        staged.extend(new_footer_at + FOOTER_SIZE)
        if new_footer_at != footer_at:
            staged.write_at(new_footer_at, footer, Phase.GROW)
            # A footer of this change, before it grew further, is never written at all.
            phase = Phase.DATA if footer_at < staged.original_size else Phase.GROW
            staged.write_at(footer_at, bytes(FOOTER_SIZE), phase)
        # Tools that died have left content behind the last block; a block begins as zeros.
        covered = min(staged.original_size, end) - start
        if covered > 0:
            staged.write_at(start, bytes(covered), Phase.DATA)
        if not disk.differencing:
            staged.write_at(start, _full_bitmap(disk.block_size, self._bitmap_size), Phase.DATA)
        allocation = BlockAllocation(block, block * disk.block_size, start, length)
        self.allocations.append(allocation)
        self._new[block] = allocation
        self._end = end
        entry = (start // SECTOR_SIZE).to_bytes(4, "big")
        staged.write_at(disk.header.table_offset + block * 4, entry, Phase.CLAIM)
        disk.reread_block(block)
        return start

    def _next_block(self) -> int:
        """Return where the next block begins: behind everything that means something, not at the old footer."""
        if self._end is None:
            self._end = max(self._disk.blocks_end, *self._structure_ends())
        start = _padded(self._end, SECTOR_SIZE)
        if self._disk.data_aligned_4k:
            start = _padded(start + self._bitmap_size, _PAGE) - self._bitmap_size
        return start

    def _structure_ends(self) -> Iterator[int]:
        header = self._disk.header
        yield self._disk.footer.data_offset + DYNAMIC_HEADER_SIZE
        yield header.table_offset + _padded(header.max_table_entries * 4, SECTOR_SIZE)
        for locator in header.locators:
            yield locator.offset + max(locator.space, locator.data_length)


def _bit(bitmap: bytes, sector: int) -> bool:
    return bool(bitmap[sector // 8] & 0x80 >> sector % 8)


def _full_bitmap(block_size: int, length: int) -> bytes:
    """Return a bitmap whose sectors are all present; the bits behind the last sector stay clear."""
    sectors = block_size // SECTOR_SIZE
    whole, rest = divmod(sectors, 8)
    bits = b"\xff" * whole + (bytes([0xFF << 8 - rest & 0xFF]) if rest else b"")
    return bits.ljust(length, b"\0")


def _padded(length: int, to: int) -> int:
    return -(-length // to) * to

"""Writes to a VHDX: blocks found, added and marked so that each prefix is a valid file.

Follows [MS-VHDX] sections 2.2.2.1 (headers), 2.3 (log) and 2.5 (block allocation table, sector bitmaps). How the phases
keep every instant harmless:

- Before anything else both headers get new ids (``OPEN_FIRST``, ``OPEN_SECOND``); a pending log is replayed, and then
  cleared, before the first sector of the change itself.
- A block is added behind everything, so it begins as zeros. Its table entry, and that of a new sector bitmap, is
  written to the log first, then the headers refer to the log, and only then the table itself is written in ``CLAIM``.
  Until the content is written in its own phase the block shows zeros, or the parent.
- A sector whose bit is clear is the parent's, so its data is written in ``DATA`` whatever the phase of the content, and
  only its bit takes that phase, at the earliest ``CLAIM``. What changes in it in later phases is written over that, in
  those phases. Bits that are left over from a block that was there earlier
  are cleared in ``DATA``, when nobody looks at them.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING
from uuid import UUID

from vdiskkit.container.bits import bit_runs
from vdiskkit.container.vhdx.bat import FULLY_PRESENT, NOT_PRESENT, PARTIALLY_PRESENT, ZERO
from vdiskkit.container.vhdx.layout import MIB
from vdiskkit.container.vhdx.log import ReplayedSource
from vdiskkit.errors import WriteRefusedError
from vdiskkit.patch.container.vhd import BlockAllocation
from vdiskkit.patch.container.vhdx.bits import BitmapWriter
from vdiskkit.patch.container.vhdx.headers import HeaderWriter
from vdiskkit.patch.container.vhdx.log import LogWriter
from vdiskkit.patch.container.vhdx.refusals import MAX_FILE_SIZE
from vdiskkit.patch.container.vhdx.replay import stage_replay
from vdiskkit.patch.staging import SECTOR, Phase
from vdiskkit.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vdiskkit.container.vhdx.disk import VhdxDisk
    from vdiskkit.io import ByteSource
    from vdiskkit.patch.staging import StagedFile

__all__ = ["VhdxWriter"]

_NO_LOG = UUID(int=0)
_ENTRY_SIZE = 8


class VhdxWriter:
    """Stages writes to a VHDX of any kind. Nothing is staged before the first write that changes something.

    Args:
        disk: The disk, opened over ``staged``.
        staged: The overlay over its file.
        new_id: Gives new ids.
    """

    def __init__(self, disk: VhdxDisk, staged: StagedFile, new_id: Callable[[], UUID]) -> None:
        self._disk = disk
        self._staged = staged
        self._new_id = new_id
        self._old: ByteSource = staged.base if disk.log is None else ReplayedSource(staged.base, disk.log)
        self._sectors = disk.block_size // disk.sector_size
        self.allocations: list[BlockAllocation] = []
        self.notes: list[str] = []
        self._new: dict[int, BlockAllocation] = {}
        self._new_bitmaps: set[int] = set()
        self._old_bitmaps: dict[int, bytes] = {}
        self._shown: dict[tuple[int, int], Phase] = {}
        self._bits = BitmapWriter(staged, self._old)
        self._headers: HeaderWriter | None = None
        self._data_id_renewed = False
        self._log: LogWriter | None = None
        self._end: int | None = None

    def write(self, offset: int, data: bytes, phase: Phase) -> None:
        """Stage a write to the virtual disk; the range has been checked."""
        phase = min(max(phase, Phase.DATA), Phase.RELEASE)
        if phase < Phase.CLAIM:
            phase = Phase.DATA
        done = 0
        while done < len(data):
            block, inside = divmod(offset + done, self._disk.block_size)
            part = data[done : done + self._disk.block_size - inside]
            self._write_in_block(block, inside, part, phase)
            done += len(part)

    def replay(self) -> int:
        """Stage the replay of a pending log, as the first write would; return how many entries it has."""
        log = self._disk.log
        if log is None:
            return 0
        self._begin()
        return log.sequence.entries

    def is_allocated(self, offset: int, length: int) -> bool:
        """Whether all blocks of a range are in the file."""
        size = self._disk.block_size
        states = self._disk.block_states[offset // size : -(-(offset + length) // size)]
        return all(state >= FULLY_PRESENT for state in states)

    def deciding(self, offset: int, length: int) -> Iterator[tuple[int, int]]:
        """Yield where in the file, as it is without what is staged, it is decided what a range of the disk holds.

        That is the data; the sector bitmap where a clear bit stands for the parent's data; and the sector of the
        table where the block is not in the file at all. Whoever writes to the file changes its headers as well, but
        those this change writes itself.
        """
        disk = self._disk
        end = offset + length
        while offset < end:
            block, inside = divmod(offset, disk.block_size)
            part = min(disk.block_size - inside, end - offset)
            at = None if block in self._new else disk.block_offset(block)
            if at is None:
                entry = disk.regions.bat.offset + disk.shape.payload_index(block) * _ENTRY_SIZE
                yield entry // SECTOR * SECTOR, SECTOR
            elif disk.block_states[block] == FULLY_PRESENT:
                yield at + inside, part
            else:
                yield from self._deciding_sectors(block, at, inside, part)
            offset += part

    def _deciding_sectors(self, block: int, at: int, inside: int, length: int) -> Iterator[tuple[int, int]]:
        size = self._disk.sector_size
        first, end = inside // size, -(-(inside + length) // size)
        bits_at = self._bits_at(block)
        start, stop = bits_at + first // 8, bits_at + (end - 1) // 8 + 1
        start -= start % SECTOR
        yield start, -(-stop // SECTOR) * SECTOR - start
        for present, low, high in bit_runs(self._old_bitmap(block), first, end, order="little"):
            if present:
                yield at + low * size, (high - low) * size

    # -- writing in a block ------------------------------------------------------------------------------------------

    def _write_in_block(self, block: int, inside: int, data: bytes, phase: Phase) -> None:
        disk = self._disk
        state = disk.block_states[block]
        # Of the states without data two leave open what is read; zeros are what everybody reads from a written block.
        told = state >= FULLY_PRESENT or state in (NOT_PRESENT, ZERO)
        if told and disk.read_at(block * disk.block_size + inside, len(data)) == data:
            return
        headers = self._begin()
        if not self._data_id_renewed:
            headers.renew_data_id()
            self._data_id_renewed = True
        at = disk.block_offset(block)
        if at is None:
            at = self._allocate(block, state, headers)
        if disk.block_states[block] == FULLY_PRESENT:
            self._staged.write_at(at + inside, data, phase)
        else:
            self._write_sectors(block, at, inside, data, phase)

    def _write_sectors(self, block: int, at: int, inside: int, data: bytes, phase: Phase) -> None:
        """Write into a partially present block: whole sectors where the parent's are replaced."""
        size = self._disk.sector_size
        first, end = inside // size, -(-(inside + len(data)) // size)
        old = self._disk.read_at(block * self._disk.block_size + first * size, (end - first) * size)
        shift = inside - first * size
        content = old[:shift] + data + old[shift + len(data) :]
        old_bits = self._old_bitmap(block)
        shows = max(phase, Phase.CLAIM)

        def since(sector: int) -> Phase | None:
            """Say when a sector shows that is written, as far as that decides how; None for one that stays."""
            low, high = (sector - first) * size, (sector - first + 1) * size
            if old[low:high] == content[low:high]:
                return None
            in_file = old_bits[sector // 8] >> sector % 8 & 1
            return Phase.DATA if in_file else self._shown.get((block, sector), shows)

        changed = False
        for shown, run in groupby(range(first, end), since):
            sectors = list(run)
            start, stop = sectors[0], sectors[-1] + 1
            piece = content[(start - first) * size : (stop - first) * size]
            if shown is None:
                continue
            if shown is Phase.DATA or shown < phase:
                self._staged.write_at(at + start * size, piece, phase)
                continue
            # Nothing shows there before that.
            self._staged.write_at(at + start * size, piece, Phase.DATA)
            self._shown.update(((block, sector), shown) for sector in sectors)
            self._bits.set(self._bits_at(block), start, stop, shown)
            changed = True
        if changed:
            self._disk.reread_block(block)

    def _bits_at(self, block: int) -> int:
        """Return where in the file the bits of a block begin, which is a whole byte."""
        chunk_at = self._disk.bitmap_offset(block)
        assert chunk_at is not None  # noqa: S101 - asked of partially present blocks only
        return chunk_at + block % self._disk.shape.chunk_ratio * (self._sectors // 8)

    def _old_bitmap(self, block: int) -> bytes:
        """Return a block's bits as they are in the file after its log, without what is staged."""
        if block in self._new:
            return bytes(self._sectors // 8)
        bitmap = self._old_bitmaps.get(block)
        if bitmap is None:
            bitmap = self._old_bitmaps[block] = self._old.read_at(self._bits_at(block), self._sectors // 8)
        return bitmap

    # -- headers, log and new blocks ---------------------------------------------------------------------------------

    def _begin(self) -> HeaderWriter:
        """Stage what comes before any other write: the headers, and the replay of a pending log."""
        if self._headers is None:
            disk, staged = self._disk, self._staged
            self._headers = HeaderWriter(disk, staged, self._new_id)
            self._headers.write(UUID(disk.header.log_guid), Phase.OPEN_FIRST, Phase.OPEN_SECOND)
            if disk.log is not None:
                count = counted(disk.log.sequence.entries, "entry", "entries")
                self.notes.append(
                    f"the VHDX was not closed: what its log holds is written to its place first ({count})"
                )
                stage_replay(staged, disk.log, disk.source.size)
                self._headers.write(_NO_LOG, Phase.REPLAYED_FIRST, Phase.REPLAYED_SECOND)
                disk.use_file()
        return self._headers

    def _allocate(self, block: int, state: int, headers: HeaderWriter) -> int:
        """Add a block at the end of the file; return where it begins there."""
        disk, staged, shape = self._disk, self._staged, self._disk.shape
        chunk = block // shape.chunk_ratio
        # What is not in a differencing file is the parent's. What is there as zeros never shows the parent again.
        partial = disk.differencing and state == NOT_PRESENT
        needs_bitmap = partial and disk.bitmap_offset(block) is None
        bitmap_at = self._next_place()
        start = bitmap_at + MIB if needs_bitmap else bitmap_at
        end = start + disk.block_size
        if end > MAX_FILE_SIZE:
            raise WriteRefusedError(
                f"block {block} would have to be added, and the VHDX would grow beyond {MAX_FILE_SIZE >> 40} TiB",
                location=staged.location,
                hint="make the VHDX compact first (Optimize-VHD, or qemu-img convert)",
            )
        table = disk.regions.bat.offset
        entry_at = table + shape.payload_index(block) * _ENTRY_SIZE
        bitmap_entry_at = table + shape.bitmap_index(chunk) * _ENTRY_SIZE
        changed = [entry_at, bitmap_entry_at] if needs_bitmap else [entry_at]
        log = self._log_writer(headers)
        log.check_room(changed)
        staged.extend(end)
        self._end = end
        self._refer(entry_at, start, PARTIALLY_PRESENT if partial else FULLY_PRESENT)
        if needs_bitmap:
            self._refer(bitmap_entry_at, bitmap_at, FULLY_PRESENT)
            self._new_bitmaps.add(chunk)
        log.add(changed)
        allocation = BlockAllocation(block, block * disk.block_size, start, disk.block_size)
        self.allocations.append(allocation)
        self._new[block] = allocation
        disk.reread_block(block)
        if partial and chunk not in self._new_bitmaps:
            self._bits.clear(self._bits_at(block), self._sectors // 8)
        return start

    def _refer(self, entry_at: int, place: int, state: int) -> None:
        self._staged.write_at(entry_at, (place | state).to_bytes(_ENTRY_SIZE, "little"), Phase.CLAIM)

    def _next_place(self) -> int:
        """Return where the next block begins: behind everything that is in the file or that something refers to."""
        if self._end is None:
            self._end = max(self._staged.size, self._disk.blocks_end)
        return -(-self._end // MIB) * MIB

    def _log_writer(self, headers: HeaderWriter) -> LogWriter:
        """The log of this change; with it come the headers that refer to it, and those that clear it in the end."""
        if self._log is None:
            self._log = LogWriter(self._staged, self._disk.header, self._new_id())
            headers.write(self._log.guid, Phase.LOGGED_FIRST, Phase.LOGGED_SECOND)
            headers.write(_NO_LOG, Phase.CLOSE_FIRST, Phase.CLOSE_SECOND)
        return self._log

"""The sector bitmaps of a VHDX that is written to: each bit in its phase, though thousands share a sector.

Follows [MS-VHDX] section 2.5.2. A bit that is set later than its neighbours must not hold them up, nor come with them:
so a sector with bits of several phases is written in each of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.patch.staging import SECTOR, Phase

if TYPE_CHECKING:
    from vdiskkit.io import ByteSource
    from vdiskkit.patch.staging import StagedFile

__all__ = ["BitmapWriter"]

_BITS = SECTOR * 8


class BitmapWriter:
    """Stages sector bitmaps. Places are bytes of the file, and bits are counted from a place, the lowest first.

    Args:
        staged: The overlay over the file.
        old: The file after its log, without what is staged.
    """

    def __init__(self, staged: StagedFile, old: ByteSource) -> None:
        self._staged = staged
        self._old = old
        self._cleared: dict[int, bytes] = {}
        self._bits: dict[int, dict[Phase, int]] = {}

    def set(self, place: int, first: int, end: int, phase: Phase) -> None:
        """Set the bits from ``first`` up to ``end``; one that was set before takes the later phase."""
        start, stop = place * 8 + first, place * 8 + end
        for sector in range(start // _BITS, -(-stop // _BITS)):
            low, high = max(start - sector * _BITS, 0), min(stop - sector * _BITS, _BITS)
            wanted = (1 << high) - (1 << low)
            phases = self._bits.setdefault(sector * SECTOR, {})
            for other, bits in phases.items():
                if other > phase:
                    wanted &= ~bits
                elif other < phase:
                    phases[other] = bits & ~wanted
            phases[phase] = phases.get(phase, 0) | wanted
            self._stage(sector * SECTOR)

    def clear(self, place: int, length: int) -> None:
        """Clear bytes of a bitmap that nobody looks at yet, before all else."""
        end = place + length
        for at in range(place - place % SECTOR, end, SECTOR):
            low, high = max(place - at, 0), min(end - at, SECTOR)
            before = self._before(at)
            if any(before[low:high]):
                self._cleared[at] = before[:low] + bytes(high - low) + before[high:]
                self._staged.write_interim(at, self._cleared[at], Phase.DATA)
                self._stage(at)

    def _stage(self, at: int) -> None:
        bits = int.from_bytes(self._before(at), "little")
        for phase, more in sorted(self._bits.get(at, {}).items()):
            bits |= more
            self._staged.write_interim(at, bits.to_bytes(SECTOR, "little"), phase)

    def _before(self, at: int) -> bytes:
        """Return a sector as it is before the first bit is set; where the file grows, zeros."""
        cleared = self._cleared.get(at)
        if cleared is not None:
            return cleared
        inside = max(min(self._old.size - at, SECTOR), 0)
        return (self._old.read_at(at, inside) if inside else b"").ljust(SECTOR, b"\0")

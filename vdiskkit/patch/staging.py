"""Staging: a copy-on-write overlay over one file. Edits go there first; the file is not touched.

Every write names a phase. Phases say in which order the sectors are written to the file later, so that each prefix is
as harmless as it can be by itself, besides the journal that can take back any of it. A sector that is touched in
several phases is written in each of them: a cell of a hive that is given back last must not hold up a new one beside
it, and a VHDX header says on the way that a log has to be replayed, and in the end that there is none.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from vdiskkit.errors import CorruptStructureError

if TYPE_CHECKING:
    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location

__all__ = ["SECTOR", "FileChange", "Phase", "StagedFile", "WritableSource"]

SECTOR = 512
"""Bytes that a disk writes whole or not at all; the unit of changes and of the journal."""


class Phase(Enum):
    """Order of the writes of one change, the order of the members. Between two phases the file is flushed.

    The value stands for the phase in journals, and says nothing about the order. The phases that only a VHDX has write
    its two headers, of which the one with the higher sequence number counts, and its log.
    """

    OPEN_FIRST = 5
    """VHDX: the header that does not count says that the file is written to, and counts from then on."""
    OPEN_SECOND = 6
    """VHDX: the other header follows."""
    REPLAY = 7
    """VHDX: what a pending log holds is written to its place."""
    REPLAYED_FIRST = 8
    """VHDX: the header that does not count says that no log is pending any more."""
    REPLAYED_SECOND = 9
    """VHDX: the other header follows."""
    GROW = 0
    """The file grows; a VHD gets its footer at the new end."""
    DATA = 1
    """New content where nothing refers to yet: cells, clusters, blocks."""
    LOG = 10
    """VHDX: the log gets an entry with what CLAIM will write; no header refers to it yet."""
    LOGGED_FIRST = 11
    """VHDX: the header that does not count refers to the log."""
    LOGGED_SECOND = 12
    """VHDX: the other header follows."""
    CLAIM = 2
    """Space is marked as used ($Bitmap bits, sector bitmaps): a leak at worst. What the log of a VHDX holds."""
    LINK = 3
    """What makes the new state of a volume or a side-car visible: records, index entries, fields changed in place."""
    HIVE_OPEN = 15
    """The base block of a hive: a number above all in its logs, and the size to which its file has grown by now."""
    HIVE_CLAIM = 16
    """Cells of a hive are marked as used, counts and maximum fields raised: what is too high is a leak at worst."""
    HIVE_LINK = 17
    """What makes the new state of a hive visible: counts with their lists, values changed in place."""
    HIVE_UNLINK = 18
    """What only a part of a hive used that is not visible any more is taken out of rings and lists. Records of files
    that have left their directories are freed, before the bitmaps call them and their clusters free."""
    RELEASE = 4
    """Space is given back: cells, MFT records, $Bitmap bits. Last, as freed but referenced is the dangerous half."""
    CLOSE_FIRST = 13
    """VHDX: the header that does not count says that no log is pending any more."""
    CLOSE_SECOND = 14
    """VHDX: the other header follows."""

    def __init__(self, _value: int) -> None:
        self.rank = len(type(self).__members__)
        """Place in the order, from 0."""

    def __lt__(self, other: Phase) -> bool:
        return self.rank < other.rank

    def __le__(self, other: Phase) -> bool:
        return self.rank <= other.rank

    def __gt__(self, other: Phase) -> bool:
        return self.rank > other.rank

    def __ge__(self, other: Phase) -> bool:
        return self.rank >= other.rank


class WritableSource(Protocol):
    """A byte source that also takes writes; every writer of this package works on one."""

    @property
    def size(self) -> int:
        """Length in bytes."""
        ...

    @property
    def location(self) -> Location:
        """The address of byte 0, for messages."""
        ...

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``, written ones included."""
        ...

    def write_at(self, offset: int, data: bytes, phase: Phase) -> None:
        """Stage ``data`` at ``offset``.

        Raises:
            CorruptStructureError: The range reaches outside the source.
            WriteRefusedError: This range cannot be written safely; the message says why.
        """
        ...


class FileChange(NamedTuple):
    """A run of neighbouring sectors that change in one phase.

    Attributes:
        offset: First byte in the file, a multiple of 512.
        before: The bytes as they are, or as an earlier phase leaves them; shorter than ``after`` (or empty) where the
            file grows.
        after: The bytes as they will be, or as they are until a later phase.
        phase: When they are written.
    """

    offset: int
    before: bytes
    after: bytes
    phase: Phase


class StagedFile:
    """Copy-on-write overlay over a file, in sectors.

    Args:
        base: The file as it is; best with a page cache over it.
    """

    def __init__(self, base: ByteSource) -> None:
        self._base = base
        self._size = base.size
        self._sectors: dict[int, bytes] = {}
        self._phases: dict[int, Phase] = {}
        self._earlier: dict[int, dict[Phase, bytes]] = {}

    @property
    def base(self) -> ByteSource:
        """The file as it is."""
        return self._base

    @property
    def size(self) -> int:
        """Length in bytes, growth included."""
        return self._size

    @property
    def original_size(self) -> int:
        """Length of the file as it is."""
        return self._base.size

    @property
    def location(self) -> Location:
        """The address of byte 0."""
        return self._base.location

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``, staged ones included; see :class:`WritableSource`."""
        self._check(offset, length)
        if not length:
            return b""
        first, last = offset // SECTOR, (offset + length - 1) // SECTOR
        staged = self._staged_between(first, last)
        if not staged:
            return self._old(offset, length)
        data = bytearray(self._old(offset, length))
        for number in staged:
            start = number * SECTOR - offset
            sector = self._sectors[number]
            low, high = max(start, 0), min(start + len(sector), length)
            data[low:high] = sector[low - start : high - start]
        return bytes(data)

    def write_at(self, offset: int, data: bytes, phase: Phase) -> None:
        """Stage ``data`` at ``offset``: the bits that it changes are so from ``phase`` on.

        What the sector holds after earlier phases stays as it was staged. A write in an earlier phase than one before
        reaches the later content too: so fields beside each other are each written in their phase, in any order of the
        calls. Whoever writes a structure as a whole must not go back to an earlier phase with it.
        """
        self._check(offset, len(data))
        at, end = offset, offset + len(data)
        while at < end:
            number = at // SECTOR
            start = number * SECTOR
            low, high = at - start, min(end - start, SECTOR)
            if low == 0 and high == SECTOR:
                sector = bytes(data[at - offset : at - offset + SECTOR])
            else:
                patched = bytearray(self._content(number))
                patched[low:high] = data[at - offset : at - offset + high - low]
                sector = bytes(patched)
            self._stage(number, sector, phase)
            at = start + high

    def write_interim(self, offset: int, data: bytes, phase: Phase) -> None:
        """Stage what whole sectors hold from ``phase`` on, until they are written in a later phase.

        Unlike :meth:`write_at` it leaves alone what was staged for later phases. Of two writes of a sector in one phase
        the later counts.

        Raises:
            CorruptStructureError: The range reaches outside the file.
            ValueError: It does not consist of whole sectors.
        """
        self._check(offset, len(data))
        end = offset + len(data)
        if offset % SECTOR or (end % SECTOR and end != self._size):
            raise ValueError(f"{len(data)} bytes at {offset:#x} are no whole sectors")
        for start in range(offset, end, SECTOR):
            number = start // SECTOR
            sector = bytes(data[start - offset : start - offset + SECTOR])
            final = self._phases.get(number)
            if final is None or phase >= final:
                self._append(number, sector, phase)
            else:
                self._earlier.setdefault(number, {})[phase] = sector

    def extend(self, size: int) -> None:
        """Grow the file to ``size`` bytes; the new part reads as zeros."""
        if size < self._size:
            raise CorruptStructureError(
                f"a file of {self._size} bytes cannot be staged at {size} bytes", location=self.location
            )
        last = self._size // SECTOR
        if self._size % SECTOR and last in self._sectors:
            room = min(SECTOR, size - last * SECTOR)
            self._sectors[last] = self._sectors[last].ljust(room, b"\0")
            for phase, sector in self._earlier.get(last, {}).items():
                self._earlier[last][phase] = sector.ljust(room, b"\0")
        self._size = size

    def changes(self) -> list[FileChange]:
        """Return what differs from the file as it is, by phase and offset, neighbours joined.

        Where a sector is written in several phases, each change leads from what the one before it left.
        """
        written: dict[Phase, list[int]] = {}
        for number, phase in self._phases.items():
            written.setdefault(phase, []).append(number)
        for number, versions in self._earlier.items():
            for phase in versions:
                written.setdefault(phase, []).append(number)
        found: list[FileChange] = []
        left: dict[int, bytes] = {}
        for phase in sorted(written):
            run: list[tuple[int, bytes, bytes]] = []
            for number in sorted(written[phase]):
                after = self._sectors[number] if phase is self._phases[number] else self._earlier[number][phase]
                before = left.get(number)
                if before is None:
                    start = number * SECTOR
                    before = self._old(start, max(min(SECTOR, self._base.size - start), 0))
                if before == after or (not before and not any(after)):
                    continue
                if number in self._earlier:
                    left[number] = after
                # Bytes before that are short, as the file ended there, can have none behind them.
                if run and (run[-1][0] != number - 1 or (before and len(run[-1][1]) < SECTOR)):
                    found.append(_joined(run, phase))
                    run = []
                run.append((number, before, after))
            if run:
                found.append(_joined(run, phase))
        return found

    def _stage(self, number: int, sector: bytes, phase: Phase) -> None:
        """Stage the final content of a sector, of which what is new is so from ``phase`` on."""
        final = self._phases.get(number)
        if final is None or phase >= final:
            self._append(number, sector, phase)
            return
        earlier = self._earlier.setdefault(number, {})
        if phase not in earlier:
            before = [known for known in earlier if known < phase]
            earlier[phase] = earlier[max(before)] if before else self._unstaged(number)
        changed = _mixed(sector, self._sectors[number])
        for known in earlier:
            if known >= phase:
                earlier[known] = _mixed(earlier[known], changed)
        self._sectors[number] = sector

    def _append(self, number: int, sector: bytes, phase: Phase) -> None:
        """Stage content behind everything that is staged for a sector."""
        final = self._phases.get(number)
        if final is not None and phase is not final:
            self._earlier.setdefault(number, {})[final] = self._sectors[number]
        self._sectors[number], self._phases[number] = sector, phase

    def _content(self, number: int) -> bytes:
        """A sector as it is in the end, as far as the file reaches."""
        sector = self._sectors.get(number)
        return self._unstaged(number) if sector is None else sector

    def _unstaged(self, number: int) -> bytes:
        start = number * SECTOR
        return self._old(start, min(SECTOR, self._size - start))

    def _staged_between(self, first: int, last: int) -> list[int]:
        if last - first < len(self._sectors):
            return [number for number in range(first, last + 1) if number in self._sectors]
        return [number for number in self._sectors if first <= number <= last]

    def _old(self, offset: int, length: int) -> bytes:
        """The file as it is, zeros where it grew."""
        inside = max(min(length, self._base.size - offset), 0)
        data = self._base.read_at(offset, inside) if inside else b""
        return data if inside == length else data + bytes(length - inside)

    def _check(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self._size:
            raise CorruptStructureError(
                f"a write or read reaches outside: {length} bytes at offset {offset:#x} of {self._size:#x} bytes",
                location=self.location.at("byte", max(offset, 0)),
            )


def _joined(run: list[tuple[int, bytes, bytes]], phase: Phase) -> FileChange:
    return FileChange(
        run[0][0] * SECTOR, b"".join(before for _, before, _ in run), b"".join(after for _, _, after in run), phase
    )


def _mixed(one: bytes, other: bytes) -> bytes:
    """Return the bits in which two sectors differ."""
    return (int.from_bytes(one, "little") ^ int.from_bytes(other, "little")).to_bytes(len(one), "little")

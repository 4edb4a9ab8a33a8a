"""Staging: a copy-on-write overlay over one file. Edits go there first; the file is not touched.

Every write names a phase. Phases say in which order the sectors are written to the file later, so that each prefix is
as harmless as it can be by itself, besides the journal that can take back any of it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from vdiskkit.errors import CorruptStructureError

if TYPE_CHECKING:
    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location

__all__ = ["SECTOR", "FileChange", "Phase", "StagedFile", "WritableSource"]

SECTOR = 512
"""Bytes that a disk writes whole or not at all; the unit of changes and of the journal."""


class Phase(IntEnum):
    """Order of the writes of one change. Between two phases the file is flushed."""

    GROW = 0
    """The file grows; a VHD gets its footer at the new end."""
    DATA = 1
    """New content where nothing refers to yet: cells, clusters, blocks."""
    CLAIM = 2
    """Space is marked as used ($Bitmap bits, sector bitmaps): a leak at worst."""
    LINK = 3
    """What makes the new state visible: pointers, counts, index entries, BAT entries, values changed in place."""
    RELEASE = 4
    """Space is given back: cells, MFT records, $Bitmap bits. Last, as freed but referenced is the dangerous half."""


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
        before: The bytes as they are; shorter than ``after`` (or empty) where the file grows.
        after: The bytes as they will be.
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
        """Stage ``data`` at ``offset``; a sector is written in the latest phase that touches it."""
        self._check(offset, len(data))
        at, end = offset, offset + len(data)
        while at < end:
            number = at // SECTOR
            start = number * SECTOR
            low, high = at - start, min(end - start, SECTOR)
            if low == 0 and high == SECTOR:
                sector = bytes(data[at - offset : at - offset + SECTOR])
            else:
                room = min(SECTOR, self._size - start)
                patched = bytearray(self._sectors.get(number) or self._old(start, room))
                patched = patched.ljust(room, b"\0")
                patched[low:high] = data[at - offset : at - offset + high - low]
                sector = bytes(patched)
            self._sectors[number] = sector
            self._phases[number] = max(phase, self._phases.get(number, phase))
            at = start + high

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
        self._size = size

    def changes(self) -> list[FileChange]:
        """Return what differs from the file as it is, by phase and offset, neighbours joined."""
        found: list[FileChange] = []
        for phase in Phase:
            run: list[tuple[int, bytes, bytes]] = []
            for number in sorted(key for key, value in self._phases.items() if value is phase):
                after = self._sectors[number]
                start = number * SECTOR
                before = self._old(start, max(min(SECTOR, self._base.size - start), 0))
                if before == after or (not before and not any(after)):
                    continue
                if run and run[-1][0] != number - 1:
                    found.append(_joined(run, phase))
                    run = []
                run.append((number, before, after))
            if run:
                found.append(_joined(run, phase))
        return found

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

"""The editor's own writes, kept in memory until the edit is committed.

An operation that fails half-way then leaves nothing behind: the source below sees either a whole edit or none.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import itemgetter
from typing import TYPE_CHECKING

from vdiskkit.errors import CorruptStructureError, WriteRefusedError
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location
    from vdiskkit.patch.registry.replay import ReplayedHive
    from vdiskkit.patch.staging import WritableSource

__all__ = ["WriteBuffer"]

_PAGE = 4096
_PENDING = 1024 * 1024
"""Bytes of writes that are kept as they came, before those to the same places are joined."""


class WriteBuffer:
    """Writes over a source that are seen by later reads and handed on by :meth:`flush`.

    Args:
        source: The hive file.
        grow: Makes the hive file longer: called with its new size in bytes.
        replayed: What the logs of a dirty hive make of it. It is read in place of the file, and written with the edit.

    Raises:
        WriteRefusedError: The logs made the hive longer, and the file cannot grow.
    """

    def __init__(
        self, source: WritableSource, grow: Callable[[int], None] | None, replayed: ReplayedHive | None = None
    ) -> None:
        self._source = source
        self._grow = grow
        self._size = source.size
        self._pages: dict[int, bytearray] = {}
        self._writes: dict[Phase, list[tuple[int, bytes]]] = {phase: [] for phase in Phase}
        self._pending = dict.fromkeys(Phase, 0)
        self._most = dict.fromkeys(Phase, _PENDING)
        self.replayed = replayed
        self._view: ByteSource = source
        if replayed is not None:
            self._view = replayed.view
            self.extend(replayed.size)

    @property
    def size(self) -> int:
        """Length in bytes, growth that is not yet made included."""
        return self._size

    @property
    def location(self) -> Location:
        """The address of byte 0."""
        return self._source.location

    @property
    def changed(self) -> bool:
        """Whether anything waits to be handed on."""
        return any(self._writes.values())

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``, written ones included.

        Raises:
            CorruptStructureError: The range reaches outside.
        """
        self._check(offset, length)
        first, last = offset // _PAGE, (offset + length - 1) // _PAGE
        if first == last:
            page = self._pages.get(first)
            if page is not None:
                at = offset - first * _PAGE
                return bytes(page[at : at + length])
        data = bytearray(self._below(offset, length))
        for number in range(first, last + 1):
            page = self._pages.get(number)
            if page is not None:
                start = number * _PAGE - offset
                low, high = max(start, 0), min(start + _PAGE, length)
                data[low:high] = page[low - start : high - start]
        return bytes(data)

    def read_old(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset`` as they were before this edit, zeros where the file grew.

        Raises:
            CorruptStructureError: The range reaches outside.
        """
        self._check(offset, length)
        return self._below(offset, length)

    def write(self, offset: int, data: bytes, phase: Phase) -> None:
        """Write ``data`` at ``offset``; bytes at its ends that are there already are not written.

        No byte may be written in an earlier phase than before.
        """
        old = self.read_at(offset, len(data))
        if old == data:
            return
        low = _common(old, data)
        high = len(data) - _common(old[low:][::-1], data[low:][::-1])
        self._note(phase, offset + low, data[low:high])
        at = low
        while at < high:
            number, inside = divmod(offset + at, _PAGE)
            part = min(_PAGE - inside, high - at)
            self._page(number)[inside : inside + part] = data[at : at + part]
            at += part

    def _note(self, phase: Phase, offset: int, data: bytes) -> None:
        """Keep a write for :meth:`flush`; many to the same places are made one from time to time."""
        self._writes[phase].append((offset, data))
        self._pending[phase] += len(data)
        if self._pending[phase] > self._most[phase]:
            self._writes[phase] = _joined(self._writes[phase], touching=False)
            self._pending[phase] = sum(len(part) for _, part in self._writes[phase])
            self._most[phase] = max(2 * self._pending[phase], _PENDING)

    def defer(self, ranges: Iterable[tuple[int, int]], phase: Phase, until: Phase | None) -> None:
        """Have what was written into some ranges in one phase written in another one, or not at all.

        Args:
            ranges: Start and end of each, apart from each other. No write reaches over an end.
            phase: The phase in which it was written.
            until: The phase in which nothing of it was written yet; None when it is not written.
        """
        spans = sorted(ranges)
        starts = [start for start, _ in spans]
        kept: list[tuple[int, bytes]] = []
        moved: list[tuple[int, bytes]] = []
        for write in self._writes[phase]:
            number = bisect_right(starts, write[0]) - 1
            (moved if number >= 0 and write[0] < spans[number][1] else kept).append(write)
        self._writes[phase] = kept
        if until is not None:
            for start, data in moved:
                self._note(until, start, data)

    def extend(self, size: int) -> None:
        """Make the file longer; the new part reads as zeros.

        Raises:
            WriteRefusedError: The file cannot grow here.
        """
        if size <= self._size:
            return
        if self._grow is None:
            raise WriteRefusedError(
                f"the hive has no room left for the change, and its file of {self._size} bytes cannot grow here",
                location=self.location,
            )
        self._size = size

    def written(self) -> list[tuple[int, int]]:
        """Return the ranges (start, end) that wait to be handed on in any phase, joined."""
        writes = [write for writes in self._writes.values() for write in writes]
        return [(start, start + len(data)) for start, data in _joined(writes)]

    def flush(self) -> None:
        """Hand everything on: growth first, then what was replayed, then the edit by phase.

        Raises:
            WriteRefusedError: The source below refuses.
        """
        if self._size > self._source.size and self._grow is not None:
            self._grow(self._size)
            if self._source.size < self._size:
                raise WriteRefusedError(
                    f"the hive file should have grown to {self._size} bytes, it has {self._source.size}",
                    location=self.location,
                )
        replayed, self.replayed, self._view = self.replayed, None, self._source
        if replayed is not None:
            for start, data, phase in replayed.writes():
                self._source.write_at(start, data, phase)
        for phase in Phase:
            for start, data in _joined(self._writes[phase]):
                if replayed is not None:
                    replayed.edited(start, len(data))
                self._source.write_at(start, data, phase)
        for phase, writes in self._writes.items():
            writes.clear()
            self._pending[phase], self._most[phase] = 0, _PENDING
        self._pages.clear()

    def _page(self, number: int) -> bytearray:
        page = self._pages.get(number)
        if page is None:
            start = number * _PAGE
            page = bytearray(self._below(start, min(_PAGE, self._size - start)).ljust(_PAGE, b"\0"))
            self._pages[number] = page
        return page

    def _below(self, offset: int, length: int) -> bytes:
        inside = max(min(length, self._view.size - offset), 0)
        data = self._view.read_at(offset, inside) if inside else b""
        return data if inside == length else data + bytes(length - inside)

    def _check(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self._size:
            raise CorruptStructureError(
                f"something points outside the hive: {length} bytes at offset {offset:#x} of {self._size:#x} bytes",
                location=self.location.at("hive", max(offset, 0)),
            )


def _common(one: bytes, other: bytes) -> int:
    """Return how many bytes at the beginning of two byte strings of one length are the same."""
    low, high = 0, len(one)
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _joined(writes: list[tuple[int, bytes]], *, touching: bool = True) -> list[tuple[int, bytes]]:
    """Join writes that overlap, or only touch each other; where they overlap, the later one counts."""
    spans: list[tuple[int, int]] = []
    for start, data in sorted(writes, key=itemgetter(0)):
        end = start + len(data)
        if spans and (start < spans[-1][1] or (touching and start == spans[-1][1])):
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    starts = [start for start, _ in spans]
    contents = [bytearray(end - start) for start, end in spans]
    for start, data in writes:
        number = bisect_right(starts, start) - 1
        at = start - starts[number]
        contents[number][at : at + len(data)] = data
    return [(start, bytes(content)) for start, content in zip(starts, contents, strict=True)]

"""Gathering the allocation map of a disk file, and what of the partitions and files it concerns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from vdiskkit.container.block_map import IN_FILE, IN_PARENT, ZEROS, block_states, file_use, parts
from vdiskkit.errors import FormatError, NotFoundError, ReadLimitError
from vdiskkit.inspection.block_facts import BlockMapFacts, BlockRange, BlockStateFacts, FileChange, PartitionUse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vdiskkit.container import VirtualDisk
    from vdiskkit.container.block_map import Part
    from vdiskkit.inspection.gather import OpenedVolume
    from vdiskkit.ntfs import NtfsVolume
    from vdiskkit.partition import Partition, PartitionTable

__all__ = ["MOST_RANGES", "RangeList", "SpanCounter", "read_block_map", "survey"]

MOST_RANGES = 1024
_MOST_CELLS = 512
_SMALLEST_CELL = 4096
_MOST_RUNS = 100_000
"""Runs of a file beyond these are not looked at: the file is then left out."""
_FILES = (
    "$MFT",
    "$LogFile",
    "$Bitmap",
    "pagefile.sys",
    "swapfile.sys",
    "hiberfil.sys",
    r"Windows\System32\config\SOFTWARE",
    r"Windows\System32\config\SYSTEM",
    r"Windows\System32\winevt\Logs\Application.evtx",
)
_NEVER = 1 << 64
"""Behind every disk."""


class Surveyable(Protocol):
    """What a survey needs of an opened vDisk."""

    @property
    def container(self) -> VirtualDisk:
        """The virtual disk."""
        ...

    @property
    def partitions(self) -> PartitionTable:
        """The partition table."""
        ...

    @property
    def selected(self) -> OpenedVolume | None:
        """The volume whose files are looked at."""
        ...


class SpanCounter:
    """Adds up how much of some spans of the disk is of which kind. Spans may overlap; parts come in order.

    Args:
        spans: Start, end and name of each; several may have the same name.

    Attributes:
        counts: Bytes in this file, in the parent, and of zeros, by name.
        outside: The same for what is in no span.
    """

    def __init__(self, spans: Iterable[tuple[int, int, object]]) -> None:
        self.counts: dict[object, list[int]] = {}
        self.outside = [0, 0, 0]
        edges: dict[int, list[tuple[bool, list[int]]]] = {}
        for start, end, name in spans:
            if start < end:
                counts = self.counts.setdefault(name, [0, 0, 0])
                edges.setdefault(start, []).append((True, counts))
                edges.setdefault(end, []).append((False, counts))
        self._edges = sorted(edges.items(), key=lambda item: -item[0])
        self._open: list[list[int]] = []
        self._targets: list[list[int]] = [self.outside]
        self._stop = self._edges[-1][0] if self._edges else _NEVER

    def add(self, part: Part) -> None:
        """Count one part."""
        kind, at, length = part
        end = at + length
        while end > self._stop:
            self._count(kind, max(self._stop - at, 0))
            at = max(at, self._stop)
            self._cross()
        self._count(kind, end - at)

    def _count(self, kind: int, length: int) -> None:
        for counts in self._targets:
            counts[kind] += length

    def _cross(self) -> None:
        _edge, changes = self._edges.pop()
        for begins, counts in changes:
            if begins:
                self._open.append(counts)
            else:
                # By identity: two spans that have counted the same are two.
                del self._open[next(at for at, item in enumerate(self._open) if item is counts)]
        self._targets = self._open or [self.outside]
        self._stop = self._edges[-1][0] if self._edges else _NEVER


class RangeList:
    """Ranges that come in order, kept in bounded memory: when there are too many, near ones are joined.

    Args:
        most: Ranges that are given in the end.

    Attributes:
        count: Ranges that were added.
        joined_below: Gaps of fewer bytes were closed.
    """

    def __init__(self, most: int = MOST_RANGES) -> None:
        self._most = most
        self._ranges: list[tuple[int, int, int]] = []
        self._end = -1
        self.count = 0
        self.joined_below = 0

    def add(self, offset: int, length: int) -> None:
        """Add a range behind the last one."""
        if offset == self._end:
            start, _, held = self._ranges[-1]
            self._ranges[-1] = (start, offset + length, held + length)
        else:
            self.count += 1
            self._append(offset, offset + length, length)
        self._end = offset + length
        if len(self._ranges) > 2 * self._most:
            self._join()

    def ranges(self) -> tuple[tuple[int, int, int], ...]:
        """Return start, end and bytes of each range, joined where there were too many."""
        while len(self._ranges) > self._most:
            self._join()
        return tuple(self._ranges)

    def _append(self, start: int, end: int, held: int) -> None:
        if self._ranges and start - self._ranges[-1][1] < self.joined_below:
            first, _, before = self._ranges[-1]
            self._ranges[-1] = (first, end, before + held)
        else:
            self._ranges.append((start, end, held))

    def _join(self) -> None:
        """Close the smallest half of the gaps."""
        found = self._ranges
        gaps = sorted(found[number + 1][0] - found[number][1] for number in range(len(found) - 1))
        self.joined_below = max(gaps[len(gaps) // 2] + 1, self.joined_below)
        self._ranges = []
        for start, end, held in found:
            self._append(start, end, held)


class _Picture:
    """The disk as characters, each for an equal part of it."""

    def __init__(self, size: int) -> None:
        self.cell_bytes = _SMALLEST_CELL
        while self.cell_bytes * _MOST_CELLS < size:
            self.cell_bytes *= 2
        self._cells = [[0, 0, 0] for _ in range(-(-size // self.cell_bytes))]

    def add(self, part: Part) -> None:
        """Count one part."""
        kind, at, length = part
        end = at + length
        cell_bytes, cells = self.cell_bytes, self._cells
        while at < end:
            number = at // cell_bytes
            stop = min((number + 1) * cell_bytes, end)
            cells[number][kind] += stop - at
            at = stop

    def text(self) -> str:
        """Return the characters."""
        return "".join(
            "#" if own * 2 >= own + parent + zeros else "+" if own else "." if parent else "-"
            for own, parent, zeros in self._cells
        )


def survey(disk: Surveyable) -> BlockMapFacts:
    """Survey the disk file of an opened vDisk, with its partitions and the files of the selected volume."""
    selected = disk.selected
    volume = None
    if selected is not None and selected.volume is not None:
        start = next(item.offset for item in disk.partitions.partitions if item.number == selected.partition)
        volume = (start, selected.volume)
    return read_block_map(disk.container, disk.partitions.partitions, volume)


def read_block_map(
    disk: VirtualDisk, partitions: Sequence[Partition], volume: tuple[int, NtfsVolume] | None
) -> BlockMapFacts:
    """Survey a disk file: one pass over its block table, and over its sector bitmaps where it has some.

    Args:
        disk: The disk; its parents are not looked at.
        partitions: The partitions on it.
        volume: First byte of the volume whose files are looked at, and the volume; None without one.

    Raises:
        FormatError: The file is damaged.
        SourceError: The operating system could not read.
    """
    differencing = disk.subformat == "differencing"
    totals = [0, 0, 0]
    picture, ranges = _Picture(disk.size), RangeList()
    by_partition = SpanCounter(
        (item.offset, min(item.offset + item.size, disk.size), item.number) for item in partitions
    )
    sizes, spans = _file_spans(volume, disk.size)
    by_file = SpanCounter(spans)
    for part in parts(disk):
        kind, offset, length = part
        totals[kind] += length
        picture.add(part)
        by_partition.add(part)
        by_file.add(part)
        if kind == IN_FILE or (differencing and kind == ZEROS):
            ranges.add(offset, length)
    use = file_use(disk)
    kept = ranges.ranges()
    return BlockMapFacts(
        states=tuple(
            BlockStateFacts(state=item.name, reads_as=item.reads_as, blocks=item.blocks, bytes=item.length)
            for item in block_states(disk)
        ),
        file_bytes=totals[IN_FILE],
        parent_bytes=totals[IN_PARENT],
        zero_bytes=totals[ZEROS],
        structure_bytes=use.structures,
        block_bytes=use.blocks,
        unused_block_bytes=max(use.blocks - totals[IN_FILE], 0),
        unreferenced_bytes=use.unreferenced,
        fragments=use.fragments,
        cell_bytes=picture.cell_bytes,
        picture=picture.text(),
        ranges=tuple(BlockRange(offset=start, length=end - start, bytes=held) for start, end, held in kept),
        range_count=ranges.count,
        joined_below=ranges.joined_below,
        partitions=_partitions(partitions, by_partition, disk.size),
        files=tuple(
            FileChange(path=path, size=size, file_bytes=by_file.counts[path][IN_FILE]) for path, size in sizes.items()
        ),
    )


def _partitions(partitions: Sequence[Partition], counter: SpanCounter, size: int) -> tuple[PartitionUse, ...]:
    found = []
    for item in partitions:
        counts = counter.counts.get(item.number, [0, 0, 0])
        length = max(min(item.size, size - item.offset), 0)
        found.append(_partition(item.number, item.offset, length, counts))
    if any(counter.outside):
        found.append(_partition(None, None, sum(counter.outside), counter.outside))
    return tuple(found)


def _partition(number: int | None, offset: int | None, size: int, counts: list[int]) -> PartitionUse:
    return PartitionUse(
        partition=number,
        offset=offset,
        size=size,
        file_bytes=counts[IN_FILE],
        parent_bytes=counts[IN_PARENT],
        zero_bytes=counts[ZEROS],
    )


def _file_spans(
    volume: tuple[int, NtfsVolume] | None, disk_size: int
) -> tuple[dict[str, int], list[tuple[int, int, str]]]:
    """Return the bytes of each file's clusters, and where they are; what is not to be read is left out."""
    sizes: dict[str, int] = {}
    spans: list[tuple[int, int, str]] = []
    if volume is None:
        return sizes, spans
    start, opened = volume
    cluster = opened.boot.cluster_size
    for path in _FILES:
        try:
            found = opened.find(path)
            runs = found.open().runs() if found is not None else ()
        except ReadLimitError:
            raise
        except (FormatError, NotFoundError):
            continue
        # A disk can end before its partition does: what would lie behind its end is on no disk.
        where = [
            (start + run.lcn * cluster, min(start + (run.lcn + run.clusters) * cluster, disk_size), path)
            for run in runs[: _MOST_RUNS + 1]
            if run.lcn is not None and start + run.lcn * cluster < disk_size
        ]
        if where and len(runs) <= _MOST_RUNS:
            sizes[path] = sum(end - begin for begin, end, _ in where)
            spans += where
    return sizes, spans

"""Writing to a virtual disk: what is written there is staged as writes to the container's file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast
from uuid import uuid4

from vdiskkit.container import open_container
from vdiskkit.container.vhd.disk import BlockVhd
from vdiskkit.io.paths import open_source as open_path
from vdiskkit.io.source import SliceSource, check_range
from vdiskkit.patch.container.refusals import refuse_unsafe
from vdiskkit.patch.container.vhd import BlockWriter
from vdiskkit.patch.staging import SECTOR, Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from uuid import UUID

    from vdiskkit.container import VirtualDisk
    from vdiskkit.container.vhdx.disk import VhdxDisk
    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location
    from vdiskkit.patch.container.vhd import BlockAllocation
    from vdiskkit.patch.staging import StagedFile, WritableSource

__all__ = ["WritableDisk", "WritableSlice", "open_writable"]


class _Writer(Protocol):
    """What a container kind has to do for writes. The range has been checked by then."""

    allocations: list[BlockAllocation]
    notes: list[str]

    def write(self, offset: int, data: bytes, phase: Phase) -> None: ...

    def is_allocated(self, offset: int, length: int) -> bool: ...

    def deciding(self, offset: int, length: int) -> Iterable[tuple[int, int]]: ...

    def replay(self) -> int: ...


class _FlatWriter:
    """Fixed VHDs and raw images: the disk byte by byte from the start of the file."""

    def __init__(self, staged: StagedFile) -> None:
        self._staged = staged
        self.allocations: list[BlockAllocation] = []
        self.notes: list[str] = []

    def write(self, offset: int, data: bytes, phase: Phase) -> None:
        self._staged.write_at(offset, data, max(phase, Phase.DATA))

    def is_allocated(self, offset: int, length: int) -> bool:  # noqa: ARG002 - the same for every range
        return True

    def deciding(self, offset: int, length: int) -> Iterable[tuple[int, int]]:
        return [(offset, length)]

    def replay(self) -> int:
        return 0


class WritableDisk:
    """A virtual disk whose writes are staged; see :class:`~vdiskkit.patch.staging.WritableSource`.

    Parents of a differencing disk are only read.

    Args:
        container: The disk, opened over ``staged`` itself, so that it reads what was written.
        staged: The overlay over its file.
        new_id: Gives the ids that a VHDX gets with every change.

    Raises:
        WriteRefusedError: The container has a shape that is not written to; the message says which.
        SourceError: The operating system could not read.
    """

    def __init__(self, container: VirtualDisk, staged: StagedFile, *, new_id: Callable[[], UUID] = uuid4) -> None:
        refuse_unsafe(container, staged)
        if container.file is not staged:
            raise ValueError("the container must be opened over the staged file itself, without a cache between")
        self.container = container
        self.staged = staged
        self._writer = _writer(container, staged, new_id)

    @property
    def size(self) -> int:
        """Virtual size in bytes."""
        return self.container.size

    @property
    def location(self) -> Location:
        """The address of byte 0 of the virtual disk."""
        return self.container.location

    @property
    def allocations(self) -> Sequence[BlockAllocation]:
        """The blocks that were added to the file, in that order."""
        return tuple(self._writer.allocations)

    @property
    def notes(self) -> Sequence[str]:
        """What the user should know of the writes."""
        return tuple(self._writer.notes)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes of the virtual disk, written ones included.

        Raises:
            CorruptStructureError: The range reaches outside the disk.
            SourceError: The operating system could not read.
        """
        return self.container.read_at(offset, length)

    def write_at(self, offset: int, data: bytes, phase: Phase) -> None:
        """Stage a write to the virtual disk.

        Raises:
            CorruptStructureError: The range reaches outside the disk.
            WriteRefusedError: A block would have to be added, and there is no room for it.
            SourceError: The operating system could not read.
        """
        self.container.check_range(offset, len(data))
        self._writer.write(offset, data, phase)

    def is_allocated(self, offset: int, length: int) -> bool:
        """Whether a range can be written without adding blocks to the file.

        Raises:
            CorruptStructureError: The range reaches outside the disk.
        """
        self.container.check_range(offset, length)
        return self._writer.is_allocated(offset, length)

    def replay(self) -> int:
        """Stage the replay of the file's own log, when one is pending, as the first write to the disk would.

        Returns:
            How many entries the log has; 0 when none is pending, and nothing was staged.

        Raises:
            SourceError: The operating system could not read.
        """
        return self._writer.replay()

    def guards(self, ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return the ranges of the file that tell whether ranges of the disk were written to by somebody else.

        Somebody who writes there changes the data in the file, the sector bitmap of a block, or the block allocation
        table. What this change itself writes is left out.

        Args:
            ranges: Offset and length on the virtual disk.

        Returns:
            Offset and length in the file, ascending and apart from each other, in whole sectors.

        Raises:
            CorruptStructureError: A range reaches outside the disk.
            SourceError: The operating system could not read.
        """
        wanted: list[tuple[int, int]] = []
        for offset, length in ranges:
            self.container.check_range(offset, length)
            for at, size in self._writer.deciding(offset, length):
                wanted.append((at // SECTOR, -(-(at + size) // SECTOR)))
        written = [
            (change.offset // SECTOR, -(-(change.offset + len(change.after)) // SECTOR))
            for change in self.staged.changes()
        ]
        size = self.staged.original_size
        return [
            (first * SECTOR, min(end * SECTOR, size) - first * SECTOR)
            for first, end in _without(_merged(wanted), _merged(written))
            if first * SECTOR < size
        ]

    def close(self) -> None:
        """Close the parents' files; the disk's own file stays the caller's."""
        self.container.close()


def open_writable(
    staged: StagedFile,
    *,
    path: str | None,
    format: str | None = None,  # noqa: A002 - as in open_container
    parent_dirs: Sequence[str] = (),
    follow_parent_paths: bool = False,
    open_source: Callable[[str], ByteSource] = open_path,
    new_id: Callable[[], UUID] = uuid4,
) -> WritableDisk:
    """Open the disk in a staged file for writing; arguments as for :func:`~vdiskkit.container.open_container`.

    Args:
        staged: The overlay over the file.
        path: The file's path.
        format: ``vhd``, ``vhdx`` or ``raw``; None lets the content decide.
        parent_dirs: Folders to look for parents in, after the child's own.
        follow_parent_paths: Whether local paths stored in the files are used too.
        open_source: Opens a parent's file.
        new_id: Gives the ids that a VHDX gets with every change.

    Raises:
        WriteRefusedError: The container has a shape that is not written to; the message says which.
        FormatError: The file is no disk, or it is damaged.
        ChainError: Its chain of parents does not hold.
        SourceError: The operating system could not read.
        UsageError: ``format`` is no format.
    """
    container = open_container(
        staged,
        path=path,
        format=format,
        parent_dirs=parent_dirs,
        follow_parent_paths=follow_parent_paths,
        open_source=open_source,
    )
    try:
        return WritableDisk(container, staged, new_id=new_id)
    except BaseException:
        container.close()
        raise


class WritableSlice(SliceSource):
    """A contiguous part of a writable source, such as a partition of a disk.

    Args:
        source: The whole.
        offset: First byte of the part.
        size: Bytes.
        location: Address of its byte 0; made from the whole's when None.

    Raises:
        CorruptStructureError: The part reaches outside the whole.
    """

    def __init__(self, source: WritableSource, offset: int, size: int, location: Location | None = None) -> None:
        super().__init__(source, offset, size, location)
        self._target = source

    def write_at(self, offset: int, data: bytes, phase: Phase) -> None:
        """Stage a write; see :class:`~vdiskkit.patch.staging.WritableSource`."""
        check_range(self, offset, len(data))
        self._target.write_at(self._offset + offset, data, phase)


def _writer(container: VirtualDisk, staged: StagedFile, new_id: Callable[[], UUID]) -> _Writer:
    if isinstance(container, BlockVhd):
        return BlockWriter(container, staged)
    if container.format == "vhdx":
        from vdiskkit.patch.container.vhdx.blocks import VhdxWriter

        return VhdxWriter(cast("VhdxDisk", container), staged, new_id)
    return _FlatWriter(staged)


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join ranges (first, end) that touch or overlap."""
    found: list[tuple[int, int]] = []
    for first, end in sorted(ranges):
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((first, end))
    return found


def _without(ranges: list[tuple[int, int]], holes: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield what is left of ranges without holes; both are merged."""
    number = 0
    for start, end in ranges:
        first = start
        while number < len(holes) and holes[number][1] <= first:
            number += 1
        at = number
        while at < len(holes) and holes[at][0] < end:
            if holes[at][0] > first:
                yield first, holes[at][0]
            first = max(first, holes[at][1])
            at += 1
        if first < end:
            yield first, end

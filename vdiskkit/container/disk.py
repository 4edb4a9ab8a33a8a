"""What every container is to the layers above: a virtual disk with one block map.

The block map says for each virtual range where its bytes are: in this file, in the parent, or nowhere (zeros).
Reading is built on it and on nothing else, so that whatever uses the map later sees the disk as reading sees it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import CorruptStructureError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vdiskkit.container.facts import ContainerFacts
    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location

__all__ = ["DiskNotice", "Extent", "ExtentKind", "ParentLink", "VirtualDisk", "coalesce"]

_MERGE_GAP = 4096
"""Two wanted ranges of one file this near to each other are fetched by one call: a call costs more than the gap."""


class ExtentKind(Enum):
    """Where the bytes of an extent are."""

    FILE = "file"
    PARENT = "parent"
    ZERO = "zero"


class Extent(NamedTuple):
    """A virtual range whose bytes are in one place.

    Attributes:
        virtual_offset: First byte on the virtual disk.
        length: Bytes.
        kind: Where the bytes are.
        file_offset: First byte in this container's file; None unless ``kind`` is ``FILE``.
    """

    virtual_offset: int
    length: int
    kind: ExtentKind
    file_offset: int | None


class DiskNotice(NamedTuple):
    """Something worth telling that did not stop the reading."""

    code: str
    message: str
    location: Location | None


class ParentLink(NamedTuple):
    """What a differencing file says about its parent.

    Attributes:
        name: The parent's name, empty where the format has none beside the locators.
        unique_id: The id that the parent must have, as UUID text.
        timestamp: The parent file's time when the child was made, in seconds since 2000-01-01 UTC; 0 when it was not
            recorded.
        locators: Pairs of kind of path (platform code or key) and stored path.
        tried: The files that were looked at or for.
        other_ids: More ids that the parent may have instead.
    """

    name: str
    unique_id: str
    timestamp: int
    locators: tuple[tuple[str, str], ...]
    tried: tuple[str, ...]
    other_ids: tuple[str, ...] = ()


class VirtualDisk(ABC):
    """A container as a read-only source of the disk inside it.

    Attributes:
        source: The file as it is read; it stays its opener's to close.
        file: The file as it is; another one than ``source`` only while a log has to be replayed.
        path: The file, as the user named it; None for a file object without a name.
        size: Virtual size in bytes.
        format: ``vhd``, ``vhdx`` or ``raw``.
        subformat: ``fixed``, ``dynamic`` or ``differencing``.
        sector_size: Bytes of a logical sector.
        block_size: Bytes of a block; None where the file has none.
        allocated_blocks: Blocks that are in the file; None where it has no blocks.
        created: When the file was made, in seconds since 2000-01-01 UTC; 0 where it does not say.
        parent: The next disk of the chain; only a differencing disk has one.
        parent_link: What a differencing disk says about its parent, once that was found.
        unique_id: The container's own id as UUID text, by which a child knows its parent; empty where it has none.
        own_notices: What is worth telling about this file alone.
    """

    format: str
    subformat: str
    sector_size = 512
    block_size: int | None = None
    allocated_blocks: int | None = None
    created = 0
    unique_id = ""

    def __init__(self, source: ByteSource, path: str | None, size: int) -> None:
        self.source = self.file = source
        self.path = path
        self.size = size
        self.parent: VirtualDisk | None = None
        self.parent_link: ParentLink | None = None
        self.own_notices: list[DiskNotice] = []
        self._owned: list[ByteSource] = []

    @property
    def location(self) -> Location:
        """The address of byte 0 of the virtual disk."""
        return self.source.location

    @property
    def file_size(self) -> int:
        """Length of the file in bytes."""
        return self.file.size

    @property
    def chain(self) -> tuple[VirtualDisk, ...]:
        """This disk, its parent, and so on down to the base."""
        disks: list[VirtualDisk] = []
        disk: VirtualDisk | None = self
        while disk is not None:
            disks.append(disk)
            disk = disk.parent
        return tuple(disks)

    @property
    def notices(self) -> tuple[DiskNotice, ...]:
        """What is worth telling about this file and its parents."""
        return tuple(notice for disk in self.chain for notice in disk.own_notices)

    @abstractmethod
    def map(self, offset: int, length: int) -> Iterator[Extent]:
        """Yield where the bytes of a virtual range are, in order and without gaps; neighbours are joined.

        Args:
            offset: First byte on the virtual disk.
            length: Bytes.

        Raises:
            CorruptStructureError: The range reaches outside the disk.
            SourceError: A sector bitmap could not be read.
        """

    @abstractmethod
    def facts(self) -> ContainerFacts:
        """Return what is known about the file and its chain."""

    def read_parent_link(self) -> ParentLink | None:
        """Read what the file says about its parent; None when it is no differencing disk.

        Raises:
            FormatError: What it says cannot be.
            SourceError: The operating system could not read.
        """
        return None

    def check_rest(self) -> None:
        """Check what was left out when the file was opened as a parent, for the sake of speed; what it says is told.

        Raises:
            FormatError: The file contradicts itself there.
            SourceError: The operating system could not read.
        """
        return

    def notice(self, code: str, message: str, location: Location | None = None) -> None:
        """Remember something worth telling."""
        self.own_notices.append(DiskNotice(code, message, location))

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes of the virtual disk from ``offset``.

        Raises:
            CorruptStructureError: The range reaches outside the disk.
            SourceError: The operating system could not read.
        """
        pieces = list(self._pieces(offset, length))
        if len(pieces) == 1:
            source, file_offset, size = pieces[0]
            return bytes(size) if source is None else source.read_at(file_offset, size)
        return _gather(pieces, length)

    def own(self, source: ByteSource) -> None:
        """Close ``source`` together with this disk."""
        self._owned.append(source)

    def disown(self, source: ByteSource) -> None:
        """Close ``source`` now."""
        self._owned.remove(source)
        _close(source)

    def close(self) -> None:
        """Close the parents' files that were opened for this disk; its own source stays the caller's."""
        while self._owned:
            _close(self._owned.pop())

    def check_range(self, offset: int, length: int) -> None:
        """Refuse a range that is not wholly on the virtual disk.

        Raises:
            CorruptStructureError: The range reaches outside.
        """
        if offset < 0 or length < 0 or offset + length > self.size:
            raise CorruptStructureError(
                f"something points outside the virtual disk: {length} bytes at offset {offset:#x} of {self.size:#x}",
                location=self.location.at("disk", max(offset, 0)),
            )

    def _pieces(self, offset: int, length: int) -> Iterator[tuple[ByteSource | None, int, int]]:
        """Yield source, file offset and length of each piece of a range, through the whole chain; no source: zeros.

        The chain is followed with a stack of our own, so that its depth has no limit.
        """
        stack: list[tuple[VirtualDisk, Iterator[Extent]]] = [(self, self.map(offset, length))]
        while stack:
            disk, extents = stack[-1]
            extent = next(extents, None)
            if extent is None:
                stack.pop()
            elif extent.file_offset is not None:
                yield disk.source, extent.file_offset, extent.length
            elif extent.kind is ExtentKind.PARENT and disk.parent is not None:
                parent = disk.parent
                inside = min(max(parent.size - extent.virtual_offset, 0), extent.length)
                beyond = extent.length - inside
                if beyond:
                    # A parent may be smaller than its child: what lies behind its end was never written.
                    rest = Extent(extent.virtual_offset + inside, beyond, ExtentKind.ZERO, None)
                    stack.append((disk, iter((rest,))))
                if inside:
                    stack.append((parent, parent.map(extent.virtual_offset, inside)))
            else:
                yield None, 0, extent.length


def _close(source: ByteSource) -> None:
    close = getattr(source, "close", None)
    if close is not None:
        close()


def coalesce(extents: Iterable[Extent]) -> Iterator[Extent]:
    """Join neighbours that are one range in their place too."""
    last: Extent | None = None
    for extent in extents:
        if last is not None and last.kind is extent.kind and _continues(last, extent):
            last = Extent(last.virtual_offset, last.length + extent.length, last.kind, last.file_offset)
            continue
        if last is not None:
            yield last
        last = extent
    if last is not None:
        yield last


def _continues(last: Extent, extent: Extent) -> bool:
    return last.file_offset is None or last.file_offset + last.length == extent.file_offset


def _gather(pieces: list[tuple[ByteSource | None, int, int]], length: int) -> bytes:
    """Read pieces into one buffer, those that are near to each other in one file with one call."""
    result = bytearray(length)
    wanted: dict[int, list[tuple[int, int, int]]] = {}
    sources: dict[int, ByteSource] = {}
    position = 0
    for source, file_offset, size in pieces:
        if source is not None:
            sources[id(source)] = source
            wanted.setdefault(id(source), []).append((file_offset, size, position))
        position += size
    for key, ranges in wanted.items():
        for run in _runs(sorted(ranges)):
            start = run[0][0]
            data = sources[key].read_at(start, run[-1][0] + run[-1][1] - start)
            for file_offset, size, position in run:
                result[position : position + size] = data[file_offset - start : file_offset - start + size]
    return bytes(result)


def _runs(ranges: list[tuple[int, int, int]]) -> Iterator[list[tuple[int, int, int]]]:
    run: list[tuple[int, int, int]] = []
    for item in ranges:
        if run and item[0] - (run[-1][0] + run[-1][1]) > _MERGE_GAP:
            yield run
            run = []
        run.append(item)
    if run:
        yield run

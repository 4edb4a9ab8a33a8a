"""The content of attributes as byte sources.

NTFS guarantees content only up to the initialized size; what lies behind it on disk belongs to deleted files, so it
reads as zeros here, as in Windows.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from vdiskkit.errors import CorruptStructureError
from vdiskkit.io.source import check_range
from vdiskkit.ntfs.lznt1 import decompress_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location
    from vdiskkit.ntfs.runs import Run

__all__ = ["AttributeSource", "CompressedSource", "NonResidentSource", "ResidentSource"]


class AttributeSource:
    """What all streams of a file have in common: a size, a location, a runlist."""

    __slots__ = ("_location", "_size")

    def __init__(self, size: int, location: Location) -> None:
        self._size = size
        self._location = location

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self._size

    @property
    def location(self) -> Location:
        """The address of byte 0."""
        return self._location

    def runs(self) -> tuple[Run, ...]:
        """Where the clusters lie, in order; empty when the content lies in the MFT record itself."""
        return ()

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``; see :class:`~vdiskkit.io.ByteSource`."""
        raise NotImplementedError


class ResidentSource(AttributeSource):
    """A stream that lies in its MFT record."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes, location: Location) -> None:
        super().__init__(len(value), location)
        self._value = value

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``; see :class:`~vdiskkit.io.ByteSource`."""
        check_range(self, offset, length)
        return self._value[offset : offset + length]


class NonResidentSource(AttributeSource):
    """A stream in clusters.

    Args:
        volume: The volume.
        runs: Its runlist from VCN 0, without gaps, covering ``size``.
        cluster_size: Bytes in a cluster.
        size: Bytes in the stream.
        initialized_size: Bytes that were ever written; the rest is zeros.
        holes: Whether the stream may have holes (it is flagged sparse or compressed).
        location: Its address.
    """

    __slots__ = ("_cluster_size", "_holes", "_initialized", "_runs", "_starts", "_volume")

    def __init__(
        self,
        volume: ByteSource,
        runs: Sequence[Run],
        cluster_size: int,
        size: int,
        initialized_size: int,
        *,
        holes: bool,
        location: Location,
    ) -> None:
        super().__init__(size, location)
        self._volume = volume
        self._runs = tuple(runs)
        self._starts = [run.vcn for run in self._runs]
        self._cluster_size = cluster_size
        self._initialized = initialized_size
        self._holes = holes

    def runs(self) -> tuple[Run, ...]:
        """Where the clusters lie, in order; see :class:`~vdiskkit.ntfs.runs.Run`."""
        return self._runs

    @property
    def initialized_size(self) -> int:
        """Bytes from the start that were ever written; everything behind reads as zeros."""
        return self._initialized

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``; see :class:`~vdiskkit.io.ByteSource`."""
        check_range(self, offset, length)
        written = min(length, max(self._initialized - offset, 0))
        if written == length:
            return self._read_written(offset, length)
        data = self._read_written(offset, written) if written else b""
        return data + bytes(length - written)

    def _read_written(self, offset: int, length: int) -> bytes:
        return self._read_clusters(offset, length)

    def _read_clusters(self, offset: int, length: int) -> bytes:
        cluster_size = self._cluster_size
        index = bisect_right(self._starts, offset // cluster_size) - 1
        parts: list[bytes] = []
        begin = end = -1  # the physical range collected so far; neighbours on disk are read together
        while length:
            vcn, lcn, clusters = self._runs[index]
            within = offset - vcn * cluster_size
            size = min(length, clusters * cluster_size - within)
            if lcn is None:
                if not self._holes:
                    raise CorruptStructureError(
                        f"a stream that is not sparse has a hole at byte {offset:#x}", location=self._location
                    )
                if end > begin:
                    parts.append(self._volume.read_at(begin, end - begin))
                    begin = end = -1
                parts.append(bytes(size))
            else:
                start = lcn * cluster_size + within
                if start != end:
                    if end > begin:
                        parts.append(self._volume.read_at(begin, end - begin))
                    begin = start
                end = start + size
            offset += size
            length -= size
            index += 1
        if end > begin:
            parts.append(self._volume.read_at(begin, end - begin))
        return parts[0] if len(parts) == 1 else b"".join(parts)


class CompressedSource(NonResidentSource):
    """A stream compressed by LZNT1 in units of ``1 << unit_shift`` clusters."""

    __slots__ = ("_last", "_unit_size")

    def __init__(
        self,
        volume: ByteSource,
        runs: Sequence[Run],
        cluster_size: int,
        size: int,
        initialized_size: int,
        *,
        unit_shift: int,
        location: Location,
    ) -> None:
        super().__init__(volume, runs, cluster_size, size, initialized_size, holes=True, location=location)
        self._unit_size = cluster_size << unit_shift
        self._last = (-1, b"")  # one unit, so that reading on in small steps decompresses once

    def _read_written(self, offset: int, length: int) -> bytes:
        parts = []
        while length:
            unit, within = divmod(offset, self._unit_size)
            part = self._unit(unit)[within : within + length]
            parts.append(part)
            offset += len(part)
            length -= len(part)
        return b"".join(parts)

    def _unit(self, unit: int) -> bytes:
        number, data = self._last
        if unit == number:
            return data
        first = unit * self._unit_size
        stored, packed = self._stored_bytes(unit)
        data = self._read_clusters(first, stored) if stored else b""
        if stored and packed:
            wanted = min(self._unit_size, self._initialized - first)
            data = decompress_unit(data, self._unit_size, wanted, self._location.at("byte", first))
        data = data.ljust(self._unit_size, b"\0")
        self._last = (unit, data)
        return data

    def _stored_bytes(self, unit: int) -> tuple[int, bool]:
        """Return how many bytes of a unit are stored, and whether a hole behind them says that they are packed."""
        vcn = unit * self._unit_size // self._cluster_size
        last = vcn + self._unit_size // self._cluster_size
        stored = 0
        hole = False
        index = bisect_right(self._starts, vcn) - 1
        while vcn < last and index < len(self._runs):
            run = self._runs[index]
            clusters = min(run.vcn + run.clusters, last) - vcn
            if run.lcn is None:
                hole = True
            elif hole:
                raise CorruptStructureError(
                    "a compressed unit goes on behind the hole that ends it",
                    location=self._location.at("byte", unit * self._unit_size),
                )
            else:
                stored += clusters
            vcn += clusters
            index += 1
        return stored * self._cluster_size, hole

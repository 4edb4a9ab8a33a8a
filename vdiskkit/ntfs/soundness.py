"""A walk through a whole volume, to see that it holds: every record, every directory, every cluster.

The file table is read once, from front to back, then each directory. Of names only sums of their hashes are kept, one
for each directory, and of clusters one bit for each, so that the memory does not grow with the number of files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.errors import FormatError, ReadLimitError
from vdiskkit.ntfs.owners import owners_of, read_table
from vdiskkit.ntfs.record import DATA

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdiskkit.location import Location
    from vdiskkit.ntfs.volume import NtfsVolume

__all__ = ["find_faults"]

_WINDOW = 1 << 29
"""Clusters that one pass over the table looks at: a map of 64 MiB, of 2 TiB in clusters of 4 KiB."""
_CHUNK = 1024 * 1024
_BITMAP = 6
_KEY_REST = 64  # length, namespace and name follow the fields of a $FILE_NAME that may be out of date
_SUM = (1 << 64) - 1


def find_faults(volume: NtfsVolume, tell: Callable[[str, str, Location | None], None]) -> None:
    """Tell what is wrong with a volume, each fault with its code, what it is, and where.

    Args:
        volume: The volume.
        tell: Called with each fault.

    Raises:
        FormatError: The file table itself cannot be read.
    """
    walk = _Walk(volume, tell)
    walk.table(0)
    walk.directories()
    for start in range(_WINDOW, volume.boot.total_clusters, _WINDOW):
        walk.table(start)


class _Walk:
    def __init__(self, volume: NtfsVolume, tell: Callable[[str, str, Location | None], None]) -> None:
        self._volume = volume
        self._tell = tell
        self._names: dict[int, int] = {}  # directory -> sum over the names that files say they have in it
        self._directories: list[int] = []

    def table(self, start: int) -> None:
        """One pass over the table: clusters from ``start`` on, and, the first time, names and damage."""
        owned = _ClusterMap(start, min(self._volume.boot.total_clusters - start, _WINDOW))
        for record in read_table(self._volume):
            for first, count in record.runs:
                owned.take(first, count)
            if start:
                continue
            if record.damage is not None:
                self._tell("ntfs.damage_met", record.damage.message, record.damage.location)
            if record.is_directory and record.owner == record.number:
                self._directories.append(record.number)
            reference = (record.owner | record.owner_sequence << 48).to_bytes(8, "little")
            for value in record.names:
                parent = int.from_bytes(value[:6], "little")
                found = hash(reference + value[:8] + value[_KEY_REST:])
                self._names[parent] = (self._names.get(parent, 0) + found) & _SUM
        self._shared(owned)
        self._free(owned)

    def directories(self) -> None:
        """Every directory: its index, and its names against those that the files say they have."""
        for number in self._directories:
            before = self._names.pop(number, 0)
            try:
                path = self._volume.path_of(number)
                told = self._listed(number, path)
            except ReadLimitError:
                raise
            except FormatError as fault:
                self._tell("ntfs.index_damaged", fault.message, fault.location)
                continue
            if told is not None and told != before:
                where = self._volume.location.at("file", path)
                message = (
                    f"{path} and the files in it do not agree about their names: some are not listed, or listed wrong"
                )
                self._tell("ntfs.index_damaged", message, where)
        for parent in sorted(self._names):
            message = f"files say that they lie in MFT record {parent}, which is no directory"
            self._tell("ntfs.parent_damaged", message, self._volume.location.at("mft", parent))
            break

    def _listed(self, number: int, path: str) -> int | None:
        """Return the sum over the names in a directory, None when its index is damaged, which is told."""
        faults: list[FormatError] = []
        total = 0
        for reference, key in self._volume.index_keys(number, path, faults.append):
            total += hash(reference + key[:8] + key[_KEY_REST:])
        for fault in faults[:1]:
            self._tell("ntfs.index_damaged", fault.message, fault.location)
        return None if faults else total & _SUM

    def _shared(self, owned: _ClusterMap) -> None:
        if owned.twice is None:
            return
        claims = owners_of(self._volume, [owned.twice]).shared()
        if claims is None:
            return
        one, other = (self._path(claim.owner) for claim in claims)
        whose = f"twice to {one}" if one == other else f"to {one} and to {other}"
        more = f"; {owned.times - 1} more runs overlap others" if owned.times > 1 else ""
        where = self._volume.location.at("mft", claims[1].owner)
        self._tell("ntfs.clusters_shared", f"cluster {claims[1].first:#x} belongs {whose}{more}", where)

    def _free(self, owned: _ClusterMap) -> None:
        volume = self._volume
        where = volume.location.at("mft", _BITMAP)
        try:
            source = volume.mft.open(volume.mft.record(_BITMAP), DATA, "")
            free = None if source is None else owned.first_not_in(source.read_at, source.size)
        except ReadLimitError:
            raise
        except FormatError as fault:
            self._tell("ntfs.bitmap_damaged", f"$Bitmap cannot be read: {fault.message}", fault.location)
            return
        if free is not None:
            cluster, count = free
            claim = owners_of(volume, [(cluster, 1)]).inside([(cluster, 1)])
            whose = f" {self._path(claim.owner)}" if claim is not None else "s"
            more = f", and {count - 1} more" if count > 1 else ""
            message = f"$Bitmap calls cluster {cluster:#x} of{whose} free{more}: Windows would write over it"
            self._tell("ntfs.clusters_free", message, where)

    def _path(self, number: int) -> str:
        try:
            return self._volume.path_of(number)
        except FormatError:
            return f"the file of MFT record {number}"


class _ClusterMap:
    """One bit for each cluster of a window.

    Attributes:
        twice: The first run that was found to overlap an earlier one, as (first cluster, number of clusters).
        times: How many runs did.
    """

    def __init__(self, start: int, count: int) -> None:
        self._start = start
        self._count = count
        self._map = bytearray((count + 7) // 8)
        self.twice: tuple[int, int] | None = None
        self.times = 0

    def take(self, first: int, count: int) -> None:
        """Mark clusters as owned."""
        begin = max(first - self._start, 0)
        end = min(first + count - self._start, self._count)
        if begin >= end:
            return
        data = self._map
        low, high = begin >> 3, (end - 1) >> 3
        head = 0xFF << (begin & 7) & 0xFF
        tail = 0xFF >> (7 - ((end - 1) & 7))
        if low == high:
            head &= tail
            overlaps = bool(data[low] & head)
            data[low] |= head
        else:
            inner = high - low - 1
            overlaps = bool(data[low] & head or data[high] & tail or data.count(0, low + 1, high) != inner)
            data[low] |= head
            data[high] |= tail
            data[low + 1 : high] = b"\xff" * inner
        if overlaps:
            self.times += 1
            self.twice = self.twice or (first, count)

    def first_not_in(self, read_at: Callable[[int, int], bytes], size: int) -> tuple[int, int] | None:
        """Return the first owned cluster that a bitmap calls free and how many there are; None when there is none."""
        found: int | None = None
        total = 0
        base = self._start >> 3
        for at in range(0, len(self._map), _CHUNK):
            part = self._map[at : at + _CHUNK]
            told = read_at(base + at, max(min(len(part), size - base - at), 0))
            missing = int.from_bytes(part, "little") & ~int.from_bytes(told, "little")
            if missing:
                total += missing.bit_count()
                if found is None:
                    found = self._start + at * 8 + (missing & -missing).bit_length() - 1
        return None if found is None else (found, total)

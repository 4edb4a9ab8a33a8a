"""The clusters of a volume: finding free ones, claiming and releasing them in $Bitmap."""

from __future__ import annotations

from bisect import bisect_right
from contextlib import suppress
from itertools import accumulate
from typing import TYPE_CHECKING

from vdiskkit.errors import WriteRefusedError
from vdiskkit.ntfs.record import DATA
from vdiskkit.patch.ntfs.bitmap import BITS, Bitmap
from vdiskkit.patch.ntfs.content import AttributeContent
from vdiskkit.patch.ntfs.mapping import extents
from vdiskkit.patch.ntfs.records import FileRecords
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vdiskkit.patch.ntfs.records import RecordStore

__all__ = ["ClusterSpace"]

_BITMAP_RECORD = 6
_SYSTEM_RECORDS = range(11)
_BAD_CLUSTERS = 8
_MAX_PIECES = 4096
"""Pieces that one growth takes: 16 MiB in single clusters of 4 KiB. Their runlist fills some 60 records of the table,
which is what a change of one file may write."""
_PROBES = 4096  # how often one search asks whether clusters are preferred


class ClusterSpace:
    """Free and used clusters.

    Args:
        store: The records of the volume.
        prefer: Tells whether a range of the volume (offset, length in bytes) is a good place for new clusters, such as
            one that the container has already allocated.

    Raises:
        WriteRefusedError: $Bitmap is too short for the volume.
        CorruptStructureError: $Bitmap is damaged.
    """

    def __init__(self, store: RecordStore, prefer: Callable[[int, int], bool] | None = None) -> None:
        self._store = store
        self._prefer = prefer
        self._cluster_size = store.boot.cluster_size
        content = AttributeContent.of(store, FileRecords(store, _BITMAP_RECORD), DATA)
        if content is None:
            raise WriteRefusedError("$Bitmap has no content", location=store.where(_BITMAP_RECORD))
        self._bitmap = Bitmap(content, store.boot.total_clusters, "$Bitmap")
        self._released: list[tuple[int, int]] = []
        self._claimed: list[tuple[int, int]] = []
        self._system: list[tuple[int, int, int]] | None = None

    @property
    def released(self) -> tuple[tuple[int, int], ...]:
        """(first cluster, number of clusters) of all that was released."""
        return tuple(self._released)

    @property
    def claimed(self) -> tuple[tuple[int, int], ...]:
        """(first cluster, number of clusters) of all that was claimed, released before or not."""
        return tuple(self._claimed)

    def all_are(self, first: int, count: int, *, used: bool) -> bool:
        """Whether ``count`` clusters from ``first`` are all used, or all free."""
        return self._bitmap.all_are(first, count, used=used)

    def free_runs(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield (first cluster, number of clusters) of what is free between two clusters."""
        return self._bitmap.free_runs(start, end)

    def check_owned(self, owned: Sequence[tuple[int, int]], what: str) -> None:
        """Check that clusters which are to be released are marked as used, and are not those of NTFS itself.

        Args:
            owned: (first cluster, number of clusters), by position.
            what: Whose they are, for the message.

        Raises:
            WriteRefusedError: They are not.
        """
        for first, count in owned:
            if not self._bitmap.all_are(first, count, used=True):
                raise _shared(f"$Bitmap says that clusters {first:#x} to {first + count - 1:#x} of {what} are free")
        system = self._system_extents()
        # The greatest end so far: extents that contain others would break the order otherwise.
        ends = list(accumulate((first + count for first, count, _ in system), max))
        end = 0
        for own, size in owned:
            if own < end:
                raise _shared(f"two runs of {what} share cluster {own:#x}")
            end = own + size
            at = bisect_right(ends, own)
            if at < len(system) and system[at][0] < end:
                first, _, number = system[at]
                raise _shared(f"cluster {max(own, first):#x} belongs to {what} and to MFT record {number}")

    def release(self, owned: Sequence[tuple[int, int]]) -> None:
        """Mark clusters as free, last of all."""
        for first, count in owned:
            self._bitmap.put(first, count, used=False)
        self._bitmap.flush(Phase.RELEASE)
        self._released += owned

    def claim(self, chosen: Sequence[tuple[int, int]], phase: Phase = Phase.CLAIM) -> None:
        """Mark clusters as used, in ``phase``."""
        for first, count in chosen:
            self._bitmap.put(first, count, used=True)
        self._bitmap.flush(phase)
        self._claimed += chosen

    def choose(self, clusters: int, behind: int | None, taken: Sequence[tuple[int, int]] = ()) -> list[tuple[int, int]]:
        """Choose free clusters; nothing is claimed yet.

        Right behind ``behind`` first, because the runlist stays as long as it is; then a whole preferred range, then
        any whole range, then several. Clusters that were released a moment ago are left alone while there are others:
        their content still matters to whoever takes the release back. Where there is a choice, so are those whose bits
        lie in one sector with theirs: a sector is written once, and the release is written last.

        Args:
            clusters: How many.
            behind: The cluster after the last one that the stream has.
            taken: Clusters that are chosen already, but not claimed yet.

        Returns:
            (first cluster, number of clusters), in the order of the stream.

        Raises:
            WriteRefusedError: The volume is full, or its free clusters are too scattered.
        """
        if not self._released:
            return self._choose(clusters, behind, taken)
        sectors: set[int] = set()
        for first, count in self._released:
            sectors.update(range(first // BITS, (first + count - 1) // BITS + 1))
        spared = [(sector * BITS, BITS) for sector in sectors]
        with suppress(WriteRefusedError):
            return self._choose(clusters, behind, [*spared, *taken], best_only=True)
        with suppress(WriteRefusedError):
            return self._choose(clusters, behind, [*self._released, *taken])
        return self._choose(clusters, behind, taken)

    def _choose(
        self, clusters: int, behind: int | None, spared: Sequence[tuple[int, int]], *, best_only: bool = False
    ) -> list[tuple[int, int]]:
        chosen: list[tuple[int, int]] = []
        if behind is not None:
            follows = self._free_from(behind, clusters, spared)
            if follows:
                chosen.append((behind, follows))
                clusters -= follows
        if clusters:
            chosen += self._search(clusters, [*chosen, *spared], behind or 0, best_only=best_only)
        return chosen

    def _free_from(self, first: int, wanted: int, spared: Sequence[tuple[int, int]]) -> int:
        end = min(first + wanted, self._bitmap.bits)
        found = next(self._bitmap.free_runs(first, end), None) if first < end else None
        if found is None or found[0] != first:
            return 0
        stops = [other for other, count in spared if other + count > first]
        return max(min([found[1], *(other - first for other in stops)]), 0)

    def _search(
        self, clusters: int, taken: Sequence[tuple[int, int]], near: int, *, best_only: bool
    ) -> list[tuple[int, int]]:
        best: tuple[int, int] | None = None
        scattered: list[tuple[int, int]] = []
        probes = _PROBES
        for first, count in self._free_around(near, taken):
            if count >= clusters:
                if self._prefer is None:
                    return [(first, clusters)]
                best = best or (first, clusters)
                step = max(clusters, 1)
                for start in range(first, first + count - clusters + 1, step):
                    if not probes:
                        break
                    probes -= 1
                    if self._prefer(start * self._cluster_size, clusters * self._cluster_size):
                        return [(start, clusters)]
                if not probes:
                    break
            elif best is None:
                scattered.append((first, count))
        if best_only:
            raise WriteRefusedError("no whole range of clusters is preferred", location=self._store.location)
        if best is not None:
            return [best]
        return self._several(clusters, scattered)

    def _several(self, clusters: int, scattered: list[tuple[int, int]]) -> list[tuple[int, int]]:
        chosen = []
        for first, count in sorted(scattered, key=lambda run: -run[1])[:_MAX_PIECES]:
            part = min(count, clusters)
            chosen.append((first, part))
            clusters -= part
            if not clusters:
                return sorted(chosen)
        free = sum(count for _, count in scattered)
        why = "its free clusters are too scattered" if free >= clusters else "it is full"
        raise WriteRefusedError(
            f"the volume has no room for {clusters} more clusters: {why}",
            location=self._store.location,
            hint="free some space inside Windows",
        )

    def _free_around(self, near: int, taken: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Yield what is free and not taken, from ``near`` to the end and then from the start."""
        near = min(near, self._bitmap.bits)
        taken = sorted(taken)
        for start, end in ((near, self._bitmap.bits), (0, near)):
            for first, count in self._bitmap.free_runs(start, end):
                begin, stop = first, first + count
                at = max(bisect_right(taken, (begin, 0)) - 1, 0)
                while at < len(taken) and taken[at][0] < stop:
                    other, size = taken[at]
                    at += 1
                    if other > begin:
                        yield begin, other - begin
                    begin = max(begin, other + size)
                if begin < stop:
                    yield begin, stop - begin

    def _system_extents(self) -> list[tuple[int, int, int]]:
        if self._system is not None:
            return self._system
        found: list[tuple[int, int, int]] = []
        for number in _SYSTEM_RECORDS:
            if number == _BAD_CLUSTERS or not self._store.parsed(number).in_use:
                continue
            records = FileRecords(self._store, number)
            for held in records.attributes:
                if not held.attribute.resident and held.attribute.lowest_vcn == 0:
                    parts = records.find(held.attribute.type, held.attribute.name)
                    runs = self._store.runs_of(parts)
                    found += [(first, count, number) for first, count in extents(runs)]
        self._system = sorted(found)
        return self._system


def _shared(why: str) -> WriteRefusedError:
    return WriteRefusedError(
        f"clusters cannot be released safely: {why}", hint="the volume is damaged: run chkdsk on it inside Windows"
    )

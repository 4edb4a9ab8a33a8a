"""From the offsets of a stream to places on the volume, and runlists back into mapping pairs."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.ntfs.runs import Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Piece", "encode_runs", "extents", "merge_runs", "pieces", "split_runs"]


class Piece(NamedTuple):
    """Consecutive bytes of a stream: where they lie on the volume; ``place`` None is a hole."""

    place: int | None
    length: int


def pieces(runs: Sequence[Run], cluster_size: int, offset: int, length: int) -> list[Piece]:
    """Return where ``length`` bytes from ``offset`` lie; the runs must cover them."""
    found: list[Piece] = []
    index = bisect_right(runs, offset // cluster_size, key=lambda run: run.vcn) - 1
    while length:
        vcn, lcn, clusters = runs[index]
        within = offset - vcn * cluster_size
        part = min(clusters * cluster_size - within, length)
        place = None if lcn is None else lcn * cluster_size + within
        last = found[-1] if found else None
        if last is not None and last.place is not None and last.place + last.length == place:
            found[-1] = Piece(last.place, last.length + part)
        else:
            found.append(Piece(place, part))
        offset += part
        length -= part
        index += 1
    return found


def extents(runs: Iterable[Run]) -> list[tuple[int, int]]:
    """Return (first cluster, number of clusters) of every run that has clusters, by position, neighbours joined."""
    joined: list[tuple[int, int]] = []
    for lcn, clusters in sorted((run.lcn, run.clusters) for run in runs if run.lcn is not None):
        if joined and joined[-1][0] + joined[-1][1] == lcn:
            joined[-1] = joined[-1][0], joined[-1][1] + clusters
        else:
            joined.append((lcn, clusters))
    return joined


def merge_runs(runs: Sequence[Run], added: Iterable[tuple[int, int]]) -> list[Run]:
    """Append (first cluster, number of clusters) to a runlist; what continues the last run only makes it longer."""
    merged = list(runs)
    for lcn, clusters in added:
        last = merged[-1] if merged else Run(0, None, 0)
        if last.lcn is not None and last.lcn + last.clusters == lcn:
            merged[-1] = Run(last.vcn, last.lcn, last.clusters + clusters)
        else:
            merged.append(Run(last.vcn + last.clusters, lcn, clusters))
    return merged


def encode_runs(runs: Iterable[Run]) -> bytes:
    """Encode a runlist as mapping pairs with their end marker, each number in as few bytes as hold it with its sign.

    The first run's distance counts from cluster 0, as in every attribute record.
    """
    encoded = bytearray()
    previous = 0
    for run in runs:
        length = _signed(run.clusters)
        delta = b"" if run.lcn is None else _signed(run.lcn - previous)
        if run.lcn is not None:
            previous = run.lcn
        encoded += bytes([len(length) | len(delta) << 4]) + length + delta
    return bytes(encoded) + b"\0"


def split_runs(runs: Iterable[Run], room: int) -> list[list[Run]]:
    """Split a runlist so that the mapping pairs of each part, end marker included, have at most ``room`` bytes.

    Each part counts its first distance from cluster 0 again. ``room`` must be enough for one run, 18 bytes at most.
    """
    parts: list[list[Run]] = []
    left = previous = 0
    for run in runs:
        size = _pair_size(run, previous)
        if not parts or size > left:
            parts.append([])
            left, previous = room - 1, 0
            size = _pair_size(run, previous)
        parts[-1].append(run)
        left -= size
        previous = previous if run.lcn is None else run.lcn
    return parts


def _pair_size(run: Run, previous: int) -> int:
    return 1 + len(_signed(run.clusters)) + (0 if run.lcn is None else len(_signed(run.lcn - previous)))


def _signed(value: int) -> bytes:
    size = (value if value >= 0 else ~value).bit_length() // 8 + 1
    return value.to_bytes(size, "little", signed=True)

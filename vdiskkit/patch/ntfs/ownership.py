"""Whether the clusters that a change writes to, frees or takes are those of one file alone.

On a sound volume they are. Where two files share clusters, or $Bitmap calls used ones free, a change of one file is a
change of another that nobody asked for; so it is looked at before anything is written, in the file table as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.errors import FormatError, WriteRefusedError
from vdiskkit.ntfs.owners import owners_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vdiskkit.ntfs import NtfsVolume
    from vdiskkit.patch.ntfs.space import ClusterSpace

__all__ = ["check_ownership"]

_HINT = "the volume is damaged: run chkdsk on it inside Windows"


def check_ownership(volume: NtfsVolume, space: ClusterSpace, written: Iterable[tuple[int, int]]) -> None:
    """Refuse a change that concerns clusters of a file that it does not mean.

    Args:
        volume: The volume as it is, without the change.
        space: What the change takes and frees.
        written: (offset, length) in bytes of the volume of all that it writes.

    Raises:
        WriteRefusedError: A cluster belongs to two files, or one that is taken as free belongs to a file; or a record
            in use is damaged, so that it is not known what belongs to it.
        FormatError: The file table cannot be read.
    """
    size = volume.boot.cluster_size
    touched = [(at // size, (at + length - 1) // size - at // size + 1) for at, length in set(written) if length]
    owners = owners_of(volume, [*touched, *space.released, *space.claimed])
    both = owners.shared()
    if both is not None:
        one, other = both
        first, second = _named(volume, one.owner), _named(volume, other.owner)
        whose = f"twice to {first}" if one.owner == other.owner else f"to {first} and to {second}"
        raise WriteRefusedError(
            f"cluster {other.first:#x} belongs {whose}: the change would reach what it does not mean",
            location=volume.location.at("mft", other.owner),
            hint=_HINT,
        )
    used = owners.inside(_without(space.claimed, space.released))
    if used is not None:
        raise WriteRefusedError(
            f"$Bitmap calls cluster {used.first:#x} free, but it belongs to {_named(volume, used.owner)}: "
            "the change would overwrite it",
            location=volume.location.at("mft", used.owner),
            hint=_HINT,
        )
    if owners.damage is not None:
        raise WriteRefusedError(
            "a record of the file table is damaged, so it is not known whether its file owns what would be changed: "
            f"{owners.damage.message}",
            location=owners.damage.location,
            hint=_HINT,
        )


def _named(volume: NtfsVolume, number: int) -> str:
    try:
        return volume.path_of(number)
    except FormatError:
        return f"the file of MFT record {number}"


def _without(ranges: Sequence[tuple[int, int]], holes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return (first, count) of what is in ranges and not in holes."""
    left = []
    gaps = sorted(holes)
    for start, count in ranges:
        first, end = start, start + count
        for hole, size in gaps:
            if hole >= end:
                break
            if hole + size > first:
                if hole > first:
                    left.append((first, hole - first))
                first = max(first, hole + size)
        if first < end:
            left.append((first, end - first))
    return left

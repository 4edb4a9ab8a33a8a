"""Runlists: where the clusters of a stream lie.

Mapping pairs are decoded with the checks of ntfs-3g's ``runlist.c``: lengths present and positive, every run inside
the volume, a terminator inside the attribute, and as many clusters as the attribute says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import CorruptStructureError

if TYPE_CHECKING:
    from vdiskkit.location import Location
    from vdiskkit.ntfs.record import Attribute

__all__ = ["Run", "parse_runs"]


class Run(NamedTuple):
    """Consecutive clusters of a stream: ``clusters`` of them from ``vcn``, at ``lcn``; ``lcn`` None is a hole."""

    vcn: int
    lcn: int | None
    clusters: int


def parse_runs(attribute: Attribute, total_clusters: int, location: Location) -> list[Run]:
    """Decode the mapping pairs of one non-resident attribute.

    Raises:
        CorruptStructureError: The runlist contradicts itself, the attribute or the volume.
    """
    pairs = attribute.pairs
    runs: list[Run] = []
    position = 0
    vcn = attribute.lowest_vcn
    lcn = 0
    while True:
        if position >= len(pairs):
            raise _broken("it has no end", location)
        head = pairs[position]
        if not head:
            break
        length_size, delta_size = head & 0xF, head >> 4
        middle = position + 1 + length_size
        end = middle + delta_size
        if not 1 <= length_size <= 8 or delta_size > 8:
            raise _broken(f"run {len(runs)} is described by {length_size} and {delta_size} bytes", location)
        if end > len(pairs):
            raise _broken("it is cut off", location)
        clusters = int.from_bytes(pairs[position + 1 : middle], "little", signed=True)
        if clusters <= 0:
            raise _broken(f"run {len(runs)} has {clusters} clusters", location)
        if delta_size:
            lcn += int.from_bytes(pairs[middle:end], "little", signed=True)
            if lcn < 0 or lcn + clusters > total_clusters:
                raise _broken(
                    f"run {len(runs)} covers clusters {lcn:#x} to {lcn + clusters:#x} of {total_clusters:#x}", location
                )
            runs.append(Run(vcn, lcn, clusters))
        else:
            runs.append(Run(vcn, None, clusters))
        vcn += clusters
        position = end
    if vcn - 1 != attribute.highest_vcn:
        raise _broken(f"it ends at VCN {vcn - 1:#x}, the attribute says {attribute.highest_vcn:#x}", location)
    return runs


def _broken(why: str, location: Location) -> CorruptStructureError:
    return CorruptStructureError(
        f"the runlist of a stream is damaged: {why}", location=location, hint="run chkdsk on the volume"
    )

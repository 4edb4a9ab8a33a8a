"""Rules about the disk file itself: the VHDX structures around the virtual disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.rules import gaps
from vdiskkit.rules.model import NotApplicable, Rule, Unknown, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.rules.model import Context, Outcome

__all__ = ["RULES"]

_FORMAT = "[MS-VHDX] Virtual Hard Disk v2 file format"
_VERSIONS = "PVS 7.7 and later with .vhdx or .avhdx"
_OPEN_ONCE = (
    "mount and dismount the file once on Windows (Mount-VHD, Dismount-VHD), which writes it anew, then save the "
    "vDisk's properties in the PVS console and copy both files"
)


def _gap(context: Context) -> Unknown | NotApplicable | None:
    container = context.inspection.container
    if container.format == "raw":
        return gaps.raw()
    return None if container.format == "vhdx" else NotApplicable("the disk is no VHDX")


@rule(
    "VHX101",
    "Both headers of the VHDX are whole",
    severity="warning",
    reads="signature, checksum and sequence number of both headers",
    judgement="passes when both can be used; warns when only one can. A file with none cannot be opened at all",
    why="The two take turns at each write. With one of them damaged, the next interrupted write loses the disk.",
    fix=_OPEN_ONCE,
    versions=_VERSIONS,
    source=_FORMAT,
)
def headers(context: Context) -> Iterator[Outcome]:
    """Judge the headers."""
    gap = _gap(context)
    if gap is not None:
        yield gap
    else:
        yield from context.noticed("vhdx.header_damaged")


@rule(
    "VHX102",
    "The first region table of the VHDX is whole",
    severity="warning",
    reads="signature and checksum of the first region table",
    judgement="passes when it can be used; warns when its copy had to be",
    why="Some readers look at the first table only, and cannot open the disk.",
    fix="copy the file again from its source; if the source is the same, copy the disk into a new file (Convert-VHD)",
    versions=_VERSIONS,
    source=_FORMAT,
)
def regions(context: Context) -> Iterator[Outcome]:
    """Judge the region tables."""
    gap = _gap(context)
    if gap is not None:
        yield gap
    else:
        yield from context.noticed("vhdx.region_table_damaged")


@rule(
    "VHX103",
    "The log of the VHDX is empty",
    severity="error",
    reads="the log of the current header",
    judgement="passes when nothing is to be replayed; fails otherwise. What is judged is the disk as after the replay",
    why="The file was not closed: it was copied while in use, or its server crashed. Servers that open it for reading "
    "only cannot replay the log, and targets see an older state.",
    fix=f"vdiskkit replay DISK, or {_OPEN_ONCE}",
    versions=_VERSIONS,
    source=_FORMAT,
)
def log(context: Context) -> Iterator[Outcome]:
    """Judge the log."""
    gap = _gap(context)
    if gap is not None:
        yield gap
    else:
        yield from context.noticed("vhdx.log_replayed")


RULES = tuple(value for value in list(globals().values()) if isinstance(value, Rule))

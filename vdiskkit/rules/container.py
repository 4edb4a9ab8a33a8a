"""Rules about the disk file itself: the VHD structures around the virtual disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.rules import gaps
from vdiskkit.rules.model import NotApplicable, Passed, Problem, Rule, Unknown, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.rules.model import Context, Outcome

__all__ = ["RULES"]

_FORMAT = "Virtual Hard Disk Image Format Specification 1.0"
_COPY_AGAIN = (
    "copy the file again from its source and compare the sizes; if the source is the same, open the vDisk "
    "once in Private mode on a PVS server, which writes the footer anew"
)


def _gap(context: Context) -> Unknown | NotApplicable | None:
    """Why there is no VHD footer to judge, None when there is one."""
    container = context.inspection.container
    if container.format == "raw":
        return gaps.raw()
    return None if container.footer is not None else NotApplicable("the disk is no VHD")


@rule(
    "VHD101",
    "The footer at the end of the VHD is whole",
    severity="error",
    reads="the last 512 bytes of the disk file: cookie, checksum, fields",
    judgement="passes when the footer and its checksum are right; fails when the copy at the start had to be used",
    why="A footer that cannot be used is what a copy that was cut off looks like. PVS opens a VHD by its footer.",
    fix=_COPY_AGAIN,
    versions="all PVS versions with .vhd or .avhd",
    source=_FORMAT,
)
def footer(context: Context) -> Iterator[Outcome]:
    """Judge the footer."""
    gap, state = _gap(context), context.inspection.container.footer
    if gap is not None:
        yield gap
    elif state == "damaged":
        yield from context.noticed("vhd.footer_damaged") or [Problem("the footer cannot be used")]
    elif state == "short_511":
        yield Passed("the footer has 511 bytes, as very old tools wrote it")


@rule(
    "VHD102",
    "Footer and its copy at the start agree",
    severity="warning",
    reads="the first 512 bytes of a dynamic or differencing VHD, compared with the footer",
    judgement="passes when they are the same; warns when the copy is missing, damaged or different",
    why="The two are written together. When they differ, something else than PVS or Hyper-V wrote one of them, or a "
    "write was interrupted; tools that trust the copy then see another disk.",
    fix="open and close the vDisk once in Private mode on a PVS server; if the warning stays, merge or copy the disk "
    "with Convert-VHD or CVhdMount",
    versions="all PVS versions with dynamic .vhd or .avhd",
    source=_FORMAT,
)
def footer_copy(context: Context) -> Iterator[Outcome]:
    """Judge the copy of the footer."""
    gap = _gap(context)
    if gap is not None:
        yield gap
    elif context.inspection.container.footer == "damaged":
        yield Unknown("the footer cannot be used, so there is nothing to compare its copy with")
    else:
        yield from context.noticed("vhd.copy_missing", "vhd.copy_damaged", "vhd.copy_differs")


@rule(
    "VHD103",
    "The disk belongs to no saved virtual machine",
    severity="error",
    reads="the saved-state field of the footer",
    judgement="passes when it is 0, fails otherwise",
    why="A disk of a saved virtual machine misses what was in its memory; a target that boots from it starts from a "
    "volume that was never closed.",
    fix="start the virtual machine, shut Windows down properly, then take the disk",
    versions="all PVS versions with .vhd or .avhd",
    source=_FORMAT,
)
def saved_state(context: Context) -> Iterator[Outcome]:
    """Judge the saved-state field."""
    gap = _gap(context)
    if gap is not None:
        yield gap
    else:
        yield from context.noticed("vhd.saved_state")


@rule(
    "VHD104",
    "Geometry, current size and file length agree",
    severity="warning",
    reads="geometry and current size in the footer, length of the file",
    judgement="passes when they describe the same disk; warns otherwise",
    why="Some tools take the size of the disk from the geometry, some from the current size: they would see two "
    "different disks. Bytes that belong to nothing are left over from a resize that did not finish.",
    fix="shrink or grow the disk again with the tool that made it, or copy it into a new one (Convert-VHD)",
    versions="all PVS versions with .vhd or .avhd",
    source=_FORMAT,
)
def sizes(context: Context) -> Iterator[Outcome]:
    """Judge the sizes."""
    gap = _gap(context)
    if gap is not None:
        yield gap
    else:
        yield from context.noticed("vhd.geometry_size", "vhd.fixed_size")


@rule(
    "VHD105",
    "Blocks begin on multiples of 4 KiB of the file",
    severity="note",
    reads="the block allocation table and the size of the sector bitmaps",
    judgement="passes when all blocks' data are aligned, gives a note otherwise",
    why="Unaligned blocks cost one more read on the server's storage for nearly every read of a target. Newer PVS "
    "versions make aligned VHDs; the note tells an old one.",
    fix="on the PVS server: merge the vDisk to a new base, which is then aligned",
    versions="dynamic and differencing VHDs of PVS 6 and later",
    source="observed in files of PVS 6 and 7",
)
def alignment(context: Context) -> Iterator[Outcome]:
    """Judge the alignment."""
    container = context.inspection.container
    if container.format == "raw":
        yield gaps.raw()
    elif container.block_size is None:
        yield Passed("a fixed disk has no blocks")
    elif container.data_aligned_4k is None:
        yield Unknown("no block is allocated")
    elif not container.data_aligned_4k:
        yield Problem("the data of the blocks do not begin on multiples of 4096 bytes")


@rule(
    "VHD106",
    "No change of the disk was interrupted",
    severity="error",
    reads="vdiskkit's own journals beside the disk and its parents",
    judgement="passes without a pending journal, fails with one",
    why="The disk is between two states. What is judged here is the old state; what a PVS server reads is a mixture.",
    fix="vdiskkit recover DISK",
    versions="all",
    source="vdiskkit",
)
def interrupted(context: Context) -> Iterator[Outcome]:
    """Judge pending journals."""
    if context.pair is None:
        yield gaps.no_pair(context)
        return
    yield from context.noticed("journal.pending")


RULES = tuple(value for value in list(globals().values()) if isinstance(value, Rule))

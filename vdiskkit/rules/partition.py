"""Rules about the partition table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.rules.model import Passed, Rule, Unknown, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.rules.model import Context, Outcome

__all__ = ["RULES"]

_UEFI = "UEFI Specification 2.10, section 5 (GUID partition table)"
_PLACES = ("partition.past_end", "partition.overlap", "gpt.outside_usable", "mbr.extended_past_end")
_TABLE = (
    "mbr.damaged",
    "mbr.extended_damaged",
    "mbr.extended_loop",
    "gpt.copies_differ",
    "gpt.primary_damaged",
    "gpt.backup_damaged",
    "gpt.backup_misplaced",
    "gpt.entry_damaged",
    "gpt.no_protective_mbr",
    "gpt.sector_size",
    "gpt.hybrid_mbr",
)


@rule(
    "PRT101",
    "The partition table is whole",
    severity="warning",
    reads="MBR, both copies of the GPT with their checksums",
    judgement="passes when both copies are right, agree and lie where they belong, the backup in the last sector; "
    "warns otherwise",
    why="Windows and PVS repair or use one of the copies, not always the same; the next resize may use the wrong one.",
    fix="in Private mode: gdisk or `diskpart` (rescan), or let Windows repair the GPT at its next start",
    versions="all",
    source=_UEFI,
)
def table(context: Context) -> Iterator[Outcome]:
    """Judge the table."""
    problems = context.noticed(*_TABLE)
    if problems:
        yield from problems
    elif context.inspection.partitions.scheme == "none":
        yield Unknown("the disk has no partition table")


@rule(
    "PRT102",
    "Partitions lie inside the disk and do not overlap",
    severity="error",
    reads="begin and end of every partition, size of the virtual disk",
    judgement="passes when all lie apart and inside; fails otherwise",
    why="A partition past the end of its disk is what a disk that was cut or shrunk looks like; files at its end are "
    "lost.",
    fix="copy the disk file again from its source; if the source is the same, restore the disk from before its resize",
    versions="all",
    source=_UEFI,
)
def places(context: Context) -> Iterator[Outcome]:
    """Judge where partitions lie."""
    problems = context.noticed(*_PLACES)
    if problems:
        yield from problems
    elif not context.inspection.partitions.partitions:
        yield Unknown("no partition was found")


@rule(
    "PRT103",
    "There is one Windows on the disk",
    severity="warning",
    reads="the Windows folder of every NTFS volume",
    judgement="passes with one; warns with several, because only one of them was judged",
    why="A second Windows is a forgotten copy or a recovery image of the whole system; which one a target boots is "
    "decided by the boot configuration, which is not read here.",
    fix="remove the other one, or choose the right one with --volume",
    versions="all",
    source="vdiskkit",
)
def one_windows(context: Context) -> Iterator[Outcome]:
    """Count the installations."""
    problems = context.noticed("windows.several")
    lost = [item for item in context.inspection.volumes if item.problem]
    if problems:
        yield from problems
    elif lost:
        yield Unknown(f"partition {lost[0].partition} cannot be read: {lost[0].problem}")
    elif not context.inspection.volumes:
        yield Unknown("no partition was found")


@rule(
    "PRT104",
    "Every volume lies in a partition of its own",
    severity="warning",
    reads="the type of every partition",
    judgement="passes when none belongs to a dynamic disk (LDM) or to Storage Spaces; warns otherwise",
    why="Such a partition may be one half of a mirror, or a piece of a volume that goes on elsewhere: what is read in "
    "it alone need not be what Windows shows, and a change of it alone leaves the other half as it was.",
    fix="copy the contents to a basic disk and make the vDisk of that",
    versions="all",
    source="learn.microsoft.com: basic and dynamic disks; Storage Spaces overview",
)
def own_partition(context: Context) -> Iterator[Outcome]:
    """Look for volume managers."""
    problems = context.noticed("partition.managed")
    partitions = context.inspection.partitions.partitions
    if problems:
        yield from problems
    elif not partitions:
        yield Unknown("no partition was found")
    else:
        yield Passed(", ".join(f"{item.number}: {item.type_name}" for item in partitions))


RULES = tuple(value for value in list(globals().values()) if isinstance(value, Rule))

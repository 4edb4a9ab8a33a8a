"""Rules about the NTFS volume that Windows lies on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.rules import gaps
from vdiskkit.rules.model import Passed, Problem, Rule, Unknown, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.rules.model import Context, Outcome

__all__ = ["RULES"]

_MIB = 1024 * 1024
_NTFS = "NTFS on-disk format, as documented by the Linux-NTFS project"
_STATES = ("ntfs.not_clean", "ntfs.hibernation_unknown")
"""Notices of the volume that tell its state, which has rules of its own. All others tell damage."""
_RECORD = " > mft:"


@rule(
    "NTF101",
    "Windows was shut down and the volume is clean",
    severity="warning",
    reads="the dirty flag of $Volume and the restart area of $LogFile of the Windows volume, the dirty flag of every "
    "other NTFS volume",
    judgement="passes when the flags are clear and the log is closed; warns otherwise; not determinable when a flag "
    "cannot be read",
    why="Every target would check or replay the volume at each of its starts, and what was read here may not be the "
    "last state. That holds for other volumes of the disk, too.",
    fix="start the vDisk in Private mode, run `chkdsk C: /f` and restart, then shut Windows down properly",
    versions="all",
    source=_NTFS,
)
def clean(context: Context) -> Iterator[Outcome]:
    """Judge the volume's state."""
    volume = context.inspection.volume
    if volume is None:
        yield _no_volume(context)
        return
    reasons = ["the dirty flag is set"] if volume.dirty else []
    if volume.log in ("unclean", "damaged"):
        reasons.append(f"$LogFile is {volume.log}" + (f": {volume.log_problem}" if volume.log_problem else ""))
    if reasons:
        yield Problem("the volume was not closed properly", context.at("ntfs:$Volume"), "; ".join(reasons))
    for item in context.inspection.volumes:
        if item.selected or item.file_system != "ntfs":
            continue
        if item.dirty is None:
            yield Unknown(f"the dirty flag of partition {item.partition} cannot be read")
        elif item.dirty:
            yield Problem(
                f"partition {item.partition} was not closed properly",
                context.at(f"partition:{item.partition} > ntfs:$Volume"),
                "the dirty flag is set",
                fix=f"start the vDisk in Private mode, run `chkdsk /f` on the volume of partition {item.partition}, "
                "then shut Windows down properly",
            )


@rule(
    "NTF102",
    "Windows is not hibernated",
    severity="error",
    reads="the header of hiberfil.sys in the root of the volume",
    judgement="passes without a live hibernation image; fails with one",
    why="Each target would resume the same memory image over a disk that is not the one it was made with. Fast startup "
    "leaves such an image at every ordinary shutdown.",
    fix="start the vDisk in Private mode, run `powercfg /h off`, then shut down",
    versions="all; fast startup since Windows 8",
    source="observed; ntfs-3g refuses such volumes too",
)
def hibernation(context: Context) -> Iterator[Outcome]:
    """Judge hiberfil.sys."""
    volume = context.inspection.volume
    if volume is None:
        yield _no_volume(context)
    elif volume.hibernation == "unknown":
        yield gaps.unreadable(context, "ntfs.hibernation_unknown") or Unknown("hiberfil.sys cannot be read")
    elif volume.hibernation == "hibernated":
        yield Problem("a hibernated Windows will resume from this volume", context.at(r"ntfs:\hiberfil.sys"))


@rule(
    "NTF103",
    "Fast startup is off",
    severity="warning",
    reads=r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Power, HiberbootEnabled, and hiberfil.sys",
    judgement="passes when HiberbootEnabled is 0 or absent; warns when it is 1 and there is a hiberfil.sys to use",
    why="With fast startup the next ordinary shutdown in Private mode hibernates Windows instead of closing it.",
    fix=r"powercfg /h off",
    versions="Windows 8, Server 2012 and later",
    source="Citrix target device optimisation, which turns hibernation off",
)
def fast_startup(context: Context) -> Iterator[Outcome]:
    """Judge HiberbootEnabled."""
    readiness = context.readiness
    if readiness is None:
        yield gaps.no_readiness(context)
        return
    power = readiness.power
    if power.fast_startup is None:
        yield Unknown("HiberbootEnabled is not there or cannot be read")
    elif power.fast_startup and power.hibernation_file_size != 0:
        yield Problem(
            "fast startup is switched on",
            context.at(r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Power, HiberbootEnabled"),
            "HiberbootEnabled is 1",
        )


@rule(
    "NTF104",
    "The volume is not encrypted",
    severity="error",
    reads="the boot sectors of all partitions",
    judgement="passes when none is a BitLocker volume; fails otherwise",
    why="PVS cannot stream a volume whose key is bound to another machine, and nothing inside can be judged.",
    fix="start the vDisk in Private mode, `manage-bde -off C:` and wait until it is done",
    versions="all",
    source="Citrix Provisioning requirements; BitLocker volume header",
)
def encryption(context: Context) -> Iterator[Outcome]:
    """Look for BitLocker."""
    volumes = context.inspection.volumes
    encrypted = [item for item in volumes if item.file_system == "bitlocker"]
    for item in encrypted:
        yield Problem("the volume is encrypted with BitLocker", context.at(f"partition:{item.partition}"))
    if not volumes:
        yield Unknown("no partition was found")


@rule(
    "NTF105",
    "There is free space on the Windows volume",
    severity="warning",
    reads="$Bitmap of the volume, when it is at most 2 MiB or --deep is given",
    judgement="passes with at least free_space_mb of the profile (1024) or 5 % free; warns below both",
    why="A full volume makes updates fail in the next maintenance version, and a write cache cannot be larger than "
    "what the volume has room for.",
    fix="remove temporary files and old update packages (`Dism /Online /Cleanup-Image /StartComponentCleanup`), or "
    "extend the disk",
    versions="all",
    source="practice",
)
def free_space(context: Context) -> Iterator[Outcome]:
    """Judge free space."""
    volume = context.inspection.volume
    if volume is None:
        yield _no_volume(context)
        return
    if volume.free_bytes is None:
        yield gaps.unreadable(context, "ntfs.bitmap_damaged") or Unknown(
            "free space was not counted, because $Bitmap is larger than 2 MiB; --deep counts it"
        )
        return
    share = volume.free_bytes * 100 / volume.size if volume.size else 0
    text = f"{volume.free_bytes // _MIB} MiB free, {share:.1f} %"
    if volume.free_bytes < context.expect.free_space_mb * _MIB and share < 5:
        yield Problem("the Windows volume is nearly full", context.at("ntfs:$Bitmap"), text)
    else:
        yield Passed(text)


@rule(
    "NTF106",
    "The structures of the volume that were read are whole",
    severity="error",
    reads="boot sector, MFT records, directory indexes and $Bitmap, as far as the other questions need them",
    judgement="passes when nothing damaged was met, whatever was asked; fails otherwise. With --deep the whole volume "
    "is checked",
    why="A damaged record or index hides files: what is missing here may be there, and the other way round.",
    fix="start the vDisk in Private mode and run `chkdsk C: /f`",
    versions="all",
    source=_NTFS,
)
def structures(context: Context) -> Iterator[Outcome]:
    """Look for damage that was met."""
    inspection = context.inspection
    met = {item for item in inspection.notices if item.code.startswith("ntfs.") and item.code not in _STATES}
    # Whatever question met it. Damage in a hive has a rule of its own.
    met |= {item for item in inspection.damage if _in_volume(item.location or "")}
    # Several notices may tell of one damaged place.
    places = dict.fromkeys((item.message, item.location) for item in inspection.notices if item in met)
    problems = [Problem(message, location) for message, location in places]
    broken = [item for item in context.inspection.volumes if item.problem and item.file_system == "ntfs"]
    for item in broken:
        yield Problem(f"the volume cannot be read: {item.problem}", context.at(f"partition:{item.partition}"))
    if problems:
        yield from problems
    elif context.inspection.volume is None and not broken:
        yield _no_volume(context)


def _in_volume(location: str) -> bool:
    return _RECORD in location and "hive:" not in location


def _no_volume(context: Context) -> Unknown:
    if any(item.file_system == "bitlocker" for item in context.inspection.volumes):
        return Unknown("the volume is encrypted with BitLocker")
    problems = [item.problem for item in context.inspection.volumes if item.problem]
    return Unknown(problems[0] if problems else "no NTFS volume was found")


RULES = tuple(value for value in list(globals().values()) if isinstance(value, Rule))

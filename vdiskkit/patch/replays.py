"""Planning to write back what logs hold: the log of a VHDX, and the transaction logs of the image's hives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.errors import FileMissingError, FormatError
from vdiskkit.patch.api import plan
from vdiskkit.patch.ntfs import refusals
from vdiskkit.patch.operations import ReplayLogs
from vdiskkit.vdisk import open_vdisk
from vdiskkit.windows.regpath import HIVE_FILES

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from vdiskkit.patch.plan import Plan
    from vdiskkit.vdisk import VDisk
    from vdiskkit.windows.image import WindowsImage

__all__ = ["has_pending_log", "plan_replay"]


def plan_replay(
    path: str | os.PathLike[str],
    *,
    force: Collection[str] = (),
    volume: int | None = None,
    parent_dirs: Sequence[str | os.PathLike[str]] = (),
    full_check: bool = False,
    now: datetime | None = None,
) -> Plan:
    """Plan to replay every log that waits: that of a VHDX, and those of the image's hives; nothing is written.

    A hive whose logs cannot be replayed is left as it is, and a note of the plan says so. So are all hives of a volume
    that must not be changed, when the log of the VHDX can be replayed at least: it lies below the volume.

    Args:
        path: The disk, or its side-car.
        force: Gates that a person judged: ``lok``, ``standard-mode``.
        volume: Partition, None for the one with Windows.
        parent_dirs: Folders in which parents of a differencing disk are looked for.
        full_check: Walk the whole hives and the whole volume after staging, not only what was touched.
        now: The time that the hives get.

    Raises:
        VDiskError: See :func:`vdiskkit.plan`.
    """
    operations, notes = [], []
    with open_vdisk(path, volume=volume, parent_dirs=parent_dirs) as disk:
        if has_pending_log(disk):
            operations.append(ReplayLogs())
        windows = disk.windows_image()
        refused = refusals(disk.volume) if operations and windows is not None else []
        for name in HIVE_FILES if windows is not None else ():
            problem = _problem(windows, name)
            if problem is None and refused:
                notes.append(f"the {name} hive is left as it is: {refused[0].message}")
            elif problem is None:
                operations.append(ReplayLogs(hive=name))
            elif problem:
                notes.append(f"the {name} hive is left as it is: {problem}")
    return plan(
        path,
        operations,
        force=force,
        volume=volume,
        parent_dirs=parent_dirs,
        notes=notes,
        full_check=full_check,
        now=now,
    )


def has_pending_log(disk: VDisk) -> bool:
    """Whether the disk's own file is a VHDX that was not closed."""
    return getattr(disk.container, "log", None) is not None


def _problem(windows: WindowsImage | None, name: str) -> str | None:
    """Why a hive cannot be replayed: None when it can, empty when there is nothing to replay."""
    if windows is None:
        return ""
    try:
        hive = windows.registry(name)
    except FileMissingError:
        return ""
    except FormatError as exc:
        return exc.message
    if hive.replayed is None:
        return ""
    return f"it is dirty, and {hive.replayed.reason}" if hive.stale else None

"""Which logs of a disk wait: the log of a VHDX, and the transaction logs of the image's hives."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from vdiskkit.errors import FileMissingError, FormatError
from vdiskkit.patch.ntfs import refusals
from vdiskkit.patch.operations import ReplayLogs
from vdiskkit.windows.regpath import HIVE_FILES

if TYPE_CHECKING:
    from vdiskkit.container import VirtualDisk
    from vdiskkit.container.vhdx.disk import VhdxDisk
    from vdiskkit.patch.operations import Operation
    from vdiskkit.vdisk import VDisk
    from vdiskkit.windows.image import WindowsImage

__all__ = ["replay_operations"]


def replay_operations(disk: VDisk) -> tuple[list[Operation], list[str]]:
    """Return what replays every log that waits, and a note for each hive that is left as it is.

    That is a hive whose logs cannot be replayed. Where the volume must not be changed it is all of them, when the log
    of the VHDX can be replayed at least: it lies below the volume.
    """
    operations: list[Operation] = [ReplayLogs()] if _has_pending_log(disk.container) else []
    notes: list[str] = []
    windows = disk.windows_image()
    if windows is None:
        return operations, notes
    refused = refusals(disk.volume) if operations else []
    for name in HIVE_FILES:
        problem = _problem(windows, name)
        if problem is None and refused:
            problem = refused[0].message
        if problem is None:
            operations.append(ReplayLogs(hive=name))
        elif problem:
            notes.append(f"the {name} hive is left as it is: {problem}")
    return operations, notes


def _has_pending_log(container: VirtualDisk) -> bool:
    return container.format == "vhdx" and cast("VhdxDisk", container).log is not None


def _problem(windows: WindowsImage, name: str) -> str | None:
    """Why a hive cannot be replayed: None when it can, empty when there is nothing to replay."""
    try:
        hive = windows.registry(name)
    except FileMissingError:
        return ""
    except FormatError as exc:
        return exc.message
    if hive.replayed is None:
        return ""
    return f"it is dirty, and {hive.replayed.reason}" if hive.stale else None

"""Transaction logs of hives as files that somebody wants to delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.errors import FormatError, LogReplayNeededError
from vdiskkit.registry import LOG_ENDINGS, Hive
from vdiskkit.windows.image import WindowsImage

if TYPE_CHECKING:
    from vdiskkit.ntfs import NtfsFile, NtfsVolume

__all__ = ["refuse_needed_log"]


def refuse_needed_log(volume: NtfsVolume, file: NtfsFile) -> None:
    """Refuse to delete a log that a dirty hive beside it needs.

    Args:
        volume: The volume as it is.
        file: The file that is to be deleted.

    Raises:
        LogReplayNeededError: It holds changes that are not in the hive yet.
    """
    endings = [ending for ending in LOG_ENDINGS if file.path.casefold().endswith(ending.casefold())]
    if not endings:
        return
    path = file.path[: -len(endings[0])]
    hive_file = volume.find(path)
    if hive_file is None or hive_file.is_directory:
        return
    try:
        hive = Hive(hive_file.open(), hive_file.name, logs=lambda: WindowsImage(volume).log_files(path))
    except FormatError:
        return
    replayed = hive.replayed
    if replayed is not None and any(name.casefold() == file.name.casefold() for name in replayed.logs):
        raise LogReplayNeededError(
            f"{file.name} holds changes that are not in the hive {hive_file.name} yet; without it they are lost",
            location=file.location,
            hint="replay the logs first (`replay`), or start the image once and shut it down",
        )

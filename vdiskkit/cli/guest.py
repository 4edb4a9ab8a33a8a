r"""Guest paths as people type them, and those that a shell took the backslashes out of.

bash, zsh and fish make ``WindowsTempsetup.log`` of ``Windows\Temp\setup.log`` when it stands without quotation marks.
Such a path is told by its looks: it holds no separator, and begins with the name of a directory that the root of the
volume has. A file of that name in the root itself can still be named, with a separator before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.errors import FileMissingError, UsageError, VDiskError
from vdiskkit.location import Location

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vdiskkit.ntfs import NtfsFile, NtfsVolume

__all__ = ["first_directory", "lookup", "missing_hint", "refuse_lost_separators"]


def lookup(volume: NtfsVolume, path: str, *, follow: bool = True) -> NtfsFile:
    """Find a guest file as :meth:`NtfsVolume.lookup` does, with a hint when the path looks like one for a shell.

    Raises:
        VDiskError: It cannot be found.
    """
    try:
        return volume.lookup(path, follow=follow)
    except FileMissingError as exc:
        exc.hint = exc.hint or missing_hint(volume, path)
        raise


def missing_hint(volume: NtfsVolume, path: str) -> str | None:
    """What to do about a path that leads to no file; None when it does not look as if separators were lost."""
    try:
        directory = _begins_with(volume, path)
    except VDiskError:
        return None
    return None if directory is None else _hint(directory, path)


def refuse_lost_separators(volume: NtfsVolume, path: str) -> None:
    """Refuse a path that leads to no file, where a missing file is no error but its separators may be missing.

    Raises:
        UsageError: It looks so.
        VDiskError: The root directory cannot be listed.
    """
    directory = _begins_with(volume, path)
    if directory is not None:
        raise UsageError(
            f"there is no file {path}, and the path looks as if its separators were lost",
            location=Location(volume.location.path),
            hint=_hint(directory, path),
        )


def first_directory(path: str, directories: Iterable[str]) -> str | None:
    """Return the longest of the directories' names that a path without any separator begins with.

    What follows it must be able to begin a name: ``Windows.old`` and ``Users (copy)`` are names of their own.
    """
    if "\\" in path or "/" in path:
        return None
    name = path[2:] if path[1:2] == ":" and path[:1].isalpha() else path
    folded = name.casefold()
    fitting = [
        directory
        for directory in directories
        if folded.startswith(directory.casefold()) and name[len(directory) :][:1] not in ("", ".", " ", ":")
    ]
    return max(fitting, key=len, default=None)


def _begins_with(volume: NtfsVolume, path: str) -> str | None:
    if "\\" in path or "/" in path:
        return None  # known without reading
    return first_directory(path, (entry.name for entry in volume.listdir(verify=False) if entry.is_directory))


def _hint(directory: str, path: str) -> str:
    return (
        f'a shell takes backslashes out: put the path in double quotes, "{directory}\\..."; '
        f'for a file of this name in the root directory write "\\{path}"'
    )

"""One look at a folder: the names that can belong to a vDisk, without opening anything."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import VDiskError
from vdiskkit.io.paths import host_path

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["Entry", "Listing", "exists", "join", "split", "take_listing"]

WRITE_CACHE = "writecache"


class Entry(NamedTuple):
    """A file of the folder."""

    name: str
    size: int | None
    modified: datetime | None


class Listing:
    """The files of a folder whose names begin alike. Names are compared as Windows does: without regard to case.

    Attributes:
        folder: The folder as the user wrote it, empty for the current one.
        problem: Why the folder could not be listed; None when it could.
        write_cache: Name of the folder's ``WriteCache`` subfolder, None without one.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.problem: str | None = None
        self.write_cache: str | None = None
        self._names: dict[str, list[str]] = {}
        self._entries: dict[str, os.DirEntry[str]] = {}

    def add(self, entry: os.DirEntry[str]) -> None:
        """Keep a directory entry."""
        self._names.setdefault(entry.name.lower(), []).append(entry.name)
        self._entries[entry.name] = entry

    def add_name(self, name: str) -> None:
        """Keep a file that is known to exist although the folder cannot be listed."""
        self._names.setdefault(name.lower(), []).append(name)

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(name for group in self._names.values() for name in group)

    def find(self, name: str) -> list[str]:
        """Names equal to ``name`` but for case, the exact one first."""
        return sorted(self._names.get(name.lower(), ()), key=lambda found: (found != name, found))

    def entry(self, name: str) -> Entry:
        """Return size and time of a file; both None when the system does not tell."""
        listed = self._entries.get(name)
        try:
            status = listed.stat() if listed else os.stat(host_path(self.path(name)).opened)  # noqa: PTH116 - no Path
        except OSError:
            return Entry(name, None, None)
        return Entry(name, status.st_size, _time(status.st_mtime_ns))

    def path(self, name: str) -> str:
        """Return the path of a file of this folder, in the user's spelling of the folder."""
        return join(self.folder, name)


def take_listing(folder: str, prefix: str) -> Listing:
    """List the files of ``folder`` whose names begin with ``prefix``, and note its WriteCache folder.

    A folder that cannot be listed gives an empty listing with a problem: some shares allow reading, but not listing.
    """
    listing = Listing(folder)
    wanted = prefix.lower()
    try:
        # The form for a file is asked for: a drive or share in its verbatim form is no path of a file.
        opened, _name = split(host_path(join(folder, prefix or WRITE_CACHE)).opened)
        with os.scandir(opened or os.curdir) as entries:
            for entry in entries:
                name = entry.name.lower()
                if name.startswith(wanted) and _is_file(entry):
                    listing.add(entry)
                if name == WRITE_CACHE and _is_folder(entry):
                    listing.write_cache = entry.name
    except OSError as exc:
        listing.problem = exc.strerror or str(exc)
    except VDiskError as exc:
        listing.problem = exc.message
    return listing


def exists(path: str) -> bool:
    """Whether there is a file; false also when that cannot be found out."""
    try:
        return os.path.isfile(host_path(path).opened)  # noqa: PTH113 - the user's own spelling is kept
    except (VDiskError, ValueError):
        return False


def split(path: str) -> tuple[str, str]:
    """Split into folder and file name."""
    return os.path.split(path)


def join(folder: str, name: str) -> str:
    """Put a name behind a folder; an empty folder adds nothing."""
    return os.path.join(folder, name)  # noqa: PTH118 - the user's own spelling of the folder is kept


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _time(nanoseconds: int) -> datetime | None:
    from datetime import UTC, datetime, timedelta

    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        return None

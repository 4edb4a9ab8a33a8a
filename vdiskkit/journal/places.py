"""Where journals lie, and which files they act on.

A journal lies beside its disk, under the disk's name. None of the names ends in ``.lok``. Whoever can put a file there
can write a journal, so the names that it holds decide nothing: it acts on the disk that was named, and on that disk's
own side-car. A pair that was renamed or copied together with its journals so keeps its history.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from vdiskkit.errors import CorruptStructureError, SourceError, WriteRefusedError
from vdiskkit.io.paths import HOST_PATHS, is_there, names_in, read_beside
from vdiskkit.journal.format import BODY_LIMIT, BODY_OFFSET, MOST_FILES, Journal, JournalState, parse_journal
from vdiskkit.location import Location
from vdiskkit.naming import DISK_EXTENSIONS, JOURNAL_SUFFIX, SIDE_CAR_EXTENSION, extension_of, side_car_name

if TYPE_CHECKING:
    from vdiskkit.io.paths import PathRules

__all__ = [
    "JOURNAL_LIMIT",
    "JOURNAL_SUFFIX",
    "journal_path",
    "next_undo_path",
    "paths_of",
    "read_journal",
    "read_pending",
    "undo_number",
    "undo_paths",
]

JOURNAL_LIMIT = BODY_OFFSET + BODY_LIMIT
"""Bytes that a journal has at most."""

_UNDO = ".vdiskkit-undo-"
_BESIDE = re.compile(r"(?P<disk>.+)(?:\.vdiskkit-journal|\.vdiskkit-undo-[0-9]+)", re.DOTALL | re.IGNORECASE)
_LAST_NUMBER = 10**18 - 1
_SHOWN = 80
"""Characters of a name that a message shows."""


class Folders(Protocol):
    """A file system, as far as journals are looked for and read in it."""

    @property
    def paths(self) -> PathRules:
        """How paths are written there."""
        ...

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder."""
        ...

    def read(self, path: str, limit: int) -> bytes:
        """Return the content of a regular file, up to ``limit`` bytes of it."""
        ...


class _HostFolders:
    paths = HOST_PATHS

    def names(self, folder: str) -> list[str]:
        return names_in(folder)

    def read(self, path: str, limit: int) -> bytes:
        return read_beside(path, limit)


_HOST = _HostFolders()


def journal_path(disk_path: str) -> str:
    """Return the path of the journal of a change to ``disk_path`` that is under way."""
    return disk_path + JOURNAL_SUFFIX


def undo_paths(disk_path: str, system: Folders = _HOST) -> list[str]:
    """Return the journals that are kept to take changes back, the oldest first.

    Args:
        disk_path: The disk.
        system: Where it lies.

    Raises:
        SourceError: The folder cannot be listed, so nobody knows.
    """
    try:
        return [path for _, path in _kept(disk_path, system)]
    except SourceError:
        raise
    except OSError as exc:
        raise SourceError(
            f"which changes are kept cannot be listed: {exc.strerror or exc}",
            location=Location(disk_path),
            hint="check the access rights of the folder and that the share is connected",
        ) from exc


def next_undo_path(disk_path: str, system: Folders = _HOST) -> str:
    """Return the path under which the next committed journal is kept; see :func:`undo_paths`.

    Raises:
        WriteRefusedError: The numbers are used up.
        OSError: The folder cannot be listed, so nobody knows which names are taken.
    """
    kept = _kept(disk_path, system)
    number = kept[-1][0] + 1 if kept else 1
    if number > _LAST_NUMBER:
        raise WriteRefusedError(
            f"no further change of this disk can be kept: the last number is taken by {kept[-1][1]}",
            location=Location(disk_path),
            hint="nothing was changed; move that file away, vdiskkit did not give it this number",
        )
    return f"{disk_path}{_UNDO}{number:04d}"


def undo_number(path: str) -> str:
    """Return what follows the disk's name and the suffix in the name of a kept journal; empty when it is none."""
    return path.lower().rpartition(_UNDO)[2] if _UNDO in path.lower() else ""


def _kept(disk_path: str, system: Folders) -> list[tuple[int, str]]:
    folder, name = system.paths.split(disk_path)
    pattern = re.compile(re.escape(system.paths.normcase(name + _UNDO)) + r"([0-9]{4,18})")
    found = []
    for entry in system.names(folder or "."):
        match = pattern.fullmatch(system.paths.normcase(entry))
        if match is not None:
            found.append((int(match[1]), system.paths.join(folder, entry)))
    return sorted(found)


def paths_of(disk_path: str, journal: Journal, system: Folders = _HOST) -> list[str]:
    """Return the files that a journal beside a disk acts on: that disk, and its own side-car.

    Raises:
        CorruptStructureError: The journal is about something else.
        OSError: The folder cannot be listed.
    """
    folder, name = system.paths.split(disk_path)
    files = journal.files
    if (
        len(files) > MOST_FILES
        or _kind(files[0].name) != _kind(name)
        or any(extension_of(entry.name) != SIDE_CAR_EXTENSION for entry in files[1:])
        or any(system.paths.basename(entry.name) != entry.name for entry in files)
    ):
        named = ", ".join(repr(entry.name[:_SHOWN]) for entry in files[: MOST_FILES + 1])
        raise CorruptStructureError(
            f"the journal is not one of this disk and its side-car: it names {named}",
            location=Location(disk_path),
            hint="nothing was touched; move the journals beside this disk away, vdiskkit did not write them for it",
        )
    paths = [disk_path]
    if len(files) > 1:
        paths.append(system.paths.join(folder, _side_car(folder, name, files[1].name, system)))
    return paths


def _kind(name: str) -> str:
    """What a name says about the kind of a file; disks may become each other."""
    extension = extension_of(name)
    return "disk" if extension in DISK_EXTENSIONS else extension


def _side_car(folder: str, disk_name: str, remembered: str, system: Folders) -> str:
    """Return the name of the disk's side-car as it is there, the one that the journal remembers if that is one."""
    wanted = side_car_name(disk_name)
    if remembered.lower() == wanted.lower():
        return remembered
    found = sorted(entry for entry in system.names(folder or ".") if entry.lower() == wanted.lower())
    return wanted if wanted in found or not found else found[0]


def read_journal(path: str, system: Folders = _HOST) -> Journal | None:
    """Read a journal; None when its change had not begun. Whoever needs one gets it from here.

    Its files have the names that they have now; see :func:`paths_of`.

    Raises:
        SourceError: The file cannot be read, or is not a regular file.
        CorruptStructureError: It is damaged, was not written by vdiskkit, or is about something else than its disk.
        UnsupportedFeatureError: It was made by a newer version.
    """
    data = system.read(path, JOURNAL_LIMIT + 1)
    if len(data) > JOURNAL_LIMIT:
        raise CorruptStructureError(
            f"a change journal of more than {JOURNAL_LIMIT} bytes is impossible",
            location=Location(path),
            hint="this file was not written by vdiskkit; move it away",
        )
    journal = parse_journal(data, Location(path))
    beside = _BESIDE.fullmatch(path)
    if journal is None or beside is None:
        return journal
    try:
        paths = paths_of(beside["disk"], journal, system)
    except SourceError:
        raise
    except OSError as exc:
        raise SourceError(
            f"the folder cannot be listed: {exc.strerror or exc}",
            location=Location(path),
            hint="check the access rights of the folder and that the share is connected",
        ) from exc
    names = map(system.paths.basename, paths)
    return journal._replace(
        files=tuple(entry._replace(name=name) for entry, name in zip(journal.files, names, strict=True))
    )


def read_pending(disk_path: str) -> Journal | None:
    """Return the journal of a change to ``disk_path`` that was interrupted; None when there is none.

    Raises:
        SourceError: The journal cannot be read.
        CorruptStructureError: It is damaged.
    """
    path = journal_path(disk_path)
    if not is_there(path):
        return None
    try:
        journal = read_journal(path)
    except SourceError:
        if is_there(path):
            raise
        return None  # the change has ended in this very moment
    return journal if journal is not None and journal.state is not JournalState.COMMITTED else None

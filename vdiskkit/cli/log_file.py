"""The log file: opened so that it can only grow, and that nothing of a vDisk can be mistaken for it.

Each line goes out in one write to the end of the file, so several processes may share one. On Windows it is opened for
appending alone and shared with everybody, so others may read, rename and remove it meanwhile. What is appended to is a
plain file that is empty or begins as our logs do; names that belong to vDisks are refused even when nothing is there,
as an empty ``.lok`` or journal would speak of a use or a change that there never was.
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

from vdiskkit.cli.output import guard_output, is_vdisk_name, resolved, same_file
from vdiskkit.errors import UsageError
from vdiskkit.io.opening import open_for_appending, read_at
from vdiskkit.location import Location

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["LogFile"]

_HEAD = 64
_MANIFEST = ".xml"
_OURS = re.compile(rb'(?:\{"time": ?")?[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:')


class LogFile:
    """A log that is appended to.

    Args:
        path: The file, as the user named it.
        targets: What the command works on: never written to.

    Raises:
        UsageError: It cannot be written, or is no log.
    """

    def __init__(self, path: str, targets: Iterable[str] = ()) -> None:
        self._path = path
        targets = list(targets)
        _check_name(path)
        opened = guard_output(path, targets)
        try:
            self._descriptor = open_for_appending(opened)
        except OSError as exc:
            raise self._failed(exc) from exc
        try:
            self._begin = self._look(targets)
        except BaseException:
            self.close()
            raise

    def append(self, text: str) -> None:
        """Add text that ends with a line end, in one write.

        Raises:
            OSError: It could not be written.
        """
        data = self._begin + text.encode("utf-8", "backslashreplace")
        while data:  # one write, unless the disk is full in its midst
            data = data[os.write(self._descriptor, data) :]
            self._begin = b""

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _look(self, targets: Iterable[str]) -> bytes:
        """Make sure of the file that is open now; return what must stand before the first line."""
        try:
            status = os.fstat(self._descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise _no_plain_file(self._path)
            head = read_at(self._descriptor, 0, _HEAD)
            last = read_at(self._descriptor, max(status.st_size - 1, 0), 1)
        except OSError as exc:
            raise self._failed(exc) from exc
        if any(same_file(self._descriptor, target) for target in targets):
            raise _vdisk_file(self._path)
        if head and not _OURS.match(head):
            raise UsageError(
                "this file is no log of vdiskkit, so nothing is appended to it",
                location=Location(self._path),
                hint="name a new file, or a log that --log-file has begun",
            )
        # Whoever wrote last may have been ended in the midst of a line.
        return b"\n" if last not in {b"", b"\n"} else b""

    def _failed(self, exc: OSError) -> UsageError:
        return UsageError(
            f"the log file cannot be written: {exc.strerror or exc}",
            location=Location(self._path),
            hint="name a file in a folder that exists, which may be read and written",
        )


def _check_name(path: str) -> None:
    from vdiskkit.io.paths import host_path

    opened = host_path(path).opened
    names = [os.path.basename(name) for name in (path, resolved(opened))]
    if any(is_vdisk_name(name) or name.lower().endswith(_MANIFEST) for name in names):
        raise _vdisk_file(path)
    try:
        mode = os.stat(opened).st_mode
    except (OSError, ValueError):
        return  # nothing is there yet, or opening it tells why it cannot be looked at
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise _no_plain_file(path)


def _vdisk_file(path: str) -> UsageError:
    return UsageError(
        "the log would be written to a file that belongs to a vDisk",
        location=Location(path),
        hint="name another file, such as vdiskkit.log",
    )


def _no_plain_file(path: str) -> UsageError:
    return UsageError(
        "a log is a plain file, not a device or pipe",
        location=Location(path),
        hint="name a file; -v writes the log to standard error",
    )

"""Opening, creating, renaming and removing files of this machine, by Windows' rules and by POSIX's.

Every function takes a path that :func:`vdiskkit.io.paths.host_path` has checked, in the form for the operating system.
Only regular files are opened: a named pipe or a device under a disk's name would wait for ever.
"""

from __future__ import annotations

import errno
import os
import stat
import sys

if sys.platform == "win32":
    from vdiskkit.io import windows as system
else:
    from vdiskkit.io import posix as system

__all__ = ["create_private", "flush_folder", "open_alone", "open_shared", "remove", "rename", "replace", "resize"]


def open_shared(path: str) -> int:
    """Open a file for reading and return its descriptor; others may do with the file whatever they like.

    Raises:
        OSError: It cannot be opened, or is not a regular file.
    """
    return _regular(system.open_shared(path), path)


def open_alone(path: str, *, readers: bool = False) -> int:
    """Open a file for reading and writing, and return its descriptor; nobody else may be writing to it.

    On Windows nobody else may have it open at all, unless ``readers`` lets others read it.

    Raises:
        BlockingIOError: Another program has it open.
        OSError: It cannot be opened, or is not a regular file.
    """
    return _regular(system.open_alone(path, readers=readers), path)


def create_private(path: str) -> int:
    """Create a file that only its owner may open, and on Windows administrators; return its descriptor.

    Raises:
        FileExistsError: There is one already.
        OSError: It cannot be created.
    """
    return system.create_private(path)


def rename(path: str, new_path: str) -> None:
    """Give a file another name in the same folder; on Windows that lasts when this returns, and the name must be free.

    Raises:
        OSError: It cannot be renamed.
    """
    system.rename(path, new_path)


def replace(path: str, new_path: str) -> None:
    """Give a file the name of another one, which is gone then.

    Raises:
        OSError: It cannot be renamed; on Windows for instance because somebody has the other one open.
    """
    system.replace(path, new_path)


def remove(path: str) -> None:
    """Remove a file.

    Raises:
        OSError: It cannot be removed.
    """
    system.remove(path)


def resize(descriptor: int, size: int) -> None:
    """Set the length of an open file; a new part is zeros, which are not written.

    Raises:
        OSError: It cannot have that length.
    """
    system.resize(descriptor, size)


def flush_folder(folder: str) -> None:
    """Bring the names in a folder to stable storage, where the system can do that.

    Raises:
        OSError: The folder cannot be opened.
    """
    system.flush_folder(folder)


def _regular(descriptor: int, path: str) -> int:
    """Return the descriptor of a regular file; close any other and raise."""
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    raise OSError(errno.EINVAL, "it is a device or a named pipe, not a file", path)

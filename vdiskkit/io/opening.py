"""Opening, creating, renaming and removing files of this machine, by Windows' rules and by POSIX's.

Every function takes a path that :func:`vdiskkit.io.paths.host_path` has checked, in the form for the operating system.
Only regular files are opened, but for a log's: a named pipe or a device under a disk's name would wait for ever.
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

__all__ = [
    "create_private",
    "flush_folder",
    "is_hole",
    "open_alone",
    "open_for_appending",
    "open_shared",
    "read_at",
    "remove",
    "rename",
    "replace",
    "resize",
]


def open_shared(path: str, *, follow: bool = True) -> int:
    """Open a file for reading and return its descriptor; others may do with the file whatever they like.

    Args:
        path: The file.
        follow: Whether the name may be a symbolic link to it.

    Raises:
        OSError: It cannot be opened, or is not a regular file.
    """
    if follow:
        return _regular(system.open_shared(path), path)
    _refuse_link(path)
    return _no_link(_regular(system.open_shared(path, follow=False), path), path)


def open_alone(path: str, *, readers: bool = False) -> int:
    """Open a file for reading and writing, and return its descriptor; nobody else may have it open.

    ``readers`` lets others read it. Windows keeps others away until it is closed. Linux tells whether anybody on this
    machine has it open now, and from then on keeps those away only who lock files; see :mod:`vdiskkit.io.linux`.
    Elsewhere those are found alone. No symbolic link is followed: a disk that is named by one is resolved before, and
    what lies beside a disk has one name.

    Raises:
        BlockingIOError: Another program has it open.
        OSError: It cannot be opened, or is not a regular file.
    """
    _refuse_link(path)
    return _no_link(_regular(system.open_alone(path, readers=readers), path), path)


def open_for_appending(path: str) -> int:
    """Open a file, or create it, for reading it and adding to its end; return its descriptor.

    Every write goes to what is the end by then, so several processes may add to one file. It may be a device or a named
    pipe, which nothing waits for. On Windows others may read, rename and remove it meanwhile.

    Raises:
        OSError: It cannot be opened or created.
    """
    return system.open_for_appending(path)


def read_at(descriptor: int, offset: int, length: int) -> bytes:
    """Read up to ``length`` bytes at an offset, which may leave the place for the next read elsewhere.

    Raises:
        OSError: It cannot be read.
    """
    return system.read_at(descriptor, offset, length)


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


def is_hole(descriptor: int, offset: int, length: int) -> bool:
    """Whether nothing is stored for a range of an open file: it reads as zeros, and writing there takes new space.

    False where the system does not tell.
    """
    return system.is_hole(descriptor, offset, length)


def flush_folder(folder: str) -> None:
    """Bring the names in a folder to stable storage, where the system can do that.

    Raises:
        OSError: The folder cannot be opened, or its flushing failed.
    """
    system.flush_folder(folder)


def _refuse_link(path: str) -> None:
    if os.path.islink(path):
        raise OSError(errno.ELOOP, "it is a symbolic link, not a file", path)


def _no_link(descriptor: int, path: str) -> int:
    """Return the descriptor unless the name has become a link meanwhile, which Windows would have followed."""
    try:
        _refuse_link(path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _regular(descriptor: int, path: str) -> int:
    """Return the descriptor of a regular file; close any other and raise."""
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    raise OSError(errno.EINVAL, "it is a device or a named pipe, not a file", path)

"""Files as POSIX systems have them: names and files are separate, locks are asked for, folders are flushed."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys

assert sys.platform != "win32"  # noqa: S101 - for the type checker: what follows exists elsewhere only

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

# Opening a named pipe would wait for whoever writes to it; regular files know no waiting.
_FLAGS = os.O_CLOEXEC | os.O_NONBLOCK

_NO_FOLDERS = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
"""What a file system answers that does not flush folders; everything else means that it failed."""

remove = os.unlink
rename = os.rename
replace = os.replace
resize = os.ftruncate


def open_shared(path: str, *, follow: bool = True) -> int:
    """Open for reading; see :func:`vdiskkit.io.opening.open_shared`."""
    return os.open(path, os.O_RDONLY | _FLAGS | (0 if follow else os.O_NOFOLLOW))


def open_alone(path: str, *, readers: bool = False) -> int:
    """Open for reading and writing; see :func:`vdiskkit.io.opening.open_alone`."""
    descriptor = os.open(path, os.O_RDWR | _FLAGS | os.O_NOFOLLOW)
    try:
        if not readers:
            _check_alone(descriptor)
        _lock(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


if sys.platform == "linux":

    def _check_alone(descriptor: int) -> None:
        # Before our own lock: over NFS and SMB it looks like another one's.
        from vdiskkit.io.linux import check_nobody_has_it_open

        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            check_nobody_has_it_open(descriptor)

else:

    def _check_alone(descriptor: int) -> None:
        """Nobody can be asked: see those who lock files with ``flock``."""


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        raise BlockingIOError(exc.errno, "a program has locked it") from exc
    except OSError:
        # A file system without locks: the lock file beside the disk still keeps a second vdiskkit away.
        pass


def open_for_appending(path: str) -> int:
    """Open or create for reading and appending; see :func:`vdiskkit.io.opening.open_for_appending`."""
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOCTTY | _FLAGS, 0o666)


def read_at(descriptor: int, offset: int, length: int) -> bytes:
    """Read at an offset; see :func:`vdiskkit.io.opening.read_at`."""
    return os.pread(descriptor, length, offset)


def create_private(path: str) -> int:
    """Create for reading and writing; see :func:`vdiskkit.io.opening.create_private`."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def is_hole(descriptor: int, offset: int, length: int) -> bool:
    """Whether nothing is stored for a range; see :func:`vdiskkit.io.opening.is_hole`."""
    try:
        return os.lseek(descriptor, offset, os.SEEK_DATA) >= offset + length
    except OSError as exc:
        return exc.errno == errno.ENXIO  # nothing but a hole from there on
    except AttributeError:  # a system that knows no holes
        return False


def flush_folder(folder: str) -> None:
    """Bring the names in a folder to stable storage; see :func:`vdiskkit.io.opening.flush_folder`."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as exc:
        # Some network file systems refuse to flush a folder; their server does it when it answers.
        if exc.errno not in _NO_FOLDERS:
            raise
    finally:
        os.close(descriptor)

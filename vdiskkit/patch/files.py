"""The few operations on files that a change needs, in one place: each is where a crash can happen.

Tests put another implementation in their place, which stops, tears, drops and reorders writes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING, Protocol

from vdiskkit.errors import InUseError, SourceError
from vdiskkit.io.paths import host_path
from vdiskkit.location import Location

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["FileSystem", "OpenFile", "RealFileSystem"]


class OpenFile(Protocol):
    """A file open for reading and writing."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to ``length`` bytes; fewer only at the end of the file."""
        ...

    def write_at(self, offset: int, data: bytes) -> None:
        """Write all of ``data`` at ``offset``."""
        ...

    def resize(self, size: int) -> None:
        """Set the length; a new part is zeros."""
        ...

    def size(self) -> int:
        """Return the length in bytes."""
        ...

    def flush(self) -> None:
        """Bring everything written so far to stable storage."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class FileSystem(Protocol):
    """Where the files of a change lie."""

    def open(self, path: str) -> OpenFile:
        """Open an existing file for changing it, shared with no other writer.

        Raises:
            SourceError: It cannot be opened for writing.
            InUseError: Another program has it open for writing.
        """
        ...

    def create(self, path: str) -> OpenFile:
        """Create a file that only its owner may read.

        Raises:
            FileExistsError: There is one already.
        """
        ...

    def exists(self, path: str) -> bool:
        """Whether there is a file."""
        ...

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder."""
        ...

    def stamp(self, path: str) -> tuple[int, int]:
        """Return length in bytes and modification time in nanoseconds."""
        ...

    def rename(self, path: str, new_path: str) -> None:
        """Give a file another name in the same folder."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file."""
        ...

    def flush_folder(self, path: str) -> None:
        """Bring the names in the folder of ``path`` to stable storage."""
        ...

    def free_space(self, path: str) -> int | None:
        """Return the free bytes where ``path`` lies, None when that is not known."""
        ...


class _RealFile:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read_at(self, offset: int, length: int) -> bytes:
        parts = []
        os.lseek(self._descriptor, offset, os.SEEK_SET)
        while length:
            part = os.read(self._descriptor, min(length, 1 << 24))
            if not part:
                break
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def write_at(self, offset: int, data: bytes) -> None:
        view = memoryview(data)
        os.lseek(self._descriptor, offset, os.SEEK_SET)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def resize(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def flush(self) -> None:
        os.fsync(self._descriptor)

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class RealFileSystem:
    """The operating system's files."""

    def open(self, path: str) -> OpenFile:
        """Open an existing file for changing it; see :class:`FileSystem`."""
        try:
            descriptor = _open_exclusive(host_path(path).opened)
        except BlockingIOError as exc:
            raise InUseError(
                "another program holds the file open for writing",
                location=Location(path),
                hint="end the program that uses it (PVS streaming, a mount, a copy), then try again",
            ) from exc
        except OSError as exc:
            raise SourceError(
                f"the file cannot be opened for writing: {exc.strerror or exc}",
                location=Location(path),
                hint="check that the file and its share are writable and not in use",
            ) from exc
        return _RealFile(descriptor)

    def create(self, path: str) -> OpenFile:
        """Create a file that only its owner may read; see :class:`FileSystem`."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        return _RealFile(os.open(host_path(path).opened, flags, 0o600))

    def exists(self, path: str) -> bool:
        """Whether there is a file."""
        return os.path.lexists(host_path(path).opened)

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder."""
        return os.listdir(host_path(folder).opened)

    def stamp(self, path: str) -> tuple[int, int]:
        """Return length in bytes and modification time in nanoseconds."""
        result = os.stat(host_path(path).opened)
        return result.st_size, result.st_mtime_ns

    def rename(self, path: str, new_path: str) -> None:
        """Give a file another name in the same folder."""
        os.rename(host_path(path).opened, host_path(new_path).opened)

    def remove(self, path: str) -> None:
        """Remove a file."""
        os.unlink(host_path(path).opened)

    def flush_folder(self, path: str) -> None:
        """Bring the names in the folder of ``path`` to stable storage."""
        if os.name == "nt":
            return  # NTFS writes names through its own log; a folder cannot be flushed by its handle
        folder = os.path.dirname(path) or "."
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            # Some network file systems refuse to flush a folder; their server does it when it answers.
            with contextlib.suppress(OSError):
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def free_space(self, path: str) -> int | None:
        """Return the free bytes where ``path`` lies, None when that is not known."""
        try:
            return shutil.disk_usage(os.path.dirname(path) or ".").free
        except OSError:
            return None


def _open_exclusive(path: str) -> int:
    if os.name == "nt":
        return _open_share_none(path)
    descriptor = os.open(path, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    except OSError:
        # A file system without locks: the lock file beside the disk still keeps a second vdiskkit away.
        pass
    return descriptor


def _open_share_none(path: str) -> int:
    """Open for writing with no sharing: Windows then refuses every other open, PVS streaming included."""
    import ctypes
    import msvcrt

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined]
    kernel.CreateFileW.restype = ctypes.c_void_p
    generic_read_write, open_existing, normal = 0xC0000000, 3, 0x80
    handle = kernel.CreateFileW(ctypes.c_wchar_p(path), generic_read_write, 0, None, open_existing, normal, None)
    if handle in {None, ctypes.c_void_p(-1).value}:
        code = ctypes.get_last_error()  # type: ignore[attr-defined]
        if code == 32:  # ERROR_SHARING_VIOLATION
            raise BlockingIOError(code, "in use", path)
        raise ctypes.WinError(code)  # type: ignore[attr-defined]
    return int(msvcrt.open_osfhandle(handle, os.O_RDWR | os.O_BINARY))  # type: ignore[attr-defined]


@contextlib.contextmanager
def closed_quietly(*files: OpenFile) -> Iterator[OpenFile]:
    """Close files at the end of the block; yield the first.

    What has to be on the disk was flushed by then, so an error of closing says nothing more.
    """
    try:
        yield files[0]
    finally:
        close_quietly(files)


def close_quietly(files: Iterable[OpenFile]) -> None:
    """Close files whatever happens; see :func:`closed_quietly`."""
    for file in files:
        with contextlib.suppress(OSError):
            file.close()

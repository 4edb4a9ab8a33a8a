"""The few operations on files that a change needs, in one place: each is where a crash can happen.

Tests put another implementation in their place, which stops, tears, drops and reorders writes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING, Protocol

from vdiskkit.errors import InUseError, SourceError
from vdiskkit.io import opening
from vdiskkit.io.paths import HOST_PATHS, fits, folder_of, host_path, is_there, names_in, read_beside
from vdiskkit.location import Location

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vdiskkit.io.paths import PathRules

__all__ = ["FileSystem", "OpenFile", "RealFileSystem"]


_HALF = 1 << 63


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

    def is_hole(self, offset: int, length: int) -> bool:
        """Whether nothing is stored for a range: it reads as zeros, and writing there takes new space."""
        ...

    def flush(self) -> None:
        """Bring everything written so far to stable storage."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class FileSystem(Protocol):
    """Where the files of a change lie.

    The rules are Windows': what is open is neither renamed nor removed, whoever has it open.
    """

    @property
    def paths(self) -> PathRules:
        """How paths are written there."""
        ...

    def open(self, path: str, *, readers: bool = False) -> OpenFile:
        """Open an existing file for changing it, shared with no other writer; never one behind a link.

        Args:
            path: The file.
            readers: Whether others may read it meanwhile: what they see may be old or new.

        Raises:
            SourceError: It cannot be opened for writing.
            InUseError: Another program has it open.
        """
        ...

    def read(self, path: str, limit: int) -> bytes:
        """Return the content of a file, up to ``limit`` bytes of it, in nobody's way; never of one behind a link.

        Raises:
            SourceError: It cannot be opened or read, or is not a regular file.
        """
        ...

    def create(self, path: str) -> OpenFile:
        """Create a file that only its owner may read.

        Raises:
            FileExistsError: There is one already.
        """
        ...

    def exists(self, path: str) -> bool:
        """Whether there is a file.

        Raises:
            SourceError: That cannot be found out.
        """
        ...

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder."""
        ...

    def fits(self, path: str) -> bool:
        """Whether the name of a file is short enough."""
        ...

    def stamp(self, path: str) -> tuple[int, int]:
        """Return length in bytes and modification time in nanoseconds."""
        ...

    def rename(self, path: str, new_path: str) -> None:
        """Give a file that nobody has open another name in the same folder."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file that nobody has open."""
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
        opening.resize(self._descriptor, size)

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def is_hole(self, offset: int, length: int) -> bool:
        return opening.is_hole(self._descriptor, offset, length)

    def flush(self) -> None:
        os.fsync(self._descriptor)

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class RealFileSystem:
    """The operating system's files."""

    paths = HOST_PATHS

    def open(self, path: str, *, readers: bool = False) -> OpenFile:
        """Open an existing file for changing it; see :class:`FileSystem`."""
        try:
            descriptor = opening.open_alone(host_path(path).opened, readers=readers)
        except BlockingIOError as exc:
            who = f": {exc.strerror}" if exc.filename is None and exc.strerror else ""
            raise InUseError(
                f"another program holds the file open{who}",
                location=Location(path),
                hint="end the program that uses it (PVS streaming, a virtual machine, a mount, a copy), then try again",
            ) from exc
        except OSError as exc:
            raise SourceError(
                f"the file cannot be opened for writing: {exc.strerror or exc}",
                location=Location(path),
                hint="check that the file and its share are writable and not in use",
            ) from exc
        return _RealFile(descriptor)

    def read(self, path: str, limit: int) -> bytes:
        """Return the content of a file; see :class:`FileSystem`."""
        return read_beside(path, limit)

    def create(self, path: str) -> OpenFile:
        """Create a file that only its owner may read; see :class:`FileSystem`."""
        return _RealFile(opening.create_private(host_path(path).opened))

    def exists(self, path: str) -> bool:
        """Whether there is a file."""
        return is_there(path)

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder."""
        return names_in(folder)

    def fits(self, path: str) -> bool:
        """Whether the name of a file is short enough."""
        return fits(path)

    def stamp(self, path: str) -> tuple[int, int]:
        """Return length in bytes and modification time in nanoseconds."""
        result = os.stat(host_path(path).opened)
        # A journal keeps 64 bits of it, which end in 2262. Times of files do not, but differ in these bits, too.
        return result.st_size, (result.st_mtime_ns + _HALF) % (2 * _HALF) - _HALF

    def rename(self, path: str, new_path: str) -> None:
        """Give a file another name in the same folder."""
        opening.rename(host_path(path).opened, host_path(new_path).opened)

    def remove(self, path: str) -> None:
        """Remove a file."""
        opening.remove(host_path(path).opened)

    def flush_folder(self, path: str) -> None:
        """Bring the names in the folder of ``path`` to stable storage."""
        opening.flush_folder(folder_of(path))

    def free_space(self, path: str) -> int | None:
        """Return the free bytes where ``path`` lies, None when that is not known."""
        try:
            return shutil.disk_usage(folder_of(path)).free
        except OSError:
            return None


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

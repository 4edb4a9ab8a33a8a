"""Read-only byte sources.

A :class:`ByteSource` has a size and reads exact ranges. There is no method that writes: what is opened here can not
be changed through it, and files are opened ``rb``.
"""

from __future__ import annotations

import io
import os
import threading
from typing import TYPE_CHECKING, BinaryIO, Protocol, Self, cast

from vdiskkit.errors import CorruptStructureError, InUseError, SourceError, VDiskError
from vdiskkit.io.opening import open_shared
from vdiskkit.location import Location

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["ByteSource", "BytesSource", "FileSource", "SliceSource", "SourceFile", "StreamSource", "stream_name"]


_SHARING_VIOLATION, _LOCK_VIOLATION = 32, 33
"""Error codes of Windows: the whole file is in use, a part of it is locked."""


class ByteSource(Protocol):
    """Something with a size and bytes at offsets."""

    @property
    def size(self) -> int:
        """Length in bytes."""
        ...

    @property
    def location(self) -> Location:
        """The address of byte 0, for messages."""
        ...

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``.

        Raises:
            CorruptStructureError: The range reaches outside the source.
            SourceError: The operating system could not read.
        """
        ...


def check_range(source: ByteSource, offset: int, length: int) -> None:
    """Refuse a range that is not wholly inside ``source``.

    Raises:
        CorruptStructureError: The range reaches outside.
    """
    if offset < 0 or length < 0 or offset + length > source.size:
        raise CorruptStructureError(
            f"something points outside: {length} bytes at offset {offset:#x} of {source.size:#x} bytes",
            location=source.location.at("byte", max(offset, 0)),
        )


class StreamSource:
    """Any seekable binary file object. The object stays the caller's: it is never closed here.

    It may be of any class, and what it raises or returns wrongly is told as a fault of reading.
    """

    def __init__(self, stream: BinaryIO, name: str = "") -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._location = Location(name)
        self._size = self._find_size()

    def _find_size(self) -> int:
        try:
            size: object = self._stream.seek(0, os.SEEK_END)
        except VDiskError:
            raise
        except Exception as exc:  # anybody's file object may raise anything
            raise self._cannot_seek(_reason(exc)) from exc
        if type(size) is not int or size < 0:
            raise self._cannot_seek(f"seek() returned {_told(size)} instead of the new position")
        return size

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self._size

    @property
    def location(self) -> Location:
        """The address of byte 0."""
        return self._location

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``; see :class:`ByteSource`."""
        check_range(self, offset, length)
        if not length:
            return b""
        parts: list[bytes] = []
        try:
            with self._lock:
                self._stream.seek(offset)
                left = length
                while left:
                    parts.append(self._some(left, offset))
                    left -= len(parts[-1])
        except VDiskError:
            raise
        except Exception as exc:  # same
            raise _read_failed(self._location, offset, _reason(exc)) from exc
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _some(self, most: int, offset: int) -> bytes:
        """Return up to ``most`` bytes from the present position, one at least."""
        part: object = self._stream.read(most)
        if not isinstance(part, bytes):
            if not isinstance(part, bytearray | memoryview):
                raise _read_failed(self._location, offset, f"read() returned {_told(part)} instead of bytes")
            part = bytes(part)
        if len(part) > most:
            raise _read_failed(self._location, offset, f"read({most}) returned {len(part)} bytes")
        if not part:
            raise _read_failed(self._location, offset, "the file ended early; it has been cut while it was read")
        return part

    def _cannot_seek(self, why: str) -> SourceError:
        return SourceError(
            f"the file object cannot seek: {why}",
            location=self._location,
            hint="give a path or a seekable binary file object",
        )


def stream_name(stream: BinaryIO) -> str:
    """Return the name of a file object for messages; empty when it has none that is text."""
    try:
        name = getattr(stream, "name", "")
    except Exception:  # noqa: BLE001 - anybody's file object may raise anything
        return ""
    return name if isinstance(name, str) else ""


class FileSource(StreamSource):
    """A local or UNC file, opened for reading only and shared with other readers and writers.

    Args:
        path: The file, as the user named it; errors repeat it.
        opened: The same path in the form that the operating system needs (long or UNC), when that differs.
        follow: Whether the path may be a symbolic link to the file.
        steady: Whether a read fails when the file was changed since it was opened. On Windows nothing is asked at each
            read: there a file that somebody reads cannot be opened for a change, and no change can be read.
    """

    def __init__(self, path: str, opened: str | None = None, *, follow: bool = True, steady: bool = False) -> None:
        try:
            stream = _unbuffered(opened or path, follow=follow)
        except OSError as exc:
            raise _open_failed(path, exc) from exc
        try:
            super().__init__(stream, path)
        except BaseException:
            stream.close()
            raise
        self._file = stream
        self._stamp = _stamp(stream)
        self._asks = steady and os.name != "nt"

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``; see :class:`ByteSource`.

        Raises:
            InUseError: The file was changed since it was opened, and must be steady.
        """
        if not self._asks:
            return super().read_at(offset, length)
        try:
            return super().read_at(offset, length)
        finally:
            # First: that the file ended early, for instance, is a consequence.
            self.check_unchanged()

    def check_unchanged(self) -> None:
        """Raise when the file was changed since it was opened.

        Raises:
            InUseError: Its length or its time is another one.
        """
        if not self._file.closed and _stamp(self._file) != self._stamp:
            raise InUseError(
                "the file was changed while it was read",
                location=self.location,
                hint="what was read is of no one state; run the command again when the change has ended",
            )

    def close(self) -> None:
        """Close the file; further reads fail."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class BytesSource:
    """Bytes in memory as a source."""

    def __init__(self, data: bytes, location: Location | None = None) -> None:
        self._data = data
        self._location = location or Location("")

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self._data)

    @property
    def location(self) -> Location:
        """The address of byte 0."""
        return self._location

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``; see :class:`ByteSource`."""
        check_range(self, offset, length)
        return self._data[offset : offset + length]


class SliceSource:
    """A contiguous part of another source, such as a partition of a disk."""

    def __init__(self, source: ByteSource, offset: int, size: int, location: Location | None = None) -> None:
        check_range(source, offset, size)
        self._source = source
        self._offset = offset
        self._size = size
        self._location = location or source.location.at("byte", offset)

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self._size

    @property
    def location(self) -> Location:
        """The address of byte 0."""
        return self._location

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``; see :class:`ByteSource`."""
        check_range(self, offset, length)
        return self._source.read_at(self._offset + offset, length)


class SourceFile(io.RawIOBase):
    """A source as a read-only binary file object, for readers that want one and for users."""

    def __init__(self, source: ByteSource) -> None:
        super().__init__()
        self.source = source
        self._position = 0

    def readable(self) -> bool:
        """Always true."""
        return True

    def seekable(self) -> bool:
        """Always true."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move the position; see :meth:`io.IOBase.seek`."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.source.size}[whence]
        if base + offset < 0:
            raise ValueError(f"negative seek position {base + offset}")
        self._position = base + offset
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        """Read up to ``size`` bytes, all that is left when negative; short only at the end."""
        left = max(self.source.size - self._position, 0)
        size = left if size is None or size < 0 else min(size, left)
        if not size:
            return b""
        data = self.source.read_at(self._position, size)
        self._position += size
        return data

    def readall(self) -> bytes:
        """Read all that is left."""
        return self.read()

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Fill ``buffer``; return how many bytes were put there."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _stamp(stream: BinaryIO) -> tuple[int, int] | None:
    """Return length and time of an open file, None when the system does not say, as for a share that went away."""
    try:
        status = os.fstat(stream.fileno())
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _unbuffered(path: str, *, follow: bool = True) -> BinaryIO:
    # The layers above ask for what they need, a buffer would only read more.
    return cast("BinaryIO", io.FileIO(open_shared(path, follow=follow), "rb"))


def _open_failed(path: str, exc: OSError) -> VDiskError:
    location = Location(path)
    if isinstance(exc, IsADirectoryError) or os.path.isdir(path):  # Windows says "permission denied"
        return SourceError("this is a directory, not a file", location=location, hint="name the disk file itself")
    if isinstance(exc, FileNotFoundError):
        return SourceError("no such file", location=location, hint="check the path and that the share is connected")
    if getattr(exc, "winerror", None) == _SHARING_VIOLATION:
        return InUseError(
            "another program holds the file open and lets nobody else read it",
            location=location,
            hint="end the program that uses it (PVS streaming, a mount, a change by vdiskkit), then try again",
        )
    if isinstance(exc, PermissionError):
        return SourceError("the file may not be read", location=location, hint="check its access rights")
    return SourceError(f"the file cannot be opened: {exc.strerror or exc}", location=location)


def _told(value: object) -> str:
    return "None" if value is None else f"{value}" if type(value) is int else f"a {type(value).__name__}"


def _reason(exc: Exception) -> str:
    if getattr(exc, "winerror", None) == _LOCK_VIOLATION or (os.name == "nt" and isinstance(exc, PermissionError)):
        return "another program has locked this part of the file"
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror
    return f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__


def _read_failed(location: Location, offset: int, reason: str) -> SourceError:
    return SourceError(
        f"reading failed: {reason}",
        location=location.at("byte", offset),
        hint="check the disk or share, then try again",
    )

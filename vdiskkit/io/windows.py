"""Files as Windows has them: share modes, refusals that pass, and access lists.

Python's ``open`` shares a file for reading and writing, never for removal: while anybody reads it so, nobody can rename
or remove it. What we only read is therefore opened with every kind of sharing, and what we write with none.
"""

from __future__ import annotations

import _winapi
import msvcrt
import os
import sys
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

assert sys.platform == "win32"  # noqa: S101 - for the type checker: what follows exists on Windows only

T = TypeVar("T")

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
    "with_patience",
]

_READ, _WRITE = 0x80000000, 0x40000000  # GENERIC_READ, GENERIC_WRITE
_SHARE_NONE, _SHARE_READ, _SHARE_ALL = 0, 1, 7  # FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE
_APPEND_DATA, _READ_ATTRIBUTES, _SYNCHRONIZE = 0x4, 0x80, 0x100000
_CREATE_NEW, _OPEN_EXISTING, _OPEN_ALWAYS = 1, 3, 4
_WRITE_THROUGH = 8  # MOVEFILE_WRITE_THROUGH
_NORMAL = 0x80  # FILE_ATTRIBUTE_NORMAL
_ACCESS_DENIED, _SHARING_VIOLATION, _LOCK_VIOLATION = 5, 32, 33
_PASSING = (_ACCESS_DENIED, _SHARING_VIOLATION, _LOCK_VIOLATION)
_PATIENCE = 2.0
"""Seconds: virus scanners and indexers hold a new file for some tenths of one."""

_PRIVATE = "D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;OW)"
"""Nothing inherited; full access for the system, the administrators and the owner: what 0600 is elsewhere."""


def open_shared(path: str, *, follow: bool = True) -> int:  # noqa: ARG001 - links are looked for by the caller
    """Open for reading, in nobody's way: others may write, rename and remove it meanwhile.

    Raises:
        OSError: It cannot be opened.
    """
    return _descriptor(_create_file(path, _READ, _SHARE_ALL, _OPEN_EXISTING), os.O_RDONLY)


def open_alone(path: str, *, readers: bool = False) -> int:
    """Open for reading and writing; nobody else may have it open, and nobody else can open it until it is closed.

    Args:
        path: The file.
        readers: Whether others may read it meanwhile.

    Raises:
        BlockingIOError: Somebody has it open.
        OSError: It cannot be opened.
    """
    try:
        handle = _create_file(path, _READ | _WRITE, _SHARE_READ if readers else _SHARE_NONE, _OPEN_EXISTING)
    except OSError as exc:
        if exc.winerror == _SHARING_VIOLATION:
            raise BlockingIOError(exc.errno, exc.strerror, path, exc.winerror) from exc
        raise
    return _descriptor(handle, os.O_RDWR)


def open_for_appending(path: str) -> int:
    """Open or create for reading and appending; see :func:`vdiskkit.io.opening.open_for_appending`.

    Without the right to write data every write goes to the end, wherever that is by then.
    """
    access = _READ | _APPEND_DATA | _READ_ATTRIBUTES | _SYNCHRONIZE
    return _descriptor(_create_file(path, access, _SHARE_ALL, _OPEN_ALWAYS), os.O_RDWR)


def read_at(descriptor: int, offset: int, length: int) -> bytes:
    """Read at an offset; see :func:`vdiskkit.io.opening.read_at`."""
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, length)


def create_private(path: str) -> int:
    """Create a file for reading and writing that only its owner and administrators may open; others may not write.

    Where the file system has no access lists (FAT, some network storage), the folder decides, as for every file there.

    Raises:
        FileExistsError: There is one already.
        OSError: It cannot be created.
    """
    return with_patience(lambda: _create_private(path))


def rename(path: str, new_path: str) -> None:
    """Rename a file to a name that is free; the new name is on the disk when this returns.

    Raises:
        FileExistsError: The name is taken.
        OSError: It cannot be renamed.
    """
    with_patience(lambda: _rename(path, new_path))


def replace(path: str, new_path: str) -> None:
    """Rename a file to a name that may be taken; see :func:`vdiskkit.io.opening.replace`."""
    with_patience(lambda: os.replace(path, new_path))


def remove(path: str) -> None:
    """Remove a file; see :func:`vdiskkit.io.opening.remove`."""
    with_patience(lambda: os.unlink(path))


def resize(descriptor: int, size: int) -> None:
    """Set the length of a file; see :func:`vdiskkit.io.opening.resize`.

    The C library, which Python asks, writes zeros to lengthen a file: all 40 GB of them.
    """
    import ctypes

    end_of_file = 6  # FileEndOfFileInfo
    length = ctypes.c_int64(size)
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    handle = ctypes.c_void_p(msvcrt.get_osfhandle(descriptor))
    if not kernel.SetFileInformationByHandle(handle, end_of_file, ctypes.byref(length), ctypes.sizeof(length)):
        raise ctypes.WinError(ctypes.get_last_error())


def is_hole(descriptor: int, offset: int, length: int) -> bool:  # noqa: ARG001 - as on other systems
    """Return False: what a vDisk may be on Windows has no holes, as neither PVS nor Hyper-V takes a sparse file."""
    return False


def flush_folder(folder: str) -> None:
    """Do nothing: NTFS keeps names by its own log, which reaches the disk whenever a file is flushed."""


def with_patience(action: Callable[[], T], clock: Callable[[], float] = time.monotonic) -> T:
    """Do something to a file's name, again for a while when somebody has just looked at the file.

    Raises:
        OSError: It still fails, or for another reason than that the file is in use.
    """
    end = clock() + _PATIENCE
    pause = 0.005
    while True:
        try:
            return action()
        except OSError as exc:
            if exc.winerror not in _PASSING or clock() >= end:
                raise
        time.sleep(pause)
        pause = min(pause * 2, 0.1)


def _create_private(path: str) -> int:
    import ctypes

    advapi = ctypes.WinDLL("advapi32", use_last_error=True)
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)

    class Attributes(ctypes.Structure):  # SECURITY_ATTRIBUTES
        _fields_ = (("length", ctypes.c_uint32), ("descriptor", ctypes.c_void_p), ("inherit", ctypes.c_int))

    descriptor = ctypes.c_void_p()
    convert = advapi.ConvertStringSecurityDescriptorToSecurityDescriptorW
    if not convert(ctypes.c_wchar_p(_PRIVATE), 1, ctypes.byref(descriptor), None):
        raise ctypes.WinError(ctypes.get_last_error())
    try:
        attributes = Attributes(ctypes.sizeof(Attributes), descriptor, 0)
        handle = _create_file(path, _READ | _WRITE, _SHARE_READ, _CREATE_NEW, ctypes.addressof(attributes))
    finally:
        kernel.LocalFree(descriptor)
    return _descriptor(handle, os.O_RDWR)


def _rename(path: str, new_path: str) -> None:
    import ctypes

    move = ctypes.WinDLL("kernel32", use_last_error=True).MoveFileExW
    if not move(ctypes.c_wchar_p(path), ctypes.c_wchar_p(new_path), _WRITE_THROUGH):
        raise ctypes.WinError(ctypes.get_last_error())


def _create_file(path: str, access: int, share: int, disposition: int, security: int = 0) -> int:
    try:
        return _winapi.CreateFile(path, access, share, security, disposition, _NORMAL, 0)
    except OSError as exc:
        exc.filename = path
        raise


def _descriptor(handle: int, flags: int) -> int:
    try:
        return msvcrt.open_osfhandle(handle, flags | os.O_BINARY | os.O_NOINHERIT)
    except BaseException:
        _winapi.CloseHandle(handle)
        raise

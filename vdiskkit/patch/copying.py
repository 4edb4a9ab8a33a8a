"""Copying a vDisk, so that the copy can be changed and the original stays.

Holes stay holes and blocks of zeros become ones, as far as the file system has them. The copy is a new file with new
times: PVS compares times, and a copy that is about to be changed must not look like its original. What is inside, the
unique id of a VHD too, is the same byte by byte.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
from io import FileIO
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import JournalPendingError, PatchError, SourceError, UsageError
from vdiskkit.io.opening import flush_folder, open_shared, remove, resize
from vdiskkit.io.paths import folder_of, host_path
from vdiskkit.journal import journal_path, read_pending
from vdiskkit.location import Location
from vdiskkit.naming import parse_vdisk_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Copied", "copy_disk", "side_car_path"]

_PIECE = 1024 * 1024
_BLOCK = 64 * 1024
_ZEROS = bytes(_BLOCK)


class Copied(NamedTuple):
    """What was copied.

    Attributes:
        disk: Path of the new disk.
        side_car: Path of the new side-car, None when there was none.
        bytes_written: Bytes that were written, holes not counted.
    """

    disk: str
    side_car: str | None
    bytes_written: int


class _Job(NamedTuple):
    path: str
    new_path: str
    source: FileIO
    target: FileIO
    size: int


def side_car_path(disk_path: str) -> str:
    """Return where the side-car of a disk belongs: the disk's name with ``.pvp`` for its extension."""
    folder, name = os.path.split(disk_path)
    parts = parse_vdisk_name(name)
    return os.path.join(folder, (parts.label if parts else os.path.splitext(name)[0]) + ".pvp")


def copy_disk(path: str, new_path: str, progress: Callable[[int, int], None] | None = None) -> Copied:
    """Copy a disk, and its side-car when it has one, to new names.

    Lock files and journals are not copied.

    Args:
        path: The disk.
        new_path: The new disk; neither it nor its side-car may exist.
        progress: Called with the bytes done and the bytes that there are, holes not counted. What it raises ends the
            copying, as does any error; the new files are removed then.

    Raises:
        UsageError: A new name is taken.
        JournalPendingError: A change of the disk was interrupted.
        SourceError: A file cannot be read.
        PatchError: A new file cannot be written; what there was of it is removed.
    """
    from vdiskkit.pair import read_pair

    if read_pending(path) is not None:
        raise JournalPendingError(
            "an earlier change of this disk was interrupted",
            location=Location(journal_path(path)),
            hint="run `recover` on the disk first",
        )
    side_car = read_pair(path).pvp_path
    names = [(path, new_path)]
    if side_car is not None:
        names.append((side_car, side_car_path(new_path)))
    with contextlib.ExitStack() as stack:
        jobs = [_begin(old, new, stack) for old, new in names]
        written = _copy_all(jobs, progress or (lambda _done, _total: None))
        try:
            flush_folder(folder_of(new_path))
        except OSError as exc:
            raise _failed(exc, new_path) from exc
    return Copied(new_path, names[1][1] if side_car is not None else None, written)


def _begin(path: str, new_path: str, stack: contextlib.ExitStack) -> _Job:
    """Open both files. When the stack ends with an error, the new one is removed."""
    try:
        source = FileIO(open_shared(host_path(path).opened), "rb")
    except OSError as exc:
        raise SourceError(
            f"the file cannot be opened: {exc.strerror or exc}",
            location=Location(path),
            hint="check its access rights and that the share is connected",
        ) from exc
    stack.callback(_close, source)
    status = os.fstat(source.fileno())
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        descriptor = os.open(host_path(new_path).opened, flags, status.st_mode & 0o777 | 0o200)
    except FileExistsError as exc:
        raise UsageError(
            "there is a file of this name already; a copy never replaces one",
            location=Location(new_path),
            hint="name another file for the copy",
        ) from exc
    except OSError as exc:
        raise _failed(exc, new_path) from exc
    job = _Job(path, new_path, source, FileIO(descriptor, "wb"), status.st_size)
    stack.push(lambda kind, _value, _trace: _finish(job, failed=kind is not None))
    return job


def _copy_all(jobs: Sequence[_Job], progress: Callable[[int, int], None]) -> int:
    ranges = []
    for job in jobs:
        with _reading(job):
            ranges.append(list(_data_ranges(job.source.fileno(), job.size)))
    total = sum(end - start for found in ranges for start, end in found)
    _check_space(jobs[0].new_path, total)
    done = written = 0
    progress(0, total)
    for job, found in zip(jobs, ranges, strict=True):
        try:
            resize(job.target.fileno(), job.size)
        except OSError as exc:
            raise _failed(exc, job.new_path) from exc
        for start, end in found:
            for at in range(start, end, _PIECE):
                with _reading(job):
                    data = _pread(job.source, at, min(_PIECE, end - at))
                written += _write(job, at, data)
                done += len(data)
                progress(done, total)
    for job in jobs:
        try:
            os.fsync(job.target.fileno())
        except OSError as exc:
            raise _failed(exc, job.new_path) from exc
        if os.fstat(job.source.fileno()).st_size != job.size:
            raise SourceError(
                "the file changed its length while it was copied",
                location=Location(job.path),
                hint="end what uses the disk, then try again",
            )
    return written


if sys.platform == "win32":

    def _data_ranges(descriptor: int, size: int) -> Iterator[tuple[int, int]]:  # noqa: ARG001 - as below
        """Yield the whole file: PVS and Hyper-V want no sparse files, so there are no holes to look for."""
        yield 0, size

else:

    def _data_ranges(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges that are no holes, where the system can tell them; else the whole file."""
        at = 0
        while at < size:
            try:
                start = os.lseek(descriptor, at, os.SEEK_DATA)
                end = os.lseek(descriptor, start, os.SEEK_HOLE)
            except OSError as exc:
                if exc.errno != errno.ENXIO:  # that one says: nothing but a hole from here on
                    yield at, size
                return
            yield start, min(end, size)
            at = end


def _pread(source: FileIO, offset: int, length: int) -> bytes:
    source.seek(offset)
    parts = []
    while length:
        part = source.read(length)
        if not part:
            raise OSError(errno.EIO, "the file ended early; it has been cut while it was read")
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


@contextlib.contextmanager
def _reading(job: _Job) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise SourceError(
            f"reading failed: {exc.strerror or exc}",
            location=Location(job.path),
            hint="check the disk or share, then try again; the copy was removed",
        ) from exc


def _write(job: _Job, offset: int, data: bytes) -> int:
    """Write what is not zeros; return how many bytes that were."""
    written = 0
    view = memoryview(data)
    try:
        for at in range(0, len(data), _BLOCK):
            part = view[at : at + _BLOCK]
            if part == _ZEROS[: len(part)]:
                continue
            job.target.seek(offset + at)
            while part:
                count = job.target.write(part)
                part = part[count:]
                written += count
    except OSError as exc:
        raise _failed(exc, job.new_path) from exc
    return written


def _check_space(new_path: str, needed: int) -> None:
    try:
        free = shutil.disk_usage(folder_of(new_path)).free
    except OSError:
        return
    if free < needed:
        raise PatchError(
            f"there is not enough free space for the copy: up to {needed} bytes are needed, {free} are free",
            location=Location(new_path),
            hint="free some space or copy to another place; nothing was changed",
        )


def _failed(exc: OSError, new_path: str) -> PatchError:
    return PatchError(
        f"the copy cannot be written: {exc.strerror or exc}",
        location=Location(new_path),
        hint="what there was of the copy has been removed; the original is as it was",
    )


def _finish(job: _Job, *, failed: bool) -> None:
    _close(job.target)  # first, as Windows removes no open file
    if failed:
        with contextlib.suppress(OSError):
            remove(host_path(job.new_path).opened)


def _close(file: FileIO) -> None:
    with contextlib.suppress(OSError):
        file.close()

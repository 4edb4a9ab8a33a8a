"""Who else has a file open, as far as Linux tells it.

There are no share modes as on Windows, and each kind of user shows in another way: any open file by a lease that is
refused, qemu and ntfs-3g by their locks, a loop device by its backing file. What another machine has open shows in none
of them, unless its locks come through the file server.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import struct
import sys
import time

assert sys.platform == "linux"  # noqa: S101 - for the type checker: what follows exists on Linux only

__all__ = ["check_nobody_has_it_open"]

_PATIENCE = 1.0
"""Seconds: somebody who only looks at a file, as virus scanners and our own readers do, has it open for less."""

_FLOCK = struct.Struct("@hhqqi4x")  # struct flock of 64-bit offsets: type, whence, start, length, process
_LOOP_DEVICES = "/sys/block"
_MOUNTS = "/proc/self/mountinfo"
_DELETED = " (deleted)"

_REMOTE = frozenset({"9p", "afs", "ceph", "cifs", "coda", "gfs2", "lustre", "nfs", "nfs4", "ocfs2", "smb3", "virtiofs"})
"""File systems that other machines use as well. They refuse leases for reasons of their own, most often because their
server gave no delegation or oplock, so a refusal says nothing there."""


def check_nobody_has_it_open(descriptor: int) -> None:
    """Raise when somebody else has a file open, which is open for reading and writing here and not locked yet.

    Raises:
        BlockingIOError: Somebody has.
    """
    status = os.fstat(descriptor)
    device = _loop_device(status)
    if device:
        raise BlockingIOError(errno.EAGAIN, f"the loop device {device} shows what is in it")
    if _is_locked(descriptor):
        raise BlockingIOError(errno.EAGAIN, "a program has locked it, as qemu and ntfs-3g do")
    if _lease_is_refused(descriptor) and not _is_remote(status.st_dev):
        raise BlockingIOError(errno.EAGAIN, "")  # there is no more to say than that


def _lease_is_refused(descriptor: int) -> bool:
    end = time.monotonic() + _PATIENCE
    pause = 0.005
    while not _gets_lease(descriptor):
        if time.monotonic() >= end:
            return True
        time.sleep(pause)
        pause = min(pause * 2, 0.1)
    return False


def _gets_lease(descriptor: int) -> bool:
    """Whether a write lease is not refused because of others: it is given to the only one that has a file open.

    It is not kept. Whoever opened the file meanwhile, our own readers too, would wait for us.
    """
    # Told of whoever opens the file in this moment by a signal that nobody dies of.
    fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except OSError as exc:
        # Other errors: the file is another user's, or the file system knows no leases.
        return exc.errno != errno.EAGAIN
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return True


def _is_locked(descriptor: int) -> bool:
    """Whether anybody has locked any byte. qemu locks some from 100 and 200 on, ntfs-3g the whole file."""
    question = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    try:
        answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, question)
    except OSError:
        return False  # a file system without locks
    return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)


def _loop_device(status: os.stat_result) -> str:
    """Return the loop device whose backing file has this identity; empty when there is none.

    A backing file that cannot be seen from here, that of another container for instance, is not found.
    """
    try:
        names = sorted(name for name in os.listdir(_LOOP_DEVICES) if name.startswith("loop"))
    except OSError:
        return ""
    for name in names:
        try:
            with open(os.path.join(_LOOP_DEVICES, name, "loop", "backing_file"), "rb") as file:
                path = file.read().removesuffix(b"\n")
            backing = os.stat(path.removesuffix(_DELETED.encode()))
        except OSError:
            continue  # most devices have none
        if os.path.samestat(backing, status):
            return f"/dev/{name}"
    return ""


def _is_remote(device: int) -> bool:
    """Whether a file system is one that other machines use as well."""
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
            mounts = [line.split() for line in file]
    except OSError:
        return False
    kinds = [fields[fields.index("-") + 1] for fields in mounts if fields[2] == number and "-" in fields]
    return any(kind in _REMOTE or kind.startswith("fuse") for kind in kinds)

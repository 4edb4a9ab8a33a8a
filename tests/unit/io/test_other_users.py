"""Who else has a file open, on Linux: whatever kind of user it is, the file is not opened for a change."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from vdiskkit.errors import InUseError
from vdiskkit.patch.files import RealFileSystem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

if sys.platform != "linux":
    pytest.skip("asks Linux", allow_module_level=True)

import fcntl

from vdiskkit.io import linux

SYSTEM = RealFileSystem()


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(linux, "_PATIENCE", 0.0)
    found = tmp_path / "disk.vhd"
    found.write_bytes(bytes(4096))
    return str(found)


def refused(path: str) -> str:
    with pytest.raises(InUseError) as caught:
        SYSTEM.open(path)
    assert caught.value.hint == (
        "end the program that uses it (PVS streaming, a virtual machine, a mount, a copy), then try again"
    )
    return caught.value.message


@contextmanager
def locked(path: str, start: int, length: int, kind: int = fcntl.F_RDLCK) -> Iterator[None]:
    """Another open file of this process holds a lock as qemu takes them."""
    descriptor = os.open(path, os.O_RDONLY if kind == fcntl.F_RDLCK else os.O_RDWR)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, linux._FLOCK.pack(kind, os.SEEK_SET, start, length, 0))
        yield
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("mode", [os.O_RDONLY, os.O_RDWR], ids=["reads", "writes"])
def test_a_program_that_has_it_open(path: str, mode: int) -> None:
    descriptor = os.open(path, mode)
    assert refused(path) == "another program holds the file open"
    os.close(descriptor)
    SYSTEM.open(path).close()


def test_readers_may_stay_where_they_are_let(path: str) -> None:
    with open(path, "rb"):  # noqa: PTH123 - as the module under test
        SYSTEM.open(path, readers=True).close()


@pytest.mark.parametrize(("start", "length"), [(100, 1), (101, 1), (201, 1), (203, 1), (0, 0)])
@pytest.mark.parametrize("kind", [fcntl.F_RDLCK, fcntl.F_WRLCK], ids=["shared", "exclusive"])
def test_a_program_that_has_locked_it(path: str, start: int, length: int, kind: int) -> None:
    with locked(path, start, length, kind):
        assert refused(path) == "another program holds the file open: a program has locked it, as qemu and ntfs-3g do"
    SYSTEM.open(path).close()


def test_locks_count_where_leases_are_refused_to_us(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linux, "_gets_lease", lambda _descriptor: True)  # another user's file
    with locked(path, 100, 1):
        assert "locked it" in refused(path)


def test_one_that_only_looks_is_waited_for(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linux, "_PATIENCE", 30.0)
    descriptor = os.open(path, os.O_RDONLY)
    timer = threading.Timer(0.05, os.close, [descriptor])
    timer.start()
    SYSTEM.open(path).close()
    timer.join()


def test_nobody_waits_for_a_file_that_is_being_changed(path: str) -> None:
    file = SYSTEM.open(path)
    began = time.monotonic()
    os.close(os.open(path, os.O_RDONLY))
    assert time.monotonic() - began < 20  # the lease is not kept: else 45 seconds
    file.close()


def test_a_refused_lease_says_nothing_on_a_file_system_of_other_machines(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = os.stat(path).st_dev  # noqa: PTH116 - as the module under test
    mounts = tmp_path / "mountinfo"
    monkeypatch.setattr(linux, "_MOUNTS", str(mounts))
    line = f"36 35 {os.major(device)}:{os.minor(device)} / /mnt rw,noatime master:1 - %s //server/share rw\n"
    with open(path, "rb"):  # noqa: PTH123 - same
        for kind, remote in (("nfs4", True), ("cifs", True), ("fuse.sshfs", True), ("ext4", False), ("btrfs", False)):
            mounts.write_text("22 1 0:1 / / rw - proc proc rw\n" + line % kind, encoding="utf-8")
            assert linux._is_remote(device) is remote
            if remote:
                SYSTEM.open(path).close()
            else:
                refused(path)
        mounts.unlink()
        refused(path)


def test_a_loop_device_is_known_by_the_identity_of_its_file(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = tmp_path / "block"
    monkeypatch.setattr(linux, "_LOOP_DEVICES", str(devices))
    SYSTEM.open(path).close()
    for name, backing in (("loop0", None), ("loop1", str(tmp_path / "gone")), ("loop2", path + "-link")):
        (devices / name / "loop").mkdir(parents=True)
        if backing is not None:
            (devices / name / "loop" / "backing_file").write_text(f"{backing}\n", encoding="utf-8")
    SYSTEM.open(path).close()
    os.link(path, path + "-link")
    assert refused(path) == "another program holds the file open: the loop device /dev/loop2 shows what is in it"


@pytest.mark.oracle
@pytest.mark.skipif(shutil.which("losetup") is None or os.geteuid() != 0, reason="needs losetup and its rights")
@pytest.mark.parametrize("options", [(), ("-r",)], ids=["writable", "read-only"])
def test_a_real_loop_device(path: str, options: tuple[str, ...]) -> None:
    done = subprocess.run(["losetup", "-f", "--show", *options, path], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no loop device can be made: {done.stderr.strip()}")
    device = done.stdout.strip()
    try:
        assert refused(path) == f"another program holds the file open: the loop device {device} shows what is in it"
    finally:
        subprocess.run(["losetup", "-d", device], check=True)


@pytest.mark.oracle
@pytest.mark.skipif(shutil.which("qemu-io") is None, reason="needs qemu-io")
@pytest.mark.parametrize("options", [(), ("-r",)], ids=["writable", "read-only"])
def test_a_real_qemu(path: str, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linux, "_gets_lease", lambda _descriptor: True)
    command = ["qemu-io", *options, "-f", "raw", path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("read 0 512\n")
        process.stdin.flush()
        assert process.stdout.readline()
        assert "a program has locked it" in refused(path)
        process.communicate("quit\n")

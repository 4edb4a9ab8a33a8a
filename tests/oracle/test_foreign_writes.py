"""A disk that others wrote to after a change: taking the change back would wreck it, so nothing is touched.

ntfs-3g writes to the volume, and qemu to a VHDX.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

import vdiskkit
from tests.build import scenario
from tests.build.pair import write_pair
from tests.build.vhdx import MIB, build_vhdx
from tests.crash.test_vhdx import world
from tests.oracle.ntfs_volumes import mounted
from tests.oracle.tools import require
from tests.property.patch.test_vhdx_writes import applied
from vdiskkit.container import open_container
from vdiskkit.io import FileSource
from vdiskkit.journal import (
    Journal,
    JournalFile,
    JournalState,
    Record,
    build_body,
    build_state,
    journal_path,
    sector_digests,
)
from vdiskkit.partition import read_partitions
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.oracle

# A process that dies when everything is written, before it can commit.
_DIES = """
import os, sys
import vdiskkit.patch.api as api
api.verify_applied = lambda *_: os._exit(9)
api.apply(api.plan_kms_prep(sys.argv[1], skip_rearm=1, remove_tokens=True))
"""


@pytest.fixture
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    raw = scenario.windows_disk("win10")
    return make(tmp_path, raw, getattr(request, "param", "vhd"))


def make(folder: Path, raw: bytes, kind: str) -> Path:
    disk = write_pair(folder, "desk", raw, kind="fixed", pvp={"write_cache_type": 0})
    if kind == "vhd":
        return disk
    disk.unlink()
    return build_vhdx("fixed", len(raw), MIB, raw).save(disk.with_suffix(".vhdx"))


def write_with_ntfs_3g(disk: Path, folder: Path, size: int) -> bytes:
    """Let ntfs-3g write one file of ``size`` bytes, keep the disk's time, and return what is there then."""
    require("ntfs-3g")
    # As it is now, half-way or not.
    with FileSource(str(disk)) as source:
        container = open_container(source, path=None)
        partition = read_partitions(container, 512).partitions[-1]
        extents = list(container.map(partition.offset, partition.size))
        old = container.read_at(partition.offset, partition.size)
    volume = folder / "volume.raw"
    volume.write_bytes(old)
    with mounted(volume) as root:
        (root / "new.txt").write_bytes(b"x" * size)
    changed, new = bytearray(disk.read_bytes()), volume.read_bytes()
    for extent in extents:
        assert extent.file_offset is not None
        at = extent.virtual_offset - partition.offset
        changed[extent.file_offset : extent.file_offset + extent.length] = new[at : at + extent.length]
    stamp = disk.stat().st_mtime_ns
    disk.write_bytes(changed)
    os.utime(disk, ns=(stamp, stamp))
    return bytes(changed)


def change(disk: Path) -> Callable[[], object]:
    vdiskkit.apply(vdiskkit.plan_kms_prep(disk, skip_rearm=1, remove_tokens=True))
    return lambda: vdiskkit.undo(disk)


def interrupt(disk: Path) -> Callable[[], object]:
    died = subprocess.run([sys.executable, "-c", _DIES, str(disk)], check=False)
    assert died.returncode == 9
    return lambda: vdiskkit.recover(disk)


@pytest.mark.parametrize("size", [1, 9000], ids=["in its record", "in clusters"])
@pytest.mark.parametrize("begin", [change, interrupt])
@pytest.mark.parametrize("disk", ["vhd", "vhdx"], indirect=True)
def test_a_disk_that_was_written_since_is_not_touched(
    disk: Path, tmp_path_factory: pytest.TempPathFactory, begin: Callable[[Path], Callable[[], object]], size: int
) -> None:
    take_back = begin(disk)
    used = write_with_ntfs_3g(disk, tmp_path_factory.mktemp("foreign"), size)
    with pytest.raises(vdiskkit.ChangedSinceError):
        take_back()
    assert disk.read_bytes() == used


def leave_after(phase: Phase, folder: Path) -> Path:
    """Write a VHDX whose change was interrupted after a phase, and its journal."""
    made = world("dynamic")
    changes, size = made.played.changes, made.played.disk.staged.size
    done = [change for change in changes if change.phase <= phase]
    path = applied(made.case, done, size).save(folder / "disk.vhdx")
    records = (
        Record(0, item.phase.value, item.offset, item.before, len(item.after), sector_digests(item.after))
        for item in changes
    )
    file = JournalFile(path.name, made.case.image.size, size, 0)
    header, body = build_body(Journal(UUID(int=1), JournalState.ARMED, {}, (file,), tuple(records), (), ()))
    Path(journal_path(str(path))).write_bytes(header + build_state(JournalState.ARMED) + body)
    return path


@pytest.mark.parametrize("phase", sorted({change.phase for change in world("dynamic").played.changes}))
def test_a_vhdx_that_qemu_opened_half_way_is_not_touched(tmp_path: Path, phase: Phase) -> None:
    """qemu finds a valid file; when it has changed it, recovery leaves it alone, else it brings the old state back."""
    path = leave_after(phase, tmp_path)
    left = path.read_bytes()
    qemu_io, qemu_img = require("qemu-io"), require("qemu-img")
    subprocess.run([qemu_img, "check", "-r", "all", "-f", "vhdx", path], check=True, capture_output=True)
    replayed = path.read_bytes()
    assert (replayed != left) == (Phase.LOGGED_FIRST <= phase < Phase.CLOSE_FIRST)
    if replayed != left:
        with pytest.raises(vdiskkit.ChangedSinceError):
            vdiskkit.recover(path)
        assert path.read_bytes() == replayed
        path.write_bytes(left)
    subprocess.run([qemu_io, "-f", "vhdx", "-c", "write -P 9 1M 512", path], check=True, capture_output=True)
    used = path.read_bytes()
    for forward in (False, True):
        with pytest.raises(vdiskkit.ChangedSinceError):
            vdiskkit.recover(path, forward=forward)
    assert path.read_bytes() == used
    subprocess.run([qemu_img, "check", "-f", "vhdx", path], check=True, capture_output=True)
    path.write_bytes(left)
    vdiskkit.recover(path)
    assert path.read_bytes() == world("dynamic").case.image.to_bytes()

"""A volume that ntfs-3g wrote to after a change: taking the change back would wreck it, so nothing is touched."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import vdiskkit
from tests.build import scenario
from tests.build.pair import write_pair
from tests.oracle.ntfs_volumes import mounted
from tests.oracle.tools import require

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.oracle

# A process that dies when everything is written, before it can commit.
_DIES = """
import os, sys
import vdiskkit.patch.api as api
api.verify_applied = lambda *_: os._exit(9)
api.apply(api.plan_kms_prep(sys.argv[1], skip_rearm=1, remove_tokens=True))
"""


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    raw = scenario.windows_disk("win10")
    return write_pair(tmp_path, "desk", raw, kind="fixed", pvp={"write_cache_type": 0})


def write_with_ntfs_3g(disk: Path, folder: Path, size: int) -> bytes:
    """Let ntfs-3g write one file of ``size`` bytes, keep the disk's time, and return what is there then."""
    require("ntfs-3g")
    with vdiskkit.open_vdisk(disk) as opened:
        number = opened.selected.partition if opened.selected else 0
        partition = next(item for item in opened.partitions.partitions if item.number == number)
    volume = folder / "volume.raw"
    data = disk.read_bytes()
    volume.write_bytes(data[partition.offset : partition.offset + partition.size])
    with mounted(volume) as root:
        (root / "new.txt").write_bytes(b"x" * size)
    changed = data[: partition.offset] + volume.read_bytes() + data[partition.offset + partition.size :]
    stamp = disk.stat().st_mtime_ns
    disk.write_bytes(changed)
    os.utime(disk, ns=(stamp, stamp))
    return changed


def change(disk: Path) -> Callable[[], object]:
    vdiskkit.apply(vdiskkit.plan_kms_prep(disk, skip_rearm=1, remove_tokens=True))
    return lambda: vdiskkit.undo(disk)


def interrupt(disk: Path) -> Callable[[], object]:
    died = subprocess.run([sys.executable, "-c", _DIES, str(disk)], check=False)
    assert died.returncode == 9
    return lambda: vdiskkit.recover(disk)


@pytest.mark.parametrize("size", [1, 9000], ids=["in its record", "in clusters"])
@pytest.mark.parametrize("begin", [change, interrupt])
def test_a_disk_that_was_written_since_is_not_touched(
    disk: Path, tmp_path_factory: pytest.TempPathFactory, begin: Callable[[Path], Callable[[], object]], size: int
) -> None:
    take_back = begin(disk)
    used = write_with_ntfs_3g(disk, tmp_path_factory.mktemp("foreign"), size)
    with pytest.raises(vdiskkit.ChangedSinceError):
        take_back()
    assert disk.read_bytes() == used

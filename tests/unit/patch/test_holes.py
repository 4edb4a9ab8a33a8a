"""Files with holes on a real file system."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.build import scenario
from tests.cli.writing import EXAMPLE
from tests.lacks import needs_holes
from tests.unit.patch.plain import edit, interrupt, run
from vdiskkit.errors import PatchError
from vdiskkit.patch.files import RealFileSystem, closed_quietly
from vdiskkit.patch.history import recover, undo
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB = 1 << 20

pytestmark = needs_holes


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """1 MiB of data between two holes; a file system that keeps no holes has nothing to show."""
    path = tmp_path / "disk.vhd"
    with path.open("wb") as file:
        file.seek(2 * MIB)
        file.write(b"x" * MIB)
        file.truncate(5 * MIB)
    if path.stat().st_blocks * 512 > 2 * MIB:
        pytest.skip("this file system keeps no holes")
    return path


def test_holes_are_known(disk: Path) -> None:
    with closed_quietly(RealFileSystem().open(str(disk))) as file:
        assert [
            file.is_hole(0, 2 * MIB),
            file.is_hole(2 * MIB - 512, 512),
            file.is_hole(2 * MIB - 512, 513),
            file.is_hole(2 * MIB, 4096),
            file.is_hole(3 * MIB, 2 * MIB),
            file.is_hole(5 * MIB - 1, 1),
        ] == [True, True, False, False, True, True]
        file.write_at(4096, b"new")
        assert not file.is_hole(4096, 512)  # before it is flushed as well


def test_recovery_leaves_holes_that_were_not_written(disk: Path) -> None:
    blocks, content = disk.stat().st_blocks, disk.read_bytes()
    planned = edit(disk, (64 * 1024, b"a" * 65536, Phase.DATA), (4 * MIB, b"b" * 65536, Phase.LINK))
    interrupt(disk, planned)
    with disk.open("r+b") as file:  # as if it had been interrupted before the second phase
        file.truncate(4 * MIB)
        file.truncate(5 * MIB)
    recover(str(disk))
    assert disk.read_bytes() == content
    assert disk.stat().st_blocks - blocks < 65536 * 1.5 // 512
    run(edit(disk, (4 * MIB, b"c" * 65536, Phase.LINK)))
    undo(str(disk))
    assert disk.read_bytes() == content


@pytest.fixture
def full_soon(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 MiB, mounted from a file."""
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None or sys.platform != "linux":
        pytest.skip("needs to mount a file system")
    image, folder = tmp_path / "fs.img", tmp_path / "fs"
    image.touch()
    os.truncate(image, 40 * MIB)
    folder.mkdir()
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
    if subprocess.run(["mount", "-o", "loop", image, folder], check=False, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.oracle
@pytest.mark.parametrize("left", [500, 1300, 2100, 2600])
def test_a_sparse_disk_on_a_full_file_system(full_soon: Path, tmp_path: Path, left: int) -> None:
    """It is changed, or it is refused with nothing written; whatever happens, it is as before in the end."""
    import vdiskkit

    made = scenario.make("win10-private-mak", tmp_path / "made")
    disk = full_soon / "a.vhd"
    subprocess.run(["cp", "--sparse=always", made, disk], check=True)
    before = disk.read_bytes()
    value = vdiskkit.SetValue(key=EXAMPLE, name="x", type=3, data=os.urandom(900_000), create_keys=True)
    free = shutil.disk_usage(full_soon).free
    (full_soon / "filler").write_bytes(bytes(free - left * 1024))
    planned = vdiskkit.plan(disk, [value])
    try:
        assert vdiskkit.apply(planned).written
    except PatchError as exc:
        if exc.exit_code != 6:
            raise
        assert disk.read_bytes() == before
        assert sorted(path.name for path in full_soon.iterdir()) == ["a.vhd", "filler", "lost+found"]
    else:
        (full_soon / "filler").unlink()  # taking back needs a journal, too
        vdiskkit.undo(disk)
        assert disk.read_bytes() == before

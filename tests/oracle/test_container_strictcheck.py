"""What the tests build is a VHD by the strict checker's measure, and what they break is not."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.build.vhd import KIB, MIB, SECTOR, ParentLink, build_vhd, noise
from tests.build.vhd_faults import break_vhd
from vdiskkit.container import open_container
from vdiskkit.io import FileSource

if TYPE_CHECKING:
    from pathlib import Path

STRICTCHECK = os.environ.get("VDISKKIT_STRICTCHECK", "")

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif(not STRICTCHECK, reason="VDISKKIT_STRICTCHECK does not name the strict checker"),
]

SIZE = 5 * MIB
READ_WHOLE = """
import sys
sys.path.insert(0, sys.argv[1])
import report, vhd
disk = vhd.VhdDisk(sys.argv[2], report.Report())
open(sys.argv[3], "wb").write(disk.read(0, disk.size))
"""


def complaints(path: Path) -> list[str]:
    done = subprocess.run([sys.executable, STRICTCHECK, str(path)], check=False, capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("ERROR")]
    # The disks here are empty of partitions; that is not what is judged.
    return [line for line in lines if " part." not in line]


@pytest.mark.parametrize("batmap", [False, True])
@pytest.mark.parametrize("aligned_4k", [False, True])
@pytest.mark.parametrize("block_size", [512 * KIB, 2 * MIB, 16 * MIB])
@pytest.mark.parametrize("kind", ["fixed", "dynamic"])
def test_our_disks_pass(tmp_path: Path, kind: str, block_size: int, aligned_4k: bool, batmap: bool) -> None:
    path = tmp_path / "disk.vhd"
    data = build_vhd(kind, SIZE, block_size, {0: noise(MIB)}, aligned_4k=aligned_4k, batmap=batmap,
                     creator=b"tap\0" if batmap else b"win ")  # fmt: skip
    path.write_bytes(data)
    assert complaints(path) == []


def test_our_chains_pass(tmp_path: Path) -> None:
    parent = build_vhd("dynamic", SIZE, content={0: noise(MIB)})
    (tmp_path / "disk.vhd").write_bytes(parent)
    path = tmp_path / "disk.1.avhd"
    path.write_bytes(
        build_vhd("differencing", SIZE, content={512: noise(512)}, parent=ParentLink.to(parent, "disk.vhd"))
    )
    assert complaints(path) == []


@pytest.mark.parametrize("block_size", [64 * KIB, 512 * KIB, 2 * MIB, 16 * MIB])
def test_chains_read_the_same(tmp_path: Path, block_size: int) -> None:
    """Runs of present sectors that begin and end anywhere, zeros that hide the parent, stale sectors."""
    path = tmp_path / "disk.vhd"
    data = build_vhd("dynamic", SIZE, block_size, {0: noise(2 * MIB, 1), 4 * MIB: noise(MIB, 2)})
    path.write_bytes(data)
    for version in range(1, 4):
        content = {
            (3 + version) * SECTOR: noise(SECTOR, version),
            (40 - version) * SECTOR: bytes(7 * SECTOR),
            MIB - 3 * SECTOR: noise(9 * SECTOR, 10 + version),
            2 * MIB + version * 100 * KIB: noise(77 * SECTOR, 20 + version),
            SIZE - version * SECTOR: noise(SECTOR, 30 + version),
        }
        stale = {(100 + version) * SECTOR: noise(5 * SECTOR, 40 + version)}
        link = ParentLink.to(data, path.name)
        data = build_vhd("differencing", SIZE, block_size, content, parent=link, stale_sectors=stale)
        path = tmp_path / f"disk.{version}.avhd"
        path.write_bytes(data)
    target = tmp_path / "theirs.raw"
    subprocess.run([sys.executable, "-c", READ_WHOLE, STRICTCHECK, str(path), str(target)], check=True)
    with FileSource(str(path)) as source:
        disk = open_container(source, path=str(path))
        ours = disk.read_at(0, SIZE)
        disk.close()
    assert ours == target.read_bytes()


@pytest.mark.parametrize("fault", ["footer_checksum", "header_checksum", "blocks_overlap", "block_on_bat"])
def test_broken_disks_do_not(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "disk.vhd"
    path.write_bytes(break_vhd(build_vhd("dynamic", SIZE, content={0: b"x", 3 * MIB: b"y"}), fault))
    assert complaints(path)

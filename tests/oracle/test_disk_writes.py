"""Other programs read the disks that we have written to: qemu-img, libvhdi, dissect.hypervisor, the strict checker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import Phase as Step

from tests.build.vhd import KIB, MIB, SECTOR, ParentLink, build_vhd, noise
from tests.oracle.tools import python_with, require
from tests.property.patch.test_disk_writes import PHASES, Case, Write, applied, cases, play
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from pathlib import Path

STRICTCHECK = os.environ.get("VDISKKIT_STRICTCHECK", "")
pytestmark = pytest.mark.oracle

SIZE = 10 * MIB
# Reads each disk whole and prints what was found wrong; the first file of a list is the unchanged one.
CHECK = """
import hashlib, json, sys
sys.path.insert(0, sys.argv[1])
import report, vhd
results = []
for path in json.load(sys.stdin):
    found = report.Report()
    disk = vhd.VhdDisk(path, found)
    content = hashlib.sha256(disk.read(0, disk.size)).hexdigest()
    disk.close()
    results.append([[item["code"] for item in found.items if item["sev"] != "info"], content])
print(json.dumps(results))
"""
READ_VHDI = """
import sys, pyvhdi
files = []
for path in sys.argv[2:]:
    file = pyvhdi.file()
    file.open(path)
    if files:
        file.set_parent(files[-1])
    files.append(file)
with open(sys.argv[1], "wb") as target:
    target.write(files[-1].read_buffer_at_offset(files[-1].get_media_size(), 0))
"""


def strict(paths: list[Path]) -> list[tuple[list[str], str]]:
    done = subprocess.run(
        [sys.executable, "-c", CHECK, STRICTCHECK], input=json.dumps([str(path) for path in paths]),
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return [(found, content) for found, content in json.loads(done.stdout)]


def by_qemu(path: Path) -> bytes:
    target = path.with_suffix(".raw")
    subprocess.run([require("qemu-img"), "convert", "-f", "vpc", "-O", "raw", path, target], check=True)
    return target.read_bytes()


def by_libvhdi(paths: list[Path]) -> bytes:
    target = paths[-1].with_suffix(".raw")
    subprocess.run([python_with("pyvhdi"), "-c", READ_VHDI, target, *paths], check=True)
    return target.read_bytes()


def by_dissect(path: Path) -> bytes:
    from dissect.hypervisor.disk.vhd import VHD

    with path.open("rb") as file:
        disk = VHD(file)
        disk.seek(0)
        content: bytes = disk.read(disk.size)
    return content


def writes(block_size: int, step: int = SECTOR) -> list[Write]:
    """Into blocks that are there, into new ones, across their border, at the end of the disk; whole or odd sectors."""
    odd = 0 if step > SECTOR else 100
    return [
        Write(3 * step + odd, noise(step - odd or 1, 1), Phase.LINK),
        Write(block_size - 2 * step - odd, noise(5 * step, 2), Phase.DATA),
        Write(SIZE // 2 + 8 * step, noise(40 * step, 3), Phase.RELEASE),
        Write(SIZE - step, noise(step, 4), Phase.CLAIM),
        Write(SIZE // 2, bytes(4 * step), Phase.LINK),
    ]


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("block_size", [512 * KIB, 2 * MIB, 16 * MIB])
@pytest.mark.parametrize("kind", ["fixed", "dynamic"])
def test_others_read_what_we_wrote(tmp_path: Path, kind: str, block_size: int, aligned: bool) -> None:
    content = {0: noise(MIB, 8), SIZE // 2: noise(300 * KIB, 9)} if block_size < SIZE else {}
    case = Case(build_vhd(kind, SIZE, block_size, content, aligned_4k=aligned), b"", writes(512 * KIB))
    disk, _old, model = play(case)
    path = tmp_path / "disk.vhd"
    path.write_bytes(applied(case, disk.staged.changes(), disk.staged.size))
    assert by_qemu(path) == model
    assert by_dissect(path) == model


def test_libvhdi_reads_what_we_wrote_to_a_differencing_disk(tmp_path: Path) -> None:
    """In eights of sectors: within one byte of a bitmap libvhdi takes sectors for present that are not."""
    parent = build_vhd("dynamic", SIZE, 2 * MIB, {0: noise(4 * MIB, 8)})
    child = {64 * SECTOR: noise(16 * SECTOR, 9)}
    link = ParentLink.to(parent, "disk.vhd")
    case = Case(build_vhd("differencing", SIZE, 512 * KIB, child, parent=link), parent, writes(512 * KIB, 8 * SECTOR))
    disk, _old, model = play(case)
    paths = [tmp_path / "disk.vhd", tmp_path / "disk.1.avhd"]
    paths[0].write_bytes(parent)
    paths[1].write_bytes(applied(case, disk.staged.changes(), disk.staged.size))
    assert by_libvhdi(paths) == model


@pytest.mark.parametrize("subformat", ["fixed", "dynamic"])
def test_disks_of_qemu_are_written_to(tmp_path: Path, subformat: str) -> None:
    source, path = tmp_path / "source.raw", tmp_path / "disk.vhd"
    source.write_bytes(noise(MIB, 8).ljust(SIZE, b"\0"))
    options = f"subformat={subformat},force_size=on"
    subprocess.run([require("qemu-img"), "convert", "-O", "vpc", "-o", options, source, path], check=True)
    case = Case(path.read_bytes(), b"", writes(2 * MIB))
    disk, _old, model = play(case)
    path.write_bytes(applied(case, disk.staged.changes(), disk.staged.size))
    assert by_qemu(path) == model
    # And qemu goes on writing where we left off.
    command = ["-f", "vpc", "-c", f"write -P 7 {6 * MIB} 4096", "-c", f"read -P 7 {6 * MIB} 4096", str(path)]
    done = subprocess.run([require("qemu-io"), *command], check=True, capture_output=True, text=True)
    assert "Pattern verification failed" not in done.stdout
    expected = bytearray(model)
    expected[6 * MIB : 6 * MIB + 4096] = b"\7" * 4096
    assert by_qemu(path) == expected


@pytest.mark.skipif(not STRICTCHECK, reason="VDISKKIT_STRICTCHECK does not name the strict checker")
@settings(
    max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), phases=[Step.explicit, Step.generate]
)
@given(case=cases(fewest=32, smallest_block=4 * KIB))  # of smaller ones the checker does not find the headers
def test_the_strict_checker_takes_every_phase(tmp_path_factory: pytest.TempPathFactory, case: Case) -> None:
    import hashlib

    disk, old, model = play(case)
    changes, size = disk.staged.changes(), disk.staged.size
    folder = tmp_path_factory.mktemp("phases")
    (folder / "p.vhd").write_bytes(case.parent)
    paths = [folder / "before.vhd"]
    paths[0].write_bytes(case.data)
    for phase in PHASES:
        paths.append(folder / f"after-{phase.name}.vhd")
        paths[-1].write_bytes(applied(case, [change for change in changes if change.phase <= phase], size))
    results = strict(paths)
    known = set(results[0][0])
    if results[0][1] == hashlib.sha256(old).hexdigest():
        assert results[-1][1] == hashlib.sha256(model).hexdigest()
    else:  # the one reader that looks at the bits of a dynamic disk
        assert case.parent == b""
    for found, _content in results[1:-1]:
        # Data comes first, its bit second; a block first, what refers to it second.
        assert set(found) - {"vhd.bitmap_stale_data", "vhd.bitmap_hidden_data", "vhd.gap"} <= known
    assert set(results[-1][0]) <= known

"""What a disk is made of is what others say of files that qemu made and wrote to.

Of a VHD ``qemu-img map`` knows it. Of a VHDX it does not: there it is the block table as dissect reads it. Where
nothing is in the file, qemu reads zeros.
"""

from __future__ import annotations

import json
import subprocess
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests.oracle.tools import require
from vdiskkit.container.block_map import IN_FILE, file_use, parts
from vdiskkit.container.detect import Probe
from vdiskkit.container.single import open_single
from vdiskkit.io import FileSource

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.oracle
FULLY_PRESENT = 6


def run(program: str, *arguments: str | Path) -> bytes:
    return subprocess.run([require(program), *map(str, arguments)], check=True, capture_output=True).stdout


def by_qemu(path: Path, kind: str) -> list[tuple[int, int]]:
    """Ranges that qemu finds in the file, neighbours joined."""
    found: list[tuple[int, int]] = []
    for item in json.loads(run("qemu-img", "map", "-f", kind, "--output=json", path)):
        # A hole of the host file inside a block is data of the disk: only "present" with an offset tells.
        if "offset" in item:
            if found and found[-1][1] == item["start"]:
                found[-1] = (found[-1][0], item["start"] + item["length"])
            else:
                found.append((item["start"], item["start"] + item["length"]))
    return found


def by_dissect(path: Path) -> list[tuple[int, int]]:
    """Blocks that the table has in the file, neighbours joined."""
    from dissect.hypervisor.disk.vhdx import VHDX

    found: list[tuple[int, int]] = []
    with path.open("rb") as file:
        disk = VHDX(file)
        for block in range(-(-disk.size // disk.block_size)):
            if disk.bat.pb(block).state == FULLY_PRESENT:
                start, end = block * disk.block_size, min((block + 1) * disk.block_size, disk.size)
                if found and found[-1][1] == start:
                    found[-1] = (found[-1][0], end)
                else:
                    found.append((start, end))
    return found


def by_us(path: Path) -> list[tuple[int, int]]:
    with FileSource(str(path)) as source:
        disk = open_single(Probe.of(source), str(path))
        use = file_use(disk)
        assert use.structures + use.blocks + use.unreferenced == source.size
        return [(part.offset, part.offset + part.length) for part in parts(disk) if part.kind == IN_FILE]


WRITES = ("write -P 1 0 512", "write -P 2 5M 3M", "write -P 3 20M 64k", "write -P 4 40900k 60k", "write -z 30M 1M")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("vpc", "subformat=dynamic,force_size=on"),
        ("vpc", "subformat=fixed,force_size=on"),
        ("vhdx", "subformat=dynamic,block_size=1M"),
        ("vhdx", "subformat=dynamic,block_size=2M"),
        ("vhdx", "subformat=dynamic,block_size=16M"),
        ("vhdx", "subformat=fixed,block_size=8M"),
    ],
)
def test_the_map_is_that_of_qemu(tmp_path: Path, kind: str, options: str) -> None:
    path = tmp_path / "disk"
    run("qemu-img", "create", "-q", "-f", kind, "-o", options, path, "41M")
    run("qemu-io", "-f", kind, *(word for command in WRITES for word in ("-c", command)), path)
    ours = by_us(path)
    assert ours
    assert ours == (by_qemu(path, kind) if kind == "vpc" else by_dissect(path))
    raw = tmp_path / "raw"
    run("qemu-img", "convert", "-f", kind, "-O", "raw", path, raw)
    data = raw.read_bytes()
    holes = [(end, start) for (_, end), (start, _) in pairwise([(0, 0), *ours, (len(data), 0)])]
    assert not any(any(data[start:end]) for start, end in holes)

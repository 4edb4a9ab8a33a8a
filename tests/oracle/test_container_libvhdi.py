"""libvhdi reads the same bytes from chains of differencing disks.

Within one byte of a sector bitmap it takes every sector behind the first present one for present, too, so the changes
here begin and end at multiples of eight sectors; the strict checker judges the others.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.build.vhd import KIB, MIB, SECTOR, ParentLink, build_vhd, noise
from tests.oracle.tools import python_with, require
from vdiskkit.container import open_container
from vdiskkit.io import FileSource

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.oracle

SIZE = 6 * MIB
READ_CHAIN = """
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


def chain(folder: Path, block_size: int) -> list[Path]:
    first = {0: noise(MIB, 1), 3 * MIB: noise(2 * MIB, 2)}
    second = {96 * SECTOR: noise(24 * SECTOR, 3), 3 * MIB + 8 * SECTOR: noise(600 * KIB, 4)}
    third = {
        104 * SECTOR: bytes(8 * SECTOR),
        3 * MIB + 16 * SECTOR: noise(4 * KIB, 5),
        SIZE - 4 * KIB: noise(4 * KIB, 6),
    }
    names = ["disk.vhd", "disk.1.avhd", "disk.2.avhd"]
    data = build_vhd("dynamic", SIZE, block_size, first)
    paths = [folder / names[0]]
    paths[0].write_bytes(data)
    for name, content in zip(names[1:], (second, third), strict=True):
        data = build_vhd("differencing", SIZE, block_size, content, parent=ParentLink.to(data, paths[-1].name))
        paths.append(folder / name)
        paths[-1].write_bytes(data)
    return paths


@pytest.mark.parametrize("block_size", [512 * KIB, 2 * MIB])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_chains_by_pyvhdi(tmp_path: Path, block_size: int, depth: int) -> None:
    paths = chain(tmp_path, block_size)[:depth]
    target = tmp_path / "theirs.raw"
    subprocess.run([python_with("pyvhdi"), "-c", READ_CHAIN, target, *paths], check=True)
    theirs = target.read_bytes()
    with FileSource(str(paths[-1])) as source:
        disk = open_container(source, path=str(paths[-1]))
        assert disk.size == SIZE
        assert disk.read_at(0, SIZE) == theirs
        disk.close()


def test_vhdiinfo_reads_the_same_facts(tmp_path: Path) -> None:
    path = chain(tmp_path, 2 * MIB)[-1]
    text = subprocess.run([require("vhdiinfo"), str(path)], check=True, capture_output=True, text=True).stdout
    fields = dict(line.strip().split(":", 1) for line in text.splitlines() if ":" in line)
    theirs = {name.strip(): value.strip() for name, value in fields.items()}
    with FileSource(str(path)) as source:
        disk = open_container(source, path=str(path))
        facts = disk.facts()
        disk.close()
    assert theirs["Identifier"] == facts.unique_id
    assert facts.parent is not None
    assert theirs["Parent identifier"] == facts.parent.unique_id
    assert theirs["Parent filename"] == facts.parent.name
    assert str(facts.virtual_size) in theirs["Media size"]

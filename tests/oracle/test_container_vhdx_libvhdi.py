"""libvhdi reads the same bytes from chains of differencing VHDX files, which qemu cannot open."""

from __future__ import annotations

import random
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.build.vhd import noise
from tests.build.vhdx import FULL, MIB, build_vhdx, link_to
from tests.oracle.test_container_libvhdi import READ_CHAIN
from tests.oracle.tools import python_with
from vdiskkit.container import open_container
from vdiskkit.io import FileSource

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.oracle
SIZE = 6 * MIB


def chain(folder: Path, block_size: int) -> list[Path]:
    first = {0: noise(MIB, 1), 3 * MIB: noise(2 * MIB, 2)}
    second = {96 * 512: noise(24 * 512, 3), 3 * MIB + 8 * 512: noise(640 * 1024, 4)}
    third = {104 * 512: bytes(8 * 512), 3 * MIB + 16 * 512: noise(4096, 5), SIZE - 4096: noise(4096, 6)}
    names = ["disk.vhdx", "disk.1.avhdx", "disk.2.avhdx"]
    image = build_vhdx("dynamic", SIZE, block_size, first)
    paths = [image.save(folder / names[0])]
    for name, content in zip(names[1:], (second, third), strict=True):
        image = build_vhdx("differencing", SIZE, block_size, content, parent=link_to(image, f".\\{paths[-1].name}"))
        paths.append(image.save(folder / name))
    return paths


@pytest.mark.parametrize("block_size", [MIB, 2 * MIB, 32 * MIB])
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


@pytest.mark.parametrize("seed", range(10))
def test_chains_at_random(tmp_path: Path, seed: int) -> None:
    """Several versions with block and sector sizes of their own, changed in groups of eight sectors.

    Within one byte of a sector bitmap libvhdi takes every sector behind the first present one for present, too.
    """
    dice = random.Random(seed)  # noqa: S311 - repeatable, no secret
    paths: list[Path] = []
    parent: dict[str, str] | None = None
    # libvhdi wants one size of sectors in a chain.
    sector = dice.choice([512, 4096])
    for number in range(dice.randint(2, 5)):
        group, content = 8 * sector, {}
        for _ in range(dice.randint(1, 12)):
            near = dice.randrange(0, SIZE, MIB) + dice.choice([-group, 0, group])
            at = max(dice.choice([near, dice.randrange(0, SIZE, group)]), 0) // group * group
            length = min(dice.choice([group, 5 * group, 40 * group]), SIZE - at)
            content |= {place: noise(group, dice.randrange(1 << 30)) for place in range(at, at + length, group)}
        image = build_vhdx(
            "dynamic" if parent is None else "differencing", SIZE, dice.choice([1, 2, 4, 32]) * MIB, content,
            sector_size=sector, parent=parent, reverse=dice.random() < 0.5,
        )  # fmt: skip
        paths.append(image.save(tmp_path / (f"disk.{number}.avhdx" if number else "disk.vhdx")))
        parent = link_to(image, f".\\{paths[-1].name}")
    target = tmp_path / "theirs.raw"
    subprocess.run([python_with("pyvhdi"), "-c", READ_CHAIN, target, *paths], check=True)
    theirs = target.read_bytes()
    with FileSource(str(paths[-1])) as source:
        disk = open_container(source, path=str(paths[-1]))
        step = 999_983
        assert b"".join(disk.read_at(at, min(step, SIZE - at)) for at in range(0, SIZE, step)) == theirs
        disk.close()


def test_whole_blocks(tmp_path: Path) -> None:
    """Blocks of zeros are left out: libvhdi shows the parent's bytes there, the specification says zeros."""
    parent = build_vhdx("dynamic", SIZE, MIB, noise(SIZE, 1))
    states = {0: FULL, 4: FULL}
    child = build_vhdx("differencing", SIZE, MIB, {0: noise(MIB, 7)}, states=states, parent=link_to(parent, "p.vhdx"))
    paths = [parent.save(tmp_path / "p.vhdx"), child.save(tmp_path / "c.avhdx")]
    target = tmp_path / "theirs.raw"
    subprocess.run([python_with("pyvhdi"), "-c", READ_CHAIN, target, *paths], check=True)
    with FileSource(str(paths[-1])) as source:
        disk = open_container(source, path=str(paths[-1]))
        assert disk.read_at(0, SIZE) == target.read_bytes()
        disk.close()

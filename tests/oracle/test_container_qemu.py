"""The bytes of our virtual disks are those that qemu-img converts to."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.build.vhd import KIB, MIB, build_vhd, noise
from tests.oracle.tools import require
from vdiskkit.container import open_container
from vdiskkit.io import FileSource

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.oracle


def qemu_img(*arguments: str | Path) -> None:
    subprocess.run([require("qemu-img"), *map(str, arguments)], check=True, capture_output=True)


def by_qemu(path: Path) -> bytes:
    target = path.with_suffix(".qemu")
    qemu_img("convert", "-f", "vpc", "-O", "raw", path, target)
    return target.read_bytes()


def by_us(path: Path) -> bytes:
    with FileSource(str(path)) as source:
        disk = open_container(source, path=str(path))
        # In odd steps, so that reads begin and end anywhere in blocks.
        step = 1_000_003
        return b"".join(disk.read_at(at, min(step, disk.size - at)) for at in range(0, disk.size, step))


def scattered(size: int) -> bytes:
    raw = bytearray(size)
    for number, at in enumerate(range(0, size - 20_000, size // 7)):
        raw[at : at + 20_000] = noise(20_000, number)
    raw[-512:] = noise(512)
    return bytes(raw)


@pytest.mark.parametrize("aligned_4k", [False, True])
@pytest.mark.parametrize("block_size", [512 * KIB, 2 * MIB, 16 * MIB])
def test_dynamic_disks_of_ours(tmp_path: Path, block_size: int, aligned_4k: bool) -> None:
    raw = scattered(40 * MIB)
    path = tmp_path / "disk.vhd"
    path.write_bytes(build_vhd("dynamic", len(raw), block_size, raw, aligned_4k=aligned_4k))
    assert by_us(path) == by_qemu(path) == raw


def test_fixed_disks_of_ours(tmp_path: Path) -> None:
    raw = scattered(8 * MIB)
    path = tmp_path / "disk.vhd"
    path.write_bytes(build_vhd("fixed", len(raw), content=raw))
    assert by_us(path) == by_qemu(path) == raw


@pytest.mark.parametrize("force_size", ["on", "off"])
@pytest.mark.parametrize("subformat", ["fixed", "dynamic"])
def test_disks_of_qemu(tmp_path: Path, subformat: str, force_size: str) -> None:
    raw = scattered(9 * MIB + 512 * 3)
    source = tmp_path / "disk.raw"
    source.write_bytes(raw)
    path = tmp_path / "disk.vhd"
    qemu_img("convert", "-f", "raw", "-O", "vpc", "-o", f"subformat={subformat},force_size={force_size}", source, path)
    ours = by_us(path)
    assert ours == by_qemu(path)
    assert ours[: len(raw)] == raw
    with FileSource(str(path)) as opened:
        disk = open_container(opened, path=str(path))
        assert disk.subformat == subformat
        assert disk.notices == ()
        assert disk.facts().creator_application == ("qem2" if force_size == "on" else "qemu")


def test_an_empty_disk_of_qemu(tmp_path: Path) -> None:
    path = tmp_path / "disk.vhd"
    qemu_img("create", "-f", "vpc", "-o", "subformat=dynamic,force_size=on", path, "64G")
    with FileSource(str(path)) as source:
        disk = open_container(source, path=str(path))
        assert disk.size == 64 << 30
        assert disk.facts().allocated_blocks == 0
        assert disk.read_at(12345, 100) == bytes(100)

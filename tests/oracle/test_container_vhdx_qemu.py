"""The bytes of our virtual disks are those that qemu-img converts a VHDX to."""

from __future__ import annotations

import hashlib
import lzma
import os
import random
import subprocess
from pathlib import Path

import pytest

from tests.build.vhd import noise
from tests.build.vhdx import MIB, Page, build_vhdx, put_log
from tests.oracle.tools import require
from vdiskkit.container import open_container
from vdiskkit.io import FileSource

pytestmark = pytest.mark.oracle
SAMPLES = os.environ.get("VDISKKIT_REAL_SAMPLES", "")


def run(program: str, *arguments: str | Path) -> None:
    subprocess.run([require(program), *map(str, arguments)], check=True, capture_output=True)


def by_qemu(path: Path) -> bytes:
    target = path.with_suffix(".qemu")
    run("qemu-img", "convert", "-f", "vhdx", "-O", "raw", path, target)
    return target.read_bytes()


def by_us(path: Path) -> bytes:
    with FileSource(str(path)) as source:
        disk = open_container(source, path=str(path))
        # In odd steps, so that reads begin and end anywhere in blocks.
        step = 1_000_003
        return b"".join(disk.read_at(at, min(step, disk.size - at)) for at in range(0, disk.size, step))


def change(path: Path, *commands: str) -> None:
    arguments = [argument for command in commands for argument in ("-c", command)]
    run("qemu-io", "-f", "vhdx", *arguments, path)


@pytest.mark.parametrize("subformat", ["dynamic", "fixed"])
@pytest.mark.parametrize("block_size", [1 << power for power in range(9)])
def test_disks_of_qemu(tmp_path: Path, subformat: str, block_size: int) -> None:
    """Written to and discarded here and there, at ends of blocks and in the middle."""
    path = tmp_path / "disk.vhdx"
    log_size = "1M" if block_size < 8 else "3M"
    options = f"subformat={subformat},block_size={block_size}M,log_size={log_size}"
    run("qemu-img", "create", "-f", "vhdx", "-o", options, path, "41M")
    change(
        path, "write -P 1 1000k 3M", "write -P 2 32767k 2k", "write -z 2M 1M", "discard 1M 8M", "write -P 4 40M 64k",
        "write -P 3 41983k 1k", "write -P 5 0 512", "discard 32M 1M",
    )  # fmt: skip
    ours = by_us(path)
    assert len(ours) == 41 * MIB
    assert ours == by_qemu(path)
    assert set(ours) == {0, 1, 2, 3, 4, 5}
    with FileSource(str(path)) as source:
        disk = open_container(source, path=str(path))
        assert (disk.subformat, disk.block_size, disk.notices) == (subformat, block_size * MIB, ())
        assert (disk.facts().creator_application or "").startswith("QEMU")


@pytest.mark.parametrize("seed", range(6))
def test_disks_that_qemu_wrote_to_at_random(tmp_path: Path, seed: int) -> None:
    """Dozens of writes, zeroed and discarded ranges, at and across the ends of blocks, in several sessions."""
    dice = random.Random(seed)  # noqa: S311 - repeatable, no secret
    block = dice.choice([1, 2, 4, 8, 16, 32, 64, 128, 256]) * MIB
    size = dice.choice([3 * block, 41 * MIB]) - dice.choice([0, 512, 4096, MIB - 512])
    path = tmp_path / "disk.vhdx"
    subformat = dice.choice(["dynamic", "fixed"])
    zero_state = dice.choice(["on", "off"])
    options = f"subformat={subformat},block_size={block // MIB}M,block_state_zero={zero_state}"
    run("qemu-img", "create", "-f", "vhdx", "-o", options, path, str(size))
    for _session in range(3):
        commands = []
        for _ in range(12):
            near = dice.randrange(0, size, block) + dice.choice([-4608, -512, 0, 512, 70_144])
            at = max(min(dice.choice([near, dice.randrange(0, size, 512)]), size - 512), 0)
            length = min(dice.choice([512, 4096, 66_048, 3 * MIB]), size - at)
            commands.append(
                f"{dice.choice([f'write -P {dice.randrange(1, 256)}', 'write -z', 'discard'])} {at} {length}"
            )
        change(path, *commands)
        ours = by_us(path)
        assert ours == by_qemu(path)
    assert len(set(ours)) > 3


@pytest.mark.parametrize("zero_state", ["on", "off"])
def test_converted_disks(tmp_path: Path, zero_state: str) -> None:
    raw = bytearray(9 * MIB + 512 * 3)
    for number, at in enumerate(range(0, len(raw) - 20_000, len(raw) // 7)):
        raw[at : at + 20_000] = noise(20_000, number)
    raw[-512:] = noise(512)
    source = tmp_path / "disk.raw"
    source.write_bytes(raw)
    path = tmp_path / "disk.vhdx"
    run(
        "qemu-img",
        "convert",
        "-f",
        "raw",
        "-O",
        "vhdx",
        "-o",
        f"block_size=1M,block_state_zero={zero_state}",
        source,
        path,
    )
    ours = by_us(path)
    assert ours == by_qemu(path)
    assert ours[: len(raw)] == raw


def test_an_empty_disk_of_two_tib(tmp_path: Path) -> None:
    path = tmp_path / "disk.vhdx"
    run("qemu-img", "create", "-f", "vhdx", "-o", "subformat=dynamic,block_size=1M", path, "2040G")
    with FileSource(str(path)) as source:
        disk = open_container(source, path=str(path))
        assert disk.size == 2040 << 30
        assert disk.facts().allocated_blocks == 0
        assert disk.read_at((1 << 40) + 12345, 100) == bytes(100)


def test_qemu_reads_our_files_and_replays_our_log(tmp_path: Path) -> None:
    """It replays into the file; what is read then is what we showed before without touching it.

    Of a sequence that goes around the end of the log it replays only what lies behind, since it does not look at the
    place where the sequence begins; so this one does not.
    """
    image = build_vhdx("dynamic", 8 * MIB, content={MIB - 5: noise(3 * MIB), 7 * MIB: b"end"})
    block = open_container(image, path=None).block_offset(1)  # type: ignore[attr-defined] # only a VHDX has it
    plain = image.copy().save(tmp_path / "plain.vhdx")
    assert by_us(plain) == by_qemu(plain)
    changes = [[Page(block + 4096 * number, noise(4096, number))] for number in range(5)]
    put_log(image, [*changes[:3], [Page(block, b"again"), *changes[3]], changes[4]], start=100 * 4096)
    path = image.save(tmp_path / "logged.vhdx")
    before = path.read_bytes()
    ours = by_us(path)
    assert path.read_bytes() == before
    run("qemu-img", "check", "-r", "all", "-f", "vhdx", path)
    assert ours == by_qemu(path)
    assert ours == by_us(path)
    assert ours[MIB : MIB + 5] == b"again"
    with FileSource(str(path)) as source:
        assert open_container(source, path=str(path)).notices == ()


@pytest.mark.real
@pytest.mark.skipif(not SAMPLES, reason="VDISKKIT_REAL_SAMPLES does not name the real samples")
def test_a_log_that_windows_left(tmp_path: Path) -> None:
    path = tmp_path / "disk.vhdx"
    path.write_bytes(lzma.decompress((Path(SAMPLES) / "vhd" / "discutils_vhdx-log-replay.vhdx.xz").read_bytes()))

    def content() -> tuple[str, list[str]]:
        digest = hashlib.sha256()
        with FileSource(str(path)) as source:
            disk = open_container(source, path=str(path))
            for at in range(0, 400 * MIB, MIB):
                digest.update(disk.read_at(at, MIB))
            return digest.hexdigest(), [notice.code for notice in disk.notices]

    ours = content()
    run("qemu-img", "check", "-r", "all", "-f", "vhdx", path)
    theirs = content()
    assert ours == (theirs[0], ["vhdx.log_replayed"])
    assert theirs[1] == []

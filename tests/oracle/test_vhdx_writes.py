"""Other programs read the VHDX files that we have written to: qemu-img, libvhdi, dissect.hypervisor.

qemu-img checks logs and tables and can replay a log; libvhdi reads chains, but shows the parent's bytes where the file
says zeros; dissect reads right what does not cross blocks.
"""

from __future__ import annotations

import json
import lzma
import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.build.vhd import noise
from tests.build.vhdx import BAT_REGION, FULL, MIB, PAGE, Page, build_vhdx, link_to, put_log
from tests.oracle.test_container_libvhdi import READ_CHAIN
from tests.oracle.test_container_vhdx_qemu import by_qemu, change, run
from tests.oracle.tools import python_with
from tests.property.patch.test_vhdx_writes import SECTOR, Write, new_ids
from vdiskkit.container import open_container
from vdiskkit.container.dissect_view import read_with_dissect
from vdiskkit.container.vhdx.disk import VhdxDisk
from vdiskkit.io import FileSource, PageCache, ReadBudget
from vdiskkit.patch.disk import open_writable
from vdiskkit.patch.staging import FileChange, Phase, StagedFile

pytestmark = pytest.mark.oracle
SAMPLES = os.environ.get("VDISKKIT_REAL_SAMPLES", "")
SIZE = 41 * MIB


def check(path: Path) -> None:
    done = subprocess.run(["qemu-img", "check", "-f", "vhdx", path], capture_output=True, text=True, check=True)
    assert "No errors were found" in done.stdout


class Planned(NamedTuple):
    """What some writes do to a file."""

    changes: list[FileChange]
    size: int
    blocks: list[int]
    notes: tuple[str, ...]


def planned(path: Path, writes: list[Write]) -> Planned:
    with FileSource(str(path)) as source:
        staged = StagedFile(PageCache(source))
        disk = open_writable(staged, path=str(path), new_id=new_ids())
        for write in writes:
            disk.write_at(write.offset, write.data, write.phase)
        disk.close()
        return Planned(staged.changes(), staged.size, [item.block for item in disk.allocations], tuple(disk.notes))


def write_to(path: Path, changes: list[FileChange], size: int) -> None:
    with path.open("r+b") as file:
        file.truncate(size)
        for item in changes:
            file.seek(item.offset)
            file.write(item.after)


def modelled(old: bytes, writes: list[Write]) -> bytes:
    model = bytearray(old)
    for write in writes:
        model[write.offset : write.offset + len(write.data)] = write.data
    return bytes(model)


def writes(size: int) -> list[Write]:
    """Into blocks that are there, into new ones, across borders, at the end of the disk; in every phase."""
    return [
        Write(1000, noise(700, 1), Phase.LINK),
        Write(MIB - 1500, noise(3 * MIB, 2), Phase.DATA),
        Write(2 * MIB + 5, b"linked", Phase.LINK),
        Write(size // 2 + 8 * SECTOR, noise(40 * SECTOR, 3), Phase.RELEASE),
        Write(size - SECTOR, noise(SECTOR, 4), Phase.CLAIM),
        Write(size // 2, bytes(4 * SECTOR), Phase.LINK),
        Write(5 * MIB - 10, b"across the border of two blocks", Phase.RELEASE),
    ]


@pytest.mark.parametrize("subformat", ["dynamic", "fixed", "fixed of zeros"])
@pytest.mark.parametrize("block_size", [1, 2, 8, 32, 64, 256])
def test_disks_of_qemu(tmp_path: Path, subformat: str, block_size: int) -> None:
    """Its fixed disks have no block in the table at first, unless it is told so; the last one is cut short."""
    path = tmp_path / "disk.vhdx"
    options = {
        "subformat": "dynamic" if subformat == "dynamic" else "fixed",
        "block_state_zero": "on" if "zeros" in subformat else "off",
        "block_size": f"{block_size}M",
        "log_size": "1M" if block_size < 8 else "3M",
    }
    run(
        "qemu-img",
        "create",
        "-f",
        "vhdx",
        "-o",
        ",".join(f"{name}={value}" for name, value in options.items()),
        path,
        "41M",
    )
    change(path, "write -P 1 1000k 3M", "write -z 2M 1M", "discard 1M 8M", "write -P 5 0 512", "discard 32M 1M")
    old = by_qemu(path)
    model = modelled(old, writes(SIZE))
    done = planned(path, writes(SIZE))
    assert bool(done.blocks) == (subformat != "fixed" and block_size < 64)
    write_to(path, done.changes, done.size)
    check(path)
    assert by_qemu(path) == model
    with FileSource(str(path)) as source:
        ours = open_container(source, path=str(path))
        assert ours.read_at(0, SIZE) == model
        assert ours.notices == ()
        read = read_with_dissect(source, ours, ReadBudget(1 << 30, 1 << 20))
        assert read is not None
        assert read(0, SIZE) == model
    # And qemu goes on writing where we left off, into a block of ours and into a new one.
    change(path, "write -P 7 20M 64k", "write -P 8 12M 64k")
    expected = bytearray(model)
    expected[20 * MIB : 20 * MIB + 65536] = b"\7" * 65536
    expected[12 * MIB : 12 * MIB + 65536] = b"\10" * 65536
    check(path)
    assert by_qemu(path) == expected
    # And we where it left off.
    last = [Write(20 * MIB - 3, b"again", Phase.LINK), Write(30 * MIB, b"new", Phase.LINK)]
    done = planned(path, last)
    write_to(path, done.changes, done.size)
    check(path)
    assert by_qemu(path) == modelled(bytes(expected), last)


@pytest.mark.parametrize("kind", ["fixed", "dynamic", "pending log"])
def test_qemu_opens_what_was_stopped_after_any_phase(tmp_path: Path, kind: str) -> None:
    """Old content is whole, new content is there or not, and where the log is pending qemu replays it."""
    content = {0: noise(2 * MIB, 8), SIZE // 2 - SIZE // 2 % MIB: noise(300_000, 9)}
    image = build_vhdx("fixed" if kind == "fixed" else "dynamic", SIZE, MIB, content)
    old = by_qemu(image.save(tmp_path / "disk.vhdx"))
    if kind == "pending log":
        table, block = image.region(BAT_REGION), image.size - 2 * MIB
        put_log(image, [[Page(at, image.read_at(at, PAGE))] for at in (table, block)])
        image.write(table, bytes(PAGE))
        image.write(block, noise(PAGE, 7))
    path = image.save(tmp_path / "disk.vhdx")
    model = modelled(old, writes(SIZE))
    # A sector that several phases write shows in each of them what was written up to then.
    known = [old, *(modelled(old, [item for item in writes(SIZE) if item[2] <= phase]) for phase in Phase)]
    changes, size, *_ = planned(path, writes(SIZE))
    replayed = 0
    for phase in Phase:
        left = shutil.copy(path, tmp_path / f"{phase.name}.vhdx")
        write_to(left, [item for item in changes if item.phase <= phase], size)
        done = subprocess.run(
            ["qemu-img", "check", "-r", "all", "-f", "vhdx", left], capture_output=True, text=True, check=True
        )
        replayed += "repaired" in done.stdout
        check(left)
        found = by_qemu(left)
        for at in (at for at in range(0, SIZE, MIB) if found[at : at + MIB] != old[at : at + MIB]):
            for place in range(at, at + MIB, SECTOR):
                assert found[place : place + SECTOR] in {one[place : place + SECTOR] for one in known}
        if phase < Phase.DATA:
            assert found == old
        left.unlink()
    assert found == model
    # Ours from LOGGED_FIRST to RELEASE, CLOSE_FIRST has cleared it; the old one from OPEN_FIRST to REPLAY.
    assert replayed == {"fixed": 0, "dynamic": 9, "pending log": 9 + 3}[kind]


@pytest.mark.parametrize("unit", [512, 4096])
@pytest.mark.parametrize("block_size", [MIB, 2 * MIB, 32 * MIB])
def test_libvhdi_reads_chains(tmp_path: Path, block_size: int, unit: int) -> None:
    parent = build_vhdx(
        "dynamic", SIZE, block_size, {0: noise(4 * MIB, 8), SIZE - MIB: noise(MIB, 7)}, sector_size=unit
    )
    child = {64 * unit: noise(16 * unit, 9), 3 * MIB: noise(MIB, 5)}
    image = build_vhdx(
        "differencing", SIZE, block_size, child, sector_size=unit, states={3: FULL} if block_size == MIB else None,
        parent=link_to(parent, r".\disk.vhdx"),
    )  # fmt: skip
    paths = [parent.save(tmp_path / "disk.vhdx"), image.save(tmp_path / "disk.1.avhdx")]
    before = paths[0].read_bytes()
    with FileSource(str(paths[1])) as source:
        disk = open_container(source, path=str(paths[1]))
        old = disk.read_at(0, SIZE)
        disk.close()
    # In eights of sectors: within one byte of a bitmap libvhdi may take sectors for present that are not.
    mine = [
        Write(8 * unit, noise(8 * unit, 1), Phase.LINK),
        Write(MIB - 8 * unit, noise(16 * unit, 2), Phase.DATA),
        Write(SIZE // 2 // MIB * MIB + 16 * unit, noise(40 * unit, 3), Phase.RELEASE),
        Write(SIZE - 8 * unit, noise(8 * unit, 4), Phase.CLAIM),
        Write(3 * MIB + 777, b"in place", Phase.LINK),
    ]
    done = planned(paths[1], mine)
    write_to(paths[1], done.changes, done.size)
    target = tmp_path / "theirs.raw"
    subprocess.run([python_with("pyvhdi"), "-c", READ_CHAIN, target, *paths], check=True)
    assert target.read_bytes() == modelled(old, mine)
    assert paths[0].read_bytes() == before


@pytest.mark.parametrize("index", [0, 511, 512, 513, 1024, 4095, 4097, 4098])
def test_entries_at_borders_of_pages_and_chunks(tmp_path: Path, index: int) -> None:
    """Of a disk of 5 GiB in blocks of 1 MiB: pages of the table have 512 entries, a chunk has 4096 blocks."""
    size = 5120 * MIB
    path = tmp_path / "disk.vhdx"
    run("qemu-img", "create", "-f", "vhdx", "-o", "subformat=dynamic,block_size=1M", path, str(size))
    block = index - index // 4097
    places = [block, block + 1, block + 2]
    change(path, f"write -P 6 {places[1]}M 1M")
    mine = [Write(places[0] * MIB + 100, b"first", Phase.LINK), Write(places[2] * MIB, b"third", Phase.LINK)]
    before = table_of(path)
    done = planned(path, mine)
    assert done.blocks == [places[0], places[2]]
    write_to(path, done.changes, done.size)
    check(path)
    expected = modelled(bytes(MIB) + b"\6" * MIB + bytes(MIB), [
        Write(100, b"first", Phase.LINK), Write(2 * MIB, b"third", Phase.LINK),
    ])  # fmt: skip
    target = tmp_path / "part.raw"
    part = {"driver": "raw", "offset": block * MIB, "size": 3 * MIB}
    part["file"] = {"driver": "vhdx", "file": {"driver": "file", "filename": str(path)}}
    run("qemu-img", "convert", "-O", "raw", f"json:{json.dumps(part)}", target)
    assert target.read_bytes() == expected
    after = table_of(path)
    changed = {number for number, (old, new) in enumerate(zip(before, after, strict=True)) if old != new}
    assert changed == {place + place // 4096 for place in (places[0], places[2])}


def table_of(path: Path) -> list[bytes]:
    """The entries of the block allocation table, read from the file."""
    with FileSource(str(path)) as source:
        disk = open_container(source, path=str(path))
        assert isinstance(disk, VhdxDisk)
        data = source.read_at(disk.regions.bat.offset, disk.shape.entries * 8)
    return [data[at : at + 8] for at in range(0, len(data), 8)]


@pytest.mark.real
@pytest.mark.skipif(not SAMPLES, reason="VDISKKIT_REAL_SAMPLES does not name the real samples")
def test_a_log_that_windows_left_is_replayed_first(tmp_path: Path) -> None:
    path = tmp_path / "disk.vhdx"
    path.write_bytes(lzma.decompress((Path(SAMPLES) / "vhd" / "discutils_vhdx-log-replay.vhdx.xz").read_bytes()))
    theirs = tmp_path / "theirs.vhdx"
    shutil.copy(path, theirs)
    run("qemu-img", "check", "-r", "all", "-f", "vhdx", theirs)
    mine = [Write(123 * MIB + 77, noise(5000, 1), Phase.LINK), Write(300 * MIB - 50, noise(100, 2), Phase.LINK)]
    done = planned(path, mine)
    assert done.notes
    write_to(path, done.changes, done.size)
    check(path)
    for number, item in enumerate(mine):
        source = tmp_path / f"part{number}"
        source.write_bytes(item.data)
        change(theirs, f"write -s {source} {item.offset} {len(item.data)}")
    run("qemu-img", "compare", "-f", "vhdx", "-F", "vhdx", path, theirs)

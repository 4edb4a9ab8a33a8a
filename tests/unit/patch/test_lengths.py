"""A journal that somebody else wrote can neither cut nor lengthen the files that it lies beside to no whole disk."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

import vdiskkit
from tests.build.pair import write_pair
from tests.build.scenario import make, windows_disk
from vdiskkit.errors import CorruptStructureError
from vdiskkit.journal import Journal, JournalFile, JournalState, Record, build_body, build_state, sector_digests
from vdiskkit.journal.format import Stamp

if TYPE_CHECKING:
    from pathlib import Path

HINT = "nothing was touched; move the journals beside this disk away, vdiskkit did not write them for it"
STATES = ["recover", "undo"]


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    return make("win10-private-mak", tmp_path)


def craft(disk: Path, how: str, lengths: list[tuple[Path, int]], before: dict[int, bytes] | None = None) -> None:
    """Write a journal whose every sector fits, and which leads to other lengths.

    Args:
        disk: The disk.
        how: ``recover`` for a change that was interrupted, ``undo`` for one that is kept.
        lengths: The files and the lengths before.
        before: What the first file held at some offsets.
    """
    files, records, stamps = [], [], []
    for number, (path, length) in enumerate(lengths):
        content = path.read_bytes()
        files.append(JournalFile(path.name, length, len(content), 0))
        # What is cut off must be among the changes.
        for at in range(length // 512 * 512, len(content), 512):
            sector = content[at : at + 512]
            records.append(Record(number, 4, at, b"", len(sector), sector_digests(sector)))
        for at, data in (before or {}).items() if number == 0 else ():
            after = content[at : at + len(data)]
            records.append(Record(0, 4, at, data, len(after), sector_digests(after)))
        status = path.stat()
        stamps.append(Stamp(status.st_size, status.st_mtime_ns))
    about = {"summary": "x", "changes": [], "made": "2024-01-01T00:00:00+00:00"}
    state = JournalState.ARMED if how == "recover" else JournalState.COMMITTED
    header, body = build_body(Journal(UUID(int=1), state, about, tuple(files), tuple(records), (), ()))
    name = f"{disk.name}.vdiskkit-journal" if how == "recover" else f"{disk.name}.vdiskkit-undo-0001"
    disk.with_name(name).write_bytes(header + build_state(state, stamps if how == "undo" else ()) + body)


def check_refused(disk: Path, how: str, message: str) -> None:
    before = {path.name: path.read_bytes() for path in disk.parent.iterdir()}
    for dry_run in (True, False):
        with pytest.raises(CorruptStructureError, match=message) as caught:
            (vdiskkit.recover if how == "recover" else vdiskkit.undo)(disk, dry_run=dry_run)
        assert (caught.value.hint, str(caught.value.location)) == (HINT, str(disk))
    assert {path.name: path.read_bytes() for path in disk.parent.iterdir()} == before


@pytest.mark.thorough
@pytest.mark.parametrize("how", STATES)
@pytest.mark.parametrize("left", [0, -512, -1536])
def test_a_disk_is_not_cut(disk: Path, how: str, left: int) -> None:
    length = left and disk.stat().st_size + left
    craft(disk, how, [(disk, length)])
    check_refused(disk, how, rf"the journal leads from [0-9]+ bytes to {length}, and that is no whole disk: ")


@pytest.mark.parametrize("how", STATES)
def test_a_disk_is_not_lengthened(disk: Path, how: str) -> None:
    size = disk.stat().st_size
    craft(disk, how, [(disk, size + (1 << 20))])
    check_refused(disk, how, "and that is no whole disk: ")


@pytest.mark.parametrize("how", STATES)
def test_a_raw_image_keeps_its_length(tmp_path: Path, how: str) -> None:
    disk = tmp_path / "x.img"
    disk.write_bytes(windows_disk("win10"))
    craft(disk, how, [(disk, disk.stat().st_size - 512)])
    check_refused(disk, how, "a raw image never changes its length")


@pytest.mark.parametrize("how", STATES)
@pytest.mark.parametrize("more", [-4608, 512])
def test_a_side_car_keeps_its_length(disk: Path, how: str, more: int) -> None:
    side_car = disk.with_suffix(".pvp")
    craft(disk, how, [(disk, disk.stat().st_size), (side_car, max(side_car.stat().st_size + more, 0))])
    check_refused(disk, how, "the journal changes the length of the side-car, which no change does")


def test_readers_do_not_look_through_such_a_journal(disk: Path) -> None:
    craft(disk, "recover", [(disk, disk.stat().st_size - 512)])
    with vdiskkit.open_vdisk(disk) as opened:
        assert opened.windows.root == "Windows"
        (notice,) = opened.pending
    assert "does not belong to its present state" in notice
    assert "no whole disk" in notice


def test_growth_of_ours_is_taken_back(tmp_path: Path) -> None:
    disk = write_pair(tmp_path, "x", windows_disk("win10"), pvp={"write_cache_type": 0, "license_mode": 2})
    before = disk.read_bytes()
    value = vdiskkit.SetValue(key=r"HKLM\SOFTWARE\New", name="x", type=3, data=b"x" * 900_000, create_keys=True)
    vdiskkit.apply(vdiskkit.plan(disk, [value]))
    assert disk.stat().st_size > len(before)
    vdiskkit.undo(disk)
    assert disk.read_bytes() == before

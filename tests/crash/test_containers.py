"""Writes to every kind of container, interrupted everywhere: the files are old or new, and so is the disk in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.build.vhd import KIB, SECTOR, ParentLink, build_vhd, noise
from tests.crash.matrix import (
    DISK,
    SIDE_CAR,
    Change,
    change_of,
    check_failures,
    check_power_cuts,
    chooser,
    pending,
    undo_of,
)
from tests.crash.simulated import PowerCut, SimulatedFileSystem, VanishedError, at
from tests.effort import thorough_but
from vdiskkit.container.detect import Probe
from vdiskkit.container.vhd.disk import open_vhd
from vdiskkit.io import BytesSource
from vdiskkit.journal import OldStateView
from vdiskkit.patch.disk import WritableDisk, open_writable
from vdiskkit.patch.staging import Phase, StagedFile

if TYPE_CHECKING:
    from vdiskkit.container import VirtualDisk
    from vdiskkit.io import ByteSource

BLOCK = 4 * KIB
SIZE = 6 * BLOCK
PARENT = build_vhd("dynamic", SIZE, 2 * BLOCK, noise(SIZE, 1), unique_id=b"p" * 16)
KINDS = ("fixed", "raw", "dynamic", "aligned", "differencing")


def build(kind: str) -> bytes:
    content = {0: noise(BLOCK, 2), 4 * BLOCK: noise(SECTOR, 3)}
    if kind == "raw":
        return noise(SIZE, 2)
    if kind == "differencing":
        return build_vhd(kind, SIZE, BLOCK, content, parent=ParentLink(b"p" * 16, "p.vhd"))
    return build_vhd("fixed" if kind == "fixed" else "dynamic", SIZE, BLOCK, content, aligned_4k=kind == "aligned")


def opened(source: ByteSource, kind: str) -> VirtualDisk:
    disk = open_vhd(Probe.of(source), None)
    if kind == "differencing":
        disk.parent = open_vhd(Probe.of(BytesSource(PARENT)), None)
    return disk


def written(kind: str) -> Change:
    """In place, into a new block, over a border, in every phase; and the side-car with it."""
    staged = StagedFile(BytesSource(build(kind)))
    if kind == "raw":
        disk = open_writable(staged, path=None, format="raw")
    else:
        disk = WritableDisk(opened(staged, kind), staged)
    disk.write_at(100, noise(900, 5), Phase.LINK)
    disk.write_at(2 * BLOCK - 700, noise(1500, 6), Phase.DATA)
    disk.write_at(4 * BLOCK + 2 * SECTOR, noise(SECTOR, 7), Phase.CLAIM)
    disk.write_at(SIZE - SECTOR, noise(SECTOR, 8), Phase.RELEASE)
    side_car = StagedFile(BytesSource(noise(4608, 9)))
    side_car.write_at(477, b"\2", Phase.LINK)
    return change_of({DISK: staged, SIDE_CAR: side_car})


@pytest.mark.parametrize("kind", thorough_but(KINDS, "fixed"))
def test_power_cuts(kind: str) -> None:
    check_power_cuts(written(kind), chooser(1), samples=6, nested=1)


@pytest.mark.parametrize("kind", KINDS)
def test_power_cuts_of_undo(kind: str) -> None:
    check_power_cuts(undo_of(written(kind)), chooser(2), samples=4)


@pytest.mark.parametrize("kind", KINDS)
def test_the_share_goes_away(kind: str) -> None:
    change = written(kind)
    for call in change.calls():
        outcome = check_failures(change, at(call.number, VanishedError), chooser(call.number))
        assert outcome in {"PatchError", "RollbackFailedError"}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "raw"])
def test_readers_find_a_whole_disk_at_every_instant(kind: str) -> None:
    change = written(kind)
    contents = [opened(BytesSource(data[DISK]), kind).read_at(0, SIZE) for data in (change.before, change.after)]
    assert contents[0] != contents[1]
    for call in change.calls():
        system = SimulatedFileSystem(change.start, at(call.number))
        with pytest.raises(PowerCut):
            change.run(system)
        for left in system.power_cuts(chooser(call.number), samples=6):
            source: ByteSource = BytesSource(left[DISK].content)
            journal = pending(left)
            if journal is not None:
                source = OldStateView(source, journal)
            disk = opened(source, kind)
            assert disk.notices == ()
            assert (
                disk.read_at(0, SIZE)
                == contents[0 if journal is not None else left[DISK].content == change.after[DISK]]
            )

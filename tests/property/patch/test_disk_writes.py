"""Random writes to a disk, staged and applied, read as a naive model; every phase in between is a valid disk."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.build.vhd import KIB, SECTOR, ParentLink, build_vhd, noise
from tests.effort import tries
from vdiskkit.container.detect import Probe
from vdiskkit.container.vhd.disk import BlockVhd, open_vhd
from vdiskkit.io import BytesSource
from vdiskkit.patch.disk import WritableDisk
from vdiskkit.patch.staging import FileChange, Phase, StagedFile

if TYPE_CHECKING:
    from vdiskkit.container import VirtualDisk

MAX_SECTORS = 96
BLOCK_SIZES = (512, 1024, 4 * KIB, 8 * KIB, 64 * KIB)
PARENT_ID = b"p" * 16
PHASES = (Phase.GROW, Phase.DATA, Phase.CLAIM, Phase.LINK, Phase.RELEASE)
"""Those that a writer of file systems and hives names, and a VHD has."""


class Write(NamedTuple):
    offset: int
    data: bytes
    phase: Phase


class Case(NamedTuple):
    """A file, its parent (empty without one), and what is written."""

    data: bytes
    parent: bytes
    writes: list[Write]

    def __repr__(self) -> str:
        lengths = [(write.offset, len(write.data), write.phase.name) for write in self.writes]
        return f"Case({len(self.data)} bytes, parent of {len(self.parent)} bytes, writes {lengths})"


def sectors_of(draw: st.DrawFn, count: int, seed: int) -> dict[int, bytes]:
    chosen = draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(1, 12), st.booleans()), max_size=5))
    content: dict[int, bytes] = {}
    for number, (first, length, zeros) in enumerate(chosen):
        for sector in range(first, min(first + length, count)):
            content[sector * SECTOR] = bytes(SECTOR) if zeros else noise(SECTOR, seed + number)
    return content


@st.composite
def cases(draw: st.DrawFn, fewest: int = 1, smallest_block: int = SECTOR) -> Case:
    kind = draw(st.sampled_from(["fixed", "dynamic", "dynamic", "differencing", "differencing"]))
    count = draw(st.integers(fewest, MAX_SECTORS))
    size = count * SECTOR
    block_size = draw(st.sampled_from([size for size in BLOCK_SIZES if size >= smallest_block]))
    content = sectors_of(draw, count, 100)
    stale = {at: noise(SECTOR, 900) for at in sectors_of(draw, count, 0) if at not in content}
    parent, link = b"", None
    if kind == "differencing":
        # The parent may be smaller or larger than its child, and have blocks of another size.
        parent_count = draw(st.integers(fewest, MAX_SECTORS))
        parent_content = sectors_of(draw, parent_count, 300)
        parent = build_vhd("dynamic", parent_count * SECTOR, 4 * KIB, parent_content, unique_id=PARENT_ID)
        link = ParentLink(PARENT_ID, "p.vhd", ((b"W2ru", ".\\p.vhd"),))
    data = build_vhd(
        kind, size, block_size, content, parent=link, unique_id=b"c" * 16, aligned_4k=draw(st.booleans()),
        extra_bat_entries=draw(st.integers(0, 200)), stale_sectors=None if kind == "fixed" else stale,
        block_order=(lambda blocks: blocks[::-1]) if draw(st.booleans()) else None,
    )  # fmt: skip
    if kind != "fixed" and draw(st.booleans()):
        tail = noise(draw(st.integers(1, 30)) * SECTOR, 77)
        data = data[:-SECTOR] + tail + data[-SECTOR:]
    writes = []
    for number in range(draw(st.integers(0, 7))):
        offset = draw(st.integers(0, size))
        length = min(draw(st.sampled_from([1, 7, 512, 513, 2000, 4096, 9000, 30000])), size - offset)
        fill = draw(st.sampled_from(["noise", "zeros", "byte"]))
        piece = {"noise": noise(length, 500 + number), "zeros": bytes(length), "byte": b"\x01" * length}[fill]
        writes.append(Write(offset, piece, draw(st.sampled_from(PHASES))))
    return Case(data, parent, writes)


def open_disk(source: BytesSource | StagedFile, parent: bytes) -> VirtualDisk:
    """Open without the file system: only the search for a parent needs one."""
    disk = open_vhd(Probe.of(source), None)
    if parent:
        disk.parent = open_vhd(Probe.of(BytesSource(parent)), None)
    return disk


def content_of(data: bytes, parent: bytes) -> bytes:
    disk = open_disk(BytesSource(data), parent)
    assert disk.notices == () or {notice.code for notice in disk.notices} <= {"vhd.geometry_size"}
    return disk.read_at(0, disk.size)


def play(case: Case) -> tuple[WritableDisk, bytes, bytes]:
    """Return the disk with all writes staged, the old content and the content that it must have."""
    staged = StagedFile(BytesSource(case.data))
    disk = WritableDisk(open_disk(staged, case.parent), staged)
    old = disk.read_at(0, disk.size)
    model = bytearray(old)
    for write in case.writes:
        disk.write_at(write.offset, write.data, write.phase)
        model[write.offset : write.offset + len(write.data)] = write.data
        low, high = max(write.offset - 700, 0), min(write.offset + len(write.data) + 700, len(model))
        assert disk.read_at(low, high - low) == model[low:high]
    return disk, old, bytes(model)


def applied(case: Case, changes: list[FileChange], size: int) -> bytes:
    result = bytearray(case.data.ljust(size, b"\0"))
    for change in changes:
        assert result[change.offset : change.offset + len(change.before)] == change.before
        result[change.offset : change.offset + len(change.after)] = change.after
    return bytes(result)


@settings(max_examples=tries(200), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases())
def test_what_was_written_is_read_again(case: Case) -> None:
    disk, _old, model = play(case)
    assert disk.read_at(0, disk.size) == model
    result = applied(case, disk.staged.changes(), disk.staged.size)
    assert content_of(result, case.parent) == model
    assert len(result) == disk.staged.size
    if isinstance(disk.container, BlockVhd):
        again = open_disk(BytesSource(result), b"")
        assert isinstance(again, BlockVhd)
        assert again.allocated_blocks == disk.container.allocated_blocks
        assert again.data_aligned_4k == disk.container.data_aligned_4k
        before = open_disk(BytesSource(case.data), b"")
        assert isinstance(before, BlockVhd)
        assert len(disk.allocations) == again.allocated_blocks - before.allocated_blocks
        assert result.count(b"conectix") == 2
        grown = [change for change in disk.staged.changes() if change.phase is Phase.GROW]
        footer = [(len(result) - SECTOR, result[-SECTOR:])] if len(result) > len(case.data) else []
        assert [(change.offset, change.after) for change in grown] == footer
        if footer and again.data_aligned_4k:
            assert footer[0][0] % 4096 == 0
    else:
        assert disk.allocations == ()
        assert len(result) == len(case.data)


@settings(max_examples=tries(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases(), st.data())
def test_every_phase_leaves_a_disk_that_is_old_or_new_sector_by_sector(case: Case, data: st.DataObject) -> None:
    case = case._replace(writes=sorted(case.writes, key=lambda write: write.phase.rank))
    disk, old, model = play(case)
    changes, size = disk.staged.changes(), disk.staged.size
    for phase in PHASES:
        earlier = [change for change in changes if change.phase < phase]
        if phase > Phase.GROW:
            # Between the flushes any subset of a phase's sectors may have arrived.
            arrived = [piece for change in changes if change.phase == phase for piece in sectors(change)]
            some = (
                data.draw(st.lists(st.sampled_from(arrived), unique_by=lambda change: change.offset)) if arrived else []
            )
            check_mixed(content_of(applied(case, earlier + some, size), case.parent), old, case.writes)
        whole = content_of(applied(case, [change for change in changes if change.phase <= phase], size), case.parent)
        check_mixed(whole, old, case.writes)
        # What a sector bitmap has to show is shown in CLAIM at the earliest.
        if phase >= Phase.CLAIM or not any(write.phase <= phase for write in case.writes):
            assert whole == contents_after(old, [write for write in case.writes if write.phase <= phase])[-1]
    assert whole == model


def sectors(change: FileChange) -> list[FileChange]:
    return [
        FileChange(change.offset + at, change.before[at : at + SECTOR], change.after[at : at + SECTOR], change.phase)
        for at in range(0, len(change.after), SECTOR)
    ]


def contents_after(old: bytes, writes: list[Write]) -> list[bytes]:
    """The content of the disk before the first write, and after each of them."""
    found = [old]
    for write in writes:
        found.append(found[-1][: write.offset] + write.data + found[-1][write.offset + len(write.data) :])
    return found


def check_mixed(content: bytes, old: bytes, writes: list[Write]) -> None:
    """Check that each sector is as it was before the writes, or after one of them."""
    assert len(content) == len(old)
    contents = contents_after(old, writes)
    for at in range(0, len(content), SECTOR):
        assert content[at : at + SECTOR] in {known[at : at + SECTOR] for known in contents}


@settings(max_examples=tries(100), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases())
def test_of_a_new_block_content_shows_in_its_phase_and_not_before(case: Case) -> None:
    """What is written in LINK or later is not seen while only earlier phases are on the disk."""
    late = [write for write in case.writes if write.data][-1:]
    if not late or late[0].phase < Phase.LINK:
        return
    alone = case._replace(writes=late)
    disk, old, _model = play(alone)
    before = [change for change in disk.staged.changes() if change.phase < Phase.LINK]
    assert content_of(applied(alone, before, disk.staged.size), case.parent) == old


def test_every_pair_of_neighbouring_sectors_and_phases() -> None:
    """The shared sectors of bitmap and table, exhaustively for two writes into one new block of each kind."""
    parent = build_vhd("dynamic", 16 * SECTOR, 4 * KIB, {0: noise(16 * SECTOR, 1)}, unique_id=PARENT_ID)
    link = ParentLink(PARENT_ID, "p.vhd")
    for kind, content, (one, two), first in itertools.product(
        ("dynamic", "differencing"), ({}, {0: noise(SECTOR, 2)}), itertools.product(PHASES, PHASES), (0, 1)
    ):
        base = link if kind == "differencing" else None
        data = build_vhd(kind, 16 * SECTOR, 4 * KIB, content, parent=base)
        writes = [Write(first * SECTOR, b"1" * SECTOR, one), Write(first * SECTOR + SECTOR, b"2" * 9, two)]
        case = Case(data, parent if base else b"", writes)
        disk, old, model = play(case)
        changes = disk.staged.changes()
        for phase in PHASES:
            done = applied(case, [change for change in changes if change.phase <= phase], disk.staged.size)
            check_mixed(content_of(done, case.parent), old, [*writes, writes[0]])
        assert content_of(done, case.parent) == model

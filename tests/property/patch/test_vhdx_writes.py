"""Random writes to a VHDX, staged and applied, read as a naive model; every phase in between is a valid file."""

from __future__ import annotations

import uuid
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.build.vhd import noise
from tests.build.vhdx import (
    BAT_REGION,
    FULL,
    HEADERS,
    MIB,
    PAGE,
    UNDEFINED,
    UNMAPPED,
    ZERO,
    Image,
    Page,
    Zeros,
    build_vhdx,
    chunk_ratio,
    crc32c,
    link_to,
    put_log,
)
from tests.effort import tries
from vdiskkit.container.detect import Probe
from vdiskkit.container.vhdx.disk import VhdxDisk
from vdiskkit.patch.disk import WritableDisk
from vdiskkit.patch.staging import FileChange, Phase, StagedFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdiskkit.io import ByteSource

SECTOR = 512
WHOLE = 6 * MIB
"""Disks up to this size are compared whole, larger ones around what was written."""
CONTENT_PHASES = (Phase.DATA, Phase.CLAIM, Phase.LINK, Phase.RELEASE)
HEADER_PHASES = (
    (Phase.OPEN_FIRST, Phase.OPEN_SECOND), (Phase.REPLAYED_FIRST, Phase.REPLAYED_SECOND),
    (Phase.LOGGED_FIRST, Phase.LOGGED_SECOND), (Phase.CLOSE_FIRST, Phase.CLOSE_SECOND),
)  # fmt: skip


class Write(NamedTuple):
    offset: int
    data: bytes
    phase: Phase


class Case(NamedTuple):
    """A file, its parent (None without one), and what is written."""

    image: Image
    parent: Image | None
    writes: list[Write]

    def __repr__(self) -> str:
        lengths = [(write.offset, len(write.data), write.phase.name) for write in self.writes]
        return f"Case({self.image.size} bytes, parent {self.parent is not None}, writes {lengths})"


def new_ids() -> Callable[[], uuid.UUID]:
    numbers = count(1)
    return lambda: uuid.UUID(int=next(numbers) << 64 | 0xFEED)


def pieces_of(draw: st.DrawFn, size: int, unit: int, seed: int) -> dict[int, bytes]:
    """Content in whole sectors that does not overlap, here and there or at ends of blocks."""
    places: dict[int, bytes] = {}
    end = 0
    for number, at in enumerate(sorted(draw(st.lists(places_in(size), max_size=4)))):
        start = max(at - at % unit, end)
        length = min(draw(st.integers(1, 20)) * unit, size - start)
        if length > 0:
            places[start] = bytes(length) if draw(st.booleans()) and number % 2 else noise(length, seed + number)
            end = start + length
    return places


def places_in(size: int) -> st.SearchStrategy[int]:
    """Offsets, mostly about the borders of blocks and ends."""
    borders = st.builds(
        lambda block, step: min(max(block * MIB + step, 0), size - 1),
        st.integers(0, size // MIB), st.sampled_from([-9000, -4096, -700, -512, -1, 0, 1, 512, 4096, 20_000]),
    )  # fmt: skip
    return st.one_of(borders, st.integers(0, size - 1))


@st.composite
def cases(draw: st.DrawFn, logs: bool = True) -> Case:
    kind = draw(st.sampled_from(["fixed", "dynamic", "dynamic", "differencing", "differencing", "differencing"]))
    unit = draw(st.sampled_from([512, 512, 4096]))
    block_size = draw(st.sampled_from([MIB, MIB, 2 * MIB, 4 * MIB]))
    size = draw(st.integers(1, WHOLE // unit)) * unit
    blocks = -(-size // block_size)
    content = pieces_of(draw, size, unit, 100)
    stale = {at: data for at, data in pieces_of(draw, size, unit, 900).items() if kind != "fixed"}
    states: dict[int, int] = {}
    if kind != "fixed":
        used = {
            block
            for at, data in content.items()
            for block in range(at // block_size, (at + len(data) - 1) // block_size + 1)
        }
        for block in set(range(blocks)) - used:
            state = draw(st.sampled_from([0, 0, UNDEFINED, ZERO, UNMAPPED]))
            if state:
                states[block] = state
        stale = {
            at: data for at, data in stale.items()
            if not any(block in states for block in range(at // block_size, (at + len(data) - 1) // block_size + 1))
        }  # fmt: skip
    parent, locator = None, None
    if kind == "differencing":
        parent_size = draw(st.integers(1, WHOLE // unit)) * unit
        parent = build_vhdx("dynamic", parent_size, MIB, pieces_of(draw, parent_size, unit, 300), sector_size=unit)
        locator = link_to(parent, r".\p.vhdx")
        for block in used:
            if draw(st.booleans()):
                states[block] = FULL
    image = build_vhdx(
        kind, size, block_size, content, sector_size=unit, parent=locator, states=states, stale=stale,
        reverse=draw(st.booleans()),
    )  # fmt: skip
    if kind == "differencing":
        leave_bits(draw, image, size, block_size, unit)
    spare = draw(st.sampled_from([0, 0, 512, 100_000, MIB]))
    image.write(image.size, noise(spare, 7))
    if logs and draw(st.booleans()):
        pending_log(draw, image, chunk_ratio(block_size, unit) if kind == "differencing" else None)
    writes = []
    for number in range(draw(st.integers(0, 6))):
        offset = draw(places_in(size))
        length = min(draw(st.sampled_from([1, 7, 512, 513, 4096, 9000, 30_000, MIB])), size - offset)
        fill = draw(st.sampled_from(["noise", "zeros", "byte"]))
        data = {"noise": noise(length, 500 + number), "zeros": bytes(length), "byte": b"\x01" * length}[fill]
        writes.append(Write(offset, data, draw(st.sampled_from(CONTENT_PHASES))))
    return Case(image, parent, writes)


def leave_bits(draw: st.DrawFn, image: Image, size: int, block_size: int, unit: int) -> None:
    """Set bits of blocks that are not there: they mean nothing."""
    ratio = chunk_ratio(block_size, unit)
    bitmap = image.entry(ratio)
    each = block_size // unit // 8
    if not bitmap or not draw(st.booleans()):
        return
    for block in range(-(-size // block_size)):
        if image.entry(block) & 7 < FULL and draw(st.booleans()):
            image.write((bitmap >> 20) * MIB + block * each, noise(each, block))


def pending_log(draw: st.DrawFn, image: Image, ratio: int | None) -> None:
    """Have a part of the tables and a page of data in the log alone; in the file stands something else."""
    table = image.region(BAT_REGION)
    places = [table]
    if ratio is not None and image.entry(ratio):
        places.append((image.entry(ratio) >> 20) * MIB)
    places += [(entry >> 20) * MIB for entry in (image.entry(index) for index in range(6)) if entry & 7 >= FULL][:2]
    changes: list[Page | Zeros] = [Page(at, image.read_at(at, PAGE)) for at in places]
    zeros = table + 40 * PAGE
    assert not any(image.read_at(zeros, 3 * PAGE))
    for at in places:
        image.write(at, noise(PAGE, at))
    image.write(zeros, noise(3 * PAGE, 3))
    size = image.size
    if not any(image.read_at(size - 4096, 4096)) and size % MIB == 0 and all(at + PAGE < size - 4096 for at in places):
        image.truncate(size - draw(st.sampled_from([0, 512, 4096])))
    put_log(
        image, [[change] for change in (*changes, Zeros(zeros, 3 * PAGE))],
        flushed=image.size, last=size, start=draw(st.sampled_from([0, 252 * PAGE])),
    )  # fmt: skip


def open_disk(source: ByteSource, parent: ByteSource | None) -> VhdxDisk:
    """Open without the file system: only the search for a parent needs one."""
    disk = VhdxDisk(Probe.of(source), None)
    if parent is not None:
        disk.parent = VhdxDisk(Probe.of(parent), None)
    return disk


def content_of(image: Image, parent: Image | None, ranges: list[tuple[int, int]]) -> list[bytes]:
    disk = open_disk(image, parent)
    return [disk.read_at(at, length) for at, length in ranges]


class Played(NamedTuple):
    """A case with its writes staged; contents are those of ``ranges``."""

    disk: WritableDisk
    ranges: list[tuple[int, int]]
    old: list[bytes]
    model: list[bytes]

    @property
    def changes(self) -> list[FileChange]:
        return self.disk.staged.changes()


def play(case: Case, ids: Callable[[], uuid.UUID] | None = None) -> Played:
    staged = StagedFile(case.image)
    disk = WritableDisk(open_disk(staged, case.parent), staged, new_id=ids or new_ids())
    ranges = [(0, disk.size)] if disk.size <= WHOLE else windows(case.writes, disk.size)
    old = [disk.read_at(at, length) for at, length in ranges]
    model = [bytearray(data) for data in old]
    for write in case.writes:
        disk.write_at(write.offset, write.data, write.phase)
        put_into(model, ranges, write)
        for (at, length), data in zip(ranges, model, strict=True):
            low = max(min(write.offset - 5000, at + length), at)
            high = min(max(write.offset + len(write.data) + 5000, at), at + length)
            assert disk.read_at(low, high - low) == data[low - at : high - at]
    return Played(disk, ranges, old, [bytes(data) for data in model])


def put_into(contents: list[bytearray], ranges: list[tuple[int, int]], write: Write) -> None:
    for (at, length), data in zip(ranges, contents, strict=True):
        low, high = max(at, write.offset), min(at + length, write.offset + len(write.data))
        if low < high:
            data[low - at : high - at] = write.data[low - write.offset : high - write.offset]


def windows(writes: list[Write], size: int) -> list[tuple[int, int]]:
    return [(max(at - MIB, 0), min(at + len(data) + MIB, size) - max(at - MIB, 0)) for at, data, _phase in writes]


def applied(case: Case, changes: list[FileChange], size: int) -> Image:
    """The file after some changes, which are checked to lead on from what is there."""
    image = case.image.copy()
    image.truncate(size)
    for change in changes:
        there = max(min(case.image.size - change.offset, len(change.before)), 0)
        assert image.read_at(change.offset, there) == change.before[:there]
        assert not any(change.before[there:]) or change.before == image.read_at(change.offset, len(change.before))
        image.write(change.offset, change.after)
    assert image.size == size
    image.reads.clear()
    return image


def headers_of(image: ByteSource) -> list[tuple[int, uuid.UUID, uuid.UUID, uuid.UUID]]:
    """Sequence number, FileWriteGuid, DataWriteGuid and LogGuid of both headers, whose checksums must fit."""
    found = []
    for at in HEADERS:
        data = image.read_at(at, PAGE)
        assert int.from_bytes(data[4:8], "little") == crc32c(data[:4] + bytes(4) + data[8:])
        guids = [uuid.UUID(bytes_le=data[place : place + 16]) for place in (16, 32, 48)]
        found.append((int.from_bytes(data[8:16], "little"), *guids))
    return found  # type: ignore[return-value] # four items each


@settings(max_examples=tries(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases())
def test_what_was_written_is_read_again(case: Case) -> None:
    played = play(case)
    disk, changes = played.disk, played.changes
    result = applied(case, changes, disk.staged.size)
    assert content_of(result, case.parent, played.ranges) == played.model
    before, after = open_disk(case.image, None), open_disk(result, None)
    assert len(disk.allocations) == after.allocated_blocks - before.allocated_blocks
    assert after.metadata == before.metadata
    assert after.creator == before.creator
    if not changes:
        assert played.model == played.old
        return
    assert after.notices == ()
    assert after.log is None
    (first, *ids), (second, *same) = headers_of(result)
    assert ids == same
    assert ids[:2] == [uuid.UUID(int=1 << 64 | 0xFEED), uuid.UUID(int=2 << 64 | 0xFEED)]
    assert ids[2].int == 0
    steps = 2 + 2 * (before.log is not None) + 4 * bool(disk.allocations)
    current = before.header_number - 1
    assert (first, second)[current] == before.header.sequence + steps
    assert (first, second)[1 - current] == before.header.sequence + steps - 1
    if disk.allocations:
        assert result.size % MIB == 0
        assert all(item.file_offset >= case.image.size for item in disk.allocations)
    else:
        assert result.size == before.source.size


@settings(max_examples=tries(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases(), st.data())
def test_every_phase_leaves_a_disk_that_is_old_or_new_sector_by_sector(case: Case, data: st.DataObject) -> None:
    case = case._replace(writes=sorted(case.writes, key=lambda write: write.phase.rank))
    played = play(case)
    changes, size = played.changes, played.disk.staged.size
    for phase in Phase:
        arrived = [piece for change in changes if change.phase is phase for piece in sectors(change)]
        if not arrived:
            continue
        earlier = [change for change in changes if change.phase < phase]
        # Between the flushes any subset of a phase's sectors may have arrived.
        some = data.draw(st.lists(st.sampled_from(arrived), unique_by=lambda change: change.offset, max_size=40))
        check_mixed(content_of(applied(case, earlier + some, size), case.parent, played.ranges), played, case.writes)
        done = [change for change in changes if change.phase <= phase]
        whole = content_of(applied(case, done, size), case.parent, played.ranges)
        check_mixed(whole, played, case.writes)
        # What a sector bitmap has to show is shown in CLAIM at the earliest.
        if phase >= Phase.CLAIM or not any(write.phase <= phase for write in case.writes):
            assert whole == contents_after(played, [write for write in case.writes if write.phase <= phase])[-1]
    assert content_of(applied(case, changes, size), case.parent, played.ranges) == played.model


@settings(max_examples=tries(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases())
def test_of_a_new_block_content_shows_in_its_phase_and_not_before(case: Case) -> None:
    """What is written in LINK or later is not seen while only earlier phases are on the disk."""
    late = [write for write in case.writes if write.data][-1:]
    if not late or late[0].phase < Phase.LINK:
        return
    alone = case._replace(writes=late)
    played = play(alone)
    before = [change for change in played.changes if change.phase < Phase.LINK]
    assert content_of(applied(alone, before, played.disk.staged.size), case.parent, played.ranges) == played.old


@settings(max_examples=tries(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases())
def test_headers_come_first_and_one_is_whole_at_any_instant(case: Case) -> None:
    played = play(case)
    changes, size = played.changes, played.disk.staged.size
    if not changes:
        return
    assert [change.phase for change in changes] == sorted(change.phase for change in changes)
    assert changes[0].phase is Phase.OPEN_FIRST
    old = open_disk(case.image, None)
    for first, second in HEADER_PHASES:
        here = [change for change in changes if change.phase is first]
        there = [change for change in changes if change.phase is second]
        assert {change.offset for change in here} == ({HEADERS[2 - old.header_number]} if here else set())
        assert {change.offset for change in there} == ({HEADERS[old.header_number - 1]} if here else set())
    at_once = [change for change in changes if change.phase <= Phase.OPEN_SECOND]
    assert headers_of(applied(case, at_once, size))[0][1:] == headers_of(applied(case, at_once, size))[1][1:]
    again = play(case)
    assert again.changes == changes


def sectors(change: FileChange) -> list[FileChange]:
    return [
        FileChange(change.offset + at, change.before[at : at + SECTOR], change.after[at : at + SECTOR], change.phase)
        for at in range(0, len(change.after), SECTOR)
    ]


def contents_after(played: Played, writes: list[Write]) -> list[list[bytes]]:
    """The ranges of the disk before the first write, and after each of them."""
    found = [played.old]
    for write in writes:
        contents = list(found[-1])
        for number, (at, length) in enumerate(played.ranges):
            if at < write.offset + len(write.data) and write.offset < at + length:
                content = bytearray(contents[number])
                put_into([content], [(at, length)], write)
                contents[number] = bytes(content)
        found.append(contents)
    return found


def check_mixed(contents: list[bytes], played: Played, writes: list[Write]) -> None:
    """Check that each sector is as it was before the writes, or after one of them."""
    known = contents_after(played, writes)
    for number, (content, old) in enumerate(zip(contents, played.old, strict=True)):
        assert len(content) == len(old)
        for part in range(0, len(content), 128 * SECTOR):
            if content[part : part + 128 * SECTOR] == old[part : part + 128 * SECTOR]:
                continue
            for at in range(part, min(part + 128 * SECTOR, len(content)), SECTOR):
                assert content[at : at + SECTOR] in {one[number][at : at + SECTOR] for one in known}


@settings(max_examples=tries(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases())
def test_after_a_phase_its_content_is_there_and_no_later_one(case: Case) -> None:
    """For writes that share no sector of the disk, whatever else they share: blocks, bitmaps, pages of the table."""
    unit = open_disk(case.image, None).sector_size
    taken: set[int] = set()
    apart = []
    for write in case.writes:
        mine = set(range(write.offset // unit, (write.offset + len(write.data) - 1) // unit + 1))
        if write.data and not mine & taken:
            apart.append(write)
            taken |= mine
    played = play(case._replace(writes=apart))
    changes, size = played.changes, played.disk.staged.size
    for phase in (Phase.CLAIM, Phase.LINK, Phase.RELEASE, Phase.CLOSE_SECOND):
        done = applied(case, [change for change in changes if change.phase <= phase], size)
        expected = [bytearray(data) for data in played.old]
        for write in apart:
            if write.phase <= phase:
                put_into(expected, played.ranges, write)
        assert content_of(done, case.parent, played.ranges) == expected

"""Writes to every kind of VHDX, interrupted everywhere: the files are old or new, and so is the disk in them.

Others that open a file which was left half-way, as if there were no journal, find a whole disk as well.
"""

from __future__ import annotations

import errno
import os
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.build.vhd import noise
from tests.build.vhdx import BAT_REGION, MIB, PAGE, PARTIAL, ZERO, Image, Page, Zeros, build_vhdx, link_to, put_log
from tests.crash.matrix import (
    DISK,
    SIDE_CAR,
    Change,
    change_by,
    check_failures,
    check_power_cuts,
    check_recovery,
    chooser,
    pending,
    undo_of,
)
from tests.crash.simulated import PowerCut, SimulatedFileSystem, VanishedError, at
from tests.crash.sparse import Condensed, condense
from tests.effort import thorough_but
from tests.property.patch.test_vhdx_writes import (
    Case,
    Played,
    Write,
    cases,
    check_mixed,
    content_of,
    open_disk,
    play,
)
from vdiskkit.io import BytesSource
from vdiskkit.journal import OldStateView
from vdiskkit.patch.history import recover
from vdiskkit.patch.staging import Phase, StagedFile
from vdiskkit.patch.transaction import FileEdit

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from tests.crash.matrix import Files
    from tests.crash.simulated import Call
    from vdiskkit.journal import Journal

LONG = os.environ.get("VDISKKIT_LONG_TESTS") == "1"
LARGE = 1200 * MIB
PENDING = ("dynamic, log", "differencing, log", "fixed, log")
KINDS = ("fixed", "dynamic", "differencing", "differencing 4096", "zero blocks", *PENDING)


class World(NamedTuple):
    """A VHDX, what is written to it, and the change with few sectors."""

    case: Case
    played: Played
    condensed: Condensed
    change: Change


def build(kind: str) -> Case:
    """Block 0 and those at the start of a page of the table, 512 and 1024, are not in the file."""
    unit = 4096 if kind.endswith("4096") else 512
    size = 6 * MIB if kind.startswith("fixed") else LARGE
    content = {MIB: noise(9 * unit, 2), 3 * MIB + 8 * unit: noise(unit, 3)}
    shape = kind.split(maxsplit=1)[0].rstrip(",")
    parent, locator, states = None, None, {}
    if shape == "zero":
        shape, states = "dynamic", {0: ZERO, 511: ZERO}
    if shape == "differencing":
        parent = build_vhdx("dynamic", size, MIB, {0: noise(MIB, 4), 511 * MIB: noise(MIB, 5)}, sector_size=unit)
        locator = link_to(parent, r".\p.vhdx")
        states = {2: PARTIAL}
    image = build_vhdx(shape, size, MIB, content, sector_size=unit, parent=locator, states=states)
    if kind in PENDING:
        leave_in_log(image)
    writes = [
        Write(100, noise(900, 5), Phase.LINK),
        Write(2 * MIB - 700, noise(1500, 6), Phase.DATA),
        Write(MIB + 2 * unit, noise(unit, 7), Phase.CLAIM),
        Write(MIB + 20 * unit + 3, noise(unit, 8), Phase.LINK),
        Write(size - 512, noise(512, 9), Phase.RELEASE),
    ]
    if size == LARGE:
        writes += [Write(512 * MIB - 700, noise(1500, 10), Phase.DATA), Write(1024 * MIB, noise(600, 11), Phase.CLAIM)]
    return Case(image, parent, writes)


def leave_in_log(image: Image) -> None:
    """Let only the log have the table, a page of a block and the end of the file."""
    table = image.region(BAT_REGION)
    page = (image.entry(1) >> 20) * MIB
    pages = [Page(table, image.read_at(table, PAGE)), Page(page, image.read_at(page, PAGE))]
    image.write(table, noise(PAGE, 20))
    image.write(page, noise(PAGE, 21))
    image.write(table + 20 * PAGE, noise(PAGE, 22))
    size = image.size
    image.truncate(size - 4096)
    put_log(image, [pages, [Zeros(table + 20 * PAGE, PAGE)]], start=253 * PAGE, flushed=image.size, last=size)


@cache
def world(kind: str) -> World:
    return world_of(build(kind))


def world_of(case: Case) -> World:
    played = play(case)
    size = played.disk.size
    ranges = [(at // MIB * MIB, min(2 * MIB, size - at // MIB * MIB)) for at, _data, _phase in case.writes]
    old = content_of(case.image, case.parent, ranges)
    played = played._replace(
        ranges=ranges, old=old, model=[written(case, *item) for item in zip(ranges, old, strict=True)]
    )
    staged = played.disk.staged
    edit = FileEdit("disk.vhdx", staged.changes(), staged.original_size, staged.size)
    condensed = condense(DISK, edit, case.image)
    side_car = StagedFile(BytesSource(noise(4608, 9)))
    side_car.write_at(477, b"\2", Phase.LINK)
    other = FileEdit(SIDE_CAR, side_car.changes(), 4608, 4608)
    change = change_by({DISK: (condensed.edit, condensed.content), SIDE_CAR: (other, noise(4608, 9))})
    return World(case, played, condensed, change)


def written(case: Case, place: tuple[int, int], old: bytes) -> bytes:
    """Content of a range of the disk with all writes in it."""
    data, (start, length) = bytearray(old), place
    for write in case.writes:
        low, high = max(write.offset, start), min(write.offset + len(write.data), start + length)
        if low < high:
            data[low - start : high - start] = write.data[low - write.offset : high - write.offset]
    return bytes(data)


def test_the_cases_are_what_they_should_be() -> None:
    for kind in KINDS:
        made = world(kind)
        phases = {change.phase for change in made.played.changes}
        assert {Phase.OPEN_FIRST, Phase.OPEN_SECOND, Phase.LINK} <= phases
        assert (Phase.REPLAY in phases) == (Phase.REPLAYED_SECOND in phases) == (kind in PENDING)
        blocks = {item.block for item in made.played.disk.allocations}
        assert blocks == (set() if kind.startswith("fixed") else {0, 511, 512, 1024, 1199} | {2}) - (
            {2} if kind.startswith("differencing") else set()
        )
        assert (Phase.LOG in phases) == (Phase.CLOSE_SECOND in phases) == bool(blocks)
        assert len(made.condensed.content) < MIB


@pytest.mark.parametrize("kind", thorough_but(KINDS, "dynamic, log"))
def test_power_cuts(kind: str) -> None:
    check_power_cuts(world(kind).change, chooser(1), samples=3, nested=1, nested_every=5 if LONG else 400)


@pytest.mark.parametrize("kind", thorough_but(KINDS, "fixed"))
def test_power_cuts_of_undo(kind: str) -> None:
    check_power_cuts(undo_of(world(kind).change), chooser(2), samples=3, nested=1, nested_every=5 if LONG else 400)


@pytest.mark.thorough
@settings(max_examples=100 if LONG else 5, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases(), st.randoms(use_true_random=False))
def test_power_cuts_of_any_change(case: Case, choose: random.Random) -> None:
    """Of any file, with any log, in any phase; half of the states are looked at as disks, too."""
    made = world_of(case._replace(writes=sorted(case.writes, key=lambda write: write.phase.rank)))
    assume(made.played.changes and len(made.condensed.content) < MIB)
    for change in (made.change, undo_of(made.change)):
        calls = change.calls()
        for number in sorted(choose.sample(range(len(calls)), 8)):
            system = SimulatedFileSystem(change.start, at(number))
            with pytest.raises(PowerCut):
                change.run(system)
            for left in system.power_cuts(choose, exhaustive=1, samples=2):
                check_recovery(left, change, choose)
                undoing = change is not made.change
                check_instant(made, left[DISK].content, pending(left), undoing=undoing)
                for half in interrupted_recovery(left, choose):
                    check_instant(made, half[DISK].content, pending(half), undoing=undoing)


def interrupted_recovery(left: Files, choose: random.Random) -> Iterator[Files]:
    """What is left of files whose recovery is interrupted at some call."""
    system = SimulatedFileSystem(left)
    recover(DISK, system=system)
    for call in system.calls and [choose.choice(system.calls)]:
        again = SimulatedFileSystem(left, at(call.number))
        with pytest.raises(PowerCut):
            recover(DISK, system=again)
        yield from again.power_cuts(choose, exhaustive=1, samples=2)


def failed() -> OSError:
    return OSError(errno.EIO, "Input/output error")


def full() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("make", [VanishedError, failed, full])
@pytest.mark.parametrize("kind", thorough_but(["fixed", "differencing, log"], "fixed"))
def test_every_call_may_fail(kind: str, make: Callable[[], OSError]) -> None:
    for change in (world(kind).change, undo_of(world(kind).change)):
        for call in change.calls():
            outcome = check_failures(change, at(call.number, make), chooser(call.number))
            assert outcome in {"PatchError", "RollbackFailedError"}


def test_every_flush_may_fail_from_some_time_on() -> None:
    change = world("differencing, log").change
    calls = change.calls()
    last = max(call.number for call in calls if call.name == "flush")
    for first in calls:

        def fault(call: Call, first: int = first.number) -> BaseException | None:
            return failed() if call.number >= first and call.name == "flush" else None

        outcome = check_failures(change, fault, chooser(first.number))
        assert outcome in {"PatchError", "RollbackFailedError"} or first.number > last


@pytest.mark.parametrize("undoing", [False, True], ids=["change", "undo"])
@pytest.mark.parametrize("kind", thorough_but(KINDS, "fixed, log"))
def test_readers_find_a_whole_disk_at_every_instant(kind: str, undoing: bool) -> None:
    made = world(kind)
    change = undo_of(made.change) if undoing else made.change
    seen = set()
    for call in change.calls()[:: 1 if LONG else 2]:
        system = SimulatedFileSystem(change.start, at(call.number))
        with pytest.raises(PowerCut):
            change.run(system)
        for number, left in enumerate(system.power_cuts(chooser(call.number), exhaustive=1, samples=4)):
            if number and not LONG and (number + call.number) % 3:
                continue
            seen.add(check_instant(made, left[DISK].content, pending(left), undoing=undoing))
    assert seen == {"old", "new"}


def check_instant(made: World, content: bytes, journal: Journal | None, *, undoing: bool) -> str:
    """Look at a disk that was left half-way, through its journal and without; return what the former shows."""
    case, played = made.case, made.played
    alone = made.condensed.expanded(content, case.image)
    check_mixed(content_of(alone, case.parent, played.ranges), played, case.writes)
    if journal is None:
        shown = content_of(alone, case.parent, played.ranges)
        assert shown in (played.old, played.model)
        return "old" if shown == played.old else "new"
    view = OldStateView(BytesSource(content), journal)
    old = made.condensed.expanded(view.read_at(0, view.size), case.image)
    disk = open_disk(old, case.parent)
    assert [disk.read_at(at, length) for at, length in played.ranges] == (played.model if undoing else played.old)
    return "new" if undoing else "old"

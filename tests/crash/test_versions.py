"""Sectors that one change writes several times, as the headers of a VHDX, interrupted everywhere."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.crash.edits import changed, interrupted, reopened
from tests.crash.matrix import (
    DISK,
    SIDE_CAR,
    Change,
    Files,
    check_power_cuts,
    check_readers,
    chooser,
    content,
    pending,
    recovered,
    undo_of,
)
from tests.crash.simulated import PowerCut, SimulatedFileSystem, at
from vdiskkit.journal import digest
from vdiskkit.journal.versions import versions
from vdiskkit.patch.history import recover

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vdiskkit.journal import Record

EVERY = 1 if os.environ.get("VDISKKIT_LONG_TESTS") == "1" else 50
"""Of how many states of a long change one has its recovery interrupted too."""


@pytest.mark.thorough
def test_power_cuts_while_sectors_are_written_several_times() -> None:
    change = reopened()
    assert check_power_cuts(change, chooser(1), samples=6, nested=1, nested_every=EVERY) > 100
    assert check_power_cuts(undo_of(change), chooser(2), samples=6, nested=1, nested_every=EVERY) > 100


def test_any_version_of_any_sector_may_be_there() -> None:
    """After flushes that failed, each sector may hold any content that the change has given it."""
    change = reopened()
    last = interrupted(change)[-1]
    journal = pending(last)
    assert journal is not None
    repeated = versions(journal.records)
    assert len({len(same) for same in repeated.values()}) > 1
    known = {digest(data): data for data in sectors_of(change)}
    for seed in range(60):
        choose = chooser(seed)
        disk = bytearray(last[DISK].content)
        for (file, offset), same in repeated.items():
            chosen = choose.randrange(len(same) + 1)
            new = same[0].before if not chosen else known[same[chosen - 1].after[0]]
            if file == 0:
                disk[offset : offset + 512] = new.ljust(min(512, len(disk) - offset), b"\0")
        files = changed(last, DISK, bytes(disk))
        check_readers(files, change)
        assert content(recovered(files), change.before) == change.before


@pytest.mark.parametrize("build", [reopened, lambda: undo_of(reopened())], ids=["change", "undo"])
def test_recovery_brings_no_version_that_the_change_had_not_reached(build: Callable[[], Change]) -> None:
    """A header that tells of a log must not come to the disk before that log has."""
    change = build()
    steps = 0
    for files in interrupted(change)[::3]:
        journal = pending(files)
        assert journal is not None
        repeated = versions(journal.records)
        here = reached(files, repeated)
        system = SimulatedFileSystem(files)
        recover(DISK, system=system)
        for call in system.calls:
            again = SimulatedFileSystem(files, at(call.number))
            with pytest.raises(PowerCut):
                recover(DISK, system=again)
            left = again.files()
            if pending(left) is not None:
                now = reached(left, repeated)
                assert all(now[place] <= here[place] for place in here)
                steps += now != here
    assert steps > 10


def reached(files: Files, repeated: dict[tuple[int, int], list[Record]]) -> dict[tuple[int, int], int]:
    """How many of the versions of each sector have been there, 0 for the old content."""
    found = {}
    for (file, offset), same in repeated.items():
        data = files[(DISK, SIDE_CAR)[file]].content[offset : offset + 512]
        known = [data == same[0].before.ljust(len(data), b"\0")]
        known += [bool(item.after) and digest(data[: item.length]) == item.after[0] for item in same]
        found[file, offset] = known.index(True)
    return found


def sectors_of(change: Change) -> Iterator[bytes]:
    """Every content that a sector has while a change is made."""
    for call in change.calls():
        system = SimulatedFileSystem(change.start, at(call.number))
        with pytest.raises(PowerCut):
            change.run(system)
        for file in system.files().values():
            yield from (file.content[start : start + 512] for start in range(0, len(file.content), 512))

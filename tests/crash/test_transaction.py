"""Changes of any two files, and taking them back, interrupted everywhere."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.build.vhd import noise
from tests.crash.matrix import (
    DISK,
    SIDE_CAR,
    Change,
    Files,
    change_of,
    check_failures,
    check_power_cuts,
    check_readers,
    check_recovery,
    check_refusal,
    chooser,
    content,
    kept,
    pending,
    recovered,
    settled,
    side,
    undo_of,
    undone,
)
from tests.crash.simulated import Call, File, PowerCut, SimulatedFileSystem, VanishedError, at
from vdiskkit.errors import (
    InUseError,
    JournalPendingError,
    PatchError,
    SourceError,
    VDiskError,
    VerifyFailedError,
)
from vdiskkit.io import BytesSource
from vdiskkit.journal import Journal, digest, journal_path, parse_journal
from vdiskkit.journal.versions import versions
from vdiskkit.location import Location
from vdiskkit.patch.history import recover, undo
from vdiskkit.patch.staging import Phase, StagedFile

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence

    from vdiskkit.journal import Record
    from vdiskkit.patch.files import OpenFile

Write = tuple[int, bytes, Phase]
WATCHED = (2048, 512)
EVERY = 1 if os.environ.get("VDISKKIT_LONG_TESTS") == "1" else 50
"""Of how many states of a long change one has its recovery interrupted too."""


def staged(content: bytes, writes: list[Write], grow: int = 0, interims: Sequence[Write] = ()) -> StagedFile:
    file = StagedFile(BytesSource(content))
    file.extend(len(content) + grow)
    for offset, data, phase in interims:
        file.write_interim(offset, data, phase)
    for offset, data, phase in writes:
        file.write_at(offset, data, phase)
    return file


def pair(*, keep: bool = True) -> Change:
    """Both files change, the disk grows, every phase has something."""
    disk = staged(
        noise(4096, 1),
        [(4608, noise(512, 2), Phase.GROW), (4096, noise(300, 3), Phase.DATA), (1024, b"claim", Phase.CLAIM),
         (100, noise(1000, 4), Phase.LINK), (3000, bytes(600), Phase.RELEASE)],
        grow=1024,
    )  # fmt: skip
    side_car = staged(noise(700, 5), [(477, b"x", Phase.LINK), (690, b"y", Phase.LINK)])
    return change_of({DISK: disk, SIDE_CAR: side_car}, keep=keep, watched={DISK: (WATCHED,)})


def reopened() -> Change:
    """Sectors are written several times, as the headers and the tables of a VHDX are; the disk ends in mid-sector."""
    interims = []
    for seed, (slot, phase) in enumerate(
        [(0, Phase.OPEN_FIRST), (1, Phase.OPEN_SECOND), (0, Phase.LOGGED_FIRST), (1, Phase.LOGGED_SECOND)]
    ):
        interims.append((slot * 1024, noise(1024, 20 + seed), phase))
    interims += [
        (2048, noise(512, 30), Phase.REPLAY),  # replayed only
        (2560, noise(1024, 31), Phase.REPLAY),  # and a part of it is changed afterwards
        (5632, noise(1536, 32), Phase.REPLAY),  # over the old end
        (6144, noise(1024, 33), Phase.LOG),
    ]
    writes = [
        (0, noise(1024, 40), Phase.CLOSE_FIRST),
        (1024, noise(1000, 41), Phase.CLOSE_SECOND),
        (2600, b"claim", Phase.CLAIM),
        (6048, noise(700, 42), Phase.LINK),
        (7248, noise(100, 43), Phase.DATA),
    ]
    disk = staged(noise(6244, 1), writes, grow=1500, interims=interims)
    side_car = staged(noise(700, 5), [(690, b"y", Phase.LINK)], interims=[(512, noise(188, 6), Phase.DATA)])
    return change_of({DISK: disk, SIDE_CAR: side_car}, watched={DISK: ((4608, 512),)})


@st.composite
def changes(draw: st.DrawFn) -> Change:
    files = {}
    for number, path in enumerate([DISK, SIDE_CAR][: draw(st.integers(1, 2))]):
        old = noise(draw(st.integers(0, 2600)), number)
        grow = draw(st.sampled_from([0, 0, 1, 500, 512, 1700]))
        size = len(old) + grow
        writes, interims = [], []
        for seed in range(draw(st.sampled_from([0, 0, 1, 4]))):
            offset = draw(st.integers(0, size // 512)) * 512
            length = min(draw(st.sampled_from([512, 1536])), size - offset)
            interims.append((offset, noise(length, 200 + seed), draw(st.sampled_from(Phase))))
        for seed in range(draw(st.integers(0, 4))):
            offset = draw(st.integers(0, size))
            length = min(draw(st.sampled_from([1, 100, 512, 1500])), size - offset)
            data = draw(st.sampled_from([bytes(length), noise(length, 100 + seed)]))
            writes.append((offset, data, draw(st.sampled_from(Phase))))
        files[path] = staged(old, writes, grow, interims)
    change = change_of(files, keep=draw(st.booleans()))
    assume(change.before != change.after)
    return change


@pytest.mark.parametrize("keep", [True, False])
def test_power_cuts_of_a_change_and_of_its_recovery(keep: bool) -> None:
    assert check_power_cuts(pair(keep=keep), chooser(1), samples=6, nested=2) > 50


def test_power_cuts_of_an_undo_and_of_its_recovery() -> None:
    assert check_power_cuts(undo_of(pair()), chooser(2), samples=6, nested=2) > 50


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


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes(), st.randoms(use_true_random=False))
def test_power_cuts_of_any_change(change: Change, choose: random.Random) -> None:
    check_power_cuts(change, choose, samples=4, nested=1)


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes(), st.randoms(use_true_random=False))
def test_power_cuts_of_any_undo(change: Change, choose: random.Random) -> None:
    assume(kept(change.done()))
    check_power_cuts(undo_of(change), choose, samples=4, nested=1)


def io_error() -> OSError:
    return OSError(errno.EIO, "Input/output error")


def full() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("make", [io_error, full, VanishedError])
@pytest.mark.parametrize(
    "build",
    [pair, lambda: undo_of(pair()), reopened, lambda: undo_of(reopened())],
    ids=["change", "undo", "versions", "undo of versions"],
)
def test_every_call_may_fail(build: Callable[[], Change], make: Callable[[], BaseException]) -> None:
    change = build()
    for call in change.calls():
        for seed in range(3):
            outcome = check_failures(change, at(call.number, make), chooser(seed), keep_flushed=seed == 0)
            assert outcome in {"PatchError", "RollbackFailedError"}
            if make is not VanishedError and call.name in {"write", "resize"} and call.path != journal_path(DISK):
                assert outcome == "PatchError"


def test_every_flush_may_fail_from_some_time_on() -> None:
    change = pair()
    last = max(call.number for call in change.calls() if call.name == "flush")
    for first in change.calls():

        def fault(call: Call, first: int = first.number) -> BaseException | None:
            return io_error() if call.number >= first and call.name == "flush" else None

        for seed in range(3):
            outcome = check_failures(change, fault, chooser(seed))
            assert outcome in {"PatchError", "RollbackFailedError"} or first.number > last


def test_the_disk_may_be_full_from_some_time_on() -> None:
    """What is there can be written over, so the old state comes back without new space."""
    change = pair()
    for first in change.calls():

        def fault(call: Call, first: int = first.number) -> BaseException | None:
            return full() if call.number >= first and call.grows else None

        assert check_failures(change, fault, chooser(1)) in {"PatchError", "done"}


def test_an_interrupted_program_leaves_the_files_as_they_were() -> None:
    change = pair()
    for call in change.calls():
        system = SimulatedFileSystem(change.start, at(call.number, KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            change.run(system)
        assert system.open_files == 0
        system.heal()
        recover(DISK, system=system)
        files = settled(system)
        assert content(files, change.before) in (change.before, change.after)


def test_too_little_space_is_found_before_anything_is_written() -> None:
    change = pair()
    system = SimulatedFileSystem(change.start, free=60_000)
    with pytest.raises(PatchError, match="not enough free space") as caught:
        change.run(system)
    assert "nothing was changed" in str(caught.value)
    assert system.calls == []


@pytest.mark.parametrize("error", [errno.EROFS, errno.EACCES])
def test_a_folder_that_cannot_be_written_is_told_and_nothing_done(error: int) -> None:
    change = pair()
    assert change.calls()[0].name == "create"
    system = SimulatedFileSystem(change.start, at(0, lambda: OSError(error, "no")))
    with pytest.raises(PatchError, match="nothing was changed"):
        change.run(system)
    assert system.files() == change.start


def test_a_file_that_cannot_be_opened_is_told_and_nothing_done() -> None:
    change = pair()
    for missing in change.before:
        start = {path: file for path, file in change.start.items() if path != missing}
        system = SimulatedFileSystem(start)
        with pytest.raises(SourceError):
            change.run(system)
        assert (system.calls, system.open_files) == ([], 0)


def test_a_file_that_somebody_else_writes_is_told_and_nothing_done() -> None:
    change = pair()
    for path in change.before:
        system = SimulatedFileSystem(change.start)
        system.open(path)
        with pytest.raises(InUseError):
            change.run(system)
        assert (system.calls, system.open_files) == ([], 1)


def interrupted(change: Change) -> list[Files]:
    """States in which a change is pending, from the first write to the last."""
    states = []
    for call in change.calls():
        system = SimulatedFileSystem(change.start, at(call.number))
        with pytest.raises(PowerCut):
            change.run(system)
        left = system.files()
        if pending(left) is not None:
            states.append(left)
    return states


def changed(files: Files, path: str, data: bytes, *, time: bool = True) -> Files:
    return {**files, path: File(data, files[path].time + (1 if time else 0))}


def places(journal: Journal) -> list[tuple[str, int]]:
    """A byte of every sector that the change writes and of what it watches."""
    found = [((DISK, SIDE_CAR)[watch.file], watch.offset + 100) for watch in journal.watches]
    for record in journal.records:
        end = record.offset + max(len(record.before), record.length)
        found += [((DISK, SIDE_CAR)[record.file], at + 3) for at in range(record.offset, end, 512)]
    return found


@pytest.mark.parametrize("build", [pair, reopened])
def test_recovery_refuses_a_disk_that_was_used_since_and_touches_nothing(build: Callable[[], Change]) -> None:
    change = build()
    states = interrupted(change)[:: 1 if build is pair else 5]
    assert len(states) > 4
    for files in states:
        journal = pending(files)
        assert isinstance(journal, Journal)
        for path, offset in places(journal):
            data = bytearray(files[path].content)
            if offset < len(data):
                data[offset] ^= 0x55
                check_refusal(changed(files, path, bytes(data)), recover)
        for path in change.before:
            longer = max(len(change.before[path]), len(change.after[path])) + 512
            check_refusal(changed(files, path, files[path].content.ljust(longer, b"\0")), recover)
            shorter = min(len(change.before[path]), len(change.after[path])) - 1
            check_refusal(changed(files, path, files[path].content[:shorter]), recover)


def test_recovery_of_an_undo_refuses_what_is_foreign_in_the_part_that_is_cut_off() -> None:
    change = pair()
    undoing = undo_of(change)
    refused = 0
    for files in interrupted(undoing):
        for offset in range(len(change.before[DISK]), len(files[DISK].content), 512):
            data = bytearray(files[DISK].content)
            data[offset + 7] ^= 0x55
            check_refusal(changed(files, DISK, bytes(data)), recover)
            refused += 1
    assert refused


def test_recovery_of_an_undo_takes_a_file_that_is_growing_again() -> None:
    """The length arrived, the bytes there not yet, when recovery was interrupted."""
    change = pair()
    undoing = undo_of(change)
    short = [files for files in interrupted(undoing) if len(files[DISK].content) == len(change.before[DISK])]
    assert short
    for files in short:
        longer = files[DISK].content.ljust(len(change.after[DISK]), b"\0")
        assert content(recovered(changed(files, DISK, longer)), change.after) == change.after


@pytest.mark.parametrize("build", [pair, reopened])
def test_undo_refuses_a_disk_that_was_used_since_and_touches_nothing(build: Callable[[], Change]) -> None:
    change = build()
    files = change.done()
    journal = parse_journal(files[kept(files)[0]].content, Location("x"))
    assert journal is not None
    for path, offset in places(journal):
        data = bytearray(files[path].content)
        data[offset] ^= 0x55
        for time in (False, True):
            check_refusal(changed(files, path, bytes(data), time=time), undo)
    for path in change.before:
        check_refusal(changed(files, path, files[path].content), undo)
        for data in (files[path].content + bytes(512), files[path].content[:-1]):
            check_refusal(changed(files, path, data, time=False), undo)


def test_what_appears_where_the_file_grew_is_found_too() -> None:
    old = noise(1000, 1)
    change = change_of({DISK: staged(old, [(9000, b"written", Phase.DATA)], grow=20_000)})
    done = change.done()
    for offset in (1000, 1024, 8000, 9728, 20_999):
        data = bytearray(done[DISK].content)
        assert not data[offset]
        data[offset] = 1
        check_refusal(changed(done, DISK, bytes(data), time=False), undo)
        for files in interrupted(change):
            data = bytearray(files[DISK].content)
            if offset < len(data):
                data[offset] = 1
                check_refusal(changed(files, DISK, bytes(data)), recover)


@pytest.mark.parametrize("build", [pair, lambda: undo_of(pair())], ids=["change", "undo"])
def test_a_journal_that_comes_back_is_in_nobodys_way(build: Callable[[], Change]) -> None:
    """Where folders cannot be flushed, the removal of a journal may not last, and the disk is used meanwhile."""
    change = build()
    for files in interrupted(change):
        system = SimulatedFileSystem(files, folders_last=False)
        recover(DISK, system=system)
        left = system.after_power_cut(())
        assert journal_path(DISK) in left
        assert pending(left) is None
        used = changed(left, DISK, noise(7000, 9))
        assert recovered(used)[DISK].content == noise(7000, 9)
    for call in change.calls():
        system = SimulatedFileSystem(change.start, at(call.number, io_error), folders_last=False)
        with pytest.raises(VDiskError) as caught:
            change.run(system)
        if type(caught.value) is PatchError:
            assert pending(system.after_power_cut([0])) is None  # its creation has arrived, its removal has not


@pytest.mark.parametrize("build", [pair, reopened])
def test_recovery_forward_does_not_trust_what_only_reads_well(build: Callable[[], Change]) -> None:
    """The last flush failed: all reads as new, but it is not on the disk."""
    change = build()
    writes = [call for call in change.calls() if call.path in change.before]
    last = max(call.number for call in writes if call.name == "write")
    for flush in (call.number for call in writes if call.name == "flush" and call.number > last):

        def fault(call: Call, flush: int = flush) -> BaseException | None:
            return io_error() if call.number == flush else VanishedError() if call.number > flush else None

        system = SimulatedFileSystem(change.start, fault)
        with pytest.raises(VDiskError):
            change.run(system)
        system.heal()
        recover(DISK, forward=True, system=system)
        files = settled(system)
        assert content(files, change.after) == change.after


class Spoiling(SimulatedFileSystem):
    """Writes something else than asked for, once, and says nothing."""

    def __init__(self, files: Files, path: str, number: int) -> None:
        super().__init__(files)
        self.path = path
        self.left = number

    def open(self, path: str) -> OpenFile:
        file = super().open(path)
        if path == self.path:
            write = file.write_at

            def write_at(offset: int, data: bytes) -> None:
                self.left -= 1
                write(offset, bytes([data[0] ^ 1]) + data[1:] if not self.left else data)

            file.write_at = write_at  # type: ignore[method-assign]
        return file


@pytest.mark.parametrize("path", [DISK, SIDE_CAR])
def test_what_is_read_back_wrong_is_rolled_back(path: str) -> None:
    change = pair()
    system = Spoiling(change.start, path, 1)
    with pytest.raises(VerifyFailedError, match="rolled back: what was read back is not what was written") as caught:
        change.run(system)
    assert path in str(caught.value.location)
    assert content(settled(system), change.before) == change.before


def three(last_fault: BaseException | None = None) -> tuple[list[dict[str, bytes]], Files, Change]:
    """Two changes that are made, and a third."""
    contents = [{DISK: noise(3000, 1), SIDE_CAR: noise(600, 2)}]
    files: Files = {path: File(data, 5) for path, data in contents[0].items()}
    change = None
    for number in range(3):
        old = contents[-1]
        disk = staged(old[DISK], [(number * 700, noise(600, 10 + number), Phase.LINK)], grow=number * 300)
        overlays = {DISK: disk}
        if number != 1:
            overlays[SIDE_CAR] = staged(old[SIDE_CAR], [(number * 5, b"abc", Phase.DATA)])
        change = change_of(overlays, start=files)
        contents.append({**old, **change.after})
        if number < 2:
            files = change.done()
    assert change is not None
    return contents, files, change


def check_all_undone(files: Files, contents: list[dict[str, bytes]]) -> None:
    for state in reversed(contents):
        files = undone(files)
        assert content(files, state) == state
    assert set(files) == {DISK, SIDE_CAR}


def test_earlier_changes_can_be_taken_back_after_a_later_one_was_rolled_back() -> None:
    contents, _files, change = three()
    for call in change.calls():
        system = SimulatedFileSystem(change.start, at(call.number))
        with pytest.raises(PowerCut):
            change.run(system)
        for left in system.power_cuts(chooser(call.number), exhaustive=1, samples=4):
            done = recovered(left)
            where = content(done, contents[0])
            check_all_undone(done, contents[:2] if where == contents[2] else contents[:3])
            # Recovery is interrupted and done again: the times change twice.
            again = SimulatedFileSystem(left)
            recover(DISK, system=again)
            for inner in again.calls:
                system = SimulatedFileSystem(left, at(inner.number))
                with pytest.raises(PowerCut):
                    recover(DISK, system=system)
                for rest in system.power_cuts(chooser(inner.number), exhaustive=0, samples=2):
                    twice = recovered(rest)
                    where = content(twice, contents[0])
                    check_all_undone(twice, contents[:2] if where == contents[2] else contents[:3])


def test_earlier_changes_can_be_taken_back_after_a_later_one_failed() -> None:
    contents, _files, change = three()
    for call in change.calls():
        system = SimulatedFileSystem(change.start, at(call.number, io_error))
        with pytest.raises(VDiskError):
            change.run(system)
        system.heal()
        recover(DISK, system=system)
        files = settled(system)
        check_all_undone(files, contents[:2] if content(files, contents[0]) == contents[2] else contents[:3])


def test_earlier_changes_can_be_taken_back_after_an_undo_was_interrupted() -> None:
    contents, _files, change = three()
    taken_back = undo_of(change)
    for call in taken_back.calls():
        system = SimulatedFileSystem(taken_back.start, at(call.number))
        with pytest.raises(PowerCut):
            taken_back.run(system)
        for left in system.power_cuts(chooser(call.number), exhaustive=1, samples=4):
            done = recovered(left)
            check_all_undone(done, contents[:2] if content(done, contents[0]) == contents[2] else contents[:3])


def test_nothing_new_begins_while_a_change_is_pending() -> None:
    change = pair()
    for files in interrupted(change):
        system = SimulatedFileSystem(files)
        with pytest.raises(JournalPendingError):
            change.run(system)
        assert system.calls == []


def test_a_change_that_had_not_begun_never_blocks() -> None:
    """A journal that was not armed says nothing about the disk, whatever happened to it since."""
    change = pair()
    for call in change.calls():
        system = SimulatedFileSystem(change.start, at(call.number))
        with pytest.raises(PowerCut):
            change.run(system)
        for left in system.power_cuts(chooser(call.number), samples=20):
            if journal_path(DISK) in left and pending(left) is None and content(left, change.before) == change.before:
                used = changed(left, DISK, noise(9000, 8))
                assert recovered(used)[DISK].content == noise(9000, 8)


@pytest.mark.parametrize("build", [pair, reopened])
def test_recovery_forward_finishes_what_was_all_written(build: Callable[[], Change]) -> None:
    change = build()
    finished = 0
    for files in interrupted(change):
        system = SimulatedFileSystem(files)
        if content(files, change.after) != change.after:
            check_refusal(files, lambda disk, *, system: recover(disk, forward=True, system=system))
            continue
        longer = changed(files, DISK, files[DISK].content + bytes(512))
        check_refusal(longer, lambda disk, *, system: recover(disk, forward=True, system=system))
        recover(DISK, forward=True, system=system)
        done = settled(system)
        assert content(done, change.after) == change.after
        assert content(undone(done), change.before) == change.before
        finished += 1
        for call in system.calls:
            again = SimulatedFileSystem(files, at(call.number))
            with pytest.raises(PowerCut):
                recover(DISK, forward=True, system=again)
            for left in again.power_cuts(chooser(call.number), samples=4):
                check_recovery(left, change, chooser(0))
    assert finished


def test_what_needs_no_decision_is_finished_by_the_next_change_or_undo() -> None:
    """Only a change that had begun to write waits for recovery; what is left of others is in nobody's way."""
    change = pair()
    seen = set()
    for call in change.calls():
        system = SimulatedFileSystem(change.start, at(call.number))
        with pytest.raises(PowerCut):
            change.run(system)
        for left in system.power_cuts(chooser(call.number), samples=6):
            if pending(left) is not None:
                continue
            where = side(left, change)
            following = change._replace(start=left) if where == "before" else undo_of(change)._replace(start=left)
            seen.add((where, journal_path(DISK) in left))
            done = following.done()
            assert content(done, following.after) == following.after
            assert len(kept(done)) == (1 if where == "before" else 0)
            for number in range(len(following.calls())):
                again = SimulatedFileSystem(left, at(number))
                with pytest.raises(PowerCut):
                    following.run(again)
                for rest in again.power_cuts(chooser(number), exhaustive=1, samples=2):
                    side(recovered(rest), change)
    assert seen == {("before", False), ("before", True), ("after", True), ("after", False)}


def test_undo_can_be_tried_before_the_journal_is_put_away() -> None:
    change = pair()
    tried = 0
    for call in change.calls()[-3:]:
        system = SimulatedFileSystem(change.start, at(call.number))
        with pytest.raises(PowerCut):
            change.run(system)
        left = system.files()
        if pending(left) is None and journal_path(DISK) in left:
            system = SimulatedFileSystem(left)
            assert undo(DISK, dry_run=True, system=system).path == journal_path(DISK)
            assert system.calls == []
            assert content(undone(left), change.before) == change.before
            tried += 1
    assert tried

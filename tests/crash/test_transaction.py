"""Changes of any two files, and taking them back, interrupted everywhere."""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.build.vhd import noise
from tests.crash.edits import changed, changes, full, interrupted, io_error, pair, places, reopened, staged
from tests.crash.matrix import (
    DISK,
    SIDE_CAR,
    Change,
    Files,
    change_of,
    check_failures,
    check_power_cuts,
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
from tests.crash.simulated import WINDOWS, Call, File, Personality, PowerCut, SimulatedFileSystem, VanishedError, at
from tests.effort import tries
from vdiskkit.errors import (
    ChangedSinceError,
    InUseError,
    JournalPendingError,
    PatchError,
    SourceError,
    VDiskError,
    VerifyFailedError,
)
from vdiskkit.journal import Journal, journal_path, parse_journal
from vdiskkit.location import Location
from vdiskkit.patch.history import recover, undo
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from vdiskkit.patch.files import OpenFile


@pytest.mark.parametrize("keep", [True, False])
def test_power_cuts_of_a_change_and_of_its_recovery(keep: bool) -> None:
    assert check_power_cuts(pair(keep=keep), chooser(1), samples=6, nested=2) > 50


def test_power_cuts_of_an_undo_and_of_its_recovery() -> None:
    assert check_power_cuts(undo_of(pair()), chooser(2), samples=6, nested=2) > 50


@settings(max_examples=tries(6), deadline=None, suppress_health_check=list(HealthCheck))
@given(changes(), st.randoms(use_true_random=False))
def test_power_cuts_of_any_change(change: Change, choose: random.Random) -> None:
    check_power_cuts(change, choose, samples=4, nested=1)


@pytest.mark.thorough
@settings(max_examples=tries(6), deadline=None, suppress_health_check=list(HealthCheck))
@given(changes(), st.randoms(use_true_random=False))
def test_power_cuts_of_any_undo(change: Change, choose: random.Random) -> None:
    assume(kept(change.done()))
    check_power_cuts(undo_of(change), choose, samples=4, nested=1)


@pytest.mark.parametrize("make", [io_error, full, VanishedError])
@pytest.mark.parametrize(
    "build",
    [
        pytest.param(pair, id="change"),
        pytest.param(lambda: undo_of(pair()), id="undo"),
        pytest.param(reopened, id="versions"),
        pytest.param(lambda: undo_of(reopened()), id="undo of versions", marks=pytest.mark.thorough),
    ],
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


@pytest.mark.parametrize("forward", [False, True])
def test_every_call_of_recovery_may_fail(forward: bool) -> None:
    """An error of the system is an error of ours, and recovery can run again."""
    change = pair()
    for files in interrupted(change)[:: 1 if forward else 3]:
        if forward and content(files, change.after) != change.after:
            continue
        system = SimulatedFileSystem(files)
        recover(DISK, forward=forward, system=system)
        for number in range(len(system.calls)):
            again = SimulatedFileSystem(files, at(number, io_error))
            with pytest.raises(VDiskError) as caught:
                recover(DISK, forward=forward, system=again)
            assert (type(caught.value), bool(caught.value.hint), again.open_files) == (PatchError, True, 0)
            again.heal()
            recover(DISK, system=again)
            assert content(settled(again), change.before) in (change.before, change.after)


def test_the_disk_may_be_full_from_some_time_on() -> None:
    """What is there can be written over, so the old state comes back without new space."""
    change = pair()
    for first in change.calls():

        def fault(call: Call, first: int = first.number) -> BaseException | None:
            return full() if call.number >= first and call.grows else None

        assert check_failures(change, fault, chooser(1)) in {"PatchError", "done"}


def sparse_pair() -> Change:
    """Both files have holes; what is written begins in them, ends in them, and lies within."""
    holes = noise(512, 1) + bytes(9 * 512) + noise(1024, 2) + bytes(20 * 512)
    writes = [
        (700, noise(300, 3), Phase.DATA),
        (3000, noise(2600, 4), Phase.LINK),
        (5120, noise(512, 8), Phase.CLAIM),
        (5900, noise(6000, 5), Phase.RELEASE),
        (200, noise(600, 6), Phase.HIVE_LINK),
    ]
    side_car = staged(bytes(2048), [(1000, noise(200, 7), Phase.LINK)])
    return change_of({DISK: staged(holes, writes), SIDE_CAR: side_car})


@pytest.mark.parametrize("build", [sparse_pair, lambda: undo_of(sparse_pair())], ids=["change", "undo"])
def test_the_holes_of_a_sparse_disk_may_find_no_space(build: Callable[[], Change]) -> None:
    """Taking back fills no hole, so it needs no space, and never fails for want of it."""
    change = build()
    outcomes = set()
    for first in change.calls():

        def fault(call: Call, first: int = first.number) -> BaseException | None:
            return full() if call.number >= first and call.grows else None

        for seed in range(2):
            outcomes.add(check_failures(change, fault, chooser(seed), keep_flushed=seed == 0, sparse=True))
    assert outcomes == {"PatchError", "done"}


def test_holes_that_a_change_fills_count_as_space(rules: Personality) -> None:
    change = sparse_pair()

    def needed(*, sparse: bool) -> int:
        system = SimulatedFileSystem(change.start, free=0, sparse=sparse)
        with pytest.raises(
            PatchError, match=r"not enough free space beside the disk: [0-9]+ bytes.*nothing was changed"
        ) as caught:
            change.run(system)
        assert system.calls == []
        return int(re.findall("[0-9]+", caught.value.message)[0])

    # Of the disk one block that is written is a hole as a whole, and the side-car is smaller than a block.
    filled = 0 if rules is WINDOWS else 2 * 4096
    assert needed(sparse=True) - needed(sparse=False) == filled
    for free, done in ((needed(sparse=True), True), (needed(sparse=True) - 1, False)):
        system = SimulatedFileSystem(change.start, free=free, sparse=True)
        if done:
            change.run(system)
        else:
            with pytest.raises(PatchError, match="not enough free space"):
                change.run(system)


def test_recovery_fills_no_hole() -> None:
    change = sparse_pair()
    for files in interrupted(change):
        system = SimulatedFileSystem(files, sparse=True)
        recover(DISK, system=system)
        assert not [call for call in system.calls if call.grows and call.path in (DISK, SIDE_CAR)]
        assert content(settled(system), change.before) == change.before


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

    def open(self, path: str, *, readers: bool = False) -> OpenFile:
        file = super().open(path, readers=readers)
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


@pytest.mark.thorough
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


def under(files: Files, name: str, *, times: bool = True) -> Files:
    """The disk, its side-car and its journals under another name, with their times or with new ones."""
    stem = DISK.removesuffix(".vhd")
    moved = {path.replace(stem, f"store/{name}", 1): file for path, file in files.items()}
    return moved if times else {path: file._replace(time=file.time + 1000) for path, file in moved.items()}


@pytest.mark.parametrize("build", [pair, reopened])
def test_recovery_of_a_copy_or_of_a_renamed_disk_is_about_that_one(build: Callable[[], Change]) -> None:
    change = build()
    for files in interrupted(change)[:: 1 if build is pair else 4]:
        copy = under(files, "copy", times=False)
        system = SimulatedFileSystem({**files, **copy})
        assert recover("store/copy.vhd", system=system).journal is not None
        left = settled_beside(system)
        assert {path: left[path] for path in files} == files
        for path, old in under({path: File(data) for path, data in change.before.items()}, "copy").items():
            assert left[path].content == old.content
        assert "store/copy.vhd.vdiskkit-journal" not in left
        # Only renamed: nothing else is there.
        system = SimulatedFileSystem(under(files, "win.10"))
        recover("store/win.10.vhd", system=system)
        done = settled_beside(system)
        for path, old in under({path: File(data) for path, data in change.before.items()}, "win.10").items():
            assert done[path].content == old.content


def test_recovery_of_a_replaced_disk_touches_nothing() -> None:
    """Another disk under the name of one whose change was interrupted, with or without a side-car of its own."""
    change = pair()
    for files in interrupted(change):
        for other in (noise(4096, 77), noise(5120, 78), b""):
            check_refusal(changed(files, DISK, other), recover)
        check_refusal(changed(files, SIDE_CAR, noise(700, 79)), recover)


def test_undo_of_a_copy_or_of_a_renamed_disk_is_about_that_one() -> None:
    change = pair()
    done = change.done()
    system = SimulatedFileSystem({**done, **under(done, "copy")})
    undo("store/copy.vhd", system=system)
    left = settled_beside(system)
    assert {path: left[path] for path in done} == done
    assert left["store/copy.vhd"].content == change.before[DISK]
    assert left["store/copy.pvp"].content == change.before[SIDE_CAR]
    with pytest.raises(ChangedSinceError, match="used or copied since"):
        undo("store/copy.vhd", system=SimulatedFileSystem(under(done, "copy", times=False)))
    renamed = undo_of(change)
    for call in renamed.calls():
        system = SimulatedFileSystem(renamed.start, at(call.number))
        with pytest.raises(PowerCut):
            renamed.run(system)
        for cut in system.power_cuts(chooser(call.number), exhaustive=1, samples=2):
            system = SimulatedFileSystem(under(cut, "other"))
            recover("store/other.vhd", system=system)
            left = settled_beside(system)
            assert side(under_back(left), renamed)
            assert len(kept(under_back(left))) == (1 if side(under_back(left), renamed) == "before" else 0)


def under_back(files: Files) -> Files:
    return {path.replace("store/other", "store/disk", 1): file for path, file in files.items()}


def settled_beside(system: SimulatedFileSystem) -> Files:
    """What is there; nothing may be open, and nothing of the disks may still get lost."""
    assert system.open_files == 0
    files, lasting = system.files(), system.after_power_cut(())
    assert all(lasting[path] == file for path, file in files.items())
    return files

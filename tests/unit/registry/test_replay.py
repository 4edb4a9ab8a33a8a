"""Logs replayed in memory, against what the builder knows and against hives that Windows recovered itself."""

from __future__ import annotations

import functools
import itertools
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.build.hive import BASE_BLOCK, HiveBuilder
from tests.build.hive_log import DAMAGES, Entry, damage, entries_of, log, new_format, old_format, recover, with_base
from tests.effort import tries
from tests.oracle.samples import real_sample
from vdiskkit.io import BytesSource
from vdiskkit.registry import Hive
from vdiskkit.registry.logs import LogFormat
from vdiskkit.registry.replay import Replayed, replay

if TYPE_CHECKING:
    from collections.abc import Sequence


@functools.cache
def states(count: int = 5, keys: int = 60, growth: int = 0) -> list[bytes]:
    """Hives that hold ``Key``, Number = 0, 1, ... and that may grow."""
    made = []
    for number in range(count):
        builder = HiveBuilder(name="SOFTWARE")
        builder.fill("Filler", keys + growth * number)
        builder.dword("Key", "Number", number)
        builder.sz("Key", "Text", "x" * (number + 1))
        made.append(builder.build())
    return made


def run(primary: bytes, *logs: bytes) -> Replayed:
    named = [(f"X.LOG{number}", BytesSource(data)) for number, data in enumerate(logs, 1)]
    return replay(BytesSource(primary), named, "X")


def shown(result: Replayed) -> bytes:
    return result.source.read_at(0, result.source.size)


def number_of(hive: bytes) -> object:
    value = Hive(BytesSource(hive)).key("Key").value("Number")
    assert value is not None
    return value.data


# -- whole -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("split", [1, 2, 4])
@pytest.mark.parametrize("growth", [0, 40])
def test_new_format(split: int, swapped: bool, growth: int) -> None:
    dirty = new_format(states(growth=growth), split=split, swapped=swapped, size=65536)
    result = run(dirty.primary, dirty.log1, dirty.log2)
    assert not result.stale
    assert not result.notices
    assert (result.format, result.entries) == (LogFormat.NEW, 4)
    assert shown(result) == dirty.after
    assert number_of(shown(result)) == 4
    older, younger = ("X.LOG2", "X.LOG1") if swapped else ("X.LOG1", "X.LOG2")
    assert result.logs == ((older,) if split == 4 else (older, younger))
    assert result.highest_sequence == dirty.entries[-1].sequence
    assert not result.base_block_recovered


@pytest.mark.parametrize("page", [512, 4096])
@pytest.mark.parametrize("growth", [0, 40])
@pytest.mark.parametrize("bad_base", [False, True])
def test_old_format(page: int, growth: int, bad_base: bool) -> None:
    dirty = old_format(states(growth=growth), page=page, bad_base=bad_base)
    result = run(dirty.primary, dirty.log1, dirty.log2)
    assert (result.format, result.entries, result.logs) == (LogFormat.OLD, 1, ("X.LOG1",))
    assert shown(result)[BASE_BLOCK:] == dirty.after[BASE_BLOCK:]
    assert shown(result)[:512] == dirty.after[:512]
    assert result.base_block_recovered == bad_base
    assert number_of(shown(result)) == 4


def test_the_pages_are_all_that_is_needed() -> None:
    dirty = new_format(states(growth=1))
    result = run(dirty.primary, dirty.log1)
    copy = bytearray(dirty.primary.ljust(result.size, b"\0"))
    for offset, data in result.pages:
        copy[offset : offset + len(data)] = data
    assert copy == dirty.after
    assert next(offset for offset, _ in result.pages) == 0


def test_a_log_that_begins_far_ahead_of_the_hive() -> None:
    dirty = new_format(states(), first=2107, split=1)
    assert shown(run(dirty.primary, dirty.log1, dirty.log2)) == dirty.after


def test_numbers_start_over() -> None:
    made = states()
    base = with_base(made[0], kind=6)[:512]
    numbered = zip((0xFFFFFFFE, 0xFFFFFFFF, 0, 1), new_format(made).entries, strict=True)
    entries = [Entry(number, entry.size, entry.pages) for number, entry in numbered]
    older = with_base(log(base, entries[:2]), sequence_1=0xFFFFFFFE, sequence_2=0xFFFFFFFE)
    younger = with_base(log(base, entries[2:]), sequence_1=0, sequence_2=0)
    primary = with_base(made[0], sequence_1=0xFFFFFFF0, sequence_2=0xFFFFFFEF)
    result = run(primary, younger, older)
    assert (result.logs, result.entries) == (("X.LOG2", "X.LOG1"), 4)
    assert shown(result)[BASE_BLOCK:] == made[-1][BASE_BLOCK:]
    assert Hive(result.source).base_block.sequence_1 == 2


def test_old_entries_behind_the_new_ones_are_left_alone() -> None:
    made = states()
    leftovers = [Entry(entry.sequence - 50, entry.size, entry.pages) for entry in new_format(made[::-1]).entries]
    dirty = new_format(made, first=400, leftovers=leftovers)
    result = run(dirty.primary, dirty.log1)
    assert shown(result) == dirty.after
    assert not result.notices


def test_what_is_from_the_log() -> None:
    made = states()
    dirty = new_format(made)
    result = run(dirty.primary, dirty.log1)
    after = dirty.after
    for offset in range(0, len(after), 64):
        differs = after[offset : offset + 64] != dirty.primary[offset : offset + 64]
        assert result.from_log(offset, 64) == differs
    assert result.from_log(BASE_BLOCK, len(after) - BASE_BLOCK)


# -- a base block that is damaged --------------------------------------------------------------------------------------
def test_a_damaged_base_block_is_taken_from_the_log() -> None:
    dirty = new_format(states(), bad_base=True)
    result = run(dirty.primary, dirty.log1)
    assert result.base_block_recovered
    assert shown(result)[BASE_BLOCK:] == dirty.after[BASE_BLOCK:]
    assert number_of(shown(result)) == 4


def test_with_a_damaged_base_block_only_the_later_log_counts() -> None:
    dirty = new_format(states(), bad_base=True, split=2)
    result = run(dirty.primary, dirty.log1, dirty.log2)
    assert (result.logs, result.entries) == (("X.LOG2",), 2)
    assert [notice.code for notice in result.notices] == ["log_left_out"]


def test_a_primary_that_begins_with_zeros_is_recovered() -> None:
    dirty = new_format(states())
    result = run(bytes(512) + dirty.primary[512:], dirty.log1)
    assert number_of(shown(result)) == 4


def test_an_old_log_of_an_earlier_state_does_not_mend_a_base_block() -> None:
    dirty = old_format(states(), written=1, bad_base=True)
    result = run(dirty.primary, dirty.log1)
    assert result.stale
    assert "another state of the hive" in result.reason


# -- logs that cannot be used ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda raw: b"", "its logs are empty"),
        (lambda raw: bytes(len(raw)), "its logs are empty"),
        (lambda raw: b"regf", "X.LOG1 is not used: it is cut short: 4 bytes are less than its base block"),
        (lambda raw: raw[:508] + b"\0\0\0\0" + raw[512:], "the checksum of its base block does not fit"),
        (lambda raw: b"xxxx" + raw[4:], "it does not begin with 'regf'"),
        (lambda raw: with_base(raw, sequence_1=3), "its sequence numbers 3 and"),
        (lambda raw: with_base(raw, kind=3), "its base block has file type 3, which is no log"),
        (lambda raw: with_base(raw, kind=1), "it belongs to another state of the hive"),
        (lambda raw: with_base(raw, sequence_1=900, sequence_2=900), "entry 900 is missing"),
    ],
)
def test_a_log_that_is_none(change: object, reason: str) -> None:
    dirty = new_format([with_base(state, written=5) for state in states()])
    assert callable(change)
    result = run(dirty.primary, change(with_base(dirty.log1, written=6)))
    assert result.stale
    assert reason in result.reason
    assert shown(result) == dirty.primary
    assert not list(result.pages)
    assert not result.from_log(0, len(dirty.primary))
    assert (result.format, result.entries, result.logs) == (LogFormat.NONE, 0, ())


def test_without_logs() -> None:
    dirty = new_format(states())
    result = run(dirty.primary)
    assert (result.stale, result.reason, result.highest_sequence) == (True, "there is no log beside it", 0)


def test_entries_that_the_hive_has_already() -> None:
    made = states()
    dirty = new_format(made, first=20)
    primary = with_base(made[-1], sequence_1=31, sequence_2=30)
    result = run(primary, dirty.log1)
    assert result.stale
    assert "the hive has everything up to 30" in "".join(notice.message for notice in result.notices)


def test_a_gap_between_the_logs() -> None:
    made = states()
    one, two = new_format(made[:3], first=410), new_format(made[3:], first=413)
    result = run(one.primary, two.log1, one.log1)
    assert shown(result) == one.after
    assert [notice.code for notice in result.notices] == ["log_ended"]
    assert "412 is missing" in result.notices[0].message


def test_a_clean_hive_is_not_replayed() -> None:
    dirty = new_format(states())
    result = run(dirty.after, dirty.log1)
    assert (result.stale, result.source.size) == (True, len(dirty.after))
    assert "is clean" in result.reason


BINS_SIZES = {"bins size huge, hashed", "bins size zero, hashed"}
"""The simple reader would make a hive of that size."""


def test_a_log_without_a_number_counts_only_alone() -> None:
    made = states()
    dirty, other = new_format(made), new_format([made[0], made[1]], first=9000)
    logs = [("X.LOG1", BytesSource(dirty.log1)), ("X.LOG2", BytesSource(b"")), ("X.LOG", BytesSource(other.log1))]
    result = replay(BytesSource(dirty.primary), logs, "X")
    assert shown(result) == dirty.after
    assert result.highest_sequence == 9000
    alone = replay(BytesSource(dirty.primary), [("X.LOG", BytesSource(dirty.log1))], "X")
    assert shown(alone) == dirty.after


def test_an_old_log_beside_an_unused_new_one() -> None:
    made = states()
    old, new = old_format(made), new_format(made, first=3)
    result = run(old.primary, new.log1, old.log1)
    assert (result.format, result.logs) == (LogFormat.OLD, ("X.LOG2",))
    assert shown(result)[BASE_BLOCK:] == old.after[BASE_BLOCK:]


def test_the_first_log_of_the_old_format_that_fits_counts() -> None:
    made = states()
    first, second = old_format(made[:3]), old_format(made)
    result = run(first.primary, first.log1, second.log1)
    assert number_of(shown(result)) == 2
    assert [notice.code for notice in result.notices] == ["log_left_out"]
    other = run(first.primary, old_format(made, written=77).log1, second.log1)
    assert number_of(shown(other)) == 4


def test_a_primary_that_is_cut_is_not_replayed() -> None:
    dirty = new_format(states())
    result = run(dirty.primary[:-4096], dirty.log1)
    assert result.stale
    assert "cut short" in result.reason


@pytest.mark.thorough
@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("split", [1, 2, 4])
@pytest.mark.parametrize("which", range(4))
def test_a_damaged_entry_ends_the_replay(how: str, split: int, which: int) -> None:
    dirty = new_format(states(), split=split)
    logs = [dirty.log1, dirty.log2]
    side, place = divmod(which, split) if which < split else (1, which - split)
    whole = logs[side]
    logs[side] = damage(whole, place, how)
    result = run(dirty.primary, *logs)
    if how in BINS_SIZES:
        logs[side] = damage(whole, place, "hash-1")
    if not which:
        assert result.stale
        assert shown(result) == dirty.primary
        return
    assert shown(result) == recover(dirty.primary, logs)
    assert result.entries == which
    assert number_of(shown(result)) == which


@pytest.mark.parametrize("order", [*itertools.permutations(range(4)), (0, 0, 1, 2), (0, 1, 1, 2), (1, 2, 3), (0, 2, 3)])
@pytest.mark.parametrize("first", ["as in the log", "as it was"])
def test_entries_in_another_order(order: tuple[int, ...], first: str) -> None:
    dirty = new_format(states())
    moved = log(dirty.log1, [dirty.entries[number] for number in order])
    if first == "as it was":
        start = dirty.entries[0].sequence
        moved = with_base(moved, sequence_1=start, sequence_2=start)
    result = run(dirty.primary, moved)
    assert shown(result) == recover(dirty.primary, [moved])
    # What is applied is the beginning of what was written, and nothing when that is not there.
    if first == "as it was":
        expected = next((count for count, number in enumerate(order) if count != number), len(order))
        assert number_of(shown(result)) == expected


@pytest.mark.parametrize("split", [1, 2, 3])
def test_logs_in_each_other_s_place(split: int) -> None:
    dirty = new_format(states(), split=split)
    for logs in ((dirty.log2, dirty.log1), (dirty.log1, dirty.log1), (dirty.log2, dirty.log2)):
        result = run(dirty.primary, *logs)
        assert shown(result) == recover(dirty.primary, logs)


@pytest.mark.parametrize("kind", ["new", "old"])
def test_every_prefix_of_a_log(kind: str) -> None:
    made = states(4, keys=20)
    dirty = new_format(made, split=2) if kind == "new" else old_format(made)
    side = dirty.log2 if kind == "new" else dirty.log1
    known = set()
    for length in range(0, len(side) + 1, 256):
        cut = side[:length]
        result = run(dirty.primary, dirty.log1, cut) if kind == "new" else run(dirty.primary, cut)
        if kind == "new":
            assert shown(result) == recover(dirty.primary, [dirty.log1, cut])
        else:
            assert shown(result) == (dirty.after if length == len(side) else dirty.primary)
        known.add(number_of(shown(result)))
    assert known == ({2, 3} if kind == "new" else {0, 3})


# -- what does not hold afterwards -------------------------------------------------------------------------------------
def test_a_replay_that_does_not_hold_is_not_shown() -> None:
    made = states()
    broken = bytearray(made[-1])
    at = broken.index(b"lh")
    broken[at : at + 2] = b"xx"
    dirty = new_format([*made[:-1], bytes(broken)])
    result = run(dirty.primary, dirty.log1)
    assert result.stale
    assert result.reason.startswith("after the replay the hive would not hold: ")
    assert shown(result) == dirty.primary
    assert not list(result.pages)


def test_damage_that_was_there_before_is_told_and_no_reason_to_hide_the_logs() -> None:
    made = []
    for state in states():
        broken = bytearray(state)
        at = broken.index(b"Filler") - 76
        struct.pack_into("<I", broken, at + 28, 0xFFFFFFF0)
        made.append(bytes(broken))
    dirty = new_format(made)
    result = run(dirty.primary, dirty.log1)
    assert shown(result) == dirty.after
    assert [notice.code for notice in result.notices] == ["damage"]


def test_pages_beyond_the_primary_that_no_log_has() -> None:
    dirty = new_format(states(growth=300))
    entries = [
        Entry(entry.sequence, entry.size, [(at, data[:4096]) for at, data in entry.pages]) for entry in dirty.entries
    ]
    result = run(dirty.primary, log(dirty.log1[:512], entries))
    assert result.stale
    assert "would not hold" in result.reason


# -- all kinds of things -----------------------------------------------------------------------------------------------
STATES = states(6, keys=30, growth=10)


@settings(deadline=None, max_examples=tries(40))
@given(
    order=st.permutations(range(6)).flatmap(lambda order: st.integers(2, 6).map(lambda count: order[:count])),
    split=st.integers(1, 6),
    swapped=st.booleans(),
    first=st.sampled_from([None, 400, 2107]),
    cut=st.integers(0, 3),
    data=st.data(),
)
def test_equals_the_simple_reader(
    order: Sequence[int], split: int, swapped: bool, first: int | None, cut: int, data: st.DataObject
) -> None:
    dirty = new_format([STATES[number] for number in order], first=first, split=split, swapped=swapped)
    logs = [dirty.log1, dirty.log2]
    if cut == 1:
        side = data.draw(st.sampled_from([side for side in (0, 1) if logs[side]]))
        logs[side] = logs[side][: data.draw(st.integers(512, len(logs[side])))]
    elif cut == 2:
        side = data.draw(st.sampled_from([side for side in (0, 1) if logs[side]]))
        place = data.draw(st.integers(0, len(entries_of(logs[side])) - 1))
        logs[side] = damage(logs[side], place, data.draw(st.sampled_from(sorted(DAMAGES.keys() - BINS_SIZES))))
    result = run(dirty.primary, *logs)
    if result.stale:
        # Only when the first entry of the older log is not to be had, or what comes out is no hive.
        assert shown(result) == dirty.primary
        assert "cannot be applied" in result.reason or "not hold" in result.reason or "not used" in result.reason
    else:
        assert shown(result) == recover(dirty.primary, logs)


@settings(deadline=None, max_examples=tries(80))
@given(st.data())
def test_any_bytes_for_logs(data: st.DataObject) -> None:
    made = [new_format(STATES[:4], split=2), old_format(STATES[:4])][data.draw(st.integers(0, 1))]
    logs = []
    for side in (made.log1, made.log2):
        raw = bytearray(side)
        for _ in range(data.draw(st.integers(0, 4))) if raw else ():
            at = data.draw(st.one_of(st.integers(0, min(len(raw), 700) - 1), st.integers(0, len(raw) - 1)))
            part = data.draw(st.binary(min_size=1, max_size=8))
            raw[at : at + len(part)] = part
        logs.append(bytes(raw))
    result = run(made.primary, *logs)
    hive = Hive(result.source)
    if result.stale:
        assert result.reason
        assert shown(result) == made.primary
    else:
        assert sum(1 for _ in hive.walk()) > 1


# -- Windows -----------------------------------------------------------------------------------------------------------
def yarp(folder: str, name: str) -> Replayed:
    primary, *logs = (real_sample(f"yarp/{folder}/{name}{ending}") for ending in ("", ".LOG1", ".LOG2"))
    return run(primary, *logs)


@pytest.mark.real
def test_a_hive_that_windows_10_recovered() -> None:
    result = yarp("NewDirtyHive1", "NewDirtyHive")
    assert (result.entries, result.logs) == (4, ("X.LOG1", "X.LOG2"))
    assert shown(result) == real_sample("yarp/NewDirtyHive1/RecoveredHive_Windows10")


@pytest.mark.real
@pytest.mark.parametrize(
    ("folder", "name"), [("OldDirtyHive", "OldDirtyHive"), ("BadBaseBlockHive", "BadBaseBlockHive")]
)
def test_a_hive_that_windows_7_recovered(folder: str, name: str) -> None:
    result = yarp(folder, name)
    ours, theirs = shown(result), real_sample("yarp/OldDirtyHive/RecoveredHive_Windows7")
    assert result.base_block_recovered == (folder == "BadBaseBlockHive")
    # Windows wrote the hive once more after the recovery: its numbers, the time (with the copy in the first bin) and
    # the path are new, and of one key the length of the longest value name, which it had not kept before.
    written = {*range(4, 20), *range(48, 112), *range(508, 512), *range(BASE_BLOCK + 20, BASE_BLOCK + 28)}
    differing = {at for at in range(len(theirs)) if ours[at] != theirs[at]} - written
    (last,) = differing
    assert ours[last - 60 : last - 58] == b"nk"
    assert len(ours) == len(theirs)


@pytest.mark.real
@pytest.mark.parametrize("folder", ["BadLogHive1", "BadLogHive3"])
def test_logs_that_windows_refuses(folder: str) -> None:
    result = yarp(folder, "BadLogHive")
    assert result.stale
    assert "checksum" in result.reason


@pytest.mark.real
@pytest.mark.parametrize(("name", "entries", "last"), [("SYSTEM_B", 24, 2130), ("UsrClass.dat", 14, 300)])
def test_hives_of_windows_10_with_both_logs(name: str, entries: int, last: int) -> None:
    primary, *logs = (real_sample(f"{name}{ending}") for ending in ("", ".LOG1", ".LOG2"))
    result = run(primary, *logs)
    assert (result.entries, result.highest_sequence, result.stale) == (entries, last, False)
    assert shown(result) == recover(primary, logs)
    assert not result.notices

"""Hives that were not closed cleanly: replayed, then edited."""

from __future__ import annotations

import itertools
import struct

import pytest

from tests.build.hive import HiveBuilder
from tests.build.hive_log import (
    DAMAGES,
    DirtyHive,
    Entry,
    bins_size,
    damage,
    entries_between,
    log,
    new_format,
    old_format,
    pages_between,
    recover,
    sequences,
    with_base,
)
from tests.build.prefixes import torn_files
from tests.unit.patch.registry.dirty import (
    NEW,
    SPP,
    bins,
    edited_dirty,
    history,
    logs_of,
    marked_numbers,
    numbers_in,
    open_dirty,
    software,
)
from tests.unit.patch.registry.halfway import assert_halfway, assert_sound
from tests.unit.patch.registry.model import NOW, edited, flat
from vdiskkit.errors import FormatError, LogReplayNeededError, WriteRefusedError
from vdiskkit.io import BytesSource
from vdiskkit.patch.registry import HiveEditor
from vdiskkit.patch.staging import Phase, StagedFile
from vdiskkit.registry import Hive
from vdiskkit.registry.base_block import parse_base_block
from vdiskkit.registry.replay import replay

UNSEEN = {"signature", "repeated, hashed"}
"""What nobody can tell from the end of the entries."""
SPLITS = [(3, False), (3, True), (1, False), (2, True)]


def change(editor: HiveEditor) -> None:
    """An edit in pages of the log, in others, and of new cells."""
    editor.set_value(SPP, "SkipRearm", 4, 77)
    editor.set_value(f"{NEW}\\Key2", "Number", 1, "kms.example.com")
    editor.set_value("Zone", "Last", 4, 99)
    editor.set_value("Zone\\Made", "Large", 3, bytes(range(256)) * 30, create_keys=True)
    editor.delete_key(f"{NEW}\\Key1")


def skip_rearm(editor: HiveEditor) -> None:
    editor.set_value(SPP, "SkipRearm", 4, 77)


@pytest.mark.parametrize(("split", "swapped"), SPLITS)
def test_it_is_the_recovered_hive_edited(split: int, swapped: bool) -> None:
    dirty = new_format(history(), split=split, swapped=swapped)
    result = edited_dirty(dirty, change)
    assert bins(result) == bins(edited(dirty.after, change))
    expected = flat(dirty.after)
    expected["Zone",]["Last"] = (4, struct.pack("<I", 99))
    expected["Zone", "Made"] = {"Large": (3, bytes(range(256)) * 30)}
    expected[tuple(SPP.split("\\"))]["SkipRearm"] = (4, struct.pack("<I", 77))
    expected[NEW, "Key2"]["Number"] = (1, "kms.example.com\0".encode("utf-16-le"))
    del expected[NEW, "Key1"]
    assert flat(result) == expected
    first, second = sequences(result)
    assert first == second == numbers_in(dirty) + 2  # Windows would have given it the next one after the replay
    base = parse_base_block(result[:512], len(result), BytesSource(b"").location)
    assert not base.dirty
    assert result[28:32] == bytes(4)


def test_values_before_are_those_of_the_log() -> None:
    editor, _ = open_dirty(new_format(history()))
    found = editor.set_value(SPP, "SkipRearm", 4, 77)
    assert found is not None
    assert found.before is not None
    assert found.before.data == 3
    assert editor.has_key(f"{NEW}\\Key3")
    assert editor.replayed is not None
    assert editor.replayed.notes() == [
        "the SOFTWARE hive was not closed cleanly: replayed 3 entries from SOFTWARE.LOG1 first"
    ]


def test_without_an_edit_nothing_is_replayed() -> None:
    editor, staged = open_dirty(new_format(history()))
    assert editor.set_value(SPP, "SkipRearm", 4, 3) is None
    assert editor.commit() is None
    assert staged.changes() == []


@pytest.mark.parametrize("file_size", [None, 0x40000])
def test_a_hive_that_its_log_made_larger(file_size: int | None) -> None:
    first = software(file_size=file_size).build()
    states = history(first=first, large=30000)
    assert bins_size(states[-1]) > bins_size(states[0]) + 0x20000
    dirty = new_format(states, split=2)
    result = edited_dirty(dirty, change)
    assert bins(result) == bins(edited(dirty.after, change))
    assert len(result) >= 4096 + bins_size(result) >= 4096 + bins_size(states[-1])
    if file_size is None:
        with pytest.raises(WriteRefusedError, match="cannot grow here"):
            open_dirty(dirty, grow=False)


def test_a_hive_that_its_log_made_smaller() -> None:
    """Bins at its end are given up; what they held stays behind in the file, and the edit needs the room again."""
    grown = history(large=30000)
    dirty = new_format([grown[-1], grown[0]])
    assert bins_size(dirty.after) + 60000 < bins_size(dirty.primary)

    def both(editor: HiveEditor) -> None:
        editor.set_value(SPP, "SkipRearm", 4, 77)
        editor.set_value("Zone", "Room", 3, b"\x55" * 40000)

    result = edited_dirty(dirty, both)
    assert bins(result) == bins(edited(dirty.after, both))
    assert len(result) == len(dirty.primary)


@pytest.mark.parametrize("form", [new_format, old_format])
def test_a_base_block_that_is_damaged_is_made_good(form: type[DirtyHive]) -> None:
    dirty = form(history(), bad_base=True)  # type: ignore[call-arg]
    result = edited_dirty(dirty, change)
    assert bins(result) == bins(edited(dirty.after, change))
    assert not Hive(BytesSource(result)).base_block.dirty


@pytest.mark.parametrize("page", [512, 4096])
@pytest.mark.parametrize("large", [0, 30000])
def test_the_old_format(page: int, large: int) -> None:
    dirty = old_format(history(large=large), page=page)
    editor, staged = open_dirty(dirty)
    change(editor)
    assert editor.replayed is not None
    assert editor.replayed.notes() == [
        "the SOFTWARE hive was not closed cleanly: replayed the changes from SOFTWARE.LOG1 first"
    ]
    editor.commit()
    result = staged.read_at(0, staged.size)
    assert bins(result) == bins(edited(dirty.after, change))
    for at in (12, 4096 + 20):  # the times by which a log is bound to its hive
        assert result[at : at + 8] != dirty.log1[12:20]
        assert any(result[at : at + 8])
    assert sequences(result) == (sequences(dirty.log1)[0] + 1,) * 2


def test_the_old_format_in_a_hive_whose_first_bin_has_no_time() -> None:
    dirty = old_format([with_base(state[:4116] + bytes(8) + state[4124:]) for state in history()])
    result = edited_dirty(dirty, change)
    assert result[12:20] != dirty.log1[12:20]
    assert result[4116:4124] == result[12:20]


def test_the_old_format_at_the_very_time_of_the_log() -> None:
    written = (NOW.timestamp() + 11644473600) * 10_000_000
    states = [
        with_base(state[:4116] + int(written).to_bytes(8, "little") + state[4124:], written=int(written))
        for state in history()
    ]
    dirty = old_format(states)
    result = edited_dirty(dirty, change)
    assert result[12:20] == (int(written) + 1).to_bytes(8, "little")


# -- the left-over logs ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("split", "swapped"), SPLITS)
@pytest.mark.parametrize("first", [None, 2107])
def test_logs_that_are_left_change_nothing_any_more(split: int, swapped: bool, first: int | None) -> None:
    states = history()
    old = Entry(sequences(states[0])[0] - 30, bins_size(states[0]), pages_between(states[0], states[1]))
    dirty = new_format(states, split=split, swapped=swapped, first=first, leftovers=[old])
    result = edited_dirty(dirty, change)
    logs = [dirty.log1, dirty.log2]
    for data in (result, with_base(result, sequence_1=sequences(result)[0] + 1)):
        assert recover(data, logs) == data
        again = replay(BytesSource(data), logs_of(dirty))
        assert again.stale or again.source.read_at(4096, len(data) - 4096) == data[4096:]
        assert again.entries == 0


@pytest.mark.parametrize("page", [512, 4096])
def test_an_old_log_that_is_left_changes_nothing_any_more(page: int) -> None:
    dirty = old_format(history(), page=page)
    result = edited_dirty(dirty, change)
    again = with_base(result, sequence_1=sequences(result)[0] + 1)
    for data in (result, again):
        found = replay(BytesSource(data), logs_of(dirty))
        assert found.stale
        assert found.entries == 0


def test_logs_stay_as_they_are() -> None:
    dirty = new_format(history(), split=1)
    logs = [(name, StagedFile(source)) for name, source in logs_of(dirty)]
    staged = StagedFile(BytesSource(dirty.primary))
    editor = HiveEditor(staged, name="SOFTWARE", now=NOW, grow=staged.extend, logs=logs)
    change(editor)
    editor.commit()
    assert all(source.changes() == [] for _, source in logs)


# -- order of the writes ----------------------------------------------------------------------------------------------
@pytest.mark.thorough
@pytest.mark.parametrize("large", [0, 30000])
@pytest.mark.parametrize("old", [False, True])
def test_until_the_base_block_is_written_the_logs_bring_back_the_old_state(old: bool, large: int) -> None:
    """Whatever part is written up to there: replayed again, the hive holds what it held. Then it is a clean one."""
    states = history(large=large)
    dirty = old_format(states) if old else new_format(states, split=2)
    editor, staged = open_dirty(dirty)
    change(editor)
    editor.commit()
    result = staged.read_at(0, staged.size)
    wanted, new = flat(dirty.after), flat(result)
    changes = staged.changes()
    assert [item.phase for item in changes if item.offset == 0] == [Phase.HIVE_OPEN]
    assert {item.offset // 512 for item in changes if item.phase is Phase.HIVE_OPEN} == {0}
    seen = set()
    for torn in torn_files(staged, most=12):
        found = replay(BytesSource(torn.data), logs_of(dirty))
        if torn.phase < Phase.HIVE_OPEN:
            assert not found.stale
            whole = found.source.read_at(0, found.source.size)
            assert_sound(whole)
            assert flat(whole) == wanted
        else:
            assert found.reason == "the hive is clean: its logs do not count"
            assert_halfway(torn.data, wanted, new)
        seen.add(torn.phase)
    assert {Phase.DATA, Phase.HIVE_OPEN, Phase.HIVE_LINK, Phase.RELEASE} <= seen
    assert torn.data == result


def test_an_edit_of_replayed_pages_alone_comes_behind_the_base_block() -> None:
    dirty = new_format(history())
    editor, staged = open_dirty(dirty)
    editor.set_value(SPP, "SkipRearm", 4, 77)
    editor.commit()
    late = [item for item in staged.changes() if item.phase is not Phase.DATA]
    assert (late[0].phase, late[0].offset) == (Phase.HIVE_OPEN, 0)
    assert {item.phase for item in late[1:]} == {Phase.HIVE_CLAIM, Phase.HIVE_LINK}


# -- logs that are not whole ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_entry_ends_the_replay(how: str) -> None:
    states = history()
    dirty = new_format(states)
    broken = dirty._replace(log1=damage(dirty.log1, 1, how))
    editor, staged = open_dirty(broken)
    assert editor.replayed is not None
    first, *rest = editor.replayed.notes()
    assert first == "the SOFTWARE hive was not closed cleanly: replayed 1 entry from SOFTWARE.LOG1 first"
    assert any("SOFTWARE.LOG1" in note for note in rest) is (how not in UNSEEN)
    skip_rearm(editor)
    editor.commit()
    result = staged.read_at(0, staged.size)
    assert bins(result) == bins(edited(new_format(states[:2]).after, skip_rearm))
    assert sequences(result)[0] > max(marked_numbers(broken.log1))


@pytest.mark.parametrize("how", [how for how in DAMAGES if how != "file cut"])
def test_what_is_left_behind_a_damaged_entry_never_follows_on(how: str) -> None:
    """After the edit Windows dies once more, its new entry right before what is left of the old ones."""
    dirty = new_format(history(5))
    broken = dirty._replace(log1=damage(dirty.log1, 1, how))
    editor, staged = open_dirty(broken)
    skip_rearm(editor)
    editor.commit()
    result = staged.read_at(0, staged.size)
    number = sequences(result)[0]
    assert number > dirty.entries[-1].sequence
    newer = edited(result, lambda e: e.set_value(SPP, "newer", 4, 1))
    (added,) = entries_between([result, newer], number)
    torn = log(with_base(result, sequence_1=number, sequence_2=number), [added], leftovers=dirty.entries[2:])
    assert len(marked_numbers(torn)) == 1 + len(dirty.entries[2:]) >= 3
    found = replay(BytesSource(with_base(result, sequence_1=number + 1)), [("SOFTWARE.LOG1", BytesSource(torn))])
    assert (found.stale, found.entries) == (False, 1)
    assert flat(found.source.read_at(0, found.source.size)) == flat(newer)


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_first_entry_leaves_nothing_to_replay(how: str) -> None:
    dirty = new_format(history())
    with pytest.raises(LogReplayNeededError) as caught:
        open_dirty(dirty._replace(log1=damage(dirty.log1, 0, how)))
    assert caught.value.exit_code == 4
    assert how == "signature" or "SOFTWARE.LOG1" in caught.value.message


@pytest.mark.parametrize(
    ("logs", "why"),
    [
        ((b"", b""), "its logs are empty"),
        ((bytes(8192), bytes(512)), "its logs are empty"),
        ((b"regf", b""), "SOFTWARE.LOG1 is not used"),
        ((b"no log at all".ljust(8192), b""), "SOFTWARE.LOG1 is not used"),
    ],
)
def test_a_hive_without_a_usable_log_is_refused(logs: tuple[bytes, bytes], why: str) -> None:
    dirty = new_format(history())._replace(log1=logs[0], log2=logs[1])
    with pytest.raises(LogReplayNeededError) as caught:
        open_dirty(dirty)
    assert caught.value.message.startswith(
        "the hive SOFTWARE was not closed cleanly: the sequence numbers 188 and 187 differ; "
    )
    assert why in caught.value.message
    assert caught.value.hint is not None
    assert "start the image once and shut it down" in caught.value.hint


def test_a_hive_without_logs_is_refused() -> None:
    staged = StagedFile(BytesSource(new_format(history()).primary))
    with pytest.raises(LogReplayNeededError, match="there is no log beside it"):
        HiveEditor(staged, name="SOFTWARE", now=NOW, grow=staged.extend)
    assert staged.changes() == []


def test_the_log_of_another_hive() -> None:
    """Its pages do not make a sound hive together with this one, and so it is not used."""
    other = HiveBuilder(name="SYSTEM")
    other.fill("Select", 200, fanout=7)
    other.dword("Select", "Current", 1)
    states = [other.build(), edited(other.build(), lambda editor: editor.create_key("Select\\More"))]
    strange = new_format(states)
    dirty = new_format(history())._replace(log1=strange.log1)
    with pytest.raises(LogReplayNeededError, match="after the replay the hive would not hold"):
        open_dirty(dirty)


def test_a_log_that_was_cut() -> None:
    dirty = new_format(history())
    for length in range(0, len(dirty.log1), 1536):
        try:
            editor, staged = open_dirty(dirty._replace(log1=dirty.log1[:length]))
        except LogReplayNeededError:
            continue
        editor.set_value(SPP, "SkipRearm", 4, 77)
        editor.commit()
        assert not Hive(staged).base_block.dirty


# -- the ends of the numbers ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("last", "wanted"), [(2**32 - 3, 2**32 - 1), (2**32 - 2, None)])
def test_no_number_is_left(last: int, wanted: int | None) -> None:
    dirty = new_format(history(first=software(sequence=last - 3).build()))
    editor, staged = open_dirty(dirty)
    editor.set_value(SPP, "SkipRearm", 4, 77)
    if wanted is not None:
        assert editor.commit() == wanted
        return
    with pytest.raises(WriteRefusedError, match="0xffffffff in the hive or its logs is the highest there can be"):
        editor.commit()
    assert staged.changes() == []


def test_numbers_that_run_over_the_end() -> None:
    states = history()
    base = with_base(states[0], sequence_1=2**32 - 2, sequence_2=2**32 - 2)
    entries = [
        Entry((2**32 - 2 + number) % 2**32, bins_size(after), pages_between(before, after))
        for number, (before, after) in enumerate(itertools.pairwise(states))
    ]
    primary = with_base(base, sequence_1=2**32 - 1)
    editor, staged = open_dirty(DirtyHive(primary, log(base, entries), b"", b""))
    editor.set_value(SPP, "SkipRearm", 4, 77)
    with pytest.raises(WriteRefusedError, match="is the highest there can be"):
        editor.commit()
    assert staged.changes() == []


def test_a_number_in_a_damaged_base_block_is_none() -> None:
    dirty = new_format(history(), bad_base=True)
    garbage = with_base(dirty.primary, sequence_1=2**32 - 1, sequence_2=7, sealed=False)
    result = edited_dirty(dirty._replace(primary=garbage), change)
    assert sequences(result) == (dirty.entries[-1].sequence + 2,) * 2


@pytest.mark.parametrize("data", [b"", b"regf", bytes(8192), b"regf" + bytes(8188)])
def test_what_is_no_hive(data: bytes) -> None:
    staged = StagedFile(BytesSource(data))
    with pytest.raises((FormatError, LogReplayNeededError)):
        HiveEditor(staged, name="SOFTWARE", now=NOW, logs=logs_of(new_format(history()))[1:])

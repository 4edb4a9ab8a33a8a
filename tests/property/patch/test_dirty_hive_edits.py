"""Random histories of a hive, random logs of them, random edits: a model replays and edits, and both agree."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.build.hive import HiveBuilder
from tests.build.hive_log import DirtyHive, new_format, old_format, recover, sequences, with_base
from tests.effort import tries
from tests.unit.patch.registry.dirty import bins, logs_of, open_dirty
from tests.unit.patch.registry.model import NOW, Node, flat, judge, load_model
from vdiskkit.errors import VDiskError
from vdiskkit.io import BytesSource
from vdiskkit.patch.registry import HiveEditor
from vdiskkit.patch.staging import StagedFile
from vdiskkit.registry import Hive
from vdiskkit.registry.replay import replay
from vdiskkit.registry.upcase import upcase


class Edit(NamedTuple):
    """One edit: of the key with a number, counted through the keys that there are."""

    kind: str
    key: int
    name: str
    data: bytes


names = st.sampled_from(["A", "b", "C", "key", "Key2", "ß", "long name of a key"])
sizes = st.sampled_from([0, 1, 4, 5, 60, 3000, 16344, 17000])
edits = st.lists(
    st.builds(
        Edit,
        st.sampled_from(["set", "set", "create", "delete value", "delete key"]),
        st.integers(0, 10**6),
        names,
        st.builds(lambda size, byte: bytes([byte]) * size, sizes, st.integers(0, 255)),
    ),
    min_size=1,
    max_size=6,
)


def play(editor: HiveEditor, model: Node, asked: list[Edit]) -> None:
    """Make edits in the hive and in the model."""
    for edit in asked:
        found = list(model.walk())
        path, node = found[edit.key % len(found)]
        key = "\\".join(path)
        folded = upcase(edit.name)
        if edit.kind == "set":
            old = node.values.get(folded)
            node.values[folded] = (old[0] if old else edit.name, 3, edit.data)
            editor.set_value(key, edit.name, 3, edit.data)
        elif edit.kind == "create":
            node.child(edit.name)
            editor.create_key(f"{key}\\{edit.name}")
        elif edit.kind == "delete value" and folded in node.values:
            del node.values[folded]
            editor.delete_value(key, edit.name)
        elif edit.kind == "delete key" and path:
            parent = model
            for part in path[:-1]:
                parent = parent.children[upcase(part)]
            del parent.children[upcase(path[-1])]
            editor.delete_key(key)


def base(minor: int) -> bytes:
    builder = HiveBuilder(minor=minor, leaf_limit=4)
    for number in range(30):
        builder.key(rf"Many\K{number * 7919 % 100:02}").set("v", 3, bytes(number))
    return builder.build()


def states_of(minor: int, rounds: list[list[Edit]]) -> list[bytes]:
    """A hive and what it was after each round of edits."""
    states = [base(minor)]
    for asked in rounds:
        staged = StagedFile(BytesSource(states[-1]))
        editor = HiveEditor(staged, name="TEST", now=NOW, grow=staged.extend)
        play(editor, load_model(states[-1]), asked)
        editor.commit(old_format_logs=False)
        states.append(staged.read_at(0, staged.size))
    return states


SETTINGS = settings(deadline=None, max_examples=tries(25), suppress_health_check=[HealthCheck.too_slow])


def check(dirty: DirtyHive, asked: list[Edit]) -> None:
    expected = load_model(dirty.after)
    editor, staged = open_dirty(dirty)
    play(editor, expected, asked)
    if editor.commit() is None:
        assert staged.changes() == []
        return
    result = staged.read_at(0, staged.size)
    assert flat(result) == expected.flat()
    judge(result, editor.touched)
    clean = StagedFile(BytesSource(dirty.after))
    direct = HiveEditor(clean, name="TEST", now=NOW, grow=clean.extend)
    play(direct, load_model(dirty.after), asked)
    direct.commit()
    assert bins(result) == bins(clean.read_at(0, clean.size))
    for again in (result, with_base(result, sequence_1=sequences(result)[0] + 1)):
        found = replay(BytesSource(again), logs_of(dirty))
        assert found.entries == 0
        assert recover(again, [dirty.log1, dirty.log2]) == again


@given(
    st.sampled_from([3, 5]),
    st.lists(edits, min_size=1, max_size=4),
    edits,
    st.integers(0, 4),
    st.booleans(),
    st.sampled_from([None, 188, 2107]),
)
@SETTINGS
def test_new_format(
    minor: int, rounds: list[list[Edit]], asked: list[Edit], split: int, swapped: bool, first: int | None
) -> None:
    dirty = new_format(states_of(minor, rounds), split=min(split, len(rounds)) or None, swapped=swapped, first=first)
    check(dirty, asked)


@given(st.sampled_from([3, 5]), st.lists(edits, min_size=1, max_size=3), edits, st.sampled_from([512, 4096]))
@SETTINGS
def test_old_format(minor: int, rounds: list[list[Edit]], asked: list[Edit], page: int) -> None:
    dirty = old_format(states_of(minor, rounds), page=page)
    if dirty.after == dirty.primary:
        return
    try:
        check(dirty, asked)
    except VDiskError as exc:
        # Rounds that end where they began leave a log without pages, which is none.
        assert "none of its pages is marked as dirty" in exc.message  # noqa: PT017 - seldom raised


@given(st.lists(edits, min_size=2, max_size=3), edits, st.integers(0, 10**6), st.integers(1, 255), st.booleans())
@SETTINGS
def test_a_log_with_any_byte_changed_is_replayed_in_part_or_refused(
    rounds: list[list[Edit]], asked: list[Edit], at: int, flip: int, cut: bool
) -> None:
    """What comes out is one of the states that the hive went through, edited; nothing is written otherwise."""
    states = states_of(5, rounds)
    dirty = new_format(states)
    place = at % len(dirty.log1)
    raw = bytearray(dirty.log1)
    raw[place] ^= flip
    broken = dirty._replace(log1=bytes(raw[:place]) if cut else bytes(raw))
    staged = StagedFile(BytesSource(broken.primary))
    try:
        editor = HiveEditor(staged, name="TEST", now=NOW, grow=staged.extend, logs=logs_of(broken))
    except VDiskError:
        assert staged.changes() == []
        return
    assert editor.replayed is not None
    count = int(editor.replayed.notes()[0].partition("replayed ")[2].partition(" ")[0])
    expected = load_model(states[count])
    play(editor, expected, asked)
    if editor.commit() is not None:
        assert flat(staged.read_at(0, staged.size)) == expected.flat()


@given(
    st.lists(edits, min_size=1, max_size=2),
    edits,
    st.lists(st.tuples(st.booleans(), st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8),
    st.booleans(),
)
@SETTINGS
def test_a_damaged_dirty_hive_is_edited_or_refused(
    rounds: list[list[Edit]], asked: list[Edit], flips: list[tuple[bool, int, int]], old: bool
) -> None:
    """Whatever stands in hive and logs, nothing but our own errors come out, and a failed edit has written nothing."""
    states = [bytearray(state) for state in states_of(5, rounds)]
    for in_log, at, byte in flips:
        # With its true hashes, so that nothing but the content is wrong: of the last state, or of all of them.
        for state in states[-1:] if in_log else states:
            state[4096 + at % (len(state) - 4096)] = byte
    damaged = [with_base(state) for state in states]
    broken = old_format(damaged) if old else new_format(damaged)
    staged = StagedFile(BytesSource(broken.primary))
    try:
        editor = HiveEditor(staged, name="TEST", now=NOW, grow=staged.extend, logs=logs_of(broken))
        play(editor, load_model(base(5)), asked)
        sequence = editor.commit()
    except VDiskError:
        assert staged.changes() == []
        assert staged.size == len(broken.primary)
        return
    assert sequence is None or not Hive(staged).base_block.dirty

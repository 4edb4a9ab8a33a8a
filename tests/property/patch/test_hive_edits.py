"""Random edits against a naive model: what is read afterwards is what was written, and the hive is sound."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.build.hive import HiveBuilder
from tests.build.prefixes import torn_files
from tests.effort import tries
from tests.unit.patch.registry.halfway import assert_between, assert_sound
from tests.unit.patch.registry.model import NOW, Node, as_dissect, by_dissect, flat, judge, load_model
from vdiskkit.errors import NotFoundError, VDiskError
from vdiskkit.io import BytesSource
from vdiskkit.patch.registry import HiveEditor, check_hive
from vdiskkit.patch.staging import Phase, StagedFile
from vdiskkit.registry import Hive
from vdiskkit.registry.upcase import sort_key, upcase

letters = st.sampled_from([*"aAbBzZ_09-{. ", "ä", "Ä", "ß", "ı", "µ", "ÿ", "Ÿ", "Ω", "ω", "日", "\U00010428"])
names = st.text(letters, min_size=1, max_size=8) | st.text(letters, min_size=40, max_size=60)
sizes = st.sampled_from([0, 1, 2, 3, 4, 5, 8, 12, 13, 60, 200, 3000, 4060, 5000, 16343, 16344, 16345, 32688, 32689])
datas = st.builds(lambda size, byte: bytes([byte]) * size, sizes, st.integers(0, 255))
kinds = st.integers(0, 12) | st.just(0xFFFF0012)


class Edits(RuleBasedStateMachine):
    minor = 5
    lists: str | None = None

    @initialize(limit=st.sampled_from([2, 3, 7, 507]), keys=st.integers(0, 40), slack=st.sampled_from([None, 40960]))
    def start(self, limit: int, keys: int, slack: int | None) -> None:
        builder = HiveBuilder(minor=self.minor, lists=self.lists, leaf_limit=limit, file_size=slack)
        builder.dword("Microsoft", "SkipRearm", 0)
        for number in range(keys):
            builder.key(rf"Many\K{number * 7919 % 100:02}").set("v", 3, bytes(number))
        data = builder.build()
        if slack:
            end = 4096 + struct.unpack_from("<I", data, 40)[0]
            data = data[:end] + b"\xaa" * (len(data) - end)
        self.model = load_model(data)
        self.staged = StagedFile(BytesSource(data))
        self.sequence = 187
        self.open()

    def open(self) -> None:
        self.editor = HiveEditor(self.staged, name="TEST", now=NOW, grow=self.staged.extend)

    def pick(self, choice: int) -> tuple[str, Node]:
        found = list(self.model.walk())
        path, node = found[choice % len(found)]
        return "\\".join(path), node

    @rule(choice=st.integers(0, 10**6), new=st.none() | names, name=st.just("") | names, kind=kinds, data=datas)
    def set_value(self, choice: int, new: str | None, name: str, kind: int, data: bytes) -> None:
        path, node = self.pick(choice)
        if new is not None:
            path, node = f"{path}\\{new}", node.child(new)
        old = node.values.get(upcase(name))
        node.values[upcase(name)] = (old[0] if old else name, kind, data)
        change = self.editor.set_value(path, name, kind, data, create_keys=True)
        assert (change is None) == (old is not None and old[1:] == (kind, data))

    @rule(choice=st.integers(0, 10**6), which=st.integers(0, 10**6), data=datas, kind=kinds, delete=st.booleans())
    def change_value(self, choice: int, which: int, data: bytes, kind: int, delete: bool) -> None:
        path, node = self.pick(choice)
        if not node.values:
            return
        folded = list(node.values)[which % len(node.values)]
        name, old_kind, old_data = node.values[folded]
        if delete:
            del node.values[folded]
            change: Any = self.editor.delete_value(path, name.swapcase() if name.isascii() else name)
        else:
            node.values[folded] = (name, kind, data)
            change = self.editor.set_value(path, name, kind, data)
        if change is not None:
            assert change.before == (old_kind, old_data)

    @rule(choice=st.integers(0, 10**6), new=st.lists(names, min_size=1, max_size=6))
    def create_keys(self, choice: int, new: list[str]) -> None:
        path, node = self.pick(choice)
        for name in new:
            existed = upcase(name) in node.children
            node.child(name)
            assert bool(self.editor.create_key(f"{path}\\{name}")) is not existed

    @rule(choice=st.integers(0, 10**6))
    def delete_key(self, choice: int) -> None:
        path, node = self.pick(choice)
        if not path:
            return
        parent = self.model
        *above, name = path.split("\\")
        for part in above:
            parent = parent.children[upcase(part)]
        del parent.children[upcase(name)]
        change = self.editor.delete_key(path)
        assert change.keys == len(list(node.walk()))

    @precondition(lambda self: self.editor.changes)
    @rule(again=st.booleans())
    def commit(self, again: bool) -> None:
        sequence = self.editor.commit([self.sequence + 3])
        if sequence is not None:
            self.sequence += 4
            assert sequence == self.sequence
        self.check()
        if again:
            self.open()

    def check(self) -> None:
        data = self.staged.read_at(0, self.staged.size)
        assert flat(data) == self.model.flat()
        if self.minor != 4:  # dissect knows big data from 1.5 on only
            assert by_dissect(data) == as_dissect(self.model.flat())
        judge(data, self.editor.touched)
        assert Hive(BytesSource(data)).base_block.sequence_1 == self.sequence

    @invariant()
    def nothing_is_written_before_commit(self) -> None:
        if hasattr(self, "editor") and not self.editor.changes:
            assert self.staged.changes() == [] or self.sequence > 187

    def teardown(self) -> None:
        if hasattr(self, "editor"):
            self.commit(again=False)


@pytest.mark.parametrize(
    ("minor", "lists"), [(3, None), (3, "li"), (4, None), (5, None), (5, "lf"), (5, "li")], ids=str
)
def test_edits(minor: int, lists: str | None) -> None:
    machine = type("Machine", (Edits,), {"minor": minor, "lists": lists})
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    machine.TestCase.settings = settings(  # type: ignore[attr-defined]
        max_examples=tries(12), stateful_step_count=40, deadline=None, suppress_health_check=checks
    )
    machine.TestCase().runTest()  # type: ignore[attr-defined]


damage = st.lists(
    st.tuples(st.integers(0, 2**16), st.sampled_from([1, 2, 4, 8]), st.integers(0, 2**64 - 1)), min_size=1, max_size=12
)
calls = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(["", "Many", "Many\\K07", "Many\\K13\\New", "Wide", "Wide\\k050"])),
    min_size=1,
    max_size=8,
)


def damageable() -> bytes:
    builder = HiveBuilder(leaf_limit=5)
    for number in range(20):
        builder.key(rf"Many\K{number:02}", class_name="C").set("v", 3, bytes(number * 3)).set("", 3, bytes(20000))
    for number in range(100):
        builder.key(rf"Wide\k{number:03}", lists="li")
    return builder.build()


def play(editor: HiveEditor, call: int, path: str) -> None:
    match call:
        case 0:
            editor.set_value(path, "v", 3, bytes(30))
        case 1:
            editor.set_value(path, "new", 3, bytes(17000), create_keys=True)
        case 2:
            editor.delete_value(path, "v")
        case 3:
            editor.create_key(f"{path}\\K10x")
        case 4 if path:
            editor.delete_key(path)
        case 5:
            editor.set_value(path, "", 1, "text")


@given(damage, calls)
@settings(deadline=None)
def test_a_damaged_hive_is_edited_or_refused(changes: list[tuple[int, int, int]], asked: list[tuple[int, str]]) -> None:
    """Whatever stands in the hive, nothing but our own errors come out, and a failed edit has written nothing."""
    data = bytearray(damageable())
    for at, width, number in changes:
        place = 4096 + at * 4 % (len(data) - 4096 - 8)
        data[place : place + width] = (number & (1 << 8 * width) - 1).to_bytes(width, "little")
    staged = StagedFile(BytesSource(bytes(data)))
    try:
        editor = HiveEditor(staged, name="TEST", now=NOW, grow=staged.extend)
        for call, path in asked:
            play(editor, call, path)
        editor.commit([5])
    except VDiskError:
        assert staged.changes() == []
        assert staged.size == len(data)
    check_hive(staged)


@given(st.lists(names, min_size=1, max_size=300, unique_by=upcase), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=tries(30))
def test_keys_made_and_deleted_in_any_order(made: list[str], rng: Any) -> None:
    """The order of the list is that of the folded names, whatever the order in which they came and went."""
    staged = StagedFile(BytesSource(HiveBuilder(leaf_limit=4).build()))
    editor = HiveEditor(staged, name="TEST", now=NOW, grow=staged.extend)
    for name in made:
        editor.create_key(name)
    gone = rng.sample(made, len(made) // 2)
    for name in gone:
        editor.delete_key(name)
    editor.commit()
    data = staged.read_at(0, staged.size)
    left = sorted(set(made) - set(gone), key=sort_key)
    assert [key.name for key in Hive(BytesSource(data)).root.subkeys()] == left
    judge(data, editor.touched)


@given(calls, calls)
@settings(deadline=None, max_examples=tries(25))
def test_halfway_a_hive_is_the_old_one_or_the_new_one(
    first: list[tuple[int, str]], second: list[tuple[int, str]]
) -> None:
    """Whatever a crash leaves is sound, and the hive before but for what the edit is about."""
    before = damageable()
    for asked in (first, second):
        staged = StagedFile(BytesSource(before))
        editor = HiveEditor(staged, name="TEST", now=NOW, grow=staged.extend)
        for call, path in asked:
            with suppress(NotFoundError):
                play(editor, call, path)
        editor.commit()
        old, new = flat(before), flat(staged.read_at(0, staged.size))
        for torn in torn_files(staged, most=6):
            assert_sound(torn.data)
            if torn.phase < Phase.HIVE_LINK:
                assert flat(torn.data) == old
            elif torn.phase > Phase.HIVE_LINK:
                assert flat(torn.data) == new
            else:
                assert_between(flat(torn.data), old, new)
        before = staged.read_at(0, staged.size)
        judge(before, editor.touched)

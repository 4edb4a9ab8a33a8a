"""Edits of very many values and keys, and of keys that have very many: the same result, in steps that their number
bounds."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.build.hive import HiveBuilder
from tests.build.many import many_subkeys, many_values
from tests.unit.patch.registry.model import NOW, edited, judge
from vdiskkit.io import BytesSource
from vdiskkit.patch.registry import HiveEditor
from vdiskkit.patch.registry.buffer import WriteBuffer
from vdiskkit.patch.staging import StagedFile
from vdiskkit.registry import Hive
from vdiskkit.registry.value_types import REG_DWORD

if TYPE_CHECKING:
    from collections.abc import Callable


def empty() -> bytes:
    builder = HiveBuilder()
    builder.key("Many")
    builder.key("Other")
    return builder.build()


def key_of(data: bytes, path: str = "Many") -> dict[str, object]:
    return {value.name: value.data for value in Hive(BytesSource(data)).key(path).values()}


@pytest.mark.parametrize("seed", range(4))
def test_changes_of_many_values_in_any_order(seed: int) -> None:
    """Set, changed, deleted, set again; the list is written when the key is left, and looked up in between."""
    chance = random.Random(seed)  # noqa: S311 - the same edits each time
    wanted: dict[str, dict[str, int]] = {"Many": {}, "Other": {}}

    def change(editor: HiveEditor) -> None:
        path = "Many"
        for number in range(600):
            path = chance.choice(("Many", "Other")) if chance.random() < 0.05 else path
            values = wanted[path]
            name = f"v{chance.randrange(40)}"
            if name in values and chance.random() < 0.5:
                editor.delete_value(path, name.upper())
                del values[name]
            else:
                editor.set_value(path, name, REG_DWORD, number)
                values[name] = number
            assert (editor.value(path, name) is not None) is (name in values)
            if chance.random() < 0.02:
                editor.create_key(f"{path}\\sub{number}")
            if chance.random() < 0.02:
                editor.delete_key("Other")
                editor.create_key("Other")
                wanted["Other"].clear()

    data = edited(empty(), change)
    judge(data)
    assert {path: key_of(data, path) for path in wanted} == wanted
    again = edited(data, lambda editor: [editor.delete_value("Many", name) for name in wanted["Many"]])
    judge(again)
    assert key_of(again) == {}


def counted(monkeypatch: pytest.MonkeyPatch, change: Callable[[HiveEditor], object]) -> tuple[int, int]:
    """Reads and bytes that an edit of an empty key takes."""
    calls = size = 0
    read_at = WriteBuffer.read_at

    def counting(self: WriteBuffer, offset: int, length: int) -> bytes:
        nonlocal calls, size
        calls += 1
        size += length
        return read_at(self, offset, length)

    with monkeypatch.context() as patch:
        patch.setattr(WriteBuffer, "read_at", counting)
        edited(empty(), change)
    return calls, size


def set_values(count: int) -> Callable[[HiveEditor], object]:
    return lambda editor: [editor.set_value("Many", f"v{number}", REG_DWORD, number) for number in range(count)]


def delete_values(count: int) -> Callable[[HiveEditor], object]:
    def change(editor: HiveEditor) -> None:
        set_values(count)(editor)
        for number in range(count):
            editor.delete_value("Many", f"v{number}")

    return change


def create_keys(count: int) -> Callable[[HiveEditor], object]:
    return lambda editor: [editor.create_key(f"Many\\k{number}") for number in range(count)]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("make", "count", "growth"), [(set_values, 1000, 2.2), (delete_values, 500, 2.2), (create_keys, 700, 2.6)]
)
def test_twice_as_many_take_twice_the_steps(
    monkeypatch: pytest.MonkeyPatch, make: Callable[[int], Callable[[HiveEditor], object]], count: int, growth: float
) -> None:
    few, many = counted(monkeypatch, make(count)), counted(monkeypatch, make(2 * count))
    assert many[0] <= growth * few[0]
    assert many[1] <= growth * few[1]


def unjudged(data: bytes, change: Callable[[HiveEditor], object]) -> bytes:
    """The hive after one edit; it is too large to have all of it checked in a moment."""
    staged = StagedFile(BytesSource(data))
    editor = HiveEditor(staged, name="TEST", now=NOW, grow=staged.extend)
    change(editor)
    editor.commit()
    return staged.read_at(0, staged.size)


def edit_values(data: bytes, count: int) -> None:
    def change(editor: HiveEditor) -> None:
        editor.set_value("Many", "0000000a", REG_DWORD, 7)
        editor.delete_value("Many", "0000000B")
        editor.set_value("Many", "new", REG_DWORD, 8)

    values = key_of(unjudged(data, change))
    assert (len(values), values["0000000A"], values["new"], "0000000B" in values) == (count, 7, 8, False)


def edit_subkeys(data: bytes, count: int) -> None:
    def change(editor: HiveEditor) -> None:
        editor.create_key("Many\\0000000A0")
        editor.delete_key("Many\\0000000b")
        editor.set_value("Many\\zz", "new", REG_DWORD, 8, create_keys=True)

    hive = Hive(BytesSource(unjudged(data, change)))
    assert hive.key("Many").subkey_count == count + 1
    assert sum(1 for _ in hive.key("Many").subkeys()) == count + 1
    assert hive.find("Many\\0000000A0") is not None
    assert hive.find("Many\\0000000B") is None


@pytest.mark.thorough
def test_a_key_with_more_values_than_session_hosts_have() -> None:
    edit_values(many_values(120_000), 120_000)


def test_a_key_with_more_subkeys_than_was_guessed_once() -> None:
    edit_subkeys(many_subkeys(75_000), 75_000)


@pytest.mark.thorough
def test_a_million_values() -> None:
    edit_values(many_values(1_000_000), 1_000_000)


@pytest.mark.thorough
def test_a_million_subkeys() -> None:
    edit_subkeys(many_subkeys(1_000_000), 1_000_000)


@pytest.mark.thorough
def test_a_hundred_thousand_new_values() -> None:
    data = edited(empty(), set_values(100_000))
    assert len(key_of(data)) == 100_000

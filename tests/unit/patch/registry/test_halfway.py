"""What makes every prefix of an edit a sound hive, case by case."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from tests.build.hive import HiveBuilder
from tests.build.prefixes import torn_files
from tests.unit.patch.registry.halfway import assert_halfway, assert_sound
from tests.unit.patch.registry.model import NOW, edited, flat, judge
from vdiskkit.io import BytesSource
from vdiskkit.patch.registry import HiveEditor, moving
from vdiskkit.patch.staging import SECTOR, Phase, StagedFile
from vdiskkit.registry import Hive

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.patch.registry.model import Flat

BINARY = 3
LIST_IN_KEY = 4096 + 4 + 28
"""From the start of the bins to the pointer to the list of subkeys of a key whose cell is at 0."""
TYPE_IN_VALUE = 4096 + 4 + 12


def staged_edit(data: bytes, change: Callable[[HiveEditor], object]) -> StagedFile:
    staged = StagedFile(BytesSource(data))
    editor = HiveEditor(staged, name="TEST", now=NOW, grow=staged.extend)
    change(editor)
    editor.commit()
    judge(staged.read_at(0, staged.size), editor.touched)
    return staged


def walked(data: bytes, change: Callable[[HiveEditor], object]) -> tuple[StagedFile, Flat]:
    """Judge every prefix of a change; return it, and what it makes of the hive."""
    staged = staged_edit(data, change)
    old, new = flat(data), flat(staged.read_at(0, staged.size))
    for torn in torn_files(staged):
        assert_halfway(torn.data, old, new)
    return staged, new


def key_at(path: str, place: int, *, leaf_limit: int = 507, **fill: int) -> bytes:
    """A hive in which a field of a key lies at the start of a sector; other keys are made longer until it does."""
    for length in range(0, 600, 8):
        builder = HiveBuilder(leaf_limit=leaf_limit)
        builder.key("A").set("pad", BINARY, bytes(40 + length))
        key = builder.key(path)
        for name, count in fill.items():
            for number in range(count):
                builder.key(rf"{path}\{name}{number:03}").set("v", BINARY, bytes(number % 50))
        key.set("value", BINARY, bytes(20))
        data = builder.build()
        found = Hive(BytesSource(data)).find(path)
        assert found is not None
        if not (place + found.offset) % SECTOR:
            return data
    raise AssertionError


@pytest.mark.parametrize("children", [0, 1, 2, 40])
@pytest.mark.parametrize("how", ["new", "deleted", "both"])
def test_a_key_whose_count_and_list_lie_in_two_sectors(children: int, how: str) -> None:
    data = key_at("Key", LIST_IN_KEY, child=children)
    before = Hive(BytesSource(data)).find("Key")
    assert before is not None

    def change(editor: HiveEditor) -> None:
        if how != "new" and children:
            editor.delete_key(r"Key\child000")
        if how != "deleted" or not children:
            editor.set_value(r"Key\new\deeper", "v", 4, 1, create_keys=True)
        editor.set_value("Key", "value", 4, 7)

    staged, new = walked(data, change)
    after = Hive(BytesSource(staged.read_at(0, staged.size))).find("Key")
    assert after is not None
    left = children - (how != "new" and children > 0) + (how != "deleted" or not children)
    assert len(list(after.subkeys())) == left
    assert new["Key",]["value"] == (4, b"\7\0\0\0")
    # It moves when a disk could write one of the two alone, and that would be wrong.
    assert (after.offset != before.offset) is (children > 0 and left > 0 and left != children)


@pytest.mark.thorough
@pytest.mark.parametrize("leaf_limit", [7, 507])
def test_such_a_key_moves_with_lists_of_lists_and_more_edits_below_it(leaf_limit: int) -> None:
    data = key_at("Key", LIST_IN_KEY, leaf_limit=leaf_limit, child=200)
    old = flat(data)
    staged, new = walked(
        data,
        lambda editor: [
            editor.set_value(r"Key\child150", "v", BINARY, bytes(700)),
            editor.delete_key(r"Key\child151"),
            editor.delete_key(r"Key\child152"),
            editor.create_key(r"Key\child150\x"),
        ],
    )
    assert len(new) == len(old) - 1
    again = staged_edit(staged.read_at(0, staged.size), lambda editor: editor.delete_key("Key"))
    assert ("Key",) not in flat(again.read_at(0, again.size))


def test_above_too_many_keys_it_stays_and_both_sectors_are_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "MOVED_MAX", 3)
    data = key_at("Key", LIST_IN_KEY, child=3)
    before = Hive(BytesSource(data)).find("Key")
    assert before is not None
    staged = staged_edit(data, lambda editor: editor.create_key(r"Key\new"))
    after = Hive(BytesSource(staged.read_at(0, staged.size))).find("Key")
    assert after is not None
    assert after.offset == before.offset
    at = (LIST_IN_KEY + before.offset) // SECTOR * SECTOR
    links = [change for change in staged.changes() if change.phase is Phase.HIVE_LINK]
    assert any(change.offset < at < change.offset + len(change.after) for change in links)
    for torn in torn_files(staged, together=frozenset({Phase.HIVE_LINK})):
        assert_halfway(torn.data, flat(data), flat(staged.read_at(0, staged.size)))


def test_a_value_whose_type_lies_in_the_next_sector_gets_a_new_record() -> None:
    for length in range(0, 600, 8):
        builder = HiveBuilder()
        builder.key("A").set("pad", BINARY, bytes(40 + length))
        builder.key("B").set("value", BINARY, bytes(4)).set("other", BINARY, bytes(4))
        data = builder.build()
        at = data.index(b"value") - 20 + 12
        if not at % SECTOR:
            break
    assert not at % SECTOR
    staged, _ = walked(data, lambda editor: editor.set_value("B", "value", 4, 5))
    assert staged.read_at(at, 4) == struct.pack("<I", BINARY)
    # Of one kind before and after only one sector is written.
    staged, _ = walked(data, lambda editor: editor.set_value("B", "value", BINARY, b"1234"))
    assert staged.read_at(at - 4, 4) == b"1234"


def test_several_edits_of_one_value_count_as_one() -> None:
    builder = HiveBuilder()
    builder.key("A").set("v", BINARY, bytes(1200))
    data = builder.build()
    for later in (bytes(600) + b"x" + bytes(599), bytes(2000), b"tiny", b""):
        walked(
            data,
            lambda editor, later=later: [
                editor.set_value("A", "v", BINARY, b"y" + bytes(1199)),
                editor.set_value("A", "v", BINARY, later),
            ],
        )


def test_what_was_changed_in_a_key_that_goes_is_forgotten() -> None:
    """The key is listed until its parent changes; what its changes led to is used for something else by then."""
    builder = HiveBuilder()
    builder.key(r"A\B").set("v", BINARY, bytes(100))
    builder.key("C")
    data = builder.build()
    staged, _ = walked(
        data,
        lambda editor: [
            editor.set_value(r"A\B", "w", BINARY, bytes(90)),
            editor.set_value(r"A\B", "v", BINARY, b"z" * 100),
            editor.delete_key(r"A\B"),
            editor.set_value("C", "c", BINARY, b"c" * 90),
            editor.create_key(r"C\D"),
        ],
    )
    assert_sound(staged.read_at(0, staged.size))


def test_the_users_of_a_security_descriptor_are_never_too_few() -> None:
    builder = HiveBuilder()
    for number in range(6):
        builder.key(f"K{number}")
    data = edited(builder.build(), lambda editor: editor.create_key("K0\\x"))

    def users(content: bytes) -> int:
        at = content.index(b"sk\0\0")
        return int(struct.unpack_from("<I", content, at + 12)[0])

    def change(editor: HiveEditor) -> None:
        editor.delete_key("K1")
        editor.delete_key("K2")
        editor.create_key("new")

    staged, _ = walked(data, change)
    before = users(data)
    counts = {torn.phase: users(torn.data) for torn in torn_files(staged)}
    assert counts[Phase.HIVE_LINK] == before + 1
    assert counts[Phase.RELEASE] == before - 1


def test_the_last_user_of_a_security_descriptor_goes_and_the_ring_closes_before_it_is_free() -> None:
    builder = HiveBuilder()
    security = bytearray(builder.security)
    for number, name in enumerate(("A", "B", "C")):
        security[-4] = number
        builder.key(name, security=bytes(security)).set("v", BINARY, bytes(400))
    data = builder.build()
    staged = staged_edit(data, lambda editor: editor.delete_key("B"))
    new = flat(staged.read_at(0, staged.size))
    for torn in torn_files(staged, together=frozenset({Phase.HIVE_UNLINK})):
        if torn.phase is not Phase.HIVE_UNLINK or torn.data == staged.read_at(0, staged.size):
            assert_halfway(torn.data, flat(data), new)
    assert Phase.HIVE_UNLINK in {change.phase for change in staged.changes()}

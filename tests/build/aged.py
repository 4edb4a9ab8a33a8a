"""Hives that have been in use for a while, and edits of them, both by chance."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.build.hive import HiveBuilder
from vdiskkit.errors import NotFoundError
from vdiskkit.io import BytesSource
from vdiskkit.patch.registry import HiveEditor
from vdiskkit.patch.staging import StagedFile
from vdiskkit.registry import Hive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BEFORE = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
LENGTHS = [0, 1, 4, 4, 4, 10, 60, 300, 900]


def chance_of(seed: int | str) -> random.Random:
    """Chances that are the same every time."""
    return random.Random(seed)  # noqa: S311 - a choice of tests


def aged_hive(chance: random.Random, *, minor: int = 5, keys: int = 40, file_size: int | None = None) -> bytes:
    """A hive with some keys and values, of which some have come and gone."""
    builder = HiveBuilder(minor=minor, leaf_limit=chance.choice([2, 3, 7, 507]), file_size=file_size)
    builder.open_bins = chance.choice([1, 1, 3])
    for _ in range(chance.randrange(keys)):
        below = rf"\S{chance.randrange(5)}" if chance.random() < 0.4 else ""
        key = builder.key(rf"Many\K{chance.randrange(100):02}{below}")
        for number in range(chance.randrange(5)):
            key.set(f"v{number}", chance.choice([1, 3, 4]), chance.randbytes(chance.choice(LENGTHS)))
    data = builder.build()
    for _ in range(chance.randrange(3)):
        staged = StagedFile(BytesSource(data))
        editor = HiveEditor(staged, now=BEFORE, grow=staged.extend)
        edit(editor, chance, values_of(data), chance.randrange(6))
        editor.commit()
        data = staged.read_at(0, staged.size)
    return data


def values_of(data: bytes) -> dict[str, list[str]]:
    """Names of the values of each key, by its path."""
    return {key.path: [value.name for value in key.values()] for key in Hive(BytesSource(data)).walk()}


def edit(editor: HiveEditor, chance: random.Random, keys: Mapping[str, Sequence[str]], count: int) -> None:
    """Make some edits of any kind; of what one of them has deleted the next ones do nothing.

    Args:
        editor: Of the hive.
        chance: What is chosen.
        keys: Paths of the keys that may be edited, with the names of their values.
        count: How many edits.
    """
    paths = list(keys)
    for _ in range(count):
        path = chance.choice(paths)
        new = f"{path}\\N{chance.randrange(20)}" if path else f"N{chance.randrange(20)}"
        name = chance.choice([*keys[path], f"v{chance.randrange(7)}"])
        kind, data = chance.choice([1, 3, 4]), chance.randbytes(chance.choice([*LENGTHS, 1200, 17000]))
        with suppress(NotFoundError):
            match chance.randrange(7):
                case 0 | 1:
                    editor.set_value(path, name, kind, data)
                case 2:
                    old = editor.value(path, name)
                    if old is not None:
                        editor.set_value(path, name, old.type, chance.randbytes(len(old.raw)))
                case 3:
                    editor.delete_value(path, name)
                case 4:
                    editor.set_value(new, "v", kind, data, create_keys=True)
                case 5:
                    editor.create_key(rf"{new}\deep")
                case _:
                    if path:
                        editor.delete_key(path)

"""Edits that were cut off, judged by others: the strict checker and hivex find a sound hive, sector by sector."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from tests.build.aged import aged_hive, chance_of, edit, values_of
from tests.build.prefixes import torn_files
from tests.oracle.samples import real_sample, strictcheck
from tests.oracle.test_hive_edits import CLEAN, dumped, plain, save, strict_lines
from tests.unit.patch.registry.halfway import assert_between, assert_sound
from tests.unit.patch.registry.model import NOW, flat
from vdiskkit.errors import WriteRefusedError
from vdiskkit.io import BytesSource
from vdiskkit.patch.registry import HiveEditor, check_hive
from vdiskkit.patch.staging import StagedFile

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

__all__ = ["save"]

ASKED = 12
"""States of one edit that are given to other programs."""
LARGE = 512 * 1024
"""Hives from here on are judged after fewer prefixes, as each takes a while."""
COUNT = re.compile(r"regf\.sk_refcount .*: reference count (\d+), (\d+) keys use it")


def strict_errors(file: str) -> set[str]:
    """Errors of the strict checker, without counts of security descriptors that are too high."""
    errors = {line for line in strict_lines(file) if line.startswith("ERROR")}
    counts = {line: match for line in errors if (match := COUNT.search(line))}
    return {line for line in errors if line not in counts or int(counts[line][1]) < int(counts[line][2])}


def staged_edit(data: bytes, chance: random.Random, count: int) -> StagedFile | None:
    """Stage some edits by chance; None when they leave the hive as it is."""
    staged = StagedFile(BytesSource(data))
    editor = HiveEditor(staged, name="TEST", now=NOW, grow=staged.extend)
    # Names that a path cannot hold are left out, with what is below them.
    keys = {path: values for path, values in values_of(data).items() if plain(tuple(path.split("\\"))) or not path}
    known = {"\\".join(names) for names in flat(data, look_up=False) if plain(names) or not names}
    edit(editor, chance, {path: values for path, values in keys.items() if path in known}, count)
    return None if editor.commit() is None else staged


def spread(states: list[bytes], chance: random.Random, most: int = ASKED) -> Iterator[bytes]:
    """Yield some of the states that differ."""
    different = list(dict.fromkeys(states))
    yield from different if len(different) <= most else chance.sample(different, most)


@pytest.mark.parametrize("seed", range(4))
def test_others_find_a_sound_hive_after_every_prefix(seed: int, save: Callable[[bytes], str]) -> None:
    strictcheck()
    chance = chance_of(seed)
    data = aged_hive(chance)
    staged = staged_edit(data, chance, 1 + seed)
    if staged is None:
        pytest.skip("nothing was changed")
    old, new = flat(data), flat(staged.read_at(0, staged.size))
    for state in spread([torn.data for torn in torn_files(staged, seed=seed)], chance):
        file = save(state)
        assert strict_errors(file) == set()
        assert_between(dumped(file, "hivex", "dump_hivex.py"), old, new)


@pytest.mark.real
@pytest.mark.parametrize("name", [name for name in CLEAN if name != "SYSTEM"])  # which takes 15 seconds a state
def test_every_prefix_of_an_edit_of_a_real_hive_is_as_sound_as_it_was(name: str, save: Callable[[bytes], str]) -> None:
    data = real_sample(name)
    old = flat(data, look_up=False)
    known = frozenset(problem.message for problem in check_hive(BytesSource(data)))
    strict = "VDISKKIT_STRICTCHECK" in os.environ
    errors = strict_errors(save(data)) if strict else set()
    large = len(data) >= LARGE
    for seed in range(1 if large else 3):
        chance = chance_of(f"{name} {seed}")
        try:
            staged = staged_edit(data, chance, 3 if large else 1 + 2 * seed)
        except WriteRefusedError:
            continue  # a key that is a link, or a list out of order
        if staged is None:
            continue
        new = flat(staged.read_at(0, staged.size), look_up=False)
        states = [torn.data for torn in torn_files(staged, seed=seed, most=8)]
        for state in spread(states, chance, 6 if large else 40):
            assert_sound(state, known)
            assert_between(flat(state, look_up=False), old, new)
        if seed or large:
            continue
        before, after = (dumped(save(one), "hivex", "dump_hivex.py") for one in (states[0], states[-1]))
        for state in spread(states, chance, 6):
            file = save(state)
            assert_between(dumped(file, "hivex", "dump_hivex.py"), before, after)
            if strict:
                assert strict_errors(file) <= errors

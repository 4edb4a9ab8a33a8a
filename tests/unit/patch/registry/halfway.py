"""What a hive may be when its edit was cut off: sound, and each value and key old or new."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.unit.patch.registry.model import flat
from vdiskkit.io import BytesSource
from vdiskkit.patch.registry import check_hive

if TYPE_CHECKING:
    from tests.unit.patch.registry.model import Flat


def assert_sound(data: bytes, known: frozenset[str] = frozenset()) -> None:
    """Nothing that Windows would take for damage, but what was there before the edit.

    The count of a security descriptor is raised before the keys are visible that use it, and lowered afterwards.
    """
    severe = [problem for problem in check_hive(BytesSource(data)) if problem.severe]
    assert not [problem for problem in severe if problem.message not in known and not counts_too_much(problem.message)]


def counts_too_much(message: str) -> bool:
    """Whether what is wrong is that a security descriptor counts more keys than use it."""
    match = re.fullmatch(r"a security descriptor counts (\d+) keys, (\d+) use it", message)
    return match is not None and int(match[1]) > int(match[2])


def assert_between(found: Flat, old: Flat, new: Flat) -> None:
    """Each value is the old one or the new one, and so is each key with all of its values where it comes or goes."""
    assert old.keys() & new.keys() <= found.keys() <= old.keys() | new.keys()
    for path, values in found.items():
        if path not in old or path not in new:
            assert values == (old if path in old else new)[path], path
            continue
        before, after = old[path], new[path]
        for name in values.keys() | before.keys() | after.keys():
            assert values.get(name) in (before.get(name), after.get(name)), (path, name)


def assert_halfway(data: bytes, old: Flat, new: Flat, known: frozenset[str] = frozenset()) -> None:
    """Judge a hive that a crash left."""
    assert_sound(data, known)
    assert_between(flat(data, look_up=True), old, new)

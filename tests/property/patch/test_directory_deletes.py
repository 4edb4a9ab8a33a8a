"""Random deletions in directories, until they are empty.

The short tests run on committed volumes in memory. The long one makes directories of 1 to 10,000 random names with
ntfs-3g and lets ntfs-3g list them after every batch; ``VDISKKIT_LONG_TESTS=1`` asks for it.
"""

from __future__ import annotations

import functools
import os
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.effort import tries
from tests.oracle.ntfs_volumes import MIB, Edited, contents, judge, make_volume, mounted, spare, use
from tests.unit.ntfs import volumes
from tests.unit.patch.ntfs.staged import Staged
from vdiskkit.patch.ntfs import check_touched, check_volume

if TYPE_CHECKING:
    from pathlib import Path

LONG = os.environ.get("VDISKKIT_LONG_TESTS") == "1"
ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-.äöüßéΩж日本ıſµÿ"


@functools.cache
def emptied_to(name: str, folder: str, left: int, seed: int) -> tuple[bytes, tuple[str, ...]]:
    """A committed volume whose folder has been brought down to ``left`` names, in random order."""
    staged = Staged(name)
    names = [entry.name for entry in staged.volume.listdir(folder, verify=False)]
    random.Random(seed).shuffle(names)  # noqa: S311 - wanted: the same every time
    for one in names[left:]:
        staged.editor.delete_file(f"{folder}\\{one}")
    assert check_touched(staged.file, staged.editor.touched) == []
    return staged.after, tuple(names[:left])


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "folder", "left"),
    [("directory", "many", 250), ("clusters65536", "many", 150), ("records4096", "many", 150)],
)
@settings(max_examples=tries(4), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_order_empties_a_directory(name: str, folder: str, left: int, data: st.DataObject) -> None:
    image, names = emptied_to(name, folder, left, 3)
    order = data.draw(st.permutations(names))
    stops = data.draw(st.sets(st.integers(0, left - 1), max_size=2))
    staged = Staged(image)
    model = set(names)
    for number, one in enumerate(order):
        staged.editor.delete_file(f"{folder}\\{one}")
        model.remove(one)
        if number in stops:
            assert {entry.name for entry in staged.volume.listdir(folder)} == model
            assert check_touched(staged.file, staged.editor.touched) == []
    assert list(staged.volume.listdir(folder)) == []
    assert check_volume(staged.file) == []


@pytest.mark.parametrize(
    ("order", "cases"), [("forwards", {"index block freed"}), ("backwards", {"index block freed"})]
)
def test_the_ends_of_a_large_directory_first(order: str, cases: set[str]) -> None:
    """In order from either end: every block empties from one side, the end entries give theirs away."""
    staged = Staged("clusters65536")
    names = sorted(entry.name for entry in staged.volume.listdir("many", verify=False))
    seen: set[str] = set()
    for one in names if order == "forwards" else reversed(names):
        seen |= set(staged.editor.delete_file(f"many\\{one}").cases)
    assert cases | {"root became a leaf"} <= seen
    assert check_volume(staged.file) == []


def test_other_directories_keep_their_names() -> None:
    staged = Staged("directory")
    thinned = [entry.name for entry in staged.volume.listdir("thinned")]
    for number in random.Random(5).sample(range(3000), 400):  # noqa: S311 - wanted: the same every time
        staged.editor.delete_file(f"many\\many entry number {number:05}")
    assert [entry.name for entry in staged.volume.listdir("thinned")] == thinned
    assert len(list(staged.volume.listdir("many"))) == 2600
    assert volumes.judged("directory")["many"] == 3000
    assert check_volume(staged.file) == []


def random_names(chance: random.Random, count: int) -> list[str]:
    """Names of 1 to 120 characters that differ in more than their case."""
    found: dict[str, str] = {}
    while len(found) < count:
        name = "".join(chance.choices(ALPHABET, k=chance.randint(1, chance.choice([8, 30, 120])))).strip(" .")
        name = name.encode()[:250].decode(errors="ignore")
        if name:
            found.setdefault(name.upper(), name)
    return list(found.values())


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("count", "mkntfs"),
    [
        (60, ()),
        *(
            (count, ("-c", str(size), *options))
            for count in (1, 2, 13, 150, 1000, 3000)
            for size, options in ((512, ()), (1024, ()), (4096, ()), (4096, ("-s", "4096")), (65536, ()))
            if LONG
        ),
        *([(10_000, ())] if LONG else []),
    ],
)
@pytest.mark.timeout(1800)
def test_ntfs_3g_lists_what_is_left(tmp_path: Path, count: int, mkntfs: tuple[str, ...]) -> None:
    chance = random.Random(f"{count} {mkntfs}")  # noqa: S311 - wanted: the same every time
    names = random_names(chance, count)

    def fill(root: Path) -> None:
        (root / "folder").mkdir()
        for name in names:
            (root / "folder" / name).write_bytes(b"x" * chance.choice([0, 100, 3000]))
        (root / "other").mkdir()
        (root / "other" / "file.bin").write_bytes(chance.randbytes(50_000))

    path = make_volume(tmp_path / "volume.raw", fill, *mkntfs, size=(256 if "65536" in mkntfs else 64) * MIB)
    with mounted(path) as root:
        left = contents(root)
    chance.shuffle(names)
    batch = max(count // 3, 1)
    for start in range(0, count, batch):
        edited = Edited(path)
        for name in names[start : start + batch]:
            edited.editor.delete_file(f"folder\\{name}")
            del left[f"folder/{name}"]
        judge(edited)
        edited.close()
        with mounted(path) as root:
            assert contents(root) == left
        assert use(spare(path), "folder") == left

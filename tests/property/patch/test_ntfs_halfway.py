"""Changes of a volume that were cut off: what a crash leaves, sector by sector, without the journal."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.build.prefixes import torn_files
from tests.property.patch.test_ntfs_edits import writable
from tests.unit.patch.ntfs.staged import Staged
from vdiskkit.errors import FormatError, WriteRefusedError
from vdiskkit.ntfs import NtfsVolume
from vdiskkit.ntfs.record import ATTRIBUTE_LIST
from vdiskkit.patch.ntfs import check_volume
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from vdiskkit.io import ByteSource
    from vdiskkit.patch.ntfs import Problem

SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.thorough) for seed in range(1, 6))]
NOW = 132_000_000_000_000_000
WHOLE = frozenset(Phase)
"""Records and index blocks are written as a whole."""
LEAKS = {
    "bitmap.lost",  # clusters that nothing owns any more, or not yet
    "mft.bitmap",  # likewise records; the other way round is judged by the message
    "runs.allocated",  # clusters that a file does not count yet
    "names.entry",  # a file whose names have left the directories, and whose record is about to be freed
}
DANGEROUS = {"bitmap.free", "runs.shared", "index.freed", "index.twice"}


def changed(name: str, seed: int) -> tuple[Staged, dict[str, bytes], dict[str, bytes]]:
    """Some changes by chance: files deleted, one of several hard links deleted, files grown and written."""
    chance = random.Random(f"{name} {seed}")  # noqa: S311 - repeatable, not secret
    staged = Staged(name, now=NOW)
    before = writable(staged.volume)
    for _ in range(chance.choice((1, 1, 2, 3))):
        left = sorted(writable(staged.volume))
        if not left:
            break
        path = chance.choice(left)
        how = chance.random()
        try:
            if how < 0.5:
                if how >= 0.3 and list_is_outside(staged, path):
                    continue  # docs/changing.md says what is left of such a file
                staged.editor.delete_file(path, all_links=how < 0.3)
            else:
                stream = staged.editor.open_stream(path)
                size = stream.size
                stream.grow(size + chance.choice((100, 5000, 60_000, 200_000)))
        except WriteRefusedError:
            continue
    return staged, before, writable(staged.volume)


def list_is_outside(staged: Staged, path: str) -> bool:
    record = staged.editor.store.parsed(staged.volume.lookup(path, follow=False).record_number)
    return any(attribute.type == ATTRIBUTE_LIST and not attribute.resident for attribute in record.attributes)


def is_leak(problem: Problem, staged: Staged) -> bool:
    if problem.code == "mft.bitmap":
        return problem.message == "a free record is used in the bitmap of $MFT"
    if problem.code == "damaged" and problem.location is not None:
        # A file that has no name any more, some of whose records are freed.
        freed = {staged.editor.store.where(number).steps for number in staged.editor.touched.freed_records}
        half = problem.message.endswith(("is no file", "which does not belong to this file"))
        return half and problem.location.steps in freed
    return problem.code in LEAKS


def assert_old_or_new(source: ByteSource, before: dict[str, bytes], after: dict[str, bytes]) -> None:
    """Every file is as it was or as it will be; files that stay are there."""
    found = writable(NtfsVolume(source))
    assert before.keys() & after.keys() <= found.keys() <= before.keys() | after.keys()
    for path, content in found.items():
        if path in after:
            assert content in (before.get(path), after[path]), path
        else:  # perhaps grown before it was deleted
            assert content.startswith(before[path]), path


@pytest.mark.parametrize("name", ["basic", "edits", "fragmented", "records4096"])
@pytest.mark.parametrize("seed", SEEDS)
def test_whole_records_and_blocks_leave_a_leak_at_worst(name: str, seed: int) -> None:
    staged, before, after = changed(name, seed)
    for torn in torn_files(staged.file, seed=seed, most=4, together=WHOLE):
        faults = [problem for problem in check_volume(torn.file) if not is_leak(problem, staged)]
        assert faults == [], torn.phase
        assert_old_or_new(torn.file, before, after)
    assert check_volume(torn.file) == []
    assert writable(NtfsVolume(torn.file)) == after


@pytest.mark.parametrize("name", ["basic", "edits", "fragmented"])
@pytest.mark.parametrize("seed", SEEDS)
def test_single_sectors_never_give_clusters_to_two(name: str, seed: int) -> None:
    """What is torn is told as torn; nothing beside it is wrong, and no file can be written over by another one."""
    staged, before, after = changed(name, seed)
    for torn in torn_files(staged.file, seed=seed, most=3):
        problems = check_volume(torn.file)
        assert not {problem.code for problem in problems} & DANGEROUS, torn.phase
        assert not any("a record in use is free" in problem.message for problem in problems), torn.phase
        if not any("torn" in problem.message for problem in problems):
            assert [problem for problem in problems if not is_leak(problem, staged)] == []
            assert_old_or_new(torn.file, before, after)
            continue
        volume = NtfsVolume(torn.file)
        for path in before.keys() & after.keys():
            try:
                found = volume.find(path)
                content = found.open().read_at(0, found.size) if found is not None else None
            except FormatError:
                continue  # its record or its directory is what is torn
            assert content in (before[path], after[path]), path

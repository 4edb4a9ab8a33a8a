"""What a volume is like when only the first phases of a change have been written: a leak or an orphan at worst."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.build.image import load_volume
from tests.unit.patch.ntfs.staged import Staged
from vdiskkit.io import BytesSource
from vdiskkit.patch.ntfs import check_volume
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from collections.abc import Callable


def problems_by_phase(staged: Staged) -> dict[Phase, set[str]]:
    data = bytearray(staged.data)
    found = {}
    for phase in (Phase.GROW, Phase.DATA, Phase.CLAIM, Phase.LINK, Phase.HIVE_UNLINK, Phase.RELEASE):
        for change in staged.changes:
            if change.phase is phase:
                data[change.offset : change.offset + len(change.after)] = change.after
        found[phase] = {problem.code for problem in check_volume(BytesSource(data))}
    # Records that are freed are still marked as used, and so are their clusters.
    assert found.pop(Phase.HIVE_UNLINK) <= {"mft.bitmap", "bitmap.lost"}
    return found


def many(count: int) -> tuple[str, ...]:
    numbers = random.Random(1).sample(range(400), count)  # noqa: S311 - wanted: the same every time
    return tuple(f"many\\many entry number {number:05}" for number in numbers)


@pytest.mark.parametrize(
    ("name", "paths", "all_links"),
    [
        ("basic", ("plain.bin", "links\\second.txt", "jumps\\dangling"), True),
        ("basic", ("links\\second.txt", "A Long Name.configuration"), False),
        ("fragmented", ("scattered.bin",), True),
        ("clusters65536", many(300), True),
        ("clusters65536", many(400), True),
    ],
)
def test_a_deletion_leaves_an_orphan_at_worst(name: str, paths: tuple[str, ...], all_links: bool) -> None:
    staged = Staged(name)
    for path in paths:
        staged.editor.delete_file(path, all_links=all_links)
    assert problems_by_phase(staged) == {
        Phase.GROW: set(),
        Phase.DATA: set(),
        Phase.CLAIM: set(),
        Phase.LINK: {"names.entry"},  # a record in use without an entry in its directory
        Phase.RELEASE: set(),
    }


@pytest.mark.parametrize(
    ("name", "path", "grow"),
    [
        ("basic", "links\\second.txt", lambda size: size + 70_000),
        ("basic", "resident.txt", lambda size: 5000),
        ("fragmented", "scattered.bin", lambda size: size + 70_000),
        ("clusters65536", "file.bin", lambda size: size + 200_000),
    ],
)
def test_growing_leaves_lost_clusters_at_worst(name: str, path: str, grow: Callable[[int], int]) -> None:
    staged = Staged(name)
    stream = staged.editor.open_stream(path)
    stream.grow(grow(stream.size))
    # Where sizes and last runs stand in two records, each step comes one phase earlier, and the size last.
    apart = name == "fragmented"
    assert problems_by_phase(staged) == {
        Phase.GROW: set(),
        Phase.DATA: {"bitmap.lost"} if apart else set(),
        Phase.CLAIM: {"runs.allocated"} if apart else {"bitmap.lost"},
        Phase.LINK: set(),
        Phase.RELEASE: set(),
    }


def test_a_deletion_and_the_growth_after_it_do_not_share_a_sector_of_bits() -> None:
    """A sector is written once; were it shared, the hive would have clusters that are still free to the bitmap."""
    staged = Staged(load_volume("win8").data)
    staged.editor.delete_file("Windows\\System32\\spp\\store\\tokens.dat")
    stream = staged.editor.open_stream("Windows\\System32\\config\\SOFTWARE")
    stream.grow(stream.size + 300_000)
    assert problems_by_phase(staged) == {
        Phase.GROW: set(),
        Phase.DATA: set(),
        Phase.CLAIM: {"bitmap.lost"},
        Phase.LINK: {"names.entry"},
        Phase.RELEASE: set(),
    }

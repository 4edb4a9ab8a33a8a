"""Writing to VHDX files with changed bytes: refused by one of our own errors, or sound afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.test_vhdx import BUILDERS, damaged, healthy, long
from tests.property.patch.test_vhdx_writes import Case, Write, applied, content_of, headers_of, open_disk, play
from vdiskkit.errors import VDiskError
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from tests.build.vhdx import Image

WRITES = [
    (0.0, b"in place or not", Phase.LINK),
    (0.21, b"\1" * 5000, Phase.DATA),
    (0.5, b"\2" * 700, Phase.CLAIM),
    (0.75, bytes(900), Phase.RELEASE),
    (1.0, b"\3" * 512, Phase.LINK),
]


def writes(size: int) -> list[Write]:
    """The same kind of writes whatever size the damage has made of the disk."""
    made = [Write(int((size - len(data)) * where), data, phase) for where, data, phase in WRITES]
    return [write for write in made if write.offset >= 0]


@pytest.mark.parametrize("name", BUILDERS)
@given(data=st.data())
@long
def test_damaged_files_are_refused_or_sound_afterwards(name: str, data: st.DataObject) -> None:
    image = data.draw(damaged(*healthy(name)))
    parent = healthy("dynamic")[0]
    before = image.copy()
    try:
        disk = open_disk(image, parent)
        case = Case(image, parent if disk.differencing else None, writes(disk.size))
        played = play(case)
    except VDiskError as exc:
        assert exc.message  # noqa: PT017 - both outcomes are right
        assert exc.exit_code in {3, 5}  # noqa: PT017
        return
    changes, size = played.changes, played.disk.staged.size
    assert image.to_bytes() == before.to_bytes()
    result = applied(case, changes, size)
    assert content_of(result, case.parent, played.ranges) == played.model
    again = open_disk(result, None)
    if changes:
        assert again.notices == ()
        first, second = headers_of(result)
        assert first[1:] == second[1:]
        assert first[3].int == 0
    check_old_blocks(image, result, played.disk.container.size)
    for phase in Phase:
        left = applied(case, [change for change in changes if change.phase <= phase], size)
        content_of(left, case.parent, played.ranges)


def check_old_blocks(before: Image, after: Image, size: int) -> None:
    """No block that was there has moved, and new ones lie behind everything."""
    old, new = open_disk(before, None), open_disk(after, None)
    assert old.size == new.size == size
    end = max(old.source.size, old.blocks_end)
    for block in range(old.shape.blocks):
        place = old.block_offset(block)
        if place is not None:
            assert new.block_offset(block) == place
        elif (added := new.block_offset(block)) is not None:
            assert added >= end

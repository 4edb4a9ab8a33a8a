"""dissect.hypervisor reads the same bytes from VHDX files, block by block.

It is asked for whole blocks only: a read that begins inside a block and crosses its end it answers with other bytes.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from dissect.hypervisor.disk.vhdx import VHDX

from tests.build.vhd import noise
from tests.build.vhdx import FULL, MIB, UNDEFINED, UNMAPPED, ZERO, build_vhdx, link_to
from vdiskkit.container import open_container
from vdiskkit.io import BytesSource
from vdiskkit.location import Location

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.oracle


@pytest.mark.parametrize("sector_size", [512, 4096])
@pytest.mark.parametrize("block_size", [MIB, 4 * MIB])
@pytest.mark.parametrize("kind", ["dynamic", "fixed"])
def test_whole_blocks(kind: str, block_size: int, sector_size: int) -> None:
    states = {3: ZERO, 4: UNMAPPED, 5: UNDEFINED, 6: FULL} if kind == "dynamic" else {}
    image = build_vhdx(
        kind, 8 * block_size, block_size, {5: noise(2 * MIB, 1), 7 * block_size: noise(MIB, 2)}, states=states,
        sector_size=sector_size, reverse=True,
    )  # fmt: skip
    disk = open_container(image, path=None)
    theirs = VHDX(io.BytesIO(image.to_bytes()))
    assert (theirs.size, theirs.sector_size, str(theirs.id)) == (
        disk.size,
        disk.sector_size,
        getattr(disk.facts().vhdx, "virtual_disk_id", None),
    )
    for number in range(8):
        theirs.seek(number * block_size)
        assert theirs.read(block_size) == disk.read_at(number * block_size, block_size)


def test_whole_blocks_of_a_chain(tmp_path: Path) -> None:
    """In a partially present block it is right when the bitmap is asked for from its first bit."""
    parent = build_vhdx("dynamic", 4 * MIB, content=noise(4 * MIB, 1))
    content = {0: noise(512 * 16, 2), MIB: noise(MIB, 3), 2 * MIB + 512 * 24: noise(512 * 8, 4)}
    child = build_vhdx("differencing", 4 * MIB, content=content, parent=link_to(parent, "p.vhdx"))
    parent.save(tmp_path / "p.vhdx")
    path = child.save(tmp_path / "c.avhdx")
    theirs = VHDX(path)
    disk = open_container(BytesSource(path.read_bytes(), Location(str(path))), path=str(path))
    for number in range(4):
        assert theirs.read_sectors(number * 2048, 2048) == disk.read_at(number * MIB, MIB)
    disk.close()
    theirs.fh.close()
    theirs.parent.fh.close()

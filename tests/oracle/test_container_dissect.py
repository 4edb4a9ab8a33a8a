"""dissect.hypervisor reads the same bytes from fixed and dynamic VHDs."""

from __future__ import annotations

from io import BytesIO

import pytest
from dissect.hypervisor.disk.vhd import VHD

from tests.build.vhd import KIB, MIB, build_vhd, noise
from vdiskkit.container import open_container
from vdiskkit.io import BytesSource

pytestmark = pytest.mark.oracle

SIZE = 20 * MIB


@pytest.mark.parametrize("footer_511", [False, True])
@pytest.mark.parametrize("block_size", [512 * KIB, 2 * MIB, 16 * MIB])
@pytest.mark.parametrize("kind", ["fixed", "dynamic"])
def test_the_same_bytes(kind: str, block_size: int, footer_511: bool) -> None:
    content = {0: noise(5000, 1), 7 * MIB - 100: noise(200, 2), SIZE - 512: noise(512, 3)}
    data = build_vhd(kind, SIZE, block_size, content, footer_511=footer_511)
    if footer_511:
        # It tells the short footer by a reserved bit that is not set where it looks first.
        assert not data[-512 + 11] & 2
    judge = VHD(BytesIO(data))
    disk = open_container(BytesSource(data), path=None)
    assert disk.size == judge.size
    assert disk.read_at(0, SIZE) == judge.read(SIZE)

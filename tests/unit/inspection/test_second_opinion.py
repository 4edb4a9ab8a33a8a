"""The second reader: its known faults are allowed for by name, and nothing asked is no agreement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import vdiskkit
from tests.build.image import build_disk
from tests.unit.rules.disks import volume
from vdiskkit.report.style import Style
from vdiskkit.report.text import inspection_lines

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("sector_size", [512, 4096])
def test_a_gpt_disk_has_no_differences(tmp_path: Path, sector_size: int) -> None:
    path = tmp_path / "gpt.raw"
    path.write_bytes(build_disk([volume()], table="gpt", sector_size=sector_size))
    with vdiskkit.open_vdisk(path) as disk:
        facts = disk.inspect(second_opinion=True).cross_check
    assert facts is not None
    assert facts.differences == ()
    assert any("may be one sector short there, which was allowed for" in question for question in facts.checked)


def test_nothing_asked_is_no_agreement(tmp_path: Path) -> None:
    path = tmp_path / "blank.raw"
    path.write_bytes(bytes(1 << 20))
    with vdiskkit.open_vdisk(path) as disk:
        inspection = disk.inspect(second_opinion=True)
    text = "\n".join(inspection_lines(inspection, Style(width=None)))
    assert "it was not asked" in text
    assert "the same answers" not in text

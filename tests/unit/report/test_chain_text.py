"""Chains as text: whole drawings at 80 columns, also in ASCII, and texts that do harm where they are shown raw.

``VDISKKIT_UPDATE_SNAPSHOTS=1`` writes the snapshots anew; read the difference before committing it.
"""

from __future__ import annotations

import contextlib
import re
import uuid
from typing import TYPE_CHECKING

import pytest

import vdiskkit
from tests.build.hostile import TEXTS
from tests.build.vhd import ParentLink, build_vhd
from tests.build.vhdx import build_vhdx, link_to
from tests.unit.chain.stores import BLOCK, SIZE, describe, put, save, vhd_chain, vhdx_chain
from tests.unit.report.test_validation_text import compare
from vdiskkit.report.chain_text import chain_lines
from vdiskkit.report.style import Style
from vdiskkit.text import displayable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_START = re.compile(
    r"disk  |  (chain|versions|newest|manifest|notice|beside)  |  \[(\d+|\?)\]  |  \(\d+\)  |   x   |   x  hint  "
    r"|   [| ](  |$)| {16}\| "
)


def lines_of(path: Path, style: Style) -> list[str]:
    with contextlib.chdir(path.parent):
        return chain_lines(vdiskkit.read_chain(path.name), style)


@pytest.fixture
def merged(tmp_path: Path) -> Path:
    """A chain of two with a manifest, a lock, a merged base and an orphan beside it."""
    newest = vhdx_chain(tmp_path, 2)
    merged_base = save(build_vhdx("dynamic", SIZE, BLOCK, data_write=uuid.UUID(int=50)), tmp_path / "desk.3.vhdx")
    orphan = build_vhdx("differencing", SIZE, BLOCK, parent=link_to(uuid.UUID(int=9)), data_write=uuid.UUID(int=45))
    stray = save(orphan, tmp_path / "desk.4.avhdx")
    describe(tmp_path, tmp_path / "desk.vhdx", tmp_path / "desk.1.avhdx", newest, merged_base, stray)
    (tmp_path / "desk.1.lok").write_bytes(b"")
    (tmp_path / "desk.4.pvp").unlink()
    return newest


def test_a_whole_chain(merged: Path) -> None:
    compare(lines_of(merged, Style(width=80)), "chain-merged-80.txt")


def test_in_ascii_and_without_a_width(merged: Path) -> None:
    compare(lines_of(merged, Style(width=None, symbols=False)), "chain-merged-ascii.txt")


def test_a_chain_that_breaks(merged: Path) -> None:
    (merged.parent / "desk.1.avhdx").unlink()
    compare(lines_of(merged, Style(width=80)), "chain-broken-80.txt")


@pytest.mark.parametrize("make", [vhd_chain, vhdx_chain], ids=["vhd", "vhdx"])
def test_ten_versions_keep_the_line_whole_down_to_the_base(tmp_path: Path, make: Callable[[Path, int], Path]) -> None:
    lines = lines_of(make(tmp_path, 10), Style(width=80))
    assert max(map(len, lines)) <= 80
    assert all(_START.match(line) for line in lines)
    assert lines[2] == "  versions        0 → 1 → 2 → 3 → 4 → 5 → 6 → 7 → 8 → 9 → 10"
    first, last = (next(at for at, line in enumerate(lines) if line.startswith(f"  [{number}]")) for number in (10, 0))
    assert all(line.startswith(("   |", "  [")) for line in lines[first:last])
    assert not any("|" in line[:5] for line in lines[last:])


@pytest.mark.parametrize("text", TEXTS)
def test_hostile_texts_are_shown_and_do_no_harm(tmp_path: Path, text: str) -> None:
    stored = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    link = ParentLink(b"x" * 16, stored[:200], ((b"W2ru", stored), (b"W2ku", f"\\\\{stored}\\{stored}")))
    data = build_vhd("differencing", SIZE, BLOCK, parent=link, creator=b"\x1b[m\n")
    path = put(tmp_path / "desk.1.avhd", data)
    for style in (Style(width=80), Style(width=None)):
        lines = lines_of(path, style)
        assert all(_START.match(line) for line in lines)
        assert all(line == displayable(line, limit=None) for line in lines)
        assert any("PLANTED" in line for line in lines)


def test_roles_and_states_of_versions_are_told(tmp_path: Path) -> None:
    newest = vhd_chain(tmp_path, 2)
    describe(tmp_path, tmp_path / "desk.vhd", tmp_path / "desk.1.avhd", newest)
    text = (tmp_path / "desk.xml").read_text(encoding="utf-8")
    head, _, tail = text.rpartition("<access>0<")
    (tmp_path / "desk.xml").write_text(f"{head}<access>1<{tail}", encoding="utf-8")
    lines = lines_of(newest, Style())
    assert "  [2]             desk.2.avhd (named): version, VHD differencing" in lines
    assert "  [1]             desk.1.avhd (in production): version, VHD differencing" in lines
    assert any(line.startswith("   |  manifest    ! Manual, Maintenance, created") for line in lines)
    assert any(line.startswith("   |  manifest    Manual, Production, created") for line in lines)

"""``ls`` of a directory that is damaged: told, and no success, though the damage was met before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.build.pair import PRIVATE, write_pair
from tests.build.scenario import windows_disk
from tests.build.volume_damage import rename_in_index

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its root directory gives the page file another name; opening the disk looks into the root already."""
    raw = windows_disk("win10", edit=lambda editor: rename_in_index(editor, "", "Windows", "Vindows"))
    return write_pair(tmp_path_factory.mktemp("damaged"), "disk", raw, pvp={"write_cache_type": PRIVATE})


def test_the_list_tells_what_it_lacks(damaged: Path, run: Callable[..., Outcome]) -> None:
    outcome = run("ls", damaged)
    assert outcome.code == 3
    assert "Vindows" not in outcome.out
    assert "warning: the directory entry of Vindows leads to MFT record" in outcome.err
    assert "which has no such name" in outcome.err


def test_so_does_the_list_as_json(damaged: Path, run: Callable[..., Outcome]) -> None:
    outcome = run("ls", damaged, "--json")
    assert outcome.code == 3
    assert outcome.json["exit_code"] == 3
    assert [item["code"] for item in outcome.json["disks"][0]["result"]["notices"]] == ["ntfs.index_damaged"]
    assert outcome.json["error"]["type"] == "CorruptStructureError"


def test_a_file_is_not_called_missing(damaged: Path, run: Callable[..., Outcome]) -> None:
    outcome = run("stat", damaged, r"Windows\notepad.exe")
    assert outcome.code == 3
    assert "whether there is Windows in \\ is not known" in outcome.err


def test_no_windows_is_not_said(damaged: Path, run: Callable[..., Outcome]) -> None:
    outcome = run("validate", damaged, "--select", "NTF106")
    assert outcome.code == 1
    assert "NTF106" in outcome.out

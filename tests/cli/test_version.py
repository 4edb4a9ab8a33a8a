"""``--version`` tells the packages that are really used, wherever they come from."""

from __future__ import annotations

import sys
import zipfile
from typing import TYPE_CHECKING

from vdiskkit.cli.version import version_text

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def told(name: str) -> str:
    (line,) = [line for line in version_text().splitlines() if line.split()[1] == name]
    return line.split(maxsplit=2)[2]


def test_packages_in_an_archive_come_before_those_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, installed = tmp_path / "program.pyz", tmp_path / "installed"
    (installed / "click-1.0.dist-info").mkdir(parents=True)
    (installed / "dissect_ntfs-1.0.dist-info").mkdir(parents=True)
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("click-2.0.dist-info/METADATA", "Name: click\n")
    monkeypatch.setattr(sys, "path", [str(archive), str(installed), *sys.path])
    assert told("click") == "2.0"
    assert told("dissect.ntfs") == "1.0"


def test_a_file_that_is_no_archive_holds_no_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK no archive")
    expected = told("click")
    monkeypatch.setattr(sys, "path", [str(broken), *sys.path])
    assert told("click") == expected

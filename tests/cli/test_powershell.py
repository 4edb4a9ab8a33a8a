"""``vdiskkit powershell``: where the module lies, seen from a checkout, a package, an archive, a frozen program."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import ROOT, environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

MISSING = (
    "error: the PowerShell module is not there: this vdiskkit is one file, or was installed without it\n"
    "  hint  unpack the zip of the module of this version, put vdiskkit beside it, and load it from there\n"
)


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package in a folder of its own, as a wheel without the module would leave it."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "vdiskkit", folder / "vdiskkit", ignore=shutil.ignore_patterns("__pycache__", "powershell"))
    return folder


def from_elsewhere(path: Path) -> subprocess.CompletedProcess[str]:
    """Run it with this folder or archive in the front; a Python that may ignore PYTHONPATH is told by word."""
    start = "import sys; sys.path.insert(0, sys.argv.pop(1)); from vdiskkit.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", start, path, "powershell"]
    return subprocess.run(
        command, env=environment(), cwd=path.parent, capture_output=True, encoding="utf-8", check=False, timeout=60
    )


def test_in_a_checkout(run: Callable[..., Outcome]) -> None:
    expected = ROOT / "powershell" / "VDiskKit" / "VDiskKit.psd1"
    assert run("powershell") == (0, f"{expected}\n", "")
    assert expected.is_file()


def test_in_an_installed_package(copied: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(copied, site)
    module = site / "vdiskkit" / "powershell" / "VDiskKit"
    shutil.copytree(ROOT / "powershell" / "VDiskKit", module)
    done = from_elsewhere(site)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{module / 'VDiskKit.psd1'}\n", "")


def test_a_folder_of_that_name_beside_an_installed_package_is_not_taken(copied: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(copied, site)
    shutil.copytree(ROOT / "powershell", site / "powershell")
    done = from_elsewhere(site)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", MISSING)


def test_in_an_archive(copied: Path, tmp_path: Path) -> None:
    archive = tmp_path / "vdiskkit.pyz"
    with zipfile.ZipFile(archive, "w") as file:
        for path in copied.rglob("*"):
            file.write(path, path.relative_to(copied))
        for path in (ROOT / "powershell" / "VDiskKit").rglob("*"):
            file.write(path, "vdiskkit" / path.relative_to(ROOT))
    done = from_elsewhere(archive)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", MISSING)


def test_in_a_frozen_program(run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert run("powershell") == (1, "", MISSING)

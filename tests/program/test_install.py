"""The page about installing: it names the files of this version, and its commands work as they are printed.

The commands need a package index; they are run where ``VDISKKIT_DIST`` names a folder with the built files.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import venv
from typing import TYPE_CHECKING

import pytest

from tests.program.conftest import ROOT
from vdiskkit import __version__

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.thorough

PAGE = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")


def commands(title: str) -> list[str]:
    """The command lines of one section."""
    section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^    (.+)$", section, re.MULTILINE)
    assert found
    return found


def test_it_names_the_files_of_this_version() -> None:
    named = re.findall(r"(?:vdiskkit|VDiskKit-PowerShell)-(\d[\w.]*?)(?:-py3-none-any\.whl|\.tar\.gz|\.zip)", PAGE)
    assert len(named) > 5
    assert set(named) == {__version__}


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder with the built files, and a Python with nothing but pip in ``python``."""
    named = os.environ.get("VDISKKIT_DIST")
    if not named:
        pytest.skip("VDISKKIT_DIST is not set")
    folder = tmp_path / "a new machine"
    shutil.copytree(ROOT / named, folder)
    venv.create(tmp_path / "python", with_pip=True)
    return folder


def run(line: str, folder: Path) -> str:
    """Run one line in the system's own shell, with the new Python in front; return what it printed."""
    scripts = folder.parent / "python" / ("Scripts" if os.name == "nt" else "bin")
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    environment = {**kept, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(line, cwd=folder, env=environment, shell=True, capture_output=True, text=True, check=False)  # noqa: S602 - as the reader's shell does
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_installing_with_pip(machine: Path) -> None:
    (line,) = commands("With pip")
    run(line, machine)
    assert run("vdiskkit --version", machine).startswith(f"vdiskkit {__version__}\n")


def test_installing_without_internet(machine: Path) -> None:
    here, elsewhere, install, show = commands("Without internet")
    run(here, machine)
    run(elsewhere, machine)
    names = [{path.name.partition("-")[0].lower() for path in (machine / x).iterdir()} for x in ("packages", "windows")]
    assert names[0] == names[1]
    for path in machine.glob("vdiskkit*"):
        path.unlink()
    assert "--no-index" in install
    run(install, machine)
    assert run(show, machine).startswith(f"vdiskkit {__version__}\n")


def test_the_one_file(machine: Path) -> None:
    (line,) = commands("One file for any Python: vdiskkit.pyz")
    assert run(line, machine).startswith(f"vdiskkit {__version__}\n")

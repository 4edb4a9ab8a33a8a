"""The files that are given out: whole, alike every time, and with nothing in them that was not meant.

``VDISKKIT_DIST`` names the folder that ``python dev.py build`` filled; without it wheel and source archive are made
here, and the tests of the others are skipped by name.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING, NamedTuple

import pytest

import dev
from tests.program.conftest import ROOT
from tools.release import build
from vdiskkit import __version__

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.thorough

WHEEL = f"vdiskkit-{__version__}-py3-none-any.whl"
SDIST = f"vdiskkit-{__version__}.tar.gz"
POWERSHELL = f"VDiskKit-PowerShell-{__version__}.zip"
BUILT = {WHEEL, SDIST, POWERSHELL, "vdiskkit.pyz"}
MADE_FOR_THE_ARCHIVE = {"PKG-INFO"}


class Dist(NamedTuple):
    wheel: Path
    sdist: Path


def make(kind: str, folder: Path) -> None:
    pytest.importorskip("hatchling")
    command = (sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder))
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Dist:
    named = os.environ.get("VDISKKIT_DIST")
    folder = ROOT / named if named else tmp_path_factory.mktemp("dist")
    if not named:
        make("wheel", folder)
        make("sdist", folder)
    return Dist(folder / WHEEL, folder / SDIST)


@pytest.fixture
def built() -> Path:
    named = os.environ.get("VDISKKIT_DIST")
    if not named:
        pytest.skip("VDISKKIT_DIST is not set")
    return ROOT / named


def repository_files() -> set[str]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no git checkout")
    return {name for name in done.stdout.decode().split("\0") if (ROOT / name).is_file()}


def test_the_source_archive_holds_what_the_repository_holds(dist: Dist) -> None:
    with tarfile.open(dist.sdist) as file:
        names = {member.name.partition("/")[2] for member in file.getmembers() if member.isfile()}
        (top,) = {member.name.partition("/")[0] for member in file.getmembers()}
    assert top == f"vdiskkit-{__version__}"
    assert names - MADE_FOR_THE_ARCHIVE == repository_files()
    assert names >= MADE_FOR_THE_ARCHIVE


def test_the_wheel_holds_the_package_and_the_powershell_module(dist: Dist) -> None:
    with zipfile.ZipFile(dist.wheel) as file:
        names = {name for name in file.namelist() if ".dist-info/" not in name}
    sources = {name for name in repository_files() if name.startswith(("vdiskkit/", "powershell/VDiskKit/"))}
    moved = {f"vdiskkit/{name}" if name.startswith("powershell/") else name for name in sources}
    assert names == moved
    assert f"vdiskkit/powershell/VDiskKit/{build.MANIFEST}" in names


def test_the_wheel_has_the_same_bytes_every_time(dist: Dist, tmp_path: Path) -> None:
    make("wheel", tmp_path)
    assert (tmp_path / WHEEL).read_bytes() == dist.wheel.read_bytes()


def test_all_files_are_there_with_their_checksums(built: Path) -> None:
    lines = (built / build.SUMS).read_text(encoding="ascii").splitlines()
    sums = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert sums.keys() - {"vdiskkit.exe"} == BUILT
    for name, digest in sums.items():
        assert hashlib.sha256((built / name).read_bytes()).hexdigest() == digest, name


def test_the_powershell_archive_holds_the_module(built: Path) -> None:
    source = ROOT / "powershell" / "VDiskKit"
    with zipfile.ZipFile(built / POWERSHELL) as file:
        content = {name: file.read(name) for name in file.namelist() if not name.endswith("/")}
    assert content == {
        f"VDiskKit/{path.relative_to(source).as_posix()}": path.read_bytes()
        for path in source.rglob("*")
        if path.is_file()
    }


def test_checksums_are_of_the_products_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "vdiskkit.pyz").write_bytes(b"program")
    (tmp_path / "notes.txt").write_bytes(b"something of the developer's")
    monkeypatch.setattr(build, "DIST", tmp_path)
    build.write_sums()
    assert (tmp_path / build.SUMS).read_bytes() == (
        hashlib.sha256(b"program").hexdigest().encode() + b"  vdiskkit.pyz\n"
    )


def test_a_step_that_fails_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(build, "build", lambda: build.run(sys.executable, "-c", "raise SystemExit(3)"))
    assert build.main() == 1
    assert capsys.readouterr().err == f"build: exit code 3 of: {sys.executable} -c raise SystemExit(3)\n"


def test_a_file_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "dist").write_text("no folder", encoding="ascii")
    monkeypatch.setattr(build, "DIST", tmp_path / "dist")
    monkeypatch.setattr(build, "powershell_module", dict)
    assert build.main() == 1
    assert capsys.readouterr().err.startswith("build: [")


def test_a_missing_powershell_module_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "POWERSHELL", tmp_path / "VDiskKit")
    with pytest.raises(build.BuildError, match=r"there is no VDiskKit\.psd1 in .*VDiskKit"):
        build.powershell_module()


@pytest.mark.parametrize("command", ["build", "exe"])
def test_dev_takes_no_arguments_for_it(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert dev.main([command, "--fast"]) == 1
    assert capsys.readouterr().err == f"dev.py: {command} takes no arguments, and was given --fast\n"

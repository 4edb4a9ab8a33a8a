"""Running the command line, in this process or in one of its own."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from vdiskkit.cli.run import run as run_command_line
from vdiskkit.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_images"
NOW = dt.datetime(2026, 11, 24, 9, 12, 3, tzinfo=dt.UTC)


class Outcome(NamedTuple):
    """Exit code and streams of one run."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The JSON object on standard output."""
        return json.loads(self.out)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Run one command line in this process, with a fixed clock and none of the caller's settings."""
    for name in list(os.environ):
        if name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLUMNS") or name.startswith("VDISKKIT_"):
            monkeypatch.delenv(name)

    def call(*args: object) -> Outcome:
        code = run_command_line([str(arg) for arg in args], Session(clock=lambda: NOW))
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture
def process() -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run one command line in a process of its own."""

    def call(
        *args: object, env: Mapping[str, str] | None = None, cwd: Path | None = None, **options: Any
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command(*args), env=environment(env), cwd=cwd, capture_output=True, check=False, timeout=60, **options
        )

    return call


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """A folder of its own with copies of all sample vDisks."""
    folder = tmp_path / "store"
    folder.mkdir()
    for path in SAMPLES.iterdir():
        if path.suffix in (".vhd", ".avhd", ".pvp", ".xml"):
            shutil.copy(path, folder)
    return folder


def command(*args: object) -> list[str]:
    """The command line of a process."""
    return [sys.executable, "-m", "vdiskkit", *(str(arg) for arg in args)]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment of a process: ours without settings of vdiskkit, and with the checkout on the path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VDISKKIT_", "PYTHONIO"))}
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLUMNS"):
        kept.pop(name, None)
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **(more or {})}


@pytest.fixture(scope="session")
def masters(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Make a scenario once for all tests; nobody writes there."""
    made: dict[str, Path] = {}

    def make_once(name: str) -> Path:
        if name not in made:
            from tests.build.scenario import make

            made[name] = make(name, tmp_path_factory.mktemp("master"))
        return made[name]

    return make_once


@pytest.fixture
def store(masters: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """Copy a scenario into a folder of its own, where it may be changed; returns its disk."""

    def copy(name: str = "win10-private-mak") -> Path:
        master = masters(name)
        folder = tmp_path / name
        shutil.copytree(master.parent, folder)
        return folder / master.name

    return copy


@pytest.fixture(scope="session")
def software(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare SOFTWARE hive, taken out of a sample."""
    path = tmp_path_factory.mktemp("hive") / "SOFTWARE"
    sample = SAMPLES / "win10-private-mak.vhd"
    args = ["cat", str(sample), r"Windows\System32\config\SOFTWARE", "--output", str(path)]
    assert run_command_line(args) == 0
    return path


@pytest.fixture(scope="session")
def dirty_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk whose SOFTWARE hive is dirty."""
    from tests.build.scenario import make

    return make("dirty-hive", tmp_path_factory.mktemp("dirty"))

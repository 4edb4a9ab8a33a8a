"""The committed samples: what the script makes, sound by an independent checker, and small."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sample_images.make_samples import SAMPLES
from tests.build.scenario import SCENARIOS, make

FOLDER = Path(__file__).parent.parent.parent / "sample_images"
DISKS = sorted(path for path in FOLDER.iterdir() if path.suffix in {".vhd", ".avhd"})


def strictcheck(disk: Path, *options: str) -> subprocess.CompletedProcess[str]:
    tool = os.environ.get("VDISKKIT_STRICTCHECK")
    if not tool:
        pytest.skip("VDISKKIT_STRICTCHECK is not set")
    return subprocess.run(
        [sys.executable, "-W", "ignore", tool, *options, str(disk)], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", SAMPLES)
def test_the_script_makes_the_committed_bytes(name: str, tmp_path: Path) -> None:
    make(name, tmp_path)
    made = sorted(path.name for path in tmp_path.iterdir())
    assert made == sorted(path.name for path in FOLDER.iterdir() if path.name.split(".")[0] == name)
    for file in made:
        assert (tmp_path / file).read_bytes() == (FOLDER / file).read_bytes(), file


@pytest.mark.parametrize("disk", DISKS, ids=lambda disk: disk.name)
def test_samples_are_sound(disk: Path) -> None:
    result = strictcheck(disk, "--strict")
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("name", ["healthy-vista", "healthy-server2012", "hibernated"])
def test_scenarios_are_sound(name: str, tmp_path: Path) -> None:
    result = strictcheck(make(name, tmp_path))
    assert result.returncode == 0, result.stdout


def test_broken_scenarios_are_broken_as_told(tmp_path: Path) -> None:
    assert "regf.dirty" in strictcheck(make("dirty-hive", tmp_path)).stdout
    assert "vol.dirty" in strictcheck(make("dirty-volume", tmp_path)).stdout


@pytest.mark.parametrize("name", sorted(name for name in SCENARIOS if name not in SAMPLES and "healthy" not in name))
def test_every_scenario_can_be_made(name: str, tmp_path: Path) -> None:
    disk = make(name, tmp_path)
    assert disk.stat().st_size > 0
    assert disk.with_suffix(".pvp").exists() == (name != "no-side-car")

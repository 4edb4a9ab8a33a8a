"""Real processes on real files, killed by the operating system."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.build import scenario
from tests.crash.dying import KILLED
from vdiskkit.journal import read_pending

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(1500)]  # with many rounds a test takes minutes

ROUNDS = int(os.environ.get("VDISKKIT_KILL_ROUNDS", "10"))
ROOT = Path(__file__).parents[2]
VHD_PHASES = {"grow", "data", "claim", "link", "hive_open", "hive_claim", "hive_link", "release"}
STEP = 1 if hasattr(os, "fork") else 5
"""Where every killed process is a Python that was started for it, every fifth call has to do."""
SAMPLE = "win10-private-mak"


@pytest.fixture(autouse=True, scope="module")
def rules() -> None:
    """Real files have the rules of this system and no others."""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: what a killed process has written is there, flushed or not."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of random name in it
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as name:
        yield Path(name)


def rounds(*arguments: object) -> dict[str, int]:
    command = [sys.executable, "-m", "tests.crash.rounds", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result: dict[str, int] = json.loads(done.stdout)
    return result


def test_killed_at_every_call_and_in_recovery_again(folder: Path) -> None:
    seen = rounds(folder, "vhd", "everywhere", STEP)
    assert seen["kills"] == seen["before"] + seen["after"]
    assert seen["kills"] > 30 // STEP
    assert seen["after"] >= (4 if STEP == 1 else 1)
    assert seen["kills in recovery"] > 100 // STEP**2


def test_a_vhdx_killed_at_calls_and_in_recovery_again(folder: Path) -> None:
    step = (4 if ROUNDS <= 10 else 1) * STEP
    seen = rounds(folder, "vhdx", "everywhere", step)
    assert seen["kills"] == seen["before"] + seen["after"]
    assert seen["kills"] > 40 // step
    assert seen["after"] >= 1
    assert seen["kills in recovery"] > 80 // step**2


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", ["vhd", "vhdx", SAMPLE])
def test_killed_at_any_time(tmp_path: Path, kind: str) -> None:
    """Set VDISKKIT_KILL_ROUNDS to 300 or more for a thorough run."""
    seen = rounds(tmp_path, kind, "random", ROUNDS)
    assert seen["before"] + seen["after"] == ROUNDS
    assert seen["pending"]


def test_processes_that_were_started_beforehand(tmp_path: Path) -> None:
    """What systems do that cannot fork, everywhere: at chosen calls, and at any time."""
    for action, number in (("everywhere", 15), ("random", 4)):
        seen = rounds(tmp_path, "vhd", action, number, "started")
        assert seen["before"] + seen["after"] >= 3


def vdiskkit(*arguments: object, call: int = -1, how: str = "half") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.crash.doomed", str(call), how, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)


@pytest.mark.parametrize("name", ["win10-private-mak", "desk11"])
def test_the_command_line_killed_and_recovered(folder: Path, name: str) -> None:
    """The whole way: a preparation for KMS is killed, readers see the old state, ``recover`` brings it back.

    The second disk is a differencing VHDX that was switched off: its own log and those of its hive are replayed.
    """
    disk = scenario.make(name, folder)
    files = sorted(path for path in folder.iterdir() if path.suffix in {".vhd", ".pvp", ".vhdx", ".avhdx"})
    before = [path.read_bytes() for path in files]
    command = ("kms-prep", disk, "--skip-rearm", "1", "--remove-tokens", "--yes")
    key = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform"
    question = ("reg", "get", disk, key, "SkipRearm")
    old = vdiskkit(*question)
    done = vdiskkit(*command)
    assert done.returncode == 0, done.stderr
    calls = int(done.stderr.rpartition("calls: ")[2])
    assert vdiskkit(*question).stdout.strip() == "1"
    assert vdiskkit("undo", disk, "--yes").returncode == 0
    assert [path.read_bytes() for path in files] == before
    assert vdiskkit(*question).stdout == old.stdout != "1\n"
    chosen = range(calls) if ROUNDS > 10 else (4, calls // 2, calls - 3)
    for call in chosen:
        killed = vdiskkit(*command, call=call)
        assert killed.returncode == KILLED, killed.stderr
        answer = vdiskkit(*question)
        found = [path.read_bytes() for path in files]
        committed = found != before and read_pending(str(disk)) is None
        assert answer.stdout == ("1\n" if committed else old.stdout), answer.stderr
        again = vdiskkit(*command)
        if again.returncode:
            assert again.returncode == 7
            assert "recover" in again.stderr
            shown = json.loads(vdiskkit("journal", "show", disk, "--json").stdout)["disks"][0]["result"]["pending"]
            phases = {item["phase"] for item in shown["ranges"]}
            assert {"replayed_second", "close_first"} <= phases if name == "desk11" else phases <= VHD_PHASES
            recovered = vdiskkit("recover", disk, "--yes")
            assert recovered.returncode == 0, recovered.stderr
        if [path.read_bytes() for path in files] != before:
            assert vdiskkit("undo", disk, "--yes").returncode == 0
        assert [path.read_bytes() for path in files] == before
    assert not list(folder.glob("*.vdiskkit-journal"))

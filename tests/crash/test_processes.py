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

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = int(os.environ.get("VDISKKIT_KILL_ROUNDS", "10"))
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


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
    seen = rounds(folder)
    assert seen["kills"] == seen["before"] + seen["after"]
    assert seen["kills"] > 30
    assert seen["after"] >= 4
    assert seen["kills in recovery"] > 100


def test_killed_at_any_time(tmp_path: Path) -> None:
    """Set VDISKKIT_KILL_ROUNDS to 300 or more for a thorough run."""
    seen = rounds(tmp_path, ROUNDS)
    assert seen["before"] + seen["after"] == ROUNDS

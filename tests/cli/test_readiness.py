"""What decides whether an image can be cloned, shown by ``inspect`` when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.build.image import build_disk
from tests.build.pair import write_pair
from tests.build.state import state_volume

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pair(tmp_path_factory.mktemp("state"), "state", build_disk([state_volume()]), pvp={})


def test_it_is_left_out_unless_asked_for(run: Callable[..., Outcome], disk: Path) -> None:
    assert "readiness" not in run("inspect", disk).out
    assert run("inspect", disk, "--json").json["disks"][0]["result"]["readiness"] is None


@pytest.mark.parametrize("args", [("--readiness",), ("--section", "readiness"), ("--section", "windows,readiness")])
def test_both_ways_to_ask(run: Callable[..., Outcome], disk: Path, args: tuple[str, ...]) -> None:
    outcome = run("inspect", disk, *args)
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    (event,) = [line for line in lines if line.startswith("    event 12288 ")]
    assert 'host "kms.example.com" port 1688' in event
    assert "evidence, no status" in outcome.out
    assert lines[-1].startswith("  not claimed     activation status")
    result = run("inspect", disk, *args, "--json").json["disks"][0]["result"]
    assert result["readiness"]["setup"]["image_state"] == "IMAGE_STATE_COMPLETE"
    assert result["readiness"]["event_log"]["events"][0]["event_id"] == 1003

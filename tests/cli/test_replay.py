"""``replay``: what was left in the logs of a hive and of a VHDX is written back, and nothing else is."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.build.dirty_disk import dirty_disk, dirty_software
from tests.build.scenario import windows_disk
from tests.build.vhdx import MIB, Page, build_vhdx, link_to, put_log
from tests.cli.conftest import SAMPLES
from vdiskkit import LogReplayNeededError, ReplayLogs, apply, open_vdisk, plan, plan_replay
from vdiskkit.patch.operations import operation_from_dict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

KEY = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform"


@pytest.fixture
def switched_off(tmp_path: Path) -> Path:
    """A VHDX chain of which the newest version has logs everywhere."""
    for file in SAMPLES.glob("desk11*"):
        shutil.copy2(file, tmp_path)
    return tmp_path / "desk11.1.avhdx"


def disk_bytes(path: Path) -> bytes:
    with open_vdisk(path) as disk:
        return disk.container.read_at(0, disk.container.size)


def test_all_logs_are_written_back(run: Callable[..., Outcome], switched_off: Path) -> None:
    before = switched_off.read_bytes()
    assert run("replay", switched_off, "--check").code == 1
    shown = run("replay", switched_off, "--dry-run").out
    assert "replay          VHDX: 2 entries from its log" in shown
    assert "replay          SOFTWARE hive: 2 entries from SOFTWARE.LOG2 and SOFTWARE.LOG1" in shown
    assert switched_off.read_bytes() == before
    assert run("replay", switched_off, "--yes").code == 0
    facts = run("inspect", switched_off, "--json").json["disks"][0]["result"]
    assert facts["container"]["vhdx"]["log"] is None
    assert not any(hive["dirty"] for hive in facts["windows"]["hives"])
    assert facts["licensing"]["skip_rearm"]["data"] == 0
    assert facts["licensing"]["skip_rearm"]["origin"] == "primary"
    again = run("replay", switched_off, "--yes")
    assert (again.code, "nothing to do" in again.out) == (0, True)
    assert run("replay", switched_off, "--check").code == 0
    assert run("undo", switched_off, "--yes").code == 0
    assert switched_off.read_bytes() == before


def test_a_clean_disk_is_left_alone(run: Callable[..., Outcome], tmp_path: Path) -> None:
    for file in SAMPLES.glob("win10-private-mak*"):
        shutil.copy2(file, tmp_path)
    disk = tmp_path / "win10-private-mak.vhd"
    before = disk.read_bytes()
    outcome = run("replay", disk, "--yes", "--json")
    assert (outcome.code, outcome.json["disks"][0]["result"]["written"]) == (0, False)
    assert disk.read_bytes() == before


def test_the_log_of_a_disk_without_windows(run: Callable[..., Outcome], tmp_path: Path) -> None:
    image = build_vhdx("dynamic", 8 * MIB, MIB, {MIB: b"old" * 4096})
    place = image.entry(1) >> 20 << 20
    put_log(image, [[Page(place, b"new" + bytes(4093))], [Page(place + 8192, b"newer".ljust(4096, b"."))]])
    path = image.save(tmp_path / "data.vhdx")
    shown = disk_bytes(path)
    assert shown[MIB : MIB + 3] == b"new"
    outcome = run("replay", path, "--yes")
    assert (outcome.code, "VHDX: 2 entries from its log" in outcome.out) == (0, True)
    assert disk_bytes(path) == shown
    assert path.read_bytes()[place : place + 3] == b"new"
    with open_vdisk(path) as disk:
        assert not [notice for notice in disk.container.notices if notice.code == "vhdx.log_replayed"]
    assert re.search(r"^ +replay +VHDX: 2 entries from its log$", run("journal", "show", path).out, re.MULTILINE)
    assert run("undo", path, "--yes").code == 0
    assert path.read_bytes() == image.to_bytes()


def test_a_hive_without_its_logs_is_left_and_told(run: Callable[..., Outcome], tmp_path: Path) -> None:
    disk = dirty_disk(tmp_path, dirty_software()._replace(log1=b"", log2=b""))
    before = disk.read_bytes()
    outcome = run("replay", disk, "--yes")
    assert outcome.code == 0
    assert "the SOFTWARE hive is left as it is: it is dirty, and" in outcome.out
    assert disk.read_bytes() == before
    with pytest.raises(LogReplayNeededError, match="not closed cleanly"):
        plan(disk, [ReplayLogs(hive="SOFTWARE")])


def test_a_volume_that_was_not_closed_does_not_keep_the_file_s_log(run: Callable[..., Outcome], tmp_path: Path) -> None:
    """The log of the file lies below the volume; the hives wait for Windows."""
    dirty = dirty_software()
    files = {f"Windows/System32/config/{name}": data for name, data in dirty.files("SOFTWARE").items()}
    raw = windows_disk("win10", files=files, volume_flags=1)
    image = build_vhdx("dynamic", len(raw), MIB, raw)
    path = image.save(tmp_path / "switched-off.vhdx")
    assert run("replay", path, "--yes").code == 4
    place = image.entry(0) >> 20 << 20
    put_log(image, [[Page(place, image.read_at(place, 4096))]])
    image.save(path)
    outcome = run("replay", path, "--yes")
    assert outcome.code == 0
    assert "VHDX: 1 entry from its log" in outcome.out
    assert re.search("the SOFTWARE hive is left as it is: .* dirty", outcome.out)
    with open_vdisk(path) as disk:
        assert not [notice for notice in disk.container.notices if notice.code == "vhdx.log_replayed"]
        assert disk.windows.registry("SOFTWARE").dirty


def test_validate_mends_by_replaying(run: Callable[..., Outcome], switched_off: Path) -> None:
    codes = ("--select", "VHX103", "--select", "HIV101", "--select", "HIV105")
    assert run("validate", switched_off, *codes).code == 1
    assert run("validate", switched_off, *codes, "--fix", "--yes").code == 0


def test_the_log_of_a_parent_is_not_replayed_by_a_fix(run: Callable[..., Outcome], tmp_path: Path) -> None:
    base = build_vhdx("dynamic", 8 * MIB, MIB, {MIB: b"old" * 4096})
    put_log(base, [[Page(base.entry(1) >> 20 << 20, b"new".ljust(4096, b"."))]])
    base.save(tmp_path / "data.vhdx")
    child = build_vhdx("differencing", 8 * MIB, MIB, {}, parent=link_to(base, r".\data.vhdx"))
    path = child.save(tmp_path / "data.1.avhdx")
    assert "VHX103" in run("validate", path, "--select", "VHX103").out
    assert "replay the log" not in run("validate", path, "--select", "VHX103", "--fix").out
    assert plan_replay(path).empty


def test_saved_plans_hold_it(switched_off: Path) -> None:
    planned = plan_replay(switched_off)
    assert [operation_from_dict(item) for item in planned.to_dict()["operations"]] == list(planned.operations)
    assert "replay  VHDX: 2 entries from its log" in planned.describe()
    assert apply(planned).written

"""Images whose SOFTWARE was not written back: facts are those after the replay, and say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import vdiskkit
from tests.build.dirty_disk import LAST_HOST, dirty_disk, dirty_software
from tests.build.hive_log import new_format
from tests.build.windows import software_hive

if TYPE_CHECKING:
    from pathlib import Path


def inspect(path: Path) -> vdiskkit.Inspection:
    with vdiskkit.open_vdisk(path) as disk:
        return disk.inspect(second_opinion=True)


def codes(inspection: vdiskkit.Inspection) -> list[str]:
    return [notice.code for notice in inspection.notices if notice.code.startswith("windows.hive")]


@pytest.mark.parametrize("old", [False, True])
def test_facts_come_from_the_logs(tmp_path: Path, old: bool) -> None:
    facts = inspect(dirty_disk(tmp_path, dirty_software(old=old)))
    assert facts.windows is not None
    assert facts.licensing is not None
    assert (facts.windows.stale, facts.licensing.stale) == (False, False)
    assert codes(facts) == ["windows.hive_replayed"]
    (host,) = facts.licensing.kms_host
    assert (host.data, host.origin) == (LAST_HOST, "log")
    # 1 in the file, 0 in the first entry, 1 again in the last: what counts is what is shown in the end.
    assert (facts.licensing.skip_rearm.data, facts.licensing.skip_rearm.origin) == (1, "primary")
    software, system = facts.windows.hives
    assert software.logs is not None
    assert (software.dirty, software.logs.replayed, system.dirty, system.logs) == (True, True, False, None)
    assert facts.cross_check is not None
    assert facts.cross_check.differences == ()
    assert any("SkipRearm" in item for item in facts.cross_check.checked)


@pytest.mark.thorough
def test_a_value_that_the_log_deletes(tmp_path: Path) -> None:
    host = {"": {"KeyManagementServiceName": "kms.old.example.com", "KeyManagementServicePort": "1688"}}
    kept = {"": {"KeyManagementServicePort": "1688"}}
    dirty = new_format([software_hive("win10", skip_rearm=1, kms=host), software_hive("win10", kms=kept)])
    facts = inspect(dirty_disk(tmp_path, dirty))
    assert facts.licensing is not None
    assert (facts.licensing.skip_rearm.present, facts.licensing.skip_rearm.origin) == (False, "log")
    assert [value.name for value in facts.licensing.kms_host] == ["KeyManagementServicePort"]
    assert [(value.name, value.data) for value in facts.licensing.deleted_in_log] == [
        ("SkipRearm", 1),
        ("KeyManagementServiceName", "kms.old.example.com"),
    ]
    with vdiskkit.open_vdisk(dirty_disk(tmp_path, dirty, "judged")) as disk:
        report = vdiskkit.validate(disk)
    told = {finding.message for finding in report.findings if finding.code == "HIV105"}
    assert "SkipRearm is deleted only in a log of the SOFTWARE hive" in told
    assert "KeyManagementServiceName is deleted only in a log of the SOFTWARE hive" in told


@pytest.mark.parametrize("damage", ["cut", "zeros", "hash"])
def test_without_usable_logs_all_is_stale(tmp_path: Path, damage: str) -> None:
    dirty = dirty_software()
    log = dirty.log1
    log = {"cut": log[:2000], "zeros": bytes(len(log)), "hash": log[:5000] + b"\1" + log[5001:]}[damage]
    facts = inspect(dirty_disk(tmp_path, dirty._replace(log1=log)))
    assert facts.windows is not None
    assert facts.licensing is not None
    assert (facts.windows.stale, facts.licensing.stale) == (True, True)
    assert codes(facts)[0] == "windows.hive_dirty"
    assert facts.licensing.kms_host == ()
    assert facts.cross_check is not None
    assert facts.cross_check.differences == ()


def test_a_part_of_the_logs_is_told(tmp_path: Path) -> None:
    dirty = dirty_software(split=1)
    facts = inspect(dirty_disk(tmp_path, dirty._replace(log2=dirty.log2[:-600])))
    assert codes(facts) == ["windows.hive_replayed", "windows.hive_log"]
    assert facts.licensing is not None
    assert [item.data for item in facts.licensing.kms_host] == ["kms.first.example.com"]
    assert facts.licensing.skip_rearm.origin == "log"


@pytest.mark.thorough
def test_the_replay_does_not_use_up_the_budget_of_a_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states = [software_hive("win10", keys=2_500, skip_rearm=number) for number in (0, 1)]
    clean, dirty = dirty_disk(tmp_path, new_format(states)._replace(primary=states[1]), "clean"), new_format(states)
    with vdiskkit.open_vdisk(clean) as disk:
        disk.inspect()
        needed = disk.budget.spent_bytes
    monkeypatch.setattr("vdiskkit.vdisk._INSPECT_BYTES", needed + 16 * 1024)
    with vdiskkit.open_vdisk(dirty_disk(tmp_path, dirty)) as disk:
        facts = disk.inspect()
        assert disk.budget.spent_bytes > needed + len(dirty.primary)
    assert codes(facts) == ["windows.hive_replayed"]


def test_a_damaged_base_block_is_recovered(tmp_path: Path) -> None:
    facts = inspect(dirty_disk(tmp_path, dirty_software(bad_base=True)))
    assert facts.licensing is not None
    assert [item.data for item in facts.licensing.kms_host] == [LAST_HOST]
    assert codes(facts) == ["windows.hive_replayed"]

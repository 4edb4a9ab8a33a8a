from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

import vdiskkit
from tests.build.products import MAK, WINDOWS
from vdiskkit.inspection.facts import StepState

if TYPE_CHECKING:
    from pathlib import Path

DONE, NOT_DONE, UNKNOWN = StepState.DONE, StepState.NOT_DONE, StepState.UNKNOWN


def states(inspection: vdiskkit.Inspection) -> list[StepState]:
    return [step.state for step in inspection.procedure]


def codes(inspection: vdiskkit.Inspection) -> set[str]:
    return {notice.code for notice in inspection.notices}


def test_windows_7_prepared_for_kms(inspect: Any) -> None:
    facts = inspect("win7-kms")
    assert facts.windows.product_name == "Windows 7 Enterprise"
    assert (facts.windows.build, facts.windows.display_version, facts.windows.architecture) == (
        7601,
        "Service Pack 1",
        "x64",
    )
    assert facts.windows.target_software.installed is True
    assert facts.windows.target_software.version == "7.33.0.12"
    assert (facts.pvp.mode, facts.pvp.license_mode) == ("standard", "kms")
    assert [(store.kind.value, store.active, len(store.files)) for store in facts.licensing.token_stores] == [
        ("windows", True, 2),
        ("office", True, 2),
    ]
    assert states(facts) == [DONE, UNKNOWN, DONE, UNKNOWN, UNKNOWN, DONE, UNKNOWN, UNKNOWN]
    assert facts.notices == ()


def test_windows_10_private_with_mak(inspect: Any) -> None:
    facts = inspect("win10-private-mak")
    assert facts.partitions.scheme == "gpt"
    assert facts.pvp.mode == "private"
    assert facts.licensing.product_key.is_gvlk is False
    assert facts.licensing.product_key.channel == "Volume:MAK"
    assert MAK not in str(facts.to_dict())
    assert states(facts)[0] is NOT_DONE
    assert states(facts)[2] is NOT_DONE
    assert states(facts)[7] is NOT_DONE
    assert [file.path for file in facts.licensing.unrelated_stores] == [
        r"ProgramData\Microsoft\Windows\ClipSVC\tokens.dat"
    ]


def test_three_planted_faults_are_all_shown(inspect: Any) -> None:
    facts = inspect("faulty")
    assert facts.licensing.product_key.is_gvlk is False
    assert facts.licensing.skip_rearm.data == 1
    active = next(store for store in facts.licensing.token_stores if store.active)
    assert not [file for file in active.files if file.path.endswith("tokens.dat")]
    assert states(facts)[1] is NOT_DONE
    assert facts.procedure[1].evidence.endswith("so in Standard mode every target builds a new one at every start")
    assert states(facts)[2] is NOT_DONE


def test_newest_version_of_a_chain(inspect: Any) -> None:
    facts = inspect("desk10")
    assert facts.container.type == "differencing"
    assert len(facts.container.chain) == 3
    assert facts.pair.newest_version == 2
    assert facts.pair.is_newest is True
    assert facts.pair.manifest is not None
    assert {item.data for item in facts.licensing.kms_host} >= {"kms.example.com"}


@pytest.mark.thorough
@pytest.mark.parametrize("product", sorted(WINDOWS))
def test_every_windows_is_named_and_its_store_found(inspect: Any, product: str) -> None:
    facts = inspect(f"healthy-{product}")
    windows = WINDOWS[product]
    expected = windows.name.replace("Windows 10", "Windows 11") if windows.build >= 22000 else windows.name
    if windows.installation == "Server":
        expected = windows.name
    assert facts.windows.product_name == expected
    assert facts.windows.product_name_stored == windows.name
    assert facts.licensing.product_key.fits_edition is True
    (active,) = [store for store in facts.licensing.token_stores if store.active]
    assert next(file.path.rpartition("\\")[2] for file in active.files) == "tokens.dat"
    assert facts.cross_check.differences == ()
    assert len(facts.cross_check.checked) >= 10


def test_dirty_hive_is_told_with_every_value(inspect: Any) -> None:
    facts = inspect("dirty-hive")
    assert facts.windows.stale
    assert facts.licensing.stale
    assert "windows.hive_dirty" in codes(facts)


@pytest.mark.parametrize("name", ["dirty-volume", "hibernated"])
def test_volumes_that_were_not_shut_down_are_read_and_told(inspect: Any, name: str) -> None:
    facts = inspect(name)
    assert facts.windows is not None
    assert "ntfs.not_clean" in codes(facts)


@pytest.mark.thorough
def test_several_windows_are_all_reported_and_one_can_be_chosen(inspect: Any, scenario_disk: Any) -> None:
    facts = inspect("two-windows")
    assert [volume.windows for volume in facts.volumes] == [True, True]
    assert "windows.several" in codes(facts)
    with vdiskkit.open_vdisk(scenario_disk("two-windows"), volume=2) as disk:
        second = disk.inspect()
    assert second.windows is not None
    assert second.windows.product_name != facts.windows.product_name
    with (
        vdiskkit.open_vdisk(scenario_disk("two-windows"), volume=9) as disk,
        pytest.raises(vdiskkit.UsageError) as wrong,
    ):
        disk.inspect()
    assert "1, 2" in (wrong.value.hint or "")


@pytest.mark.parametrize("name", ["data-only", "linux", "bitlocker"])
def test_disks_without_windows_are_no_error(inspect: Any, scenario_disk: Any, name: str) -> None:
    facts = inspect(name)
    assert facts.windows is None
    assert facts.licensing is None
    # What is encrypted may be a Windows.
    assert states(facts)[0] is (UNKNOWN if name == "bitlocker" else NOT_DONE)
    with (
        vdiskkit.open_vdisk(scenario_disk(name)) as disk,
        pytest.raises((vdiskkit.NotFoundError, vdiskkit.FormatError)),
    ):
        _ = disk.windows


def test_bitlocker_is_recognised(inspect: Any) -> None:
    facts = inspect("bitlocker")
    assert [volume.file_system for volume in facts.volumes if volume.file_system == "bitlocker"]
    assert any("BitLocker" in (volume.problem or "") for volume in facts.volumes)


def test_side_car_finds_its_disk(scenario_disk: Any) -> None:
    disk_path: Path = scenario_disk("win7-kms")
    with vdiskkit.open_vdisk(disk_path.with_suffix(".pvp")) as disk:
        assert disk.path == str(disk_path)
        assert disk.pvp is not None


def test_any_seekable_file_object_serves(scenario_disk: Any) -> None:
    stream = io.BytesIO(scenario_disk("win7-kms").read_bytes())
    with vdiskkit.open_vdisk(stream) as disk:
        facts = disk.inspect()
    assert facts.windows is not None
    assert facts.pvp is None
    assert facts.pair is None
    assert not stream.closed


def test_parts_underneath_for_scripts(scenario_disk: Any) -> None:
    with vdiskkit.open_vdisk(scenario_disk("win7-kms")) as disk:
        hive = disk.windows.registry("SOFTWARE")
        value = hive.key(r"Microsoft\Windows NT\CurrentVersion").value("EditionID")
        assert value is not None
        assert value.data == "Enterprise"
        with disk.windows.open_file(r"C:\Windows\System32\config\SOFTWARE") as file:
            assert file.read(4) == b"regf"
        with pytest.raises(vdiskkit.KeyMissingError):
            disk.windows.key(r"HKLM\SOFTWARE\No\Such\Key")
        with pytest.raises(vdiskkit.FileMissingError):
            disk.windows.open_file("Windows/nope.txt")
        select = disk.windows.key(r"HKLM\SYSTEM\CurrentControlSet\Control")
        assert select.path.lower().startswith("controlset001")


def test_an_unreadable_side_car_is_a_notice(scenario_disk: Any, tmp_path: Path) -> None:
    disk_path = tmp_path / "win7-kms.vhd"
    disk_path.write_bytes(scenario_disk("win7-kms").read_bytes())
    (tmp_path / "win7-kms.pvp").write_bytes(b"too short")
    with vdiskkit.open_vdisk(disk_path) as disk:
        facts = disk.inspect()
    assert facts.pvp is None
    assert "pvp.unreadable" in codes(facts)


def test_inspect_path_is_a_unit_of_work_for_executors(scenario_disk: Any) -> None:
    import pickle

    call = pickle.loads(pickle.dumps(vdiskkit.inspect_path))  # noqa: S301 - our own pickle
    facts = call(scenario_disk("win7-kms"))
    assert pickle.loads(pickle.dumps(facts)) == facts  # noqa: S301


def test_facts_are_plain_json(inspect: Any) -> None:
    import json

    for name in ("win7-kms", "desk10", "hostile", "linux"):
        json.dumps(inspect(name).to_dict())

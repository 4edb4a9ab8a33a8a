"""Hives that were not written back, inside a disk: planned, changed, taken back."""

from __future__ import annotations

import datetime as dt
import shutil
import struct
from typing import TYPE_CHECKING

import pytest

import vdiskkit
from tests.build.dirty_disk import CONFIG, LAST_HOST, dirty_disk, dirty_software
from tests.build.hive import utf16
from tests.build.hive_log import bins_size, damage, new_format, recover, sequences
from tests.build.image import MIB
from tests.build.scenario import make
from tests.build.windows import software_hive, system_hive
from tests.unit.patch.registry.model import edited
from vdiskkit import CreateKey, DeleteFile, SetValue, StalePlanError, StateError, VerifyFailedError
from vdiskkit.patch.stage import Stage
from vdiskkit.patch.staging import Phase
from vdiskkit.patch.verify import verify_staged
from vdiskkit.registry import Hive

if TYPE_CHECKING:
    from pathlib import Path

    from tests.build.hive import HiveBuilder
    from tests.build.hive_log import DirtyHive
    from vdiskkit.patch.registry import HiveEditor

NOW = dt.datetime(2026, 11, 24, 9, 12, 3, tzinfo=dt.UTC)
SPP = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform"
ONLY = SPP + r"\Only in the log"
REPLAYED = "the SOFTWARE hive was not closed cleanly: replayed 2 entries from SOFTWARE.LOG1 and SOFTWARE.LOG2 first"


def skip_rearm(number: int) -> SetValue:
    return SetValue(key=SPP, name="SkipRearm", type=4, data=struct.pack("<I", number))


def pair(disk: Path) -> tuple[bytes, bytes]:
    return disk.read_bytes(), disk.with_suffix(".pvp").read_bytes()


def guest(disk: Path, name: str) -> bytes:
    """A file in the config folder of the image."""
    with vdiskkit.open_vdisk(disk) as opened, opened.windows.open_file(f"{CONFIG}/{name}") as file:
        return file.read()


def values(disk: Path) -> dict[str, object]:
    """What the written hive file itself says, its logs left aside."""
    with vdiskkit.open_vdisk(disk) as opened:
        file = opened.volume.lookup(f"{CONFIG}/SOFTWARE")
        hive = Hive(file.open(), "SOFTWARE")
        assert not hive.base_block.dirty
        key = hive.key(SPP.removeprefix("HKLM\\SOFTWARE\\"))
        found: dict[str, object] = {value.name: value.data for value in key.values()}
        found["only"] = key.subkey("Only in the log") is not None
        return found


def fill(builder: HiveBuilder) -> None:
    """Fill a hive until little is left of 1 MiB."""
    number = 0
    while (free := MIB - len(builder.build())) > 8192:
        for _ in range(max(free // 40000, 1)):
            builder.binary("Filler", f"v{number:03}", bytes(min(16344, free - 4096 - 80)))
            number += 1


def contents(disk: vdiskkit.VDisk) -> dict[str, list[tuple[str, int, bytes]]]:
    """Every key and value of SOFTWARE as Windows would find them: replayed when it is dirty."""
    hive = disk.windows.registry("SOFTWARE")
    return {key.path: [(value.name, value.type, value.raw) for value in key.values()] for key in hive.walk()}


@pytest.fixture(scope="module")
def dirty() -> DirtyHive:
    return dirty_software(split=1)


@pytest.fixture(scope="module")
def master(dirty: DirtyHive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk that is only planned on."""
    return dirty_disk(tmp_path_factory.mktemp("master"), dirty)


@pytest.fixture
def disk(master: Path, tmp_path: Path) -> Path:
    """A copy of it that may be changed."""
    shutil.copytree(master.parent, tmp_path / "store")
    return tmp_path / "store" / master.name


class TestPlan:
    def test_values_are_those_after_the_replay(self, master: Path) -> None:
        plan = vdiskkit.plan_kms_prep(master, skip_rearm=0, kms_host="kms.example.com", now=NOW)
        assert {(change.name, change.before, change.after) for change in plan.changes} == {
            ("SkipRearm", "REG_DWORD 1", "REG_DWORD 0"),
            ("KeyManagementServiceName", f'REG_SZ "{LAST_HOST}"', 'REG_SZ "kms.example.com"'),
        }
        assert plan.notes == (REPLAYED,)
        assert f"  note  {REPLAYED}" in plan.describe().splitlines()
        assert plan.to_dict()["notes"] == [REPLAYED]

    def test_what_is_so_after_the_replay_is_not_written(self, master: Path) -> None:
        plan = vdiskkit.plan(master, [skip_rearm(1), CreateKey(key=ONLY)], now=NOW)
        assert plan.empty
        assert plan.notes == ()

    def test_other_hives_are_left_alone(self, disk: Path, dirty: DirtyHive) -> None:
        key = r"HKLM\SYSTEM\CurrentControlSet\Example"
        plan = vdiskkit.plan(disk, [CreateKey(key=key)], now=NOW)
        assert plan.notes == ()
        vdiskkit.apply(plan)
        assert guest(disk, "SOFTWARE") == dirty.primary
        assert guest(disk, "SOFTWARE.LOG1") == dirty.log1

    @pytest.mark.thorough
    def test_the_same_plan_again(self, master: Path) -> None:
        first = vdiskkit.plan(master, [skip_rearm(0)], now=NOW)
        assert vdiskkit.plan(master, [skip_rearm(0)], now=NOW, full_check=True).digest == first.digest


class TestVerification:
    @pytest.mark.thorough
    @pytest.mark.parametrize("full", [False, True])
    def test_what_is_not_replayed_after_all_is_noticed(self, master: Path, full: bool) -> None:
        operations = [CreateKey(key=r"HKLM\SOFTWARE\Made")]
        with vdiskkit.open_vdisk(master) as disk, Stage(disk, now=NOW) as stage:
            stage.run(operations)
            verify_staged(disk, stage, operations, full=full)
            assert stage.volume_editor is not None
            file = stage.volume_editor.open_stream(f"{CONFIG}/SOFTWARE".replace("/", "\\"))
            data = file.read_at(0, file.size)
            place = data.index(utf16(LAST_HOST))
            file.write_at(place, b"x", Phase.DATA)
            with pytest.raises(VerifyFailedError, match="not all that its logs hold is in it") as caught:
                verify_staged(disk, stage, operations, full=full)
            assert caught.value.location is not None


class TestApply:
    @pytest.mark.parametrize("full", [False, True])
    def test_replayed_and_changed(self, disk: Path, dirty: DirtyHive, full: bool) -> None:
        before = pair(disk)
        system = guest(disk, "SYSTEM")
        plan = vdiskkit.plan(disk, [skip_rearm(0)], now=NOW, full_check=full)
        vdiskkit.apply(plan)
        found = values(disk)
        assert found["SkipRearm"] == 0
        assert found["KeyManagementServiceName"] == LAST_HOST
        assert found["only"]
        assert guest(disk, "SOFTWARE.LOG1") == dirty.log1
        assert guest(disk, "SOFTWARE.LOG2") == dirty.log2
        assert guest(disk, "SYSTEM") == system
        written = guest(disk, "SOFTWARE")
        assert len(set(sequences(written))) == 1
        assert sequences(written)[0] > dirty.entries[-1].sequence
        assert recover(written, [dirty.log1, dirty.log2]) == written
        vdiskkit.undo(disk)
        assert pair(disk) == before

    def test_a_saved_plan(self, disk: Path, tmp_path: Path) -> None:
        vdiskkit.plan(disk, [skip_rearm(0)], now=NOW).save(str(tmp_path / "plan.json"))
        saved = vdiskkit.load_plan(str(tmp_path / "plan.json"))
        assert saved.notes == (REPLAYED,)
        vdiskkit.apply(saved)
        assert values(disk)["SkipRearm"] == 0

    def test_a_plan_is_stale_when_a_log_has_changed_since(self, tmp_path: Path) -> None:
        dirty = dirty_software()
        disk = dirty_disk(tmp_path, dirty, kind="fixed")
        plan = vdiskkit.plan(disk, [skip_rearm(3)], now=NOW)
        data = disk.read_bytes()
        disk.write_bytes(data.replace(dirty.log1, damage(dirty.log1, 1, "hash-1")))
        before = pair(disk)
        assert before[0] != data
        with pytest.raises(StalePlanError):
            vdiskkit.apply(plan)
        assert pair(disk) == before

    def test_a_second_change_finds_a_clean_hive(self, disk: Path) -> None:
        vdiskkit.apply(vdiskkit.plan(disk, [skip_rearm(0)], now=NOW))
        plan = vdiskkit.plan(disk, [skip_rearm(1)], now=NOW)
        assert plan.notes == ()
        vdiskkit.apply(plan)
        assert values(disk)["KeyManagementServiceName"] == LAST_HOST

    @pytest.mark.parametrize(("kind", "old"), [("fixed", False), ("dynamic", True)])
    def test_containers_and_formats(self, kind: str, old: bool, tmp_path: Path) -> None:
        product = "win7" if old else "win10"
        dirty = dirty_software(product, old=old)
        disk = dirty_disk(tmp_path, dirty, product=product, kind=kind)
        before = pair(disk)
        plan = vdiskkit.plan_kms_prep(disk, skip_rearm=0, remove_tokens=True, now=NOW)
        vdiskkit.apply(plan)
        assert values(disk)["SkipRearm"] == 0
        assert values(disk)["KeyManagementServiceName"] == LAST_HOST
        assert guest(disk, "SOFTWARE.LOG1") == dirty.log1
        vdiskkit.undo(disk)
        assert pair(disk) == before

    @pytest.mark.thorough
    def test_in_a_version_in_a_vhdx_with_a_log_of_its_own(self, tmp_path: Path) -> None:
        disk = make("desk11", tmp_path)
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        plan = vdiskkit.plan(disk, [skip_rearm(1)], now=NOW)
        assert [(change.before, change.after) for change in plan.changes] == [("REG_DWORD 0", "REG_DWORD 1")]
        hive, file = plan.notes
        assert hive.endswith("replayed 2 entries from SOFTWARE.LOG2 and SOFTWARE.LOG1 first")
        assert file.startswith("the VHDX was not closed")
        vdiskkit.apply(plan)
        with vdiskkit.open_vdisk(disk) as opened:
            assert not opened.windows.registry("SOFTWARE").dirty
            key = opened.windows.key(SPP)
            found = {value.name: value.data for value in key.values()}
        assert found["SkipRearm"] == 1
        assert found["KeyManagementServiceName"] == "kms11.example.com"
        vdiskkit.undo(disk)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before

    @pytest.mark.thorough
    def test_a_hive_that_its_log_made_longer(self, tmp_path: Path) -> None:
        dirty = dirty_software(large=9_000, split=1)
        disk = dirty_disk(tmp_path, dirty)
        before = pair(disk)
        assert len(dirty.primary) < 4096 + bins_size(dirty.after)
        vdiskkit.apply(vdiskkit.plan(disk, [skip_rearm(0)], now=NOW, full_check=True))
        found = values(disk)
        assert found["SkipRearm"] == 0
        assert isinstance(found["Large"], bytes)
        assert found["Large"][:256] == bytes(range(256))
        assert len(guest(disk, "SOFTWARE")) >= 4096 + bins_size(dirty.after)
        vdiskkit.undo(disk)
        assert pair(disk) == before

    def test_a_hive_whose_file_needs_clusters_for_it(self, tmp_path: Path) -> None:
        """The file in the image has clusters for 1 MiB, and nearly all of it is in use."""
        full = software_hive("win10", skip_rearm=1, edit=fill)
        assert MIB - 8192 <= len(full) <= MIB

        def grow(editor: HiveEditor) -> None:
            editor.set_value(SPP.removeprefix("HKLM\\SOFTWARE\\"), "Large", 3, bytes(range(256)) * 40)

        dirty = new_format([full, edited(full, grow, old_format_logs=False)])
        disk = dirty_disk(tmp_path, dirty)
        before = pair(disk)
        vdiskkit.apply(vdiskkit.plan(disk, [skip_rearm(0)], now=NOW))
        assert values(disk)["Large"] == bytes(range(256)) * 40
        assert len(guest(disk, "SOFTWARE")) == 4096 + bins_size(dirty.after) > MIB
        vdiskkit.undo(disk)
        assert pair(disk) == before

    def test_a_base_block_that_is_damaged(self, tmp_path: Path) -> None:
        disk = dirty_disk(tmp_path, dirty_software(bad_base=True))
        before = pair(disk)
        plan = vdiskkit.plan(disk, [skip_rearm(0)], now=NOW)
        assert plan.notes[1] == "the SOFTWARE hive: its base block was damaged, the copy in SOFTWARE.LOG1 replaces it"
        vdiskkit.apply(plan)
        assert values(disk)["KeyManagementServiceName"] == LAST_HOST
        vdiskkit.undo(disk)
        assert pair(disk) == before

    def test_the_control_set_is_that_of_the_log(self, tmp_path: Path) -> None:
        """The update that was cut off had switched to another control set."""

        def switch(editor: HiveEditor) -> None:
            editor.set_value("Select", "Current", 4, 2)
            editor.set_value("Select", "Default", 4, 2)
            editor.create_key(r"ControlSet002\Control")

        first = system_hive("win10", write_cache_type=0)
        dirty = new_format([first, edited(first, switch, old_format_logs=False)])
        disk = dirty_disk(tmp_path, dirty, hive="SYSTEM")
        key = r"HKLM\SYSTEM\CurrentControlSet\Control\Made"
        plan = vdiskkit.plan(disk, [CreateKey(key=key)], now=NOW)
        assert [change.where for change in plan.changes] == [r"HKLM\SYSTEM\ControlSet002\Control\Made"]
        vdiskkit.apply(plan)
        with vdiskkit.open_vdisk(disk) as opened:
            assert not opened.windows.registry("SYSTEM").dirty
            assert opened.windows.control_set == 2
            assert opened.windows.find_key(key) is not None

    def test_a_log_that_is_partly_broken(self, tmp_path: Path) -> None:
        dirty = dirty_software()
        dirty = dirty._replace(log1=damage(dirty.log1, 1, "page bit"))
        disk = dirty_disk(tmp_path, dirty)
        plan = vdiskkit.plan(disk, [skip_rearm(1)], now=NOW)
        assert [(change.before, change.after) for change in plan.changes] == [("REG_DWORD 0", "REG_DWORD 1")]
        first, second = plan.notes
        assert first == "the SOFTWARE hive was not closed cleanly: replayed 1 entry from SOFTWARE.LOG1 first"
        assert second.startswith("the SOFTWARE hive: SOFTWARE.LOG1 is applied up to number 188: ")
        vdiskkit.apply(plan)
        assert values(disk)["KeyManagementServiceName"] == "kms.first.example.com"


class TestPhases:
    @pytest.mark.thorough
    @pytest.mark.parametrize("kind", ["fixed", "dynamic", "differencing", "vhdx"])
    def test_after_each_phase_windows_would_find_the_old_hive_or_the_new_one(
        self, kind: str, dirty: DirtyHive, tmp_path: Path
    ) -> None:
        """Also when nobody recovers the change: what is in the disk file is read without its journal."""
        disk = make("desk11", tmp_path) if kind == "vhdx" else dirty_disk(tmp_path, dirty, "disk", kind=kind)
        operations = [
            SetValue(key=ONLY, name="Large", type=3, data=bytes(9000), create_keys=True),
            skip_rearm(0 if kind != "vhdx" else 1),
        ]
        with vdiskkit.open_vdisk(disk) as opened, Stage(opened, now=NOW) as stage:
            old = contents(opened)
            stage.run(operations)
            (edit,) = stage.edits()
        image = bytearray(disk.read_bytes().ljust(edit.new_size, b"\0"))
        found = []
        for phase in Phase:
            changes = [change for change in edit.changes if change.phase is phase]
            for change in changes:
                image[change.offset : change.offset + len(change.after)] = change.after
            if changes:
                disk.write_bytes(image)
                with vdiskkit.open_vdisk(disk) as opened:
                    found.append(contents(opened))
        new = found[-1]
        switch = found.index(new)
        assert new != old
        assert switch > 0
        assert found == [old] * switch + [new] * (len(found) - switch)


class TestRefusals:
    def test_a_hive_without_a_usable_log(self, tmp_path: Path) -> None:
        dirty = dirty_software()
        disk = dirty_disk(tmp_path, dirty._replace(log1=bytes(len(dirty.log1))))
        before = pair(disk)
        with pytest.raises(StateError) as caught:
            vdiskkit.plan(disk, [skip_rearm(0)], now=NOW)
        assert caught.value.exit_code == 4
        assert caught.value.message.startswith("the hive SOFTWARE was not closed cleanly: ")
        assert caught.value.hint
        assert pair(disk) == before

    def test_no_force_opens_it(self, tmp_path: Path) -> None:
        dirty = dirty_software()
        disk = dirty_disk(tmp_path, dirty._replace(log1=b"", log2=b""))
        with pytest.raises(StateError, match="was not closed cleanly"):
            vdiskkit.plan(disk, [skip_rearm(0)], now=NOW, force=["lok", "standard-mode", "mode"])

    @pytest.mark.parametrize("number", [1, 2])
    def test_a_log_that_the_hive_needs_is_not_deleted(self, disk: Path, number: int) -> None:
        """Not even by a change that replays it: a crash could leave the hive without it."""
        delete = DeleteFile(path=rf"Windows\System32\config\software.log{number}")
        for operations in ([delete], [skip_rearm(0), delete]):
            with pytest.raises(
                StateError, match=rf"SOFTWARE.LOG{number} holds changes that are not in the hive SOFTWARE"
            ):
                vdiskkit.plan(disk, operations, now=NOW)
        vdiskkit.apply(vdiskkit.plan(disk, [skip_rearm(0)], now=NOW))
        vdiskkit.apply(vdiskkit.plan(disk, [delete], now=NOW))
        with vdiskkit.open_vdisk(disk) as opened:
            assert opened.volume.find(delete.path) is None

    def test_other_logs_may_be_deleted(self, disk: Path) -> None:
        paths = [r"Windows\System32\config\SYSTEM.LOG1", r"Windows\INF\setupapi.dev.log"]
        vdiskkit.apply(vdiskkit.plan(disk, [DeleteFile(path=path) for path in paths], now=NOW))
        with vdiskkit.open_vdisk(disk) as opened:
            assert [opened.volume.find(path) for path in paths] == [None, None]

"""Planning, applying and taking back through the public functions."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vdiskkit
from tests.build.scenario import make
from tests.schemas import check
from vdiskkit import CreateKey, DeleteFile, DeleteKey, DeleteValue, SetPvpField, SetValue
from vdiskkit.patch.files import RealFileSystem, closed_quietly
from vdiskkit.patch.operations import operation_from_dict

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = dt.datetime(2026, 11, 24, 9, 12, 3, 456789, tzinfo=dt.UTC)
KEY = r"HKLM\SOFTWARE\Example"
EXPLORER = r"Windows\explorer.exe"
SPP = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform"


def dword(name: str, number: int = 1, key: str = KEY) -> SetValue:
    return SetValue(key=key, name=name, type=4, data=number.to_bytes(4, "little"), create_keys=True)


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk that is only planned on."""
    return make("win10-private-mak", tmp_path_factory.mktemp("master"))


@pytest.fixture
def disk(master: Path, tmp_path: Path) -> Path:
    """A copy of it that may be changed."""
    folder = tmp_path / "store"
    shutil.copytree(master.parent, folder)
    return folder / master.name


def pair(disk: Path) -> tuple[bytes, bytes]:
    return disk.read_bytes(), disk.with_suffix(".pvp").read_bytes()


def changes(disk: Path, *operations: Any) -> list[tuple[str, str, str | None, str | None]]:
    plan = vdiskkit.plan(disk, operations, now=NOW)
    return [(change.kind, change.place, change.before, change.after) for change in plan.changes]


class TestPlan:
    def test_describe(self, master: Path) -> None:
        plan = vdiskkit.plan(
            master,
            [dword("Value", 7), DeleteFile(path=EXPLORER), SetPvpField(field="author", value="me\x1b[31m")],
            notes=["look\nhere", "look\nhere"],
            force=["lok"],
            now=NOW,
        )
        assert plan.describe().splitlines() == [
            f"plan {plan.id} for {master}",
            f"  disk id  {plan.disk_id}",
            "  in  partition 3, ControlSet001",
            rf"  1  set  {KEY}, Value: absent -> REG_DWORD 7",
            rf"  2  delete  {EXPLORER} (1536 bytes, 1 name)",
            r"  3  pvp  author: Image Team -> me\u{1b}[31m",
            "  4  pvp  properties_update_time: 2023-06-14 09:30:00 UTC -> 2026-11-24 09:12:03 UTC",
            r"  note  look\u{a}here",
            "  forced  lok",
            f"  writes  {plan.bytes_written} bytes in {len(plan.ranges)} ranges",
        ]
        assert plan.journal == f"{master}.vdiskkit-journal"
        assert {Path(item.file) for item in plan.ranges} == {master, master.with_suffix(".pvp")}
        assert all(item.offset % 512 == 0 == item.length % 512 for item in plan.ranges)

    def test_the_place_is_named(self, master: Path) -> None:
        plan = vdiskkit.plan(master, [dword("Value", 7)], now=NOW)
        assert (plan.place, plan.partition, plan.control_set) == ("partition 3, ControlSet001", 3, 1)
        assert [plan.to_dict()[name] for name in ("partition", "control_set", "volume")] == [3, 1, None]
        plan = vdiskkit.plan(master, [DeleteFile(path=EXPLORER)], now=NOW)
        assert (plan.place, plan.control_set) == ("partition 3", None)
        plan = vdiskkit.plan(master, [SetPvpField(field="author", value="me")], now=NOW)
        assert (plan.place, plan.partition) == ("", None)

    def test_nothing_to_do(self, master: Path) -> None:
        absent: list[Any] = [DeleteValue(key=KEY, name="x", missing_ok=True), DeleteFile(path="x", missing_ok=True)]
        plan = vdiskkit.plan(master, [*absent, DeleteKey(key=KEY, missing_ok=True)])
        assert plan.empty
        assert plan.changes == plan.ranges == ()
        assert vdiskkit.plan(master, []).describe() == "nothing to do: everything is as asked already"

    def test_the_same_plan_twice_is_the_same(self, master: Path) -> None:
        first, second = (vdiskkit.plan(master, [dword("Value")], now=NOW) for _ in range(2))
        assert first.to_dict() == second.to_dict()
        assert vdiskkit.plan(master, [dword("Value", 2)], now=NOW).digest != first.digest

    def test_forms_of_the_path(self, master: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(master.parent)
        for path in (master, str(master), master.with_suffix(".pvp"), master.name):
            assert vdiskkit.plan(path, [dword("Value")], now=NOW).changes

    def test_planning_touches_nothing_and_closes_everything(self, master: Path) -> None:
        before, names = pair(master), sorted(path.name for path in master.parent.iterdir())
        fds = Path("/proc/self/fd")
        opened = len(list(fds.iterdir())) if sys.platform == "linux" else 0
        vdiskkit.plan(master, [dword("Value"), DeleteFile(path=EXPLORER)])
        with pytest.raises(vdiskkit.FileMissingError):
            vdiskkit.plan(master, [dword("Value"), DeleteFile(path="nothing")])
        with pytest.raises(vdiskkit.UsageError, match="there is no gate 'all' to force"):
            vdiskkit.plan(master, [dword("Value")], force=["all"])
        assert pair(master) == before
        assert sorted(path.name for path in master.parent.iterdir()) == names
        if sys.platform == "linux":
            assert len(list(fds.iterdir())) == opened
        with closed_quietly(RealFileSystem().open(str(master))):
            pass  # on Windows nobody may have it open for that

    def test_a_plan_that_could_not_be_read_again_is_not_saved(
        self, master: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("vdiskkit.patch.plan._LARGEST_PLAN", 100)
        with pytest.raises(vdiskkit.UsageError, match="the plan is too large to be saved") as caught:
            vdiskkit.plan(master, [dword("Value")]).save(str(tmp_path / "x.plan"))
        assert caught.value.hint == "make the change in parts"
        assert not (tmp_path / "x.plan").exists()

    def test_plan_files_come_back(self, master: Path, tmp_path: Path) -> None:
        operations = [
            dword("Value"), DeleteValue(key=KEY, name=""), CreateKey(key=KEY), DeleteKey(key=KEY, missing_ok=True),
            DeleteFile(path=EXPLORER), SetPvpField(field="author", value="\ud83d\ude00 \U0001f600"),
        ]  # fmt: skip
        plan = vdiskkit.plan(master, [dword("Value"), SetPvpField(field="author", value="x")], now=NOW, notes=["a"])
        plan.save(str(tmp_path / "x.plan"))
        saved = vdiskkit.load_plan(str(tmp_path / "x.plan"))
        assert (saved.path, saved.operations, saved.now) == (str(master), plan.operations, NOW)
        assert (saved.digest, saved.notes, saved.forced, saved.volume) == (plan.digest, ("a",), (), None)
        check(plan.to_dict(), "vdiskkit.plan/1")
        with pytest.raises(vdiskkit.SourceError, match="the plan cannot be saved"):
            plan.save(str(tmp_path / "x.plan"))
        for operation in operations:
            assert operation_from_dict(operation.to_dict()) == operation
            assert str(operation)


class TestSequences:
    """A later operation sees what an earlier one did, and the result of all is verified."""

    def test_names_differ_by_case(self, master: Path) -> None:
        place = f"{KEY}, A"
        assert changes(master, dword("a", 1), dword("A", 2))[1] == ("value", place, "REG_DWORD 1", "REG_DWORD 2")
        assert changes(master, dword("a", 1), DeleteValue(key=KEY.lower(), name="A"))[1][2:] == ("REG_DWORD 1", None)

    def test_a_key_deleted_and_made_anew(self, master: Path) -> None:
        made = changes(master, dword("a"), DeleteKey(key=KEY), CreateKey(key=rf"{KEY}\Sub"), dword("b"))
        assert [item[0] for item in made] == ["value", "key", "key", "value"]
        assert made[1][2:] == ("1 key, 1 value", None)

    def test_the_same_key_by_two_paths(self, master: Path) -> None:
        made = changes(
            master,
            dword("x", key=r"HKLM\SYSTEM\CurrentControlSet\Control"),
            DeleteValue(key=r"SYSTEM\ControlSet001\Control", name="X"),
        )
        assert [item[1].rpartition(",")[0] for item in made] == [r"HKLM\SYSTEM\ControlSet001\Control"] * 2

    def test_a_file_named_twice(self, master: Path) -> None:
        again = DeleteFile(path=EXPLORER.upper(), missing_ok=True)
        assert len(changes(master, DeleteFile(path=EXPLORER), again)) == 1
        with pytest.raises(vdiskkit.FileMissingError):
            changes(master, DeleteFile(path=EXPLORER), DeleteFile(path=EXPLORER))

    def test_what_contradicts_itself_is_found_before_anything_is_written(self, disk: Path) -> None:
        before = pair(disk)
        operations = [dword("x"), DeleteFile(path=r"Windows\System32\config\SOFTWARE")]
        with pytest.raises(vdiskkit.VerifyFailedError, match="nothing was written") as failed:
            vdiskkit.plan(disk, operations, force=["boot-file"])
        assert failed.value.exit_code == 6
        assert pair(disk) == before


class TestOddNamesAndData:
    @pytest.mark.parametrize(
        "name",
        [
            "",
            " ",
            ".",
            "..",
            "(Default)",
            "a\\b",
            "a/b",
            "%",
            "ß",
            "SS",
            "ſ",
            "ı",
            "é\u0301",
            "\U0001f600",
            "\ud800",
            "n" * 16383,
        ],
    )
    def test_value_names(self, master: Path, name: str) -> None:
        assert len(changes(master, dword(name))) == 1

    @pytest.mark.parametrize(
        "name",
        [".", "..", " ", "a b", "CON", "*", "?", "msft:rm/algorithm/hwid/4.0", "ß", "\U0001f600", "\ud800", "k" * 255],
    )
    def test_key_names(self, master: Path, name: str) -> None:
        assert len(changes(master, dword("v", key=rf"{KEY}\{name}"))) == 1

    @pytest.mark.parametrize(
        ("kind", "data"),
        [
            (0, b""), (1, b""), (1, b"a"), (1, b"a\0b\0"), (4, b""), (4, b"\1"), (4, b"12345"), (7, b""), (99, b"xx"),
            (0xFFFFFFFF, b"x"), (3, b"z" * 16344), (3, b"z" * 16345), (3, b"z" * 1_000_000),
        ],
    )  # fmt: skip
    def test_data_that_does_not_fit_its_type_and_data_of_any_size(self, master: Path, kind: int, data: bytes) -> None:
        assert len(changes(master, SetValue(key=KEY, name="v", type=kind, data=data, create_keys=True))) == 1

    @pytest.mark.parametrize("kind", [-1, 1 << 32])
    def test_types_that_cannot_be(self, master: Path, kind: int) -> None:
        with pytest.raises(vdiskkit.UsageError, match="is no value type"):
            changes(master, SetValue(key=KEY, name="v", type=kind, data=b"", create_keys=True))

    @pytest.mark.parametrize("path", ["", "HKCU", r"HKLM\NOPE\x", r"C:\x", "\0"])
    def test_keys_that_no_image_has(self, master: Path, path: str) -> None:
        with pytest.raises(vdiskkit.UsageError):
            changes(master, dword("v", key=path))


def with_other_id(disk: Path) -> None:
    """Give a VHD another unique id, in both footers, and keep its time."""
    stamp = disk.stat().st_mtime_ns
    data = bytearray(disk.read_bytes())
    for at in (0, len(data) - 512):
        if data[at : at + 8] == b"conectix":
            data[at + 68] ^= 1
            data[at + 64 : at + 68] = bytes(4)
            data[at + 64 : at + 68] = (~sum(data[at : at + 85]) & 0xFFFFFFFF).to_bytes(4, "big")
    disk.write_bytes(data)
    os.utime(disk, ns=(stamp, stamp))


class TestApply:
    def test_one_transaction_over_both_files(self, disk: Path) -> None:
        before = pair(disk)
        operations = [dword("Value"), DeleteFile(path=EXPLORER), SetPvpField(field="author", value="me")]
        plan = vdiskkit.plan(disk, operations, now=NOW)
        steps: list[str] = []
        result = vdiskkit.apply(plan, progress=steps.append)
        assert steps == ["check", "journal", "write", "verify", "commit"]
        assert result.written
        assert result.journal == f"{disk}.vdiskkit-undo-0001"
        assert result.plan.to_dict() == plan.to_dict()
        (kept,) = vdiskkit.history(disk)
        assert (kept.path, kept.journal.id) == (result.journal, result.change_id)
        assert [entry.name for entry in kept.journal.files] == [disk.name, disk.with_suffix(".pvp").name]
        with vdiskkit.open_vdisk(disk) as opened:
            value = opened.windows.key(KEY).value("Value")
            assert value is not None
            assert value.data == 1
            assert opened.windows.key(KEY).last_written == NOW
            assert opened.volume.find(EXPLORER) is None
            assert opened.pvp is not None
            assert opened.pvp.facts().author == "me"
        assert {path.name for path in disk.parent.iterdir()} == {
            disk.name, disk.with_suffix(".pvp").name, f"{disk.name}.vdiskkit-undo-0001",
        }  # fmt: skip
        undone = vdiskkit.undo(disk)
        assert undone.journal.id == result.change_id
        assert pair(disk) == before
        assert vdiskkit.history(disk) == []

    def test_plan_and_journal_name_the_id_of_the_disk(self, disk: Path) -> None:
        """A disk with the same bytes wherever the change writes, and another id, is another disk."""
        with vdiskkit.open_vdisk(disk) as opened:
            (own,) = {item.unique_id for item in opened.container.chain}
        plan = vdiskkit.plan(disk, [dword("Value")], now=NOW)
        assert (plan.disk_id, plan.to_dict()["disk_id"]) == (own, own)
        original = disk.read_bytes()
        with_other_id(disk)
        with pytest.raises(vdiskkit.StalePlanError, match=f"another disk than the one that was planned for.*not {own}"):
            vdiskkit.apply(plan)
        disk.write_bytes(original)
        vdiskkit.apply(plan)
        (kept,) = vdiskkit.history(disk)
        assert kept.journal.about["disk_id"] == own
        changed = disk.read_bytes()
        with_other_id(disk)
        with pytest.raises(vdiskkit.ChangedSinceError, match="another disk than the one that was changed") as caught:
            vdiskkit.undo(disk)
        assert caught.value.hint == (
            "nothing was touched; the journals beside this disk belong to another one, move them there"
        )
        stamp = disk.stat().st_mtime_ns
        disk.write_bytes(changed)
        os.utime(disk, ns=(stamp, stamp))
        vdiskkit.undo(disk)
        assert disk.read_bytes() == original

    def test_the_time_looks_changed(self, disk: Path) -> None:
        os.utime(disk, (1_000_000_000, 1_000_000_000))
        vdiskkit.apply(vdiskkit.plan(disk, [dword("Value")]))
        assert disk.stat().st_mtime > 1_600_000_000

    def test_twice(self, disk: Path) -> None:
        plan = vdiskkit.plan(disk, [dword("Value")])
        vdiskkit.apply(plan)
        before = pair(disk)
        again = vdiskkit.apply(plan)
        assert (again.written, again.journal, again.change_id) == (False, None, None)
        assert again.to_dict()["change_id"] is None
        assert pair(disk) == before

    def test_without_undo(self, disk: Path) -> None:
        result = vdiskkit.apply(vdiskkit.plan(disk, [dword("Value")]), keep_undo=False)
        assert (result.written, result.journal) == (True, None)
        with pytest.raises(vdiskkit.NotFoundError, match="no change of this disk is kept"):
            vdiskkit.undo(disk)

    @pytest.mark.parametrize("suffix", [".vhd", ".pvp"])
    def test_a_stale_plan(self, disk: Path, suffix: str) -> None:
        plan = vdiskkit.plan(disk, [dword("Value"), SetPvpField(field="author", value="me")])
        other = dword("Other") if suffix == ".vhd" else SetPvpField(field="title", value="other")
        vdiskkit.apply(vdiskkit.plan(disk, [other]))
        before = pair(disk)
        with pytest.raises(vdiskkit.StalePlanError, match="not what it was when the plan was made"):
            vdiskkit.apply(plan)
        assert pair(disk) == before

    def test_gates_are_looked_at_again(self, disk: Path) -> None:
        plan = vdiskkit.plan(disk, [dword("Value")])
        disk.with_suffix(".lok").write_bytes(b"")
        with pytest.raises(vdiskkit.InUseError):
            vdiskkit.apply(plan)

    @pytest.mark.parametrize("step", ["check", "journal", "write", "verify", "commit"])
    @pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
    def test_cancelled_at_any_step(self, disk: Path, step: str, error: type[BaseException]) -> None:
        """Ctrl-C, and a callback that fails."""

        def stop(name: str) -> None:
            if name == step:
                raise error

        before = pair(disk)
        plan = vdiskkit.plan(disk, [dword("Value"), SetPvpField(field="author", value="me")])
        with pytest.raises(error):
            vdiskkit.apply(plan, progress=stop)
        assert pair(disk) == before
        assert len(list(disk.parent.iterdir())) == 2
        vdiskkit.apply(plan)
        after = pair(disk)
        with pytest.raises(error):
            vdiskkit.undo(disk, progress=stop)
        assert pair(disk) == after
        assert vdiskkit.undo(disk)
        assert pair(disk) == before

    def test_a_change_under_way_is_not_called_interrupted(self, disk: Path) -> None:
        found: list[type[Exception]] = []

        def look(step: str) -> None:
            if step == "write":
                for call in (
                    lambda: vdiskkit.plan(disk, [dword("Other")]),
                    lambda: vdiskkit.undo(disk),
                    lambda: vdiskkit.recover(disk),
                ):
                    with pytest.raises(vdiskkit.InUseError, match="another vdiskkit is changing this disk") as refused:
                        call()
                    found.append(refused.type)
                if os.name == "nt":
                    with pytest.raises(vdiskkit.InUseError, match="holds the file open and lets nobody else read it"):
                        vdiskkit.open_vdisk(disk)
                else:
                    with vdiskkit.open_vdisk(disk) as opened:
                        assert opened.windows.find_key(KEY) is None, "readers see the old state"

        vdiskkit.apply(vdiskkit.plan(disk, [dword("Value")]), progress=look)
        assert len(found) == 3

    def test_full_verification(self, disk: Path) -> None:
        plan = vdiskkit.plan(disk, [dword("Value"), DeleteFile(path=EXPLORER)], full_check=True)
        assert vdiskkit.apply(plan, full_check=True).written

    def test_many_operations_of_every_kind(self, disk: Path) -> None:
        before = pair(disk)
        operations = [dword(f"value {number}", number, rf"{KEY}\{number % 40}") for number in range(400)]
        operations += [dword(f"value {number}", number, r"HKU\.DEFAULT\Example") for number in range(20)]
        rest: Sequence[Any] = [DeleteKey(key=rf"{KEY}\{number}") for number in range(0, 40, 3)]
        vdiskkit.apply(vdiskkit.plan(disk, [*operations, *rest], full_check=True))
        with vdiskkit.open_vdisk(disk) as opened:
            assert opened.windows.key(KEY).subkey_count == 26
            assert opened.windows.key(rf"{KEY}\1").value_count == 10
        vdiskkit.undo(disk)
        assert pair(disk) == before


class TestThePast:
    @pytest.fixture
    def changed(self, disk: Path) -> tuple[Path, list[str]]:
        ids = [str(vdiskkit.apply(vdiskkit.plan(disk, [dword("Value", number)])).change_id) for number in range(3)]
        return disk, ids

    def test_history_is_newest_first(self, changed: tuple[Path, list[str]]) -> None:
        disk, ids = changed
        assert [str(kept.journal.id) for kept in vdiskkit.history(disk.with_suffix(".pvp"))] == ids[::-1]
        assert vdiskkit.pending_change(disk) is None
        assert vdiskkit.find_change(disk, ids[0][:9]).path.endswith("-0001")
        with pytest.raises(vdiskkit.NotFoundError):
            vdiskkit.find_change(disk, "ffff-ffff-ffff")
        with pytest.raises(vdiskkit.UsageError, match="too short"):
            vdiskkit.find_change(disk, "f-f-")

    def test_undo_by_journal_by_id_and_by_nothing(self, changed: tuple[Path, list[str]]) -> None:
        disk, ids = changed
        with pytest.raises(vdiskkit.NotFoundError, match="newest first"):
            vdiskkit.undo(f"{disk}.vdiskkit-undo-0002")
        with pytest.raises(vdiskkit.NotFoundError, match="newest first"):
            vdiskkit.undo(disk, change_id=ids[0])
        vdiskkit.undo(f"{disk}.vdiskkit-undo-0003")
        vdiskkit.undo(disk, change_id=ids[1][:8])
        vdiskkit.undo(disk.with_suffix(".pvp"), dry_run=True)
        assert len(vdiskkit.history(disk)) == 1
        vdiskkit.undo(disk.with_suffix(".pvp"))
        assert vdiskkit.history(disk) == []

    def test_recover_without_an_interruption(self, changed: tuple[Path, list[str]]) -> None:
        disk, _ = changed
        assert vdiskkit.recover(disk).action is vdiskkit.RecoveryAction.NOTHING
        assert len(vdiskkit.history(disk)) == 3

    def test_a_base_that_got_children_since(self, tmp_path: Path) -> None:
        newest = make("desk10", tmp_path)
        child = newest.read_bytes(), newest.with_suffix(".pvp").read_bytes()
        middle = tmp_path / "desk10.1.avhd"
        newest.unlink()
        (tmp_path / "desk10.2.pvp").unlink()
        vdiskkit.apply(vdiskkit.plan(middle, [dword("Value")], force=["standard-mode"]))
        newest.write_bytes(child[0])
        (tmp_path / "desk10.2.pvp").write_bytes(child[1])
        before = middle.read_bytes()
        with pytest.raises(vdiskkit.WriteRefusedError, match="other versions are made from this file"):
            vdiskkit.undo(middle, force=["standard-mode", "lok"])
        assert middle.read_bytes() == before

    def test_unknown_forces(self, disk: Path) -> None:
        for call in (vdiskkit.undo, vdiskkit.recover):
            with pytest.raises(vdiskkit.UsageError, match="there is no gate"):
                call(disk, force=["all"])  # type: ignore[operator]  # both take it


_TEXT = st.text(max_size=20)
_OPERATIONS = st.one_of(
    st.builds(
        SetValue, key=_TEXT, name=_TEXT, type=st.integers(0, 2**32 - 1), data=st.binary(), create_keys=st.booleans()
    ),
    st.builds(DeleteValue, key=_TEXT, name=_TEXT, missing_ok=st.booleans()),
    st.builds(CreateKey, key=_TEXT),
    st.builds(DeleteKey, key=_TEXT, missing_ok=st.booleans()),
    st.builds(DeleteFile, path=_TEXT, missing_ok=st.booleans()),
    st.builds(SetPvpField, field=_TEXT, value=_TEXT),
)


@given(_OPERATIONS)
def test_operations_survive_json(operation: Any) -> None:
    assert operation_from_dict(json.loads(json.dumps(operation.to_dict()))) == operation


_JSON = st.recursive(st.none() | st.booleans() | st.integers() | _TEXT, lambda inner: st.lists(inner, max_size=3))


@given(
    st.fixed_dictionaries(
        {
            "operation": st.sampled_from(["set_value", "delete_value", "create_key", "delete_key", "delete_file", "x"])
            | _JSON
        },
        optional=dict.fromkeys(("key", "name", "type", "data", "create_keys", "missing_ok", "path"), _JSON),
    )
    | _JSON
)
def test_no_operation_is_made_of_nonsense(data: Any) -> None:
    try:
        operation = operation_from_dict(data)
    except vdiskkit.UsageError:
        return
    assert operation_from_dict(operation.to_dict()) == operation

"""Changing a disk whose SOFTWARE hive was not written back: the logs are replayed first, and every output says so."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.build.dirty_disk import LAST_HOST, dirty_disk, dirty_software
from tests.build.scenario import make
from tests.cli.writing import DRY, SPP, STANDARD, YES, contents, pair, validated

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

REPLAYED = "the SOFTWARE hive was not closed cleanly: replayed 2 entries from SOFTWARE.LOG1 and SOFTWARE.LOG2 first"
PREP = ("--skip-rearm", "0", "--kms-host", "kms.example.com")
SET = (SPP, "SkipRearm", "0", "--type", "dword")


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk that is only planned on."""
    return dirty_disk(tmp_path_factory.mktemp("dirty"), dirty_software(split=1))


@pytest.fixture
def disk(master: Path, tmp_path: Path) -> Path:
    """A copy of it that may be changed."""
    shutil.copytree(master.parent, tmp_path / "store")
    return tmp_path / "store" / master.name


def test_a_dry_run(run: Callable[..., Outcome], master: Path) -> None:
    before = contents(master.parent)
    done = run("kms-prep", master, *PREP, DRY)
    assert (done.code, done.err) == (0, "")
    assert f"  set             {SPP}, SkipRearm: REG_DWORD 1 → REG_DWORD 0\n" in done.out
    assert f'KeyManagementServiceName: REG_SZ "{LAST_HOST}" → REG_SZ "kms.example.com"\n' in done.out
    assert f"  note            {REPLAYED}\n" in done.out
    assert contents(master.parent) == before


def test_a_dry_run_as_json(run: Callable[..., Outcome], master: Path) -> None:
    result = validated(run("reg", "set", master, *SET, DRY, "--json").out)
    assert result["plan"]["notes"] == [REPLAYED]
    (change,) = result["plan"]["changes"]
    assert (change["before"], change["after"]) == ("REG_DWORD 1", "REG_DWORD 0")


@pytest.mark.parametrize("command", ["kms-prep", "reg set", "apply"])
def test_written_and_taken_back(run: Callable[..., Outcome], disk: Path, tmp_path: Path, command: str) -> None:
    before = pair(disk)
    if command == "kms-prep":
        done = run("kms-prep", disk, *PREP, YES)
    elif command == "reg set":
        done = run("reg", "set", disk, *SET, YES)
    else:
        plan = tmp_path / "x.plan"
        assert run("reg", "set", disk, *SET, "--plan-out", plan, DRY).code == 0
        done = run("apply", plan, YES)
    assert (done.code, done.err) == (0, "")
    assert f"note            {REPLAYED}\n" in done.out
    read = run("reg", "get", disk, SPP, "SkipRearm")
    assert (read.code, read.out, read.err) == (0, "0\n", "")
    host = run("reg", "get", disk, SPP, "KeyManagementServiceName").out
    assert host == ("kms.example.com\n" if command == "kms-prep" else f"{LAST_HOST}\n")
    assert run("undo", disk, YES).code == 0
    assert pair(disk) == before


def test_it_is_clean_afterwards(run: Callable[..., Outcome], disk: Path) -> None:
    def dirty() -> dict[str, bool]:
        facts = run("inspect", disk, "--json").json["disks"][0]["result"]
        return {hive["name"]: hive["dirty"] for hive in facts["windows"]["hives"]}

    assert dirty()["SOFTWARE"]
    assert run("kms-prep", disk, *PREP, YES).code == 0
    assert not any(dirty().values())
    assert run("kms-prep", disk, *PREP, YES).out.startswith("already so")


def test_findings_are_mended(run: Callable[..., Outcome], tmp_path: Path) -> None:
    """SkipRearm is 1 in the log, and mending it replays the log."""
    disk = dirty_disk(tmp_path, dirty_software(split=1), side_car={"write_cache_type": 0, "license_mode": 2})
    done = run("validate", disk, "--fix", YES)
    assert "2 entries from SOFTWARE.LOG1 and SOFTWARE.LOG2" in done.out
    assert f"{SPP}, SkipRearm: REG_DWORD 1 → REG_DWORD 0" in done.out
    assert run("reg", "get", disk, rf"{SPP}\Only in the log", "Number").out == "7\n"


def test_a_file_is_imported(run: Callable[..., Outcome], disk: Path, tmp_path: Path) -> None:
    text = f'Windows Registry Editor Version 5.00\n\n[{SPP}\\Only in the log]\n"Number"=dword:00000008\n'
    (tmp_path / "x.reg").write_text(text.replace("HKLM", "HKEY_LOCAL_MACHINE"))
    done = run("reg", "import", disk, tmp_path / "x.reg", YES)
    assert (done.code, done.err) == (0, "")
    assert "Only in the log, Number: REG_DWORD 7 → REG_DWORD 8" in done.out
    assert REPLAYED in done.out


def test_what_is_so_after_the_replay(run: Callable[..., Outcome], disk: Path) -> None:
    before = contents(disk.parent)
    done = run("kms-prep", disk, "--skip-rearm", "1", "--kms-host", LAST_HOST, YES)
    assert done.code == 0
    assert done.out.startswith("already so")
    assert "replayed" not in done.out
    assert contents(disk.parent) == before


def test_without_logs_it_is_refused(run: Callable[..., Outcome], tmp_path: Path) -> None:
    disk = make("dirty-hive", tmp_path)
    before = contents(tmp_path)
    done = run("reg", "set", disk, *SET, YES, *STANDARD)
    assert done.code == 4
    assert "the hive SOFTWARE was not closed cleanly: the sequence numbers 188 and 187 differ" in done.err
    assert "its logs are empty" in done.err
    assert "start the image once and shut it down" in done.err
    assert contents(tmp_path) == before

"""Dirty hives on the command line: shown as after the replay of their logs, or called stale, and told in every form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.build.dirty_disk import LAST_HOST, dirty_disk, dirty_software
from tests.build.windows import service_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

SERVICE = service_key("win10")
KEY = rf"HKLM\SOFTWARE\{SERVICE}"
FILE = r"Windows\System32\config\SOFTWARE"
REPLAYED = "(hive dirty: it is shown as after the replay of 2 entries in SOFTWARE.LOG1)"
ONLY = "(only in a log of the hive)"


@pytest.fixture(scope="module")
def switched_off(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dirty_disk(tmp_path_factory.mktemp("dirty"), dirty_software())


@pytest.fixture
def hive_file(tmp_path: Path) -> Path:
    dirty = dirty_software()
    for name, data in dirty.files("SOFTWARE").items():
        (tmp_path / name).write_bytes(data)
    return tmp_path / "SOFTWARE"


def test_reg_get(run: Callable[..., Outcome], switched_off: Path) -> None:
    outcome = run("reg", "get", switched_off, KEY, "KeyManagementServiceName")
    assert (outcome.code, outcome.out) == (0, f"{LAST_HOST}\n")
    assert outcome.err == f"note: {FILE} {REPLAYED}\nnote: KeyManagementServiceName {ONLY}\n"
    same = run("reg", "get", switched_off, KEY, "SkipRearm")
    assert same.err == f"note: {FILE} {REPLAYED}\n"


def test_reg_get_json(run: Callable[..., Outcome], switched_off: Path) -> None:
    document = run("reg", "get", switched_off, KEY, "KeyManagementServiceName", "--json", "-q").json
    assert (document["data"], document["origin"]) == (LAST_HOST, "log")
    source = document["source"]
    assert (source["dirty"], source["stale"], source["replayed_entries"]) == (True, False, 2)
    assert run("reg", "get", switched_off, KEY, "SkipRearm", "--json", "-q").json["origin"] == "primary"


def test_reg_ls(run: Callable[..., Outcome], switched_off: Path) -> None:
    outcome = run("reg", "ls", switched_off, KEY)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    (host,) = [line for line in lines if "KeyManagementServiceName" in line]
    assert host.endswith(ONLY)
    (skip,) = [line for line in lines if "SkipRearm" in line]
    assert ONLY not in skip
    (new,) = [line for line in lines if "Only in the log" in line]
    assert new.endswith(ONLY)
    result = run("reg", "ls", switched_off, KEY, "--json", "-q").json["disks"][0]["result"]
    origins = {value["name"]: value["origin"] for value in result["values"]}
    assert origins["KeyManagementServiceName"] == "log"
    assert origins["SkipRearm"] == "primary"
    assert {key["name"]: key["origin"] for key in result["subkeys"]}["Only in the log"] == "log"


def test_reg_export_says_so(run: Callable[..., Outcome], switched_off: Path, tmp_path: Path) -> None:
    outcome = run("reg", "export", switched_off, KEY)
    assert outcome.err == f"note: {FILE} {REPLAYED}\n"
    assert LAST_HOST in outcome.out
    target = tmp_path / "out.reg"
    assert run("reg", "export", switched_off, KEY, "--output", target).code == 0
    assert REPLAYED in target.read_bytes().decode("utf-16")


def test_a_hive_file_with_its_logs(run: Callable[..., Outcome], hive_file: Path) -> None:
    outcome = run("reg", "get", hive_file, SERVICE, "KeyManagementServiceName")
    assert (outcome.code, outcome.out) == (0, f"{LAST_HOST}\n")
    assert REPLAYED in outcome.err
    hive_file.with_suffix(".LOG1").write_bytes(b"")
    stale = run("reg", "get", hive_file, SERVICE, "SkipRearm")
    assert (stale.code, stale.out) == (0, "1\n")
    assert stale.err == f"warning: {hive_file} (hive dirty: may be older than its log): its logs are empty\n"
    hive_file.with_suffix(".LOG1").unlink()
    hive_file.with_suffix(".LOG2").unlink()
    assert "there is no log beside it" in run("reg", "get", hive_file, SERVICE, "SkipRearm").err


def test_a_hive_file_whose_first_sector_was_torn(run: Callable[..., Outcome], hive_file: Path) -> None:
    hive_file.write_bytes(bytes(512) + hive_file.read_bytes()[512:])
    outcome = run("reg", "get", hive_file, SERVICE, "KeyManagementServiceName")
    assert (outcome.code, outcome.out) == (0, f"{LAST_HOST}\n")
    assert REPLAYED in outcome.err
    log = hive_file.with_suffix(".LOG1")
    log.write_bytes(log.read_bytes()[:600])
    lost = run("reg", "get", hive_file, SERVICE, "KeyManagementServiceName")
    assert (lost.code, lost.out) == (3, "")
    assert "the logs beside it do not help" in lost.err


def test_what_is_odd_about_the_logs_is_told(run: Callable[..., Outcome], tmp_path: Path) -> None:
    dirty = dirty_software(split=1)
    for name, data in dirty._replace(log2=dirty.log2[:-600]).files("SOFTWARE").items():
        (tmp_path / name).write_bytes(data)
    outcome = run("reg", "get", tmp_path / "SOFTWARE", SERVICE, "KeyManagementServiceName")
    assert outcome.out == "kms.first.example.com\n"
    assert "warning: nothing of SOFTWARE.LOG2 is applied: entry" in outcome.err
    assert "run past the end of the log" in outcome.err


@pytest.mark.parametrize("command", ["inspect", "license"])
def test_inspect_and_license(run: Callable[..., Outcome], switched_off: Path, command: str) -> None:
    outcome = run(command, switched_off)
    assert outcome.code == 0
    (host,) = [line for line in outcome.out.splitlines() if line.strip().startswith("KMS host")]
    assert host.endswith(ONLY)
    assert "may be older than its log" not in outcome.out
    licensing = run(command, switched_off, "--json").json["disks"][0]["result"]["licensing"]
    assert (licensing["kms_host"][0]["origin"], licensing["stale"]) == ("log", False)


def test_inspect_tells_what_was_replayed(run: Callable[..., Outcome], switched_off: Path) -> None:
    outcome = run("inspect", switched_off, "--section", "windows")
    (hive,) = [line for line in outcome.out.splitlines() if line.strip().startswith("hive ")]
    assert "SOFTWARE is dirty" in hive
    assert "shown as after the replay of 2 entries in SOFTWARE.LOG1" in hive
    hives = run("inspect", switched_off, "--json").json["disks"][0]["result"]["windows"]["hives"]
    assert hives[0]["logs"]["entries"] == 2
    assert hives[1]["logs"] is None

"""``validate --fix``: what is listed, what is mended, what is refused."""

from __future__ import annotations

import dataclasses
import json
import shutil
from typing import TYPE_CHECKING

import pytest

import vdiskkit
from tests.cli.conftest import SAMPLES
from tests.cli.writing import contents, kept
from tests.unit.rules.disks import CASES
from vdiskkit.patch.fixes import FIXABLE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

YES = ("--fix", "--yes", "--force", "standard-mode")
MENDED = {
    "skip-rearm": "KMS110",
    "skip-rearm-odd": "KMS110",
    "kms-host": "KMS120",
    "kms-port-dword": "KMS121",
    "office-host": "OFF103",
    "host-role": "SEC101",
    "cached-host": "SEC102",
}


@pytest.fixture(autouse=True)
def in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No vdiskkit.toml lies above."""
    monkeypatch.chdir(tmp_path)


def codes(outcome: Outcome) -> list[str]:
    """The codes that were found on the only disk."""
    return [item["code"] for item in json.loads(outcome.out)["disks"][0]["result"]["findings"]]


def faulty(folder: Path) -> Path:
    """A copy of the faulty sample."""
    for suffix in (".vhd", ".pvp"):
        shutil.copy(SAMPLES / f"faulty{suffix}", folder)
    return folder / "faulty.vhd"


@pytest.mark.parametrize("name", MENDED)
def test_mended_and_judged_again(name: str, run: Callable[..., Outcome], tmp_path: Path) -> None:
    disk = CASES[name](tmp_path)
    code = MENDED[name]
    assert code in FIXABLE
    assert code in codes(run("validate", disk, "--json"))
    outcome = run("validate", disk, "--json", *YES)
    assert outcome.code == 0, outcome.err
    assert code not in codes(outcome)
    assert f"mend            {code}" in outcome.err
    assert len(kept(disk)) == 1
    vdiskkit.undo(disk, force=["standard-mode"])
    assert code in codes(run("validate", disk, "--json"))


def test_the_profile_s_host_and_the_port_are_set(run: Callable[..., Outcome], tmp_path: Path) -> None:
    profile = tmp_path / "own.toml"
    profile.write_text('extends = "kms-standard"\n[expect]\nkms_host = ["kms.corp.example"]\n', encoding="utf-8")
    disk = CASES["kms-host"](tmp_path)
    assert run("validate", disk, "--profile", profile, "--quiet", "--json", *YES).code == 0
    with vdiskkit.open_vdisk(disk) as opened:
        licensing = opened.inspect().licensing
    assert licensing is not None
    assert "kms.corp.example" in [item.data for item in licensing.kms_host]


def test_a_port_of_the_wrong_type_keeps_its_number(run: Callable[..., Outcome], tmp_path: Path) -> None:
    disk = CASES["kms-port-dword"](tmp_path)
    assert run("validate", disk, "-q", "--json", *YES).code == 0
    with vdiskkit.open_vdisk(disk) as opened:
        licensing = opened.inspect().licensing
    assert licensing is not None
    assert [(item.type, item.data) for item in licensing.kms_host] == [("REG_SZ", "1688")]


def test_tokens_only_when_asked(run: Callable[..., Outcome], tmp_path: Path) -> None:
    disk = CASES["win8-on-10"](tmp_path)
    before = contents(tmp_path)
    outcome = run("validate", disk, "--select", "KMS113", *YES)
    assert "nothing that an edit of the files can mend" in outcome.out
    assert contents(tmp_path) == before
    assert codes(run("validate", disk, "--select", "KMS113", "--fix-tokens", "-q", "--json", *YES)) == []


def test_without_yes_it_only_lists(run: Callable[..., Outcome], tmp_path: Path) -> None:
    disk = faulty(tmp_path)
    before = contents(tmp_path)
    plain, listed = run("validate", disk), run("validate", disk, "--fix", "--force", "standard-mode")
    assert (listed.code, listed.err) == (plain.code, "") == (1, "")
    assert listed.out.startswith(plain.out)
    assert "SkipRearm: REG_DWORD 1 → REG_DWORD 0" in listed.out
    closed = run("validate", disk, "--fix")
    assert closed.code == 1
    assert "not possible now: the vDisk is in Standard mode" in closed.out
    assert contents(tmp_path) == before


def test_a_closed_gate_refuses(run: Callable[..., Outcome], tmp_path: Path) -> None:
    disk = faulty(tmp_path)
    before = contents(tmp_path)
    assert run("validate", disk, "--fix", "--yes").code == 4
    # Nor does another disk beside it hide that.
    assert run("validate", SAMPLES / "win7-kms.vhd", disk, "--fix", "--yes").code == 4
    (tmp_path / "faulty.lok").touch()
    before["faulty.lok"] = contents(tmp_path)["faulty.lok"]
    assert run("validate", disk, *YES).code == 4
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    "options",
    [("--yes",), ("--fix-tokens",), ("--force", "lok"), ("--fix", "--jobs", "2"), ("--fix", "--format", "vhd")],
)
def test_options_that_make_no_sense(options: tuple[str, ...], run: Callable[..., Outcome], tmp_path: Path) -> None:
    assert run("validate", faulty(tmp_path), *options).code == 2


def test_api(tmp_path: Path) -> None:
    disk = faulty(tmp_path)
    with vdiskkit.open_vdisk(disk) as opened:
        report = vdiskkit.validate(opened)
    # Named differently than when it was judged.
    plan = vdiskkit.plan_fixes(disk.parent / "." / ".." / disk.parent.name / disk.name, report, force=["standard-mode"])
    assert plan is not None
    assert vdiskkit.apply(plan).written
    after = vdiskkit.validate_path(disk)
    assert {item.code for item in report.findings} - {item.code for item in after.findings} == {"KMS110"}
    assert vdiskkit.plan_fixes(disk, after) is None


def test_places_are_compared_whole(tmp_path: Path) -> None:
    """A key may be named so that its place ends like that of another value."""
    from vdiskkit.patch.fixes import find_fixes
    from vdiskkit.rules.profile import Expectations

    with vdiskkit.open_vdisk(CASES["kms-host"](tmp_path)) as opened:
        inspection, report = opened.inspect(readiness=True), vdiskkit.validate(opened)
    found = [item for item in report.findings if item.code == "KMS120"]
    assert found
    assert len(find_fixes(inspection, found, Expectations())) == len(found)
    hostile = [dataclasses.replace(item, location=f"odd > {item.location}") for item in found]
    assert find_fixes(inspection, hostile, Expectations()) == []

"""What ``--deep`` says of hives: a walk through all of them, and no word of it without."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import vdiskkit
from tests.build.hive import seal
from tests.unit.rules.disks import pair, spoiled
from vdiskkit.io import BytesSource
from vdiskkit.registry import Hive

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NO_BIN = "no hive bin begins at 0x2000, or its size cannot be (hive:0x3000)"


def without_hbin(data: bytearray) -> None:
    """Take a bin's signature away, as a sector of zeros in a copy does."""
    data[0x3000:0x3004] = bytes(4)


def other_parent(path: str) -> Callable[[bytearray], None]:
    """Let a key name the root as its parent."""

    def change(data: bytearray) -> None:
        hive = Hive(BytesSource(bytes(data)))
        at = 4096 + hive.key(path).offset + 20
        data[at : at + 4] = hive.root.offset.to_bytes(4, "little")
        seal(data)

    return change


def judged(disk: Path, *, deep: bool) -> tuple[vdiskkit.RuleResult, vdiskkit.Report]:
    with vdiskkit.open_vdisk(disk) as opened:
        report = vdiskkit.validate(opened, "integrity-only", deep=deep)
    return next(item for item in report.results if item.code == "HIV106"), report


def test_sound_hives_pass_when_they_were_walked_through(tmp_path: Path) -> None:
    disk = pair(tmp_path)
    result, _ = judged(disk, deep=True)
    assert result.verdict == "pass"
    assert [line.partition(":")[0] for line in result.evidence] == ["SOFTWARE", "SYSTEM"]
    result, _ = judged(disk, deep=False)
    assert (result.verdict, result.reason) == ("skipped", "--deep walks through the hives")


def test_a_hive_without_one_of_its_bins_fails_the_gate(tmp_path: Path) -> None:
    disk = spoiled("SOFTWARE", without_hbin)(tmp_path)
    result, report = judged(disk, deep=True)
    assert result.verdict == "fail"
    found = [item for item in report.findings if item.code == "HIV106"]
    assert found[0].message == "the SOFTWARE hive is damaged"
    assert found[0].evidence == NO_BIN
    assert report.failed


def test_inspect_calls_no_hive_sound_that_was_not_walked_through(tmp_path: Path) -> None:
    from vdiskkit.report.style import Style
    from vdiskkit.report.text import inspection_lines

    def inspection_text(facts: vdiskkit.Inspection) -> str:
        return "\n".join(inspection_lines(facts, Style(width=None)))

    disk = spoiled("SOFTWARE", without_hbin)(tmp_path)
    with vdiskkit.open_vdisk(disk) as opened:
        quick, deep = inspection_text(opened.inspect()), inspection_text(opened.inspect(deep=True))
    assert "SOFTWARE, SYSTEM: written back (--deep walks through them)" in quick
    assert f"SOFTWARE is damaged: {NO_BIN}" in " ".join(deep.split())
    assert "SYSTEM: written back and sound" in deep


def test_a_key_below_a_key_that_it_does_not_name_is_a_fault(tmp_path: Path) -> None:
    _, report = judged(spoiled("SYSTEM", other_parent(r"ControlSet001\Services\BNDevice"))(tmp_path), deep=True)
    (finding,) = [item for item in report.findings if item.code == "HIV106"]
    assert finding.evidence is not None
    assert "as its parent, and is listed by" in finding.evidence


@pytest.mark.parametrize("full", [False, True])
def test_a_change_of_a_hive_that_was_damaged_before_says_so(tmp_path: Path, *, full: bool) -> None:
    disk = spoiled("SOFTWARE", other_parent(r"Citrix\ProvisioningServices"))(tmp_path)
    key = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform"
    operation = vdiskkit.SetValue(key=key, name="SkipRearm", type=4, data=bytes(4))
    plan = vdiskkit.plan(disk, [operation], force=["standard-mode"], full_check=full)
    told = [note for note in plan.notes if note.startswith("the SOFTWARE hive was damaged before (")]
    assert bool(told) is full

"""What ``chain check`` finds: each rule on a chain where it fails, and nothing on one that is whole."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import vdiskkit
from tests.build.pair import side_car
from tests.build.vhd import ParentLink, build_vhd
from tests.build.vhd_faults import break_vhd, set_bat, set_footer, set_header
from tests.build.vhdx import HEADERS, MIB, REGION_TABLES, Page, build_vhdx, link_to, put_log
from tests.unit.chain.stores import BLOCK, SIZE, describe, put, save, vhd_chain, vhdx_chain, vhdx_images
from vdiskkit.rules.chain_check import chain_rules
from vdiskkit.rules.facts import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdiskkit import Report
    from vdiskkit.rules.facts import RuleResult


def codes(report: Report) -> set[str]:
    return {finding.code for finding in report.findings}


def result(report: Report, code: str) -> RuleResult:
    return next(item for item in report.results if item.code == code)


def described(folder: Path, make: Callable[[Path, int], Path]) -> Path:
    """A base and two versions with their manifest."""
    newest = make(folder, 2)
    files = [newest.with_name(newest.name.replace("2", "1")), newest]
    base = folder / f"desk.{newest.suffix[2:]}"
    describe(folder, base, *files)
    _keep_times(folder)
    return newest


def _keep_times(folder: Path) -> None:
    """Let the manifest state the times that the files have, and give every file the time that children remember."""
    import datetime as dt
    import re

    from tests.build.vhd import DEFAULT_TIMESTAMP
    from tests.unit.chain.stores import EPOCH_2000

    when = EPOCH_2000 + DEFAULT_TIMESTAMP
    for path in folder.iterdir():
        os.utime(path, (when, when))
    text = (folder / "desk.xml").read_text(encoding="utf-8")
    stated = dt.datetime.fromtimestamp(when, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")
    text = re.sub(r"<lastWriteTime>[^<]*<", f"<lastWriteTime>{stated}<", text)
    (folder / "desk.xml").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("make", [vhd_chain, vhdx_chain], ids=["vhd", "vhdx"])
def test_a_whole_chain_passes(tmp_path: Path, make: Callable[[Path, int], Path]) -> None:
    newest = described(tmp_path, make)
    report = vdiskkit.check_chain(newest)
    assert report.findings == ()
    assert not report.failed
    assert [item.code for item in report.results] == [rule.code for rule in chain_rules()]
    family = "VHX" if newest.suffix == ".avhdx" else "VHD"
    other = {"VHX": "VHD", "VHD": "VHX"}[family]
    for item in report.results:
        if item.code.startswith(other):
            # Notices and journals do not depend on the format.
            assert item.verdict in (Verdict.SKIPPED, Verdict.PASS)
        elif item.code == "CHN102" and family == "VHX":
            assert item.verdict is Verdict.SKIPPED
        else:
            assert (item.code, item.verdict) == (item.code, Verdict.PASS)
    assert "3 files" in result(report, "CHN108").evidence[0]


def vhd_fault(fault: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        data = build_vhd("dynamic", SIZE, BLOCK, {0: b"a" * 512, BLOCK: b"b" * 512})
        return put(folder / "desk.vhd", bytes(break_vhd(data, fault)))

    return make


def vhd_changed(change: Callable[[bytearray], bytes | bytearray], file: str = "desk.vhd") -> Callable[[Path], Path]:
    """A fault in one file of a chain of three."""

    def make(folder: Path) -> Path:
        newest = described(folder, vhd_chain)
        path = folder / file
        path.write_bytes(bytes(change(bytearray(path.read_bytes()))))
        _keep_times(folder)
        return newest

    return make


def vhdx_changed(change: Callable[..., object], number: int = 1) -> Callable[[Path], Path]:
    """The same for VHDX; ``number`` is the version."""

    def make(folder: Path) -> Path:
        newest = described(folder, vhdx_chain)
        name, image = vhdx_images(2)[number]
        change(image)
        image.save(folder / name)
        _keep_times(folder)
        return newest

    return make


def without(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        newest = described(folder, vhd_chain)
        (folder / name).unlink()
        return newest

    return make


def twice(folder: Path) -> Path:
    newest = vhd_chain(folder, 2)
    data = build_vhd("dynamic", SIZE, BLOCK, unique_id=b"m" * 16)
    put(folder / "desk.1.vhd", data)
    return newest


def manifest_with(*changes: tuple[str, str]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        newest = described(folder, vhd_chain)
        text = (folder / "desk.xml").read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text
            head, _, tail = text.rpartition(old)
            text = head + new + tail
        (folder / "desk.xml").write_text(text, encoding="utf-8")
        return newest

    return make


def locked(folder: Path) -> Path:
    newest = described(folder, vhd_chain)
    (folder / "desk.lok").write_bytes(b"")
    return newest


def cut_side_car(folder: Path) -> Path:
    newest = described(folder, vhd_chain)
    (folder / "desk.1.pvp").write_bytes(b"too short")
    return newest


def odd_side_car(folder: Path) -> Path:
    newest = described(folder, vhd_chain)
    fields = side_car("desk.1", SIZE, BLOCK, write_cache_type=99)
    (folder / "desk.1.pvp").write_bytes(fields)
    return newest


def other_sectors(folder: Path) -> Path:
    """A child of 4096-byte sectors on a parent of 512-byte ones, with other blocks and another disk id."""
    base = build_vhdx("dynamic", SIZE, BLOCK)
    save(base, folder / "desk.vhdx")
    child = build_vhdx("differencing", SIZE, 2 * MIB, sector_size=4096, parent=link_to(base, "desk.vhdx"))
    return save(child, folder / "desk.1.avhdx")


def interrupted(folder: Path) -> Path:
    from tests.unit.rules import disks

    path = disks.interrupted(folder)
    assert isinstance(path, Path)
    return path


NO_MANIFEST = {"CHN106", "CHN107", "CHN110"}
CASES: dict[str, tuple[Callable[[Path], Path], set[str]]] = {
    "footer": (vhd_fault("footer_zeroed"), {"VHD101"}),
    "copy": (vhd_fault("copy_checksum"), {"VHD102"}),
    "copy-differs": (vhd_fault("copy_differs"), {"VHD102"}),
    "saved": (vhd_changed(lambda data: set_footer(data, 84, b"\1")), {"VHD103"}),
    "saved-parent": (vhd_changed(lambda data: set_footer(data, 84, b"\1"), "desk.1.avhd"), {"VHD103"}),
    "interrupted": (interrupted, {"VHD106"}),
    "parent's table": (vhd_changed(lambda data: set_bat(data, 0, 1)), {"VHD107", "CHN108"}),
    "parent's header": (
        vhd_changed(lambda data: set_header(data, 32, (256).to_bytes(4, "big")), "desk.1.avhd"),
        {"VHD107", "CHN108"},
    ),
    "header 1": (vhdx_changed(lambda image: image.write(HEADERS[0], b"none")), {"VHX101"}),
    "header 2": (vhdx_changed(lambda image: image.write(HEADERS[1] + 80, b"none"), 0), {"VHX101"}),
    "region table 1": (vhdx_changed(lambda image: image.write(REGION_TABLES[0] + 50_000, b"x")), {"VHX102"}),
    "log": (vhdx_changed(lambda image: put_log(image, [[Page(5 * MIB, b"new")]])), {"VHX103"}),
    "region table 2": (vhdx_changed(lambda image: image.write(REGION_TABLES[1] + 50_000, b"x"), 0), {"VHX104"}),
    "vhdx table": (vhdx_changed(lambda image: image.set_entry(0, 4), 2), {"VHX105", "CHN108"}),
    "vhdx metadata": (vhdx_changed(lambda image: image.set_metadata([]), 0), {"VHX105", "CHN108"}),
    "log place": (vhdx_changed(lambda image: image.set_header(log_length=64 * MIB), 0), {"VHX105", "CHN108"}),
    "base gone": (without("desk.vhd"), {"CHN101", "CHN107", "CHN108"}),
    "version gone": (without("desk.1.avhd"), {"CHN101", "CHN107", "CHN108"}),
    "times": (vhd_changed(lambda data: set_header(data, 56, b"\0\0\x30\x39"), "desk.2.avhd"), {"CHN102"}),
    "side-car of the parent": (without("desk.1.pvp"), {"CHN103"}),
    "side-car of the disk": (without("desk.2.pvp"), {"CHN103"}),
    "twice": (twice, {"CHN104"}),
    "not newest": (lambda folder: described(folder, vhd_chain).with_name("desk.1.avhd"), {"CHN105"}),
    "maintenance": (manifest_with(("<access>0<", "<access>1<")), {"CHN106"}),
    "sizes": (manifest_with(("<size>", "<size>9")), {"CHN107"}),
    "sector sizes": (other_sectors, {"CHN109", "PVP107"}),
    "parent's size": (
        vhd_changed(lambda data: set_footer(data, 48, (SIZE - 512).to_bytes(8, "big"))),
        {"CHN109", "PVP106"},
    ),
    "other number": (manifest_with(("<versionNumber>1<", "<versionNumber>0<")), {"CHN107", "CHN110"}),
    "other type": (manifest_with(("<type>1<", "<type>4<")), {"CHN110"}),
    "locked": (locked, {"CHN111"}),
    "side-car of a parent cut": (cut_side_car, {"CHN103"}),
    "side-car of a parent": (odd_side_car, {"PVP102"}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_fails_and_nothing_else_does(tmp_path: Path, case: str) -> None:
    make, expected = CASES[case]
    report = vdiskkit.check_chain(make(tmp_path))
    assert codes(report) == expected, [finding.message for finding in report.findings]
    for finding in report.findings:
        assert finding.message
        assert finding.fix
        assert finding.location or finding.code in ("CHN101", "CHN104", "CHN105")
    errors = any(finding.severity == "error" for finding in report.findings)
    assert report.failed is errors


def test_every_rule_of_the_check_has_a_case() -> None:
    covered = {code for _, expected in CASES.values() for code in expected}
    # A fixed VHD alone has these: test_sizes_of_a_fixed_disk.
    assert {rule.code for rule in chain_rules()} - covered == {"VHD104"}


def test_sizes_of_a_fixed_disk(tmp_path: Path) -> None:
    data = build_vhd("fixed", 64 * 1024)
    path = put(tmp_path / "desk.vhd", data[:-512] + bytes(512) + data[-512:])
    assert codes(vdiskkit.check_chain(path)) == {"VHD104", "PVP106"}


def test_what_cannot_be_told_is_unknown(tmp_path: Path) -> None:
    newest = vhd_chain(tmp_path, 1)
    report = vdiskkit.check_chain(newest)
    assert {item.code for item in report.results if item.verdict is Verdict.UNKNOWN} == NO_MANIFEST
    data = bytearray(newest.read_bytes())
    put(newest, bytes(set_header(data, 56, bytes(4))))
    assert result(vdiskkit.check_chain(newest), "CHN102").verdict is Verdict.UNKNOWN


def test_a_profile_chooses_and_waives(tmp_path: Path) -> None:
    newest = without("desk.1.pvp")(tmp_path)
    assert vdiskkit.check_chain(newest).failed
    profile = tmp_path / "own.toml"
    profile.write_text('extends = "integrity-only"\nignore = ["CHN103"]\n', encoding="utf-8")
    assert not vdiskkit.check_chain(newest, str(profile)).findings
    waiver = '[[waiver]]\nrule = "CHN103"\nreason = "made anew"\nexpires = 2999-01-01\n'
    profile.write_text(f'extends = "integrity-only"\n{waiver}', encoding="utf-8")
    report = vdiskkit.check_chain(newest, str(profile))
    assert not report.failed
    assert [item.finding.code for item in report.waived] == ["CHN103"]


@pytest.mark.parametrize(
    ("case", "expected"),
    [("region table 2", {"VHX104"}), ("side-car of the disk", None), ("parent's size", {"CHN109"})],
)
def test_validate_deep_knows_the_same_rules(tmp_path: Path, case: str, expected: set[str] | None) -> None:
    path = CASES[case][0](tmp_path)
    chosen = ["VHD", "VHX", "CHN"]
    with vdiskkit.open_vdisk(path) as disk:
        deep = vdiskkit.validate(disk, "integrity-only", select=chosen, ignore=["VHD105"], deep=True)
        glance = vdiskkit.validate(disk, "integrity-only", select=chosen, ignore=["VHD105"])
    if expected is not None:
        assert codes(deep) == expected
    for code in ("VHD107", "VHX104", "VHX105"):
        assert result(glance, code).verdict is Verdict.SKIPPED
    family = "VHX105" if path.suffix == ".avhdx" else "VHD107"
    assert result(deep, family).verdict is Verdict.PASS
    assert "chain check" in (result(glance, family).reason or "")
    assert "3 files" in result(glance, "CHN108").evidence[0]


def test_a_chain_in_two_folders(tmp_path: Path) -> None:
    newest = vhd_chain(tmp_path, 2)
    away = tmp_path / "away"
    away.mkdir()
    for name in ("desk.vhd", "desk.pvp"):
        (tmp_path / name).rename(away / name)
    report = vdiskkit.check_chain(newest, parent_dirs=[away])
    assert codes(report) == {"CHN101"}, "the chain is whole, the folder is not"
    assert "CHN108" in codes(vdiskkit.check_chain(newest))


def test_an_id_that_is_another_one(tmp_path: Path) -> None:
    newest = vhd_chain(tmp_path, 1)
    link = ParentLink(uuid.UUID(int=7).bytes, "desk.vhd", ((b"W2ru", r".\desk.vhd"),))
    put(newest, build_vhd("differencing", SIZE, BLOCK, parent=link))
    report = vdiskkit.check_chain(newest)
    found = next(item for item in report.findings if item.code == "CHN108")
    assert found.evidence == "wrong_id"
    assert "its id is" in found.message

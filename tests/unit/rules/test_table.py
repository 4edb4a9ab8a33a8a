"""Every rule on a disk that passes, on one that fails, and on one that does not show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from vdiskkit.rules.catalogue import built_in_rules

if TYPE_CHECKING:
    from tests.unit.rules.conftest import Judge
    from vdiskkit import RuleResult


class Row(NamedTuple):
    """Case names, each with ``@profile`` where it is not kms-standard; no name for a rule that never passes."""

    fails: str
    unknown: str = "encrypted"
    passes: str = "healthy"
    verdict: str = "fail"
    also: frozenset[str] = frozenset()
    """Further rules that the same fault concerns."""


def also(*codes: str) -> frozenset[str]:
    return frozenset(codes)


TABLE = {
    "VHD101": Row("footer-damaged", "raw"),
    "VHD102": Row("copy-damaged", "raw", verdict="warn"),
    "VHD103": Row("saved-state", "raw"),
    "VHD104": Row("geometry", "raw", verdict="warn"),
    "VHD105": Row("unaligned", "raw", verdict="note"),
    "VHD106": Row("interrupted", "stream", also=also("PVP103")),
    "VHX101": Row("vhdx-header", "raw", "vhdx", verdict="warn"),
    "VHX102": Row("vhdx-regions", "raw", "vhdx", verdict="warn"),
    "VHX103": Row("vhdx-log", "raw", "vhdx"),
    "CHN101": Row("without-parent", "stream"),
    "CHN102": Row("parent-changed", "parent-time-unknown", "versions", verdict="warn"),
    "CHN103": Row("base-without-side-car", "stream"),
    "CHN104": Row("twice", "stream", verdict="warn"),
    "CHN105": Row("not-newest", "stream", verdict="warn"),
    "CHN106": Row("maintenance", "no-manifest", "versions"),
    "CHN107": Row("misfit-manifest", "no-manifest", "versions", also=also("CHN110")),
    "CHN109": Row("larger-than-its-parent", "raw", "versions", verdict="warn"),
    "CHN110": Row("without-its-version", "no-manifest", "versions", verdict="warn"),
    "CHN111": Row("parent-locked", "stream", "versions", verdict="warn"),
    "PRT101": Row("gpt-damaged", "blank", verdict="warn"),
    "PRT102": Row("past-end", "blank"),
    "PRT103": Row("two-windows", "blank", verdict="warn"),
    "PRT104": Row("dynamic-disk", "blank", verdict="warn"),
    "NTF101": Row("dirty-volume", verdict="warn"),
    "NTF102": Row("hibernated"),
    "NTF103": Row("fast-startup", verdict="warn"),
    "NTF104": Row("encrypted-beside", "blank"),
    "NTF105": Row("full", verdict="warn"),
    "NTF106": Row("volume-cut"),
    "HIV101": Row("unwritten", verdict="warn"),
    "HIV102": Row("no-system-hive"),
    "HIV103": Row("transaction", verdict="warn"),
    "HIV104": Row("dirty-hive"),
    "HIV105": Row("key-in-log", "dirty-hive", verdict="warn", also=also("HIV101")),
    "PVP101": Row("alone", "stream"),
    "PVP102": Row("implausible", "alone"),
    "PVP103": Row("private", "alone"),
    "PVP104": Row("license-none", "alone"),
    "PVP105": Row("locked", "stream", verdict="warn"),
    "PVP106": Row("other-size", "alone", verdict="warn"),
    "PVP107": Row("other-block-size", "alone", verdict="warn"),
    "PVP108": Row("renamed", "alone", verdict="note"),
    "PVP109": Row("sealed-late", "healthy", passes="", verdict="warn"),
    "PVP110": Row("write-cache", "stream", verdict="note"),
    "PVP111": Row("healthy@ad-off", "alone@ad-on", "healthy@ad-on"),
    "KMS101": Row("mak"),
    "KMS102": Row("other-edition", verdict="warn"),
    "KMS103": Row("csvlk", "no-key"),
    "KMS104": Row("channel-differs", "no-key"),
    "KMS105": Row("bad-crc", "no-key", verdict="warn"),
    "KMS106": Row("gvlk-in-mak-pair@mak", "no-key@mak", "mak-pair@mak"),
    "KMS110": Row("skip-rearm", "no-software-hive", verdict="warn"),
    "KMS111": Row("unattend", verdict="warn"),
    "KMS112": Row("no-tokens"),
    "KMS113": Row("win8-on-10", verdict="warn", also=also("KMS112")),
    "KMS114": Row("old-tokens", "no-tokens", verdict="note"),
    "KMS120": Row("kms-host", verdict="warn"),
    "KMS121": Row("kms-port-dword"),
    "KMS122": Row("kms-public@host", verdict="warn"),
    "KMS123": Row("activation-type"),
    "KMS124": Row("unanswered", verdict="note"),
    "OFF101": Row("retail-office", verdict="note"),
    "OFF102": Row("office-mak", "office-c2r"),
    "OFF103": Row("office-host", verdict="warn"),
    "OFF104": Row("office-no-tokens", passes="office-2010", verdict="warn"),
    "OFF105": Row("office-not-rearmed", "office-2010-unmarked", "office-2010", verdict="warn"),
    "SEC101": Row("host-role", verdict="warn"),
    "SEC102": Row("cached-host", verdict="note"),
    "SEC103": Row("mcs", verdict="warn"),
    "SEC104": Row("standard-traces", verdict="note"),
    "SEC105": Row("bisf-old", passes="bisf", verdict="warn"),
    "SEC106": Row("scsi", verdict="warn"),
    "TGT101": Row("no-windows"),
    "TGT102": Row("no-target", "no-system-hive"),
    "TGT103": Row("driver-disabled", "no-system-hive"),
    "TGT104": Row("no-driver-file", "no-system-hive"),
    "TGT105": Row("healthy@new-target", "encrypted@new-target", "healthy@old-target", verdict="warn"),
    "TGT110": Row("password-change", verdict="warn"),
    "TGT111": Row("page-file", verdict="note"),
    "TGT120": Row("servicing"),
    "TGT121": Row("update", "no-system-hive", verdict="warn"),
    "TGT122": Row("resealed"),
    "EXP101": Row("healthy@value-wrong", "no-software-hive@value-right", "healthy@value-right"),
    "EXP102": Row("healthy@file-not-there", "encrypted@file-there", "healthy@file-there"),
    "EXP103": Row("healthy@file-forbidden", "encrypted@file-there", "healthy@file-there"),
    "WVR101": Row("healthy@waiver-old", "stream@waiver-named", "healthy@waiver", verdict="warn"),
}


NEVER_PASSES = tuple(code for code, row in TABLE.items() if not row.passes)
"""What they ask for leaves no trace in the files, so nothing can prove it."""

NEVER_FAILS = ("VHD107", "VHX104", "VHX105", "CHN108", "HIV106")
"""What they find keeps a disk from being opened, or is read only on request; see ``test_chain_check.py`` and
``test_sound_hives.py``."""


def result(judge: Judge, name: str, code: str) -> RuleResult:
    case, _, profile = name.partition("@")
    report = judge(case, profile or "kms-standard")
    return next(item for item in report.results if item.code == code)


def test_no_rule_is_without_its_three_disks() -> None:
    assert list(TABLE) == [rule.code for rule in built_in_rules() if rule.code not in NEVER_FAILS]


@pytest.mark.parametrize("code", [code for code in TABLE if code not in NEVER_PASSES])
def test_passes(judge: Judge, code: str) -> None:
    found = result(judge, TABLE[code].passes, code)
    assert (found.verdict, found.reason, found.findings) == ("pass", None, 0)


@pytest.mark.parametrize("code", TABLE)
def test_fails_and_nothing_else_does(judge: Judge, code: str) -> None:
    row = TABLE[code]
    found = result(judge, row.fails, code)
    assert found.verdict == row.verdict
    assert found.findings
    case, _, profile = row.fails.partition("@")
    report = judge(case, profile or "kms-standard")
    assert {finding.code for finding in report.findings} == {code, *row.also}
    for finding in report.findings:
        assert finding.message
        assert finding.fix


@pytest.mark.parametrize("code", TABLE)
def test_is_not_determinable(judge: Judge, code: str) -> None:
    found = result(judge, TABLE[code].unknown, code)
    assert found.verdict == "unknown"
    assert found.reason
    assert found.findings == 0

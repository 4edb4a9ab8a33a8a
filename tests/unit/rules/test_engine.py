"""Running rules: severities, waivers, what is not determinable, rules of others, cost."""

from __future__ import annotations

import datetime as dt
import io
import pickle
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import vdiskkit
from tests.unit.rules.conftest import NOW
from tests.unit.rules.profiles import PROFILES
from vdiskkit import Problem, Severity, Unknown, UsageError, ValidationFailed
from vdiskkit.rules import catalogue
from vdiskkit.rules.engine import evaluate

if TYPE_CHECKING:
    import functools
    from collections.abc import Iterator
    from typing import BinaryIO

    from tests.unit.rules.conftest import Judge
    from vdiskkit import Profile, Report
    from vdiskkit.rules.model import Context, Outcome

DOCS = Path(__file__).parents[3] / "docs"


def report_on(
    case_disk: functools._lru_cache_wrapper[Path | BinaryIO], case: str, profile: Any = "kms-standard", **options: Any
) -> Report:
    with vdiskkit.open_vdisk(case_disk(case)) as disk:
        return vdiskkit.validate(disk, profile, now=NOW, **options)


def own(tmp_path: Path, text: str) -> Profile:
    path = tmp_path / "own.toml"
    path.write_text(f'extends = "kms-standard"\n{text}', encoding="utf-8")
    return vdiskkit.load_profile(path)


def test_the_profile_changes_severities(case_disk: Any, tmp_path: Path) -> None:
    assert not report_on(case_disk, "skip-rearm").failed
    stricter = own(tmp_path, '[severity]\nKMS110 = "error"\n')
    report = report_on(case_disk, "skip-rearm", stricter)
    assert [finding.severity for finding in report.findings] == [Severity.ERROR]
    assert report.failed


def test_the_fail_level(case_disk: Any) -> None:
    assert report_on(case_disk, "skip-rearm", fail_on="warning").failed
    assert not report_on(case_disk, "renamed", fail_on="warning").failed
    assert report_on(case_disk, "renamed", fail_on="note").failed


def test_a_waiver_accepts_until_its_day(case_disk: Any, tmp_path: Path) -> None:
    for day, waived in ((NOW.date(), True), (NOW.date() - dt.timedelta(days=1), False)):
        text = f'[[waiver]]\nrule = "KMS110"\nreason = "because"\nexpires = {day}\n'
        report = report_on(case_disk, "skip-rearm", own(tmp_path, text))
        assert [finding.code for finding in report.findings] == ([] if waived else ["KMS110", "WVR101"])
        assert len(report.waived) == int(waived)
        assert report.counts.waived == int(waived)


def test_a_waiver_for_other_disks_changes_nothing(case_disk: Any, tmp_path: Path) -> None:
    text = '[[waiver]]\nrule = "KMS110"\nreason = "x"\nexpires = 2030-01-01\ndisks = ["{}"]\n'
    assert report_on(case_disk, "skip-rearm", own(tmp_path, text.format("other*.vhd"))).findings
    assert not report_on(case_disk, "skip-rearm", own(tmp_path, text.format("DISK.*"))).findings


def test_strict_about_what_is_not_determinable(case_disk: Any) -> None:
    lax = report_on(case_disk, "office-c2r")
    assert (lax.findings, lax.counts.unknown) == ((), 2)
    strict = report_on(case_disk, "office-c2r", strict_unknown=True, ignore=["PVP109"])
    assert [(finding.code, finding.severity) for finding in strict.findings] == [("OFF102", Severity.ERROR)]
    assert strict.findings[0].message.startswith("not determinable: ")
    assert strict.failed
    assert strict.counts.unknown == 1, "it is still told as not determinable"


def test_raise_for_findings(case_disk: Any) -> None:
    report = report_on(case_disk, "skip-rearm")
    report.raise_for_findings()
    with pytest.raises(ValidationFailed, match="1 finding, the first: KMS110") as caught:
        report.raise_for_findings(at_least="warning")
    assert caught.value.findings == report.findings
    assert caught.value.exit_code == 1
    assert report.at_least("error") == ()
    strict = report_on(case_disk, "skip-rearm", fail_on="warning")
    assert strict.failed
    with pytest.raises(ValidationFailed, match="KMS110"):
        strict.raise_for_findings()
    with pytest.raises(UsageError, match="no severity"):
        report.raise_for_findings(at_least="fatal")


def test_the_default_profile_follows_the_licence_mode(case_disk: Any) -> None:
    for case, name in (("healthy", "kms-standard"), ("mak-pair", "mak"), ("license-none", "no-licensing")):
        report = report_on(case_disk, case, None)
        assert report.profile.name == name
        assert report.profile.chosen_by.startswith("by the licence mode in the side-car")
    assert report_on(case_disk, "alone", None).profile.name == "no-licensing"


def test_licence_mode_none_by_default_is_doubted_and_by_name_is_meant(case_disk: Any) -> None:
    assert [item.code for item in report_on(case_disk, "license-none", None).findings] == ["PVP104"]
    assert report_on(case_disk, "license-none", "no-licensing").findings == ()


def test_selecting_what_is_no_rule_is_an_error(case_disk: Any) -> None:
    for option in ("select", "extend_select", "ignore"):
        with pytest.raises(UsageError, match="no rule code begins with 'KSM'") as caught:
            report_on(case_disk, "healthy", **{option: ["KSM"]})
        assert "KMS" in (caught.value.hint or "")


def test_the_same_facts_give_the_same_report(case_disk: Any) -> None:
    first, second = (report_on(case_disk, "mak") for _ in range(2))
    assert first == second
    assert pickle.loads(pickle.dumps(first)) == first  # noqa: S301 - our own object


def test_findings_are_sorted_worst_first(judge: Judge) -> None:
    ranks = [finding.severity.rank for finding in judge("no-target").findings]
    assert ranks == sorted(ranks, reverse=True)
    assert len(set(ranks)) > 1


def test_many_findings_of_one_rule_are_counted(case_disk: Any) -> None:
    @vdiskkit.rule("ACME100", "nothing is wrong a thousand times", severity="note")
    def many(_: Context) -> Iterator[Outcome]:
        yield from (Problem(f"number {number}") for number in range(1000))

    report = report_on(case_disk, "healthy", rules=[many])
    assert len(report.findings) == 51
    assert report.findings[-1].message == "950 more of this kind are not listed"


# rules of others


def documented_example() -> str:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "profiles.md").read_text(encoding="utf-8"), re.DOTALL)
    (block,) = (block for block in blocks if "@vdiskkit.rule" in block)
    return str(block)


def test_the_documented_rule_works_as_it_stands(case_disk: Any) -> None:
    names: dict[str, Any] = {}
    exec(documented_example(), names)  # noqa: S102 - the example of the documents
    rule = names["named"]
    results = {}
    for case in ("healthy", "encrypted", "scenario-desk10"):
        report = report_on(case_disk, case, rules=[rule])
        results[case] = next(item.verdict for item in report.results if item.code == "ACME101")
    assert results == {"healthy": "pass", "encrypted": "unknown", "scenario-desk10": "warn"}


def test_rules_must_have_codes_of_their_own(case_disk: Any) -> None:
    @vdiskkit.rule("KMS110", "taken")
    def taken(_: Context) -> Iterator[Outcome]:
        yield Unknown("x")

    with pytest.raises(UsageError, match="two rules have the code KMS110"):
        report_on(case_disk, "healthy", rules=[taken])
    for code in ("acme1", "ACME", "A1", ""):
        with pytest.raises(UsageError, match="no rule code"):
            vdiskkit.rule(code, "x")
    with pytest.raises(UsageError, match="no severity"):
        vdiskkit.rule("ACME1", "x", severity="fatal")


def test_a_rule_of_others_that_fails_is_named(case_disk: Any) -> None:
    @vdiskkit.rule("ACME102", "it raises")
    def broken(context: Context) -> Iterator[Outcome]:
        yield Problem("first")
        raise ZeroDivisionError("by nothing")

    with pytest.raises(UsageError, match="the rule ACME102 failed: ZeroDivisionError: by nothing"):
        report_on(case_disk, "healthy", rules=[broken])


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place where packages with entry points can be put; the catalogue forgets what it knew."""
    monkeypatch.syspath_prepend(str(tmp_path))
    catalogue.all_rules.cache_clear()
    yield tmp_path
    catalogue.all_rules.cache_clear()
    for name in [name for name in sys.modules if name.startswith("acme_rules")]:
        del sys.modules[name]


def install(folder: Path, entry: str, code: str, name: str = "acme_rules") -> None:
    (folder / f"{name}.py").write_text(code, encoding="utf-8")
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[vdiskkit.rules]\nacme = {entry}\n", encoding="utf-8")


@pytest.mark.parametrize("entry", ["acme_rules", "acme_rules:named", "acme_rules:RULES"])
def test_rules_of_installed_packages_are_found(installed: Path, case_disk: Any, entry: str) -> None:
    install(installed, entry, f"{documented_example()}\nRULES = [named]\n")
    assert catalogue.find_rule("acme101").title == "The master is named after the convention"
    report = report_on(case_disk, "scenario-desk10")
    assert "ACME101" in [finding.code for finding in report.findings]
    profile = installed / "p.toml"
    profile.write_text('extends = "kms-standard"\nignore = ["ACME"]\n', encoding="utf-8")
    assert "ACME101" not in [finding.code for finding in report_on(case_disk, "scenario-desk10", profile).findings]


@pytest.mark.parametrize(
    ("entry", "code", "message"),
    [
        ("acme_rules:missing", "", "cannot be loaded: AttributeError"),
        ("acme_rules", "raise RuntimeError('broken')", "cannot be loaded: RuntimeError: broken"),
        ("acme_rules", "x = 1", "holds no rule"),
    ],
)
def test_a_package_whose_rules_cannot_be_had_is_an_error(
    installed: Path, case_disk: Any, entry: str, code: str, message: str
) -> None:
    install(installed, entry, code)
    with pytest.raises(UsageError, match=message):
        report_on(case_disk, "healthy")


# expectations


def test_product_keys_are_masked_in_what_a_profile_asks_for(case_disk: Any, tmp_path: Path) -> None:
    key = r'[registry."HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"]'
    profile = own(tmp_path, f'{key}\nDigitalProductId4 = "00"\nProductId = {{ regex = "x" }}\n')
    report = report_on(case_disk, "mak", profile, select=["EXP"])
    assert [finding.evidence for finding in report.findings] == [
        "REG_BINARY (product key data, not shown)",
        'REG_SZ "00329-00000-00003-AA112"',
    ]


def test_a_whole_text_must_match(case_disk: Any, tmp_path: Path) -> None:
    key = r'[registry."HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"]'
    for pattern, fits in (("Enter", False), ("Enter.*", True), ("(?i)enterprise", True)):
        profile = own(tmp_path, f'{key}\nEditionID = {{ regex = "{pattern}", type = "REG_SZ" }}\n')
        assert bool(report_on(case_disk, "healthy", profile, select=["EXP"]).findings) is not fits


def test_lists_numbers_and_types_are_compared(case_disk: Any, tmp_path: Path) -> None:
    svchost = r'[registry."HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Svchost"]'
    start = r'[registry."HKLM\\SYSTEM\\CurrentControlSet\\Services\\bnistack"]'
    right = own(
        tmp_path,
        f'{svchost}\nnetsvcs = ["BITS", "wuauserv", "Schedule", "ProfSvc"]\n{start}\nStart = 0\n'
        'ImagePath = { type = "REG_EXPAND_SZ" }\n',
    )
    assert report_on(case_disk, "healthy", right, select=["EXP"]).findings == ()
    wrong = own(tmp_path, f'{svchost}\nnetsvcs = ["BITS"]\n{start}\nStart = 4\nImagePath = {{ type = "REG_SZ" }}\n')
    messages = [finding.message for finding in report_on(case_disk, "healthy", wrong, select=["EXP"]).findings]
    assert [message.partition(": ")[2] for message in messages] == [
        "it must be BITS",
        "it must be 4",
        "it must be a REG_SZ",
    ]


def test_without_what_was_asked_for_expectations_are_open(case_disk: Any, tmp_path: Path) -> None:
    profile = own(tmp_path, PROFILES["value-right"])
    with vdiskkit.open_vdisk(case_disk("healthy")) as disk:
        inspection = disk.inspect()
    report = evaluate(inspection, profile, now=NOW)
    unknown = {result.code for result in report.results if result.verdict == "unknown"}
    assert "EXP101" in unknown
    assert "TGT120" in unknown, "a plain inspection has no readiness facts"


# cost


class CountingFile(io.FileIO):
    """A disk file that knows what was read from it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.bytes = self.calls = 0

    def readinto(self, buffer: Any, /) -> int:
        got = super().readinto(buffer) or 0
        self.bytes += got
        self.calls += 1
        return got


@pytest.mark.parametrize("case", ["healthy", "cached-host", "office-2010", "unanswered"])
def test_a_validation_reads_little(case_disk: Any, case: str, tmp_path: Path) -> None:
    profile = own(tmp_path, PROFILES["value-right"] + PROFILES["file-there"])
    with CountingFile(case_disk(case)) as file:
        with vdiskkit.open_vdisk(file) as disk:
            vdiskkit.validate(disk, profile, now=NOW)
        assert file.bytes <= 4 * 1024 * 1024
        assert file.calls <= 500


def test_one_unit_of_work_for_executors(case_disk: Any) -> None:
    report = vdiskkit.validate_path(case_disk("healthy"), "kms-standard")
    assert not report.failed

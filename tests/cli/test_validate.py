"""``validate``, ``rules``, ``rule`` and ``profile``: exit codes, forms, where a profile comes from."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import junitparser
import pytest

from tests.cli.conftest import SAMPLES
from tests.oracle.tools import missing
from tests.schemas import check
from vdiskkit.report.sarif import file_uri
from vdiskkit.report.validation import FORMATS
from vdiskkit.rules.catalogue import built_in_rules

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tests.cli.conftest import Outcome

FAULTY = SAMPLES / "faulty.vhd"
WIN7 = SAMPLES / "win7-kms.vhd"
HOSTILE = SAMPLES / "hostile.vhd"
SARIF_SCHEMA = os.environ.get("VDISKKIT_SARIF_SCHEMA")  # read before tests take settings away
CODES = {rule.code for rule in built_in_rules()}
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def checked(text: str, name: str = "validate") -> Any:
    """Parse JSON and hold it to its schema."""
    built = json.loads(text)
    check(built, f"vdiskkit.{name}/1")
    return built


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No vdiskkit.toml lies above."""
    monkeypatch.chdir(tmp_path)


# exit codes


def test_0_fit(run: Callable[..., Outcome]) -> None:
    outcome = run("validate", WIN7, "--ignore", "OFF")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines()[-1].startswith("  summary         ✓ fit: no findings")


def test_1_findings(run: Callable[..., Outcome]) -> None:
    outcome = run("validate", FAULTY)
    assert (outcome.code, outcome.err) == (1, "")
    assert [code for code in ("KMS101", "KMS110", "KMS112") if code in outcome.out] == ["KMS101", "KMS110", "KMS112"]


@pytest.mark.parametrize("form", ["text", *FORMATS])
def test_forms_never_change_the_exit_code(run: Callable[..., Outcome], form: str) -> None:
    for disk, code in ((WIN7, 0), (FAULTY, 1), ("missing.vhd", 3)):
        assert run("validate", disk, "--output-format", form).code == code


def test_the_fail_level_decides(run: Callable[..., Outcome]) -> None:
    only = ("--select", "KMS110")
    assert run("validate", FAULTY, *only).code == 0
    assert run("validate", FAULTY, *only, "--fail-on", "warning").code == 1
    assert run("validate", FAULTY, *only, "--fail-on", "warning", "--exit-zero").code == 0
    assert run("validate", FAULTY, "--select", "KMS114", "--strict-unknown").code == 1
    assert run("validate", FAULTY, "--exit-zero").code == 0
    assert run("validate", "missing.vhd", "--exit-zero").code == 3


@pytest.mark.parametrize(
    "args",
    [
        (),
        (FAULTY, "--profile", "kms-standrad"),
        (FAULTY, "--select", "KSM"),
        (FAULTY, "--ignore", "kms999"),
        (FAULTY, "--fail-on", "fatal"),
        (FAULTY, "--report", "junit"),
        (FAULTY, "--report", "pdf=x.pdf"),
        (FAULTY, "--report", "junit=/no/such/folder/x.xml"),
        (FAULTY, "--report", "junit=x", "--report", "sarif=x"),
        (FAULTY, "--report", f"junit={WIN7}"),
        (FAULTY, "--jobs", "0"),
    ],
)
def test_2_usage(run: Callable[..., Outcome], args: tuple[object, ...]) -> None:
    outcome = run("validate", *args)
    assert (outcome.code, outcome.out) == (2, "")
    assert "\n  hint  " in outcome.err


def test_2_two_forms_exclude_each_other(run: Callable[..., Outcome]) -> None:
    outcome = run("validate", FAULTY, "--json", "--output-format", "sarif")
    assert outcome.code == 2
    assert "exclude each other" in checked(outcome.out)["error"]["message"]


def test_2_a_wrong_profile_before_any_disk_is_opened(run: Callable[..., Outcome], tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('[expect]\nmode = "standrad"\n', encoding="utf-8")
    outcome = run("validate", "missing.vhd", "--profile", "own.toml")
    assert outcome.code == 2
    assert "own.toml > line:2" in outcome.err
    assert "did you mean 'standard'?" in outcome.err


def test_3_no_disk(run: Callable[..., Outcome], tmp_path: Path) -> None:
    (tmp_path / "text.vhd").write_bytes(b"no disk" * 1000)
    for disk in ("text.vhd", "missing.vhd"):
        outcome = run("validate", disk, "--json")
        assert outcome.code == 3
        assert checked(outcome.out)["error"]["message"]
    assert run("validate", "text.vhd", "missing.vhd").code == 3, "none could be examined"


def test_8_some_could_not_be_examined(run: Callable[..., Outcome]) -> None:
    outcome = run("validate", FAULTY, "missing.vhd", WIN7, "--json")
    assert outcome.code == 8
    built = checked(outcome.out)
    assert built["exit_code"] == 8
    assert built["summary"] == {"disks": 3, "failed": 1, "unfit": 1}
    assert ["error" in disk for disk in built["disks"]] == [False, True, False]
    assert {finding["target"] for finding in built["findings"]} >= {str(FAULTY)}


# which profile


def test_the_profile_is_named_with_its_reason(
    run: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def profile(*args: object) -> dict[str, str]:
        found: dict[str, str] = run("validate", FAULTY, "--json", *args).json["disks"][0]["result"]["profile"]
        return found

    assert profile()["chosen_by"] == "by the licence mode in the side-car: kms"
    below = tmp_path / "below"
    below.mkdir()
    (tmp_path / "vdiskkit.toml").write_text('extends = "mak"\n', encoding="utf-8")
    monkeypatch.chdir(below)
    assert profile()["chosen_by"] == "by vdiskkit.toml in or above the working folder"
    assert profile("--profile", "mak") == {"name": "mak", "source": "built in", "chosen_by": "by --profile"}


def test_variables_name_a_profile(process: Callable[..., subprocess.CompletedProcess[bytes]], tmp_path: Path) -> None:
    for name in ("VDISKKIT_PROFILE", "VDISKKIT_VALIDATE_PROFILE"):
        done = process("validate", FAULTY, "--json", env={name: "integrity-only"}, cwd=tmp_path)
        assert done.returncode == 0
        assert json.loads(done.stdout)["disks"][0]["result"]["profile"]["name"] == "integrity-only"


# text


def test_text_in_80_columns_and_on_an_old_console(
    process: Callable[..., subprocess.CompletedProcess[bytes]], tmp_path: Path
) -> None:
    env = {"PYTHONUTF8": "0", "PYTHONIOENCODING": "cp437"}
    done = process("validate", FAULTY, HOSTILE, "--all-results", env=env, cwd=tmp_path)
    text = done.stdout.decode("cp437")
    assert done.returncode == 1
    assert done.stderr == b""
    assert "\n    KMS101        - the installed key" in text
    assert not _CONTROLS.search(text.replace("\r\n", "\n"))


def test_text_wraps_on_a_terminal() -> None:
    import vdiskkit
    from vdiskkit.report.style import Style
    from vdiskkit.report.validation_text import validation_lines

    for sample in (FAULTY, HOSTILE, WIN7):
        with vdiskkit.open_vdisk(sample) as disk:
            report = vdiskkit.validate(disk)
        lines = validation_lines(report, Style(width=80, symbols=False), every_result=True)
        assert max(len(line) for line in lines) <= 80
        assert all(line.isascii() for line in lines) or sample is HOSTILE


def test_all_results_tells_what_passed_and_why(run: Callable[..., Outcome]) -> None:
    outcome = run("validate", WIN7, "--all-results")
    told = {code for code in CODES if code in outcome.out}
    assert told == CODES
    assert "SkipRearm is absent" in outcome.out


# other forms


def test_json_lines(run: Callable[..., Outcome]) -> None:
    lines = [
        json.loads(line) for line in run("validate", FAULTY, "missing.vhd", "--output-format", "jsonl").out.splitlines()
    ]
    kinds = [line["type"] for line in lines]
    assert {"finding", "unknown", "report", "error"} == set(kinds)
    assert [line["code"] for line in lines if line["type"] == "finding"][:1] == ["KMS101"]


def test_csv_has_no_formulas(run: Callable[..., Outcome]) -> None:
    rows = list(csv.DictReader(io.StringIO(run("validate", HOSTILE, "--output-format", "csv").out)))
    assert rows
    for row in rows:
        assert row["code"] in CODES
        assert not any(str(cell)[:1] in ("=", "+", "-", "@") for cell in row.values())


def junit(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - our own output


def test_junit_counts_what_it_holds(run: Callable[..., Outcome]) -> None:
    root = junit(run("validate", FAULTY, "missing.vhd", "--output-format", "junit").out)
    suites = root.findall("testsuite")
    assert [suite.get("name") for suite in suites] == [str(FAULTY), "missing.vhd"]
    for element in (root, *suites):
        for name, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert element.get(name) == str(len(list(element.iter(tag))))
    cases = {str(case.get("name")).partition(" ")[0]: case for case in suites[0].iter("testcase")}
    assert set(cases) == CODES
    assert cases["KMS101"].find("failure") is not None
    warned = cases["KMS110"]
    assert warned.find("failure") is None
    assert "SkipRearm is 1" in str(warned.findtext("system-out"))
    skipped = cases["KMS114"].find("skipped")
    assert skipped is not None
    assert str(skipped.get("message")).startswith("not determinable: ")
    assert suites[1].find("testcase/error") is not None


def test_junit_makes_what_is_not_determinable_an_error_where_it_counts(run: Callable[..., Outcome]) -> None:
    root = junit(run("validate", FAULTY, "--select", "KMS114", "--strict-unknown", "--output-format", "junit").out)
    assert root.get("errors") == "1"


def test_junit_is_read_back_by_another_library(run: Callable[..., Outcome], tmp_path: Path) -> None:
    for disk in (FAULTY, HOSTILE, "missing.vhd"):
        run("validate", disk, "--report", "junit=out.xml")
        read = junitparser.JUnitXml.fromfile(str(tmp_path / "out.xml"))
        before = (read.tests, read.failures, read.errors, read.skipped)
        read.update_statistics()
        assert (read.tests, read.failures, read.errors, read.skipped) == before
        assert read.tests


def sarif(run: Callable[..., Outcome], *args: object) -> Any:
    return json.loads(run("validate", *args, "--output-format", "sarif").out)


def test_sarif_refers_to_its_own_rules_and_files(run: Callable[..., Outcome]) -> None:
    built = sarif(run, FAULTY, "missing.vhd", HOSTILE)
    (entry,) = built["runs"]
    rules = entry["tool"]["driver"]["rules"]
    assert {rule["id"] for rule in rules} == CODES
    uris = {artifact["location"]["uri"] for artifact in entry["artifacts"]}
    for result in entry["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        assert result["message"]["text"]
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] in uris
    (invocation,) = entry["invocations"]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 8)
    levels = [item["level"] for item in invocation["toolExecutionNotifications"]]
    assert "error" in levels
    assert "note" in levels, "what is not determinable"


def test_sarif_tells_accepted_findings_as_suppressed(run: Callable[..., Outcome], tmp_path: Path) -> None:
    text = 'extends = "kms-standard"\n[[waiver]]\nrule = "KMS110"\nreason = "soon"\nexpires = 2030-01-01\n'
    (tmp_path / "vdiskkit.toml").write_text(text, encoding="utf-8")
    results = sarif(run, FAULTY)["runs"][0]["results"]
    (accepted,) = (result for result in results if result["ruleId"] == "KMS110")
    assert accepted["suppressions"][0]["justification"] == "until 2030-01-01: soon"
    assert all("suppressions" not in result for result in results if result["ruleId"] != "KMS110")


@pytest.mark.oracle
def test_sarif_fits_the_official_schema(run: Callable[..., Outcome]) -> None:
    if not SARIF_SCHEMA:
        missing("the schema of OASIS, named by VDISKKIT_SARIF_SCHEMA,")
    schema = json.loads(Path(SARIF_SCHEMA).read_text(encoding="utf-8"))
    validator = jsonschema.validators.validator_for(schema)(schema, format_checker=jsonschema.FormatChecker())
    for args in ((FAULTY,), (HOSTILE,), (WIN7,), ("missing.vhd",), (FAULTY, WIN7)):
        validator.validate(sarif(run, *args))


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("disk.vhd", "disk.vhd"),
        ("a folder/dïsk.vhd", "a%20folder/d%C3%AFsk.vhd"),
        ("/srv/x.vhd", "file:///srv/x.vhd"),
        ("C:\\Stores\\x.vhd", "file:///C:/Stores/x.vhd"),
        (r"\\pvs01\store$\x.vhd", "file://pvs01/store$/x.vhd"),
        (r"\\?\UNC\pvs01\store$\x.vhd", "file://pvs01/store$/x.vhd"),
        (r"\\?\C:\x.vhd", "file:///C:/x.vhd"),
        ("a:b.vhd", "./a:b.vhd"),
        ("\ud800.vhd", "%3F.vhd"),
    ],
)
def test_paths_as_uris(path: str, uri: str) -> None:
    assert file_uri(path) == uri


_GITHUB = re.compile(r"::(error|warning|notice) title=[A-Za-z0-9]+::[^\r\n]+|validate: .+")
_AZURE = re.compile(r"##vso\[task\.logissue type=(error|warning);code=[A-Za-z0-9]+\][^\r\n]+|note: .+|validate: .+")


@pytest.mark.parametrize(("form", "line_form"), [("github", _GITHUB), ("azure", _AZURE)])
def test_annotations_hold_no_forged_command(run: Callable[..., Outcome], form: str, line_form: re.Pattern[str]) -> None:
    missing = "missing ##vso[task.complete]%0A::error::x.vhd"
    if os.name == "nt":  # where a colon names a stream
        missing = missing.replace(":", "")
    outcome = run("validate", HOSTILE, FAULTY, missing, "--output-format", form)
    lines = outcome.out.splitlines()
    assert len(lines) > 10
    for line in lines:
        assert line_form.fullmatch(line), line
        assert "##[" not in line[2:]
        assert "##vso[" not in line[2:].lower()
    # A percent sign of ours is escaped, so the server cannot decode one into a line break.
    assert "%0A" not in outcome.out


_LABELS = re.compile(
    r"(?:disk|profile|errors|warnings|notes|waived|not determinable|passed|left out|at|found|fix|read|until|more"
    r"|summary|[A-Z]{3}[0-9]{3}|\\|)(?: |$)"
)


@pytest.mark.parametrize("form", ["text", *FORMATS])
def test_the_hostile_sample_gets_through_no_form(run: Callable[..., Outcome], form: str) -> None:
    for extra in ((), ("--strict-unknown",), ("--all-results",)):
        outcome = run("validate", HOSTILE, "--output-format", form, *extra)
        assert outcome.code == 1
        assert "PLANTED" in outcome.out
        assert not _CONTROLS.search(outcome.out.replace("\r\n", "\n"))
        for line in outcome.out.splitlines():
            assert not line.startswith(("::error::", "::error file"))
            assert form != "text" or _LABELS.match(line.lstrip()), line
        if form == "junit":
            junit(outcome.out)
        if form == "json":
            checked(outcome.out)


# reports in files


def test_several_reports_at_once(run: Callable[..., Outcome], tmp_path: Path) -> None:
    reports = [f"--report={form}=out.{form}" for form in ("text", *FORMATS)]
    outcome = run("validate", FAULTY, *reports, "--quiet")
    assert (outcome.code, outcome.err) == (1, "")
    assert outcome.out.startswith("disk  ")
    for form in FORMATS:
        direct = run("validate", FAULTY, "--output-format", form).out
        written = (tmp_path / f"out.{form}").read_bytes().decode()
        assert (written if os.name != "nt" else written.replace("\r\n", "\n")) == direct  # a stream ends lines itself
    assert (tmp_path / "out.text").read_text(encoding="utf-8") == outcome.out


def test_a_report_is_written_whole_or_not_at_all(run: Callable[..., Outcome], tmp_path: Path) -> None:
    (tmp_path / "old.xml").write_text("old", encoding="utf-8")
    outcome = run("validate", FAULTY, "--report", "junit=old.xml", "--output", "no/such/folder/out.txt")
    assert outcome.code == 2
    assert (tmp_path / "old.xml").read_text(encoding="utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["old.xml"]


def test_jobs_change_nothing_but_time(run: Callable[..., Outcome]) -> None:
    disks = [FAULTY, WIN7, "missing.vhd", HOSTILE, SAMPLES / "win10-private-mak.vhd"]
    one = run("validate", *disks, "--json")
    several = run("validate", *disks, "--json", "--jobs", "4")
    assert one == several


def test_lists_and_patterns(run: Callable[..., Outcome], tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"{FAULTY}\n{WIN7}\n", encoding="utf-8")
    built = checked(run("validate", "--files-from", "list", SAMPLES / "win10*.vhd", "--json").out)
    assert len(built["disks"]) == 3


# rules and profiles


def test_rules_are_listed_and_explained(run: Callable[..., Outcome]) -> None:
    outcome = run("rules")
    assert (outcome.code, outcome.err) == (0, "")
    assert all(code in outcome.out for code in CODES)
    some = run("rules", "kms11", "OFF", "--json")
    assert {rule["code"] for rule in checked(some.out, "rules")["rules"]} == {
        code for code in CODES if code.startswith(("KMS11", "OFF"))
    }
    for code in ("KMS110", "kms110"):
        assert run("rule", code).out.startswith("rule              KMS110 SkipRearm is not left at 1\n")
    assert checked(run("rule", "KMS110", "--json").out, "rules")["rules"][0]["severity"] == "warning"
    outcome = run("rule", "KSM110")
    assert outcome.code == 2
    assert "did you mean KMS110?" in outcome.err
    assert run("rules", "XYZ").code == 2


def test_profiles_are_begun_shown_and_checked(run: Callable[..., Outcome], tmp_path: Path) -> None:
    outcome = run("profile", "show")
    assert outcome.out.startswith("kms-standard    Ready to be copied")
    assert run("profile", "init", "--output", "vdiskkit.toml").code == 0
    assert run("profile", "init", "--output", "vdiskkit.toml").code == 2, "never overwritten"
    assert run("profile", "init").out == (tmp_path / "vdiskkit.toml").read_text(encoding="utf-8")
    outcome = run("profile", "check", "vdiskkit.toml")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("ok: vdiskkit.toml")
    shown = run("profile", "show")
    assert shown.out.startswith("# vdiskkit, ")
    assert 'mode = "standard"' in shown.out
    (tmp_path / "copy.toml").write_text(shown.out, encoding="utf-8")
    assert run("profile", "check", "copy.toml").code == 0
    (tmp_path / "wrong.toml").write_text("selct = []\n", encoding="utf-8")
    outcome = run("profile", "check", "vdiskkit.toml", "wrong.toml")
    assert (outcome.code, outcome.out) == (2, "")
    assert "did you mean 'select'?" in outcome.err


def test_an_expired_waiver_is_said_when_a_profile_is_checked(run: Callable[..., Outcome], tmp_path: Path) -> None:
    text = '[[waiver]]\nrule = "KMS110"\nreason = "x"\nexpires = 2020-01-01\n'
    (tmp_path / "old.toml").write_text(text, encoding="utf-8")
    outcome = run("profile", "check", "old.toml")
    assert outcome.code == 0
    assert outcome.err == "warning: old.toml > line:1: the waiver for KMS110 has expired\n"


def test_a_validation_loads_no_reader_of_other_formats() -> None:
    from benchmarks.budgets import cli_statement, imported_modules

    loaded = {name.partition(".")[0] for name in imported_modules(cli_statement("rules"))}
    assert not loaded & {"dissect", "construct", "rich"}

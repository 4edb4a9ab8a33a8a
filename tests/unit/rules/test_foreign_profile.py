"""Somebody else's profile costs little time and memory, and ends in one clear error."""

from __future__ import annotations

import os
import tomllib
from typing import TYPE_CHECKING

import pytest

import vdiskkit
from tests.unit.rules.conftest import NOW
from vdiskkit.errors import PolicyError
from vdiskkit.rules.patterns import PatternTimeError, check_pattern, match_all
from vdiskkit.rules.profile_files import find_profile
from vdiskkit.rules.toml_lines import line_of
from vdiskkit.rules.toml_text import parse_toml

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

KEY = r'[registry."HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"]'


def load(folder: Path, text: str) -> vdiskkit.Profile:
    path = folder / "own.toml"
    path.write_text(text, encoding="utf-8")
    return vdiskkit.load_profile(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (".".join(["a"] * 20_000) + " = 1", "this is no profile: a key has more than 32 parts"),
        ("[" + "a." * 20_000 + "a]", "this is no profile: a key has more than 32 parts"),
        ("schema = " + "9" * 10_000, "a number or a key without quotes has more than 256 characters"),
        ("schema = 0x" + "f" * 10_000, "a number or a key without quotes has more than 256 characters"),
        ("a = " + "[" * 3000 + "]" * 3000, "values are nested more than 32 deep"),
        ("a = " + "{a=" * 3000 + "}" * 3000, "values are nested more than 32 deep"),
        ('a = """' + '"\\' * 300_000, "the profile is no TOML"),
        ("a = 2026-02-31", "the profile is no TOML"),
        (r'extends = "\u0000"', "the profile's name cannot be a file: the path holds a NUL character"),
        ('"' + "a" * 5000 + '" = 1', "profile key 'a{190,210}"),
        (f"{KEY}\n" + "".join(f"v{number} = 1\n" for number in range(2001)), "makes more than 2000 registry values"),
        (f"{KEY}\nA = {{ regex = '(' }}", "is no regular expression that can be used: missing"),
    ],
)
def test_what_no_profile_needs(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(PolicyError, match=message) as caught:
        load(tmp_path, text)
    assert len(str(caught.value)) < 1000


def test_the_line_is_told(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        load(tmp_path, "\n\na = " + "[" * 33)
    assert str(caught.value.location).endswith("own.toml > line:3")


@pytest.mark.parametrize(
    "text",
    [
        'a = """x.y""""\nb = "' + "." * 99 + '"',
        "# " + "[." * 99,
        "a = '''x''''\nb = '" + "[" * 99 + "'",
        "a.b.c = [[1.5]]",
    ],
)
def test_texts_and_comments_are_not_counted(text: str) -> None:
    assert parse_toml(text) == tomllib.loads(text)


@pytest.mark.parametrize("line", ["[" + "]" * 100_000, "a" + " " * 100_000 + "x", '"' * 100_001, "[a" + " " * 100_000])
def test_no_line_makes_the_search_for_lines_try_again(line: str) -> None:
    assert line_of(f"b = 1\nx = '''\n{line}\n'''", ("b",)) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes in folders")
def test_a_named_pipe(tmp_path: Path) -> None:
    path = tmp_path / "vdiskkit.toml"
    os.mkfifo(path)
    with pytest.raises(PolicyError, match="the profile cannot be read: it is a device or a named pipe, not a file"):
        vdiskkit.load_profile(path)
    assert find_profile(tmp_path, {}) is None


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("a**", "multiple repeat"),
        ("a" * 1001, "it is longer than 1000 characters"),
        ("a{99999999999999}", "the repetition number is too large"),
        ("(?i)(", "unterminated"),
    ],
)
def test_patterns_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, pattern: str, why: str) -> None:
    monkeypatch.setattr("vdiskkit.rules.patterns.SECONDS", 60.0)
    assert why in (check_pattern(pattern) or "")


@pytest.mark.parametrize("pattern", [r"rds[0-9]+\.example\.com", r"rds([0-9]+)\.(example|test)\.com"])
def test_patterns_match_whole_texts(pattern: str) -> None:
    assert check_pattern(pattern) is None
    assert match_all(pattern, ["rds1.example.com", "rds22.example.com"])
    assert not match_all(pattern, ["rds1.example.com", "rds22.example.com.evil"])


@pytest.mark.parametrize(("pattern", "text"), [("(a+)+b", "a" * 60), (r"(.*)(.*)\1\2b", "a" * 4000)])
def test_a_pattern_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch, pattern: str, text: str) -> None:
    monkeypatch.setattr("vdiskkit.rules.patterns.SECONDS", 0.5)
    assert check_pattern(pattern) is None
    with pytest.raises(PatternTimeError, match="it takes longer than"):
        match_all(pattern, [text])


def test_texts_that_are_too_long_for_a_pattern() -> None:
    with pytest.raises(PatternTimeError, match="the text is longer than 65536 characters"):
        match_all("a*", ["a" * 65537])


def test_no_process_for_a_pattern(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "none"))
    with pytest.raises(PatternTimeError, match="no process to match it in can be started"):
        match_all("(a)", ["a"])


def test_what_was_not_matched_is_not_determinable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, case_disk: Any
) -> None:
    monkeypatch.setattr("vdiskkit.rules.patterns.SECONDS", 0.0001)
    text = f"select = ['EXP101']\n{KEY}\n" + "".join(f"'{name}' = {{ regex = '(.*)+x' }}\n" for name in "ABCDE")
    text = text.replace("'A'", "EditionID").replace("'B'", "ProductName").replace("'C'", "CurrentBuild")
    text = text.replace("'D'", "InstallationType").replace("'E'", "CurrentBuildNumber")
    profile = load(tmp_path, text)
    with vdiskkit.open_vdisk(case_disk("healthy")) as disk:
        report = vdiskkit.validate(disk, profile, now=NOW)
    result = next(item for item in report.results if item.code == "EXP101")
    assert result.verdict == "unknown"
    assert "EditionID: whether it matches (.*)+x was not found out: it takes longer than" in (result.reason or "")

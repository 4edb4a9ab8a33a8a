"""``explain`` on the command line: what is written where, with which exit code, whatever is typed."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import SAMPLES
from tests.cli.test_help import _modules_after
from tests.cli.test_hostile import assert_safe
from tests.schemas import check
from vdiskkit.explanations.catalogue import explanations
from vdiskkit.explanations.facts import KIND_TITLES, Kind

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome


def _valid(outcome: Outcome) -> dict[str, object]:
    document: dict[str, object] = json.loads(outcome.out)
    assert outcome.out.isascii()
    check(document, "vdiskkit.explain/1")
    assert document["exit_code"] == outcome.code
    return document


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (["0xC004F074"], "activation code   0xC004F074 No KMS host could be reached"),
        (["c004f074"], "activation code   0xC004F074 No KMS host could be reached"),
        (["-1073418124"], "activation code   0xC004F074 No KMS host could be reached"),
        (["--", "-1073418124"], "activation code   0xC004F074 No KMS host could be reached"),
        (["3221549172"], "activation code   0xC004F074 No KMS host could be reached"),
        (["12288"], "event             12288 A request was sent to a KMS host"),
        (["event", "12288"], "event             12288 A request was sent to a KMS host"),
        (["kms110"], "rule              KMS110 SkipRearm is not left at 1"),
        (["rule", "KMS110"], "rule              KMS110 SkipRearm is not left at 1"),
        (["ntfs.not_clean"], "notice            ntfs.not_clean The volume was not shut down cleanly"),
        (["InUseError"], "error             InUseError The disk is in use"),
        (["exit", "4"], "exit code         4 The state of the disk forbids it"),
        (["4"], "exit code         4 The state of the disk forbids it"),
        (["MAP", "error"], "term              MAP An unexpected MAP error occurred: failed to map vDisk, no driver"),
        (["skiprearm"], "term              SkipRearm Registry value that makes a rearm do nothing"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_one_code(run: Callable[..., Outcome], words: list[str], first: str) -> None:
    outcome = run("explain", *words)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines()[0] == first
    labels = [line[2:18].strip() for line in outcome.out.splitlines()[1:] if line[16] != "|"]
    assert "source" in labels
    assert {"means", "judgement"} & set(labels)


def test_rule_shows_the_same(run: Callable[..., Outcome]) -> None:
    assert run("rule", "kms110") == run("explain", "KMS110")
    assert run("rule", "KMS110", "--json").json["rules"][0]["code"] == "KMS110"


def test_several_codes(run: Callable[..., Outcome]) -> None:
    outcome = run("explain", "exit", "2", "VHD101", "-1073418124")
    assert (outcome.code, outcome.err) == (0, "")
    heads = [line for line in outcome.out.splitlines() if not line.startswith(" ") and line]
    assert [re.sub(" +", " ", line).split(" ", 3)[:3] for line in heads] == [
        ["exit", "code", "2"],
        ["rule", "VHD101", "The"],
        ["activation", "code", "0xC004F074"],
    ]
    assert outcome.out.count("\n\n") == 2


@pytest.mark.parametrize("kind", [None, "activation", "events", "term", "rules", "notices", "errors", "exit"])
def test_lists(run: Callable[..., Outcome], kind: str | None) -> None:
    words = [kind] if kind else []
    outcome = run("explain", *words)
    assert (outcome.code, outcome.err) == (0, "")
    document = _valid(run("explain", *words, "--json"))
    listed = document["explanations"]
    assert isinstance(listed, list)
    expected = [item for item in explanations() if kind is None or kind.startswith(item.kind)]
    assert [item["code"] for item in listed] == [item.code for item in expected]
    for item in expected:
        assert re.search(rf"^  {re.escape(item.code)} +{re.escape(item.title)}$", outcome.out, re.MULTILINE)
    for one in {item.kind for item in expected}:
        assert f"{one:<18}{KIND_TITLES[one]}\n" in outcome.out
    assert len(json.dumps(document)) < 1_000_000


@pytest.mark.parametrize("codes", [["0xC004F074"], ["KMS110"], ["InUseError", "vhd.copy_missing"], ["exit", "7"]])
def test_json(run: Callable[..., Outcome], codes: list[str]) -> None:
    document = _valid(run("explain", *codes, "--json", "-q"))
    assert (document["schema"], document["disks"]) == ("vdiskkit.explain/1", [])
    assert "error" not in document
    listed = document["explanations"]
    assert isinstance(listed, list)
    assert listed[-1]["code"] == codes[-1]
    assert all(item["fix"] and item["related"] and item["source"] for item in listed)


def test_an_unknown_code_is_told_and_the_others_explained(run: Callable[..., Outcome]) -> None:
    outcome = run("explain", "KMS11O", "KMS110", "nonsense")
    assert outcome.code == 1
    assert outcome.out.startswith("rule              KMS110 ")
    assert outcome.err.splitlines() == [
        "error: nothing is known about 'KMS11O'",
        "  hint  did you mean KMS110 or KMS111 or KMS112?",
        "error: nothing is known about 'nonsense'",
        "  hint  `vdiskkit explain` lists what can be explained",
    ]
    document = _valid(run("explain", "KMS11O", "KMS110", "--json", "-q"))
    assert [item["code"] for item in document["explanations"]] == ["KMS110"]  # type: ignore[union-attr,index]  # a list of dicts
    assert document["error"]["type"] == "NotFoundError"  # type: ignore[index]  # a dict


def test_nothing_is_written_for_unknown_codes_alone(run: Callable[..., Outcome], tmp_path: Path) -> None:
    target = tmp_path / "explained.txt"
    outcome = run("explain", "nonsense", "--output", target)
    assert (outcome.code, outcome.out) == (1, "")
    assert not target.exists()
    assert _valid(run("explain", "nonsense", "--json"))["explanations"] == []
    outcome = run("explain", "KMS110", "--output", target)
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert target.read_text(encoding="utf-8") == run("explain", "KMS110").out


@pytest.mark.parametrize("words", [["--jsn"], ["--jsn", "KMS110"], ["-x"], ["KMS110", "-1x"], ["--1"], ["-"]])
def test_a_mistyped_option_is_no_code(run: Callable[..., Outcome], words: list[str]) -> None:
    outcome = run("explain", *words)
    assert outcome.out == ""
    if words == ["-"]:
        assert outcome.code == 1
    else:
        assert outcome.code == 2
        assert outcome.err.startswith("error: No such option")


@pytest.mark.parametrize(
    "typed",
    [
        "\x1b[31m",
        "\x1b]0;title\x07",
        "KMS110\nerror: forged",
        "##vso[task.complete]",
        "##[error]",
        "\u202eevil",
        "\ud800",
        "a" * 100_000,
        "9" * 100_000,
        "0x" + "f" * 100_000,
        "%s %d {0} {code}",
        "../../etc/passwd",
        "<script>",
        " ",
        "",
        "\0",
        "٤",
        "🙂",
    ],
    ids=lambda typed: ascii(typed)[:20],
)
@pytest.mark.parametrize("kind", [(), ("rule",), ("exit",)], ids=" ".join)
def test_hostile_words(run: Callable[..., Outcome], typed: str, kind: tuple[str, ...]) -> None:
    for form in ((), ("--json",)):
        outcome = run("explain", *kind, typed, *form)
        assert outcome.code == 1
        assert_safe(outcome.err)
        assert outcome.err.count("\n") == 2
        assert len(outcome.err) < 3000
        if form:
            assert _valid(outcome)["explanations"] == []
            assert "##" not in outcome.out
            assert not re.search("[\x00-\x09\x0b-\x1f\x7f]", outcome.out)
        else:
            assert outcome.out == ""


@pytest.mark.parametrize("columns", ["40", "72", "80", "200"])
def test_width(process: Callable[..., subprocess.CompletedProcess[bytes]], columns: str) -> None:
    """Where the width is known, running text is set in 80 columns at most; piped it is not wrapped."""
    from vdiskkit.report.explain_text import explanation_lines, list_lines
    from vdiskkit.report.style import Style

    for item in explanations():
        lines = explanation_lines(item, Style(width=int(columns)))
        longest = max((word for line in lines for word in line.split()), key=len)
        assert max(map(len, lines)) <= max(min(int(columns), 80), 42, 18 + len(longest))
    listed = list_lines(explanations(Kind.NOTICE), Style(width=int(columns)))
    assert max(map(len, listed)) <= max(int(columns), 64)
    piped = process("explain", "0xC004D307", env={"COLUMNS": columns}).stdout.decode()
    assert max(map(len, piped.splitlines())) > 200


def test_colour_never_stands_alone(run: Callable[..., Outcome]) -> None:
    for words in (["0xC004F074"], ["exit"], []):
        colored = run("explain", *words, "--color", "always").out
        assert "\x1b[1m" in colored
        assert re.sub("\x1b\\[[0-9;]*m", "", colored) == run("explain", *words).out


def test_the_type_of_an_error_can_be_explained(run: Callable[..., Outcome]) -> None:
    error = run("inspect", SAMPLES / "missing.vhd", "--json", "-q").json["error"]
    outcome = run("explain", error["type"])
    assert outcome.code == 0
    assert "exit code       3\n" in outcome.out


def test_what_validate_finds_can_be_explained(run: Callable[..., Outcome]) -> None:
    outcome = run("validate", SAMPLES / "faulty.vhd")
    assert "`vdiskkit explain CODE` tells why each of them matters" in outcome.out
    for finding in run("validate", SAMPLES / "faulty.vhd", "--json", "-q").json["findings"]:
        assert run("explain", finding["code"]).code == 0


def test_a_notice_of_inspect_can_be_explained(run: Callable[..., Outcome]) -> None:
    disk = run("inspect", SAMPLES / "desk10.vhd", "--json", "-q").json["disks"][0]["result"]
    assert disk["notices"]
    for notice in disk["notices"]:
        assert run("explain", notice["code"]).code == 0


def test_explaining_loads_no_reader_of_disks() -> None:
    loaded = _modules_after("explain", "0xC004F074")
    heavy = ("dissect", "construct", "rich", "logging", "defusedxml", "vdiskkit.vdisk", "vdiskkit.ntfs")
    assert not [name for name in heavy if name in loaded]
    assert not [name for name in loaded if name.startswith("vdiskkit.rules.") and name != "vdiskkit.rules.facts"]

"""The same text, the same words: in cmd, in PowerShell, and in bash, which is asked itself."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.shell.lines import Line, blocks_for_sh, lines_for_all, templates, unmarked_lines
from tests.shell.words import UnclearError, cmd_words, powershell_words

LINES = lines_for_all()


def bash_words(line: str) -> list[str]:
    """What a program gets that bash starts in a folder without files."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    done = subprocess.run(
        [bash, "--norc", "-c", f"printf '%s\\0' {line}"], capture_output=True,
        check=True, timeout=60,
    )  # fmt: skip
    assert done.stderr == b""
    return done.stdout.decode().split("\0")[:-1]


def test_lines_are_found_everywhere() -> None:
    sources = {line.source for line in LINES}
    assert {"README.md", "docs/changing.md", "inspect --help", "reg set --help", "rm --help"} <= sources
    assert len(LINES) > 70
    assert [block.source for block in blocks_for_sh()] == ["docs/cli.md"] * 2
    assert unmarked_lines() == []
    assert len(templates()) > 50


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.text)
def test_a_line_means_the_same_in_every_shell(line: Line) -> None:
    assert cmd_words(line.text) == powershell_words(line.text) == bash_words(line.text)


def test_lines_with_placeholders_mean_the_same_too() -> None:
    for line in sorted({line.text for line in templates()}):
        assert cmd_words(line) == powershell_words(line) == bash_words(line), line


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a b  c", ["a", "b", "c"]),
        (r'reg get x "HKLM\SOFTWARE\a b" n', ["reg", "get", "x", r"HKLM\SOFTWARE\a b", "n"]),
        ('"a=b, c" d=e --f,g', ["a=b, c", "d=e", "--f,g"]),
        ('"\\\\server\\x" y', ["\\\\server\\x", "y"]),
        ("", []),
    ],
)
def test_cmd(line: str, words: list[str]) -> None:
    assert cmd_words(line) == words


@pytest.mark.parametrize(
    "line",
    ["a & b", "a > b", "a%PATH%", "a!b", "a^b", '"a\\"', '"a', "a|b", "(a)", "a\nb", r"a\" b"],
)
def test_cmd_acts_on_some_characters(line: str) -> None:
    with pytest.raises(UnclearError):
        cmd_words(line)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a b  c", ["a", "b", "c"]),
        (
            r'"HKLM\SOFTWARE\a b" a\b *.vhd -1073 0x1f --',
            [r"HKLM\SOFTWARE\a b", r"a\b", "*.vhd", "-1073", "0x1f", "--"],
        ),
        ("license,tokens junit=out.xml --skip-rearm -q", ["license,tokens", "junit=out.xml", "--skip-rearm", "-q"]),
    ],
)
def test_powershell(line: str, words: list[str]) -> None:
    assert powershell_words(line) == words


@pytest.mark.parametrize(
    "line",
    [
        '"a$b"',
        "a$b",
        "`a",
        "a;b",
        "a|b",
        "@a",
        "a # b",
        "'a'",
        '""',
        '"a\\"',
        'a="b c"',
        "-a.b",
        "--a=b.c",
        "{a}",
        "(a)",
    ],
)
def test_powershell_acts_on_some_characters(line: str) -> None:
    with pytest.raises(UnclearError):
        powershell_words(line)


@pytest.mark.parametrize("line", [r"a HKLM\SOFTWARE", r'"\\server\x"', "a \\ b", '"a\\\\b"', "a 'b c'"])
def test_bash_reads_some_lines_in_another_way(line: str) -> None:
    try:
        words = cmd_words(line)
    except UnclearError:
        return
    assert words != bash_words(line)

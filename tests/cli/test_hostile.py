"""The hostile sample through every output: no control byte, no forged line, no build server command gets through."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

HOSTILE = SAMPLES / "hostile.vhd"
_CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_LABELS = re.compile(
    r"(?:disk|in|container|footer|alignment|id|chain|this file|parent \d+|partitions|partition \d+|volume|state|windows"
    r"|edition|stored name|computer|hives?|target|services|files?|missing|unread"
    r"|license|integrity|conflict|blob|backup key"
    r"|SkipRearm|in key|KMS host|KMS value|tokens|store|unrelated|office|product|key|folder|pvp|description|release"
    r"|changed|implausible|pair|version|children|manifest|write cache|journal|lock|procedure|step \d|notices?|opinion"
    r"|difference|not claimed|newer|summary|disk size|block size|title|author|company|date|internal name"
    r"|original file|hardware target|serial number|class|image type|activation|AD password|auto update|printers"
    r"|multicast|network card|other|names area|format|file size|unknown area|residue|dir|stream|directory|size"
    r"|stored|attributes|created|written|accessed|MFT record|name|short name|reparse point|value"
    r"|plan|set|create|delete|note|forced|writes|range|result|already so|undo|change|length|saved|copied|grows|block"
    r"|readiness|restart|setup|power|personality|PVSAgent|MCS IO|SCSI adapter|domain|settings|event log|rearm marker"
    r"|cached host|answer file|events?|event \d+"
    r"|blocks|map|ranges?|order|holds|outside|[\d.]+ (?:bytes|[KMGTP]iB)"
    r"|error:|at|hint|warning:|note:)"
    r"(?: |$)"
)


def assert_safe(text: str) -> None:
    assert not _CONTROLS.search(text), _CONTROLS.search(text)
    assert "##[" not in text
    assert "##vso[" not in text.lower()
    for line in text.splitlines():
        assert not line or _LABELS.match(line.lstrip()), line


@pytest.mark.parametrize(
    "args",
    [
        ("inspect", HOSTILE),
        ("inspect", HOSTILE, "--second-opinion"),
        ("inspect", HOSTILE, "--readiness"),
        ("inspect", HOSTILE, "--blocks"),
        ("license", HOSTILE, "--show-key"),
        ("pvp", "show", HOSTILE),
        ("pvp", "show", SAMPLES / "hostile.pvp"),
        ("ls", HOSTILE, "Users/Public"),
        ("ls", HOSTILE, "Users/Public", "-l", "--streams"),
        ("reg", "ls", HOSTILE, r"HKLM\SOFTWARE", "--depth", "9"),
        ("reg", "ls", HOSTILE, r"HKLM\SYSTEM", "--depth", "9"),
        ("reg", "ls", HOSTILE, r"HKLM\SOFTWARE\No\x1b[2J" + "\n::error::x"),
        ("cat", HOSTILE, "no \x1b[31m\n::error::file"),
        ("inspect", "no \x1b[31m\n::error::file ##vso[task.complete]"),
        ("inspect", HOSTILE, "--section", "\x1b[31m\n::error::"),
        ("\x1b[31m\n::error::",),
        ("reg", "get", HOSTILE, "\x1b[31m\n::error::"),
    ],
    ids=lambda args: ascii(" ".join(str(arg).rpartition("/")[2] for arg in args)),
)
def test_text_is_safe(run: Callable[..., Outcome], args: tuple[object, ...]) -> None:
    outcome = run(*args)
    assert outcome.out or outcome.err
    assert_safe(outcome.out)
    assert_safe(outcome.err)
    if outcome.code == 0:
        assert "PLANTED" in outcome.out or r"\u{1b}" in outcome.out, "the hostile texts are shown, not hidden"


def test_every_hostile_file_is_shown_by_stat(run: Callable[..., Outcome]) -> None:
    entries = run("ls", HOSTILE, "Users/Public", "--json").json["disks"][0]["result"]["entries"]
    # No path leads to a name with a colon, and a surrogate comes back only as it is displayed.
    names = [entry["name"] for entry in entries if "\\u{" not in entry["name"] and ":" not in entry["name"]]
    assert any("\x1b" in name for name in names)
    for name in names:
        outcome = run("stat", HOSTILE, f"Users/Public/{name}")
        assert outcome.code == 0, outcome.err
        assert_safe(outcome.out + outcome.err)


def test_reg_get_prints_one_displayable_line_per_text(run: Callable[..., Outcome]) -> None:
    key = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
    outcome = run("reg", "get", HOSTILE, key, "ProductName")
    assert outcome.code == 0
    assert outcome.out.count("\n") == 1
    assert not _CONTROLS.search(outcome.out)
    assert "##vso[" not in outcome.out


def test_reg_export_holds_no_forged_line(run: Callable[..., Outcome], tmp_path: Path) -> None:
    for root in ("SOFTWARE", "SYSTEM"):
        outcome = run("reg", "export", HOSTILE, rf"HKLM\{root}")
        # Names that cannot stand in .reg text are left out, so the export is not whole.
        assert outcome.code == (3 if "left out" in outcome.err else 0)
        exported = tmp_path / f"{root}.reg"
        assert run("reg", "export", HOSTILE, rf"HKLM\{root}", "--output", exported, "-q").code == outcome.code
        in_file = exported.read_bytes().decode("utf-16")
        for text in (outcome.out, in_file):
            assert not _CONTROLS.search(text.replace("\r\n", "\n"))
            assert "##vso[" not in text
            lines = text.splitlines()
            assert lines[0] == "Windows Registry Editor Version 5.00"
            for line in lines[1:]:
                assert not line or line.startswith((rf"[HKEY_LOCAL_MACHINE\{root}", '"', "@=", "  ", "; ")), line
    outcome = run("reg", "export", HOSTILE, r"HKLM\SOFTWARE")
    assert "keys or values left out: their names cannot stand in .reg text" in outcome.err
    assert outcome.code == 3

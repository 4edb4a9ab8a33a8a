"""Every text file that a user hands over, as the shells and editors of Windows and Unix write it."""

from __future__ import annotations

import codecs
import io
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import SAMPLES
from tests.cli.writing import DRY, YES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

NAME = "größe 漢.vhd"


def utf8(text: str) -> bytes:
    """PowerShell 7, editors, Unix."""
    return text.encode()


def utf8_with_mark(text: str) -> bytes:
    """``Set-Content -Encoding utf8`` of Windows PowerShell 5.1."""
    return codecs.BOM_UTF8 + text.replace("\n", "\r\n").encode()


def utf16(text: str) -> bytes:
    """``>`` and ``Out-File`` of Windows PowerShell 5.1, regedit."""
    return codecs.BOM_UTF16_LE + text.replace("\n", "\r\n").encode("utf-16-le")


def utf16_big_endian(text: str) -> bytes:
    """``Out-File -Encoding bigendianunicode``."""
    return codecs.BOM_UTF16_BE + text.replace("\n", "\r\n").encode("utf-16-be")


def crlf(text: str) -> bytes:
    """Notepad."""
    return text.replace("\n", "\r\n").encode()


forms = pytest.mark.parametrize("write", [utf8, utf8_with_mark, utf16, utf16_big_endian, crlf])


@pytest.fixture
def named(tmp_path: Path) -> Path:
    """A disk whose name no code page holds."""
    shutil.copy(SAMPLES / "win7-kms.vhd", tmp_path / NAME)
    shutil.copy(SAMPLES / "win7-kms.pvp", (tmp_path / NAME).with_suffix(".pvp"))
    return tmp_path / NAME


def targets(outcome: Outcome) -> list[str]:
    assert (outcome.code, outcome.err) == (0, "")
    return [disk["target"] for disk in outcome.json["disks"]]


def standard_input(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    """Bytes on standard input, under an encoding that must not matter."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data), encoding="cp437"))


@forms
def test_lists_of_disks(
    run: Callable[..., Outcome],
    named: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[str], bytes],
) -> None:
    data = write(f"{named}\n\n   \n{SAMPLES / 'win7-kms.vhd'}\n")
    expected = [str(named), str(SAMPLES / "win7-kms.vhd")]
    (tmp_path / "list.txt").write_bytes(data)
    assert targets(run("license", "--files-from", tmp_path / "list.txt", "--json")) == expected
    standard_input(monkeypatch, data)
    assert targets(run("license", "--files-from", "-", "--json")) == expected
    standard_input(monkeypatch, data)
    assert targets(run("license", "-", "--json")) == expected


@pytest.mark.parametrize("write", [utf8, utf8_with_mark, utf16, utf16_big_endian])
def test_lists_whose_paths_end_with_nul(
    run: Callable[..., Outcome],
    named: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[str], bytes],
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(named, "d")  # a NUL behind the first character must not be taken for UTF-16
    (tmp_path / "list").write_bytes(write(f"d\0{named}\0"))
    assert targets(run("license", "--files-from", "list", "-0", "--json")) == ["d", str(named)]


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode on Windows")
def test_names_that_are_no_text(run: Callable[..., Outcome], named: Path, tmp_path: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/\xe4.vhd"
    shutil.copy(named, odd)
    (tmp_path / "list").write_bytes(odd + b"\0")
    assert run("license", "--files-from", tmp_path / "list", "-0").code == 0
    (tmp_path / "list").write_bytes(b"x.vhd\n" + odd)
    outcome = run("license", "--files-from", tmp_path / "list")
    at = 6 + len(os.fsencode(tmp_path)) + 1
    assert (outcome.code, outcome.out) == (2, "")
    assert f"error: line 2: this is no utf-8 text: invalid continuation byte (e4 2e at byte {at})" in outcome.err
    assert "hint  save it as UTF-8, or as UTF-16 with a byte order mark: in PowerShell with" in outcome.err


def test_characters_that_python_takes_for_line_ends(
    run: Callable[..., Outcome], named: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "a\u0085b\u2028c.vhd"
    shutil.copy(named, name)
    (tmp_path / "list").write_bytes(f"{name}\n".encode())
    assert targets(run("license", "--files-from", "list", "--json")) == [name]


def test_a_list_with_nul_in_it_asks_for_the_option(
    run: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "list").write_bytes(b"one.vhd\nsome.vhd\0other.vhd\0")
    outcome = run("license", "--files-from", tmp_path / "list")
    assert outcome.code == 2
    assert "error: line 2: the list holds a NUL character\n" in outcome.err
    assert "hint  give -0 for a list whose paths end with NUL" in outcome.err
    standard_input(monkeypatch, b"\xff")
    outcome = run("license", "-")
    assert outcome.err.startswith("error: line 1: this is no utf-8 text: invalid start byte (ff at byte 0)\n")
    assert "at    standard input > line:1" in outcome.err


def test_a_list_of_nothing(run: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "list").write_bytes(codecs.BOM_UTF16_LE + "\r\n".encode("utf-16-le"))
    hint = "  hint  give the path of a .vhd, .vhdx or .pvp file\n"
    outcome = run("license", "--files-from", tmp_path / "list")
    assert (outcome.code, outcome.err) == (2, f"error: the list names no disk\n{hint}")
    standard_input(monkeypatch, b"")
    assert run("license", "-") == outcome
    assert run("license").err == f"error: no disk is named\n{hint}"


@pytest.mark.skipif(os.name == "nt", reason="names may hold lone surrogates on Windows")
def test_a_name_that_this_system_cannot_have(run: Callable[..., Outcome], tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(codecs.BOM_UTF16_LE + "a\ud800b.vhd\n".encode("utf-16-le", "surrogatepass"))
    outcome = run("license", "--files-from", tmp_path / "list", "--json")
    assert outcome.code == 2
    assert outcome.err == (
        "error: the path holds a character that no file name can have here: U+D800\n  at    a\\u{d800}b.vhd\n"
        "  hint  check the encoding of the list or script that the path comes from\n"
    )
    assert outcome.out.isascii()


def test_a_list_without_end(run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vdiskkit.cli.targets._LIST_LIMIT", 100)
    standard_input(monkeypatch, b"x" * 101)
    outcome = run("license", "-")
    assert outcome.code == 2
    assert outcome.err.startswith("error: the list is longer than 100 bytes\n  at    standard input\n")


@forms
def test_profiles(run: Callable[..., Outcome], tmp_path: Path, write: Callable[[str], bytes]) -> None:
    profile, base = tmp_path / "größe.toml", tmp_path / "base.toml"
    base.write_bytes(write('select = ["KMS"]\n'))
    profile.write_bytes(
        write(
            'extends = "base.toml"\n[expect]\nkms_host = "größe.example"\n[[waiver]]\nrule = "KMS101"\n'
            'reason = "größe"\nexpires = 2030-01-01\n'
        )
    )
    assert run("profile", "check", profile).code == 0
    shown = run("profile", "show", profile).out
    assert 'kms_host = ["größe.example"]\n' in shown
    assert 'reason = "größe"\n' in shown
    profile.write_bytes(write('description = "größe"\nno_such = 1\n'))
    assert f"{profile} > line:2" in run("profile", "check", profile).err


@forms
def test_reg_files(
    run: Callable[..., Outcome], store: Callable[..., Path], tmp_path: Path, write: Callable[[str], bytes]
) -> None:
    disk = store()
    text = 'Windows Registry Editor Version 5.00\n\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\größe 漢]\n"ä"="ö"\n'
    (tmp_path / "x.reg").write_bytes(write(text))
    assert run("reg", "import", disk, tmp_path / "x.reg", YES).code == 0
    assert run("reg", "get", disk, "HKLM\\SOFTWARE\\größe 漢", "ä").out == "ö\n"


@forms
def test_saved_plans(
    run: Callable[..., Outcome], store: Callable[..., Path], tmp_path: Path, write: Callable[[str], bytes]
) -> None:
    """Saved again by somebody who looked at it."""
    disk, plan = store(), tmp_path / "x.plan"
    key = r"HKLM\SYSTEM\Setup"
    assert run("reg", "set", disk, key, "x", "größe", "--type", "sz", "--plan-out", plan).code == 0
    saved = plan.read_text(encoding="ascii")
    plan.write_bytes(write(saved))
    assert run("apply", plan, DRY).code == 0
    assert run("apply", plan, YES).code == 0
    assert run("reg", "get", disk, key, "x").out == "größe\n"
    plan.write_bytes(saved.replace("{", "{\n \xe4", 1).encode("latin-1"))
    outcome = run("apply", plan, YES)
    assert outcome.code == 2
    assert outcome.err.startswith("error: line 2: this is no utf-8 text: ")


def test_encodings_that_are_none(run: Callable[..., Outcome], store: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "x.reg").write_bytes(b"REGEDIT4\n\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\x]\n")
    disk = store()
    for name in ("klingon", "rot13", "hex", "undefined"):
        outcome = run("reg", "import", disk, tmp_path / "x.reg", "--encoding", name, DRY)
        assert outcome.code == 2
        assert f"'{name}' is no encoding of text; one is cp1252" in outcome.err

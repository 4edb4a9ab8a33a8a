"""Consoles and pipes of any code page: nothing breaks on them, and our own signs have a stand-in in ASCII."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import NOW, SAMPLES
from vdiskkit.cli.run import run as run_command_line
from vdiskkit.cli.session import Session

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

ENCODINGS = ("ascii", "cp437", "cp850", "cp1252", "cp932", "cp65001", "utf-8")
WIN7 = SAMPLES / "win7-kms.vhd"
HOSTILE = SAMPLES / "hostile.vhd"
SIGNS = "✓✗→…"
PLAIN = (
    ("--help",),
    ("--version",),
    ("reg", "set", "--help"),
    ("completion", "bash"),
    ("explain",),
    ("explain", "terms"),
    ("explain", "KMS110", "SkipRearm"),
    ("rules",),
    ("rule", "KMS110"),
    ("profile", "show", "kms-standard"),
    ("inspect", WIN7, "--blocks", "--readiness"),
    ("validate", SAMPLES / "faulty.vhd", "--all-results"),
    ("chain", "show", SAMPLES / "desk10.2.avhd"),
    ("chain", "check", SAMPLES / "desk11.1.avhdx"),
    ("replay", SAMPLES / "desk11.1.avhdx", "--dry-run"),
    ("reg", "ls", WIN7, r"HKLM\SYSTEM\Select"),
    ("reg", "get", SAMPLES / "desk11.1.avhdx", r"HKLM\SYSTEM\Select", "Current"),
    ("inspect", "no-such.vhd"),
    ("inspect", "--no-such"),
    ("completion",),
    ("no-such",),
)
"""Commands that show no text from outside beyond ASCII."""
FOREIGN = (
    ("inspect", HOSTILE, "--blocks"),
    ("ls", HOSTILE, "Users/Public", "-l", "--streams"),
    ("validate", HOSTILE, "--all-results"),
    ("chain", "show", HOSTILE),
    ("pvp", "show", HOSTILE),
    ("inspect", "größe → … 漢\U0001f4bf\ud800.vhd"),
    ("validate", WIN7, "--profile", "größe → 漢"),
    ("explain", "größe → 漢"),
    ("größe",),
    ("inspect", "--größe"),
    ("ls", WIN7, "größe → … 漢"),
    ("reg", "get", WIN7, "HKLM\\SOFTWARE\\größe → 漢"),
    ("kms-prep", WIN7, "--kms-host", "größe", "--dry-run"),
)
"""Commands that are given, or find, text of every kind."""


@pytest.fixture(params=ENCODINGS)
def encoding(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def printed(monkeypatch: pytest.MonkeyPatch, encoding: str, *args: object) -> tuple[str, str]:
    """Run with streams of an encoding that refuse what it lacks; return what came out of both."""
    streams = [io.BytesIO(), io.BytesIO()]
    with monkeypatch.context() as patch:
        for name, stream in zip(("stdout", "stderr"), streams, strict=True):
            patch.setattr(sys, name, io.TextIOWrapper(stream, encoding=encoding, errors="strict", newline=""))
        code = run_command_line([str(arg) for arg in args], Session(clock=lambda: NOW))
        for name in ("stdout", "stderr"):
            getattr(sys, name).flush()
            getattr(sys, name).detach()
    assert code in (0, 1, 2, 3, 4)
    out, err = (stream.getvalue().decode(encoding) for stream in streams)
    assert "internal error" not in err
    return out, err


def in_ascii(text: str) -> str:
    for sign, other in zip(SIGNS, ("+", "-", "->", "..."), strict=True):
        text = text.replace(sign, other)
    return text


def test_our_own_texts_have_a_form_in_every_encoding(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    for args in PLAIN:
        whole, text = (
            "".join(printed(monkeypatch, name, *args)).replace(os.linesep, "\n") for name in ("utf-8", encoding)
        )
        assert "\\u{" not in text, args
        assert text in (whole, in_ascii(whole)), args


def test_text_from_outside_breaks_no_stream(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    """What the encoding lacks stands as an escape, the rest as it is."""
    for args in FOREIGN:
        whole = "".join(printed(monkeypatch, "utf-8", *args))
        text = "".join(printed(monkeypatch, encoding, *args))

        def shown(char: str) -> str:
            try:
                char.encode(encoding)
            except UnicodeEncodeError:
                return f"\\u{{{ord(char):x}}}"
            return char

        expected = "".join(shown(char) for char in whole)
        assert re.sub(r"\s+", " ", text) in {
            re.sub(r"\s+", " ", form) for form in (expected, "".join(shown(char) for char in in_ascii(whole)))
        }, args


def test_json_is_ascii_in_every_encoding(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    for args in (*FOREIGN[:6], ("inspect", "größe 漢.vhd"), ("ls", WIN7, "größe 漢"), ("pvp", "show", HOSTILE)):
        out, _ = printed(monkeypatch, encoding, *args, "--json", "-q")
        assert out.isascii()
        assert json.loads(out)["schema"].startswith("vdiskkit.")


@pytest.mark.parametrize("name", ["cp437", "cp1252", "cp65001"])
def test_real_pipes_of_a_code_page(
    process: Callable[..., subprocess.CompletedProcess[bytes]], tmp_path: Path, name: str
) -> None:
    env = {"PYTHONUTF8": "0", "PYTHONIOENCODING": name, "PYTHONWARNINGS": "error"}
    disk = tmp_path / "größe.vhd"
    shutil.copy(WIN7, disk)
    done = process("inspect", disk, tmp_path / "漢.vhd", env=env)
    assert done.returncode == 3
    assert "größe.vhd" in done.stdout.decode(name)
    assert ("漢" if name == "cp65001" else "\\u{6f22}") in done.stderr.decode(name)
    done = process("inspect", disk, "--json", env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()
    assert json.loads(done.stdout)["disks"][0]["target"] == str(disk)


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("name", "key"), [("cp437", "Größe"), ("ascii", "Gr\\u{f6}\\u{df}e")])
def test_a_question_in_a_code_page(store: Callable[..., Path], name: str, key: str) -> None:
    import pty
    import subprocess as sub

    from tests.cli.conftest import command, environment

    disk = store()
    terminal, inner = pty.openpty()
    env = environment({"PYTHONUTF8": "0", "PYTHONIOENCODING": name})
    args = command("reg", "set", disk, r"HKLM\SOFTWARE\Größe 漢", "x", "→", "--type", "sz", "--create-keys")
    with sub.Popen(args, env=env, stdin=inner, stderr=inner, stdout=sub.PIPE) as child:
        os.close(inner)
        os.write(terminal, b"y\n")
        out = child.communicate(timeout=60)[0].decode(name)
    told = os.read(terminal, 1 << 16).decode(name)
    os.close(terminal)
    assert child.returncode == 0, told
    assert "write this? [y/N] " in told
    for text in (told, out):
        assert f'{key} \\u{{6f22}}, x: absent -> REG_SZ "' in text

"""Making the Windows program: what PyInstaller is told, and what is said when it does not make one."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from tests.program.conftest import ROOT
from tools import wine
from tools.release import exe

SPEC = (ROOT / "tools" / "release" / "vdiskkit.spec").read_text(encoding="utf-8")


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What the Windows Python would have been told; it ends well and makes nothing."""
    lines: list[tuple[str, ...]] = []

    def run(python: Path, *arguments: str, folder: Path | None = None) -> int:
        assert folder == ROOT
        lines.append((python.name, *arguments))
        return 0

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(wine, "set_up", lambda lock: Path(lock) / "python.exe")
    monkeypatch.setattr(wine, "run", run)
    monkeypatch.setattr(exe, "DIST", tmp_path / "dist")
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    return lines


def test_paths_are_told_as_both_systems_read_them(told: list[tuple[str, ...]]) -> None:
    with pytest.raises(exe.BuildError):
        exe.make()
    (line,) = told
    assert line[:3] == ("python.exe", "-m", "PyInstaller")
    assert line[-1] == "tools/release/vdiskkit.spec"
    assert not [word for word in line if word.startswith("/") or "\\" in word]


def test_no_program_is_an_error(told: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str]) -> None:
    assert exe.main() == 1
    assert re.fullmatch(r"exe: PyInstaller ended well, but there is no .*vdiskkit\.exe\n", capsys.readouterr().err)


def test_an_older_program_does_not_pass_for_a_new_one(told: list[tuple[str, ...]]) -> None:
    exe.DIST.mkdir()
    (exe.DIST / "vdiskkit.exe").write_bytes(b"old")
    assert exe.main() == 1
    assert not (exe.DIST / "vdiskkit.exe").exists()


def test_a_failure_is_told(
    told: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(wine, "run", lambda *_words, **_named: 3)
    assert exe.main() == 1
    assert capsys.readouterr().err == "exe: exit code 3 of PyInstaller under Wine\n"


def names(variable: str) -> list[str]:
    (line,) = re.findall(rf"^{variable} = (.+)$", SPEC, re.MULTILINE)
    return re.findall(r'"([\w.]+)"', line)


def test_what_is_left_out_is_there_and_not_used() -> None:
    assert all(importlib.util.find_spec(name) for name in names("DEVELOPMENT"))
    unused = "|".join(names("UNUSED"))
    pattern = re.compile(rf"^\s*(?:import|from) (?:{unused})\b", re.MULTILINE)
    assert pattern.search("    import ssl\n")
    users = [path.name for path in (ROOT / "vdiskkit").rglob("*.py") if pattern.search(path.read_text("utf-8"))]
    assert users == []

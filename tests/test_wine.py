"""The script that runs the tests on a Windows Python: its figures, and what it says when it cannot work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tools import wine

if TYPE_CHECKING:
    from pathlib import Path

REPORT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="1" skipped="3" tests="6">
<testcase classname="a" name="passes"/>
<testcase classname="a" name="fails"><failure message="AssertionError">text</failure></testcase>
<testcase classname="a" name="broken"><error message="failed on setup">text</error></testcase>
<testcase classname="a" name="s1"><skipped type="pytest.skip" message="needs POSIX">text</skipped></testcase>
<testcase classname="a" name="s2"><skipped type="pytest.skip" message="needs POSIX">text</skipped></testcase>
<testcase classname="a" name="s3"><skipped type="pytest.skip" message="needs links">text</skipped></testcase>
</testsuite></testsuites>
"""


def test_the_summary_counts_and_gives_every_reason() -> None:
    assert wine.read_results(REPORT).summary.splitlines() == [
        "Windows Python: 1 passed, 2 failed, 3 skipped",
        "     2 skipped: needs POSIX",
        "     1 skipped: needs links",
    ]


@pytest.mark.parametrize(("arguments", "code"), [((), 2), (("stup",), 2), (("--help",), 0)])
def test_it_explains_itself(arguments: tuple[str, ...], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert wine.main(arguments) == code
    assert "python tools/wine.py setup" in capsys.readouterr().out


def test_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert wine.main(["run", "-V"]) == 1
    assert "apt-get install --no-install-recommends wine wine64" in capsys.readouterr().err


def test_paths_are_named_as_windows_names_them(tmp_path: Path) -> None:
    assert wine.windows_path(tmp_path).startswith("Z:\\")
    assert "/" not in wine.windows_path(tmp_path)


def test_the_callers_python_settings_stay_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("VDISKKIT_PROFILE", "kept")
    environment = wine.environment()
    assert "PYTHONPATH" not in environment
    assert environment["VDISKKIT_PROFILE"] == "kept"

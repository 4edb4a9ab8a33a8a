"""What the README shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from vdiskkit.cli.run import run
from vdiskkit.cli.session import Session

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_example_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    monkeypatch.chdir(ROOT)
    exec(compile(example, "README.md", "exec"), {})  # noqa: S102 - our own example
    assert capsys.readouterr().out.splitlines() == ["Windows 7 Enterprise standard kms", "Enterprise", "b'MZ'"]


def test_the_screen_copy_is_what_the_command_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = TEXT.split("    $ python -m vdiskkit ", 1)[1]
    command, _, rest = shown.partition("\n")
    copy = rest.split("\nMore:", 1)[0]
    monkeypatch.chdir(ROOT)
    assert run(command.split(), Session()) == 0
    printed = capsys.readouterr().out

    def words(text: str) -> list[str]:
        # The copy is wrapped for reading; "|" marks a continued line.
        return [word for word in text.split() if word != "|"]

    assert words(copy) == words(printed)

"""What the README shows is what happens."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.shell.words import cmd_words
from vdiskkit.cli.run import run
from vdiskkit.cli.session import Session
from vdiskkit.rules.catalogue import built_in_rules

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_example_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    monkeypatch.chdir(ROOT)
    exec(compile(example, "README.md", "exec"), {})  # noqa: S102 - our own example
    assert capsys.readouterr().out.splitlines() == ["Windows 7 Enterprise standard kms", "Enterprise", "b'MZ'"]


@pytest.mark.parametrize("number", [0, 1], ids=["inspect", "reg get"])
def test_a_screen_copy_is_what_the_command_prints(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    screens = re.findall(r"^    \$ python -m vdiskkit (.*)\n((?:    .*\n)+)", TEXT, re.MULTILINE)
    assert len(screens) == 2
    command, copy = screens[number]
    # What is said of the times is what they are in a fresh clone; an archive sets its files' times back.
    (tmp_path / "sample_images").mkdir()
    (name,) = re.findall(r"sample_images/([a-z0-9-]+)\.", command)
    for sample in (ROOT / "sample_images").glob(f"{name}.*"):
        shutil.copyfile(sample, tmp_path / "sample_images" / sample.name)
    monkeypatch.chdir(tmp_path)
    assert run(cmd_words(command), Session()) == 0
    printed = capsys.readouterr()

    def words(text: str) -> list[str]:
        # The copy is wrapped for reading; "|" marks a continued line.
        return [word for word in text.split() if word != "|"]

    assert words(copy) == words(printed.out + printed.err)


def test_the_number_of_rules_is_true() -> None:
    (number,) = re.findall(r"^(\d+) rules over", TEXT, re.MULTILINE)
    assert int(number) == len(built_in_rules())

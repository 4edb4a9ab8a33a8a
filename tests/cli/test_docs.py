"""The documents name every command, option, exit code, section and schema."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from tests.cli.conftest import ROOT
from tests.cli.test_help import COMMANDS
from vdiskkit.cli.app import root
from vdiskkit.cli.exitcodes import MEANING
from vdiskkit.report.sections import SECTIONS
from vdiskkit.schemas import schema_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

CLI = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
JSON = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")


def test_commands_and_options() -> None:
    for path, found in COMMANDS:
        assert f"`{' '.join(path)}" in CLI
        for option in [*found.params, *root.params]:
            if isinstance(option, click.Option):
                for name in option.opts:
                    assert re.search(rf"{re.escape(name)}\b", CLI), name


def test_exit_codes() -> None:
    section = CLI.partition("## Exit codes")[2].partition("## Streams")[0]
    rows = re.findall(r"^\| ([\d, ]+) \|", section, re.MULTILINE)
    assert {int(code) for row in rows for code in row.split(",")} == set(MEANING)


def test_sections() -> None:
    section = CLI.partition("## Sections of inspect")[2].partition("## Exit codes")[0]
    for name in SECTIONS:
        assert f"`{name}`" in section


def test_schemas() -> None:
    for name in schema_names():
        assert f"`{name}`" in JSON


def test_the_examples_of_changing_run(store: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python of the page, on a disk of that name."""
    disk = store()
    for suffix in (".vhd", ".pvp"):
        disk.with_suffix(suffix).rename(disk.parent / f"win10{suffix}")
    monkeypatch.chdir(disk.parent)
    page = (ROOT / "docs" / "changing.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    exec(compile(code, "changing.md", "exec"), {})  # noqa: S102 - our own document
    assert sorted(path.name for path in disk.parent.iterdir()) == [
        "win10.pvp",
        "win10.vhd",
        "win10.vhd.vdiskkit-undo-0001",
    ]


def test_every_field_that_can_be_set_and_every_force_is_named() -> None:
    from vdiskkit.cli.commands.pvp_set import command
    from vdiskkit.patch.gates import FORCES
    from vdiskkit.patch.side_car import SETTABLE

    page = (ROOT / "docs" / "changing.md").read_text(encoding="utf-8")
    for name in FORCES:
        assert f"`--force {name}`" in page
    for name in SETTABLE:
        assert re.search(rf"\b{name}\b", command.help or "")

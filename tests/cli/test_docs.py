"""The documents name every command, option, exit code, section and schema."""

from __future__ import annotations

import re

import click

from tests.cli.conftest import ROOT
from tests.cli.test_help import COMMANDS
from vdiskkit.cli.app import root
from vdiskkit.cli.exitcodes import MEANING
from vdiskkit.report.sections import SECTIONS
from vdiskkit.schemas import schema_names

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

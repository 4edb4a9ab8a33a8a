"""Help of every command, environment variables of every option, and what start-up imports."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import click
import pytest

from tests.cli.conftest import ROOT, SAMPLES, environment
from vdiskkit import __version__
from vdiskkit.cli.app import root
from vdiskkit.cli.command import Command
from vdiskkit.cli.exitcodes import MEANING
from vdiskkit.cli.version import DEPENDENCIES, LICENSE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cli.conftest import Outcome

WIN7 = SAMPLES / "win7-kms.vhd"


def _commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            yield from _commands(found, (*path, name))
        else:
            assert isinstance(found, Command)
            yield (*path, name), found


COMMANDS = list(_commands(root))
NAMES = [" ".join(path) for path, _ in COMMANDS]


def test_every_command_is_there() -> None:
    assert NAMES == [
        "inspect", "validate", "chain show", "chain check", "license", "pvp show", "pvp set",
        "reg get", "reg ls", "reg export", "reg set", "reg delete", "reg import",
        "ls", "cat", "stat", "kms-prep", "rm", "replay", "apply", "undo", "recover", "journal ls", "journal show",
        "rules", "rule", "explain", "profile show", "profile check", "profile init", "schema", "completion",
        "powershell",
    ]  # fmt: skip


@pytest.mark.parametrize(("path", "found"), COMMANDS, ids=NAMES)
def test_help_shows_two_examples_and_the_exit_codes(
    run: Callable[..., Outcome], path: tuple[str, ...], found: Command
) -> None:
    outcome = run(*path, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    examples = outcome.out.partition("Examples:")[2].partition("Exit codes:")[0]
    lines = re.findall(rf"^  vdiskkit {' '.join(path)}(?: .*)?$", examples, re.MULTILINE)
    assert len(lines) >= 2
    codes = outcome.out.partition("Exit codes:")[2]
    for code in (0, 2, 9, 130):
        assert re.search(rf"^  {code} +{re.escape(MEANING[code])}$", codes, re.MULTILINE)
    assert outcome.out.isascii()
    assert run(*path, "-h") == outcome
    assert found.help


@pytest.mark.parametrize(("path", "found"), COMMANDS, ids=NAMES)
def test_every_option_has_its_variable(path: tuple[str, ...], found: Command) -> None:
    for option in found.params:
        if isinstance(option, click.Option):
            long_names = [name.removeprefix("--").replace("-", "_") for name in option.opts if name.startswith("--")]
            assert option.name in long_names, "the variable is named after the option"
            assert option.allow_from_autoenv
            assert option.help


def test_variables_work_for_options_of_every_kind(
    process: Callable[..., subprocess.CompletedProcess[bytes]], samples: object
) -> None:
    prefix = "VDISKKIT_INSPECT_"
    env = {f"{prefix}SECTION": "container,chain", f"{prefix}JSON": "1"}
    result = json.loads(process("inspect", WIN7, env=env).stdout)["disks"][0]["result"]
    assert set(result) == {"sections", "target", "container"}
    done = process("inspect", WIN7, env={f"{prefix}FORMAT": "raw"})
    assert done.returncode == 0
    assert b"RAW fixed" in done.stdout
    done = process("inspect", WIN7, env={"VDISKKIT_INSPECT_VOLUME": "9"})
    assert done.returncode == 2
    done = process("ls", WIN7, env={"VDISKKIT_LS_LONG": "true"})
    assert b"Z  " in done.stdout
    done = process("reg", "ls", WIN7, r"HKLM\SYSTEM", env={"VDISKKIT_REG_LS_DEPTH": "0"})
    assert done.returncode == 2


def test_a_pinned_version_in_the_environment_is_no_question_for_ours(
    process: Callable[..., subprocess.CompletedProcess[bytes]],
) -> None:
    done = process("inspect", WIN7, "--section", "container", env={"VDISKKIT_VERSION": "1", "VDISKKIT_HELP": "1"})
    assert done.returncode == 0
    assert done.stdout.startswith(b"disk ")


def test_version_names_python_dependencies_and_licence(run: Callable[..., Outcome]) -> None:
    outcome = run("--version")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"vdiskkit {__version__}\npython   ")
    assert f"{sys.version_info.major}.{sys.version_info.minor}." in outcome.out
    assert outcome.out.endswith(f"licence  {LICENSE}\n")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {re.match(r"[\w.-]+", line).group().lower() for line in project["dependencies"]}  # type: ignore[union-attr]  # every line begins with a name
    assert set(DEPENDENCIES) == wanted
    assert project["license"] == LICENSE
    for name in DEPENDENCIES:
        assert re.search(rf"^with     {re.escape(name)} \d", outcome.out, re.MULTILINE)


_HEAVY = (
    "dissect",
    "construct",
    "rich",
    "logging",
    "dataclasses",
    "json",
    "pathlib",
    "vdiskkit.vdisk",
    "vdiskkit.ntfs",
)


@pytest.mark.parametrize("args", [["--help"], ["inspect", "--help"], ["reg", "get", "--help"], ["reg", "--help"]])
def test_help_imports_nothing_heavy(args: list[str]) -> None:
    loaded = _modules_after(*args)
    assert not [name for name in _HEAVY if name in loaded]
    if args == ["--help"]:
        assert not [name for name in loaded if name.startswith("vdiskkit.cli.commands.")]


def test_reading_one_value_imports_no_more_than_it_needs() -> None:
    loaded = _modules_after("reg", "get", str(WIN7), r"HKLM\SYSTEM\Select", "Current")
    heavy = ("dissect", "construct", "rich", "logging", "dataclasses", "json", "pathlib", "vdiskkit.inspection")
    assert not [name for name in heavy if name in loaded]


def _modules_after(*args: str) -> set[str]:
    code = (
        "import sys; from vdiskkit.cli import main; code = main(sys.argv[1:]); "
        "sys.stderr.write(' '.join(sys.modules)); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *args], env=environment(), capture_output=True, check=True, timeout=60
    )
    return set(done.stderr.decode().split())

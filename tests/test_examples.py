"""The examples: command lines that this version takes, files that are well formed, Python that runs."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from vdiskkit.cli.app import root
from vdiskkit.cli.session import Session

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
SCRIPTS = ("gate.ps1", "replicate.ps1", "Jenkinsfile", "azure-pipelines.yml", "github-actions.yml")


def command_lines(name: str) -> list[str]:
    """What stands behind the program's name, on lines that begin with it."""
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    return re.findall(r"^[ ]*vdiskkit (.+)$", text, re.MULTILINE)


def parse(line: str) -> click.Context:
    """Parse a command line as the program does, without running it."""
    args = shlex.split(line.replace("\\", "/"))
    context = root.make_context("vdiskkit", args, obj=Session())
    command: click.Command = root
    while isinstance(command, click.Group):
        name, found, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None
        command, context = found, found.make_context(name, rest, parent=context)
    return context


def test_all_are_listed() -> None:
    listed = set(re.findall(r"^\| `([^`]+)` \|", (EXAMPLES / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
    there = {path.name for path in EXAMPLES.iterdir() if path.is_file() and path.name != "README.md"}
    assert listed == there == {*SCRIPTS, "build_image.py"}


@pytest.mark.parametrize("name", SCRIPTS)
def test_command_lines_are_taken(name: str) -> None:
    lines = command_lines(name)
    assert lines
    for line in lines:
        context = parse(line)
        assert context.info_name == "validate"
        assert len(context.params["disks"]) == 1


def test_an_unknown_option_would_be_noticed() -> None:
    with pytest.raises(click.UsageError):
        parse('validate "$Disk" --no-such-option')


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name.endswith(".yml")])
def test_yaml_is_well_formed(name: str) -> None:
    """As far as can be seen without a YAML parser: even indentation, no tabs, every line a key, an item or text."""
    block: int | None = None
    previous = 0
    for line in (EXAMPLES / name).read_text(encoding="utf-8").splitlines():
        assert "\t" not in line
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        indent = len(line) - len(line.lstrip())
        if block is not None and indent > block:
            continue  # the text of a block
        block = None
        assert indent % 2 == 0
        assert indent <= previous + 4, line
        assert re.fullmatch(r"\s*(- )?[\w-]+:( .+)?", line), line
        if line.endswith(": |"):
            block = indent
        previous = indent


@pytest.mark.parametrize("name", SCRIPTS)
def test_brackets_are_closed(name: str) -> None:
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    for first, last in ("()", "{}", "[]"):
        assert text.count(first) == text.count(last), first


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name.endswith(".ps1")])
def test_powershell_parses(name: str) -> None:
    pwsh = shutil.which("pwsh")
    if pwsh is None:
        pytest.skip("pwsh is not installed")
    script = (
        "$e = $null; [System.Management.Automation.Language.Parser]::ParseFile($env:EXAMPLE, [ref]$null, [ref]$e)"
        " | Out-Null; exit $e.Count"
    )
    env = {**os.environ, "EXAMPLE": str(EXAMPLES / name)}
    assert subprocess.run([pwsh, "-NoProfile", "-Command", script], env=env, check=False, timeout=60).returncode == 0


@pytest.mark.parametrize(
    ("sample", "options", "code", "told"),
    [
        ("win7-kms", (), 0, "no findings"),
        ("faulty", (), 4, "Standard mode"),
        ("faulty", ("--sealed-copy",), 1, "KMS101"),
        ("missing", (), 3, "missing"),
    ],
)
def test_python_runs(sample: str, options: tuple[str, ...], code: int, told: str, tmp_path: Path) -> None:
    for path in (ROOT / "sample_images").glob(f"{sample}.*"):
        shutil.copy(path, tmp_path)
    done = subprocess.run(
        [sys.executable, EXAMPLES / "build_image.py", tmp_path / f"{sample}.vhd", *options],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    assert (done.returncode, told in done.stdout + done.stderr) == (code, True), done.stdout + done.stderr
    assert ("SkipRearm" in done.stdout) == ("--sealed-copy" in options)

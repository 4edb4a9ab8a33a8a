"""A program that is one file answers as the checkout does: with all its data, readers and versions inside."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.program.conftest import CHECKOUT, ROOT, ask
from vdiskkit import __version__
from vdiskkit.cli.version import DEPENDENCIES

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.thorough

KMS = "sample_images/win7-kms.vhd"
FAULTY = "sample_images/faulty.vhd"
PRIVATE = "win10-private-mak"
CHAIN = "sample_images/desk11.1.avhdx"


def answer(text: str) -> Any:
    """A JSON result without what each run has of its own, and with the separators of this system."""
    document = json.loads(text.replace(r"sample_images\\", "sample_images/"))
    document.pop("started")
    return document


def test_it_names_itself_and_all_that_is_inside(program: tuple[str, ...]) -> None:
    done = ask(program, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"vdiskkit {__version__}"
    told = {line.split()[1]: line.split()[2] for line in lines if line.startswith("with")}
    expected = ask(CHECKOUT, "--version").stdout.splitlines()
    assert told == {line.split()[1]: line.split()[2] for line in expected if line.startswith("with")}
    assert told.keys() == set(DEPENDENCIES)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("inspect", KMS, "--json"), id="inspect"),
        pytest.param(("inspect", CHAIN, "--json", "--readiness", "--blocks"), id="inspect a chain"),
        pytest.param(("inspect", KMS, "--second-opinion", "--json"), id="second opinion"),
        pytest.param(("validate", FAULTY, "--json"), id="validate"),
        pytest.param(("validate", KMS, CHAIN, "--deep", "--profile", "integrity-only", "--json"), id="validate deep"),
        pytest.param(("explain", "0xC004F074", "KMS101", "event", "12288", "--json"), id="explain"),
        pytest.param(("rules", "--json"), id="rules"),
    ],
)
def test_its_results_are_those_of_the_checkout(arguments: tuple[str, ...], program: tuple[str, ...]) -> None:
    done, expected = ask(program, *arguments), ask(CHECKOUT, *arguments)
    assert done.returncode == expected.returncode, done.stderr
    assert answer(done.stdout) == answer(expected.stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("schema",), id="names of schemas"),
        pytest.param(("schema", "validate"), id="schema"),
        pytest.param(("profile", "show", "kms-standard"), id="profile"),
        pytest.param(("rule", "KMS101"), id="rule"),
        pytest.param(("validate", "--help"), id="help"),
    ],
)
def test_its_texts_are_those_of_the_checkout(arguments: tuple[str, ...], program: tuple[str, ...]) -> None:
    done, expected = ask(program, *arguments), ask(CHECKOUT, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == expected.stdout


def test_an_error_is_the_same(program: tuple[str, ...]) -> None:
    done, expected = ask(program, "inspect", "README.md", "--json"), ask(CHECKOUT, "inspect", "README.md", "--json")
    assert done.returncode == expected.returncode == 3
    assert answer(done.stdout) == answer(expected.stdout)


def test_a_change_is_made_and_taken_back(program: tuple[str, ...], tmp_path: Path) -> None:
    for path in (ROOT / "sample_images").glob(f"{PRIVATE}.*"):
        shutil.copy(path, tmp_path)
    disk = tmp_path / f"{PRIVATE}.vhd"
    named = relative(disk)
    before = digest(disk)
    changed = ask(program, "kms-prep", named, "--skip-rearm", "0", "--kms-host", "kms.example.com", "--yes")
    assert changed.returncode == 0, changed.stderr
    assert digest(disk) != before
    read = ask(CHECKOUT, "license", str(disk), "--json")
    assert '"kms.example.com"' in read.stdout
    undone = ask(program, "undo", named, "--yes")
    assert undone.returncode == 0, undone.stderr
    assert digest(disk) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{PRIVATE}.pvp", disk.name]


def relative(path: Path) -> str:
    """The way from the repository, where the program runs: one for another system under Wine understands it too."""
    return str(path) if os.name == "nt" else os.path.relpath(path, ROOT)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()

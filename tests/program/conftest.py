"""The program under test: what ``VDISKKIT_PROGRAM`` names, else an archive made of what is installed here."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import Protocol

import pytest

from tools import wine
from tools.release.program import write_program

ROOT = Path(__file__).resolve().parents[2]
CHECKOUT = (sys.executable, "-m", "vdiskkit")


class Ask(Protocol):
    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]: ...


def ask(program: tuple[str, ...], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program in the repository; its output as text with plain line breaks."""
    command = [*program, *arguments]
    environment = wine.environment() if program[0] == "wine" else None
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    shown = [data.decode("utf-8", "replace").replace("\r\n", "\n") for data in (done.stdout, done.stderr)]
    return subprocess.CompletedProcess(done.args, done.returncode, *shown)


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    named = os.environ.get("VDISKKIT_PROGRAM")
    if named:
        words = tuple(shlex.split(named))
        if words[0] == "wine":
            wine.quietly("wine", "wineboot")  # its services outlive the first program, and would keep our pipes open
        return words
    folder = tmp_path_factory.mktemp("program")
    gather(folder / "installed")
    archive = folder / "the program.pyz"
    write_program(archive, folder / "installed")
    return sys.executable, "-I", str(archive)  # -I: what is installed, or lies in the folder, is not seen


def gather(folder: Path) -> None:
    """Copy the checkout's package and the installed packages that it needs, as pip would install them."""
    shutil.copytree(ROOT / "vdiskkit", folder / "vdiskkit", ignore=shutil.ignore_patterns("__pycache__"))
    locked = (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8")
    for name in re.findall(r"^([a-z0-9.-]+)==", locked, re.MULTILINE):
        installed = distribution(name)
        for file in installed.files or ():
            if ".." not in file.parts and file.suffix not in {".pyc", ".so", ".pyd"}:
                target = folder.joinpath(*file.parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(installed.locate_file(file)), target)

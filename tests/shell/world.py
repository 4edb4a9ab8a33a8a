"""The folder that the examples speak of: disks, lists and plans of the names that they use."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from tests.build.dirty_disk import dirty_software
from tests.build.scenario import chain, make, windows_disk
from tests.build.vhdx import MIB, build_vhdx
from tests.cli.conftest import NOW, SAMPLES, Outcome
from tests.cli.writing import interrupted
from vdiskkit.cli.run import run
from vdiskkit.cli.session import Session

if TYPE_CHECKING:
    import pytest

__all__ = ["build", "copy", "put_program"]

REG = 'Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Example]\r\n"Größe"="ü"\r\n'
OLD_REG = REG.replace("Windows Registry Editor Version 5.00", "REGEDIT4")


def build(folder: Path) -> None:
    """Make what all examples share."""
    folder.mkdir()
    disk = make("win10-private-mak", folder)
    for suffix in (".vhd", ".pvp"):
        shutil.copy(disk.with_suffix(suffix), folder / f"desk{suffix}")
        disk.with_suffix(suffix).rename(folder / f"win10{suffix}")
    # Elsewhere than on Windows, names like any other.
    store = folder / "D:" / "store"
    if os.name != "nt":
        store.mkdir(parents=True)
        for suffix in (".vhd", ".pvp"):
            shutil.copy(folder / f"win10{suffix}", store)
            shutil.copy(folder / f"win10{suffix}", folder / f"D:\\store\\win10{suffix}")
    _do("cat", str(folder / "win10.vhd"), "Windows/System32/config/SOFTWARE", "-o", str(folder / "SOFTWARE"))
    make("desk10", folder)
    software = dirty_software("win11")
    files = {f"Windows/System32/config/{name}": data for name, data in software.files("SOFTWARE").items()}
    raw = windows_disk("win11", files=files)
    build_vhdx("dynamic", len(raw), MIB, raw).save(folder / "win11.vhdx")
    (folder / "settings.reg").write_bytes(b"\xff\xfe" + REG.encode("utf-16-le"))
    (folder / "old.reg").write_bytes(OLD_REG.encode("cp1252"))
    (folder / "base.toml").write_text('ignore = ["VHD105"]\n', encoding="utf-8")
    (folder / "strict.toml").write_text('extends = "base.toml"\nfail_on = "note"\n', encoding="utf-8")
    (folder / "sample_images").mkdir()
    for path in SAMPLES.iterdir():
        if path.stem.partition(".")[0] in ("faulty", "desk11"):
            shutil.copy(path, folder / "sample_images")


def copy(master: Path, folder: Path, text: str) -> None:
    """Copy what a command line speaks of; with a wildcard in it, everything."""
    folder.mkdir()
    for path in master.iterdir():
        if "*" in text or re.split(r"[.:\\]", path.name)[0] in text:
            (shutil.copytree if path.is_dir() else shutil.copy)(path, folder / path.name)


def put_program(folder: Path) -> str:
    """Put ``vdiskkit`` and ``python`` into a folder, and return what PATH must be."""
    folder.mkdir(exist_ok=True)
    for name, args in (("vdiskkit", ["-m", "vdiskkit"]), ("python", [])):
        words = [sys.executable, *args]
        if os.name == "nt":
            (folder / f"{name}.bat").write_text(f"@{' '.join(words)} %*\r\n", encoding="ascii")
        else:
            (folder / name).write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
            (folder / name).chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def _do(*args: str) -> None:
    assert run(args, Session(clock=lambda: NOW)) == 0


def a_plan(_: pytest.MonkeyPatch) -> None:
    """A saved plan for win10.vhd."""
    _do("kms-prep", "win10.vhd", "--skip-rearm", "0", "--remove-tokens", "--plan-out", "win10.plan")


def a_change(patch: pytest.MonkeyPatch) -> None:
    """A change of win10.vhd, under the id that the examples name."""
    patch.setattr("vdiskkit.patch.api.uuid4", lambda: uuid.UUID("7f3a0000-0000-4000-8000-000000000001"))
    _do("kms-prep", "win10.vhd", "--skip-rearm", "0", "--remove-tokens", "--yes")


def a_change_of_desk(_: pytest.MonkeyPatch) -> None:
    """What the README does before the undo."""
    _do("kms-prep", "desk.vhd", "--skip-rearm", "0", "--kms-host", "kms.example.com", "--yes")


def an_interrupted_change(_: pytest.MonkeyPatch) -> None:
    """A crash between the last write and the commit."""
    interrupted(Path("win10.vhd"), lambda *args: Outcome(run([str(arg) for arg in args], Session()), "", ""))


def a_profile(_: pytest.MonkeyPatch) -> None:
    """The profile of this folder."""
    _do("profile", "init", "--output", "vdiskkit.toml")


def some_keys(_: pytest.MonkeyPatch) -> None:
    """A key to delete, and a value."""
    for key, name in ((r"HKLM\SOFTWARE\Example\Below", "x"), (r"HKLM\SOFTWARE\Policies\Example", "Server")):
        _do("reg", "set", "win10.vhd", key, name, "1", "--type", "sz", "--create-keys", "--yes")


def skip_rearm(_: pytest.MonkeyPatch) -> None:
    """SkipRearm is there, and 0."""
    _do("kms-prep", "win10.vhd", "--skip-rearm", "0", "--yes")


def no_hive(_: pytest.MonkeyPatch) -> None:
    """Take the bare hive away, which an example writes itself."""
    Path("SOFTWARE").unlink()


def versions(_: pytest.MonkeyPatch) -> None:
    """Three versions of win10."""
    chain(Path(), "win10", versions=3)

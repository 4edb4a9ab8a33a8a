"""Hives whose logs were replayed, before readers and checkers that know nothing of logs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.build.dirty_disk import dirty_software
from tests.oracle.samples import real_sample, strictcheck
from tests.oracle.tools import python_with, require
from vdiskkit.hivefile import open_hive

HERE = Path(__file__).parent
REAL = {
    "SYSTEM_B": "SYSTEM_B",
    "UsrClass.dat": "UsrClass.dat",
    "NewDirtyHive": "yarp/NewDirtyHive1/NewDirtyHive",
    "OldDirtyHive": "yarp/OldDirtyHive/OldDirtyHive",
}


def recovered(folder: Path, files: dict[str, bytes]) -> Path:
    """Write a hive (the first file) and its logs, and beside them what it is after the replay."""
    for name, data in files.items():
        (folder / name).write_bytes(data)
    target = folder / "recovered"
    with open_hive(folder / next(iter(files))) as hive:
        assert not hive.stale
        target.write_bytes(hive.source.read_at(0, hive.source.size))
    return target


def real(folder: Path, name: str) -> Path:
    return recovered(folder, {f"{name}{end}": real_sample(f"{REAL[name]}{end}") for end in ("", ".LOG1", ".LOG2")})


def strict_errors(file: Path) -> list[str]:
    command = [sys.executable, strictcheck(), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    assert "hive 1." in done.stdout
    return [line for line in done.stdout.splitlines() if line.startswith("ERROR")]


@pytest.mark.real
@pytest.mark.parametrize("name", REAL)
def test_the_strict_checker_finds_nothing_in_hives_of_windows(tmp_path: Path, name: str) -> None:
    # Before the replay it finds that they are dirty; counts of security descriptors, order and hashes fit after it.
    assert strict_errors(real(tmp_path, name)) == []
    assert strict_errors(tmp_path / name)


@pytest.mark.parametrize("old", [False, True])
def test_the_strict_checker_finds_nothing_in_a_built_hive(tmp_path: Path, old: bool) -> None:
    assert strict_errors(recovered(tmp_path, dirty_software(old=old).files("SOFTWARE"))) == []


@pytest.mark.oracle
@pytest.mark.real
def test_hivex_reads_the_same_values(tmp_path: Path) -> None:
    file = real(tmp_path, "UsrClass.dat")
    command = [python_with("hivex"), str(HERE / "dump_hivex.py"), str(file)]
    done = subprocess.run(command, capture_output=True, check=True)
    rows = [json.loads(line) for line in done.stdout.decode().splitlines()]
    theirs = {("\\".join(row["path"]), row["name"]): (row["type"], row["data"]) for row in rows if "name" in row}
    with open_hive(tmp_path / "UsrClass.dat") as hive:
        ours = {(key.path, value.name): (value.type, value.raw.hex()) for key in hive.walk() for value in key.values()}
    assert theirs == ours
    assert len(ours) > 12_000


@pytest.mark.oracle
@pytest.mark.real
@pytest.mark.parametrize("name", ["SYSTEM_B", "UsrClass.dat"])
def test_reglookup_lists_the_same_keys_and_values(tmp_path: Path, name: str) -> None:
    file = real(tmp_path, name)
    done = subprocess.run([require("reglookup"), "-H", str(file)], capture_output=True, check=True)
    theirs = [line.split(b",")[1] for line in done.stdout.splitlines()]
    with open_hive(tmp_path / name) as hive:
        keys = list(hive.walk())
        ours = len(keys) + sum(key.value_count for key in keys)
    assert theirs.count(b"KEY") == len(keys)
    assert len(theirs) == ours

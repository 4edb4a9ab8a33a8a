"""What the benchmark of changes counts with, and its budget on samples, where that costs no big image."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING
from unittest import mock

import pytest

import vdiskkit
from benchmarks import writes
from benchmarks.budgets import KIB, ROOT
from benchmarks.scattered import STORES

if TYPE_CHECKING:
    from pathlib import Path


def test_everything_written_is_counted(tmp_path: Path) -> None:
    system = writes.CountingFileSystem()
    (tmp_path / "disk").write_bytes(bytes(100))
    for file, data in ((system.open(str(tmp_path / "disk")), b"12"), (system.create(str(tmp_path / "new")), b"345")):
        file.write_at(0, data)
        file.write_at(50, data)
        file.flush()
        assert file.read_at(50, 2) == data[:2]
        file.close()
    assert system.written == {"disk": [2, 2], "journal": [3, 3]}
    assert (tmp_path / "new").read_bytes() == b"345".ljust(50, b"\0") + b"345"


# Of the last one the logs are replayed, too: that of the VHDX, and those of a hive.
@pytest.mark.parametrize(("name", "limit"), [("win10-private-mak", 64), ("desk10.2", 64), ("desk11.1", 80)])
def test_a_change_writes_little(tmp_path: Path, name: str, limit: int) -> None:
    for path in (ROOT / "sample_images").glob(f"{name.partition('.')[0]}*"):
        shutil.copy(path, tmp_path)
    disk = next(path for path in tmp_path.glob(f"{name}.*") if path.suffix in {".vhd", ".avhd", ".avhdx"})
    system = writes.CountingFileSystem()
    with mock.patch("vdiskkit.patch.api.RealFileSystem", return_value=system):
        made = vdiskkit.plan_kms_prep(disk, skip_rearm=1, remove_tokens=True, force=("standard-mode",))
        assert vdiskkit.apply(made).written
    disk_bytes, journal_bytes = (sum(system.written[name]) for name in ("disk", "journal"))
    assert disk_bytes == made.bytes_written
    assert journal_bytes > 0
    assert disk_bytes + journal_bytes < limit * KIB


@pytest.mark.skipif(not hasattr(os, "SEEK_DATA"), reason="the benchmarks run on systems with holes in files")
def test_files_are_compared_where_either_has_data(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for path in (one, other):
        with path.open("wb") as file:
            file.truncate(64 << 20)
            file.seek(32 << 20)
            file.write(b"data")
    assert writes.same_content(one, other)
    with other.open("r+b") as file:
        file.seek(48 << 20)
        file.write(b"x")
    assert not writes.same_content(one, other)
    assert not writes.same_content(other, one)
    other.write_bytes(b"data")
    assert not writes.same_content(one, other)


def test_the_scattered_stores_have_the_runs_of_the_others() -> None:
    assert sum(runs for _, runs in STORES.values()) > 800

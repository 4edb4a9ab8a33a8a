"""Disks that others use: nothing is written, by whatever command, until they have ended."""

from __future__ import annotations

import struct
import sys
from typing import TYPE_CHECKING

import pytest

from tests.build.pvp import NUMBERS
from tests.build.vhd import KIB, ParentLink, build_vhd
from tests.cli.writing import STANDARD, YES, contents, interrupted
from vdiskkit import open_vdisk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

IN_USE = "another program holds the file open"


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux; Windows has share modes, see test_windows_sharing")
class TestOpenElsewhere:
    @pytest.fixture(autouse=True)
    def no_patience(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("vdiskkit.io.linux._PATIENCE", 0.0)

    def test_a_change(self, store: Callable[..., Path], run: Callable[..., Outcome]) -> None:
        disk = store()
        before = contents(disk.parent)
        for held in (disk, disk.with_suffix(".pvp")):
            with held.open("rb"):
                assert run("inspect", disk).code == 0
                for args in (
                    ("kms-prep", disk, "--skip-rearm", "0", YES),
                    ("pvp", "set", disk, "author=me", YES),
                    ("rm", disk, r"Windows\explorer.exe", YES),
                ):
                    if held is disk or args[0] == "pvp":
                        done = run(*args)
                        assert (done.code, done.out) == (4, ""), args
                        assert IN_USE in done.err, args
                assert contents(disk.parent) == before

    def test_taking_one_back(self, store: Callable[..., Path], run: Callable[..., Outcome]) -> None:
        disk = store()
        assert run("kms-prep", disk, "--skip-rearm", "1", YES).code == 0
        for command in ("undo", "recover"):
            if command == "recover":
                interrupted(disk, run)
            left = contents(disk.parent)
            with disk.open("rb"):
                for how in (YES, "--dry-run"):
                    done = run(command, disk, how)
                    assert (done.code, IN_USE in done.err) == (4, True), (command, how)
            assert contents(disk.parent) == left
            assert run(command, disk, YES).code == 0


def make_child(disk: Path) -> None:
    """Put a differencing disk of a foreign name beside its parent."""
    with open_vdisk(disk) as opened:
        own = bytes.fromhex((opened.container.unique_id or "").replace("-", ""))
    link = ParentLink(own, disk.name)
    disk.with_name("child.avhd").write_bytes(build_vhd("differencing", 16 * KIB, 4 * KIB, {0: b"c" * 512}, parent=link))


class TestRecoverStandsBehindTheGatesOfUndo:
    @pytest.fixture
    def disk(self, store: Callable[..., Path], run: Callable[..., Outcome]) -> Path:
        return interrupted(store("win10-private-mak"), run)

    def test_standard_mode(self, disk: Path, run: Callable[..., Outcome]) -> None:
        side_car = disk.with_suffix(".pvp")
        data = bytearray(side_car.read_bytes())
        offset, form = NUMBERS["write_cache_type"]
        assert struct.unpack_from(form, data, offset) == (0,)
        struct.pack_into(form, data, offset, 1)
        side_car.write_bytes(data)
        left = contents(disk.parent)
        for how in (YES, "--dry-run"):
            done = run("recover", disk, how)
            assert done.code == 4
            assert "the vDisk is in Standard mode: PVS may be streaming it" in done.err
        assert contents(disk.parent) == left
        assert run("recover", disk, YES, *STANDARD).code == 0

    def test_versions(self, disk: Path, run: Callable[..., Outcome]) -> None:
        make_child(disk)
        left = contents(disk.parent)
        done = run("recover", disk, YES, "--force", "lok")
        assert done.code == 5
        assert "other versions are made from this file (child.avhd); changing it would corrupt them" in done.err
        assert contents(disk.parent) == left

    def test_a_lock(self, disk: Path, run: Callable[..., Outcome]) -> None:
        lock = disk.with_suffix(".lok")
        lock.touch()
        assert run("recover", disk, YES).code == 4
        assert run("recover", disk, YES, "--force", "lok").code == 0

    def test_a_change_that_is_complete_has_only_its_journal_to_put_away(
        self, disk: Path, run: Callable[..., Outcome]
    ) -> None:
        assert run("recover", disk, YES).code == 0
        assert run("kms-prep", disk, "--skip-rearm", "0", YES).code == 0
        kept = disk.with_name(f"{disk.name}.vdiskkit-undo-0001")
        kept.rename(disk.with_name(f"{disk.name}.vdiskkit-journal"))
        make_child(disk)
        done = run("recover", disk, YES)
        assert (done.code, done.err) == (0, "")
        assert kept.exists()

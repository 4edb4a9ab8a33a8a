"""Files that another process holds open, with each mode of sharing: what goes on, and what is refused untouched."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.cli.writing import YES, contents, interrupted
from tests.lacks import needs_windows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Outcome

HOLDER = """
import _winapi, sys
handle = _winapi.CreateFile(sys.argv[1], int(sys.argv[2], 16), int(sys.argv[3]), 0, 3, 0x80, 0)
print("held", flush=True)
sys.stdin.read()
"""
READ, WRITE = 0x80000000, 0x40000000
NOTHING, READING, READING_AND_WRITING, ALL = 0, 1, 3, 7
SHARES = {"nothing": NOTHING, "reading": READING, "reading and writing": READING_AND_WRITING, "all": ALL}
UNREADABLE = "another program holds the file open and lets nobody else read it"
IN_USE = "another program holds the file open"

pytestmark = needs_windows


@contextmanager
def held(path: Path, share: int, access: int = READ) -> Iterator[None]:
    """Another process has the file open during the block."""
    command = [sys.executable, "-c", HOLDER, str(path), hex(access), str(share)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield
        process.communicate()


@pytest.mark.parametrize("share", SHARES.values(), ids=SHARES)
def test_a_disk_that_another_program_reads(share: int, store: Callable[..., Path], run: Callable[..., Outcome]) -> None:
    disk = store()
    before = contents(disk.parent)
    plan = disk.with_name("kms.plan")
    assert run("kms-prep", disk, "--skip-rearm", "0", "--plan-out", plan).code == 0
    with held(disk, share):
        for args in (
            ("inspect", disk),
            ("license", disk),
            ("chain", "show", disk),
            ("kms-prep", disk, "--skip-rearm", "0", "--dry-run"),
        ):
            outcome = run(*args)
            if share == NOTHING:
                assert (outcome.code, outcome.out) == (4, ""), args
                assert UNREADABLE in outcome.err, args
                assert "end the program that uses it" in outcome.err, args
            else:
                assert outcome.code == 0, (args, outcome.err)
        for args in (
            ("kms-prep", disk, "--skip-rearm", "0", YES),
            ("reg", "set", disk, r"HKLM\SOFTWARE\Example", "a", "b", "--type", "sz", "--create-keys", YES),
            ("apply", plan, YES),
        ):
            outcome = run(*args)
            assert outcome.code == 4, (args, outcome.err)
            assert (UNREADABLE if share == NOTHING else IN_USE) in outcome.err, args
        assert run("pvp", "set", disk, "author=me", "--check").code in (1, 4)
    plan.unlink()
    assert contents(disk.parent) == before
    assert run("kms-prep", disk, "--skip-rearm", "0", YES).code == 0


def test_a_disk_that_another_program_writes(store: Callable[..., Path], run: Callable[..., Outcome]) -> None:
    disk = store()
    before = contents(disk.parent)
    with held(disk, ALL, READ | WRITE):
        assert run("inspect", disk).code == 0
        outcome = run("kms-prep", disk, "--skip-rearm", "0", YES)
        assert (outcome.code, outcome.out) == (4, "")
        assert IN_USE in outcome.err
    assert contents(disk.parent) == before


@pytest.mark.parametrize("share", SHARES.values(), ids=SHARES)
def test_a_side_car_that_another_program_reads(
    share: int, store: Callable[..., Path], run: Callable[..., Outcome]
) -> None:
    disk = store()
    before = contents(disk.parent)
    with held(disk.with_suffix(".pvp"), share):
        shown = run("pvp", "show", disk)
        assert shown.code == (4 if share == NOTHING else 0)
        outcome = run("pvp", "set", disk, "author=me", YES)
        assert outcome.code == 4, outcome.err
        assert IN_USE in outcome.err
    assert contents(disk.parent) == before


@pytest.mark.parametrize("share", SHARES.values(), ids=SHARES)
def test_undo_and_recover_of_a_disk_that_another_program_reads(
    share: int, store: Callable[..., Path], run: Callable[..., Outcome]
) -> None:
    disk = store()
    assert run("kms-prep", disk, "--skip-rearm", "1", YES).code == 0
    for command in ("undo", "recover"):
        if command == "recover":
            interrupted(disk, run)
        left = contents(disk.parent)
        with held(disk, share):
            outcome = run(command, disk, YES)
            assert outcome.code == 4, (command, outcome)
            assert IN_USE in outcome.err, command
        assert contents(disk.parent) == left, command
        assert run(command, disk, YES).code == 0, command


@pytest.mark.parametrize("share", [NOTHING, READING, READING_AND_WRITING], ids=list(SHARES)[:3])
def test_a_kept_journal_that_another_program_reads(
    share: int, store: Callable[..., Path], run: Callable[..., Outcome]
) -> None:
    disk = store()
    before = contents(disk.parent)
    assert run("kms-prep", disk, "--skip-rearm", "1", YES).code == 0
    journal = disk.with_name(f"{disk.name}.vdiskkit-undo-0001")
    left = contents(disk.parent)
    with held(journal, share):
        outcome = run("undo", disk, YES)
        assert outcome.code == 4, outcome.err
        assert IN_USE in outcome.err
    assert contents(disk.parent) == left
    assert run("undo", disk, YES).code == 0
    assert contents(disk.parent) == before


def test_an_output_that_another_program_reads(store: Callable[..., Path], run: Callable[..., Outcome]) -> None:
    disk = store()
    facts = disk.with_name("facts.txt")
    facts.write_text("old", encoding="utf-8")
    with held(facts, READING):
        outcome = run("inspect", disk, "--output", facts, "--overwrite")
        assert (outcome.code, outcome.out) == (2, "")
        assert "the output file cannot be written" in outcome.err
    assert facts.read_text(encoding="utf-8") == "old"
    assert sorted(path.suffix for path in disk.parent.iterdir()) == [".pvp", ".txt", ".vhd"]

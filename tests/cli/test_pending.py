"""Every reading command tells that a change of the disk was interrupted, and shows the state before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.writing import EXAMPLE, SPP, YES, interrupted
from tests.schemas import check

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

OLD = "a change of this disk was interrupted; shown is the state before it. `recover` brings that state back"
FOREIGN = "the journal of an interrupted change beside this disk does not belong to its present state"
BESIDE = {
    "reg get": ("reg", "get", "{disk}", SPP, "BackupProductKeyDefault"),
    "reg ls": ("reg", "ls", "{disk}", SPP),
    "ls": ("ls", "{disk}", "Windows"),
    "stat": ("stat", "{disk}", "Windows"),
    "pvp show": ("pvp", "show", "{disk}"),
}
WITHIN = {
    "inspect": ("inspect", "{disk}"),
    "license": ("license", "{disk}"),
    "chain show": ("chain", "show", "{disk}"),
    "validate": ("validate", "{disk}"),
}


@pytest.fixture
def disk(run: Callable[..., Outcome], store: Callable[..., Path]) -> Path:
    return interrupted(store("win10-private-mak"), run)


def asked(command: tuple[str, ...], disk: Path) -> list[str]:
    return [part.format(disk=disk) for part in command]


@pytest.mark.parametrize("command", BESIDE.values(), ids=BESIDE)
def test_it_is_told_beside_the_result(run: Callable[..., Outcome], disk: Path, command: tuple[str, ...]) -> None:
    done = run(*asked(command, disk))
    assert (done.code, done.err) == (0, f"note: {OLD}\n")
    assert run(*asked(command, disk), "--quiet").err == ""
    document = run(*asked(command, disk), "--json").json
    check(document)
    assert document["disks"][0]["notices"] == [{"code": "journal.pending", "message": OLD}]


@pytest.mark.parametrize("command", WITHIN.values(), ids=WITHIN)
def test_it_is_told_within_the_result(run: Callable[..., Outcome], disk: Path, command: tuple[str, ...]) -> None:
    done = run(*asked(command, disk))
    assert "interrupted" in done.out
    assert done.err == ""


def test_files_and_exports_are_those_of_the_state_before(run: Callable[..., Outcome], disk: Path) -> None:
    done = run("reg", "export", disk, SPP)
    assert done.err == f"note: {OLD}\n"
    assert "SkipRearm" not in done.out
    done = run("cat", disk, "Personality.ini")
    assert f"note: {OLD}\n" in done.err
    assert run("reg", "get", disk, SPP, "SkipRearm").code == 1


def test_a_disk_that_was_replaced_is_shown_as_it_is(run: Callable[..., Outcome], disk: Path) -> None:
    journal = disk.with_name(f"{disk.name}.vdiskkit-journal")
    data = journal.read_bytes()
    journal.unlink()
    assert run("reg", "set", disk, EXAMPLE, "Host", "1", "--type", "sz", "--create-keys", YES, "--no-undo").code == 0
    journal.write_bytes(data)
    done = run("reg", "get", disk, SPP, "SkipRearm")
    assert (done.code, done.out) == (0, "0\n")
    assert done.err.startswith(f"note: {FOREIGN}, so the disk is shown as it is: the disk was used since the change")
    assert done.err.endswith("If this state is wanted, move the journal away; else restore a copy\n")
    assert run("recover", disk, YES).code == 4


def test_the_side_car_is_shown_as_it_was(run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
    from vdiskkit.journal import JournalState, build_state
    from vdiskkit.journal.format import STATE_OFFSET

    disk = store("win10-private-mak")
    assert run("pvp", "set", disk, "description=later", YES).code == 0
    kept = disk.with_name(f"{disk.name}.vdiskkit-undo-0001")
    data = bytearray(kept.read_bytes())
    data[STATE_OFFSET : STATE_OFFSET + 512] = build_state(JournalState.ARMED)
    kept.unlink()
    disk.with_name(f"{disk.name}.vdiskkit-journal").write_bytes(data)
    for target in (disk, disk.with_suffix(".pvp")):
        done = run("pvp", "show", target)
        assert done.err == f"note: {OLD}\n"
        assert "later" not in done.out


def test_a_damaged_kept_journal_is_listed(run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
    disk = store("win10-private-mak")
    for value in ("1", "0"):
        assert run("kms-prep", disk, "--skip-rearm", value, YES).code == 0
    first = disk.with_name(f"{disk.name}.vdiskkit-undo-0001")
    data = bytearray(first.read_bytes())
    data[2000] ^= 1
    first.write_bytes(data)
    listed = run("journal", "ls", disk)
    assert listed.code == 0
    assert f"journal           {disk}: 1 change\n" in listed.out
    problem = "the change journal is damaged: its body does not fit its checksum"
    assert f"{first}: {problem}" in listed.out
    document = run("journal", "ls", disk, "--json").json
    check(document)
    assert document["disks"][0]["result"]["damaged"] == [{"journal": str(first), "problem": problem}]
    assert run("undo", disk, YES).code == 0
    assert run("reg", "get", disk, SPP, "SkipRearm").out == "1\n"
    refused = run("undo", disk, YES)
    assert refused.code == 3
    assert problem in refused.err
    assert first.read_bytes() == data

"""What holds for every changing command: dry runs write nothing, done changes write nothing, JSON."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import command, environment
from tests.cli.writing import CACHE, DRY, EXAMPLE, TOKENS, YES, contents, kept, validated

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Outcome

CHANGES: list[tuple[str, ...]] = [
    ("kms-prep", "{disk}", "--skip-rearm", "0", "--remove-tokens", "--kms-host", "kms.example.com"),
    ("reg", "set", "{disk}", EXAMPLE, "Value", "1", "--type", "dword", "--create-keys"),
    ("reg", "delete", "{disk}", r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion", "CurrentBuild"),
    ("reg", "delete", "{disk}", r"HKLM\SYSTEM\Setup", "--recursive"),
    ("rm", "{disk}", TOKENS),
    ("pvp", "set", "{disk}", "description=other", "build=77"),
]
NAMES = ["kms-prep", "reg set", "reg delete value", "reg delete key", "rm", "pvp set"]
OFTEN = [*CHANGES[:2], (*CHANGES[2], "--missing-ok"), (*CHANGES[3], "--missing-ok"), (*CHANGES[4], "--missing-ok")]


def filled(args: tuple[str, ...], disk: Path) -> list[str]:
    return [arg.replace("{disk}", str(disk)) for arg in args]


@pytest.mark.parametrize("args", CHANGES, ids=NAMES)
class TestPlanning:
    def test_a_dry_run_writes_nothing(
        self, run: Callable[..., Outcome], store: Callable[..., Path], args: tuple[str, ...]
    ) -> None:
        disk = store()
        before = contents(disk.parent)
        outcome = run(*filled(args, disk), DRY)
        assert (outcome.code, outcome.err) == (0, "")
        assert outcome.out.startswith("plan              ")
        assert outcome.out.endswith("\n  result          nothing written\n")
        assert f"  journal         {disk.name}.vdiskkit-journal, " in outcome.out
        assert contents(disk.parent) == before

    def test_check_tells_by_its_code(
        self, run: Callable[..., Outcome], store: Callable[..., Path], args: tuple[str, ...]
    ) -> None:
        disk = store()
        before = contents(disk.parent)
        assert run(*filled(args, disk), "--check").code == 1
        assert run(*filled(args, disk), "--check", DRY, "--json").json["exit_code"] == 1
        assert contents(disk.parent) == before

    def test_without_a_terminal_nothing_is_done_unless_told(
        self, run: Callable[..., Outcome], store: Callable[..., Path], args: tuple[str, ...]
    ) -> None:
        disk = store()
        before = contents(disk.parent)
        outcome = run(*filled(args, disk))
        assert (outcome.code, outcome.out) == (2, "")
        assert outcome.err == (
            "error: there is no terminal to ask on, so nothing is changed without --yes\n"
            "  hint  look at the plan with --dry-run, then give --yes\n"
        )
        assert contents(disk.parent) == before

    def test_json_follows_its_schema(
        self, run: Callable[..., Outcome], store: Callable[..., Path], args: tuple[str, ...]
    ) -> None:
        disk = store()
        planned = run(*filled(args, disk), DRY, "--json")
        assert (planned.code, planned.err) == (0, "")
        plan = validated(planned.out)
        assert (plan["dry_run"], plan["written"], plan["change_id"], plan["journal"]) == (True, False, None, None)
        assert plan["plan"]["changes"]
        assert sum(item["length"] for item in plan["plan"]["ranges"]) == plan["plan"]["bytes_written"]
        done = run(*filled(args, disk), YES, "--json")
        assert (done.code, done.err) == (0, "")
        result = validated(done.out)
        assert (result["dry_run"], result["written"]) == (False, True)
        assert result["plan"] == plan["plan"], "what was done is what was planned at the same time"
        assert result["journal"] == f"{disk}.vdiskkit-undo-0001"
        listed = validated(run("journal", "ls", disk, "--json").out)
        assert listed["pending"] is None
        assert [item["id"] for item in listed["changes"]] == [result["change_id"]]
        assert listed["changes"][0]["made"] == "2026-11-24T09:12:03Z"
        assert listed["changes"][0]["items"] == plan["plan"]["changes"]
        shown = validated(run("journal", "show", disk, "--json").out)["changes"][0]
        assert len(shown["ranges"]) == len(plan["plan"]["ranges"])
        undone = validated(run("undo", disk, YES, "--json").out)
        assert (undone["dry_run"], undone["change"]["id"]) == (False, result["change_id"])
        assert validated(run("recover", disk, YES, "--json").out) == {
            "dry_run": False,
            "action": "nothing",
            "change": None,
        }

    def test_the_journal_estimate_is_about_right(
        self, run: Callable[..., Outcome], store: Callable[..., Path], args: tuple[str, ...]
    ) -> None:
        disk = store()
        result = run(*filled(args, disk), YES, "--json").json["disks"][0]["result"]
        size = Path(result["journal"]).stat().st_size
        assert 0.6 * size < result["plan"]["journal_bytes"] <= size

    def test_quiet_and_output_to_a_file(
        self, run: Callable[..., Outcome], store: Callable[..., Path], tmp_path: Path, args: tuple[str, ...]
    ) -> None:
        disk, target = store(), tmp_path / "result.txt"
        outcome = run(*filled(args, disk), YES, "-q", "--output", target)
        assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
        assert target.read_text(encoding="utf-8").startswith("changed ")


@pytest.mark.parametrize("args", [*OFTEN, CHANGES[5]], ids=NAMES)
def test_repeating_a_done_change_writes_nothing(
    run: Callable[..., Outcome], store: Callable[..., Path], args: tuple[str, ...]
) -> None:
    disk = store()
    assert run(*filled(args, disk), YES).code == 0
    before = contents(disk.parent)
    for more, code in (((YES,), 0), ((DRY,), 0), (("--check",), 0)):
        outcome = run(*filled(args, disk), *more)
        assert (outcome.code, outcome.err) == (code, "")
        assert outcome.out.startswith(f"already so        {disk}\n")
        assert outcome.out.endswith("\n  result          nothing to do, nothing written\n")
    result = validated(run(*filled(args, disk), YES, "--json").out)
    assert (result["written"], result["journal"], result["plan"]["ranges"]) == (False, None, [])
    assert contents(disk.parent) == before
    assert kept(disk) == [f"{disk.name}.vdiskkit-undo-0001"]


def test_the_result_is_opened_before_anything_is_written(
    run: Callable[..., Outcome], store: Callable[..., Path]
) -> None:
    disk = store()
    before = contents(disk.parent)
    for target in ("/no/such/folder/x", disk, disk.with_suffix(".pvp")):
        outcome = run("kms-prep", disk, "--skip-rearm", "0", YES, "--output", target)
        assert (outcome.code, outcome.out) == (2, "")
        assert contents(disk.parent) == before


def test_errors_are_json_too(run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
    disk = store("win7-kms")
    outcome = run("kms-prep", disk, "--skip-rearm", "0", YES, "--json", "-q")
    assert (outcome.code, outcome.err) == (4, "")
    document = outcome.json
    assert document["schema"] == "vdiskkit.patch/1"
    assert document["error"]["type"] == "StateError"
    assert document["disks"] == [{"target": str(disk), "error": document["error"]}]
    assert "--force standard-mode" in document["error"]["hint"]


def test_stdout_that_nobody_reads_does_not_undo_anything(store: Callable[..., Path]) -> None:
    disk = store()
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        done = subprocess.run(
            command("kms-prep", disk, "--skip-rearm", "0", "--yes"),
            stdout=closed,
            stderr=subprocess.PIPE,
            env=environment(),
            check=False,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (0, b"")
    assert kept(disk) == [f"{disk.name}.vdiskkit-undo-0001"]


def test_removal_of_tokens_leaves_the_rest_of_the_store(
    run: Callable[..., Outcome], store: Callable[..., Path]
) -> None:
    disk = store()
    folder = TOKENS.rpartition("\\")[0]
    before = run("ls", disk, folder).out.splitlines()
    assert run("kms-prep", disk, "--remove-tokens", YES).code == 0
    after = run("ls", disk, folder).out.splitlines()
    assert [line for line in before if "tokens.dat" not in line] == after
    assert run("stat", disk, CACHE).code == 1

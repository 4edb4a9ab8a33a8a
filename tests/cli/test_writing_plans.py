"""Saved plans: applied as planned, refused when stale or tampered with, and never a way to write anything else."""

from __future__ import annotations

import json
import os
import shutil
import stat
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.writing import DRY, EXAMPLE, SPP, STANDARD, TOKENS, YES, contents, kept, pair, validated
from tests.schemas import check

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

KMS = ("--skip-rearm", "0", "--remove-tokens", "--kms-host", "kms.example.com")


@pytest.fixture
def planned(run: Callable[..., Outcome], store: Callable[..., Path], tmp_path: Path) -> tuple[Path, Path]:
    """A disk, and a plan for it."""
    disk, plan = store(), tmp_path / "change.plan"
    before = contents(disk.parent)
    outcome = run("kms-prep", disk, *KMS, "--plan-out", plan)
    assert (outcome.code, outcome.err) == (0, "")
    assert f"  saved           the plan is in {plan}; `apply` carries it out\n" in outcome.out
    assert contents(disk.parent) == before
    return disk, plan


def edited(plan: Path, **members: Any) -> None:
    document = json.loads(plan.read_text(encoding="ascii"))
    plan.write_text(json.dumps({**document, **members}), encoding="ascii")


def test_a_plan_is_a_private_ascii_file_of_its_schema(planned: tuple[Path, Path]) -> None:
    disk, plan = planned
    document = json.loads(plan.read_text(encoding="ascii"))
    check(document, "vdiskkit.plan/1")
    assert document["path"] == str(disk)
    if os.name == "posix":
        assert stat.S_IMODE(plan.stat().st_mode) == 0o600


def test_apply_does_what_was_planned(run: Callable[..., Outcome], planned: tuple[Path, Path]) -> None:
    disk, plan = planned
    before = pair(disk)
    saved = json.loads(plan.read_text(encoding="ascii"))
    dry = run("apply", plan, DRY, "--json")
    assert (dry.code, dry.err) == (0, "")
    assert validated(dry.out)["plan"] == saved
    assert pair(disk) == before
    outcome = run("apply", plan, YES, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    result = validated(outcome.out)
    assert result["plan"] == saved, "the same bytes with the same times, and the same notes"
    assert outcome.json["disks"][0]["target"] == str(disk)
    assert run("reg", "get", disk, SPP, "SkipRearm").out == "0\n"
    assert run("stat", disk, TOKENS).code == 1


def test_apply_asks_like_any_change(run: Callable[..., Outcome], planned: tuple[Path, Path]) -> None:
    disk, plan = planned
    before = contents(disk.parent)
    outcome = run("apply", plan)
    assert (outcome.code, outcome.out) == (2, "")
    assert "without --yes" in outcome.err
    assert contents(disk.parent) == before


def test_a_done_plan_is_done(run: Callable[..., Outcome], planned: tuple[Path, Path]) -> None:
    disk, plan = planned
    assert run("apply", plan, YES).code == 0
    before = contents(disk.parent)
    for more in (YES, DRY):
        outcome = run("apply", plan, more)
        assert (outcome.code, outcome.err) == (0, "")
        assert outcome.out.startswith(f"already so        {disk}\n")
    assert contents(disk.parent) == before


def test_a_stale_plan_is_refused(run: Callable[..., Outcome], planned: tuple[Path, Path]) -> None:
    disk, plan = planned
    assert run("reg", "set", disk, EXAMPLE, "x", "1", "--type", "dword", "--create-keys", YES).code == 0
    before = contents(disk.parent)
    for more in (YES, DRY):
        outcome = run("apply", plan, more)
        assert (outcome.code, outcome.out) == (4, "")
        assert outcome.err == (
            "error: the disk or its side-car is not what it was when the plan was made\n"
            f"  at    {disk}\n"
            "  hint  make the plan again and look at it\n"
        )
    assert contents(disk.parent) == before


def test_a_plan_for_a_copy_elsewhere(run: Callable[..., Outcome], planned: tuple[Path, Path], tmp_path: Path) -> None:
    disk, plan = planned
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(disk.parent, elsewhere)
    before = contents(disk.parent)
    other = elsewhere / disk.name
    outcome = run("apply", plan, "--disk", other, YES)
    assert (outcome.code, outcome.err) == (0, "")
    assert run("reg", "get", other, SPP, "SkipRearm").out == "0\n"
    assert contents(disk.parent) == before


def test_a_plan_saved_with_a_relative_path_works_from_anywhere(
    run: Callable[..., Outcome], store: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, plan = store(), tmp_path / "change.plan"
    monkeypatch.chdir(disk.parent)
    assert run("rm", disk.name, TOKENS, "--plan-out", plan).code == 0
    monkeypatch.chdir("/")
    assert run("apply", plan, YES).code == 0
    assert run("stat", disk, TOKENS).code == 1


def test_only_the_operations_of_a_plan_are_believed(run: Callable[..., Outcome], planned: tuple[Path, Path]) -> None:
    disk, plan = planned
    evil = {"file": "/etc/passwd", "offset": 0, "length": 512, "phase": "data"}
    edited(plan, ranges=[evil], changes=[], notes=["\x1b[2Jnothing to see\n::error::x"], bytes_written=0, growth=-5)
    outcome = run("apply", plan, YES)
    assert (outcome.code, outcome.err) == (0, "")
    assert "/etc/passwd" not in outcome.out
    assert "SkipRearm: absent → REG_DWORD 0" in outcome.out
    assert r"  note            \u{1b}[2Jnothing to see\u{a}::error::x" in outcome.out
    assert run("reg", "get", disk, SPP, "SkipRearm").out == "0\n"


def test_other_operations_need_another_digest(run: Callable[..., Outcome], planned: tuple[Path, Path]) -> None:
    disk, plan = planned
    before = contents(disk.parent)
    edited(plan, operations=[{"operation": "delete_file", "path": r"Windows\explorer.exe", "missing_ok": False}])
    assert run("apply", plan, YES).code == 4
    assert contents(disk.parent) == before


def test_a_plan_cannot_pass_a_format_gate(
    run: Callable[..., Outcome], store: Callable[..., Path], tmp_path: Path
) -> None:
    disk, plan = store("dirty-volume"), tmp_path / "change.plan"
    good = store("healthy-win10")
    assert run("rm", good, TOKENS, "--plan-out", plan, *STANDARD).code == 0
    edited(plan, path=str(disk), forced=["lok", "standard-mode", "mode"])
    outcome = run("apply", plan, YES)
    assert outcome.code == 4
    assert "it is marked dirty" in outcome.err


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"schema": "vdiskkit.plan/2"}, "its schema is 'vdiskkit.plan/2', not vdiskkit.plan/1"),
        ({"schema": ["x"]}, "its schema is"),
        ({"volume": "x"}, "its volume or time is malformed"),
        ({"now": "2026-11-24T00:00:00"}, "its volume or time is malformed"),
        ({"now": "yesterday"}, "Invalid isoformat string"),
        ({"operations": [{"operation": "write_bytes", "offset": 0}]}, "unknown operation 'write_bytes'"),
        ({"operations": ["x"]}, "an operation in the plan is no object"),
        ({"operations": [{"operation": "delete_file", "path": 5}]}, "wrong path"),
        ({"operations": [{"operation": "delete_file"}]}, "malformed"),
        ({"operations": [{"operation": "set_value", "data": "zz"}]}, "malformed"),
        ({"operations": [{"operation": "delete_file", "path": "x", "extra": 1}]}, "malformed"),
        ({"operations": 5}, "this is no plan"),
        ({"forced": ["everything"]}, "there is no gate 'everything' to force"),
        ({"forced": 5}, "this is no plan"),
        ({"notes": None}, "this is no plan"),
        ({"path": ""}, "the path is empty"),
    ],
)
def test_a_malformed_plan_is_a_usage_error(
    run: Callable[..., Outcome], planned: tuple[Path, Path], members: dict[str, Any], message: str
) -> None:
    disk, plan = planned
    before = contents(disk.parent)
    edited(plan, **members)
    outcome = run("apply", plan, YES)
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err
    assert contents(disk.parent) == before


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"schema": "vdiskkit.plan/1"}']
)
def test_what_is_no_plan_at_all(run: Callable[..., Outcome], tmp_path: Path, data: bytes) -> None:
    plan = tmp_path / "x.plan"
    plan.write_bytes(data)
    outcome = run("apply", plan, YES)
    assert outcome.code == 2
    assert outcome.err.startswith("error: this is no plan: ")


def test_where_a_plan_cannot_be_saved(run: Callable[..., Outcome], store: Callable[..., Path], tmp_path: Path) -> None:
    disk = store()
    taken = tmp_path / "taken.plan"
    taken.write_text("mine")
    for target in (taken, disk, disk.with_suffix(".pvp"), tmp_path / "no" / "x.plan", tmp_path):
        outcome = run("kms-prep", disk, *KMS, "--plan-out", target)
        assert (outcome.code, outcome.out) == (2, "")
    outcome = run("kms-prep", disk, *KMS, "--plan-out", tmp_path / "x.plan", YES)
    assert (outcome.code, outcome.out) == (2, "")
    assert taken.read_text() == "mine"
    assert kept(disk) == []


def test_a_plan_that_is_not_there(run: Callable[..., Outcome], tmp_path: Path) -> None:
    assert run("apply", tmp_path / "none.plan", YES).code == 3

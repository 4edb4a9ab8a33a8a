"""Hostile names and texts in plans, results and journals: shown safely, and changed exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from tests.build.hostile import TEXTS
from tests.cli.test_hostile import assert_safe
from tests.cli.writing import DRY, EXAMPLE, SPP, STANDARD, YES, pair, validated
from vdiskkit.journal import Journal, JournalFile, JournalState, build_body, build_state
from vdiskkit.journal.format import Stamp

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

CONTROLS = "PLANTED\x1b[2J\n::error::x\x07\u202e##vso[task.complete]"


def test_texts_of_the_image_in_plans(run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
    disk = store("hostile")
    for args in (
        ("reg", "delete", disk, SPP, "KeyManagementServiceName"),
        ("kms-prep", disk, "--kms-host", "absent", "--kms-port", "absent", "--remove-tokens"),
        ("pvp", "set", disk, "description=plain", "author=plain", "title=plain"),
    ):
        outcome = run(*args, DRY, *STANDARD)
        assert (outcome.code, outcome.err) == (0, "")
        assert_safe(outcome.out)
        assert "PLANTED" in outcome.out
        validated(run(*args, DRY, *STANDARD, "--json").out)


def test_every_hostile_file_can_be_deleted_and_comes_back(
    run: Callable[..., Outcome], store: Callable[..., Path]
) -> None:
    disk = store("hostile")
    before = pair(disk)
    entries = run("ls", disk, "Users/Public", "--json").json["disks"][0]["result"]["entries"]
    names = [
        item["name"]
        for item in entries
        if not item["is_directory"] and "\\u{" not in item["name"] and ":" not in item["name"]
    ]
    assert any("\x1b" in name for name in names)
    for name in names:
        outcome = run("rm", disk, f"Users/Public/{name}", YES, *STANDARD)
        assert outcome.code == 0, outcome.err
        assert_safe(outcome.out + outcome.err)
    for args in (("journal", "ls", disk), ("journal", "show", disk), ("undo", disk, DRY, *STANDARD)):
        outcome = run(*args)
        assert outcome.code == 0
        assert_safe(outcome.out)
        validated(run(*args, "--json").out)
    for _ in names:
        outcome = run("undo", disk, YES, *STANDARD)
        assert outcome.code == 0
        assert_safe(outcome.out)
    assert pair(disk) == before


def test_hostile_keys_and_values(run: Callable[..., Outcome], store: Callable[..., Path], tmp_path: Path) -> None:
    disk = store("hostile")
    application = rf"{SPP}\55c92734-d682-4d71-983e-d6ec3f16059f"
    for text in TEXTS:
        if "\\" in text or any("\ud800" <= char <= "\udfff" for char in text):
            continue
        outcome = run("reg", "delete", disk, application, text, "--missing-ok", DRY, *STANDARD)
        assert outcome.code == 0
        assert_safe(outcome.out)
    plan = tmp_path / "hostile.plan"
    outcome = run("reg", "delete", disk, application, "--recursive", "--plan-out", plan, *STANDARD)
    assert outcome.code == 0
    assert_safe(outcome.out)
    assert plan.read_bytes().isascii()
    assert run("apply", plan, YES).code == 0
    assert run("reg", "ls", disk, application).code == 1


def test_what_users_type_is_shown_safely_and_stored_exactly(
    run: Callable[..., Outcome], store: Callable[..., Path]
) -> None:
    disk = store()
    outcome = run(
        "reg", "set", disk, rf"{EXAMPLE}\{CONTROLS}", CONTROLS, CONTROLS, "--type", "sz", "--create-keys", YES
    )
    assert outcome.code == 0, outcome.err
    assert_safe(outcome.out)
    read = run("reg", "get", disk, rf"{EXAMPLE}\{CONTROLS}", CONTROLS, "--json")
    assert (read.json["name"], read.json["data"]) == (CONTROLS, CONTROLS)
    for args in (
        ("rm", disk, CONTROLS, YES),
        ("reg", "delete", disk, rf"HKLM\SOFTWARE\{CONTROLS}", CONTROLS, YES),
        ("reg", "set", disk, CONTROLS, "x", "1", "--type", "dword", YES),
        ("reg", "set", disk, EXAMPLE, "x", CONTROLS, "--type", "dword", YES),
        ("pvp", "set", disk, f"{CONTROLS}=x", YES),
        ("pvp", "set", disk, f"license_mode={CONTROLS}", YES),
        ("undo", disk, "--id", CONTROLS, YES),
        ("kms-prep", disk, "--kms-host", CONTROLS, YES),
        ("kms-prep", CONTROLS, "--skip-rearm", "0", YES),
        ("apply", CONTROLS, YES),
    ):
        outcome = run(*args)
        assert outcome.code in (1, 2, 3)
        assert_safe(outcome.out + outcome.err)


ODD = (
    {"summary": CONTROLS, "made": CONTROLS, "changes": [{"kind": "value", "where": CONTROLS, "after": CONTROLS}]},
    {"summary": 5, "made": 7, "changes": "x"},
    {"changes": [None, {"kind": "x"}, {"kind": "file", "where": None, "before": 5}]},
    {},
)


def test_a_journal_of_unknown_origin(run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
    """What a journal says for people is text of a file that anybody may have put there."""
    disk = store()
    for about in ODD:
        put_journal(disk, about, JournalState.COMMITTED, stamps=1)
        for args in (("journal", "ls", disk), ("journal", "show", disk)):
            outcome = run(*args)
            assert (outcome.code, outcome.err) == (0, "")
            assert_safe(outcome.out)
            validated(run(*args, "--json").out)
        assert run("undo", disk, YES).code == 4


def test_a_journal_that_cannot_be(run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
    disk = store()
    for state, stamps, message in (
        (JournalState.COMMITTED, 0, "the change journal is damaged: it has other numbers of files and of their times"),
        (JournalState.COMMITTED, 2, "the change journal is damaged"),
        (JournalState.ARMED, 0, "kept without having been committed"),
    ):
        put_journal(disk, {}, state, stamps=stamps)
        outcome = run("undo", disk, YES)
        assert (outcome.code, outcome.out) == (3, "")
        assert message in outcome.err


def put_journal(disk: Path, about: dict[str, Any], state: JournalState, *, stamps: int) -> None:
    size = disk.stat().st_size
    files = (JournalFile(disk.name, size, size, 0),)
    header, body = build_body(Journal(UUID(int=1), JournalState.WRITING, about, files, (), (), ()))
    path = disk.parent / f"{disk.name}.vdiskkit-undo-0001"
    path.write_bytes(header + build_state(state, [Stamp(size, 1)] * stamps) + body)

"""``--copy-to``: the copy is changed, the original stays, and what fails leaves no copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cli.writing import DRY, SPP, STANDARD, TOKENS, YES, contents, pair, validated

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome


def test_the_copy_is_changed_and_the_original_stays(
    run: Callable[..., Outcome], store: Callable[..., Path], tmp_path: Path
) -> None:
    disk, new = store(), tmp_path / "copy.vhd"
    before = contents(disk.parent)
    planned = run("kms-prep", disk, "--skip-rearm", "0", "--copy-to", new, DRY)
    assert planned.out.startswith(f"copy              to {new}\nplan ")
    assert not new.exists()
    outcome = run("kms-prep", disk, "--skip-rearm", "0", "--copy-to", new, YES, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    result = validated(outcome.out)
    assert (result["written"], result["copied_to"], result["plan"]["path"]) == (True, str(new), str(new))
    assert result["journal"] == f"{new}.vdiskkit-undo-0001"
    assert contents(disk.parent) == before
    assert run("reg", "get", new, SPP, "SkipRearm").out == "0\n"
    assert run("undo", new, YES).code == 0
    assert pair(new) == pair(disk)


def test_a_copy_is_made_also_when_nothing_is_to_be_changed(
    run: Callable[..., Outcome], store: Callable[..., Path], tmp_path: Path
) -> None:
    disk, new = store(), tmp_path / "copy.vhd"
    outcome = run("kms-prep", disk, "--skip-rearm", "absent", "--copy-to", new, YES)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"copied            to {new}\nalready so        {new}\n")
    assert pair(new) == pair(disk)


def test_a_plan_is_not_for_a_copy(run: Callable[..., Outcome], store: Callable[..., Path], tmp_path: Path) -> None:
    plan = tmp_path / "x.plan"
    outcome = run("kms-prep", store(), "--skip-rearm", "0", "--copy-to", tmp_path / "x.vhd", "--plan-out", plan)
    assert (outcome.code, outcome.out) == (2, "")
    assert "exclude each other" in outcome.err
    assert not plan.exists()


def test_a_name_that_is_taken(run: Callable[..., Outcome], store: Callable[..., Path], tmp_path: Path) -> None:
    disk = store()
    taken = tmp_path / "taken.vhd"
    taken.write_text("mine")
    beside = tmp_path / "beside.vhd"
    beside.with_suffix(".pvp").write_text("mine")
    for new in (taken, beside, disk):
        outcome = run("kms-prep", disk, "--skip-rearm", "0", "--copy-to", new, YES)
        assert (outcome.code, outcome.out) == (2, "")
        assert "there is a file of this name already; a copy never replaces one" in outcome.err
    assert taken.read_text() == beside.with_suffix(".pvp").read_text() == "mine"
    assert not beside.exists()


def test_gates_stand_before_the_copy(run: Callable[..., Outcome], store: Callable[..., Path], tmp_path: Path) -> None:
    outcome = run("kms-prep", store("win7-kms"), "--skip-rearm", "0", "--copy-to", tmp_path / "copy.vhd", YES)
    assert outcome.code == 4
    assert not (tmp_path / "copy.vhd").exists()


def test_a_copy_that_cannot_be_changed_is_removed(
    run: Callable[..., Outcome], store: Callable[..., Path], tmp_path: Path
) -> None:
    disk, folder = store("desk10"), tmp_path / "elsewhere"
    folder.mkdir()
    new = folder / "desk10.2.avhd"
    before = contents(disk.parent)
    outcome = run("rm", disk, TOKENS, "--copy-to", new, YES, *STANDARD)
    assert (outcome.code, outcome.out) == (3, ""), "the parents are not in the new folder"
    assert "--parent-dir" in outcome.err
    assert list(folder.iterdir()) == []
    outcome = run("rm", disk, TOKENS, "--copy-to", new, "--parent-dir", disk.parent, YES, *STANDARD)
    assert (outcome.code, outcome.err) == (0, "")
    assert run("stat", new, TOKENS, "--parent-dir", disk.parent).code == 1
    assert contents(disk.parent) == before

"""``chain show`` and ``chain check`` on the command line: results, exit codes, forms."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.build.hostile import TEXTS
from tests.build.hostile import manifest as hostile_manifest
from tests.build.vhd import ParentLink, build_vhd
from tests.schemas import check
from tests.unit.chain.stores import BLOCK, SIZE, put, vhd_chain, vhdx_chain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome


def checked(outcome: Outcome) -> Any:
    """The JSON of a run, after its schema has been held against it."""
    document = outcome.json
    check(document)
    assert outcome.out.isascii()
    assert document["exit_code"] == outcome.code
    return document


def test_show_of_the_sample(run: Callable[..., Outcome], samples: Path) -> None:
    outcome = run("chain", "show", samples / "desk10.2.pvp")
    assert (outcome.code, outcome.err) == (0, "")
    assert "3 files, whole down to the base" in outcome.out
    assert [line.split()[0] for line in outcome.out.splitlines() if line.startswith("  [")] == ["[2]", "[1]", "[0]"]
    document = checked(run("chain", "show", samples / "desk10.2.avhd", "--json"))
    facts = document["disks"][0]["result"]
    assert [item["version"] for item in facts["files"]] == [2, 1, 0]
    assert document["disks"][0]["target"] == str(samples / "desk10.2.avhd")
    at = checked(run("chain", "show", samples / "desk10.vhd", "--at", "1", "--json"))["disks"][0]["result"]
    assert [item["version"] for item in at["files"]] == [1, 0]
    assert [(item["version"], item["relation"]) for item in at["others"]] == [(2, "child")]


@pytest.mark.parametrize("make", [vhd_chain, vhdx_chain], ids=["vhd", "vhdx"])
def test_show_of_a_broken_chain_shows_what_is_there(
    run: Callable[..., Outcome], tmp_path: Path, make: Callable[[Path, int], Path]
) -> None:
    newest = make(tmp_path, 3)
    newest.with_name(newest.name.replace("3", "1")).unlink()
    outcome = run("chain", "show", newest)
    assert outcome.code == 3
    assert "not whole" in outcome.out
    assert "[2]" in outcome.out
    assert "error: the parent of this differencing disk" in outcome.err
    document = checked(run("chain", "show", newest, "--json"))
    assert document["error"]["type"] == "ParentMismatchError"
    facts = document["disks"][0]["result"]
    assert len(facts["files"]) == 2
    assert facts["break_at"]["kind"] == "wrong_id"
    assert facts["files"][1]["parent"]["candidates"][0]["outcome"] == "absent"


def test_show_of_what_is_no_disk(run: Callable[..., Outcome], tmp_path: Path) -> None:
    outcome = run("chain", "show", tmp_path / "none.vhd", "--json")
    assert outcome.code == 3
    assert checked(outcome)["disks"][0]["error"]["type"] == "SourceError"
    (tmp_path / "text.vhd").write_text("text", encoding="ascii")
    assert run("chain", "show", tmp_path / "text.vhd").code == 3


def test_the_result_can_go_to_a_file(run: Callable[..., Outcome], tmp_path: Path) -> None:
    newest = vhd_chain(tmp_path, 1)
    outcome = run("chain", "show", newest, "--output", tmp_path / "out.txt")
    assert (outcome.code, outcome.out) == (0, "")
    assert "whole down to the base" in (tmp_path / "out.txt").read_text(encoding="utf-8")
    assert run("chain", "show", newest, "--output", newest).code == 2


def test_check_of_the_sample(run: Callable[..., Outcome], samples: Path) -> None:
    when = {"desk10.vhd": 14, "desk10.1.avhd": 15, "desk10.2.avhd": 16}
    for name, day in when.items():
        moment = 1_686_735_000 + (day - 14) * 86_400  # 09:30 UTC on that day of June 2023, as the manifest says
        os.utime(samples / name, (moment, moment))
    outcome = run("chain", "check", samples / "desk10.2.avhd", "--all-results")
    assert (outcome.code, outcome.err) == (0, "")
    assert "fit: no findings" in outcome.out
    assert "3 files, each with the id that its child names" in outcome.out


def test_check_finds_what_show_and_inspect_cannot_open(run: Callable[..., Outcome], tmp_path: Path) -> None:
    newest = vhdx_chain(tmp_path, 2)
    (tmp_path / "desk.vhdx").unlink()
    assert run("inspect", newest).code == 3
    outcome = run("chain", "check", newest, "--json")
    document = checked(outcome)
    assert outcome.code == 1
    assert "error" not in document
    assert {item["code"] for item in document["findings"]} == {"CHN101", "CHN108"}
    assert run("chain", "check", newest, "--exit-zero").code == 0
    assert run("chain", "check", newest, "--ignore", "CHN").code == 0
    assert run("chain", "check", newest, "--select", "VHX").code == 0
    assert run("chain", "check", newest, "--select", "VHY").code == 2
    assert run("chain", "check", newest, "--parent-dir", tmp_path, "--fail-on", "note").code == 1


def test_check_of_several_disks_and_all_forms(run: Callable[..., Outcome], tmp_path: Path) -> None:
    whole = vhd_chain(tmp_path, 1, "whole")
    broken = vhd_chain(tmp_path, 1, "broken")
    (tmp_path / "broken.vhd").unlink()
    outcome = run("chain", "check", whole, broken, tmp_path / "none.vhd", "--json")
    assert outcome.code == 8
    document = checked(outcome)
    assert [("error" in disk, disk.get("result", {}).get("failed")) for disk in document["disks"]] == [
        (False, False),
        (False, True),
        (True, None),
    ]
    for form in ("jsonl", "junit", "sarif", "github", "azure", "csv", "html"):
        outcome = run("chain", "check", broken, "--output-format", form)
        assert outcome.code == 1
        assert "CHN108" in outcome.out
    assert run("chain", "check", broken, "--report", f"junit={tmp_path / 'out.xml'}").code == 1
    assert "CHN108" in (tmp_path / "out.xml").read_text(encoding="utf-8")


def test_the_profile_of_the_folder_is_not_asked(
    run: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = vhd_chain(tmp_path, 1)
    newest.with_suffix(".pvp").unlink()
    (tmp_path / "vdiskkit.toml").write_text('extends = "integrity-only"\nignore = ["CHN103"]\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert run("chain", "check", newest).code == 1
    assert run("chain", "check", newest, "--profile", "vdiskkit.toml").code == 0


_CONTROLS = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def hostile_chain(folder: Path) -> Path:
    """A version whose names for its parent, creator and manifest are texts that do harm where they are shown raw."""
    text = TEXTS[2]
    locators = tuple((b"W2ru", item.encode("utf-16-le", "replace").decode("utf-16-le")) for item in TEXTS[:7])
    link = ParentLink(b"x" * 16, text[:200], locators)
    data = build_vhd("differencing", SIZE, BLOCK, parent=link, creator=b"\x1b]0;")
    disk = put(folder / "desk.1.avhd", data)
    (folder / "desk.xml").write_text(hostile_manifest(disk), encoding="utf-8")
    return disk


@pytest.mark.parametrize("form", ["text", "json", "jsonl", "junit", "sarif", "github", "azure", "csv", "html"])
def test_hostile_texts_get_through_no_form(run: Callable[..., Outcome], tmp_path: Path, form: str) -> None:
    disk = hostile_chain(tmp_path)
    outcomes = [run("chain", "check", disk, "--output-format", form)]
    if form in ("text", "json"):
        outcomes.append(run("chain", "show", disk, "--output-format", form))
    for outcome in outcomes:
        assert outcome.code in (1, 3)
        assert "PLANTED" in outcome.out
        assert not _CONTROLS.search(outcome.out + outcome.err)
        assert "##vso[" not in (outcome.out if form != "azure" else "").lower()
        if form == "text":
            assert not any(line.lstrip().startswith(("PLANTED", "::", "##")) for line in outcome.out.splitlines())

"""Every changing command on VHDX files: planned, applied, taken back to the byte."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.build.vhdx import (
    BAT_REGION,
    HEADERS,
    LOG_GUID,
    MIB,
    PAGE,
    REGION_TABLES,
    Page,
    build_vhdx,
    link_to,
    put_log,
)
from tests.cli.conftest import SAMPLES
from tests.cli.writing import DRY, EXAMPLE, SPP, STANDARD, YES, contents, validated
from vdiskkit.container import open_container
from vdiskkit.io import FileSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.build.vhdx import Image
    from tests.cli.conftest import Outcome

WIN7 = SAMPLES / "win7-kms.vhd"
BLOCK = 2 * MIB
NAMES = {"fixed": "disk.vhdx", "dynamic": "disk.vhdx", "differencing": "disk.1.avhdx", "logged": "disk.2.vhdx"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each kind. Of the differencing ones every other block is the parent's, and one has a log."""
    folder = tmp_path_factory.mktemp("vhdx")
    with FileSource(str(WIN7)) as source:
        disk = open_container(source, path=str(WIN7))
        size = disk.size
        blocks = {at: disk.read_at(at, min(BLOCK, size - at)) for at in range(0, size, BLOCK)}
    used = [at for at, data in blocks.items() if any(data)]
    for kind in NAMES:
        (folder / kind).mkdir()
    for kind in ("fixed", "dynamic"):
        build_vhdx(kind, size, BLOCK, {at: blocks[at] for at in used}).save(folder / kind / NAMES[kind])
    base = build_vhdx("dynamic", size, BLOCK, {at: blocks[at] for at in used[::2]})
    for kind in ("differencing", "logged"):
        base.save(folder / kind / "disk.vhdx")
        own = {at: blocks[at] for at in used[1::2]}
        child = build_vhdx("differencing", size, BLOCK, own, parent=link_to(base, r".\disk.vhdx"))
        if kind == "logged":
            table = child.region(BAT_REGION)
            put_log(child, [[Page(table, child.read_at(table, PAGE))]], start=251 * PAGE)
            child.write(table, bytes(PAGE))
        child.save(folder / kind / NAMES[kind])
    return folder


@pytest.fixture(params=sorted(NAMES))
def disk(request: pytest.FixtureRequest, made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made / request.param, tmp_path / request.param)
    return tmp_path / request.param / NAMES[request.param]


def ids(path: Path) -> list[bytes]:
    data = path.read_bytes()
    return [data[at + 16 : at + 48] for at in HEADERS]


def test_kms_prep_and_undo(run: Callable[..., Outcome], disk: Path) -> None:
    before = contents(disk.parent)
    asked = ("kms-prep", disk, "--skip-rearm", "0", "--remove-tokens", "--kms-host", "kms.example.org")
    assert run(*asked, DRY).code == 0
    assert contents(disk.parent) == before
    outcome = run(*asked, YES, "--json")
    assert outcome.code == 0, outcome.err
    plan = validated(outcome.out)["plan"]
    phases = list(dict.fromkeys(item["phase"] for item in plan["ranges"]))
    assert phases[:2] == ["open_first", "open_second"]
    assert (phases[2:5] == ["replay", "replayed_first", "replayed_second"]) == (disk.name == "disk.2.vhdx")
    assert (phases[-2:] == ["close_first", "close_second"]) == bool(plan["allocations"])
    assert bool(plan["allocations"]) == (".vhdx" not in disk.name[4:5] and disk.name != "disk.vhdx")
    assert any("what its log holds" in note for note in plan["notes"]) == (disk.name == "disk.2.vhdx")
    assert run("reg", "get", disk, SPP, "SkipRearm").out.split()[-1] == "0"
    first, second = ids(disk)
    assert first == second
    assert run(*asked, YES).out.rstrip().endswith("nothing to do, nothing written")
    facts = run("inspect", disk, "--json").json["disks"][0]["result"]["container"]
    assert facts["vhdx"]["log"] is None
    assert run("undo", disk, YES).code == 0
    assert contents(disk.parent) == before


def test_registry_and_files(run: Callable[..., Outcome], disk: Path, tmp_path: Path) -> None:
    before = contents(disk.parent)
    text = tmp_path / "import.reg"
    text.write_text(
        f'Windows Registry Editor Version 5.00\n\n[{EXAMPLE.replace("HKLM", "HKEY_LOCAL_MACHINE")}]\n"A"="b"\n'
    )
    seen = [ids(disk)[0]]
    for command in (
        ("reg", "import", disk, text),
        ("reg", "set", disk, EXAMPLE, "Big", "--type", "sz", "x" * 8000),
        ("reg", "delete", disk, EXAMPLE, "A"),
        ("rm", disk, r"Windows\System32\drivers\etc\hosts", "--missing-ok"),
    ):
        outcome = run(*command, YES)
        assert outcome.code == 0, outcome.err
        seen.append(ids(disk)[0])
    assert len(set(seen)) >= 4
    assert run("reg", "get", disk, EXAMPLE, "Big").out.rstrip().endswith("x" * 100)
    while (outcome := run("undo", disk, YES)).code == 0:
        pass
    assert "no change" in outcome.err
    assert contents(disk.parent) == before


def test_a_saved_plan_gives_the_ids_that_were_planned(run: Callable[..., Outcome], disk: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(disk.parent, copy)
    plan = tmp_path / "plan.json"
    assert run("kms-prep", disk, "--skip-rearm", "1", DRY, "--plan-out", plan).code == 0
    assert run("apply", plan, YES).code == 0
    # Replicas of a disk stay replicas: the same plan makes the same bytes.
    assert run("apply", plan, "--disk", copy / disk.name, YES).code == 0
    assert (copy / disk.name).read_bytes() == disk.read_bytes()
    saved = json.loads(plan.read_text())
    assert run("undo", disk, YES).code == 0
    plan.unlink()
    plan.write_text(json.dumps({**saved, "now": "2026-11-24T00:00:00+00:00"}))
    outcome = run("apply", plan, YES)
    assert outcome.code == 4
    assert "is not what it was when the plan was made" in outcome.err


def test_a_copy_is_changed_instead(run: Callable[..., Outcome], disk: Path) -> None:
    before = contents(disk.parent)
    target = disk.parent / ("copy" + disk.name[4:])
    outcome = run("kms-prep", disk, "--skip-rearm", "0", "--copy-to", target, YES)
    assert outcome.code == 0, outcome.err
    after = contents(disk.parent)
    assert {name: after[name] for name in before} == before
    assert run("reg", "get", target, SPP, "SkipRearm").out.split()[-1] == "0"
    assert ids(target)[0] != ids(disk)[0]


def test_findings_are_mended(run: Callable[..., Outcome], disk: Path) -> None:
    shutil.copy(WIN7.with_suffix(".pvp"), disk.with_suffix(".pvp"))
    assert run("reg", "set", disk, SPP, "SkipRearm", "--type", "dword", "1", YES, *STANDARD).code == 0
    outcome = run("validate", disk, "--fix", YES, *STANDARD, "--json")
    assert "mend            KMS110" in outcome.err
    assert run("reg", "get", disk, SPP, "SkipRearm").out.split()[-1] == "0"


def test_a_version_that_others_are_made_from_is_left_alone(
    run: Callable[..., Outcome], made: Path, tmp_path: Path
) -> None:
    shutil.copytree(made / "differencing", tmp_path / "chain")
    outcome = run("kms-prep", tmp_path / "chain" / "disk.vhdx", "--skip-rearm", "0", YES)
    assert outcome.code == 5
    assert "other versions are made from this file" in outcome.err


@pytest.mark.parametrize(
    ("spoil", "code", "says"),
    [
        (lambda image: image.write(REGION_TABLES[0] + 50, b"\xff"), 5, "the first region table cannot be used"),
        (lambda image: image.write(REGION_TABLES[1] + 50, b"\xff"), 5, "the second region table cannot be used"),
        (lambda image: image.set_header(log_guid=LOG_GUID), 3, "there is no valid sequence of entries in the log"),
        (lambda image: put_log(image, [[]], flushed=1 << 40), 3, "the VHDX file has been cut short"),
        (lambda image: put_log(image, [[Page(HEADERS[1], bytes(PAGE))]]), 5, "its log would write over the headers"),
    ],
)
def test_damaged_files_are_left_alone(
    run: Callable[..., Outcome], tmp_path: Path, spoil: Callable[[Image], object], code: int, says: str
) -> None:
    with FileSource(str(WIN7)) as source:
        disk = open_container(source, path=str(WIN7))
        image = build_vhdx("dynamic", disk.size, BLOCK, disk.read_at(0, disk.size))
    spoil(image)
    path = image.save(tmp_path / "disk.vhdx")
    before = contents(tmp_path)
    for command in (("kms-prep", path, "--skip-rearm", "0"), ("reg", "set", path, EXAMPLE, "A", "--type", "sz", "b")):
        outcome = run(*command, YES)
        assert outcome.code == code
        assert says in outcome.err
        assert contents(tmp_path) == before

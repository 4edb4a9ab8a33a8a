"""The JSON contract: fixed names, schemas that hold for all real output, plain ASCII, the same shape for all runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.conftest import SAMPLES
from tests.schemas import check
from vdiskkit import __version__
from vdiskkit.schemas import read_schema, schema_names
from vdiskkit.schemas._generate import build

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

DISKS = sorted(path.name for path in SAMPLES.iterdir() if path.suffix in (".vhd", ".avhd"))
WIN10 = SAMPLES / "win10-private-mak.vhd"
CURRENT = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"


def _valid(text: str) -> Any:
    assert text.isascii()
    assert "\x7f" not in text
    assert "##" not in text
    assert text.endswith("}\n")
    document = json.loads(text)
    check(document)
    assert document["tool"] == {"name": "vdiskkit", "version": __version__}
    assert document["started"] == "2026-11-24T09:12:03Z"
    assert document["summary"]["disks"] == len(document["disks"])
    return document


def test_committed_schemas_are_up_to_date() -> None:
    folder = SAMPLES.parent / "vdiskkit" / "schemas"
    committed = {path.name: path.read_text(encoding="ascii") for path in folder.glob("*.json")}
    assert committed == build(), "run: python -m vdiskkit.schemas._generate"


def test_schemas_are_printed(run: Callable[..., Outcome]) -> None:
    assert run("schema").out.splitlines() == list(schema_names())
    for name in schema_names():
        short = name.removeprefix("vdiskkit.").partition("/")[0]
        assert run("schema", name).out == run("schema", short).out == read_schema(name)
        assert json.loads(read_schema(name))["$id"] == name


@pytest.mark.parametrize("disk", DISKS)
@pytest.mark.parametrize(
    "args",
    [("inspect",), ("inspect", "--deep", "--second-opinion", "--readiness", "--blocks"), ("license",), ("pvp", "show")],
    ids=" ".join,
)
def test_real_output_validates(run: Callable[..., Outcome], disk: str, args: tuple[str, ...]) -> None:
    outcome = run(*args, SAMPLES / disk, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    document = _valid(outcome.out)
    assert document["exit_code"] == 0
    assert document["disks"][0]["target"] == str(SAMPLES / disk)
    assert "error" not in document


@pytest.mark.parametrize(
    "args",
    [
        ("reg", "get", WIN10, CURRENT, "CurrentBuild"),
        ("reg", "get", WIN10, CURRENT, "DigitalProductId4"),
        ("reg", "get", WIN10, r"HKLM\SYSTEM\CurrentControlSet\Services\BNDevice", "Start"),
        ("reg", "ls", WIN10, CURRENT),
        ("reg", "ls", WIN10, r"HKLM\SYSTEM", "--depth", "3"),
        ("reg", "ls", SAMPLES / "hostile.vhd", r"HKLM\SOFTWARE", "--depth", "9"),
        ("ls", WIN10),
        ("ls", WIN10, "Windows/Storage", "--streams"),
        ("ls", SAMPLES / "hostile.vhd", "Users/Public", "--streams"),
        ("ls", WIN10, r"Windows\System32\config\SAM"),
        ("stat", WIN10, r"Windows\System32\config\SOFTWARE"),
        ("stat", WIN10, "\\"),
        ("stat", WIN10, "Documents and Settings"),
    ],
    ids=lambda args: " ".join(str(arg).rpartition("/")[2] for arg in args),
)
def test_real_output_of_single_questions_validates(run: Callable[..., Outcome], args: tuple[object, ...]) -> None:
    outcome = run(*args, "--json", "-q")
    assert (outcome.code, outcome.err) == (0, "")
    _valid(outcome.out)


@pytest.mark.parametrize(
    "args",
    [
        ("inspect", "missing.vhd"),
        ("license", "missing.vhd", "also missing.vhd"),
        ("pvp", "show", "missing.pvp"),
        ("reg", "get", WIN10, CURRENT, "Nothing"),
        ("reg", "ls", WIN10, "nonsense"),
        ("ls", WIN10, "nothing"),
        ("stat", "missing.vhd", "x"),
        ("stat", WIN10),
        ("nonsense",),
    ],
    ids=lambda args: " ".join(str(arg).rpartition("/")[2] for arg in args),
)
def test_errors_have_the_same_shape(run: Callable[..., Outcome], args: tuple[object, ...]) -> None:
    outcome = run(*args, "--json")
    document = _valid(outcome.out)
    assert document["exit_code"] == outcome.code != 0
    assert set(document["error"]) == {"type", "message", "location", "hint"}
    assert outcome.err.startswith("error: ")
    if args[1:]:
        assert all("error" in disk for disk in document["disks"])


def test_the_names_that_stay_fixed(run: Callable[..., Outcome]) -> None:
    document = run("inspect", WIN10, "--json").json
    assert list(document) == ["schema", "tool", "started", "disks", "summary", "exit_code"]
    result = document["disks"][0]["result"]
    assert {"format", "type", "virtual_size", "block_size"} <= set(result["container"])
    assert result["pvp"]["mode"] == "private"
    assert result["pvp"]["write_cache_type"] == {"value": 0, "name": "private"}
    assert result["pvp"]["license_mode"] in ("none", "mak", "kms")
    assert {"product_name", "edition_id", "build"} <= set(result["windows"])
    licensing = result["licensing"]
    assert {"present", "type", "data"} <= set(licensing["skip_rearm"])
    assert {"channel", "key", "is_gvlk", "gvlk", "fits_edition", "integrity"} <= set(licensing["product_key"])
    assert all({"path", "kind", "active", "files"} <= set(store) for store in licensing["token_stores"])
    assert all(
        set(file) == {"path", "size", "modified"} for store in licensing["token_stores"] for file in store["files"]
    )
    assert isinstance(licensing["kms_host"], list)
    assert isinstance(licensing["office"], list)
    assert [step["step"] for step in result["procedure"]] == list(range(1, 9))
    assert all(step["state"] in ("done", "not_done", "unknown") and step["evidence"] for step in result["procedure"])
    kms = run("inspect", SAMPLES / "desk10.2.avhd", "--json").json["disks"][0]["result"]["licensing"]["kms_host"]
    assert kms
    assert all({"scope", "view", "name", "type", "data"} <= set(value) for value in kms)


def test_reg_get_gives_its_four_members_at_the_top(run: Callable[..., Outcome]) -> None:
    document = run("reg", "get", WIN10, CURRENT, "CurrentBuild", "--json").json
    assert (document["name"], document["type"], document["data"]) == ("CurrentBuild", "REG_SZ", "19045")
    assert document["source"]["key"] == CURRENT
    assert document["source"]["hive"] == r"Windows\System32\config\SOFTWARE"
    assert document["disks"][0]["result"] == {
        name: document[name] for name in ("name", "type", "data", "problem", "origin", "source")
    }
    asked = run("reg", "get", WIN10, r"HKLM\SYSTEM\CurrentControlSet\Services\BNDevice", "Start", "--json", "-q").json
    assert asked["source"]["key"] == r"HKLM\SYSTEM\ControlSet001\Services\BNDevice"
    assert asked["source"]["asked"] == r"HKLM\SYSTEM\CurrentControlSet\Services\BNDevice"


def test_no_side_car_is_null(run: Callable[..., Outcome], samples: Path) -> None:
    (samples / "win7-kms.pvp").unlink()
    document = _valid(run("inspect", samples / "win7-kms.vhd", "--json").out)
    assert document["disks"][0]["result"]["pvp"] is None


def test_sections_cut_the_result_down(run: Callable[..., Outcome]) -> None:
    document = _valid(run("inspect", WIN10, "--json", "--section", "license,pvp", "--section", "lock").out)
    assert set(document["disks"][0]["result"]) == {"sections", "target", "licensing", "pvp", "pair"}
    assert document["disks"][0]["result"]["sections"] == ["license", "pvp", "lock"]


def test_one_and_many_disks_have_the_same_shape(run: Callable[..., Outcome]) -> None:
    one = run("inspect", WIN10, "--json").json
    two = run("inspect", WIN10, WIN10, "--output-format", "json").json
    assert two["disks"] == one["disks"] * 2
    assert {**two, "disks": [], "summary": {}} == {**one, "disks": [], "summary": {}}


def test_keys_are_masked_unless_asked_for(run: Callable[..., Outcome]) -> None:
    for command in ("inspect", "license"):
        for form in ((), ("--json",)):
            masked = run(command, WIN10, *form).out
            shown = run(command, WIN10, *form, "--show-key").out
            key = run("license", WIN10, "--json", "--show-key").json["disks"][0]["result"]["licensing"]["product_key"]
            assert key["masked"] is False
            assert len(key["key"]) == 29
            assert key["key"] in shown
            assert key["key"] not in masked
            assert f"XXXXX-XXXXX-XXXXX-XXXXX-{key['key'][-5:]}" in masked


def test_output_stays_small(run: Callable[..., Outcome]) -> None:
    for disk in DISKS:
        assert len(run("inspect", SAMPLES / disk, "--json").out) < 200_000

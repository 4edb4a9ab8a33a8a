"""``--output-format jsonl``: one object a line, each within its schema and short enough for Windows PowerShell 5.1."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest

import vdiskkit
from tests.build.hive import REG_BINARY, HiveBuilder
from tests.cli.conftest import SAMPLES
from tests.cli.writing import EXAMPLE, SPP, YES, contents, interrupted, pair
from tests.schemas import check
from vdiskkit.facts import Notice
from vdiskkit.report.line_facts import LONGEST_LIST, LONGEST_TEXT, disk_summary
from vdiskkit.report.lines import LONGEST_LINE, lines_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

LINES = ("--output-format", "jsonl")
WIN10 = SAMPLES / "win10-private-mak.vhd"
CURRENT = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
DISKS = sorted(path.name for path in SAMPLES.iterdir() if path.suffix in (".vhd", ".avhd", ".vhdx", ".avhdx"))
POWERSHELL_LIMIT = 2 * 1024 * 1024


def parsed(text: str) -> list[dict[str, Any]]:
    """The lines, each held to the schema."""
    assert text.isascii()
    assert text.endswith("}\n")
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        check(line, "vdiskkit.lines/1")
    return lines


def test_an_overview_of_every_sample(run: Callable[..., Outcome]) -> None:
    outcome = run("inspect", *(SAMPLES / name for name in DISKS), *LINES)
    assert (outcome.code, outcome.err) == (0, "")
    lines = parsed(outcome.out)
    assert [line["target"] for line in lines] == [str(SAMPLES / name) for name in DISKS]
    assert {line["type"] for line in lines} == {"disk"}
    assert max(map(len, outcome.out.splitlines())) < 20_000


def test_the_overview_says_what_the_inspection_says(run: Callable[..., Outcome]) -> None:
    (line,) = parsed(run("inspect", SAMPLES / "faulty.vhd", *LINES).out)
    whole = run("inspect", SAMPLES / "faulty.vhd", "--json").json["disks"][0]["result"]
    told = line["result"]
    for name in ("format", "type", "virtual_size", "file_size", "unique_id"):
        assert told[name] == whole["container"][name]
    for name in ("product_name", "edition_id", "display_version", "build", "install_date", "computer_name"):
        assert told[name] == whole["windows"][name]
    assert (told["mode"], told["license_mode"]) == ("standard", "kms")
    assert told["write_cache"] == whole["pvp"]["write_cache_type"]["name"]
    assert (told["skip_rearm"], told["skip_rearm_problem"]) == ("1", None)
    assert told["product_key"] == "XXXXX-XXXXX-XXXXX-XXXXX-46789"
    assert told["procedure"] == whole["procedure"]
    assert told["token_stores"][0]["files"] == ["data.dat", r"cache\cache.dat"]


def test_absent_and_unknown_stay_apart(run: Callable[..., Outcome], samples: Path) -> None:
    (line,) = parsed(run("inspect", WIN10, *LINES).out)
    assert line["result"]["skip_rearm"] == "absent"
    (samples / "win7-kms.pvp").unlink()
    (line,) = parsed(run("inspect", samples / "win7-kms.vhd", *LINES).out)
    assert [line["result"][name] for name in ("side_car", "mode", "license_mode", "write_cache")] == [None] * 4


def test_a_key_is_whole_only_when_asked_for(run: Callable[..., Outcome]) -> None:
    (masked,) = parsed(run("inspect", WIN10, *LINES).out)
    (shown,) = parsed(run("inspect", WIN10, "--show-key", *LINES).out)
    assert masked["result"]["product_key"].startswith("XXXXX-")
    assert shown["result"]["product_key"][-5:] == masked["result"]["product_key"][-5:]
    assert not shown["result"]["product_key"].startswith("XXXXX-")


def test_one_bad_disk_is_one_line(run: Callable[..., Outcome]) -> None:
    outcome = run("inspect", "missing.vhd", WIN10, *LINES)
    assert outcome.code == 3
    assert outcome.err.startswith("error: no such file\n")
    error, disk = parsed(outcome.out)
    assert (error["type"], error["target"], error["exit_code"]) == ("error", "missing.vhd", 3)
    assert error["error"]["message"] == "no such file"
    assert disk["type"] == "disk"


@pytest.mark.parametrize("option", ["--section=pvp", "--blocks", "--readiness", "--second-opinion"])
def test_what_a_line_does_not_show_is_refused(run: Callable[..., Outcome], option: str) -> None:
    outcome = run("inspect", WIN10, option, *LINES, "-q")
    assert (outcome.code, outcome.err) == (2, "")
    (line,) = parsed(outcome.out)
    assert line["error"]["message"] == (
        "a JSON line is the same overview of every disk: "
        "--section, --blocks, --readiness and --second-opinion need --json or text"
    )


def test_the_longest_overview_is_short_enough() -> None:
    """Every text and every list as long as an image may make them, in characters that take twelve each as JSON."""
    with vdiskkit.open_vdisk(WIN10) as disk:
        facts = disk.inspect()
    text = "\U0001f600" * 5000
    assert facts.windows is not None
    assert facts.licensing is not None
    assert facts.pvp is not None
    (host,) = run_host(text)
    licensing = dataclasses.replace(
        facts.licensing,
        kms_host=(host,) * 5000,
        office=(office(text),) * 5000,
        product_key=dataclasses.replace(facts.licensing.product_key, channel=text, key=text),
        skip_rearm=dataclasses.replace(
            facts.licensing.skip_rearm, present=True, type="REG_MULTI_SZ", data=(text,) * 99, problem=text
        ),
        token_stores=tuple(dataclasses.replace(store, path=text) for store in facts.licensing.token_stores) * 99,
    )
    windows = dataclasses.replace(
        facts.windows,
        product_name=text,
        edition_id=text,
        display_version=text,
        architecture=text,
        computer_name=text,
        target_software=dataclasses.replace(facts.windows.target_software, version=text),
    )
    facts = dataclasses.replace(
        facts,
        windows=windows,
        licensing=licensing,
        procedure=tuple(dataclasses.replace(step, evidence=text) for step in facts.procedure),
        notices=(Notice(code="x.y", message=text, location=text),) * 5000,
    )
    line = lines_of("disk", "win10.vhd", disk_summary(facts))
    assert len(line) < POWERSHELL_LIMIT / 2
    result = parsed(line)[0]["result"]
    assert [result[f"{name}_count"] for name in ("notice", "office", "kms_host")] == [5000] * 3
    assert [len(result[name]) for name in ("notices", "office", "kms_hosts")] == [LONGEST_LIST] * 3
    assert result["product_name"].endswith(f"({5000 - LONGEST_TEXT} more characters)")


def run_host(text: str) -> tuple[Any, ...]:
    from vdiskkit.licensing.facts import KmsValueFacts

    return (
        KmsValueFacts(
            scope="service",
            view="native",
            name="KeyManagementServiceName",
            type="REG_MULTI_SZ",
            data=(text,) * 99,
            key=text,
            app_id=None,
            sku_id=None,
            problem=text,
            origin="primary",
        ),
    )


def office(text: str) -> Any:
    from vdiskkit.licensing.facts import OfficeFacts

    return OfficeFacts(
        product=text,
        version="16.0",
        installer="msi",
        view="native",
        release_id=None,
        product_code=None,
        volume=None,
        licensing_service="spp",
        product_key=None,
        install_path=None,
        found_at=text,
    )


@pytest.mark.parametrize(
    ("key", "name", "kind", "form", "data"),
    [
        (CURRENT, "CurrentBuild", "REG_SZ", "text", "19045"),
        (r"HKLM\SYSTEM\CurrentControlSet\Services\BNDevice", "Start", "REG_DWORD", "number", 2),
        (CURRENT, "DigitalProductId", "REG_BINARY", "hex", None),
    ],
)
def test_one_value(run: Callable[..., Outcome], key: str, name: str, kind: str, form: str, data: object) -> None:
    outcome = run("reg", "get", WIN10, key, name, *LINES)
    assert (outcome.code, outcome.err) == (0, "")
    (line,) = parsed(outcome.out)
    told = line["result"]
    assert (line["type"], told["name"], told["type"], told["form"]) == ("value", name, kind, form)
    whole = run("reg", "get", WIN10, key, name, "--json").json
    assert told["data"] == whole["data"]
    assert data in (None, told["data"])
    for member in ("key", "asked", "hive", "dirty", "stale", "last_written"):
        assert told[member] == whole["source"][member]


def test_a_value_that_is_not_there(run: Callable[..., Outcome]) -> None:
    outcome = run("reg", "get", WIN10, CURRENT, "Nothing", *LINES, "-q")
    assert (outcome.code, outcome.err) == (1, "")
    (line,) = parsed(outcome.out)
    assert (line["target"], line["exit_code"], line["error"]["type"]) == (str(WIN10), 1, "ValueMissingError")


def test_a_value_too_long_for_a_line_is_refused(run: Callable[..., Outcome], tmp_path: Path) -> None:
    builder = HiveBuilder()
    builder.set("Large", "fits", REG_BINARY, bytes(900_000))
    builder.set("Large", "too long", REG_BINARY, bytes(1_000_001))
    hive = tmp_path / "SOFTWARE"
    hive.write_bytes(builder.build())
    (line,) = parsed(run("reg", "get", hive, "Large", "fits", *LINES).out)
    assert line["result"]["data"] == "00" * 900_000
    outcome = run("reg", "get", hive, "Large", "too long", *LINES, "-q")
    assert outcome.code == 5
    (line,) = parsed(outcome.out)
    assert line["error"]["message"].endswith(
        f"characters as a JSON line, more than the {LONGEST_LINE} a script can take"
    )
    assert line["error"]["hint"] == "without --output-format jsonl it is shown whole"
    assert run("reg", "get", hive, "Large", "too long").out.strip() == "00" * 1_000_001


def test_a_change_from_plan_to_undo(run: Callable[..., Outcome], store: Callable[..., Path], tmp_path: Path) -> None:
    disk, plan = store(), tmp_path / "change.plan"
    before = pair(disk)
    outcome = run("kms-prep", "--skip-rearm", 0, "--remove-tokens", "--plan-out", plan, *LINES, "-q", "--", disk)
    assert (outcome.code, outcome.err) == (0, "")
    *changes, planned = parsed(outcome.out)
    assert [line["type"] for line in changes] == ["change"] * 3
    assert changes[0]["change"]["text"] == rf"set {SPP}, SkipRearm: absent → REG_DWORD 0"
    assert changes[1]["change"]["text"] == r"delete Windows\System32\spp\store\2.0\tokens.dat (52000 bytes, 1 name)"
    result = planned["result"]
    assert (planned["type"], result["dry_run"], result["written"]) == ("patch", True, False)
    assert (result["changes"], result["plan_file"]) == (3, str(plan))
    assert result["digest"] == json.loads(plan.read_text(encoding="ascii"))["digest"]
    assert len(result["notes"]) == 1

    outcome = run("apply", "--digest", result["digest"].upper(), YES, *LINES, "-q", "--", plan)
    assert (outcome.code, outcome.err) == (0, "")
    *again, done = parsed(outcome.out)
    assert again == changes
    assert (done["result"]["dry_run"], done["result"]["written"]) == (False, True)
    assert done["result"]["digest"] == result["digest"]

    outcome = run("undo", "--dry-run", *LINES, "-q", "--", disk)
    *undone, shown = parsed(outcome.out)
    assert [line["change"]["text"] for line in undone] == [line["change"]["text"] for line in changes]
    assert (shown["type"], shown["result"]["dry_run"]) == ("undo", True)
    assert shown["result"]["change_id"] == done["result"]["change_id"]
    outcome = run("undo", "--id", shown["result"]["change_id"], YES, *LINES, "-q", "--", disk)
    assert outcome.code == 0
    assert parsed(outcome.out)[-1]["result"]["dry_run"] is False
    assert pair(disk) == before


def test_a_change_that_is_made_already(run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
    disk = store()
    (line,) = parsed(run("kms-prep", disk, "--skip-rearm", "absent", YES, *LINES).out)
    assert (line["result"]["changes"], line["result"]["written"], line["result"]["dry_run"]) == (0, False, False)


def test_a_change_that_is_refused(run: Callable[..., Outcome]) -> None:
    outcome = run("kms-prep", SAMPLES / "faulty.vhd", "--skip-rearm", 0, "--dry-run", *LINES, "-q")
    assert (outcome.code, outcome.err) == (4, "")
    (line,) = parsed(outcome.out)
    assert (line["type"], line["target"], line["exit_code"]) == ("error", str(SAMPLES / "faulty.vhd"), 4)


def test_a_value_that_begins_with_a_dash(run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
    disk = store()
    options = ("--type", "multi_sz", "--create-keys", YES, *LINES, "-q")
    assert run("reg", "set", *options, "--", disk, EXAMPLE, "-n", "-v", "x").code == 0
    (line,) = parsed(run("reg", "get", *LINES, "--", disk, EXAMPLE, "-n").out)
    assert (line["result"]["form"], line["result"]["data"]) == ("list", ["-v", "x"])


def test_recover(run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
    disk = store()
    (line,) = parsed(run("recover", disk, YES, *LINES).out)
    assert line["result"] == {"dry_run": False, "action": "nothing", "change_id": None, "changes": 0}
    interrupted(disk, run)
    *changes, line = parsed(run("recover", disk, YES, *LINES).out)
    assert line["result"]["action"] == "rolled_back"
    assert line["result"]["changes"] == len(changes) > 0


def test_a_plan_with_another_digest_is_refused(
    run: Callable[..., Outcome], store: Callable[..., Path], tmp_path: Path
) -> None:
    disk, plan = store(), tmp_path / "change.plan"
    run("kms-prep", disk, "--skip-rearm", 0, "--plan-out", plan)
    before = contents(disk.parent)
    outcome = run("apply", plan, "--digest", "0" * 40, YES)
    assert outcome.code == 4
    assert outcome.err == (
        "error: this is not the plan that was meant: its digest is another one\n"
        f"  at    {plan}\n  hint  make the plan again and look at it\n"
    )
    assert contents(disk.parent) == before


@pytest.mark.parametrize(
    "args", [("inspect", WIN10, "--nonsense"), ("validate", WIN10, "--fail-on", "x"), ("reg", "get", WIN10)]
)
def test_a_command_line_that_is_not_understood(run: Callable[..., Outcome], args: tuple[object, ...]) -> None:
    outcome = run(*args, *LINES)
    assert outcome.code == 2
    (line,) = parsed(outcome.out)
    assert (line["target"], line["exit_code"], line["error"]["type"]) == (None, 2, "UsageError")


def test_json_and_lines_exclude_each_other(run: Callable[..., Outcome]) -> None:
    outcome = run("inspect", WIN10, "--json", *LINES)
    assert outcome.code == 2
    assert outcome.err.startswith("error: --json and --output-format jsonl exclude each other\n")


@pytest.mark.parametrize("disk", DISKS)
def test_validate(run: Callable[..., Outcome], disk: str) -> None:
    lines = parsed(run("validate", SAMPLES / disk, "missing.vhd", *LINES).out)
    assert [line["type"] for line in lines][-2:] == ["report", "error"]
    assert lines[-1]["exit_code"] == 3


def test_validate_without_a_profile_file(run: Callable[..., Outcome]) -> None:
    outcome = run("validate", WIN10, "--profile", "no.toml", *LINES, "-q")
    assert (outcome.code, outcome.err) == (2, "")
    (line,) = parsed(outcome.out)
    assert line["exit_code"] == 2

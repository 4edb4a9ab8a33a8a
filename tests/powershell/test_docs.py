"""The page about the module: its examples parse, and its output is what the command line answers."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.conftest import SAMPLES
from tests.powershell import syntax
from tests.powershell.syntax import ROOT
from tests.powershell.test_command_lines import DATA, command_line, pascal
from tests.powershell.test_scripts import EXPORTED, FUNCTIONS, newer_constructs

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Outcome

PAGE = (ROOT / "docs" / "powershell.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```powershell\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall(PAGE) + BLOCK.findall(README)
SHOWN = [(code.strip(), output) for code, output in BLOCKS if output]
KEY = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform"


def test_every_command_is_named() -> None:
    assert re.findall(r"^\| `(\w+-\w+)` \|", PAGE, re.MULTILINE) == [
        "Get-VDisk",
        "Test-VDisk",
        "Get-VDiskRegistryValue",
        "Set-VDiskRegistryValue",
        "Initialize-VDiskKms",
        "Undo-VDiskChange",
    ]
    assert len(EXPORTED) == 6


@pytest.mark.parametrize("code", [code for code, _ in BLOCKS])
def test_parameters_of_the_examples_exist(code: str) -> None:
    """By word: the grammar does not know lists of bare words, which people type."""
    lines = [line.partition("  #")[0] for line in code.splitlines()]
    assert lines
    for line in lines:
        for command in re.split(r"[|(;]", line):
            name, *words = command.split() or [""]
            if name in FUNCTIONS:
                known = {*FUNCTIONS[name].parameters, "confirm", "whatif"}
                given = [word for word in words if re.match(r"-[A-Z]", word)]
                assert {word.strip("-)").partition(":")[0].lower() for word in given} <= known, line
            else:
                assert name not in EXPORTED
        assert "&&" not in line
        assert "??" not in line


@pytest.mark.parametrize("code", [code for code, _ in SHOWN])
def test_examples_with_output_parse(code: str) -> None:
    assert newer_constructs(code) == []


def listed(type_name: str, members: dict[str, Any]) -> str:
    """What Format-List makes of the properties that are shown."""
    names = DATA["Shown"][type_name]
    width = max(map(len, names))
    texts = {name: "" if (value := members[name]) is None else str(value) for name in names}
    return "".join(f"{name:{width}} : {text}\n" for name, text in texts.items())


def answer(run: Callable[..., Outcome], name: str, disk: str, **values: Any) -> list[dict[str, Any]]:
    out = run(*command_line(name, {"Verbosity": "-q", "Path": SAMPLES / disk, **values})).out
    return [json.loads(line) for line in out.splitlines()]


def named(result: dict[str, Any], disk: str, **more: Any) -> dict[str, Any]:
    return {"Path": rf"D:\Store\{disk}", **{pascal(name): value for name, value in result.items()}, **more}


def test_output_of_get(run: Callable[..., Outcome]) -> None:
    (line,) = answer(run, "Inspect", "faulty.vhd")
    assert SHOWN[0] == (
        r"Get-VDisk -Path D:\Store\faulty.vhd",
        listed("VDiskKit.Disk", named(line["result"], "faulty.vhd")),
    )


def test_output_of_test(run: Callable[..., Outcome]) -> None:
    lines = answer(run, "Validate", "faulty.vhd", ProfileName="kms-standard")
    findings = [line for line in lines if line["type"] == "finding"]
    assert len(findings) == 3
    code, output = SHOWN[1]
    assert code.startswith(r"Test-VDisk -Path D:\Store\faulty.vhd -ProfileName kms-standard |")
    assert output == listed("VDiskKit.Finding", named(findings[0], "faulty.vhd"))


def test_output_of_a_value(run: Callable[..., Outcome]) -> None:
    (line,) = answer(run, "GetValue", "faulty.vhd", Key=KEY, Name="SkipRearm")
    code, output = SHOWN[2]
    assert (
        code
        == rf"Get-VDiskRegistryValue -Path D:\Store\faulty.vhd -Key '{KEY.replace('HKLM', 'HKLM:')}' -Name SkipRearm"
    )
    value = line["result"]["data"]
    assert output == listed("VDiskKit.RegistryValue", named(line["result"], "faulty.vhd", Value=value))


def test_output_of_a_plan(run: Callable[..., Outcome], tmp_path: Any) -> None:
    disk = "win10-private-mak.vhd"
    values = {"SkipRearm": "0", "RemoveToken": True, "PlanFile": tmp_path / "plan"}
    *changes, outcome = answer(run, "PrepareKms", disk, **values)
    texts = [line["change"]["text"] for line in changes] + [f"note: {note}" for note in outcome["result"]["notes"]]
    code, output = SHOWN[3]
    assert code == rf"Initialize-VDiskKms -Path D:\Store\{disk} -SkipRearm 0 -RemoveToken -WhatIf"
    assert output == f"What if: D:\\Store\\{disk}:\n" + "".join(f"{text}\n" for text in texts)
    assert len(SHOWN) == 4


def test_the_categories_are_those_of_the_module() -> None:
    told = dict(re.findall(r"(\d+) `(\w+)`", PAGE.partition("by the [exit code]")[2].partition("|")[0]))
    assert told == {code: name for code, name in DATA["Categories"].items() if code != "130"}


def test_nothing_is_claimed_that_was_not_run() -> None:
    assert "**It has not been run in PowerShell**" in PAGE
    assert syntax.SCRIPTS

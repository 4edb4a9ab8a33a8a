"""The scripts as they are written: parsed, common to Windows PowerShell 5.1 and 7, and calling only what there is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

import vdiskkit
from tests.powershell import syntax
from tests.powershell.syntax import MODULE, ROOT, SCRIPTS, Function, Parameter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

PUBLIC = sorted((MODULE / "Public").glob("*.ps1"))
OWN = [path for path in SCRIPTS if path.is_relative_to(MODULE)]
FUNCTIONS: dict[str, Function] = {name: made for path in OWN for name, made in syntax.functions(path).items()}
EXPORTED = sorted(path.stem for path in PUBLIC)
COMMON = {"verbose", "debug", "erroraction", "warningaction", "errorvariable", "outvariable", "outbuffer"}
CHANGING = {"whatif", "confirm"}

# The commands of PowerShell itself that are used, with those of their parameters that Windows PowerShell 5.1 has.
CMDLETS = {
    "Add-Member": {"InputObject", "MemberType", "Name", "Value"},
    "ConvertFrom-Json": {"InputObject"},
    "Export-ModuleMember": {"Function"},
    "ForEach-Object": set(),
    "Format-List": set(),
    "Format-Table": {"Property"},
    "Get-ChildItem": {"Path", "LiteralPath", "File"},
    "Get-Command": {"Name", "CommandType", "ErrorAction"},
    "Get-Item": {"LiteralPath"},
    "Get-Location": {"PSProvider"},
    "Import-PowerShellDataFile": {"LiteralPath"},
    "Join-Path": set(),
    "New-Object": {"TypeName", "ArgumentList"},
    "Resolve-Path": {"Path", "LiteralPath", "ErrorAction"},
    "Select-Object": {"InputObject", "Property", "ExcludeProperty", "ExpandProperty"},
    "Set-StrictMode": {"Version"},
    "Split-Path": {"Path", "Parent"},
    "Test-Path": {"LiteralPath", "PathType"},
    "Update-TypeData": {"TypeName", "DefaultDisplayPropertySet", "Force"},
    "Where-Object": set(),
    "Write-Host": set(),
    "Write-Progress": {"Activity", "Status", "PercentComplete", "Completed"},
    "Write-Verbose": {"Message"},
}
PROGRAMS = {"vdiskkit", "robocopy"}
AUTOMATIC = {
    "_", "null", "true", "false", "matches", "host", "pscmdlet", "psscriptroot", "psboundparameters",
    "verbosepreference", "lastexitcode", "erroractionpreference",
}  # fmt: skip
SINCE_7 = ("&&", "||", "??", "?.", "?[", "-Parallel", "-AsHashtable", "clean", "$IsWindows", "$IsLinux", "$PSStyle")


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def unknown_calls(node: syntax.Node) -> list[str]:
    """Calls of what there is not, and with parameters that are not there."""
    found = []
    for call in syntax.calls(node):
        if call.name in PROGRAMS:
            continue
        if call.name in FUNCTIONS:
            function = FUNCTIONS[call.name]
            known = set(function.parameters) | {a.lower() for p in function.parameters.values() for a in p.aliases}
            if "SupportsShouldProcess" in function.text:
                known |= CHANGING
            if "CmdletBinding" in function.text:
                known |= COMMON
        elif call.name in CMDLETS:
            known = {name.lower() for name in CMDLETS[call.name]}
        else:
            found.append(f"{call.name} is not known")
            continue
        found += [f"{call.name} has no -{name}" for name in call.parameters if name.lower() not in known]
    return found


def missing_mandatory(node: syntax.Node) -> list[str]:
    """Own functions that are called without a parameter that they must have."""
    return [
        f"{call.name} without -{parameter.name}"
        for call in syntax.calls(node)
        if call.name in FUNCTIONS and call.name not in EXPORTED
        for parameter in FUNCTIONS[call.name].parameters.values()
        if parameter.mandatory and parameter.name.lower() not in {name.lower() for name in call.parameters}
    ]


def unset_variables(function: syntax.Node) -> set[str]:
    """Variables that are read and never set, which strict mode makes an error of."""
    names = {"parameter": set[str](), "read": set[str]()}
    for node in syntax.nodes(function, "variable"):
        name = syntax.text(node).lstrip("$@").lower()
        if name.startswith(("env:", "script:")):
            continue
        names["read"].add(name)
    for node in syntax.nodes(function, "script_parameter", "left_assignment_expression"):
        names["parameter"] |= {syntax.text(item).lstrip("$").lower() for item in syntax.nodes(node, "variable")[-1:]}
    for node in syntax.nodes(function, "foreach_statement"):
        first = next(child for child in node.named_children if child.type == "variable")
        names["parameter"].add(syntax.text(first).lstrip("$").lower())
    return names["read"] - names["parameter"] - AUTOMATIC


def newer_constructs(source: str) -> list[str]:
    """What Windows PowerShell 5.1 does not have; the grammar refuses some, the rest is looked for."""
    root = syntax.parse(source)
    words = [syntax.text(leaf) for leaf in syntax.walk(root) if not leaf.children and leaf.type != "comment"]
    strings = {syntax.text(node) for node in syntax.nodes(root, "string_literal")}
    return syntax.faults(root) + [word for word in words if word in SINCE_7 and f"'{word}'" not in strings]


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_it_parses(path: Path) -> None:
    assert syntax.faults(syntax.tree(path)) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_it_is_ascii_with_plain_line_ends_or_crlf(path: Path) -> None:
    """Windows PowerShell reads a file without a mark as ANSI."""
    data = path.read_bytes()
    assert data.isascii()
    assert b"\t" not in data
    assert data.endswith(b"\n")


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_it_holds_nothing_that_only_powershell_7_has(path: Path) -> None:
    assert newer_constructs(path.read_text(encoding="ascii")) == []


@pytest.mark.parametrize(
    "source",
    [
        "$a = $b ? 1 : 2",
        "$a ?? 3",
        "$a ??= 3",
        "${a}?.b",
        "Get-Item x && Get-Item y",
        "Get-Item x || Get-Item y",
        "1..3 | ForEach-Object -Parallel { $_ }",
        "function f { process { } clean { } }",
        "if ($IsWindows) { 1 }",
        "$a = @('x'",
    ],
)
def test_newer_constructs_would_be_noticed(source: str) -> None:
    assert newer_constructs(source)


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_it_calls_only_what_there_is(path: Path) -> None:
    assert unknown_calls(syntax.tree(path)) == []
    assert missing_mandatory(syntax.tree(path)) == []


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("Get-Vdisks -Path x", "Get-Vdisks is not known"),
        ("Get-VDisk -Paht x", "Get-VDisk has no -Paht"),
        ("Get-VDisk -Path x -WhatIf", "Get-VDisk has no -WhatIf"),
        ("Write-Progress -Activity x -Foo 1", "Write-Progress has no -Foo"),
    ],
)
def test_a_wrong_call_would_be_noticed(source: str, told: str) -> None:
    assert unknown_calls(syntax.parse(source)) == [told]


def test_a_call_without_its_parameter_would_be_noticed() -> None:
    assert missing_mandatory(syntax.parse("Get-FullPath -Cmdlet $x")) == ["Get-FullPath without -Path"]


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_variable_that_is_read_is_set(name: str) -> None:
    assert unset_variables(FUNCTIONS[name].node) == set()


def test_a_variable_that_is_never_set_would_be_noticed() -> None:
    source = "function f { param([string] $Path) foreach ($item in $Path) { $found = $item + $paht } $found }"
    assert unset_variables(syntax.parse(source)) == {"paht"}


def test_the_completion_script_parses(run: Callable[..., Outcome]) -> None:
    outcome = run("completion", "powershell")
    assert (outcome.code, outcome.err) == (0, "")
    assert newer_constructs(outcome.out) == []


# the module


def test_the_manifest_is_true() -> None:
    manifest = syntax.literal(syntax.tree(MODULE / "VDiskKit.psd1"))
    assert manifest["ModuleVersion"] == vdiskkit.__version__
    assert manifest["RootModule"] == "VDiskKit.psm1"
    assert sorted(manifest["FunctionsToExport"]) == EXPORTED
    files = [path.relative_to(MODULE) for path in MODULE.rglob("*") if path.is_file()]
    assert sorted(manifest["FileList"]) == sorted("\\".join(path.parts) for path in files)
    assert manifest["CmdletsToExport"] == manifest["VariablesToExport"] == manifest["AliasesToExport"] == []


def test_the_module_loads_every_file_and_exports_what_the_manifest_says() -> None:
    source = (MODULE / "VDiskKit.psm1").read_text(encoding="ascii")
    loaded = re.findall(r"^\. \(Join-Path \$PSScriptRoot '([^']+)'\)$", source, re.MULTILINE)
    parts = [path for folder in ("Private", "Public") for path in (MODULE / folder).iterdir()]
    assert sorted(loaded) == sorted(f"{path.parent.name}\\{path.name}" for path in parts)
    called = {call.name: call for call in syntax.calls(syntax.tree(MODULE / "VDiskKit.psm1"))}
    exported = called["Export-ModuleMember"].parameters["Function"]
    assert exported is not None
    assert sorted(syntax.literal(exported)) == EXPORTED
    assert "Set-StrictMode -Version Latest" in source


@pytest.mark.parametrize("path", PUBLIC, ids=lambda path: path.stem)
def test_a_public_file_holds_its_function(path: Path) -> None:
    assert list(syntax.functions(path)) == [path.stem]


@pytest.mark.parametrize("name", EXPORTED)
def test_help_is_whole(name: str) -> None:
    function = FUNCTIONS[name]
    sections = syntax.help_sections(function)
    kinds = [kind for kind, _, _ in sections]
    assert kinds[:2] == ["SYNOPSIS", "DESCRIPTION"]
    assert kinds.count("EXAMPLE") >= 2
    assert kinds[-2:] == ["INPUTS", "OUTPUTS"]
    assert all(body.strip() for _, _, body in sections)
    documented = [argument for kind, argument, _ in sections if kind == "PARAMETER"]
    assert documented == [parameter.name for parameter in function.parameters.values()]


def examples() -> list[tuple[str, str]]:
    found = []
    for name in EXPORTED:
        for kind, _, body in syntax.help_sections(FUNCTIONS[name]):
            if kind == "EXAMPLE":
                code, _, said = body.partition("\n\n")
                assert said.strip(), f"an example of {name} does not say what it does"
                found.append((name, code.strip()))
    return found


@pytest.mark.parametrize(("name", "code"), examples())
def test_an_example_parses_and_uses_what_there_is(name: str, code: str) -> None:
    root = syntax.parse(code)
    assert syntax.faults(root) == []
    assert unknown_calls(root) == []
    assert name in {call.name for call in syntax.calls(root)}
    for call in syntax.calls(root):
        for parameter in FUNCTIONS[call.name].parameters.values() if call.name in FUNCTIONS else ():
            given = {key.lower() for key in call.parameters}
            if parameter.mandatory and parameter.name not in ("Path", "LiteralPath"):
                assert parameter.name.lower() in given


@pytest.mark.parametrize("name", EXPORTED)
def test_disks_come_by_pipeline_and_by_literal_path(name: str) -> None:
    parameters = FUNCTIONS[name].parameters
    assert parameters["literalpath"].aliases == ["PSPath", "FullName"]
    source = FUNCTIONS[name].text
    first, second = re.findall(r"\[Parameter\(([^\n]+)\)\]", source)[:2]
    assert "ParameterSetName = 'Path', ValueFromPipeline = $true, ValueFromPipelineByPropertyName = $true" in first
    assert "ParameterSetName = 'LiteralPath', ValueFromPipelineByPropertyName = $true" in second


@pytest.mark.parametrize("name", EXPORTED)
def test_what_changes_a_disk_asks_and_what_reads_does_not(name: str) -> None:
    changes = name.split("-", maxsplit=1)[0] in ("Set", "Initialize", "Undo")
    assert ("SupportsShouldProcess = $true, ConfirmImpact = 'High'" in FUNCTIONS[name].text) == changes
    assert ("passthru" in FUNCTIONS[name].parameters) == changes
    assert ("force" in FUNCTIONS[name].parameters) == changes


def test_nothing_runs_but_through_one_function() -> None:
    """No call operator, no pipeline into a program: that is where Windows PowerShell 5.1 trips over stderr."""
    for function in FUNCTIONS.values():
        commands = syntax.nodes(function.node, "command")
        assert not [syntax.text(node) for node in commands if syntax.text(node).startswith(("&", "."))]
    starters = [name for name, function in FUNCTIONS.items() if "$process.Start()" in function.text]
    assert starters == ["Start-VDiskKit"]


def choices(parameter: str) -> set[tuple[str, ...]]:
    """What the public functions take for a parameter of that name."""
    public = [FUNCTIONS[name].parameters for name in EXPORTED]
    found: list[Parameter] = [parameters[parameter] for parameters in public if parameter in parameters]
    assert found
    return {tuple(item.choices) for item in found}

"""Paths that a shell took the backslashes out of: told as such, and never taken for something that is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.conftest import SAMPLES
from tests.cli.writing import DRY, YES, contents
from vdiskkit.cli.guest import first_directory
from vdiskkit.errors import UsageError
from vdiskkit.windows.regpath import HIVE_FILES, parse_registry_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

WIN7 = SAMPLES / "win7-kms.vhd"
QUOTE = 'hint  put the path in double quotes, like "HKLM\\SOFTWARE\\Microsoft": a shell takes backslashes out\n'
GUEST = 'hint  a shell takes backslashes out: put the path in double quotes, "Windows\\..."; for a file of this name'


@pytest.mark.parametrize(
    "path",
    [
        r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion",
        r"HKEY_LOCAL_MACHINE\SYSTEM\Select",
        r"HKLM:\SOFTWARE\Microsoft",
        r"hklm\software\microsoft",
        r"Computer\HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft",
        r"SOFTWARE\Microsoft",
        r"SYSTEM\Select",
        r"HKU\.DEFAULT\Software",
        r"HKU\S-1-5-20\Software",
        r"HKEY_CLASSES_ROOT\.txt",
        r"HKLM\SOFTWARE\Classes\msft:rm/algorithm",
        r"HKLM\SOFTWARE\7-Zip",
    ],
)
@pytest.mark.parametrize("command", [("get",), ("ls",), ("export",), ("delete", "--recursive", "--missing-ok", YES)])
def test_registry_paths_as_bash_hands_them_over(
    run: Callable[..., Outcome], path: str, command: tuple[str, ...]
) -> None:
    parse_registry_path(path)
    verb, *options = command
    outcome = run("reg", verb, WIN7, path.replace("\\", ""), *options)
    assert (outcome.code, outcome.out) == (2, "")
    assert QUOTE in outcome.err


def test_a_path_that_lost_only_some(run: Callable[..., Outcome]) -> None:
    assert QUOTE in run("reg", "get", WIN7, r"HKLM\SOFTWAREMicrosoft", "x").err
    assert QUOTE in run("reg", "set", WIN7, r"HKLM\SYSTEMSetup", "x", "1", "--type", "dword", DRY).err


@pytest.mark.parametrize(
    "path",
    ["SOFTWRE", "SYSTEM32", "SAM.LOG", "HKLM", "HKLMX", r"SOFTWARES\Microsoft", "Microsoft", r"HKLM\SYSTEMS",
     r"HKLM\HARDWARE\x", r"HKLM\SOFTWAREX\Microsoft", "HKUS-1-5-21-1-2-3"],
)  # fmt: skip
def test_other_wrong_registry_paths_are_told_as_before(path: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_registry_path(path)
    assert "double quotes" not in (caught.value.hint or "")


@given(st.sampled_from(sorted(HIVE_FILES)), st.text(max_size=12))
def test_what_can_be_parsed_is_never_doubted(hive: str, rest: str) -> None:
    assert parse_registry_path(f"{hive}\\{rest}").hive == hive


def test_a_key_of_a_hive_file(run: Callable[..., Outcome], software: Path) -> None:
    outcome = run("reg", "ls", software, "MicrosoftWindows NTCurrentVersion")
    assert outcome.code == 1
    assert 'hint  a shell takes backslashes out: put the path in double quotes, "Microsoft\\..."\n' in outcome.err
    for path in ("Micro", "Windows NT", r"Microsoft\No", "Microsoft.x"):
        outcome = run("reg", "ls", software, path)
        assert outcome.code == 1
        assert "double quotes" not in outcome.err


def test_the_root_of_a_hive_file_needs_no_path(run: Callable[..., Outcome], software: Path) -> None:
    assert run("reg", "ls", software) == run("reg", "ls", software, "\\")
    outcome = run("reg", "ls", WIN7)
    assert (outcome.code, outcome.out) == (2, "")
    assert "error: no registry path was given\n" in outcome.err


@pytest.mark.parametrize("command", ["cat", "stat", "ls"])
def test_guest_paths_that_are_read(run: Callable[..., Outcome], command: str) -> None:
    for path in ("WindowsSystem32configSOFTWARE", "windowsnothing", "C:WindowsSystem32"):
        outcome = run(command, WIN7, path)
        assert (outcome.code, outcome.out) == (1, "")
        assert f'{GUEST} in the root directory write "\\{path}"\n' in outcome.err
    for path in ("nothing.txt", r"Windows\nothing", "/WindowsSystem32", "Windows.old", "Windows (copy)"):
        outcome = run(command, WIN7, path)
        assert outcome.code == 1
        assert "double quotes" not in outcome.err, path


def test_a_file_that_was_never_meant_is_not_gone_already(
    run: Callable[..., Outcome], store: Callable[..., Path], tmp_path: Path
) -> None:
    disk = store()
    before = contents(disk.parent)
    path = "WindowsTempsetup.log"
    for options in (
        (YES,),
        (DRY,),
        ("--check",),
        ("--plan-out", tmp_path / "x.plan"),
        ("--copy-to", tmp_path / "x.vhd", YES),
    ):
        outcome = run("rm", disk, path, "--missing-ok", *options)
        assert (outcome.code, outcome.out) == (2, "")
        assert f"error: there is no file {path}, and the path looks as if its separators were lost\n" in outcome.err
        assert f'{GUEST} in the root directory write "\\{path}"\n' in outcome.err
    outcome = run("rm", disk, path, YES)
    assert (outcome.code, outcome.out) == (1, "")
    assert GUEST in outcome.err
    assert contents(disk.parent) == before
    assert not list(tmp_path.glob("x.*"))


@pytest.mark.parametrize(
    "path", [r"Windows\Temp\setup.log", "/WindowsTempsetup.log", r"\WindowsTempsetup.log", "setup.log", "Windows.log"]
)
def test_what_may_be_gone_already(run: Callable[..., Outcome], store: Callable[..., Path], path: str) -> None:
    outcome = run("rm", store(), path, "--missing-ok", YES)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("already so")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("WindowsTemp", "Windows"),
        ("PROGRAM FILES (X86)agent", "Program Files (x86)"),
        ("Program Filesagent", "Program Files"),
        ("Program Files (x86)", None),
        ("Windows", None),
        ("Windows.old", None),
        ("Windows:stream", None),
        ("Win", None),
        (r"Windows\Temp", None),
        ("WindowsTemp/x", None),
        ("", None),
        ("d:WindowsTemp", "Windows"),
    ],
)
def test_the_rule(path: str, expected: str | None) -> None:
    assert first_directory(path, ["Windows", "Program Files", "Program Files (x86)", "Users"]) == expected

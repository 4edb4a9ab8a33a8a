"""``reg import``: a .reg file as one change, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.writing import DRY, EXAMPLE, SPP, YES, contents, kept, pair

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

HEADER = "Windows Registry Editor Version 5.00\r\n\r\n"
LONG = EXAMPLE.replace("HKLM", "HKEY_LOCAL_MACHINE")
TEXT = (
    f"{HEADER}[{LONG}]\r\n"
    '@="default"\r\n"Number"=dword:0000002a\r\n"List"=hex(7):61,00,00,00,62,00,00,00,00,00\r\n'
    f'"Größe"="ü"\r\n[{LONG}\\Empty]\r\n\r\n'
    "[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion]\r\n"
    '"CurrentBuild"=-\r\n"Not there"=-\r\n\r\n[-HKEY_LOCAL_MACHINE\\SYSTEM\\Setup]\r\n'
    "[-HKEY_LOCAL_MACHINE\\SYSTEM\\Not there]\r\n"
)


def reg_file(folder: Path, text: str = TEXT, encoding: str = "utf-16") -> Path:
    path = folder / "settings.reg"
    path.write_bytes(text.encode(encoding))
    return path


def test_a_file_is_one_change(run: Callable[..., Outcome], store: Callable[..., Path], tmp_path: Path) -> None:
    disk, file = store(), reg_file(tmp_path)
    before = pair(disk)
    outcome = run("reg", "import", disk, file, YES)
    assert (outcome.code, outcome.err) == (0, "")
    for line in (
        f'  set             {EXAMPLE}, (default): absent → REG_SZ "default"',
        f"  set             {EXAMPLE}, Number: absent → REG_DWORD 42",
        f'  set             {EXAMPLE}, List: absent → REG_MULTI_SZ "a", "b"',
        f'  set             {EXAMPLE}, Größe: absent → REG_SZ "ü"',
        f"  create          {EXAMPLE}\\Empty",
        '  delete          HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion, CurrentBuild (was REG_SZ "19045")',
    ):
        assert f"{line}\n" in outcome.out
    assert "Not there" not in outcome.out
    assert run("reg", "get", disk, EXAMPLE, "Größe").out == "ü\n"
    assert run("reg", "ls", disk, rf"{EXAMPLE}\Empty").code == 0
    assert run("reg", "ls", disk, r"HKLM\SYSTEM\Setup").code == 1
    again = run("reg", "import", disk, file, YES)
    assert (again.code, again.out.startswith("already so")) == (0, True)
    assert len(kept(disk)) == 1
    assert run("undo", disk, YES).code == 0
    assert pair(disk) == before


@pytest.mark.parametrize("key", [SPP, r"HKLM\SYSTEM\Select", r"HKU\.DEFAULT", r"HKLM\SYSTEM\ControlSet001\Services"])
def test_an_export_comes_back_whole(
    run: Callable[..., Outcome], store: Callable[..., Path], tmp_path: Path, key: str
) -> None:
    disk, file = store(), tmp_path / "export.reg"
    assert run("reg", "export", disk, key, "--output", file).code == 0
    assert run("reg", "import", disk, file, YES).out.startswith("already so"), "nothing differs yet"
    exported = run("reg", "export", disk, key).out
    if key != r"HKU\.DEFAULT":
        assert run("reg", "delete", disk, key, "--recursive", YES).code == 0
        assert run("reg", "import", disk, file, YES).code == 0
    assert sorted(run("reg", "export", disk, key).out.splitlines()) == sorted(exported.splitlines())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "this is no .reg text"),
        ("nonsense", "line 1: this is no .reg text"),
        (f"{HEADER}[HKEY_CURRENT_USER\\Software\\X]\r\n", "line 3: HKEY_CURRENT_USER does not exist in an image"),
        (f"{HEADER}[HKEY_LOCAL_MACHINE\\HIVE\\X]\r\n", "line 3: HKLM has no hive 'HIVE' in an image"),
        (f'{HEADER}[{LONG}]\r\n"Number"=dword:xyz\r\n', "line 4: "),
        (HEADER, "the .reg file changes nothing"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_line(
    run: Callable[..., Outcome], store: Callable[..., Path], tmp_path: Path, text: str, message: str
) -> None:
    disk, file = store(), reg_file(tmp_path, text, "utf-8")
    before = contents(disk.parent)
    outcome = run("reg", "import", disk, file, YES)
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err
    assert str(file) in outcome.err
    assert contents(disk.parent) == before


def test_one_refused_edit_refuses_all(run: Callable[..., Outcome], store: Callable[..., Path], tmp_path: Path) -> None:
    disk = store()
    file = reg_file(tmp_path, f'{HEADER}[{LONG}]\r\n"A"="b"\r\n[-HKEY_LOCAL_MACHINE\\SOFTWARE]\r\n')
    before = contents(disk.parent)
    outcome = run("reg", "import", disk, file, YES)
    assert (outcome.code, outcome.out) == (5, "")
    assert "the root key of a hive cannot be deleted" in outcome.err
    assert contents(disk.parent) == before


def test_old_files_name_their_encoding(run: Callable[..., Outcome], store: Callable[..., Path], tmp_path: Path) -> None:
    disk = store()
    file = reg_file(tmp_path, f'REGEDIT4\r\n\r\n[{LONG}]\r\n"Größe"="ü"\r\n', "cp1252")
    assert run("reg", "import", disk, file, DRY).code == 2
    assert run("reg", "import", disk, file, "--encoding", "no-such", DRY).code == 2
    assert run("reg", "import", disk, file, "--encoding", "cp1252", YES).code == 0
    assert run("reg", "get", disk, EXAMPLE, "Größe").out == "ü\n"


def test_a_missing_file_and_a_hive_file(
    run: Callable[..., Outcome], store: Callable[..., Path], tmp_path: Path, software: Path
) -> None:
    assert run("reg", "import", store(), tmp_path / "none.reg", YES).code == 3
    outcome = run("reg", "import", software, reg_file(tmp_path), YES)
    assert outcome.code == 2
    assert "only the hives inside a disk are changed" in outcome.err


def test_many_values_in_one_key(run: Callable[..., Outcome], store: Callable[..., Path], tmp_path: Path) -> None:
    """The second reader goes through the values of a key once, not once for each of them."""
    lines = "\r\n".join(f'"v{number}"=dword:{number:x}' for number in range(1500))
    file = tmp_path / "many.reg"
    file.write_text(f"Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Many]\r\n{lines}\r\n")
    disk = store()
    assert run("reg", "import", disk, file, YES).code == 0
    values = run("reg", "ls", disk, r"HKLM\SOFTWARE\Many", "--json").json["disks"][0]["result"]["values"]
    assert [(item["name"], item["data"]) for item in values] == [(f"v{number}", number) for number in range(1500)]

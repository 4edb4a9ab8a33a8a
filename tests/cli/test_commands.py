"""What each command answers, on samples and on disks that are special in one way."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

WIN7 = SAMPLES / "win7-kms.vhd"
WIN10 = SAMPLES / "win10-private-mak.vhd"
DESK = SAMPLES / "desk10.vhd"
CURRENT = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
STALE = "(hive dirty: may be older than its log)"


# -- which disk -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "expected"),
    [("base", "desk10.vhd"), ("0", "desk10.vhd"), ("1", "desk10.1.avhd"), ("latest", "desk10.2.avhd")],
)
def test_at_chooses_the_version(run: Callable[..., Outcome], at: str, expected: str) -> None:
    for named in ("desk10.vhd", "desk10.2.avhd", "desk10.pvp", "desk10.1.pvp"):
        result = run("inspect", SAMPLES / named, "--at", at, "--json").json["disks"][0]["result"]
        assert result["target"] == str(SAMPLES / expected)
    ubr = run("reg", "get", DESK, CURRENT, "UBR", "--at", at)
    assert ubr.out.strip() == {"desk10.vhd": "4529", "desk10.1.avhd": "4530", "desk10.2.avhd": "4531"}[expected]


def test_at_a_version_that_is_not_there(run: Callable[..., Outcome]) -> None:
    outcome = run("inspect", DESK, "--at", "7")
    assert (outcome.code, outcome.out) == (3, "")
    assert "versions there: 0, 1, 2" in outcome.err


def test_newer_versions_are_announced(run: Callable[..., Outcome]) -> None:
    assert "the newest is 2 (--at latest reads it)" in run("inspect", DESK).out
    assert "the folder has version 2; --at latest reads it" in run("license", DESK).out
    assert "--at latest" not in run("license", SAMPLES / "desk10.2.avhd").out


def test_the_side_car_finds_its_disk(run: Callable[..., Outcome]) -> None:
    by_pvp = run("inspect", SAMPLES / "win7-kms.pvp", "--json").json["disks"][0]["result"]
    assert by_pvp == run("inspect", WIN7, "--json").json["disks"][0]["result"]
    assert run("reg", "get", SAMPLES / "win7-kms.pvp", CURRENT, "CurrentBuild").out == "7601\n"


def test_wildcards_lists_and_standard_input(
    run: Callable[..., Outcome], samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["desk10.1.avhd", "desk10.2.avhd"]
    expected = [str(samples / name) for name in names]

    def targets(*args: object) -> list[str]:
        document = run("license", *args, "--json").json
        return [disk["target"] for disk in document["disks"]]

    assert targets(samples / "*.avhd") == expected
    assert targets(samples.parent / "**" / "*.avhd") == expected
    (samples / "list").write_text("\n".join([*expected, "", "  "]), encoding="utf-8")
    assert targets("--files-from", samples / "list") == expected
    (samples / "list").write_bytes(b"\xef\xbb\xbf" + "\0".join(expected).encode() + b"\0")
    assert targets("--files-from", samples / "list", "-0") == expected
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("\n".join(expected).encode())))
    assert targets("-", samples / "*.1.avhd") == [*expected, expected[0]]


def test_parents_are_looked_for_where_the_user_says(run: Callable[..., Outcome], samples: Path) -> None:
    (samples / "away").mkdir()
    child = (samples / "desk10.2.avhd").rename(samples / "away" / "desk10.2.avhd")
    outcome = run("inspect", child)
    assert outcome.code == 3
    assert "hint" in outcome.err
    assert run("inspect", child, "--parent-dir", samples).code == 0


def test_raw_is_never_guessed(run: Callable[..., Outcome], tmp_path: Path) -> None:
    path = tmp_path / "disk.bin"
    path.write_bytes(bytes(1 << 20))
    assert run("inspect", path).code == 3
    outcome = run("inspect", path, "--format", "raw")
    assert outcome.code == 0
    assert "no Windows found" in outcome.out


# -- inspect and license --------------------------------------------------------------------------------------------


def test_sections_come_in_the_order_that_was_asked(run: Callable[..., Outcome]) -> None:
    out = run("inspect", WIN7, "--section", "lock,container").out.splitlines()
    assert [line.split()[0] for line in out] == ["disk", "lock", "container", "footer", "id"]


def test_a_dirty_hive_marks_every_value_that_comes_from_it(run: Callable[..., Outcome], dirty_disk: Path) -> None:
    outcome = run("inspect", dirty_disk)
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    for label in ("windows", "edition", "license", "integrity", "blob", "SkipRearm", "KMS host", "step 3", "step 5"):
        found = [line for line in lines if line.strip().startswith(label + " ")]
        assert found, label
        assert all(line.count(STALE) == 1 for line in found), found
    assert any(line.strip().startswith("hive ") and "SOFTWARE is dirty" in line for line in lines)
    assert any(line.strip().startswith("notice ") and "SOFTWARE" in line for line in lines)
    assert outcome.out == run("inspect", dirty_disk, "--section", ",".join(_sections())).out
    license_lines = run("license", dirty_disk).out
    assert STALE in license_lines
    listed = run("reg", "ls", dirty_disk, CURRENT)
    assert listed.code == 0
    assert all(line.endswith(STALE) for line in listed.out.splitlines())
    assert run("reg", "get", dirty_disk, CURRENT, "UBR", "--json", "-q").json["source"]["dirty"] is True


def _sections() -> list[str]:
    from vdiskkit.report.sections import SECTIONS

    # These are read only when they are asked for.
    return [name for name in SECTIONS if name not in ("readiness", "blocks")]


def test_what_is_not_claimed_is_said(run: Callable[..., Outcome]) -> None:
    for command in ("inspect", "license"):
        last = run(command, WIN7).out.splitlines()[-1]
        assert last.startswith(
            "  not claimed     activation status, client machine id (CMID) and remaining rearm count"
        )
        assert "activated" not in run(command, WIN7).out


@pytest.mark.parametrize("name", ["data-only", "linux", "bitlocker", "hibernated", "dirty-volume", "two-windows"])
def test_odd_disks_are_told_with_exit_code_0(run: Callable[..., Outcome], tmp_path: Path, name: str) -> None:
    from tests.build.scenario import make

    disk = make(name, tmp_path)
    outcome = run("inspect", disk)
    assert (outcome.code, outcome.err) == (0, "")
    expected = {
        "data-only": ["no Windows found"],
        "linux": ["neither NTFS nor BitLocker", "no Windows found"],
        "bitlocker": ["BitLocker", "not determinable: partition 1 cannot be read"],
        "hibernated": ["not clean", "hibernation"],
        "dirty-volume": ["not clean", "dirty: Windows will check it at the next start"],
        "two-windows": ["choose one with --volume"],
    }[name]
    for text in expected:
        assert text in outcome.out
    assert run("inspect", disk, "--json").code == 0
    if name in ("data-only", "linux", "bitlocker"):
        reg = run("reg", "get", disk, CURRENT, "CurrentBuild")
        assert reg.code == (5 if name == "bitlocker" else 1)
        assert "hint" in reg.err


def test_volume_chooses(run: Callable[..., Outcome]) -> None:
    out = run("inspect", WIN7, "--volume", "1", "--section", "volume,windows").out
    assert "partition 1" in out
    assert "no Windows found" in out


# -- reg ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        CURRENT,
        CURRENT.replace("HKLM", "HKEY_LOCAL_MACHINE"),
        CURRENT.replace("HKLM", "HKLM:"),
        CURRENT.lower(),
        CURRENT.replace("\\", "/"),
        CURRENT + "\\",
        CURRENT.removeprefix("HKLM\\"),
    ],
)
def test_reg_get_takes_paths_as_people_write_them(run: Callable[..., Outcome], key: str) -> None:
    outcome = run("reg", "get", WIN10, key, "currentBUILD")
    assert (outcome.code, outcome.out, outcome.err) == (0, "19045\n", "")


def test_reg_get_prints_data_and_nothing_else(run: Callable[..., Outcome], software: Path, tmp_path: Path) -> None:
    from tests.build.hive import HiveBuilder

    builder = HiveBuilder()
    builder.sz("Key", "", "the default")
    builder.sz("Key", "text", "a b  c\\ü")
    builder.dword("Key", "dword", 4294967295)
    builder.multi("Key", "multi", ("one", "two", "three"))
    builder.binary("Key", "binary", b"\x00\x01\xfe")
    hive = tmp_path / "hive"
    hive.write_bytes(builder.build())
    expected = {
        "text": "a b  c\\ü\n",
        "dword": "4294967295\n",
        "multi": "one\ntwo\nthree\n",
        "binary": "0001fe\n",
        "(default)": "the default\n",
    }
    for name, out in expected.items():
        outcome = run("reg", "get", hive, "Key", name)
        assert (outcome.code, outcome.out) == (0, out)
    assert run("reg", "get", hive, "\\Key\\").out == "the default\n"
    ls = run("reg", "ls", hive, "\\")
    assert [line.split("  (")[0] for line in ls.out.splitlines()] == ["key    \\", "  key    Key"]
    deep = run("reg", "ls", hive, "/", "--depth", "2").out
    assert "    value  multi  REG_MULTI_SZ  one | two | three\n" in deep
    assert "    value  (default)  REG_SZ  the default\n" in deep


def test_reg_paths_that_miss_say_what_to_do(run: Callable[..., Outcome], software: Path) -> None:
    as_on_a_disk = run("reg", "get", software, CURRENT, "CurrentBuild")
    assert as_on_a_disk.code == 1
    assert "relative to its root" in as_on_a_disk.err
    value_as_key = run("reg", "get", WIN10, CURRENT + r"\CurrentBuild")
    assert value_as_key.code == 1
    assert "CurrentBuild is a value: give its name as an argument of its own" in value_as_key.err
    half = run("reg", "ls", software, r"Microsoft\Windows NT\No\Such\Key")
    assert r"the path exists up to Microsoft\Windows NT" in half.err


def test_reg_get_says_which_control_set_it_is(run: Callable[..., Outcome]) -> None:
    outcome = run("reg", "get", WIN10, r"HKLM\SYSTEM\CurrentControlSet\Services\BNDevice", "Start")
    assert (outcome.code, outcome.out) == (0, "2\n")
    assert outcome.err == (
        "note: HKLM\\SYSTEM\\CurrentControlSet\\Services\\BNDevice is HKLM\\SYSTEM\\ControlSet001\\Services\\BNDevice\n"
    )


def test_reg_export(run: Callable[..., Outcome], software: Path, tmp_path: Path) -> None:
    on_stdout = run("reg", "export", WIN10, r"HKLM\SYSTEM\Select")
    assert on_stdout.code == 0
    lines = on_stdout.out.splitlines()
    assert lines[:2] == ["Windows Registry Editor Version 5.00", ""]
    assert lines[2] == r"[HKEY_LOCAL_MACHINE\SYSTEM\Select]"
    assert '"Current"=dword:00000001' in lines
    path = tmp_path / "x.reg"
    in_file = run("reg", "export", WIN10, r"HKLM\SYSTEM\Select", "--output", path)
    assert (in_file.code, in_file.out, in_file.err) == (0, "", "")
    raw = path.read_bytes()
    assert raw.startswith(b"\xff\xfe")
    text = raw.decode("utf-16")
    kept = [line for line in text.split("\r\n") if not line.startswith(";")]
    assert kept == on_stdout.out.replace("\r\n", "\n").split("\n")
    assert f"; from {WIN10}, Windows\\System32\\config\\SYSTEM" in text
    hive = run("reg", "export", software, r"Microsoft\Windows NT\CurrentVersion")
    assert r"[HKEY_LOCAL_MACHINE\HIVE\Microsoft\Windows NT\CurrentVersion]" in hive.out
    named = run("reg", "export", software, r"Microsoft\Windows NT\CurrentVersion", "--root", "SOFTWARE")
    assert named.out == hive.out.replace(r"HKEY_LOCAL_MACHINE\HIVE", r"HKEY_LOCAL_MACHINE\SOFTWARE")
    user = run("reg", "export", software, "Microsoft", "--root", r"HKEY_USERS\S-1-5-20")
    assert r"[HKEY_USERS\S-1-5-20\Microsoft]" in user.out
    assert run("reg", "export", software, "\\", "--root", "a]\n[b").code == 2
    assert run("reg", "export", software, "\\").out.count("[HKEY_LOCAL_MACHINE\\HIVE") > 300


def test_a_hive_given_as_a_hive_of_its_own_answers_the_same(run: Callable[..., Outcome], software: Path) -> None:
    key = r"Microsoft\Windows NT\CurrentVersion"
    on_disk = run("reg", "ls", WIN10, f"HKLM\\SOFTWARE\\{key}", "--json").json["disks"][0]["result"]
    in_file = run("reg", "ls", software, key, "--json").json["disks"][0]["result"]
    assert in_file["values"] == on_disk["values"]
    assert in_file["subkeys"] == on_disk["subkeys"]
    assert in_file["source"]["key"] == f"\\{key}"


# -- files ----------------------------------------------------------------------------------------------------------


def test_ls(run: Callable[..., Outcome]) -> None:
    short = run("ls", WIN7)
    assert (short.code, short.err) == (0, "")
    assert "dir   Windows\n" in short.out
    assert "file  pagefile.sys\n" in short.out
    assert short.out == run("ls", WIN7, "C:\\").out == run("ls", WIN7, "/").out
    big = run("ls", WIN7, "windows/WINSXS").out.splitlines()
    assert len(big) > 2000
    assert len(set(big)) == len(big)
    long = run("ls", WIN7, r"Windows\System32\config", "-l").out
    assert re.search(r"^file  \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ         1048576  SOFTWARE$", long, re.MULTILINE)
    one = run("ls", WIN7, r"Windows\System32\config\SOFTWARE", "-l")
    assert re.fullmatch(r"file  .{19}Z         1048576  SOFTWARE\n", one.out)
    storage = run("ls", WIN7, r"Windows\Storage", "-l", "--streams").out
    assert "(sparse)" in storage
    assert "wof" in storage
    assert "compressed" in run("ls", WIN7, r"Windows\Storage\Packed", "-l").out


def test_links_are_shown_and_followed(run: Callable[..., Outcome]) -> None:
    root = run("ls", WIN7, "\\", "--json").json["disks"][0]["result"]["entries"]
    (link,) = [entry for entry in root if entry["name"] == "Documents and Settings"]
    assert "reparse" in link["storage"]
    assert link["link_target"]
    stat = run("stat", WIN7, "Documents and Settings")
    assert "leads to" in stat.out
    assert run("ls", WIN7, "Documents and Settings").out == run("ls", WIN7, "Users").out


def test_stat(run: Callable[..., Outcome]) -> None:
    lines = run("stat", WIN7, "windows/system32/config/software").out.splitlines()
    assert lines[0] == r"file              Windows\System32\config\SOFTWARE"
    assert lines[1] == "  size            1048576 bytes, 1048576 allocated"


def test_cat_of_a_named_stream_and_of_a_directory(run: Callable[..., Outcome]) -> None:
    assert run("cat", WIN7, r"pagefile.sys:no such stream").code == 1
    directory = run("cat", WIN7, "Windows")
    assert directory.code == 1
    assert "directory" in directory.err


def test_pvp_show_of_several(run: Callable[..., Outcome]) -> None:
    document = run("pvp", "show", WIN7, SAMPLES / "win10-private-mak.pvp", "--json").json
    modes = [disk["result"]["mode"] for disk in document["disks"]]
    assert modes == ["standard", "private"]
    assert document["disks"][0]["result"]["path"] == str(SAMPLES / "win7-kms.pvp")
    latest = run("pvp", "show", DESK, "--at", "latest", "--json").json["disks"][0]["result"]
    assert latest["path"] == str(SAMPLES / "desk10.2.pvp")


def test_damage_in_a_hive_is_told_beside_what_is_healthy(
    run: Callable[..., Outcome], software: Path, tmp_path: Path
) -> None:
    raw = bytearray(software.read_bytes())
    at = raw.find(b"nk", raw.find(b"Uninstall"))
    while raw[at + 2 : at + 4] not in (b"\x20\x00", b"\x00\x00"):
        at = raw.find(b"nk", at + 2)
    raw[at : at + 2] = b"xx"
    hive = tmp_path / "hive"
    hive.write_bytes(raw)
    text = run("reg", "ls", hive, "\\", "--depth", "99")
    assert text.code == 3
    assert text.out.count("\n") > 300
    assert text.err.startswith("error: ")
    as_json = run("reg", "ls", hive, "\\", "--depth", "99", "--json", "-q")
    assert (as_json.code, as_json.err) == (3, "")
    document = as_json.json
    assert document["exit_code"] == 3
    assert document["error"]["message"]
    assert document["disks"][0]["result"]["problems"]
    assert document["disks"][0]["result"]["subkeys"]
    exported = run("reg", "export", hive, "\\")
    assert exported.code == 3
    assert exported.out.count("[HKEY_LOCAL_MACHINE\\HIVE") > 300
    assert exported.err.startswith("error: ")

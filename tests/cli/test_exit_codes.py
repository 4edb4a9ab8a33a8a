"""Every exit code, met for real, and what goes to which stream."""

from __future__ import annotations

import signal
import subprocess
import time
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.build.vhdx import build_vhdx
from tests.cli.conftest import SAMPLES, command, environment
from tests.lacks import needs_interrupts
from vdiskkit.cli.exitcodes import worst

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

WIN7 = SAMPLES / "win7-kms.vhd"
SPP = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform"


def test_0_done_and_nothing_on_stderr(run: Callable[..., Outcome]) -> None:
    for args in (["inspect", WIN7], ["license", WIN7], ["pvp", "show", WIN7], ["ls", WIN7]):
        outcome = run(*args)
        assert (outcome.code, outcome.err) == (0, "")
        assert outcome.out


@pytest.mark.parametrize(
    "args",
    [
        ["reg", "get", WIN7, SPP, "SkipRearm"],
        ["reg", "get", WIN7, r"HKLM\SOFTWARE\No Such Key", "x"],
        ["reg", "ls", WIN7, r"HKLM\SOFTWARE\No Such Key"],
        ["reg", "export", WIN7, r"HKLM\SOFTWARE\No Such Key"],
        ["cat", WIN7, "no/such/file"],
        ["stat", WIN7, "no/such/file"],
        ["ls", WIN7, "no/such/folder"],
    ],
)
def test_1_not_there(run: Callable[..., Outcome], args: list[object]) -> None:
    outcome = run(*args)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("error: ")


def test_1_a_disk_without_side_car(run: Callable[..., Outcome], samples: Path) -> None:
    (samples / "win7-kms.pvp").unlink()
    outcome = run("pvp", "show", samples / "win7-kms.vhd")
    assert (outcome.code, outcome.out) == (1, "")
    assert "no .pvp file" in outcome.err
    assert "  hint  " in outcome.err


@pytest.mark.parametrize(
    "args",
    [
        ["inspect"],
        ["inspect", WIN7, "--no-such-option"],
        ["inspect", WIN7, "--section", "nonsense"],
        ["inspect", WIN7, "--at", "yesterday"],
        ["inspect", WIN7, "--volume", "0"],
        ["inspect", WIN7, "--volume", "9"],
        ["inspect", "C:win.vhd"],
        ["inspect", r"\\.\PhysicalDrive0"],
        ["no-such-command"],
        ["reg", "get", WIN7, r"HKCU\Software"],
        ["reg", "get", WIN7, "Nonsense"],
        ["reg", "ls", WIN7, r"HKLM\SYSTEM", "--depth", "0"],
        ["schema", "nonsense"],
        ["inspect", WIN7, "--output", "/no/such/folder/x.txt"],
        ["inspect", WIN7, "--log-file", "/no/such/folder/x.log"],
        ["inspect", WIN7, "--output", SAMPLES],
    ],
)
def test_2_usage(run: Callable[..., Outcome], args: list[object]) -> None:
    outcome = run(*args)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("error: ")
    assert "\n  hint  " in outcome.err


@pytest.mark.parametrize(
    "args", [["--json", "--output-format", "text"], ["--output-format", "text", "--json"], ["--json", "--x"]]
)
def test_2_usage_as_json(run: Callable[..., Outcome], args: list[str]) -> None:
    outcome = run("inspect", WIN7, *args)
    assert outcome.code == 2
    assert outcome.json["schema"] == "vdiskkit.inspect/1"
    assert outcome.json["error"]["type"] == "UsageError"


def test_2_no_arguments_shows_help(run: Callable[..., Outcome]) -> None:
    outcome = run()
    assert (outcome.code, outcome.out) == (2, "")
    assert "Usage: vdiskkit" in outcome.err


def _damaged(folder: Path) -> dict[str, bytes]:
    whole = WIN7.read_bytes()
    return {
        "empty.vhd": b"",
        "text.vhd": b"this is a text file\n" * 100,
        "truncated.vhd": whole[: len(whole) // 2],
        "zeros.vhd": bytes(100_000),
    }


def test_3_no_disk(run: Callable[..., Outcome], tmp_path: Path) -> None:
    for name, content in _damaged(tmp_path).items():
        (tmp_path / name).write_bytes(content)
    for name in (*_damaged(tmp_path), "missing.vhd", "."):
        outcome = run("inspect", tmp_path / name)
        assert (outcome.code, outcome.out) == (3, ""), name
        lines = outcome.err.splitlines()
        assert lines[0].startswith("error: ")
        assert lines[1].startswith("  at    ")
        assert lines[2].startswith("  hint  "), name
        assert len(lines) == 3
        as_json = run("inspect", tmp_path / name, "--json", "-q")
        assert (as_json.code, as_json.err) == (3, "")
        assert as_json.json["error"]["hint"]
        assert as_json.json["disks"][0]["error"] == as_json.json["error"]


def test_3_a_side_car_without_disk(run: Callable[..., Outcome], samples: Path) -> None:
    (samples / "win7-kms.vhd").unlink()
    assert run("inspect", samples / "win7-kms.pvp").code == 3
    assert run("pvp", "show", samples / "win7-kms.pvp").code == 0


def test_3_a_broken_hive_and_a_hive_that_is_no_file_system(
    run: Callable[..., Outcome], tmp_path: Path, software: Path
) -> None:
    (tmp_path / "hive").write_bytes(software.read_bytes()[:6000])
    assert run("reg", "ls", tmp_path / "hive", "\\").code == 3
    outcome = run("ls", software)
    assert outcome.code == 3
    assert "hint" in outcome.err


def unsupported_vhdx(path: Path) -> Path:
    """A VHDX with a region that a reader must know, of a version of the format that is not there yet."""
    image = build_vhdx("dynamic", 4 << 20)
    image.set_regions([*image.regions(), (uuid.UUID(int=5), 16 << 20, 1 << 20, 1)])
    return image.save(path)


def test_3_a_damaged_vhdx(run: Callable[..., Outcome], tmp_path: Path) -> None:
    path = tmp_path / "win.vhdx"
    path.write_bytes(b"vhdxfile" + bytes(4 << 20))
    outcome = run("inspect", path)
    assert (outcome.code, outcome.out) == (3, "")
    assert "neither header of the VHDX can be used" in outcome.err


def test_5_a_vhdx_with_parts_from_the_future(run: Callable[..., Outcome], tmp_path: Path) -> None:
    outcome = run("inspect", unsupported_vhdx(tmp_path / "win.vhdx"))
    assert (outcome.code, outcome.out) == (5, "")
    assert "is not known, but required" in outcome.err


def test_5_wof_compressed_files_are_never_read_as_zeros(run: Callable[..., Outcome]) -> None:
    listed = run("ls", WIN7, r"Windows\Storage", "--json").json["disks"][0]["result"]["entries"]
    names = [entry["name"] for entry in listed if "wof" in entry["storage"]]
    assert names
    outcome = run("cat", WIN7, rf"Windows\Storage\{names[0]}")
    assert (outcome.code, outcome.out) == (5, "")
    assert "WOF" in outcome.err


def test_9_a_bug_tells_little_and_logs_its_traceback(
    run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("planted\x1b[31m")

    monkeypatch.setattr("vdiskkit.vdisk.open_vdisk", broken)
    outcome = run("inspect", WIN7)
    assert (outcome.code, outcome.out) == (9, "")
    assert outcome.err.startswith(r"error: internal error, a bug in vdiskkit: ZeroDivisionError: planted\u{1b}[31m")
    assert "Traceback" not in outcome.err
    log = tmp_path / "x.log"
    assert run("ls", WIN7, "--log-file", log, "-v").code == 9
    assert run("ls", WIN7, "--log-file", log, "-v").err.count("Traceback") == 0
    text = log.read_text(encoding="utf-8")
    assert text.count("Traceback (most recent call last)") == 2
    assert "\x1b" not in text
    as_json = run("inspect", WIN7, "--json")
    assert as_json.code == 9
    assert as_json.json["error"]["type"] == "InternalError"
    assert as_json.json["exit_code"] == 9


@pytest.mark.parametrize("kind", [EOFError, KeyError, RecursionError, MemoryError, AssertionError])
def test_9_whatever_the_bug_is(run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, kind: type) -> None:
    def broken(*_: object, **__: object) -> None:
        raise kind

    monkeypatch.setattr("vdiskkit.vdisk.open_vdisk", broken)
    for args in (["inspect", WIN7], ["ls", WIN7], ["reg", "get", WIN7, r"HKLM\SYSTEM\Select", "Current"]):
        assert run(*args).code == 9


@needs_interrupts
def test_130_ctrl_c(tmp_path: Path) -> None:
    # It waits for a list of disks on standard input; the log file is there once the command has begun.
    log = tmp_path / "x.log"
    with subprocess.Popen(
        command("inspect", "-", "--log-file", log),
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        for _ in range(300):
            if log.exists():
                break
            time.sleep(0.1)
        time.sleep(0.2)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
    assert (running.returncode, out, err.strip()) == (130, b"", b"cancelled")


def test_the_worst_of_several_disks_wins(run: Callable[..., Outcome], tmp_path: Path) -> None:
    unsupported_vhdx(tmp_path / "x.vhdx")
    (tmp_path / "y.vhd").write_bytes(b"")
    outcome = run("inspect", tmp_path / "y.vhd", WIN7, tmp_path / "x.vhdx", "--json")
    assert outcome.code == 5
    result = outcome.json
    assert result["exit_code"] == 5
    assert [("result" in disk, "error" in disk) for disk in result["disks"]] == [
        (False, True),
        (True, False),
        (False, True),
    ]
    assert result["summary"] == {"disks": 3, "failed": 2}
    assert result["error"] == result["disks"][2]["error"]
    text = run("inspect", tmp_path / "y.vhd", WIN7, "--section", "container")
    assert text.code == 3
    assert text.out.startswith("disk ")
    assert text.err.startswith("error: ")


@pytest.mark.parametrize(
    ("codes", "expected"),
    [([], 0), ([0, 0], 0), ([1, 0], 1), ([3, 1, 8], 3), ([5, 3], 5), ([9, 7], 9), ([6, 7], 7), ([4, 5], 5)],
)
def test_rank_of_codes(codes: list[int], expected: int) -> None:
    assert worst(codes) == expected


def test_an_unknown_code_counts_as_failure() -> None:
    assert worst([0, 42]) == 42


def test_the_format_never_changes_the_code(run: Callable[..., Outcome], tmp_path: Path) -> None:
    for args in (
        ["inspect", WIN7],
        ["inspect", tmp_path / "missing.vhd"],
        ["reg", "get", WIN7, SPP, "SkipRearm"],
        ["stat", WIN7, "nothing"],
    ):
        assert run(*args).code == run(*args, "--json").code == run(*args, "--json", "-q").code

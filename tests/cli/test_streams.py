"""Streams: results and nothing else on stdout, files whole or not at all, closed pipes, odd encodings, terminals."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import SAMPLES, command, environment
from tests.lacks import needs_devices, needs_links, needs_terminals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.cli.conftest import Outcome

WIN7 = SAMPLES / "win7-kms.vhd"


def test_quiet_writes_nothing_to_stderr_on_success(run: Callable[..., Outcome], dirty_disk: Path) -> None:
    args = ("reg", "get", dirty_disk, r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion", "CurrentBuild")
    loud = run(*args)
    assert loud.code == 0
    assert loud.err == (
        "warning: Windows\\System32\\config\\SOFTWARE (hive dirty: may be older than its log): its logs are empty\n"
    )
    for quiet in (run("-q", *args), run(*args, "-q"), run(*args, "-q", "-vv")):
        assert (quiet.code, quiet.err) == (0, "")
        assert quiet.out == loud.out


def test_errors_are_told_even_when_quiet(run: Callable[..., Outcome]) -> None:
    assert run("-q", "cat", WIN7, "nothing").err.startswith("error: ")


def test_verbose_works_before_and_after_the_command(run: Callable[..., Outcome], tmp_path: Path) -> None:
    for args in (
        ("-v", "inspect", WIN7),
        ("inspect", WIN7, "-vv"),
        ("-v", "reg", "-v", "ls", WIN7, r"HKLM\SYSTEM", "-v"),
    ):
        assert run(*args).code == 0


def test_output_file_appears_whole(run: Callable[..., Outcome], tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text("old")
    outcome = run("inspect", WIN7, "--json", "--output", path)
    assert (outcome.code, outcome.out, path.read_text()) == (2, "", "old")
    assert "hint  name a new file, or add --overwrite to replace this one\n" in outcome.err
    outcome = run("inspect", WIN7, "--json", "--output", path, "--overwrite")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert path.read_bytes() == run("inspect", WIN7, "--json").out.encode()
    assert os.listdir(tmp_path) == ["out.json"]  # noqa: PTH208 - nothing else was left behind


def test_a_failed_run_leaves_the_output_file_as_it_was(run: Callable[..., Outcome], tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text("old")
    assert run("inspect", tmp_path / "missing.vhd", "--output", path, "--overwrite").code == 3
    assert run("cat", WIN7, "missing", "--output", path, "--overwrite").code == 1
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.txt"]


def test_an_error_as_json_goes_where_the_result_would(run: Callable[..., Outcome], tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    outcome = run("inspect", tmp_path / "missing.vhd", "--json", "--output", path)
    assert (outcome.code, outcome.out) == (3, "")
    assert '"exit_code": 3' in path.read_text()


def test_output_never_overwrites_a_vdisk_file(run: Callable[..., Outcome], samples: Path, software: Path) -> None:
    disk = samples / "win7-kms.vhd"
    before = {path.name: path.read_bytes() for path in samples.iterdir()}
    (samples / "hive.bin").write_bytes(software.read_bytes())
    (samples / "hard.bin").hardlink_to(disk)
    for name in ("win7-kms.vhd", "win7-kms.pvp", "desk10.1.avhd", "hard.bin"):
        for args in (["inspect", disk], ["cat", disk, "pagefile.sys"], ["inspect", samples / "win7-kms.pvp", "--json"]):
            outcome = run(*args, "--output", samples / name)
            assert outcome.code == 2, (name, args)
            assert "overwrite a vDisk file" in outcome.err
        assert run("inspect", disk, "--log-file", samples / name).code == 2
    assert run("reg", "ls", samples / "hive.bin", "\\", "--output", samples / "hive.bin").code == 2
    assert {name: (samples / name).read_bytes() for name in before} == before


@pytest.mark.parametrize(
    "name",
    ["new.lok", "x.vhd.vdiskkit-journal", "new.vhdx.vdiskkit-undo-0001", "WIN7-KMS.XML", "win7-kms.xml", "new.LOK"],
)
def test_no_output_speaks_for_a_disk(run: Callable[..., Outcome], samples: Path, name: str) -> None:
    """A lock, a journal or a manifest says something by being there, whatever it holds."""
    if name == "WIN7-KMS.XML":
        (samples / "win7-kms.vhd").rename(samples / "WIN7-KMS.VHD")
        (samples / "win7-kms.pvp").rename(samples / "WIN7-KMS.PVP")
    disk, before = samples / "win10.vhd", sorted(samples.iterdir())
    for there in (False, True):
        if there:
            (samples / name).write_text("old")
        outcome = run("schema", "--output", samples / name, "--overwrite")
        assert outcome.code == 2
        assert "error: a file of this name would be taken for one that belongs to a vDisk\n" in outcome.err
        assert run("validate", disk, "--report", f"json={samples / name}", "--overwrite").code == 2
    (samples / name).unlink()
    assert sorted(samples.iterdir()) == before
    assert run("schema", "--output", samples / "new.xml").code == 0


@needs_links
def test_output_never_follows_a_link_to_a_vdisk_file(run: Callable[..., Outcome], samples: Path) -> None:
    disk, link = samples / "win7-kms.vhd", samples / "link.txt"
    before = disk.read_bytes()
    link.symlink_to(disk)
    for option, refusal in (
        ("--output", "the output would overwrite a vDisk file"),
        ("--log-file", "the log would be written to a file that belongs to a vDisk"),
    ):
        outcome = run("inspect", disk, option, link)
        assert outcome.code == 2
        assert refusal in outcome.err
    assert disk.read_bytes() == before
    assert link.is_symlink()


@needs_devices
def test_output_to_a_device_does_not_replace_it(run: Callable[..., Outcome]) -> None:
    assert run("inspect", WIN7, "--output", "/dev/null").code == 0
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)  # noqa: PTH116


def test_a_closed_pipe_ends_quietly(software: Path) -> None:
    for args in (
        ("reg", "export", software, "\\"),
        ("cat", WIN7, "pagefile.sys"),
        ("inspect", WIN7, "--json"),
        ("--help",),
    ):
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(
            command(*args), env=environment(), stdout=write, stderr=subprocess.PIPE, check=False, timeout=60
        )
        os.close(write)
        assert (done.returncode, done.stderr) == (0, b""), args


@needs_devices
@pytest.mark.parametrize("args", [("inspect", WIN7), ("--help",)])
def test_a_full_disk_is_no_success(args: tuple[object, ...]) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run(
            command(*args), env=environment(), stdout=full, stderr=subprocess.PIPE, check=False, timeout=60
        )
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: the result cannot be written")
    assert b"Traceback" not in done.stderr


def test_binary_content_is_written_byte_for_byte(
    process: Callable[..., subprocess.CompletedProcess[bytes]], run: Callable[..., Outcome], tmp_path: Path
) -> None:
    for path in (r"Windows\System32\config\SAM", "/windows/SYSTEM32/Config/sam", r"C:\Windows\System32\config\SAM"):
        done = process("cat", WIN7, path)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout[:4] == b"regf"
        assert run("cat", WIN7, path, "--output", tmp_path / "SAM", "--overwrite").code == 0
        assert (tmp_path / "SAM").read_bytes() == done.stdout


@pytest.mark.parametrize("encoding", ["ascii", "cp437", "cp1252", "utf-8"])
def test_any_encoding_of_stdout_will_do(
    process: Callable[..., subprocess.CompletedProcess[bytes]], encoding: str
) -> None:
    env = {"PYTHONUTF8": "0", "PYTHONIOENCODING": encoding, "PYTHONWARNINGS": "error"}
    for args in (
        ("inspect", SAMPLES / "hostile.vhd"),
        ("ls", SAMPLES / "hostile.vhd", "Users/Public", "-l"),
        ("ls", WIN7, "Users/Public", "-l"),
    ):
        done = process(*args, env=env)
        assert (done.returncode, done.stderr) == (0, b"")
        text = done.stdout.decode(encoding)
        if encoding == "ascii":
            assert "+ ok" in text or args[0] == "ls"
    as_json = process("inspect", SAMPLES / "hostile.vhd", "--json", env=env)
    assert as_json.stdout.isascii()


def test_without_stdout_nothing_breaks() -> None:
    code = "import sys; sys.stdout = None; from vdiskkit.cli import main; sys.exit(main(sys.argv[1:]))"
    for args in (["inspect", str(WIN7)], ["cat", str(WIN7), "pagefile.sys"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *args], env=environment(), capture_output=True, check=False, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, b"")


def _on_terminal(*args: object, columns: int = 60, env: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    import fcntl
    import pty
    import struct
    import termios

    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    with subprocess.Popen(
        command(*args), env=environment({"TERM": "xterm", **(env or {})}), stdout=follower, stderr=subprocess.PIPE
    ) as running:
        os.close(follower)
        parts = []
        while True:
            try:
                part = os.read(leader, 65536)
            except OSError:
                break
            if not part:
                break
            parts.append(part)
        running.communicate(timeout=60)
    os.close(leader)
    return running.returncode, b"".join(parts)


@needs_terminals
def test_a_terminal_limits_the_width_and_gets_colour() -> None:
    code, out = _on_terminal("inspect", WIN7, "--section", "container,license", columns=60)
    assert code == 0
    assert b"\x1b[32m" in out
    code, out = _on_terminal("inspect", WIN7, "--section", "container,license", "--color", "never", columns=60)
    text = out.decode().replace("\r\n", "\n")
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) <= 60
    assert any(line.lstrip().startswith("| ") for line in text.splitlines())


@needs_terminals
@pytest.mark.parametrize(
    ("env", "args", "colored"),
    [
        ({}, (), True),
        ({"NO_COLOR": "1"}, (), False),
        ({"NO_COLOR": "1"}, ("--color", "always"), True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, (), False),
        ({"TERM": "dumb"}, (), False),
        ({"VDISKKIT_COLOR": "never"}, (), False),
        ({"VDISKKIT_INSPECT_COLOR": "never"}, (), False),
    ],
)
def test_who_decides_on_colour(env: dict[str, str], args: tuple[str, ...], colored: bool) -> None:
    _, out = _on_terminal("inspect", WIN7, "--section", "license", *args, env=env)
    assert (b"\x1b[" in out) == colored


def test_colour_away_from_a_terminal(process: Callable[..., subprocess.CompletedProcess[bytes]]) -> None:
    args = ("inspect", WIN7, "--section", "license")
    assert b"\x1b" not in process(*args).stdout
    assert b"\x1b[" in process(*args, "--color", "always").stdout
    assert b"\x1b[" in process("--color", "always", *args).stdout
    assert b"\x1b[" in process(*args, env={"FORCE_COLOR": "1"}).stdout
    assert b"\x1b[" in process(*args, env={"CLICOLOR_FORCE": "1"}).stdout
    assert b"\x1b" not in process(*args, env={"FORCE_COLOR": "0"}).stdout


@needs_terminals
def test_cat_does_not_send_control_bytes_to_a_terminal() -> None:
    assert _on_terminal("cat", WIN7, r"Windows\System32\config\SAM") == (2, b"")
    code, out = _on_terminal("cat", WIN7, "Personality.ini")
    assert code == 0
    assert b"[StringData]" in out


def test_log_file_in_both_forms(run: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("planted\n::error::\x1b[31m")

    monkeypatch.setattr("vdiskkit.vdisk.open_vdisk", broken)
    log = tmp_path / "x.log"
    assert run("ls", WIN7, "--log-file", log, "--log-format", "json").code == 9
    entries = [json.loads(line) for line in log.read_text(encoding="ascii").splitlines()]
    (bug,) = (entry for entry in entries if entry["event"] == "bug")
    assert bug["level"] == "critical"
    assert any("RuntimeError" in line for line in bug["traceback"])
    assert run("ls", WIN7, "--log-file", log).code == 9
    assert not any(line.startswith("::error") for line in log.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize(
    "args",
    [("validate", WIN7, "--output-format", "csv"), ("reg", "export", WIN7, r"HKLM\SYSTEM\Select"), ("license", WIN7)],
    ids=["csv", "reg", "text"],
)
def test_lines_end_once_also_where_the_stream_ends_them_by_itself(
    args: tuple[object, ...], process: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    done = process(*args)
    assert done.returncode == 0
    assert b"\n" in done.stdout
    assert b"\r\r" not in done.stdout
    assert (b"\r\n" in done.stdout) == (args[0] != "license" or os.linesep == "\r\n")

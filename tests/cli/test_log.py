"""The log as an audit trail: who did what to which disk, and what came of it, whatever came of it."""

from __future__ import annotations

import getpass
import json
import logging
import os
import re
import signal
import socket
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from tests.build.products import MAK, WINDOWS
from tests.cli.conftest import ROOT, SAMPLES, command, environment
from tests.cli.writing import DRY, SPP, YES, contents, interrupted
from vdiskkit import __version__
from vdiskkit.schemas import read_schema
from vdiskkit.schemas._log import EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.cli.conftest import Outcome

WIN7 = SAMPLES / "win7-kms.vhd"
WIN10 = SAMPLES / "win10-private-mak.vhd"
GVLK = WINDOWS["win10"].key
HIDDEN = f"XXXXX-XXXXX-XXXXX-XXXXX-{MAK[-5:]}"
PREP = ("--skip-rearm", "0", "--kms-host", "kms.example.com")
TEXT_LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|warning|error|critical) \d+/[0-9a-f]{6} \S+( .*)?"
)
posix = pytest.mark.skipif(os.name == "nt", reason="of systems with POSIX files")

Entry = dict[str, Any]
Logged = tuple[int, list[Entry]]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.log"


@pytest.fixture
def logged(run: Callable[..., Outcome], log: Path) -> Callable[..., Logged]:
    """Run a command with a log as JSON; return its exit code and its lines, each held against the schema."""

    def call(*args: object) -> Logged:
        log.unlink(missing_ok=True)
        code = run(*args, "--log-file", log, "--log-format", "json").code
        return code, checked(log)

    return call


def checked(log: Path) -> list[Entry]:
    text = log.read_bytes().decode("ascii")
    assert text.endswith("}\n")
    entries = [json.loads(line) for line in text.splitlines()]
    schema = json.loads(read_schema("vdiskkit.log/1"))
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    validator.check_schema(schema)
    for entry in entries:
        validator.validate(entry)
        known = {"time", "level", "event", "logger", "pid", "run", *EVENTS[entry["event"]][1]}
        assert set(entry) <= known, entry
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["time"])
    return entries


def names(entries: Sequence[Entry]) -> list[str]:
    return [entry["event"] for entry in entries]


def of(entries: Sequence[Entry], event: str) -> list[Entry]:
    return [entry for entry in entries if entry["event"] == event]


def one(entries: Sequence[Entry], event: str) -> Entry:
    (found,) = of(entries, event)
    return found


def framed(entries: Sequence[Entry], code: int) -> None:
    """The first line says who and what, the last what came of it; all are of one run."""
    first, last = entries[0], entries[-1]
    assert (first["event"], last["event"]) == ("run.begin", "run.end")
    assert last["exit_code"] == code
    assert last["milliseconds"] >= 0
    assert len({(entry["pid"], entry["run"]) for entry in entries}) == 1


class TestWhoAndWhat:
    def test_the_first_line(self, logged: Callable[..., Logged]) -> None:
        before = datetime.now(UTC) - timedelta(seconds=1)
        code, entries = logged("inspect", WIN7, "-q")
        framed(entries, code)
        first = entries[0]
        assert first["pid"] == os.getpid()
        assert before <= datetime.fromisoformat(first["time"]) <= datetime.now(UTC)
        assert first["version"] == __version__
        assert first["host"] == socket.gethostname()
        assert first["folder"] == str(Path.cwd())
        assert first["command"] == "inspect"
        assert first["arguments"][:3] == ["inspect", str(WIN7), "-q"]
        assert first["user"]

    @posix
    def test_the_user_is_not_what_a_variable_says(
        self, logged: Callable[..., Logged], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import pwd

        for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
            monkeypatch.setenv(name, "somebody-else")
        assert getpass.getuser() == "somebody-else"
        _, entries = logged("schema")
        assert entries[0]["user"] == pwd.getpwuid(os.geteuid()).pw_name

    def test_every_disk_by_its_whole_path(
        self, logged: Callable[..., Logged], samples: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(samples)
        code, entries = logged("inspect", "win7-kms.pvp", "win10-private-mak.vhd", "--section", "license")
        assert code == 0
        assert [(entry["target"], entry["path"]) for entry in of(entries, "target")] == [
            ("win7-kms.pvp", str(samples / "win7-kms.pvp")),
            ("win10-private-mak.vhd", str(samples / "win10-private-mak.vhd")),
        ]
        assert [entry["disk"] for entry in of(entries, "disk.open")] == [
            str(samples / "win7-kms.vhd"),
            str(samples / "win10-private-mak.vhd"),
        ]

    def test_a_command_of_one_disk(self, logged: Callable[..., Logged]) -> None:
        code, entries = logged("reg", "get", WIN7, SPP, "Nothing")
        assert code == 1
        framed(entries, code)
        assert entries[0]["command"] == "reg get"
        assert one(entries, "target")["path"] == str(WIN7)
        error = one(entries, "error")
        assert (error["type"], error["exit_code"], error["level"]) == ("ValueMissingError", 1, "error")

    def test_text_is_one_line_an_event(self, run: Callable[..., Outcome], log: Path) -> None:
        assert run("validate", WIN10, "--log-file", log).code == 1
        lines = log.read_text(encoding="utf-8").splitlines()
        assert len(lines) > 4
        assert all(TEXT_LINE.fullmatch(line) for line in lines)
        assert f" run.begin version={__version__} user=" in lines[0]
        assert " finding disk=" in "\n".join(lines)

    def test_verbose_tells_the_same_on_stderr(self, run: Callable[..., Outcome]) -> None:
        outcome = run("validate", WIN10, "-v")
        lines = outcome.err.splitlines()
        assert all(TEXT_LINE.fullmatch(line) for line in lines)
        found = [line.split()[3] for line in lines]
        assert found[0] == "run.begin"
        assert found[-1] == "run.end"
        assert {"target", "disk.open", "finding", "rule", "verdict", "notice"} <= set(found)

    def test_every_detail_only_when_asked_for(self, run: Callable[..., Outcome], log: Path, store: Any) -> None:
        disk = store()
        assert run("kms-prep", disk, *PREP, YES, "--log-file", log, "--log-format", "json").code == 0
        assert not of(checked(log), "log")
        log.unlink()
        assert run("undo", disk, YES, "-q", "-vv", "--log-file", log, "--log-format", "json").code == 0
        assert {entry["logger"] for entry in of(checked(log), "log")} == {"filelock"}


class TestOutcomes:
    def test_notices(self, logged: Callable[..., Logged], dirty_disk: Path) -> None:
        code, entries = logged("inspect", dirty_disk)
        assert code == 0
        framed(entries, code)
        notices = of(entries, "notice")
        assert notices
        for notice in notices:
            assert (notice["level"], notice["path"]) == ("warning", str(dirty_disk))
            assert notice["code"]
            assert notice["message"]

    def test_failed_validation(self, logged: Callable[..., Logged]) -> None:
        code, entries = logged("validate", WIN10)
        assert code == 1
        framed(entries, code)
        finding = one(entries, "finding")
        assert (finding["code"], finding["severity"], finding["level"]) == ("PVP103", "error", "error")
        assert finding["message"] == "the mode is Private, not Standard"
        assert finding["location"].endswith("win10-private-mak.pvp > writeCacheType")
        assert finding["disk"] == str(WIN10)
        verdict = one(entries, "verdict")
        assert (verdict["verdict"], verdict["errors"], verdict["profile"]) == ("unfit", 1, "mak")
        assert verdict["unknown"] == len(of(entries, "rule"))
        assert entries[-1]["result"].startswith("findings at the fail level")

    def test_several_disks_at_a_time(self, logged: Callable[..., Logged], tmp_path: Path) -> None:
        code, entries = logged("validate", WIN7, WIN10, tmp_path / "missing.vhd", "--jobs", "3")
        assert code == 8
        assert {entry["disk"] for entry in of(entries, "verdict")} == {str(WIN7), str(WIN10)}
        assert one(entries, "error")["location"] == str(tmp_path / "missing.vhd")

    def test_a_chain(self, logged: Callable[..., Logged]) -> None:
        code, entries = logged("chain", "check", WIN7)
        assert code == 0
        assert one(entries, "verdict")["verdict"] == "fit"
        assert one(entries, "disk.open")["disk"] == str(WIN7)

    def test_dry_run(self, logged: Callable[..., Logged], store: Callable[..., Path]) -> None:
        disk = store()
        code, entries = logged("kms-prep", disk, *PREP, DRY)
        assert code == 0
        framed(entries, code)
        plan = one(entries, "plan")
        assert (plan["disk"], plan["changes"], plan["empty"]) == (str(disk), 2, False)
        assert re.fullmatch("[0-9a-f]{40}", plan["digest"])
        assert [(entry["name"], entry["after"]) for entry in of(entries, "plan.item")] == [
            ("SkipRearm", "REG_DWORD 0"),
            ("KeyManagementServiceName", 'REG_SZ "kms.example.com"'),
        ]
        assert not [name for name in names(entries) if name.startswith("change")]

    def test_change_and_undo(self, logged: Callable[..., Logged], store: Callable[..., Path]) -> None:
        disk = store()
        code, entries = logged("kms-prep", disk, *PREP, YES)
        assert code == 0
        framed(entries, code)
        begin, done = one(entries, "change.begin"), one(entries, "change.done")
        assert begin["digest"] == done["digest"] == one(entries, "plan")["digest"]
        assert begin["change"] == done["change"]
        assert done["journal"] == f"{disk}.vdiskkit-undo-0001"
        assert [entry["step"] for entry in of(entries, "change.step")] == [
            "check",
            "journal",
            "write",
            "verify",
            "commit",
        ]
        assert [entry["name"] for entry in of(entries, "change.item")] == ["SkipRearm", "KeyManagementServiceName"]
        answer = one(entries, "answer")
        assert (answer["question"], answer["answer"], answer["given_by"]) == ("write this?", "yes", "--yes")
        for entry in entries:
            if entry["event"].startswith("change."):
                assert (entry["disk"], entry["change"]) == (str(disk), begin["change"])

        code, entries = logged("undo", disk, DRY)
        assert one(entries, "undo.checked")["change"] == begin["change"]
        code, entries = logged("undo", disk, YES)
        assert code == 0
        framed(entries, code)
        assert one(entries, "undo.begin")["change"] == one(entries, "undo.done")["change"] == begin["change"]
        assert "SkipRearm" in one(entries, "undo.begin")["summary"]
        assert [entry["step"] for entry in of(entries, "undo.step")][-1] == "commit"

    def test_saved_plan(self, logged: Callable[..., Logged], store: Callable[..., Path], tmp_path: Path) -> None:
        disk, plan = store(), tmp_path / "x.plan"
        _, entries = logged("kms-prep", disk, *PREP, "--plan-out", plan)
        saved = one(entries, "plan.saved")
        assert saved["file"] == str(plan)
        code, entries = logged("apply", plan, YES)
        assert code == 0
        framed(entries, code)
        assert one(entries, "plan.loaded")["digest"] == saved["digest"] == one(entries, "change.done")["digest"]
        assert one(entries, "target")["path"] == str(disk)

    def test_copy(self, logged: Callable[..., Logged], store: Callable[..., Path], tmp_path: Path) -> None:
        disk, new = store(), tmp_path / "new.vhd"
        code, entries = logged("kms-prep", disk, *PREP, "--copy-to", new, YES)
        assert code == 0
        assert one(entries, "copy.done")["copy"] == str(new)
        assert one(entries, "copy.done")["side_car"] == str(new.with_suffix(".pvp"))
        assert one(entries, "change.done")["disk"] == str(new)

    def test_recover(
        self, logged: Callable[..., Logged], run: Callable[..., Outcome], store: Callable[..., Path]
    ) -> None:
        disk = interrupted(store(), run)
        code, entries = logged("kms-prep", disk, *PREP, YES)
        assert code == 7
        assert one(entries, "error")["type"] == "JournalPendingError"
        code, entries = logged("recover", disk, YES)
        assert code == 0
        framed(entries, code)
        assert one(entries, "recover.checked")["action"] == "rolled_back"
        done = one(entries, "recover.done")
        assert (done["action"], done["disk"]) == ("rolled_back", str(disk))
        assert done["change"] == one(entries, "recover.begin")["change"]

    def test_refused_and_forced(self, logged: Callable[..., Logged], store: Callable[..., Path]) -> None:
        disk = store()
        disk.with_suffix(".lok").write_bytes(b"")
        code, entries = logged("kms-prep", disk, *PREP, YES)
        assert code == 4
        framed(entries, code)
        gate = one(entries, "gate")
        assert (gate["gate"], gate["forced"], gate["level"], gate["type"]) == ("lok", False, "error", "InUseError")
        assert one(entries, "error")["hint"].endswith("--force lok")
        code, entries = logged("kms-prep", disk, *PREP, YES, "--force", "lok")
        assert code == 0
        assert {(entry["gate"], entry["forced"], entry["level"]) for entry in of(entries, "gate")} == {
            ("lok", True, "warning")
        }
        assert one(entries, "change.begin")["forced"] == ["lok"]

    def test_failed_change(
        self, logged: Callable[..., Logged], store: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object) -> None:
            raise OSError(5, "planted")

        disk = store()
        monkeypatch.setattr("vdiskkit.patch.api.verify_applied", broken)
        code, entries = logged("kms-prep", disk, *PREP, YES)
        assert code == 6
        failed = one(entries, "change.failed")
        assert (failed["type"], failed["step"], failed["files"]) == ("PatchError", "verify", "rolled back")
        assert not of(entries, "change.item")

    def test_change_that_was_cancelled(
        self, logged: Callable[..., Logged], store: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("vdiskkit.patch.api.verify_applied", stop)
        code, entries = logged("kms-prep", store(), *PREP, YES)
        assert code == 130
        framed(entries, code)
        failed = one(entries, "change.failed")
        assert (failed["type"], failed["files"]) == ("KeyboardInterrupt", "rolled back")
        assert one(entries, "cancelled")["level"] == "warning"

    @pytest.mark.parametrize(
        "args",
        [
            ["inspect", WIN7, "--no-such-option"],
            ["no-such-command"],
            ["reg", "set"],
            ["inspect", WIN7, "--color", "mauve"],
            ["inspect"],
            [],
        ],
    )
    def test_usage_errors(self, logged: Callable[..., Logged], args: list[object]) -> None:
        code, entries = logged(*args)
        assert code == 2
        framed(entries, code)
        assert entries[0]["arguments"][: len(args)] == [str(arg) for arg in args]
        assert one(entries, "error")["exit_code"] == 2

    def test_usage_error_with_the_log_in_a_variable(
        self, run: Callable[..., Outcome], log: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("VDISKKIT_INSPECT_LOG_FILE", str(log))
        monkeypatch.setenv("VDISKKIT_INSPECT_LOG_FORMAT", "json")
        assert run("inspect", WIN7, "--no-such-option").code == 2
        framed(checked(log), 2)

    def test_usage_error_does_not_hide_behind_a_wrong_log(self, run: Callable[..., Outcome], tmp_path: Path) -> None:
        outcome = run("inspect", WIN7, "--no-such-option", "--log-file", tmp_path / "no" / "x.log")
        assert outcome.code == 2
        assert "warning: the log file cannot be written: " in outcome.err
        assert "error: No such option '--no-such-option'" in outcome.err

    def test_bug(self, logged: Callable[..., Logged], monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_: object, **__: object) -> None:
            raise ZeroDivisionError(f"planted {MAK}\n2026-01-01T00:00:00.000Z info forged")

        monkeypatch.setattr("vdiskkit.vdisk.open_vdisk", broken)
        code, entries = logged("inspect", WIN7)
        assert code == 9
        framed(entries, code)
        bug = one(entries, "bug")
        assert bug["type"] == "ZeroDivisionError"
        assert bug["traceback"][0] == "Traceback (most recent call last):"
        assert one(entries, "error")["level"] == "critical"
        assert MAK not in json.dumps(entries)

    @posix
    def test_ctrl_c(self, log: Path) -> None:
        with subprocess.Popen(
            command("inspect", "-", "--log-file", log, "--log-format", "json"),
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as running:
            for _ in range(300):
                if log.exists() and log.stat().st_size:
                    break
                time.sleep(0.1)
            time.sleep(0.2)
            running.send_signal(signal.SIGINT)
            running.communicate(timeout=30)
        entries = checked(log)
        framed(entries, 130)
        assert names(entries)[-2:] == ["cancelled", "run.end"]

    def test_result_file(self, logged: Callable[..., Logged], tmp_path: Path) -> None:
        out = tmp_path / "x.json"
        _, entries = logged("inspect", WIN7, "--json", "-o", out)
        assert one(entries, "output")["file"] == str(out)

    def test_fix(self, logged: Callable[..., Logged], store: Callable[..., Path]) -> None:
        disk = store("win10-private-mak")
        code, entries = logged("validate", disk, "--fix", YES)
        assert code in (0, 1)
        framed(entries, code)
        assert of(entries, "verdict")


class TestSecrets:
    @pytest.mark.parametrize("key", [MAK, MAK.lower(), MAK.replace("-", ""), f"notes-{MAK}.txt", f"x{MAK}y"])
    def test_product_keys(self, logged: Callable[..., Logged], store: Callable[..., Path], log: Path, key: str) -> None:
        code, _ = logged("reg", "set", store(), r"HKLM\SOFTWARE\X", "Key", key, "--type", "sz", "--create-keys", YES)
        assert code == 0
        text = log.read_text(encoding="ascii").upper().replace("-", "")
        assert MAK.replace("-", "") not in text
        assert MAK.replace("-", "")[:20] not in text
        assert HIDDEN.replace("-", "") in text or "XXXXXXXXXXXXXXXXXXXX" in text

    def test_published_keys_stay(self, logged: Callable[..., Logged], store: Callable[..., Path]) -> None:
        _, entries = logged(
            "reg", "set", store(), r"HKLM\SOFTWARE\X", "Key", GVLK, "--type", "sz", "--create-keys", DRY
        )
        assert GVLK in entries[0]["arguments"]
        assert one(entries, "plan.item")["after"] == f'REG_SZ "{GVLK}"'

    @pytest.mark.parametrize(
        ("name", "more"),
        [
            ("DefaultPassword", ("hunter2", "--type", "sz")),
            ("DefaultPassword", ("--type", "sz", "--create-keys", "hunter2")),
            ("DigitalProductId", ("68756e74657232", "--type", "binary")),
        ],
    )
    def test_values_whose_names_speak_of_secrets(
        self, logged: Callable[..., Logged], store: Callable[..., Path], log: Path, name: str, more: tuple[str, ...]
    ) -> None:
        code, entries = logged("reg", "set", store(), r"HKLM\SOFTWARE\X", name, *more, "--create-keys", DRY)
        assert code == 0
        assert one(entries, "plan.item")["after"] == "(hidden)"
        assert "(hidden)" in entries[0]["arguments"]
        assert "--type" in entries[0]["arguments"]
        assert not re.search("hunter2|68.?75.?6e", log.read_text(encoding="ascii"))

    def test_arguments_behind_two_dashes(self) -> None:
        from vdiskkit.cli.audit import hidden_arguments

        assert hidden_arguments(["reg", "set", "d.vhd", "HKLM\\X", "Password", "--type", "sz", "--", "-x", "--y"]) == [
            *("reg", "set", "d.vhd", "HKLM\\X", "Password", "--type", "sz", "--"),
            *("(hidden)", "(hidden)"),
        ]
        assert hidden_arguments(["pvp", "set", "secret/d.vhd", "password=x"]) == [
            *("pvp", "set", "secret/d.vhd", "password=(hidden)"),
        ]

    def test_show_key_shows_nothing_in_the_log(self, run: Callable[..., Outcome], log: Path) -> None:
        shown = run("inspect", WIN10, "--show-key", "-vv", "--log-file", log)
        keys = set(re.findall(r"\b[A-Z0-9]{5}(?:-[A-Z0-9]{5}){4}\b", shown.out))
        assert MAK in keys
        assert MAK not in shown.err
        assert MAK not in log.read_text(encoding="utf-8")


class TestFile:
    def test_it_grows(self, run: Callable[..., Outcome], log: Path) -> None:
        for _ in range(2):
            assert run("schema", "--log-file", log).code == 0
        assert log.read_text(encoding="utf-8").count(" run.begin ") == 2

    def test_a_line_that_was_cut_short_spoils_no_other(self, run: Callable[..., Outcome], log: Path) -> None:
        log.write_bytes(b"2026-01-01T00:00:00.000Z info 1/abcdef run.beg")
        assert run("schema", "--log-file", log).code == 0
        assert all(TEXT_LINE.fullmatch(line) for line in log.read_text(encoding="utf-8").splitlines()[1:])

    @pytest.mark.parametrize(
        "name",
        [
            *("win10.vhd", "WIN10.AVHDX", "win10.pvp", "win10.lok", "win10.vhd.vdiskkit-journal", "win10.xml"),
            *("win10.vhd.vdiskkit-undo-0001", "win10.vhd.vdiskkit-lock", "x.img", "win10.lok.", "win10.pvp "),
        ],
    )
    @pytest.mark.parametrize("there", [True, False])
    def test_names_of_a_vdisk(self, run: Callable[..., Outcome], tmp_path: Path, name: str, there: bool) -> None:
        if there:
            (tmp_path / name).write_bytes(b"")
        before = contents(tmp_path)
        for args in (["schema"], ["schema", "--wrong"]):
            outcome = run(*args, "--log-file", tmp_path / name)
            assert outcome.code == 2
            assert re.search("belongs to a vDisk|overwrite a vDisk file|so this means another file", outcome.err)
        assert contents(tmp_path) == before

    @pytest.mark.parametrize(
        "data",
        [b"regf" + bytes(60), b"<?xml version='1.0'?>", b'{\n "schema": "vdiskkit.plan/1"', b"[rules]\n", b"\xff\xfe"],
    )
    def test_what_is_no_log_is_left_alone(self, run: Callable[..., Outcome], log: Path, data: bytes) -> None:
        log.write_bytes(data)
        outcome = run("schema", "--log-file", log)
        assert (outcome.code, log.read_bytes()) == (2, data)
        assert "error: this file is no log of vdiskkit, so nothing is appended to it\n" in outcome.err
        assert "hint  name a new file, or a log that --log-file has begun" in outcome.err

    def test_not_the_disk_by_another_name(self, run: Callable[..., Outcome], samples: Path) -> None:
        disk, other = samples / "win7-kms.vhd", samples / "other.log"
        other.hardlink_to(disk)
        before = disk.read_bytes()
        for args in (["inspect", disk], ["inspect", disk, "--wrong"], ["kms-prep", disk, *PREP, YES]):
            assert run(*args, "--log-file", other).code == 2
        assert disk.read_bytes() == before

    def test_not_the_result(self, run: Callable[..., Outcome], log: Path) -> None:
        outcome = run("inspect", WIN7, "-o", log, "--log-file", log)
        assert outcome.code == 2
        assert "the result and the log cannot go to the same file" in outcome.err
        outcome = run("validate", WIN7, "--report", f"junit={log}", "--log-file", log)
        assert outcome.code == 2
        assert "the result and the log cannot go to the same file" in outcome.err

    @posix
    def test_no_pipe_and_no_device(self, run: Callable[..., Outcome], tmp_path: Path) -> None:
        pipe = tmp_path / "pipe.log"
        os.mkfifo(pipe)
        (tmp_path / "link.log").symlink_to(pipe)
        for path in (pipe, tmp_path / "link.log", Path("/dev/null"), Path("/dev/full")):
            outcome = run("schema", "--log-file", path)
            assert outcome.code == 2
            assert "error: a log is a plain file, not a device or pipe\n" in outcome.err

    @pytest.mark.skipif(os.name != "nt", reason="names of devices on Windows")
    @pytest.mark.parametrize("name", ["nul", "con", "NUL.log"])
    def test_no_device_of_windows(self, run: Callable[..., Outcome], name: str) -> None:
        outcome = run("schema", "--log-file", name)
        assert outcome.code == 2
        assert "error: this is a device, not a file\n" in outcome.err

    def test_folder(self, run: Callable[..., Outcome], tmp_path: Path) -> None:
        outcome = run("schema", "--log-file", tmp_path)
        assert outcome.code == 2
        assert "this is a directory, not an output file" in outcome.err

    def test_several_processes(self, log: Path) -> None:
        args = command("validate", WIN10, "-q", "--log-file", log, "--log-format", "json")
        running = [
            subprocess.Popen(args, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for _ in range(4)
        ]
        assert [process.wait(timeout=60) for process in running] == [1] * 4
        entries = checked(log)
        runs = {entry["run"] for entry in entries}
        assert len(runs) == 4
        for run_id in runs:
            framed([entry for entry in entries if entry["run"] == run_id], 1)

    def test_whole_lines_from_many_at_a_time(self, log: Path) -> None:
        code = (
            "import sys; from vdiskkit.cli.log_file import LogFile; file = LogFile(sys.argv[1])\n"
            "for number in range(300): file.append('2026-01-01T00:00:00 ' + sys.argv[2] * 500 + '\\n')"
        )
        import sys

        running = [
            subprocess.Popen([sys.executable, "-c", code, str(log), letter], env=environment()) for letter in "abcd"
        ]
        assert [process.wait(timeout=60) for process in running] == [0] * 4
        lines = log.read_text().splitlines()
        assert len(lines) == 1200
        assert {line.split()[1] for line in lines} == {letter * 500 for letter in "abcd"}

    def test_no_log_no_change(
        self, run: Callable[..., Outcome], store: Callable[..., Path], log: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        disk = store()
        before = contents(disk.parent)
        left = [0]

        def full(self: object, text: str) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(28, "No space left on device")

        monkeypatch.setattr("vdiskkit.cli.log_file.LogFile.append", full)
        for lines, commands in ((0, "kms-prep"), (3, "kms-prep")):
            left[0] = lines
            outcome = run(commands, disk, *PREP, YES, "--log-file", log)
            assert outcome.code == 2
            assert outcome.err.count("warning: the log file cannot be written any more: No space left on device\n") == 1
            assert "error: the log file cannot be written: No space left on device\n" in outcome.err
            assert "nothing was changed; make room for the log, or name another file" in outcome.err
        assert contents(disk.parent) == before


class TestForgery:
    def test_names_in_an_image(self, run: Callable[..., Outcome], log: Path) -> None:
        hostile = SAMPLES / "hostile.vhd"
        for args in (["inspect"], ["validate"], ["license"]):
            run(*args, hostile, "-vv", "--log-file", log)
        run("ls", WIN7, "a\n2026-01-01T00:00:00.000Z info 1/abcdef run.end exit_code=0", "--log-file", log)
        run("inspect", "x\x1b[31m\u202e.vhd", "--log-file", log)
        text = log.read_bytes().decode("utf-8")
        assert "\x1b" not in text
        assert "\u202e" not in text
        lines = text.split("\n")
        assert lines.pop() == ""
        assert all(TEXT_LINE.fullmatch(line) for line in lines)
        assert [line.split()[3] for line in lines].count("run.end") == 5
        assert not any(line.startswith("2026-01-01") for line in lines)

    def test_a_journal_says_nothing_but_text(self, logged: Callable[..., Logged], store: Callable[..., Path]) -> None:
        from vdiskkit.journal import Journal, JournalState
        from vdiskkit.patch.told import summary_of

        def journal(summary: object) -> Journal:
            from uuid import UUID

            return Journal(UUID(int=1), JournalState.COMMITTED, {"summary": summary}, (), (), (), ())

        assert summary_of(journal("x")) == "x"
        for summary in (None, 1, ["x"], {"a": 1}, ""):
            assert summary_of(journal(summary)) is None


def test_without_a_log_no_logging_is_imported() -> None:
    code = "import sys; from vdiskkit.cli import main; main(sys.argv[1:]); sys.exit('logging' in sys.modules)"
    import sys

    for args in (["ls", str(WIN7)], ["schema"], ["stat", str(WIN7), "Windows"], ["inspect", "--wrong"]):
        done = subprocess.run([sys.executable, "-c", code, *args], env=environment(), capture_output=True, check=False)
        assert done.returncode == 0, args


def test_the_page_names_every_event() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    section = page.partition("\n## Log\n")[2].partition("\n## ")[0]
    table = set(re.findall(r"`([a-z]+(?:\.[a-z]+)?)`", "".join(re.findall(r"^\| `[^|]*\|", section, re.MULTILINE))))
    assert table == {*EVENTS, "traceback"}


def test_every_event_that_is_told_is_known() -> None:
    told = set()
    for path in (ROOT / "vdiskkit").rglob("*.py"):
        told |= set(re.findall(r'\btell\(\s*(?:_SOURCE|"\w+"),\s*"([\w.]+)"', path.read_text(encoding="utf-8")))
    assert len(told) > 15
    assert told <= set(EVENTS)


def test_logging_is_left_as_it_was(run: Callable[..., Outcome], log: Path) -> None:
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    run("inspect", WIN7, "-vv", "--log-file", log)
    assert (root.level, list(root.handlers)) == before

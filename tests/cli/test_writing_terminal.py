"""On a terminal the plan is shown and a question asked; all of that on standard error."""

from __future__ import annotations

import io
import os
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import command, environment
from tests.cli.writing import SPP, contents
from tests.lacks import needs_terminals
from vdiskkit.cli.confirm import Steps
from vdiskkit.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome


@needs_terminals
class TestAsking:
    def _ask(self, disk: Path, answer: str, *args: str) -> tuple[int, str, str]:
        """Run with a terminal for input and errors; return code, standard output, and what the terminal showed."""
        import pty

        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            command(*args, disk),
            stdin=theirs,
            stderr=theirs,
            stdout=subprocess.PIPE,
            env=environment({"TERM": "dumb", "COLUMNS": "400"}),
        )
        os.close(theirs)
        shown = bytearray()

        def watch() -> None:
            answered = False
            while True:
                try:
                    part = os.read(ours, 65536)
                except OSError:  # the terminal is gone with its last user
                    return
                if not part:
                    return
                shown.extend(part)
                if b"[y/N]" in shown and not answered:
                    os.write(ours, answer.encode())
                    answered = True

        watcher = threading.Thread(target=watch)
        watcher.start()
        out, _ = process.communicate(timeout=60)
        watcher.join(10)
        os.close(ours)
        return process.returncode, out.decode(), shown.decode().replace("\r\n", "\n")

    def test_yes(self, store: Callable[..., Path], run: Callable[..., Outcome]) -> None:
        disk = store()
        code, out, shown = self._ask(disk, "y\n", "kms-prep", "--skip-rearm", "0")
        assert code == 0
        assert shown.startswith("plan ")
        assert f"{SPP}, SkipRearm: absent → REG_DWORD 0" in shown
        assert "write this? [y/N] y" in shown
        assert "\n    range" not in shown
        assert out.startswith("changed ")
        assert run("reg", "get", disk, SPP, "SkipRearm").out == "0\n"
        code, out, shown = self._ask(disk, "yes\n", "undo")
        assert (code, "take it back? [y/N]" in shown) == (0, True)
        assert run("reg", "get", disk, SPP, "SkipRearm").code == 1

    @pytest.mark.parametrize("answer", ["n\n", "\n", "\x04", "maybe\n"])
    def test_anything_else_is_no(self, store: Callable[..., Path], answer: str) -> None:
        disk = store()
        before = contents(disk.parent)
        code, out, shown = self._ask(disk, answer, "kms-prep", "--skip-rearm", "0")
        assert (code, out) == (130, "")
        assert shown.endswith("cancelled\n")
        assert contents(disk.parent) == before

    def test_nothing_to_do_asks_nothing(self, store: Callable[..., Path]) -> None:
        disk = store()
        code, out, shown = self._ask(disk, "", "kms-prep", "--skip-rearm", "absent")
        assert (code, shown) == (0, "")
        assert out.startswith("already so ")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def steps_shown(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, *, patience: float, quiet: bool = False) -> str:
    session = Session()
    session.quiet = quiet
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr("vdiskkit.cli.confirm._PATIENCE", patience)
    steps = Steps(session)
    steps("journal")
    steps.part(1, 4)
    steps.part(0, 0)
    steps.clear()
    return stream.getvalue()


def test_steps_are_shown_on_a_terminal_when_the_work_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = f"\rjournal ...\rcopy 25 % ...\rcopy 100 % ...\r{' ' * 14}\r"
    assert steps_shown(monkeypatch, Terminal(), patience=0) == shown
    assert steps_shown(monkeypatch, Terminal(), patience=60) == ""
    assert steps_shown(monkeypatch, Terminal(), patience=0, quiet=True) == ""
    assert steps_shown(monkeypatch, io.StringIO(), patience=0) == ""

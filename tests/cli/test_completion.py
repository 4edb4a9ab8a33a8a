"""``completion``: the scripts, and what bash does with its one."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import click
import pytest
from click.shell_completion import get_completion_class

from tests.cli.conftest import SAMPLES, environment
from tests.cli.test_help import COMMANDS, _modules_after
from vdiskkit.cli.app import root
from vdiskkit.cli.options import PathType

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

SHELLS = ("bash", "zsh", "fish", "powershell")
MARKS = {
    "bash": "complete -o nosort -F _vdiskkit_completion vdiskkit",
    "zsh": "#compdef vdiskkit",
    "fish": "complete --no-files --command vdiskkit",
    "powershell": "Register-ArgumentCompleter -Native -CommandName vdiskkit",
}


def needs(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with ``vdiskkit`` on the PATH, and a disk beside it."""
    program = tmp_path / "bin" / "vdiskkit"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m vdiskkit "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    shutil.copy(SAMPLES / "win7-kms.vhd", tmp_path / "my disk.vhd")
    return tmp_path


def env(home: Path) -> dict[str, str]:
    return environment({"PATH": f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}", "HOME": str(home), "TERM": "dumb"})


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_has_its_script(run: Callable[..., Outcome], shell: str, tmp_path: Path) -> None:
    outcome = run("completion", shell)
    assert (outcome.code, outcome.err) == (0, "")
    assert MARKS[shell] in outcome.out
    assert "_VDISKKIT_COMPLETE" in outcome.out
    assert outcome.out.isascii()
    assert run("completion", shell, "--output", tmp_path / "script").code == 0
    assert (tmp_path / "script").read_bytes() == outcome.out.encode(), "line ends of Unix on every system"


def test_another_shell(run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run("completion", "cmd")
    assert outcome.code == 2
    assert "error: Invalid value for 'SHELL': 'cmd' is not one of 'bash', 'zsh', 'fish', 'powershell'\n" in outcome.err
    monkeypatch.setattr("click.shell_completion.get_completion_class", lambda _: None)
    outcome = run("completion", "powershell")
    assert outcome.code == 2
    assert outcome.err == (
        "error: the installed click knows no completion for powershell\n  hint  install click 8.5 or later\n"
    )


def test_it_starts_nothing_and_loads_nothing_heavy() -> None:
    loaded = _modules_after("completion", "bash")
    assert not [name for name in ("dissect", "construct", "rich", "json", "vdiskkit.vdisk") if name in loaded]
    assert "subprocess" not in loaded, "the script of bash is not for the bash of this machine"


@pytest.mark.parametrize(("shell", "check"), [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")])
def test_the_shell_itself_takes_the_script(run: Callable[..., Outcome], shell: str, check: str, tmp_path: Path) -> None:
    program = needs(shell)
    (tmp_path / "script").write_bytes(run("completion", shell).out.encode())
    done = subprocess.run([program, check, tmp_path / "script"], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["insp"], ["inspect"]),
        (["reg", ""], ["get", "ls", "export", "set", "delete", "import"]),
        (["inspect", "--secti"], ["--section"]),
        (["completion", "po"], ["powershell"]),
        (["kms-prep", "x.vhd", "--skip-rearm", ""], ["0", "1", "absent"]),
    ],
)
def test_bash_completes(home: Path, words: list[str], expected: list[str]) -> None:
    line = " ".join(shlex.quote(word) for word in ["vdiskkit", *words])
    script = (
        "source <(vdiskkit completion bash) && complete -p vdiskkit >&2 && "
        f"COMP_WORDS=({line}) COMP_CWORD={len(words)} && _vdiskkit_completion vdiskkit && "
        "printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    done = subprocess.run(
        [needs("bash"), "--norc", "-c", script], env=env(home), cwd=home, capture_output=True, check=True, timeout=60
    )
    assert done.stderr == b"complete -o nosort -F _vdiskkit_completion vdiskkit\n"
    assert done.stdout.decode().split() == expected


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_bash_completes_files_on_a_terminal(home: Path) -> None:
    import pty

    terminal, inner = pty.openpty()
    child = subprocess.Popen(
        [needs("bash"), "--norc", "--noprofile", "-i"],
        env={**env(home), "PS1": ""},
        cwd=home,
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
    )
    os.close(inner)
    try:
        os.write(terminal, b'eval "$(vdiskkit completion bash)"; echo rea""dy\n')
        _read_until(terminal, b"ready")
        os.write(terminal, b"vdiskkit stat my\t /Windows --js\t\n")
        seen = _read_until(terminal, b'"exit_code": 0')
    finally:
        child.kill()
        child.wait()
        os.close(terminal)
    assert b"vdiskkit stat my\\ disk.vhd" in seen


def _read_until(terminal: int, wanted: bytes) -> bytes:
    import select

    seen, end = b"", time.monotonic() + 60
    while wanted not in seen and time.monotonic() < end:
        if select.select([terminal], [], [], 1)[0]:
            seen += os.read(terminal, 65536)
    assert wanted in seen, seen
    return seen


def test_files_are_left_to_the_shell() -> None:
    for shell in SHELLS:
        found = get_completion_class(shell)
        assert found is not None
        complete = found(root, {}, "vdiskkit", "_VDISKKIT_COMPLETE")
        for args in (["inspect"], ["reg", "import", "x.vhd"], ["apply"], ["inspect", "--files-from"], ["ls", "-o"]):
            assert [item.type for item in complete.get_completions(args, "x")] == ["file"], args


def test_every_argument_that_names_a_file_is_completed() -> None:
    for path, command in COMMANDS:
        for parameter in command.params:
            if (parameter.metavar or "").removesuffix("...") in ("DISK", "FILE", "PLAN", "LIST", "DIR", "NEW"):
                assert isinstance(parameter.type, PathType), (path, parameter.name)
    assert isinstance(root, click.Group)

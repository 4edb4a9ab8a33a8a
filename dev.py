"""Everything a developer runs, with nothing but Python.

    python dev.py demo     set up, then look into the sample vDisks (further arguments: a vdiskkit command)
    python dev.py test     set up, then run the tests, about three minutes of them; --all runs the long ones, too, and
                           tries more examples (other arguments go to pytest in place of ours)
    python dev.py check    set up, then lint, format, types, import rules and tests
    python dev.py build    set up, then make the files that are given out, in dist/: wheel, source archive,
                           vdiskkit.pyz, the PowerShell module, and their checksums
    python dev.py exe      set up, then make dist/vdiskkit.exe, the program for Windows; elsewhere this needs Wine
    python dev.py lock     resolve the locks in requirements/ anew (further arguments go to uv)

The environment is ``.venv`` beside this file. It is made once, from the locks in ``requirements/``, and made up to
date when they change.
"""

# ruff: noqa: T201, S603 - a script that prints, and starts the programs named in it

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
OLDEST = (3, 11)
SERVICE = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform"
DEMOS = (
    ("inspect", "sample_images/win7-kms.vhd"),
    ("inspect", "sample_images/faulty.vhd", "--section", "license,procedure"),
    ("inspect", "sample_images/desk11.1.avhdx", "--section", "container,chain,license"),
    ("reg", "get", "sample_images/faulty.vhd", SERVICE, "SkipRearm"),
)
CHECKS = {
    "ruff check": ("-m", "ruff", "check", "."),
    "ruff format --check": ("-m", "ruff", "format", "--check", "."),
    "mypy": ("-m", "mypy"),
    "mypy --platform win32": ("-m", "mypy", "--platform", "win32"),
    "lint-imports": ("-c", "from importlinter.cli import lint_imports_command as lint; lint()"),
}
LOCKS = {
    "build": ("requirements/build.in",),
    "runtime": ("pyproject.toml",),
    "dev": ("pyproject.toml", "requirements/build.in", "--group", "dev"),
    "oracle": ("--group", "oracle", "-c", "requirements/dev.txt"),
    "windows-python": ("requirements/windows-python.in",),
    "windows": (
        *("pyproject.toml", "--group", "test", "--overrides", "requirements/windows.in"),
        *("--python-platform", "windows"),
    ),
    "exe": ("pyproject.toml", "requirements/exe.in", "-c", "requirements/dev.txt", "--python-platform", "windows"),
}
LOCK_COMMENT = """\
# Locked for {platforms}, with hashes. Do not edit: `python dev.py lock` makes this file anew by
#   uv pip compile {options}
"""


class SetupError(Exception):
    """Something is missing; the text says what to do."""


def main(arguments: Sequence[str]) -> int:
    """Run one command; return the exit code."""
    commands = {"demo": demo, "test": test, "check": check, "build": build, "exe": exe, "lock": lock}
    if not arguments or arguments[0] not in commands:
        print(__doc__)
        return 0 if list(arguments[:1]) in (["-h"], ["--help"]) else 2
    try:
        return commands[arguments[0]](list(arguments[1:]))
    except SetupError as exc:
        print(f"dev.py: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def demo(arguments: list[str]) -> int:
    """Inspect sample images, or run the arguments as a vdiskkit command."""
    if not is_ready("dev"):  # that holds all of it
        set_up("build", "runtime")
    if arguments:
        return run("-m", "vdiskkit", *arguments)
    for words in DEMOS:
        shown = [f'"{word}"' if " " in word else word for word in words]
        print(f"\n$ python -m vdiskkit {' '.join(shown)}", flush=True)
        code = run("-m", "vdiskkit", *words)
        if code:
            return code
    return 0


def test(arguments: list[str]) -> int:
    """Run the tests; without arguments those that need nothing but Python and do not take long."""
    set_up("dev")
    if arguments == ["--all"]:
        os.environ["VDISKKIT_THOROUGH"] = "1"
    if arguments in ([], ["--all"]):
        chosen = "not oracle and not real" if arguments else "not oracle and not real and not thorough"
        arguments = ["-q", "-n", "auto", "-m", chosen]
    return run("-m", "pytest", *arguments)


def check(arguments: list[str]) -> int:
    """Run every check and then the tests; all run, the first failure gives the exit code."""
    set_up("dev")
    codes = []
    for name, command in CHECKS.items():
        print(f"\n$ {name}", flush=True)
        codes.append(run(*command))
    codes.append(test(arguments))
    return next((code for code in codes if code), 0)


def build(arguments: list[str]) -> int:
    """Make the files that are given out."""
    refuse(arguments, "build")
    if not is_ready("dev"):
        set_up("build", "runtime")
    return run("-m", "tools.release.build")


def exe(arguments: list[str]) -> int:
    """Make the program for Windows."""
    refuse(arguments, "exe")
    if os.name == "nt":
        set_up("build", "exe")
    else:
        set_up("dev")
    return run("-m", "tools.release.exe")


def refuse(arguments: list[str], command: str) -> None:
    """Say that a command takes no arguments, when there are some."""
    if arguments:
        raise SetupError(f"{command} takes no arguments, and was given {' '.join(arguments)}")


def lock(arguments: list[str]) -> int:
    """Resolve the locks with uv."""
    for name, sources in LOCKS.items():
        target = ROOT / "requirements" / f"{name}.txt"
        everywhere = "--python-platform" not in sources
        options = [*(["--universal"] if everywhere else []), "--python-version", "3.11", "--generate-hashes", *sources]
        command = ["uv", "pip", "compile", *options, "--no-header", "--quiet", "-o", str(target), *arguments]
        try:
            code = subprocess.run(command, cwd=ROOT, check=False, stdout=subprocess.DEVNULL).returncode
        except FileNotFoundError:
            raise SetupError("locking needs uv: install it, for example by `pipx install uv`") from None
        if code:
            return code
        lines = target.read_text(encoding="utf-8")
        comment = LOCK_COMMENT.format(
            platforms="every platform" if everywhere else "Windows", options=" ".join(options)
        )
        target.write_text(comment + lines, encoding="utf-8", newline="\n")
    return 0


def set_up(*locks: str) -> None:
    """Make the environment and install what the locks name, unless that has been done already."""
    if sys.version_info < OLDEST:
        found = ".".join(str(part) for part in sys.version_info[:3])
        raise SetupError(f"this needs Python {OLDEST[0]}.{OLDEST[1]} or later; {sys.executable} is Python {found}")
    if is_ready(*locks):
        return
    print("dev.py: setting up .venv (once; takes up to a minute)", file=sys.stderr, flush=True)
    has_pip = "import importlib.util, sys; sys.exit(importlib.util.find_spec('pip') is None)"
    if not PYTHON.exists() or run("-c", has_pip):  # an interrupted run may have left half of it
        make_venv()
    pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    required = [word for file in lock_files(locks) for word in ("-r", str(file))]
    install(*pip, "--require-hashes", *required)
    install(*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    mark_of(locks).write_text(wanted_state(locks), encoding="ascii")


def is_ready(*locks: str) -> bool:
    """Whether the environment has been made from these locks as they are now."""
    mark = mark_of(locks)
    return PYTHON.exists() and mark.exists() and mark.read_text(encoding="ascii") == wanted_state(locks)


def mark_of(locks: Sequence[str]) -> Path:
    """The file that remembers what was installed."""
    return VENV / f"installed-{'-'.join(locks)}"


def wanted_state(locks: Sequence[str]) -> str:
    """A checksum over all that decides what is installed."""
    files = [*lock_files(locks), ROOT / "pyproject.toml"]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def lock_files(locks: Sequence[str]) -> list[Path]:
    """The files of these locks."""
    return [ROOT / "requirements" / f"{name}.txt" for name in locks]


def make_venv() -> None:
    """Make ``.venv`` with pip in it."""
    import venv  # a Python that only runs programs, such as the embeddable one, has none

    try:
        venv.create(VENV, with_pip=True, clear=True)
    except (OSError, subprocess.CalledProcessError) as exc:
        raise SetupError(
            f"a virtual environment cannot be made in {VENV}: {exc}\n"
            "On Debian and Ubuntu the package python3-venv is needed for that."
        ) from exc


def install(*command: str) -> None:
    """Run pip; say what to look at when it fails."""
    if run(*command):
        raise SetupError("installing failed, see above; a package index must be reachable. Then run this again.")


def run(*command: str) -> int:
    """Run Python of the environment in the repository; return its exit code."""
    return subprocess.run([str(PYTHON), *command], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

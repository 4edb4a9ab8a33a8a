"""Runs the steps on copies of the samples and records all that came of them: ``... record FOLDER RESULT.json``.

Nearly all steps run in this one process, by the function that the program itself calls, with a clock that stands still
and ids that follow from a number: what is written can then be compared to the byte.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
import uuid
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.crash.dying import KILLED, Death
from tests.windows.steps import GROUPS, INPUTS, Step

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_images"
NOW = dt.datetime(2026, 11, 24, 9, 12, 3, tzinfo=dt.UTC)
STAMP = 1_700_000_000_000_000_000
"""When every copied file was changed, in nanoseconds."""
LARGEST_TEXT = 1 << 20
DISKS = {".vhd", ".avhd", ".vhdx", ".avhdx"}
_OWN_PLAN = re.compile(r"^(plan +)[0-9a-f]{8} for .* UTC$", re.MULTILINE)
"""How a plan is called that a process made by its own clock."""
_FINGERPRINT = re.compile(rb'"vdiskkit/v1": "[0-9a-f]{64}"')
LOG = "log.txt"
"""A log of the program, which is full of times."""
Contents = dict[str, str]
SETTINGS = {"PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(ROOT)}


def main(arguments: Sequence[str]) -> int:
    for name in list(os.environ):
        if name.startswith("VDISKKIT_") or name in {"NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLUMNS"}:
            del os.environ[name]
    if arguments[0] == "die":
        Death(int(arguments[1]), arguments[2]).arrange()
        return run_command(arguments[3:])
    folder = Path(arguments[0]).resolve()
    record = {name: run_group(name, folder / (name or "knowledge")) for name in GROUPS}
    reads = {path.name: count_reads(path) for path in sorted(SAMPLES.glob("*.*vhd*"))}
    Path(arguments[1]).write_text(json.dumps({"groups": record, "reads": reads}), encoding="utf-8")
    return 0


def run_group(name: str, folder: Path) -> list[dict[str, Any]]:
    """Run the steps of one sample in a folder of its own."""
    folder.mkdir(parents=True)
    for path in sorted(SAMPLES.iterdir()):
        if name and path.name.split(".")[0] == name:
            shutil.copyfile(path, folder / path.name)
    for file, data in INPUTS.items():
        (folder / file).write_bytes(data)
    for path in folder.iterdir():
        os.utime(path, ns=(STAMP, STAMP))
    os.chdir(folder)
    results = []
    known = Known()
    files = known.look(folder)
    for number, step in enumerate(GROUPS[name]):
        args = [arg.replace("{here}", str(folder) + os.sep) for arg in step.args]
        code, *streams = run_step(step, args, f"{name} {number}")
        out, err = (told(data, folder) for data in streams)
        if step.process:
            out = _OWN_PLAN.sub(r"\1", out)
        for path in folder.iterdir():
            if path.suffix in DISKS and path.name not in files and path.stat().st_mtime_ns > STAMP:
                os.utime(path, ns=(STAMP, STAMP))  # a copy
        files = known.look(folder)
        results.append({"step": str(step), "code": code, "out": out, "err": err, "files": files})
    results.append({"step": "at the end", "code": 0, "out": "", "err": "", "files": Known().look(folder)})
    os.chdir(ROOT)
    return results


class Known:
    """Digests of files, made again only when a file has another size or time."""

    def __init__(self) -> None:
        self._digests: dict[str, tuple[int, int, str]] = {}

    def look(self, folder: Path) -> Contents:
        found = {}
        for path in sorted(folder.iterdir()):
            status = path.stat()
            size, time, digest = self._digests.get(path.name, (-1, 0, ""))
            if (size, time) != (status.st_size, status.st_mtime_ns):
                digest = hashlib.sha256(content(path)).hexdigest()
                self._digests[path.name] = (status.st_size, status.st_mtime_ns, digest)
            found[path.name] = digest
        return found


def content(path: Path) -> bytes:
    """What is compared of a file: all of it but the times of files, which are those of the run."""
    data = path.read_bytes()
    if ".vdiskkit-undo-" in path.name or path.name.endswith(".vdiskkit-journal"):
        return journal_content(data)
    if path.name == LOG:
        return b""
    if path.suffix == ".sarif":  # its fingerprints are of the whole path
        data = _FINGERPRINT.sub(b"", data)
    return anywhere(data, path.parent) if len(data) < LARGEST_TEXT else data


def journal_content(data: bytes) -> bytes:
    """A journal without the times of the files that it concerns."""
    from vdiskkit.journal import parse_journal
    from vdiskkit.location import Location

    journal = parse_journal(data, Location("journal"))
    if journal is None:
        return b"incomplete, %d bytes" % len(data)
    files = tuple(file._replace(old_time=0) for file in journal.files)
    stamps = tuple(stamp._replace(time=0) for stamp in journal.stamps)
    return repr(journal._replace(files=files, stamps=stamps, cause=0)).encode()


def anywhere(data: bytes, folder: Path) -> bytes:
    """What is written, as if the folder lay anywhere: its path stands in it as it is, or escaped as in JSON."""
    plain = str(folder) + os.sep
    # Longest first: on Linux the plain path is a part of the address.
    for name in (folder.as_uri() + "/", json.dumps(plain)[1:-1], plain, os.fspath(folder)):
        data = data.replace(name.encode(), b"{here}/")
    return data


def run_step(step: Step, args: list[str], seed: str) -> tuple[int, bytes, bytes]:
    """Run one step; return exit code, standard output and standard error."""
    os.environ["TEST_SEED"] = seed
    if step.dies is not None:
        done = run_process("tests.windows.record", "die", str(step.dies), step.how, *args)
        return (KILLED_HERE if done.returncode == KILLED else done.returncode), done.stdout, done.stderr
    if step.process:
        done = run_process("vdiskkit", *args)
        return done.returncode, done.stdout, done.stderr
    out, err = stream(), stream()
    with redirect_stdout(out), redirect_stderr(err):
        code = run_command(args)
    return code, out.buffer.getvalue(), err.buffer.getvalue()


KILLED_HERE = -9
"""Stands for the exit code of a process that was killed, which differs between systems."""


def run_command(args: Sequence[str]) -> int:
    """Run one command line in this process."""
    choose = random.Random(os.environ["TEST_SEED"])  # noqa: S311 - the same ids everywhere
    uuid.uuid4 = lambda: uuid.UUID(int=choose.getrandbits(128), version=4)
    import vdiskkit.patch.api
    import vdiskkit.patch.history
    from vdiskkit.cli.run import run
    from vdiskkit.cli.session import Session

    vdiskkit.patch.api.uuid4 = vdiskkit.patch.history.uuid4 = uuid.uuid4
    return run(list(args), Session(clock=lambda: NOW))


def run_process(module: str, *args: str) -> subprocess.CompletedProcess[bytes]:
    """Run a module of ours in another process."""
    return subprocess.run(
        [sys.executable, "-m", module, *args],
        env={**os.environ, **SETTINGS},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )


class Bytes(io.TextIOWrapper):
    """A text stream whose bytes can be had."""

    buffer: io.BytesIO


def stream() -> Bytes:
    return Bytes(io.BytesIO(), encoding="utf-8", write_through=True)


def told(data: bytes, folder: Path) -> str:
    """Output as it is compared: as text when it is text, whatever ends its lines, else its digest."""
    try:
        return anywhere(data, folder).decode().replace("\r\n", "\n")
    except UnicodeDecodeError:
        return f"{len(data)} bytes, {hashlib.sha256(data).hexdigest()}"


def count_reads(disk: Path) -> list[list[list[int]]]:
    """Every read that inspecting a disk makes, file by file, in order."""
    import vdiskkit
    from benchmarks.counting import counted_opens

    with counted_opens() as files, vdiskkit.open_vdisk(disk) as opened:
        opened.inspect()
    return [[list(read) for read in file.reads] for file in files]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

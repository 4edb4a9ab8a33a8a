"""Whether every command does on a Windows Python what it does here: ``python -m tests.windows.acceptance``.

The same steps run on the same vDisks, here and under Wine. Compared are exit codes, both streams, and after each step
the bytes of every file: disks, side-cars, journals, reports. What ``inspect`` reads of each sample is compared as well,
call by call. Run on Linux; it needs what ``tools/wine.py`` needs.
"""

# ruff: noqa: T201 - a script that prints

from __future__ import annotations

import difflib
import json
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

from tools import wine

ROOT = Path(__file__).parents[2]
RECORD = "tests.windows.record"
LIMIT = 30
"""Lines of one difference that are shown."""
VERSION = "--version"
"""The one command that tells on what system it runs."""
Record = dict[str, Any]


def main() -> int:
    """Run all steps twice and tell every difference; return 1 when there is one."""
    with tempfile.TemporaryDirectory() as name:
        here, there = record(Path(name))
    problems = [*compare_groups(here["groups"], there["groups"]), *compare_reads(here["reads"], there["reads"])]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def record(folder: Path) -> tuple[Record, Record]:
    """Run all steps here and under Wine, at the same time."""
    results = [folder / "linux.json", folder / "windows.json"]
    # With the drive letter both paths are equally long, and texts are broken at the same words.
    work = folder / "lnx", folder / "w"
    here = subprocess.Popen([sys.executable, "-m", RECORD, str(work[0]), str(results[0])], cwd=ROOT)
    there = wine.run(wine.set_up(), "-m", RECORD, *map(wine.windows_path, (work[1], results[1])), folder=ROOT)
    codes = here.wait(), there
    if codes != (0, 0):
        raise SystemExit(f"the steps could not be run: exit codes {codes}")
    first, second = (json.loads(path.read_text(encoding="utf-8")) for path in results)
    return first, second


def compare_groups(here: Record, there: Record) -> list[str]:
    """Compare what came of every step; print the figures of each sample."""
    problems = []
    for group, steps in here.items():
        found = []
        differing: set[str] = set()
        for first, second in zip(steps, there[group], strict=True):
            found += compare_step(first, second, differing)
        problems += [f"{group or 'no sample'}: {text}" for text in found]
        changed = sum(before["files"] != after["files"] for before, after in pairwise(steps))
        codes = sorted({step["code"] for step in steps})
        print(
            f"{group or 'no sample':18} {len(steps) - 1:3} steps, {changed:2} wrote files, exit codes {codes}", end=""
        )
        print(f": {len(found)} differences" if found else ": the same on both")
    return problems


def compare_step(here: Record, there: Record, known: set[str]) -> list[str]:
    """Tell how one step differed; files that are known to differ are told once."""
    problems = []
    if here["code"] != there["code"]:
        problems.append(f"{here['step']}: exit code {here['code']} on Linux, {there['code']} on Windows")
    for stream in ("out", "err"):
        if here[stream] != there[stream] and not here["step"].startswith(VERSION):
            lines = difflib.unified_diff(
                *(side[stream].splitlines() for side in (here, there)), "linux", "windows", n=0
            )
            problems.append("\n  ".join([f"{here['step']}: {stream} differs", *list(lines)[:LIMIT]]))
    names = {*here["files"], *there["files"]}
    differing = {name for name in names if here["files"].get(name) != there["files"].get(name)}
    if differing - known:
        problems.append(f"{here['step']}: files differ afterwards: {', '.join(sorted(differing - known))}")
    known.clear()
    known.update(differing)
    return problems


def compare_reads(here: Record, there: Record) -> list[str]:
    """Compare every read of an inspection, and print how much it is."""
    problems = []
    for disk, files in here.items():
        calls = [sum(map(len, side)) for side in (files, there[disk])]
        read = [sum(length for file in side for _, length in file) for side in (files, there[disk])]
        print(f"inspect {disk:23} reads {read[0]:9,} bytes in {calls[0]:4} calls on Linux,", end="")
        print(f" {read[1]:9,} in {calls[1]:4} on Windows")
        if files != there[disk]:
            problems.append(f"inspect {disk}: the reads differ")
    return problems


if __name__ == "__main__":
    sys.exit(main())

"""vdiskkit beside other ways to ask the same of the same image, in turns, in one run. Prints a Markdown table.

    python -m benchmarks.peers [--rounds 15] [--image main] [--slow]

The bindings and dissect.target are looked for in ``--peers-python`` (default: this Python), Sleuth Kit, reglookup and
guestfish on the PATH; a contestant that is missing is left out and named. Exits 1 when a ratio exceeds its budget.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.budgets import SERVICE
from benchmarks.make_image import ensure_image, facts_of

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "benchmarks" / "contestants"
BASE = "libvhdi + libfsntfs + libregf"
BUDGETS = {"reg get": 1.8, "inspect": 3.5, "warm": 0.25}
EXPECTED_WARM = "1 kms01.corp.example 9437184 4194304"


class Contestant(NamedTuple):
    """One way to ask, as a whole process. ``rounds`` caps how often a slow one runs."""

    name: str
    asks: str
    command: list[str]
    needs: tuple[str, ...] = ()
    module: str = ""
    expected: str | None = "1"
    rounds: int = 1000


def contestants(image: Path, peers_python: str, *, slow: bool) -> list[Contestant]:
    """Everyone who could run, the base of the ratios first."""
    disk = str(image)
    ours = [sys.executable, "-m", "vdiskkit"]
    found = [
        Contestant(BASE, "SkipRearm", [peers_python, str(SCRIPTS / "bindings.py"), disk], module="pyvhdi"),
        Contestant(
            "vdiskkit reg get", "SkipRearm", [*ours, "reg", "get", disk, rf"HKLM\SOFTWARE\{SERVICE}", "SkipRearm"]
        ),
        Contestant("vdiskkit inspect", "everything", [*ours, "inspect", "--json", disk], expected=None),
        Contestant(
            "dissect.target",
            "SkipRearm",
            [peers_python, str(SCRIPTS / "dissect_target.py"), disk],
            module="dissect.target",
            rounds=5,
        ),
        Contestant(
            "Sleuth Kit + reglookup",
            "SkipRearm",
            ["sh", str(SCRIPTS / "sleuthkit.sh"), disk],
            needs=("mmls", "ifind", "icat", "reglookup"),
            rounds=5,
        ),
    ]
    if slow:
        script = str(SCRIPTS / "guestfish.sh")
        found.append(
            Contestant("guestfish", "SkipRearm", ["sh", script, disk], needs=("guestfish", "hivexget"), rounds=2)
        )
    return found


def missing(contestant: Contestant) -> str | None:
    """What keeps a contestant from running, None when nothing does."""
    for program in contestant.needs:
        if shutil.which(program) is None:
            return f"{program} is not installed"
    if contestant.module:
        probe = [contestant.command[0], "-c", f"import {contestant.module}"]
        if subprocess.run(probe, capture_output=True, check=False).returncode:
            return f"{contestant.command[0]} cannot import {contestant.module}"
    return None


def run_cold(everyone: list[Contestant], rounds: int) -> dict[str, list[float]]:
    """Seconds of whole processes, one of each in every round; the first round only warms the page cache."""
    times: dict[str, list[float]] = {contestant.name: [] for contestant in everyone}
    for number in range(rounds + 1):
        for contestant in everyone:
            if number > contestant.rounds:
                continue
            started = time.perf_counter()
            done = subprocess.run(contestant.command, cwd=ROOT, capture_output=True, text=True, check=False)
            seconds = time.perf_counter() - started
            answer = done.stdout.strip()
            if done.returncode or (contestant.expected is not None and answer != contestant.expected):
                sys.exit(
                    f"peers: {contestant.name} exits {done.returncode} and answers {answer!r}:\n{done.stderr[-800:]}"
                )
            if number:
                times[contestant.name].append(seconds)
    return times


def run_warm(image: Path, peers_python: str, rounds: int) -> dict[str, list[float]]:
    """Seconds of the four answers inside one process, the processes of both in turns."""
    script = str(SCRIPTS / "repeat.py")
    commands = {
        BASE: [peers_python, script, "bindings", str(image), "all"],
        "vdiskkit": [sys.executable, script, "library", str(image)],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode or done.stderr.strip() != EXPECTED_WARM:
                sys.exit(f"peers: {name} exits {done.returncode}:\n{done.stderr[-800:]}")
            times[name].append(statistics.median(float(line) for line in done.stdout.split()))
    return times


def table(title: str, asks: dict[str, str], times: dict[str, list[float]], base: str) -> None:
    """Print medians and ratios, the quickest first."""
    middle = {name: statistics.median(seconds) for name, seconds in times.items()}
    print(f"\n| {title} | asks for | median | fastest | ratio | runs |\n|---|---|---:|---:|---:|---:|")
    for name in sorted(middle, key=middle.__getitem__):
        ratio = middle[name] / middle[base]
        cells = (
            name,
            asks[name],
            f"{1000 * middle[name]:,.0f} ms",
            f"{1000 * min(times[name]):,.0f} ms",
            f"{ratio:.2f}",
        )
        print(f"| {' | '.join(cells)} | {len(times[name])} |")


def judge(ratios: dict[str, float]) -> int:
    """Hold the ratios against their budgets; return the exit code."""
    print("\n| ratio to the bindings | found | budget |\n|---|---:|---:|")
    for name, ratio in ratios.items():
        print(f"| {name} | {ratio:.2f} | {BUDGETS[name]} |{'' if ratio <= BUDGETS[name] else ' OVER'}")
    return int(any(ratio > BUDGETS[name] for name, ratio in ratios.items()))


def main(arguments: list[str] | None = None) -> int:
    """Run everything; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--image", default="main", help="name of an image of make_image")
    parser.add_argument("--peers-python", default=os.environ.get("VDISKKIT_PEERS_PYTHON", sys.executable))
    parser.add_argument("--slow", action="store_true", help="guestfish too, which starts a virtual machine")
    options = parser.parse_args(arguments)
    image = ensure_image(options.image)
    facts = facts_of(image)
    everyone = contestants(image, options.peers_python, slow=options.slow)
    absent = {contestant.name: reason for contestant in everyone if (reason := missing(contestant))}
    for name, reason in absent.items():
        print(f"left out: {name}: {reason}")
    if BASE in absent:
        sys.exit("peers: without the bindings there is nothing to compare with; see requirements/oracle.txt")
    disk_gib, _, files, _ = facts["spec"]
    print(
        f"Image: {disk_gib} GiB dynamic VHD, SOFTWARE hive of {facts['hive_bytes'] / 2**20:.0f} MiB, {files:,} files. "
        f"CPython {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores."
    )
    everyone = [contestant for contestant in everyone if contestant.name not in absent]
    cold = run_cold(everyone, options.rounds)
    table("cold process", {contestant.name: contestant.asks for contestant in everyone}, cold, BASE)
    warm = run_warm(image, options.peers_python, max(options.rounds // 2, 3))
    table("warm, in one process", dict.fromkeys(warm, "SkipRearm, KMS host, two token stores"), warm, BASE)
    base, warm_base = statistics.median(cold[BASE]), statistics.median(warm[BASE])
    return judge(
        {
            "reg get": statistics.median(cold["vdiskkit reg get"]) / base,
            "inspect": statistics.median(cold["vdiskkit inspect"]) / base,
            "warm": statistics.median(warm["vdiskkit"]) / warm_base,
        }
    )


if __name__ == "__main__":
    sys.exit(main())

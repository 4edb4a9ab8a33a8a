"""What vdiskkit reads, keeps in memory and imports, held against its budgets. Exact and repeatable, but for times.

    python -m benchmarks.budgets               # the whole table: five images, the largest of 1 TiB, VHDX and chains
    python -m benchmarks.budgets --quick       # two images that are made in a few seconds, VHDX and chains of one

Exits 1 when a budget is exceeded.
"""

from __future__ import annotations

import argparse
import datetime as dt
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

import vdiskkit
from benchmarks.counting import CountingFile, counted_opens
from benchmarks.make_image import ensure_image, facts_of
from benchmarks.make_versions import VERSIONS, ensure_versions, ranges_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROOT = Path(__file__).resolve().parent.parent
SERVICE = r"Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform"
KIB, MIB = 1 << 10, 1 << 20

INSPECT_BYTES = 1536 * KIB
INSPECT_CALLS = 200
READINESS_BYTES = 4096 * KIB
READINESS_CALLS = 500
VERSION_BYTES = 64 * KIB
VERSION_CALLS = 24
GROWTH_PERCENT = 10
BAT_SLACK_KIB = 4
"""The headers in front of the BAT are read in a page that may reach into it."""
BITMAP_BYTES = 2 * MIB
PEAK_MEMORY_KIB = 80 * KIB
HELP_MILLISECONDS = 100
# Peak memory is counted from the fork on, so the process that forks has to be a small one.
PEAK_SCRIPT = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
process.returncode = os.waitstatus_to_exitcode(status)
print(process.returncode, usage.ru_maxrss)
"""
FULL = ("main", "disk-10g", "disk-1t", "hive-30m", "hive-200m")
QUICK = ("quick", "quick-large")


class Reads(NamedTuple):
    """Bytes and calls, with what belongs to the BAT and to $Bitmap counted apart.

    A call counts as one of those only when all of its bytes do.
    """

    other_bytes: int
    other_calls: int
    bat_bytes: int
    bat_calls: int
    bitmap_bytes: int
    bitmap_calls: int


class Ledger:
    """Prints each figure beside its budget and remembers whether all were kept."""

    def __init__(self) -> None:
        self.kept = True

    def check(self, what: str, found: float, budget: float, unit: str) -> None:
        """One figure that must not be larger than its budget."""
        self.state(f"{what}: {found:,.0f} {unit}, budget {budget:,.0f}", good=found <= budget)

    def state(self, text: str, *, good: bool) -> None:
        """One statement that must be true."""
        self.kept &= good
        print(f"{'ok  ' if good else 'OVER'}  {text}", flush=True)


def count_reads(image: Path, work: Callable[[vdiskkit.VDisk], object]) -> Reads:
    """Open an image through a counting file, do the work, and sort the reads."""
    file = CountingFile(image)
    with file, vdiskkit.open_vdisk(cast("BinaryIO", file)) as disk:
        work(disk)
    facts = facts_of(image)
    return _sorted_reads([(file.reads, [facts["bat_range"]], facts["bitmap_ranges"])])


def count_chain_reads(disk: Path, work: Callable[[vdiskkit.VDisk], object]) -> Reads:
    """Open a disk with its parents by its path, do the work, and sort the reads of all files."""
    with counted_opens() as files, vdiskkit.open_vdisk(disk) as opened:
        work(opened)
    ranges = ranges_of(disk)
    return _sorted_reads([(file.reads, [ranges[file.path.name].bat], ranges[file.path.name].bitmap) for file in files])


def _sorted_reads(files: Iterable[tuple[list[tuple[int, int]], list[list[int]], list[list[int]]]]) -> Reads:
    counts = {"other": [0, 0], "bat": [0, 0], "bitmap": [0, 0]}
    for reads, bat, bitmap in files:
        for start, length in reads:
            in_bat, in_bitmap = _overlap(start, length, bat), _overlap(start, length, bitmap)
            rest = length - in_bat - in_bitmap
            for name, part in (("bat", in_bat), ("bitmap", in_bitmap), ("other", rest)):
                counts[name][0] += part
            counts["other" if rest else "bat" if in_bat else "bitmap"][1] += 1
    return Reads(*counts["other"], *counts["bat"], *counts["bitmap"])


def _overlap(start: int, length: int, ranges: Iterable[list[int]]) -> int:
    return sum(max(min(start + length, at + size) - max(start, at), 0) for at, size in ranges)


def check_reads(ledger: Ledger, names: tuple[str, ...]) -> None:
    """Bytes and calls of ``inspect`` and ``reg get`` on each image, and how far they lie apart."""
    print("\nread from the disk file\n")
    inspections = []
    for name in names:
        image = ensure_image(name)
        facts = facts_of(image)
        value = count_reads(image, lambda disk: disk.windows.registry("SOFTWARE").key(SERVICE).value("SkipRearm"))
        print(f"      {name}: reg get reads {value.other_bytes / KIB:,.0f} KiB in {value.other_calls} calls")
        reads = count_reads(image, lambda disk: disk.inspect())
        inspections.append(reads)
        ledger.check(f"{name}: inspect", reads.other_bytes / KIB, INSPECT_BYTES / KIB, "KiB")
        ledger.check(f"{name}: inspect", reads.other_calls, INSPECT_CALLS, "calls")
        ready = count_reads(image, lambda disk: disk.inspect(readiness=True))
        ledger.check(f"{name}: inspect with readiness", ready.other_bytes / KIB, READINESS_BYTES / KIB, "KiB")
        ledger.check(f"{name}: inspect with readiness", ready.other_calls, READINESS_CALLS, "calls")
        whole = facts["bat_range"][1]
        ledger.check(
            f"{name}: of a BAT of {whole // KIB} KiB", reads.bat_bytes / KIB, whole / KIB + BAT_SLACK_KIB, "KiB"
        )
        ledger.check(f"{name}: for the BAT", reads.bat_calls, max(whole // MIB, 1) + 1, "calls")
        bitmap = sum(size for _, size in facts["bitmap_ranges"])
        allowed = bitmap if sum(size for _, size in facts["bitmap_runs"]) <= BITMAP_BYTES else 64 * KIB
        ledger.check(f"{name}: of $Bitmap", reads.bitmap_bytes / KIB, allowed / KIB, "KiB")
    for field, what in (("other_bytes", "bytes"), ("other_calls", "calls")):
        least, most = (pick(getattr(reads, field) for reads in inspections) for pick in (min, max))
        ledger.check(f"growth over all images in {what}", 100 * (most - least) / least, GROWTH_PERCENT, "%")


def check_containers(ledger: Ledger, source: str) -> None:
    """The same disk as a VHDX, and as the oldest file of chains of ten versions."""
    print("\nread from a VHDX, and from all files of a chain\n")
    answers: list[object] = []

    def inspect(disk: vdiskkit.VDisk) -> None:
        facts = disk.inspect()
        answers.append((facts.windows, facts.licensing))

    alone = {"vhd": count_reads(ensure_image(source), inspect)}
    for kind in ("vhdx-fixed", "vhdx"):
        disk = ensure_versions(source, kind)
        alone[kind] = reads = count_chain_reads(disk, inspect)
        name, table = f"{source} as {kind}", ranges_of(disk)[disk.name].bat[1]
        ledger.check(f"{name}: inspect", reads.other_bytes / KIB, INSPECT_BYTES / KIB, "KiB")
        ledger.check(f"{name}: inspect", reads.other_calls, INSPECT_CALLS, "calls")
        ledger.check(f"{name}: of a BAT of {table / KIB:.0f} KiB", reads.bat_bytes / KIB, table / KIB, "KiB")
        ledger.check(f"{name}: for the BAT", reads.bat_calls, 1, "calls")
    for kind in ("vhd", "vhdx"):
        disk = ensure_versions(source, f"{kind}-versions")
        reads, ranges = count_chain_reads(disk, inspect), ranges_of(disk)
        name, tables = f"{source} as {kind} with {VERSIONS} versions", sum(item.bat[1] for item in ranges.values())
        print(f"      {name}: inspect reads {reads.other_bytes / KIB:,.0f} KiB in {reads.other_calls} calls")
        more_bytes, more_calls = (
            (getattr(reads, field) - getattr(alone[kind], field)) / VERSIONS for field in ("other_bytes", "other_calls")
        )
        ledger.check(f"{name}: for each version", more_bytes / KIB, VERSION_BYTES / KIB, "KiB")
        ledger.check(f"{name}: for each version", more_calls, VERSION_CALLS, "calls")
        slack = BAT_SLACK_KIB * len(ranges)
        ledger.check(f"{name}: of BATs of {tables // KIB} KiB", reads.bat_bytes / KIB, tables / KIB + slack, "KiB")
    ledger.state(f"{source}: the same answers from all of them", good=all(answer == answers[0] for answer in answers))


def check_memory(ledger: Ledger, image: Path) -> None:
    """Peak memory of whole processes."""
    print("\npeak memory\n")
    for what, arguments in (
        ("inspect", ["inspect", "--json", str(image)]),
        ("reg get", ["reg", "get", str(image), rf"HKLM\SOFTWARE\{SERVICE}", "SkipRearm"]),
    ):
        command = [sys.executable, "-c", PEAK_SCRIPT, sys.executable, "-m", "vdiskkit", *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        code, peak = (int(word) for word in done.stdout.split())
        ledger.state(f"{what} exits {code}", good=code == 0)
        ledger.check(f"{what}: peak", peak / KIB, PEAK_MEMORY_KIB / KIB, "MiB")


def imported_modules(statement: str) -> set[str]:
    """Names of the modules that a fresh Python has loaded after a statement, without those that it starts with."""
    script = f"import sys\nbefore = set(sys.modules)\ntry:\n    {statement}\nexcept SystemExit: pass\n"
    script += "print(*sorted(set(sys.modules) - before), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stderr.splitlines()[-1].split())


def cli_statement(*arguments: str) -> str:
    """A statement that runs the command line in the process."""
    return f"import runpy; sys.argv = {['vdiskkit', *arguments]!r}; runpy.run_module('vdiskkit', run_name='__main__')"


def check_imports(ledger: Ledger, image: Path) -> None:
    """What is loaded at start, by top-level name."""
    print("\nimported modules\n")
    get = cli_statement("reg", "get", str(image), rf"HKLM\SOFTWARE\{SERVICE}", "SkipRearm")
    for what, statement, unwanted in (
        ("import vdiskkit", "import vdiskkit", {"dissect", "construct", "click", "rich", "dataclasses"}),
        ("--help", cli_statement("--help"), {"dissect", "construct", "rich", "dataclasses"}),
        ("reg get", get, {"dissect", "construct", "rich", "defusedxml"}),
        ("inspect", cli_statement("inspect", "--json", str(image)), {"rich", "msgspec"}),
    ):
        loaded = imported_modules(statement)
        found = sorted(unwanted & {name.partition(".")[0] for name in loaded})
        ledger.state(
            f"{what}: {len(loaded)} modules, none of {', '.join(sorted(unwanted))} {found or ''}", good=not found
        )


def check_help_time(ledger: Ledger) -> None:
    """``--help`` against an empty Python, in turns."""
    print("\ntime to start\n")
    times: dict[str, list[float]] = {"empty": [], "help": []}
    commands = {"empty": ["-c", "pass"], "help": ["-m", "vdiskkit", "--help"]}
    for _ in range(11):
        for name, arguments in commands.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
            times[name].append(time.perf_counter() - started)
    more = min(times["help"]) - min(times["empty"])  # what else the machine does only adds
    ledger.check("--help, more than an empty Python", 1000 * more, HELP_MILLISECONDS, "ms")


def check_rules(ledger: Ledger, image: Path) -> None:
    """What judging the facts costs, beside finding them."""
    from vdiskkit.rules.engine import evaluate

    print("\nrules\n")
    profile, now = vdiskkit.load_profile("kms-standard"), dt.datetime.now(dt.UTC)
    times: dict[str, list[float]] = {"facts": [], "rules": []}
    for _ in range(5):
        started = time.perf_counter()
        with vdiskkit.open_vdisk(image) as disk:
            facts = disk.inspect(readiness=True)
        found = time.perf_counter()
        evaluate(facts, profile, now=now)
        times["facts"].append(found - started)
        times["rules"].append(time.perf_counter() - found)
    ledger.check("all rules, of the time for the facts", 100 * min(times["rules"]) / min(times["facts"]), 10, "%")


def main(arguments: list[str] | None = None) -> int:
    """Check everything; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two small images only")
    quick = parser.parse_args(arguments).quick
    names = QUICK if quick else FULL
    ledger = Ledger()
    check_reads(ledger, names)
    check_containers(ledger, names[0])
    image = ensure_image(names[0])
    check_memory(ledger, image)
    check_imports(ledger, image)
    check_help_time(ledger)
    check_rules(ledger, image)
    print("\nall budgets kept" if ledger.kept else "\nbudgets exceeded, see OVER above")
    return 0 if ledger.kept else 1


if __name__ == "__main__":
    sys.exit(main())

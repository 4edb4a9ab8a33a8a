"""What a change costs: bytes written, counted; and its time beside other ways to make the same change.

    python -m benchmarks.writes                # the main image, and one whose runs are scattered over $Bitmap
    python -m benchmarks.writes --quick        # a small image, bytes only
    python -m benchmarks.writes --slow         # guestfish too, which starts a virtual machine

The change: SkipRearm to 0, and two token stores of 9 and 4 MiB in 291 and 516 runs removed. Ours checks the state,
keeps a journal to take the change back, and verifies before and after writing; the others do not. Everyone gets a fresh
copy of the image in every round. Exits 1 when a budget is exceeded.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from unittest import mock

import vdiskkit
from benchmarks.budgets import KIB, ROOT, SERVICE, Ledger
from benchmarks.make_image import FIRST, IMAGES, MIB, SPECS, SPP_STORE, WINDOWS7_STORE, ensure_image, facts_of
from benchmarks.peers import SCRIPTS
from benchmarks.scattered import bitmap_sectors, ensure_scattered
from vdiskkit.patch.files import RealFileSystem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vdiskkit.patch.files import OpenFile

WRITTEN_BUDGET = 256 * KIB
SCATTERED_BUDGET = 1536 * KIB
FASTER_BUDGET = 5.0
OURS = "vdiskkit kms-prep"


class CountedFile:
    """A file that counts what is written to it."""

    def __init__(self, file: OpenFile, counts: list[int]) -> None:
        self._file = file
        self._counts = counts

    def read_at(self, offset: int, length: int) -> bytes:
        """Read."""
        return self._file.read_at(offset, length)

    def write_at(self, offset: int, data: bytes) -> None:
        """Write and count."""
        self._counts.append(len(data))
        self._file.write_at(offset, data)

    def resize(self, size: int) -> None:
        """Set the length."""
        self._file.resize(size)

    def size(self) -> int:
        """Return the length."""
        return self._file.size()

    def is_hole(self, offset: int, length: int) -> bool:
        """Whether nothing is stored there."""
        return self._file.is_hole(offset, length)

    def flush(self) -> None:
        """Flush."""
        self._file.flush()

    def close(self) -> None:
        """Close."""
        self._file.close()


class CountingFileSystem(RealFileSystem):
    """The real files; ``written`` lists the length of every write by what was written: ``disk`` or ``journal``."""

    def __init__(self) -> None:
        self.written: dict[str, list[int]] = {"disk": [], "journal": []}

    def open(self, path: str) -> OpenFile:
        """Open a file that is there: the disk."""
        return CountedFile(super().open(path), self.written["disk"])

    def create(self, path: str) -> OpenFile:
        """Create a file: the journal."""
        return CountedFile(super().create(path), self.written["journal"])


class Contestant(NamedTuple):
    """One way to make the change, as a whole process. ``rounds`` caps how often a slow one runs."""

    name: str
    command: list[str]
    needs: tuple[str, ...] = ()
    rounds: int = 1000


def copy(image: Path, folder: Path) -> Path:
    """Return a fresh copy with its holes, on the disk and in the page cache."""
    target = folder / "disk.vhd"
    for path in folder.iterdir():
        path.unlink()
    subprocess.run(["cp", "--sparse=always", str(image), str(target)], check=True)
    descriptor = os.open(target, os.O_RDONLY)
    os.fsync(descriptor)  # or the first flush of a contestant would pay for the copying
    os.close(descriptor)
    return target


def check_written(ledger: Ledger, image: Path, folder: Path, budget: int) -> None:
    """Make the change and count."""
    disk = copy(image, folder)
    system = CountingFileSystem()
    plan = vdiskkit.plan_kms_prep(disk, skip_rearm=0, remove_tokens=True)
    with mock.patch("vdiskkit.patch.api.RealFileSystem", return_value=system):
        vdiskkit.apply(plan)
    check_changed(disk)
    sums = {name: sum(lengths) for name, lengths in system.written.items()}
    print(
        f"      {image.stem}: {sums['disk'] / KIB:,.1f} KiB in {len(system.written['disk'])} writes of the disk, "
        f"{sums['journal'] / KIB:,.1f} KiB of the journal"
    )
    ledger.check(f"{image.stem}: written in all, journal included", sum(sums.values()) / KIB, budget / KIB, "KiB")
    vdiskkit.undo(disk)
    ledger.state(f"{image.stem}: taken back to the byte", good=same_content(image, disk))


def same_content(one: Path, other: Path) -> bool:
    """Compare two files where either has data; holes are zeros on both sides."""
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb", buffering=0) as first, other.open("rb", buffering=0) as second:
        for holder in (first, second):
            for start, end in data_ranges(holder.fileno()):
                for at in range(start, end, MIB):
                    length = min(MIB, end - at)
                    if os.pread(first.fileno(), length, at) != os.pread(second.fileno(), length, at):
                        return False
    return True


def data_ranges(descriptor: int) -> Iterator[tuple[int, int]]:
    """Yield first byte and end of each part of a sparse file that holds data."""
    end = 0
    while True:
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError:  # no data behind this place
            return
        end = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield start, end


def check_changed(disk: Path) -> None:
    """Make sure that the change was made, whoever made it."""
    with vdiskkit.open_vdisk(disk) as opened:
        value = opened.windows.registry("SOFTWARE").key(SERVICE).value("SkipRearm")
        left = [path for path in (SPP_STORE, WINDOWS7_STORE) if opened.volume.find(path) is not None]
        if value is None or value.data != 0 or left:
            sys.exit(f"writes: the change was not made: SkipRearm is {value.data if value else None!r}, left: {left}")


def contestants(disk: Path, size: int, *, slow: bool) -> Iterator[Contestant]:
    """Everyone who could run, ours first."""
    ours = [sys.executable, "-m", "vdiskkit", "kms-prep", str(disk), "--skip-rearm", "0", "--remove-tokens", "--yes"]
    yield Contestant(OURS, ours)
    export = ["sh", str(SCRIPTS / "fuse_export.sh"), str(disk), str(FIRST), str(size - 2 * FIRST)]
    needs = ("qemu-storage-daemon", "ntfs-3g", "hivexregedit", "pgrep")
    yield Contestant("qemu FUSE export, ntfs-3g, hivexregedit on a copy", [*export, "copy"], needs)
    yield Contestant("qemu FUSE export, ntfs-3g, hivexregedit in place", [*export, "place"], needs)
    if slow:
        guestfish = ["sh", str(SCRIPTS / "guestfish_edit.sh"), str(disk)]
        yield Contestant("guestfish, hivexregedit", guestfish, ("guestfish", "hivexregedit"), rounds=2)


def race(image: Path, folder: Path, everyone: Sequence[Contestant], rounds: int) -> dict[str, list[float]]:
    """Seconds of whole processes, one of each in every round; the first round only warms the caches."""
    times: dict[str, list[float]] = {contestant.name: [] for contestant in everyone}
    absent: set[str] = set()
    # As it is installed: with compiled modules kept.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for number in range(rounds + 1):
        for contestant in everyone:
            if number > contestant.rounds or contestant.name in absent:
                continue
            disk = copy(image, folder)
            started = time.perf_counter()
            done = subprocess.run(
                contestant.command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
            )
            seconds = time.perf_counter() - started
            if done.returncode:
                said = f"{contestant.name} exits {done.returncode}:\n{done.stdout[-400:]}{done.stderr[-800:]}"
                if contestant.name == OURS:
                    sys.exit(f"writes: {said}")
                print(f"left out: {said}")
                absent.add(contestant.name)
                continue
            check_changed(disk)
            if number:
                times[contestant.name].append(seconds)
    return {name: seconds for name, seconds in times.items() if name not in absent}


def check_time(ledger: Ledger, name: str, folder: Path, rounds: int, *, slow: bool) -> None:
    """Race against the others; the fastest of them is what counts."""
    image = ensure_image(name)
    everyone = []
    for contestant in contestants(folder / "disk.vhd", SPECS[name].disk_gib << 30, slow=slow):
        absent = [program for program in contestant.needs if shutil.which(program) is None]
        if absent:
            print(f"left out: {contestant.name}: {absent[0]} is not installed")
        else:
            everyone.append(contestant)
    times = race(image, folder, everyone, rounds)
    middle = {name: statistics.median(seconds) for name, seconds in times.items()}
    print(
        f"\n{image.stem}: SOFTWARE hive of {facts_of(image)['hive_bytes'] / 2**20:.0f} MiB; "
        f"CPython {platform.python_version()}, {os.cpu_count()} cores\n"
    )
    print("| cold process | median | fastest | ratio | runs |\n|---|---:|---:|---:|---:|")
    for which in sorted(middle, key=middle.__getitem__):
        cells = (
            f"{1000 * middle[which]:,.0f} ms | {1000 * min(times[which]):,.0f} ms | {middle[which] / middle[OURS]:.1f}"
        )
        print(f"| {which} | {cells} | {len(times[which])} |")
    print()
    others = [seconds for which, seconds in middle.items() if which != OURS]
    if others:
        ratio = min(others) / middle[OURS]
        text = f"times faster than the fastest other way: {ratio:.1f}, at least {FASTER_BUDGET:.0f}"
        ledger.state(text, good=ratio >= FASTER_BUDGET)


def main(arguments: list[str] | None = None) -> int:
    """Check everything; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small image, bytes only")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slow", action="store_true", help="guestfish too")
    options = parser.parse_args(arguments)
    ledger = Ledger()
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=IMAGES) as name:
        folder = Path(name)
        if options.quick:
            check_written(ledger, ensure_image("quick"), folder, WRITTEN_BUDGET)
        else:
            check_written(ledger, ensure_image("main"), folder, WRITTEN_BUDGET)
            check_written(ledger, ensure_scattered(), folder, SCATTERED_BUDGET)
            print(f"      its runs lie in {bitmap_sectors()} sectors of $Bitmap")
            check_time(ledger, "main", folder, options.rounds, slow=options.slow)
    print("\nall budgets kept" if ledger.kept else "\nbudgets exceeded, see OVER above")
    return 0 if ledger.kept else 1


if __name__ == "__main__":
    sys.exit(main())

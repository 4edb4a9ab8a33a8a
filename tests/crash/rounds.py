"""A change of real files by processes that are killed: at every call and again in recovery, or at any time.

Run as a program of its own, which has no threads and so may fork: ``python -m tests.crash.rounds FOLDER KIND
everywhere 1`` kills at every call, ``... random 300`` kills 300 times at random instants. The kind is ``vhd``, or
``vhdx``, a differencing one whose log is pending, or the name of a sample, which is then prepared for KMS.

Where a process cannot be forked, those that will be killed are started before they are needed; a last argument
``started`` has that done everywhere.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import shutil
import sys
import time
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from tests.build.vhd import KIB, build_vhd, noise
from tests.build.vhdx import BAT_REGION, MIB, PAGE, Page, build_vhdx, link_to, put_log
from tests.crash.victims import ForkedVictims, Order, StartedVictims, Victims, obey
from vdiskkit.container import open_container
from vdiskkit.io import BytesSource, FileSource
from vdiskkit.io.paths import is_there
from vdiskkit.journal import OldStateView, journal_path, read_pending, undo_paths
from vdiskkit.patch.disk import open_writable
from vdiskkit.patch.files import RealFileSystem
from vdiskkit.patch.history import recover, undo
from vdiskkit.patch.staging import Phase, StagedFile
from vdiskkit.patch.transaction import FileEdit, Transaction

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 64 * KIB
SAMPLES = Path(__file__).parents[2] / "sample_images"
NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
IMPORTED = ("vdiskkit", "dissect", "filelock")
State = dict[str, tuple[bytes, int]]


class Round:
    """The files of one folder, and the change of them.

    Args:
        home: The folder that is to hold all files.
        disk: Name of the disk.

    Attributes:
        folder: Where the change is made; it holds nothing else.
        disk: The file that is changed first.
        others: Names of files that nothing touches.
        before: Content of what is changed.
        after: The same afterwards.
    """

    def __init__(self, home: Path, disk: str) -> None:
        self.folder = home / "disks"
        self.folder.mkdir(exist_ok=True)
        self.disk = self.folder / disk
        self.others: set[str] = set()
        self.before: dict[Path, bytes] = {}
        self.after: dict[Path, bytes] = {}

    def change(self) -> None:
        """Make the change; always the same one, whichever process does it."""
        raise NotImplementedError

    def reset(self) -> None:
        self.restore({path.name: (data, 1_000_000_000) for path, data in self.before.items()})

    def restore(self, state: State) -> None:
        for path in self.folder.iterdir():
            if path.name not in state and path.name not in self.others:
                path.unlink()
        for name, (data, stamp) in state.items():
            (self.folder / name).write_bytes(data)
            os.utime(self.folder / name, ns=(stamp, stamp))

    def state(self) -> State:
        paths = (path for path in self.folder.iterdir() if path.name not in self.others)
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}

    def recover(self) -> None:
        recover(str(self.disk))

    def undo(self) -> None:
        undo(str(self.disk))

    def change_and_undo(self) -> None:
        """Make the change and take it back, for ever."""
        while True:
            self.change()
            self.undo()

    def act(self, order: Order) -> None:
        """Do what a process is told to do; see :mod:`tests.crash.victims`."""
        actions: dict[str, Callable[[], None]] = {
            "change": self.change,
            "recover": self.recover,
            "change and undo": self.change_and_undo,
        }
        actions[order.action]()

    def side(self) -> str:
        found = {path: path.read_bytes() for path in self.before}
        if found == self.before:
            return "before"
        assert found == self.after, "a third state"
        return "after"

    def check_readers(self) -> None:
        """Check that readers see all old or all new, through the journal when one is pending."""
        journal = read_pending(str(self.disk))
        if journal is None:
            self.side()
            return
        seen = {path: path.read_bytes() for path in self.before}
        for number, file in enumerate(journal.files):
            path = self.folder / file.name
            with FileSource(str(path)) as source:
                view = OldStateView(source, journal, number)
                seen[path] = view.read_at(0, view.size)
                if path == self.disk:
                    disk = open_container(view, path=str(path))
                    assert {notice.code for notice in disk.notices} <= {"vhdx.log_replayed"}
                    disk.close()
        assert seen in (self.before, self.after)

    def check_recovered(self) -> str:
        side = self.side()
        if side == "after":
            self.undo()
            assert self.side() == "before"
        assert {path.name for path in self.folder.iterdir()} - self.others == {path.name for path in self.before}
        assert undo_paths(str(self.disk)) == []
        return side


class BuiltRound(Round):
    """A small disk and a file beside it, and a change of some bytes in both."""

    def __init__(self, home: Path, kind: str) -> None:
        super().__init__(home, f"disk.1.{kind}")
        side_car = self.folder / "disk.1.pvp"
        self.before = {self.disk: self.vhdx() if kind == "vhdx" else vhd(), side_car: noise(4608, 2)}
        staged = {path: StagedFile(BytesSource(data)) for path, data in self.before.items()}
        numbers = count(1)
        disk = open_writable(staged[self.disk], path=str(self.disk), new_id=lambda: UUID(int=next(numbers)))
        disk.write_at(700, noise(3000, 3), Phase.LINK)
        disk.write_at(disk.size - SIZE + 3 * 4 * KIB + 100, noise(9000, 4), Phase.DATA)
        disk.close()
        staged[side_car].write_at(477, b"\2", Phase.LINK)
        self.after = {path: file.read_at(0, file.size) for path, file in staged.items()}
        self.edits = [
            FileEdit(str(path), file.changes(), file.original_size, file.size) for path, file in staged.items()
        ]

    def vhdx(self) -> bytes:
        """A disk whose table is in the log alone, over a parent that only has its first block."""
        base = build_vhdx("dynamic", 3 * MIB, MIB, {0: noise(MIB, 1)})
        if not (self.folder / "disk.vhdx").exists():
            base.save(self.folder / "disk.vhdx")
        self.others.add("disk.vhdx")
        image = build_vhdx("differencing", 3 * MIB, MIB, {512: noise(512, 5)}, parent=link_to(base, r".\disk.vhdx"))
        table = image.region(BAT_REGION)
        put_log(image, [[Page(table, image.read_at(table, PAGE))]], start=254 * PAGE)
        image.write(table, noise(PAGE, 6))
        return image.to_bytes()

    def change(self) -> None:
        Transaction(self.edits, {"summary": "t"}, change_id=UUID(int=1), system=RealFileSystem()).run()


class SampleRound(Round):
    """A sample vDisk, and the whole preparation of it for KMS: gates, staging, verification and all."""

    def __init__(self, home: Path, name: str) -> None:
        super().__init__(home, f"{name}.vhd")
        files = [self.disk, self.disk.with_suffix(".pvp")]
        self.before = {path: (SAMPLES / path.name).read_bytes() for path in files}
        # Where the change leads to is found out in another folder, once for all processes.
        made = home / "after"
        if not made.exists():
            made.mkdir()
            for path in files:
                shutil.copyfile(SAMPLES / path.name, made / path.name)
            prepare(made / self.disk.name)
        self.after = {path: (made / path.name).read_bytes() for path in files}

    def change(self) -> None:
        prepare(self.disk)

    def recover(self) -> None:
        import vdiskkit

        vdiskkit.recover(self.disk)

    def undo(self) -> None:
        import vdiskkit

        vdiskkit.undo(self.disk)


def prepare(disk: Path) -> None:
    """Prepare a disk for KMS; the same bytes come out wherever it is done."""
    import vdiskkit

    planned = vdiskkit.plan_kms_prep(disk, skip_rearm=0, kms_host="kms.example.com", remove_tokens=True, now=NOW)
    assert vdiskkit.apply(planned).written


def vhd() -> bytes:
    return build_vhd("dynamic", SIZE, 4 * KIB, {0: noise(4 * KIB, 1)})


def kill_at_random(rounds: Round, killed: Victims, number: int) -> dict[str, int]:
    """Kill a process that changes the files and takes it back, over and over, at some instant.

    Every other time the instant is soon after its journal is there: that is when it writes.
    """
    choose = random.Random()  # noqa: S311 - each run tries other instants
    seen = {"before": 0, "after": 0, "pending": 0}
    longest = 1.2 * rehearse(rounds)
    for turn in range(number):
        victim = killed.begin(Order("change and undo"))
        if turn % 2:
            wait_for(journal_path(str(rounds.disk)))
            time.sleep(choose.uniform(0.0, longest / 4))
        else:
            time.sleep(choose.uniform(0.0, longest))
        victim.kill()
        seen["pending"] += read_pending(str(rounds.disk)) is not None
        rounds.check_readers()
        rounds.recover()
        seen[rounds.check_recovered()] += 1
    return seen


def wait_for(path: str) -> None:
    """Wait until there is a file; it may be gone again soon."""
    end = time.monotonic() + 60
    while not is_there(path):
        assert time.monotonic() < end, "the process does not change anything"
        time.sleep(0.0005)


def kill_everywhere(rounds: Round, killed: Victims, step: int) -> dict[str, int]:
    """Kill at every call of the change, or every so many, and after each at calls of its recovery as well."""
    seen = {"before": 0, "after": 0, "kills": 0, "kills in recovery": 0}
    for how, first in (("before", 0), ("half", step // 2)):  # between them, every few calls are met
        number = first
        while True:
            rounds.reset()
            if killed.begin(Order("change", number, how)).survives():
                break
            seen["kills"] += 1
            left = rounds.state()
            rounds.check_readers()
            again = 0
            while not killed.begin(Order("recover", again, how)).survives():
                seen["kills in recovery"] += 1
                rounds.check_readers()
                rounds.recover()
                rounds.check_recovered()
                rounds.restore(left)
                again += 3 * step - 2
            seen[rounds.check_recovered()] += 1
            number += step
    return seen


def rehearse(rounds: Round) -> float:
    """Make the change and take it back; return how many seconds that takes."""
    rounds.reset()
    began = time.monotonic()
    rounds.change()
    rounds.undo()
    return time.monotonic() - began


def make_round(home: Path, kind: str) -> Round:
    return BuiltRound(home, kind) if kind in {"vhd", "vhdx"} else SampleRound(home, kind)


def main(place: str, kind: str, action: str, number: str, means: str = "") -> None:
    rounds = make_round(Path(place), kind)
    modules = Path(place, "modules.json")
    if action == "obey":
        # Whatever is imported later would take the time in which the process is to be killed at its work.
        for name in json.loads(modules.read_text(encoding="utf-8")):
            importlib.import_module(name)
        obey(rounds.act)
        return
    rehearse(rounds)
    modules.write_text(json.dumps([name for name in sys.modules if name.startswith(IMPORTED)]), encoding="utf-8")
    killed: Victims
    if means == "started" or not hasattr(os, "fork"):
        killed = StartedVictims([sys.executable, "-m", "tests.crash.rounds", place, kind, "obey", "0"])
    else:
        killed = ForkedVictims(rounds.act)
    try:
        result = {"random": kill_at_random, "everywhere": kill_everywhere}[action](rounds, killed, int(number))
    finally:
        killed.close()
    print(json.dumps(result))  # noqa: T201 - read by the test


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A change of real files by processes that are killed: at every call and again in recovery, or at any time.

Run as a program of its own, which has no threads and so may fork: ``python -m tests.crash.rounds FOLDER KIND
everywhere 1`` kills at every call, ``... random 300`` kills 300 times at random instants. The kind is ``vhd``, or
``vhdx``, a differencing one whose log is pending.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from tests.build.vhd import KIB, build_vhd, noise
from tests.build.vhdx import BAT_REGION, MIB, PAGE, Page, build_vhdx, link_to, put_log
from tests.crash.dying import Death
from vdiskkit.container import open_container
from vdiskkit.io import BytesSource, FileSource
from vdiskkit.journal import OldStateView, read_pending, undo_paths
from vdiskkit.patch.disk import open_writable
from vdiskkit.patch.files import RealFileSystem
from vdiskkit.patch.history import recover, undo
from vdiskkit.patch.staging import Phase, StagedFile
from vdiskkit.patch.transaction import FileEdit, Transaction

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 64 * KIB


class Round:
    """The files of one folder, and the change of them."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder = folder
        self.others: set[str] = set()
        self.disk = folder / f"disk.1.{kind}"
        side_car = folder / "disk.1.pvp"
        self.before = {self.disk: self.vhdx() if kind == "vhdx" else vhd(), side_car: noise(4608, 2)}
        staged = {path: StagedFile(BytesSource(data)) for path, data in self.before.items()}
        disk = open_writable(staged[self.disk], path=str(self.disk))
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
        base.save(self.folder / "disk.vhdx")
        self.others.add("disk.vhdx")
        image = build_vhdx("differencing", 3 * MIB, MIB, {512: noise(512, 5)}, parent=link_to(base, r".\disk.vhdx"))
        table = image.region(BAT_REGION)
        put_log(image, [[Page(table, image.read_at(table, PAGE))]], start=254 * PAGE)
        image.write(table, noise(PAGE, 6))
        return image.to_bytes()

    def reset(self) -> None:
        self.restore({path.name: (data, 1_000_000_000) for path, data in self.before.items()})

    def restore(self, state: dict[str, tuple[bytes, int]]) -> None:
        for path in self.folder.iterdir():
            if path.name not in state and path.name not in self.others:
                path.unlink()
        for name, (data, stamp) in state.items():
            (self.folder / name).write_bytes(data)
            os.utime(self.folder / name, ns=(stamp, stamp))

    def state(self) -> dict[str, tuple[bytes, int]]:
        paths = (path for path in self.folder.iterdir() if path.name not in self.others)
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}

    def change(self) -> None:
        Transaction(self.edits, {"summary": "t"}, change_id=UUID(int=1), system=RealFileSystem()).run()

    def recover(self) -> None:
        recover(str(self.disk))

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
        seen = {}
        for number, path in enumerate(self.before):
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
            undo(str(self.disk))
            assert self.side() == "before"
        assert {path.name for path in self.folder.iterdir()} - self.others == {path.name for path in self.before}
        assert undo_paths(str(self.disk)) == []
        return side


def vhd() -> bytes:
    return build_vhd("dynamic", SIZE, 4 * KIB, {0: noise(4 * KIB, 1)})


def forked(action: Callable[[], None], death: Death) -> bool:
    """Do something in a process of its own that may die; say whether it did."""
    child = os.fork()
    if not child:
        try:
            death.arrange()
            action()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the process failed"
    return False


def kill_at_random(folder: Path, kind: str, count: int) -> dict[str, int]:
    """Kill a process that changes the files and takes it back, over and over, at some instant."""
    rounds = Round(folder, kind)
    choose = random.Random()  # noqa: S311 - each run tries other instants
    seen = {"before": 0, "after": 0, "pending": 0}
    for _ in range(count):
        rounds.reset()
        child = os.fork()
        if not child:
            try:
                while True:
                    rounds.change()
                    undo(str(rounds.disk))
            except BaseException:  # noqa: BLE001 - told by the parent process
                traceback.print_exc()
            finally:
                os._exit(1)
        time.sleep(choose.uniform(0.002, 0.04))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "the process ended by itself"
        seen["pending"] += read_pending(str(rounds.disk)) is not None
        rounds.check_readers()
        rounds.recover()
        seen[rounds.check_recovered()] += 1
    return seen


def kill_everywhere(folder: Path, kind: str, step: int = 1) -> dict[str, int]:
    """Kill at every call of the change, or every so many, and after each at calls of its recovery as well."""
    rounds = Round(folder, kind)
    seen = {"before": 0, "after": 0, "kills": 0, "kills in recovery": 0}
    for how in ("before", "half"):
        number = 0
        while True:
            rounds.reset()
            if not forked(rounds.change, Death(number, how)):
                break
            seen["kills"] += 1
            left = rounds.state()
            rounds.check_readers()
            again = 0
            while forked(rounds.recover, Death(again, how)):
                seen["kills in recovery"] += 1
                rounds.check_readers()
                rounds.recover()
                rounds.check_recovered()
                rounds.restore(left)
                again += 3 * step - 2
            seen[rounds.check_recovered()] += 1
            number += step
    return seen


if __name__ == "__main__":
    place, wanted, how_many = Path(sys.argv[1]), sys.argv[2], int(sys.argv[4])
    action = {"random": kill_at_random, "everywhere": kill_everywhere}[sys.argv[3]]
    result = action(place, wanted, how_many)
    print(json.dumps(result))  # noqa: T201 - read by the test

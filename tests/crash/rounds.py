"""A change of real files by processes that are killed: at every call and again in recovery, or at any time.

Run as a program of its own, which has no threads and so may fork: ``python -m tests.crash.rounds FOLDER`` kills at
every call, ``python -m tests.crash.rounds FOLDER 300`` kills 300 times at random instants.
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

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.disk = folder / "disk.vhd"
        side_car = folder / "disk.pvp"
        self.before = {
            self.disk: build_vhd("dynamic", SIZE, 4 * KIB, {0: noise(4 * KIB, 1)}),
            side_car: noise(4608, 2),
        }
        staged = {path: StagedFile(BytesSource(data)) for path, data in self.before.items()}
        disk = open_writable(staged[self.disk], path=None)
        disk.write_at(700, noise(3000, 3), Phase.LINK)
        disk.write_at(3 * 4 * KIB + 100, noise(9000, 4), Phase.DATA)
        staged[side_car].write_at(477, b"\2", Phase.LINK)
        self.after = {path: file.read_at(0, file.size) for path, file in staged.items()}
        self.edits = [
            FileEdit(str(path), file.changes(), file.original_size, file.size) for path, file in staged.items()
        ]

    def reset(self) -> None:
        self.restore({path.name: (data, 1_000_000_000) for path, data in self.before.items()})

    def restore(self, state: dict[str, tuple[bytes, int]]) -> None:
        for path in self.folder.iterdir():
            if path.name not in state:
                path.unlink()
        for name, (data, stamp) in state.items():
            (self.folder / name).write_bytes(data)
            os.utime(self.folder / name, ns=(stamp, stamp))

    def state(self) -> dict[str, tuple[bytes, int]]:
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in self.folder.iterdir()}

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
                    assert open_container(view, path=None).notices == ()
        assert seen in (self.before, self.after)

    def check_recovered(self) -> str:
        side = self.side()
        if side == "after":
            undo(str(self.disk))
            assert self.side() == "before"
        assert {path.name for path in self.folder.iterdir()} == {path.name for path in self.before}
        assert undo_paths(str(self.disk)) == []
        return side


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


def kill_at_random(folder: Path, count: int) -> dict[str, int]:
    """Kill a process that changes the files and takes it back, over and over, at some instant."""
    rounds = Round(folder)
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


def kill_everywhere(folder: Path) -> dict[str, int]:
    """Kill at every call of the change, and after each at every call of its recovery."""
    rounds = Round(folder)
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
                again += 1
            seen[rounds.check_recovered()] += 1
            number += 1
    return seen


if __name__ == "__main__":
    place = Path(sys.argv[1])
    result = kill_at_random(place, int(sys.argv[2])) if len(sys.argv) > 2 else kill_everywhere(place)
    print(json.dumps(result))  # noqa: T201 - read by the test

"""Changes of two files without any meaning, for interrupting them everywhere."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume
from hypothesis import strategies as st

from tests.build.vhd import noise
from tests.crash.matrix import DISK, SIDE_CAR, Change, Files, change_of, pending
from tests.crash.simulated import File, PowerCut, SimulatedFileSystem, at
from vdiskkit.io import BytesSource
from vdiskkit.patch.staging import Phase, StagedFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdiskkit.journal import Journal

Write = tuple[int, bytes, Phase]
WATCHED = (2048, 512)


def staged(content: bytes, writes: list[Write], grow: int = 0, interims: Sequence[Write] = ()) -> StagedFile:
    file = StagedFile(BytesSource(content))
    file.extend(len(content) + grow)
    for offset, data, phase in interims:
        file.write_interim(offset, data, phase)
    for offset, data, phase in writes:
        file.write_at(offset, data, phase)
    return file


def pair(*, keep: bool = True) -> Change:
    """Both files change, the disk grows, every phase has something."""
    disk = staged(
        noise(4096, 1),
        [(4608, noise(512, 2), Phase.GROW), (4096, noise(300, 3), Phase.DATA), (1024, b"claim", Phase.CLAIM),
         (100, noise(1000, 4), Phase.LINK), (3000, bytes(600), Phase.RELEASE)],
        grow=1024,
    )  # fmt: skip
    side_car = staged(noise(700, 5), [(477, b"x", Phase.LINK), (690, b"y", Phase.LINK)])
    return change_of({DISK: disk, SIDE_CAR: side_car}, keep=keep, watched={DISK: (WATCHED,)})


def reopened() -> Change:
    """Sectors are written several times, as the headers and the tables of a VHDX are; the disk ends in mid-sector."""
    interims = []
    for seed, (slot, phase) in enumerate(
        [(0, Phase.OPEN_FIRST), (1, Phase.OPEN_SECOND), (0, Phase.LOGGED_FIRST), (1, Phase.LOGGED_SECOND)]
    ):
        interims.append((slot * 1024, noise(1024, 20 + seed), phase))
    interims += [
        (2048, noise(512, 30), Phase.REPLAY),  # replayed only
        (2560, noise(1024, 31), Phase.REPLAY),  # and a part of it is changed afterwards
        (5632, noise(1536, 32), Phase.REPLAY),  # over the old end
        (6144, noise(1024, 33), Phase.LOG),
    ]
    writes = [
        (0, noise(1024, 40), Phase.CLOSE_FIRST),
        (1024, noise(1000, 41), Phase.CLOSE_SECOND),
        (2600, b"claim", Phase.CLAIM),
        (6048, noise(700, 42), Phase.LINK),
        (7248, noise(100, 43), Phase.DATA),
    ]
    disk = staged(noise(6244, 1), writes, grow=1500, interims=interims)
    side_car = staged(noise(700, 5), [(690, b"y", Phase.LINK)], interims=[(512, noise(188, 6), Phase.DATA)])
    return change_of({DISK: disk, SIDE_CAR: side_car}, watched={DISK: ((4608, 512),)})


@st.composite
def changes(draw: st.DrawFn) -> Change:
    files = {}
    for number, path in enumerate([DISK, SIDE_CAR][: draw(st.integers(1, 2))]):
        old = noise(draw(st.integers(0, 2600)), number)
        grow = draw(st.sampled_from([0, 0, 1, 500, 512, 1700]))
        size = len(old) + grow
        writes, interims = [], []
        for seed in range(draw(st.sampled_from([0, 0, 1, 4]))):
            offset = draw(st.integers(0, size // 512)) * 512
            length = min(draw(st.sampled_from([512, 1536])), size - offset)
            interims.append((offset, noise(length, 200 + seed), draw(st.sampled_from(Phase))))
        for seed in range(draw(st.integers(0, 4))):
            offset = draw(st.integers(0, size))
            length = min(draw(st.sampled_from([1, 100, 512, 1500])), size - offset)
            data = draw(st.sampled_from([bytes(length), noise(length, 100 + seed)]))
            writes.append((offset, data, draw(st.sampled_from(Phase))))
        files[path] = staged(old, writes, grow, interims)
    change = change_of(files, keep=draw(st.booleans()))
    assume(change.before != change.after)
    return change


def io_error() -> OSError:
    return OSError(errno.EIO, "Input/output error")


def full() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


def interrupted(change: Change) -> list[Files]:
    """States in which a change is pending, from the first write to the last."""
    states = []
    for call in change.calls():
        system = SimulatedFileSystem(change.start, at(call.number))
        with pytest.raises(PowerCut):
            change.run(system)
        left = system.files()
        if pending(left) is not None:
            states.append(left)
    return states


def changed(files: Files, path: str, data: bytes, *, time: bool = True) -> Files:
    return {**files, path: File(data, files[path].time + (1 if time else 0))}


def places(journal: Journal) -> list[tuple[str, int]]:
    """A byte of every sector that the change writes and of what it watches."""
    found = [((DISK, SIDE_CAR)[watch.file], watch.offset + 100) for watch in journal.watches]
    for record in journal.records:
        end = record.offset + max(len(record.before), record.length)
        found += [((DISK, SIDE_CAR)[record.file], at + 3) for at in range(record.offset, end, 512)]
    return found

"""Changes of any two files, interrupted everywhere."""

from __future__ import annotations

import errno
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.build.vhd import noise
from tests.crash.matrix import DISK, SIDE_CAR, Change, check_failures, check_power_cuts
from tests.crash.simulated import Call, SimulatedFileSystem, Vanished, at
from vdiskkit.io import BytesSource
from vdiskkit.patch.staging import Phase, StagedFile

if TYPE_CHECKING:
    from collections.abc import Callable

Write = tuple[int, bytes, Phase]


def staged(content: bytes, writes: list[Write], grow: int = 0) -> StagedFile:
    file = StagedFile(BytesSource(content))
    file.extend(len(content) + grow)
    for offset, data, phase in writes:
        file.write_at(offset, data, phase)
    return file


def pair() -> Change:
    """Both files change, the disk grows, every phase has something."""
    disk = staged(
        noise(4096, 1),
        [(4608, noise(512, 2), Phase.GROW), (4096, noise(300, 3), Phase.DATA), (1024, b"claim", Phase.CLAIM),
         (100, noise(1500, 4), Phase.LINK), (3000, bytes(600), Phase.RELEASE)],
        grow=1024,
    )  # fmt: skip
    side_car = staged(noise(700, 5), [(477, b"x", Phase.LINK), (690, b"y", Phase.LINK)])
    return Change.of({DISK: disk, SIDE_CAR: side_car}, watched={DISK: ((2048, 512),)})


@st.composite
def changes(draw: st.DrawFn) -> Change:
    files = {}
    for number, path in enumerate([DISK, SIDE_CAR][: draw(st.integers(1, 2))]):
        old = noise(draw(st.integers(0, 2600)), number)
        grow = draw(st.sampled_from([0, 0, 1, 500, 512, 1700]))
        size = len(old) + grow
        writes = []
        for seed in range(draw(st.integers(0, 4))):
            offset = draw(st.integers(0, size))
            length = min(draw(st.sampled_from([1, 100, 512, 1500])), size - offset)
            data = draw(st.sampled_from([bytes(length), noise(length, 100 + seed)]))
            writes.append((offset, data, draw(st.sampled_from(Phase))))
        files[path] = staged(old, writes, grow)
    change = Change.of(files, keep=draw(st.booleans()))
    assume(change.before != change.after)
    return change


@pytest.mark.parametrize("keep", [True, False])
def test_power_cuts_of_a_change_and_of_its_recovery(keep: bool) -> None:
    check_power_cuts(pair()._replace(keep=keep), random.Random(1), samples=6, nested=3)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes(), st.randoms(use_true_random=False))
def test_power_cuts_of_any_change(change: Change, choose: random.Random) -> None:
    check_power_cuts(change, choose, samples=4)


def calls_of(change: Change) -> list[Call]:
    system = SimulatedFileSystem(change.files())
    change.run(system)
    return system.calls


def io_error() -> OSError:
    return OSError(errno.EIO, "Input/output error")


def full() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("make", [io_error, full, Vanished, KeyboardInterrupt])
def test_every_call_may_fail(make: Callable[[], BaseException]) -> None:
    change = pair()
    for call in calls_of(change):
        for seed in range(4):
            choose = random.Random(seed)
            if make is KeyboardInterrupt:
                with pytest.raises(KeyboardInterrupt):
                    check_failures(change, at(call.number, make), choose)
                continue
            outcome = check_failures(change, at(call.number, make), choose, keep_flushed=seed == 0)
            assert outcome in {"PatchError", "RollbackFailedError"}

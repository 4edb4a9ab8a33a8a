"""Other programs read VHDX files that were written to at random, also those that were left half-way.

qemu-img checks logs and tables, and replays a log only when it may write; dissect reads right what does not cross
blocks; libvhdi reads chains.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import Phase as Step
from hypothesis import strategies as st

from tests.build.vhd import noise
from tests.build.vhdx import LOG_OFFSET, MIB, PAGE, build_vhdx, link_to
from tests.crash.test_vhdx import KINDS, LONG, leave_in_log, world
from tests.oracle.test_container_libvhdi import READ_CHAIN
from tests.oracle.tools import python_with, require
from tests.property.patch.test_vhdx_writes import Case, Write, applied, cases, content_of, open_disk, play, sectors
from vdiskkit.container.detect import Probe
from vdiskkit.container.dissect_view import read_with_dissect
from vdiskkit.container.vhdx.disk import VhdxDisk
from vdiskkit.io import FileSource, ReadBudget
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.oracle

Ranges = list[tuple[int, int]]
at_random = settings(
    max_examples=200 if LONG else 12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Step.explicit, Step.generate],
)
alone = cases().filter(lambda case: case.parent is None and open_disk(case.image, None).sector_size == 512)
"""qemu reads no others."""


def qemu(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([require("qemu-img"), *map(str, arguments)], check=False, capture_output=True, text=True)


def check(path: Path) -> None:
    """Let qemu-img find nothing to complain of, and nothing to replay."""
    done = qemu("check", "-f", "vhdx", "--output", "json", path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["check-errors"] == 0
    assert not {"corruptions", "leaks"} & found.keys()


def by_qemu(path: Path, ranges: Ranges) -> list[bytes]:
    target = path.with_suffix(".raw")
    done = qemu("convert", "-f", "vhdx", "-O", "raw", path, target)
    assert done.returncode == 0, done.stderr
    found = []
    with target.open("rb") as file:
        for at, length in ranges:
            file.seek(at)
            found.append(file.read(length))
    target.unlink()
    return found


def by_dissect(path: Path, ranges: Ranges) -> list[bytes]:
    with FileSource(str(path)) as source:
        read = read_with_dissect(source, VhdxDisk(Probe.of(source), None), ReadBudget(1 << 30, 1 << 20))
        assert read is not None
        return [read(at, length) for at, length in ranges]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("differencing")])
def test_whole_pages_of_the_table_and_pending_logs(tmp_path: Path, kind: str) -> None:
    """Blocks at the start of the table and of its pages, some of zeros; a log that was pending."""
    made = world(kind)
    played = made.played
    path = applied(made.case, played.changes, played.disk.staged.size).save(tmp_path / "disk.vhdx")
    check(path)
    assert by_qemu(path, played.ranges) == played.model
    assert by_dissect(path, played.ranges) == played.model


@at_random
@given(case=alone)
def test_what_was_written(tmp_path_factory: pytest.TempPathFactory, case: Case) -> None:
    played = play(case)
    if played.changes:
        image = applied(case, played.changes, played.disk.staged.size)
        path = image.save(tmp_path_factory.mktemp("random") / "disk.vhdx")
        check(path)
        assert by_qemu(path, played.ranges) == played.model
        assert by_dissect(path, played.ranges) == played.model
        path.unlink()


@at_random
@given(case=alone, data=st.data())
def test_a_file_that_was_left_half_way(
    tmp_path_factory: pytest.TempPathFactory, case: Case, data: st.DataObject
) -> None:
    """qemu finds it valid after any part of any phase, replays what is in its log, and reads what we read."""
    # Of a log that goes on at its start, qemu replays the last entries only: the sequence that it finds first.
    assume(case.image.read_at(LOG_OFFSET + 252 * PAGE, 4) != b"loge")
    played = play(case)
    phases = sorted({change.phase for change in played.changes})
    assume(phases)
    phase = data.draw(st.sampled_from(phases))
    earlier = [change for change in played.changes if change.phase < phase]
    pieces = [piece for change in played.changes if change.phase is phase for piece in sectors(change)]
    arrived = data.draw(st.lists(st.sampled_from(pieces), unique_by=lambda change: change.offset, max_size=40))
    image = applied(case, earlier + arrived, played.disk.staged.size)
    expected = content_of(image, None, played.ranges)
    path = image.save(tmp_path_factory.mktemp("half") / "disk.vhdx")
    logged = not played.disk.notes and not Phase.LOGGED_FIRST <= phase <= Phase.CLOSE_SECOND
    done = qemu("check", "-f", "vhdx", *([] if logged else ["-r", "all"]), path)
    assert done.returncode == 0, done.stdout + done.stderr
    check(path)
    assert by_qemu(path, played.ranges) == expected
    path.unlink()


@pytest.mark.parametrize("unit", [512, 4096])
def test_libvhdi_reads_a_chain_whose_log_was_pending(tmp_path: Path, unit: int) -> None:
    """In eights of sectors: within one byte of a bitmap libvhdi takes sectors for present that are not."""
    group, size = 8 * unit, 8 * MIB
    parent = build_vhdx("dynamic", size, 2 * MIB, {0: noise(4 * MIB, 8)}, sector_size=unit)
    content = {8 * group: noise(2 * group, 9), MIB + group: noise(group, 10)}
    child = build_vhdx("differencing", size, MIB, content, sector_size=unit, parent=link_to(parent, r".\disk.vhdx"))
    leave_in_log(child)
    writes = [
        Write(3 * group, noise(group, 1), Phase.LINK),
        Write(MIB - 2 * group, noise(5 * group, 2), Phase.DATA),
        Write(5 * MIB + 8 * group, noise(9 * group, 3), Phase.RELEASE),
        Write(size - group, noise(group, 4), Phase.CLAIM),
    ]
    case = Case(child, parent, writes)
    played = play(case)
    image = applied(case, played.changes, played.disk.staged.size)
    paths = [parent.save(tmp_path / "disk.vhdx"), image.save(tmp_path / "disk.1.avhdx")]
    target = tmp_path / "theirs.raw"
    subprocess.run([python_with("pyvhdi"), "-c", READ_CHAIN, target, *paths], check=True)
    assert [target.read_bytes()[at : at + length] for at, length in played.ranges] == played.model

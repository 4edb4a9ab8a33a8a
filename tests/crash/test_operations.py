"""Every operation on every kind of container, interrupted everywhere.

The writes are those that the operation plans on a whole vDisk. So that each of thousands of states is cheap, the files
are condensed to the sectors that matter: those that are written, those that are watched, and the ends.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.build import scenario
from tests.build.dirty_disk import dirty_disk, dirty_software
from tests.build.pair import write_pair
from tests.crash.matrix import DISK, SIDE_CAR, Change, change_by, check_failures, check_power_cuts, chooser, undo_of
from tests.crash.simulated import VanishedError, at
from tests.crash.sparse import Condensed, condense
from tests.effort import thorough_but
from vdiskkit.io import FileSource
from vdiskkit.patch import api
from vdiskkit.patch.operations import CreateKey, DeleteFile, DeleteKey, DeleteValue, SetPvpField, SetValue
from vdiskkit.patch.staging import FileChange
from vdiskkit.patch.transaction import FileEdit

if TYPE_CHECKING:
    from vdiskkit.patch.operations import Operation

SECTOR = 512
KEY = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform"
SKIP_REARM = SetValue(key=KEY, name="SkipRearm", type=4, data=b"\1\0\0\0")
TOKENS = DeleteFile(path=r"Windows\System32\spp\store\2.0\tokens.dat")
LICENSE_MODE = SetPvpField(field="license_mode", value="kms")
OPERATIONS: dict[str, tuple[Operation, ...]] = {
    "set-value": (SKIP_REARM,),
    "large-value": (SetValue(key=KEY, name="Large", type=3, data=bytes(range(256)) * 200),),
    "delete-value": (DeleteValue(key=r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion", name="ProductName"),),
    "create-key": (CreateKey(key=KEY + r"\New\Newer"),),
    "delete-key": (DeleteKey(key=KEY),),
    "delete-file": (TOKENS,),
    "side-car": (LICENSE_MODE,),
    "all": (SKIP_REARM, TOKENS, LICENSE_MODE),
}
PRIVATE = {"write_cache_type": 0, "license_mode": 0}
KINDS = ("fixed", "dynamic", "differencing")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A vDisk of each kind; the differencing one has nothing in it yet."""
    folder = tmp_path_factory.mktemp("disks")
    raw = scenario.windows_disk("win10")
    found = {kind: write_pair(folder, kind, raw, kind=kind, pvp=PRIVATE) for kind in ("fixed", "dynamic")}
    found["differencing"] = write_pair(
        folder, "base.1", raw, kind="differencing", pvp=PRIVATE, extension="avhd", parent_raw=raw,
        parent=write_pair(folder, "base", raw, pvp=PRIVATE),
    )  # fmt: skip
    return found


@pytest.fixture(scope="module", params=["vhd", "vhdx"])
def dirty(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vDisk whose SOFTWARE hive was not written back: longer with its logs, or in a VHDX with a log of its own."""
    folder = tmp_path_factory.mktemp("dirty")
    if request.param == "vhdx":
        return scenario.make("desk11", folder)
    return dirty_disk(folder, dirty_software(large=9000, split=1), side_car=PRIVATE)


def planned(path: Path, operations: tuple[Operation, ...]) -> Change:
    with api._opened(str(path), None, ()) as disk, api._staged(disk, operations, (), NOW, full=False) as stage:
        edits = stage.edits()
    by_name: dict[str, tuple[FileEdit, bytes]] = {}
    for edit in edits:
        name = SIDE_CAR if edit.path.endswith(".pvp") else DISK
        found = condensed(name, edit)
        by_name[name] = (found.edit, found.content)
    if DISK not in by_name:
        by_name = {DISK: (FileEdit(DISK, (), SECTOR, SECTOR), bytes(SECTOR)), **by_name}
    return change_by({name: by_name[name] for name in (DISK, SIDE_CAR) if name in by_name})


def condensed(name: str, edit: FileEdit) -> Condensed:
    with FileSource(edit.path) as source:
        return condense(name, edit, source)


@pytest.mark.parametrize("operation", thorough_but(OPERATIONS, "set-value"))
@pytest.mark.parametrize("kind", thorough_but(KINDS, "dynamic"))
def test_power_cuts(disks: dict[str, Path], kind: str, operation: str) -> None:
    change = planned(disks[kind], OPERATIONS[operation])
    check_power_cuts(change, chooser(1), samples=3, nested=1 if (kind, operation) == ("dynamic", "all") else 0)


@pytest.mark.thorough
@pytest.mark.parametrize("operation", ["create-key", "delete-key"])
def test_power_cuts_while_logs_are_replayed(dirty: Path, operation: str) -> None:
    change = planned(dirty, OPERATIONS[operation])
    check_power_cuts(change, chooser(1), samples=3)
    check_power_cuts(undo_of(change), chooser(2), samples=3)


@pytest.mark.thorough
@pytest.mark.parametrize("operation", ["all", "delete-key"])
def test_power_cuts_of_a_vhdx_that_was_switched_off(tmp_path: Path, operation: str) -> None:
    """Its own log and those of its hive are replayed, and new blocks are added, in one change."""
    change = planned(scenario.desk11(tmp_path), OPERATIONS[operation])
    check_power_cuts(change, chooser(1), samples=3, nested=1, nested_every=300)
    check_power_cuts(undo_of(change), chooser(2), samples=3)


@pytest.mark.parametrize("kind", thorough_but(KINDS, "dynamic"))
def test_power_cuts_of_undo(disks: dict[str, Path], kind: str) -> None:
    check_power_cuts(undo_of(planned(disks[kind], OPERATIONS["all"])), chooser(2), samples=3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_share_goes_away(disks: dict[str, Path], kind: str) -> None:
    change = planned(disks[kind], OPERATIONS["all"])
    for call in change.calls():
        outcome = check_failures(change, at(call.number, VanishedError), chooser(call.number))
        assert outcome in {"PatchError", "RollbackFailedError"}


def test_freed_clusters_are_watched(disks: dict[str, Path]) -> None:
    for kind in ("fixed", "dynamic"):
        with (
            api._opened(str(disks[kind]), None, ()) as disk,
            api._staged(disk, (TOKENS,), (), NOW, full=False) as stage,
        ):
            (edit,) = stage.edits()
            found = disk.volume.lookup(TOKENS.path)
            content = found.open().read_at(0, found.size)
        with Path(edit.path).open("rb") as file:
            watched = b""
            for offset, length in edit.watched:
                file.seek(offset)
                watched += file.read(length)
        assert watched[: len(content)] == content


def test_condensing_leaves_the_writes_as_they_are(disks: dict[str, Path]) -> None:
    with (
        api._opened(str(disks["differencing"]), None, ()) as disk,
        api._staged(disk, OPERATIONS["all"], (), NOW, full=False) as stage,
    ):
        edit = stage.edits()[0]
    new = condensed(DISK, edit).edit
    assert [change[1:] for change in new.changes] == [change[1:] for change in edit.changes]
    assert new.new_size > new.old_size
    assert isinstance(new.changes[0], FileChange)

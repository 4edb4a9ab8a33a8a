"""Planning and applying changes: the functions that scripts and the command line call."""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID, uuid4

from vdiskkit.container.identity import read_disk_id
from vdiskkit.errors import (
    CorruptStructureError,
    FormatError,
    InUseError,
    JournalPendingError,
    StalePlanError,
    UsageError,
)
from vdiskkit.events import absolute
from vdiskkit.io.paths import host_path, real_path
from vdiskkit.journal import journal_path, read_pending
from vdiskkit.location import Location
from vdiskkit.patch.children import notes_about
from vdiskkit.patch.files import RealFileSystem
from vdiskkit.patch.gates import FORCES, check_gates
from vdiskkit.patch.history import exclusive
from vdiskkit.patch.kms_prep import KmsPrep, kms_prep_operations
from vdiskkit.patch.operations import ReplayLogs, SetPvpField
from vdiskkit.patch.plan import Plan, SavedPlan, plan_digest
from vdiskkit.patch.replays import replay_operations
from vdiskkit.patch.stage import Stage
from vdiskkit.patch.told import Telling, tell_items, tell_plan
from vdiskkit.patch.transaction import FileEdit, Transaction
from vdiskkit.patch.verify import Expectation, expect, verify_applied, verify_staged
from vdiskkit.vdisk import open_vdisk

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from vdiskkit.licensing.facts import LicensingFacts
    from vdiskkit.patch.operations import Operation
    from vdiskkit.vdisk import VDisk

__all__ = ["PatchResult", "apply", "plan", "plan_kms_prep", "plan_replay"]


class PatchResult(NamedTuple):
    """What a change did.

    Attributes:
        plan: The plan that was carried out.
        written: Whether anything was written; False when everything was as asked already.
        journal: The kept journal, with which the change can be taken back; None when none was kept.
        change_id: Id of the change; None when nothing was written.
    """

    plan: Plan
    written: bool
    journal: str | None
    change_id: UUID | None

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON types."""
        return {
            "written": self.written,
            "journal": self.journal,
            "change_id": str(self.change_id) if self.change_id is not None else None,
            "plan": self.plan.to_dict(),
        }


def plan(
    path: str | os.PathLike[str],
    operations: Sequence[Operation],
    *,
    force: Collection[str] = (),
    volume: int | None = None,
    parent_dirs: Sequence[str | os.PathLike[str]] = (),
    notes: Sequence[str] = (),
    full_check: bool = False,
    now: datetime | None = None,
) -> Plan:
    """Plan operations on a disk and its side-car; nothing is written.

    Args:
        path: The disk, or its side-car.
        operations: What to do, see :mod:`vdiskkit.patch.operations`.
        force: Gates that a person judged: ``lok``, ``standard-mode``, ``mode``, ``boot-file``.
        volume: Partition, None for the one with Windows.
        parent_dirs: Folders in which parents of a differencing disk are looked for.
        notes: What to tell about the consequences besides.
        full_check: Walk the whole hives and the whole volume after staging, not only what was touched.
        now: The time that changed keys and fields get.

    Raises:
        StateError: The state of the disk forbids it.
        WriteRefusedError: An operation is not provably safe.
        NotFoundError: Something to change does not exist.
        VerifyFailedError: What was staged is not what was asked for.
    """
    with _opened(path, volume, parent_dirs) as disk:
        return _plan_opened(disk, operations, force, volume, now, notes, full=full_check)


def plan_kms_prep(
    path: str | os.PathLike[str],
    *,
    skip_rearm: int | str | None = None,
    kms_host: str | None = None,
    kms_port: int | str | None = None,
    remove_tokens: bool = False,
    office: bool = False,
    force: Collection[str] = (),
    volume: int | None = None,
    parent_dirs: Sequence[str | os.PathLike[str]] = (),
    full_check: bool = False,
    now: datetime | None = None,
) -> Plan:
    """Plan the preparation of an image for KMS; nothing is written.

    Args:
        path: The disk, or its side-car.
        skip_rearm: 0, 1, or ``"absent"``; None leaves it as it is.
        kms_host: KMS host name or address, or ``"absent"`` (found by DNS).
        kms_port: TCP port, or ``"absent"`` (1688).
        remove_tokens: Remove ``tokens.dat`` and ``cache.dat`` from every Windows token store.
        office: Include Office's own licensing service and the views that Office reads.
        force: Gates that a person judged: ``lok``, ``standard-mode``.
        volume: Partition, None for the one with Windows.
        parent_dirs: Folders in which parents of a differencing disk are looked for.
        full_check: Walk the whole hives and the whole volume after staging, not only what was touched.
        now: The time that changed keys get.

    Raises:
        VDiskError: See :func:`plan`.
    """
    wanted = KmsPrep(skip_rearm, kms_host, kms_port, remove_tokens, office)
    with _opened(path, volume, parent_dirs) as disk:
        licensing, unread = _licensing(disk)
        operations, notes = kms_prep_operations(wanted, licensing)
        if remove_tokens and unread:
            raise CorruptStructureError(
                f"whether every token store can be removed is not known: {unread[0]}",
                location=disk.volume.location,
                hint="check the volume in Windows (chkdsk), or leave the token stores out",
            )
        return _plan_opened(disk, operations, force, volume, now, notes, full=full_check)


def plan_replay(
    path: str | os.PathLike[str],
    *,
    force: Collection[str] = (),
    volume: int | None = None,
    parent_dirs: Sequence[str | os.PathLike[str]] = (),
    full_check: bool = False,
    now: datetime | None = None,
) -> Plan:
    """Plan to replay every log that waits: that of a VHDX, and those of the image's hives; nothing is written.

    A hive whose logs cannot be replayed is left as it is, and a note of the plan says so. So are all hives of a volume
    that must not be changed, when the log of the VHDX can be replayed at least: it lies below the volume.

    Args:
        path: The disk, or its side-car.
        force: Gates that a person judged: ``lok``, ``standard-mode``.
        volume: Partition, None for the one with Windows.
        parent_dirs: Folders in which parents of a differencing disk are looked for.
        full_check: Walk the whole hives and the whole volume after staging, not only what was touched.
        now: The time that the hives get.

    Raises:
        VDiskError: See :func:`plan`.
    """
    with _opened(path, volume, parent_dirs) as disk:
        operations, notes = replay_operations(disk)
        return _plan_opened(disk, operations, force, volume, now, notes, full=full_check)


def apply(
    planned: Plan | SavedPlan,
    *,
    keep_undo: bool = True,
    parent_dirs: Sequence[str | os.PathLike[str]] = (),
    full_check: bool = False,
    progress: Callable[[str], None] | None = None,
) -> PatchResult:
    """Carry a plan out: derive its writes anew, compare them with the plan's, journal, write, verify.

    Args:
        planned: The plan, as made or as loaded from a file.
        keep_undo: Keep the journal so that the change can be taken back.
        parent_dirs: Folders in which parents of a differencing disk are looked for.
        full_check: Walk the whole hives and the whole volume after staging.
        progress: Called with the name of each step.

    Raises:
        StalePlanError: The disk is not what it was when the plan was made.
        PatchError: It failed and was rolled back.
        VDiskError: See :func:`plan`.
    """
    with exclusive(_disk_path(planned.path)):
        # Everything opened for planning is closed before writing: Windows then lets nobody else open the file at all.
        with (
            _opened(planned.path, planned.volume, parent_dirs, locked=True) as disk,
            _staged(disk, planned.operations, planned.forced, planned.now, full=full_check) as stage,
        ):
            edits = stage.edits()
            _check_same_disk(planned, _disk_id(disk))
            # Nothing to write is never stale: the change was made already.
            if edits and plan_digest(edits) != planned.digest:
                raise StalePlanError(
                    "the disk or its side-car is not what it was when the plan was made",
                    location=Location(planned.path),
                    hint="make the plan again and look at it",
                )
            made = _plan(
                disk, planned.operations, planned.forced, planned.volume, planned.now, stage, edits, planned.notes
            )
            expected = expect(disk, stage, planned.operations)
        if not edits:
            tell_plan(made)
            return PatchResult(made, written=False, journal=None, change_id=None)
        change_id = uuid4()
        told = Telling("change", made.path, change_id, digest=made.digest, forced=made.forced, bytes=made.bytes_written)
        with told:
            journal = _run(made, edits, expected, change_id, keep=keep_undo, progress=told.steps(progress))
        tell_items("change.item", made.changes, disk=absolute(made.path), change=str(change_id))
        told.done(digest=made.digest, journal=absolute(journal) if journal is not None else None)
    return PatchResult(made, written=True, journal=journal, change_id=change_id)


def _disk_id(disk: VDisk) -> str | None:
    try:
        return read_disk_id(disk.file)
    except FormatError:
        return None  # the container is damaged, which has a gate of its own


def _check_same_disk(planned: Plan | SavedPlan, disk_id: str | None) -> None:
    if planned.disk_id is not None and planned.disk_id != disk_id:
        raise StalePlanError(
            f"this is another disk than the one that was planned for: its id is {disk_id}, not {planned.disk_id}",
            location=Location(planned.path),
            hint="make a plan for this disk and look at it",
        )


def _run(
    made: Plan,
    edits: Sequence[FileEdit],
    expected: Expectation,
    change_id: UUID,
    *,
    keep: bool,
    progress: Callable[[str], None],
) -> str | None:
    about = {
        "summary": "; ".join(str(operation) for operation in made.operations)[:2000],
        "changes": [change.to_dict() for change in made.changes],
        "made": made.now.isoformat(),
        "disk_id": made.disk_id,
    }
    # The journal lies beside the disk under its name, so the disk comes first even when only the side-car changes.
    if edits[0].path != made.path:
        size = os.stat(host_path(made.path).opened).st_size
        edits = [FileEdit(made.path, (), size, size), *edits]
    transaction = Transaction(
        edits,
        about,
        change_id=change_id,
        system=RealFileSystem(),
        verify=lambda files: verify_applied(expected, files),
    )
    return transaction.run(keep=keep, progress=progress)


def _licensing(disk: VDisk) -> tuple[LicensingFacts | None, list[str]]:
    """What is known of the licensing of the image, and which parts of token stores cannot be read.

    A whole inspection would cost three times as much.
    """
    from vdiskkit.facts import NoticeLog
    from vdiskkit.licensing.gather import read_licensing
    from vdiskkit.windows.details import read_windows

    log = NoticeLog()
    licensing = read_licensing(disk.windows, read_windows(disk.windows, log), log)
    return licensing, [notice.message for notice in log.notices() if notice.code == "licensing.store_unreadable"]


def _plan_opened(
    disk: VDisk,
    operations: Sequence[Operation],
    force: Collection[str],
    volume: int | None,
    now: datetime | None,
    notes: Sequence[str],
    *,
    full: bool,
) -> Plan:
    now = now or datetime.now(UTC)
    with _staged(disk, operations, force, now, full=full) as stage:
        made = _plan(disk, operations, force, volume, now, stage, stage.edits(), notes)
    tell_plan(made)
    return made


def _plan(
    disk: VDisk,
    operations: Sequence[Operation],
    force: Collection[str],
    volume: int | None,
    now: datetime,
    stage: Stage,
    edits: Sequence[FileEdit],
    notes: Sequence[str],
) -> Plan:
    return Plan(
        disk.path or "",
        operations,
        forced=tuple(force),
        volume=volume,
        now=now,
        changes=stage.changes,
        notes=(*notes, *stage.notes),
        edits=edits,
        allocations=stage.writable.allocations if stage.writable is not None else (),
        disk_id=_disk_id(disk),
        partition=stage.partition,
        control_set=stage.control_set,
    )


@contextlib.contextmanager
def _opened(
    path: str | os.PathLike[str],
    volume: int | None,
    parent_dirs: Sequence[str | os.PathLike[str]],
    *,
    locked: bool = False,
) -> Iterator[VDisk]:
    """Open the disk as it is; ``locked`` says that this process keeps all others from changing it."""
    try:
        opened = open_vdisk(path, volume=volume, parent_dirs=parent_dirs)
    except InUseError:
        if not locked:
            with exclusive(_disk_path(os.fspath(path))):  # says so when it is another vdiskkit
                pass
        raise
    with opened as disk:
        if disk.path is not None and read_pending(disk.path) is not None:
            if not locked:
                _check_nobody_writes(disk.path)
            raise JournalPendingError(
                "an earlier change of this disk was interrupted",
                location=Location(journal_path(disk.path)),
                hint="run `recover` on the disk first",
            )
        yield disk


def _check_nobody_writes(path: str) -> None:
    """Raise when a journal is that of a change under way in another process, not of one that was interrupted."""
    with exclusive(path):
        if read_pending(path) is None:
            raise InUseError(
                "another vdiskkit has just changed this disk",
                location=Location(path),
                hint="look at it, then try again",
            )


@contextlib.contextmanager
def _staged(
    disk: VDisk, operations: Sequence[Operation], force: Collection[str], now: datetime, *, full: bool
) -> Iterator[Stage]:
    unknown = [name for name in force if name not in FORCES]
    if unknown:
        raise UsageError(f"there is no gate {unknown[0]!r} to force", hint=f"gates: {', '.join(FORCES)}")
    on_disk = [operation for operation in operations if not isinstance(operation, SetPvpField)]
    in_volume = any(not isinstance(operation, ReplayLogs) or operation.hive for operation in on_disk)
    check_gates(disk, edits_disk=bool(on_disk), edits_volume=in_volume, forced=force)
    with Stage(disk, now=now, forced=force) as stage:
        if on_disk and disk.path is not None:
            stage.notes += notes_about(disk.path)
        stage.run(operations)
        verify_staged(disk, stage, operations, full=full)
        yield stage


def _disk_path(path: str) -> str:
    if path.lower().endswith(".pvp"):
        from vdiskkit.pair import disk_for_sidecar

        path = disk_for_sidecar(path)
    return real_path(path)

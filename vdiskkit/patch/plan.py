"""A plan: operations, what they change in the user's words, and the sectors they would write.

A plan can be shown, saved, and applied elsewhere. The saved form holds the operations, the time used for time stamps,
and a digest of the writes; applying derives the writes anew and refuses when they are not the planned ones.
"""

from __future__ import annotations

import json
import os
from datetime import datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

from vdiskkit.errors import SourceError, UsageError
from vdiskkit.events import absolute, tell
from vdiskkit.io.opening import create_private, open_shared
from vdiskkit.io.paths import host_path
from vdiskkit.io.textinput import decode_input
from vdiskkit.journal import journal_path
from vdiskkit.journal.format import BODY_OFFSET, SECTOR
from vdiskkit.location import Location
from vdiskkit.patch.operations import operation_from_dict
from vdiskkit.text import displayable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdiskkit.patch.container.vhd import BlockAllocation
    from vdiskkit.patch.operations import Operation
    from vdiskkit.patch.stage import SemanticChange
    from vdiskkit.patch.staging import FileChange
    from vdiskkit.patch.transaction import FileEdit

__all__ = ["FileRange", "Plan", "load_plan", "plan_digest"]

_SCHEMA = "vdiskkit.plan/1"
_LARGEST_PLAN = 128 * 1024 * 1024
"""Bytes of a plan that are read, which takes several times as much memory: 300,000 values, about."""


class FileRange(NamedTuple):
    """A range of a file that is written, and in which phase."""

    file: str
    offset: int
    length: int
    phase: str


class Plan:
    """What a change would do; nothing is written yet.

    Attributes:
        path: The disk.
        disk_id: Its id: the unique id of a VHD, the virtual disk id of a VHDX; None for a disk without one.
        operations: The operations.
        forced: Gates that were forced.
        volume: Chosen partition, None for the one with Windows.
        partition: The partition that is changed, chosen or found; None when no volume is.
        control_set: The control set that Windows starts with next, which is the one that ``CurrentControlSet`` means;
            None when no hive is changed, or when it is not known.
        now: The time that changed keys and fields get.
        changes: What changes, in the user's words; empty when everything is as asked already.
        notes: What the user should know about the consequences.
        ranges: The ranges of the files that are written.
        allocations: Blocks that are added to a dynamic or differencing disk.
        bytes_written: Bytes of these ranges.
        growth: Bytes by which the files grow.
        journal_bytes: About how long the journal will be.
        digest: Digest of the writes, which identifies the plan.
    """

    def __init__(
        self,
        path: str,
        operations: Sequence[Operation],
        *,
        forced: Sequence[str],
        volume: int | None,
        now: datetime,
        changes: Sequence[SemanticChange],
        notes: Sequence[str],
        edits: Sequence[FileEdit],
        allocations: Sequence[BlockAllocation] = (),
        disk_id: str | None = None,
        partition: int | None = None,
        control_set: int | None = None,
    ) -> None:
        self.path = path
        self.disk_id = disk_id
        self.partition = partition
        self.control_set = control_set
        self.operations = tuple(operations)
        self.forced = tuple(forced)
        self.volume = volume
        self.now = now
        self.changes = tuple(changes)
        self.notes = tuple(dict.fromkeys(notes))
        self.allocations = tuple(allocations)
        self.ranges = tuple(
            FileRange(edit.path, change.offset, len(change.after), change.phase.name.lower())
            for edit in edits
            for change in edit.changes
        )
        self.bytes_written = sum(item.length for item in self.ranges)
        self.growth = sum(edit.new_size - edit.old_size for edit in edits)
        self.journal_bytes = BODY_OFFSET + sum(journal_bytes(edit.changes) for edit in edits)
        self.digest = plan_digest(edits)

    @property
    def id(self) -> str:
        """The first characters of the digest, for people."""
        return self.digest[:8]

    @property
    def journal(self) -> str:
        """Path of the journal while the plan is carried out."""
        return journal_path(self.path)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.ranges and not self.growth

    @property
    def place(self) -> str:
        """Which Windows on the disk is changed, in words; empty when no volume is."""
        if self.partition is None:
            return ""
        return f"partition {self.partition}" + (f", ControlSet{self.control_set:03d}" if self.control_set else "")

    def describe(self) -> str:
        """Return the plan as text, one line for each change."""
        if self.empty:
            return "nothing to do: everything is as asked already"
        lines = [f"plan {self.id} for {displayable(self.path)}"]
        if self.disk_id is not None:
            lines.append(f"  disk id  {self.disk_id}")
        if self.place:
            lines.append(f"  in  {self.place}")
        for number, change in enumerate(self.changes, start=1):
            lines.append(f"  {number}  {_line(change)}")
        lines += [f"  note  {displayable(note)}" for note in self.notes]
        if self.forced:
            lines.append(f"  forced  {', '.join(self.forced)}")
        grows = f", the file grows by {self.growth} bytes" if self.growth else ""
        lines.append(f"  writes  {self.bytes_written} bytes in {len(self.ranges)} ranges{grows}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON types; the form that is saved."""
        return {
            "schema": _SCHEMA,
            "path": self.path,
            "disk_id": self.disk_id,
            "volume": self.volume,
            "partition": self.partition,
            "control_set": self.control_set,
            "forced": list(self.forced),
            "now": self.now.isoformat(),
            "operations": [operation.to_dict() for operation in self.operations],
            "changes": [change.to_dict() for change in self.changes],
            "notes": list(self.notes),
            "ranges": [item._asdict() for item in self.ranges],
            "allocations": [item._asdict() for item in self.allocations],
            "bytes_written": self.bytes_written,
            "growth": self.growth,
            "journal_bytes": self.journal_bytes,
            "digest": self.digest,
        }

    def save(self, path: str) -> None:
        """Write the plan to a file that only its owner may read, as it can hold keys.

        The disk is named by its whole path there, so that the plan can be applied from another folder.

        Raises:
            SourceError: The file cannot be written, or is there already.
            UsageError: The plan is too large.
        """
        text = json.dumps({**self.to_dict(), "path": os.path.abspath(self.path)}, indent=1) + "\n"
        if len(text) > _LARGEST_PLAN:
            raise UsageError(
                f"the plan is too large to be saved: {len(text)} bytes, and no more than {_LARGEST_PLAN} are read",
                location=Location(path),
                hint="make the change in parts",
            )
        try:
            with open(create_private(host_path(path).opened), "w", encoding="ascii", newline="\n") as file:
                file.write(text)
        except OSError as exc:
            raise SourceError(f"the plan cannot be saved: {exc.strerror or exc}", location=Location(path)) from exc
        tell("patch", "plan.saved", disk=absolute(self.path), digest=self.digest, file=absolute(path))


class SavedPlan(NamedTuple):
    """What a plan file says, as far as it is believed: everything but the writes, which are derived anew."""

    path: str
    operations: tuple[Operation, ...]
    forced: tuple[str, ...]
    volume: int | None
    now: datetime
    digest: str
    notes: tuple[str, ...] = ()
    disk_id: str | None = None


def load_plan(path: str) -> SavedPlan:
    """Read a saved plan.

    Raises:
        SourceError: The file cannot be read.
        UsageError: It is no plan of this version.
    """
    try:
        with open(open_shared(host_path(path).opened), "rb") as file:
            data = file.read(_LARGEST_PLAN + 1)
    except OSError as exc:
        raise SourceError(f"the plan cannot be read: {exc.strerror or exc}", location=Location(path)) from exc
    if len(data) > _LARGEST_PLAN:
        raise _no_plan(path, "it is too large")
    text = decode_input(data, path)  # whoever looked at a plan may have saved it in another encoding
    try:
        saved = _parse(text)
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise _no_plan(path, exc) from exc
    tell("patch", "plan.loaded", file=absolute(path), disk=absolute(saved.path), digest=saved.digest)
    return saved


def _no_plan(path: str, why: object) -> UsageError:
    return UsageError(
        f"this is no plan: {displayable(str(why), 200)}", location=Location(path), hint="make one with --plan-out"
    )


def _parse(text: str) -> SavedPlan:
    plan = json.loads(text)
    if plan["schema"] != _SCHEMA:
        raise ValueError(f"its schema is {plan['schema']!r}, not {_SCHEMA}")
    volume, now = plan["volume"], datetime.fromisoformat(plan["now"])
    if not (volume is None or isinstance(volume, int)) or now.tzinfo is None:
        raise ValueError("its volume or time is malformed")
    disk_id = plan.get("disk_id")  # plans of earlier versions name none
    if not (disk_id is None or isinstance(disk_id, str)):
        raise ValueError("its disk id is malformed")
    return SavedPlan(
        str(plan["path"]),
        tuple(operation_from_dict(item) for item in plan["operations"]),
        tuple(str(item) for item in plan["forced"]),
        volume,
        now,
        str(plan["digest"]),
        tuple(str(item) for item in plan["notes"]),
        disk_id,
    )


def plan_digest(edits: Sequence[FileEdit]) -> str:
    """Return a digest over everything that would be written, and what must be there before."""
    state = blake2b(digest_size=20)
    for edit in edits:
        name = os.path.basename(edit.path)
        state.update(f"{name}\0{edit.old_size}\0{edit.new_size}\0".encode("utf-8", "surrogatepass"))
        for change in edit.changes:
            state.update(f"{change.offset}\0{len(change.before)}\0{len(change.after)}\0{change.phase.value}\0".encode())
            state.update(change.before)
            state.update(change.after)
    return state.hexdigest()


def journal_bytes(changes: Sequence[FileChange]) -> int:
    """Return about how many bytes of a journal some changes take: what was there, and a digest for each sector."""
    return sum(24 + len(change.before) + 16 * -(-len(change.after) // SECTOR) for change in changes)


def _line(change: SemanticChange) -> str:
    where = displayable(change.place)
    if change.kind == "file":
        return f"delete  {where} ({change.before})"
    if change.kind == "log":
        return f"replay  {where}: {displayable(change.before or '')}"
    if change.after is None:
        return f"delete  {where} (was {displayable(change.before or '')})"
    if change.kind == "key":
        return f"create  {where}"
    before = displayable(change.before) if change.before is not None else "absent"
    verb = "pvp" if change.kind == "pvp" else "set"
    return f"{verb}  {where}: {before} -> {displayable(change.after)}"

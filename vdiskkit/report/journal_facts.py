"""Changes of the past as results: schemas ``vdiskkit.journal/1``, ``vdiskkit.undo/1`` and ``vdiskkit.recover/1``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vdiskkit.facts import Facts
from vdiskkit.io.paths import host_path

if TYPE_CHECKING:
    from vdiskkit.patch.history import DamagedJournal, KeptChange, Recovery

__all__ = [
    "JournalChange",
    "JournalFileChange",
    "JournalItem",
    "JournalRange",
    "JournalResult",
    "RecoverResult",
    "UndoResult",
    "journal_change",
    "recover_result",
]

_KINDS = ("value", "key", "file", "log", "pvp")


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalItem(Facts):
    """One thing that the change did, in the user's words.

    Attributes:
        kind: ``value``, ``key``, ``file``, ``log`` or ``pvp``.
        where: Registry key, file path, or field of the side-car.
        name: Name of the value, empty for the default value; None for everything else.
        before: What was there, as text; None when there was nothing.
        after: What is there since, as text; None when nothing is.
    """

    kind: str
    where: str
    name: str | None
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalFileChange(Facts):
    """A file that the change wrote to.

    Attributes:
        name: File name, in the folder of the disk.
        old_size: Length before the change in bytes.
        new_size: Length after it in bytes.
        ranges: Number of ranges that were written.
        bytes_written: Bytes of these ranges.
    """

    name: str
    old_size: int
    new_size: int
    ranges: int
    bytes_written: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalRange(Facts):
    """A range of a file that was written.

    Attributes:
        file: File name.
        offset: First byte.
        length: Bytes.
        phase: When it was written: ``grow``, ``data``, ``claim``, ``link`` or ``release``; for a hive also
            ``hive_open``, ``hive_claim``, ``hive_link`` or ``hive_unlink``; for the headers and the log of a VHDX also
            ``open_first``, ``open_second``, ``replay``, ``replayed_first``, ``replayed_second``, ``log``,
            ``logged_first``, ``logged_second``, ``close_first`` or ``close_second``.
    """

    file: str
    offset: int
    length: int
    phase: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalChange(Facts):
    """One change.

    Attributes:
        id: Id of the change.
        state: ``committed``: done, and kept to be taken back; ``pending``: interrupted; ``undoing``: taking an
            earlier change back was interrupted; ``closing``: done, but interrupted before its journal was put away.
        made: When it was planned, UTC; None when the journal does not say.
        summary: What was asked for.
        journal: Path of the journal.
        journal_size: Its length in bytes, None when it is gone.
        items: What it did.
        files: The files that it wrote to.
        ranges: The ranges that it wrote; None in a list of changes.
    """

    id: str
    state: str
    made: datetime | None
    summary: str
    journal: str
    journal_size: int | None
    items: tuple[JournalItem, ...]
    files: tuple[JournalFileChange, ...]
    ranges: tuple[JournalRange, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableJournal(Facts):
    """A kept journal that cannot be read.

    Attributes:
        journal: Path of the journal.
        problem: Why.
    """

    journal: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalResult(Facts):
    """The history of a disk.

    Attributes:
        pending: The change that was interrupted and waits for ``recover``, None when there is none.
        changes: Changes that are kept to be taken back, the newest first; only the one that was asked for when one
            was.
        damaged: Kept journals that cannot be read, the newest first. Neither their changes nor those before them can be
            taken back.
    """

    pending: JournalChange | None
    changes: tuple[JournalChange, ...]
    damaged: tuple[UnreadableJournal, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoResult(Facts):
    """What ``undo`` did.

    Attributes:
        dry_run: Whether it was only checked.
        change: The change that was taken back, or could be.
    """

    dry_run: bool
    change: JournalChange


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverResult(Facts):
    """What ``recover`` did.

    Attributes:
        dry_run: Whether it was only checked.
        action: ``nothing`` (no journal was there), ``discarded`` (nothing had been written), ``rolled_back`` (the old
            state is back) or ``finished`` (the change was complete; its journal is kept).
        change: The change that was concerned, None when none was.
    """

    dry_run: bool
    action: str
    change: JournalChange | None


def journal_change(kept: KeptChange, *, with_ranges: bool = False) -> JournalChange:
    """What a journal says; what it says about its change for people is taken only as far as it makes sense."""
    from vdiskkit.journal import JOURNAL_SUFFIX, JournalState

    journal = kept.journal
    about = journal.about
    files = []
    for number, entry in enumerate(journal.files):
        lengths = [record.length for record in journal.records if record.file == number]
        files.append(
            JournalFileChange(
                name=entry.name,
                old_size=entry.old_size,
                new_size=entry.new_size,
                ranges=len(lengths),
                bytes_written=sum(lengths),
            )
        )
    state = "committed" if journal.state is JournalState.COMMITTED else "pending"
    if kept.path.endswith(JOURNAL_SUFFIX):
        state = "closing" if state == "committed" else "undoing" if "undoes" in about else "pending"
    return JournalChange(
        id=str(journal.id),
        state=state,
        made=_time(about.get("made")),
        summary=_text(about.get("summary")) or "",
        journal=kept.path,
        journal_size=_size(kept.path),
        items=_items(about.get("changes")),
        files=tuple(files),
        ranges=_ranges(kept) if with_ranges else None,
    )


def damaged_journal(found: DamagedJournal) -> UnreadableJournal:
    """What there is to say about a journal that cannot be read."""
    return UnreadableJournal(journal=found.path, problem=found.error.message)


def recover_result(recovery: Recovery, path: str, *, dry_run: bool) -> RecoverResult:
    """What recovery did, or would do."""
    from vdiskkit.patch.history import KeptChange

    change = journal_change(KeptChange(path, recovery.journal)) if recovery.journal is not None else None
    return RecoverResult(dry_run=dry_run, action=recovery.action.value, change=change)


def _ranges(kept: KeptChange) -> tuple[JournalRange, ...]:
    from vdiskkit.patch.staging import Phase

    names = {phase.value: phase.name.lower() for phase in Phase}
    return tuple(
        JournalRange(
            file=kept.journal.files[record.file].name,
            offset=record.offset,
            length=record.length,
            phase=names.get(record.phase, str(record.phase)),
        )
        for record in kept.journal.records
    )


def _items(changes: Any) -> tuple[JournalItem, ...]:  # noqa: ANN401 - JSON of a file
    if not isinstance(changes, list):
        return ()
    return tuple(
        JournalItem(
            kind=item["kind"],
            where=_text(item.get("where")) or "",
            name=_text(item.get("name")),
            before=_text(item.get("before")),
            after=_text(item.get("after")),
        )
        for item in changes
        if isinstance(item, Mapping) and item.get("kind") in _KINDS
    )


def _text(value: Any) -> str | None:  # noqa: ANN401 - JSON of a file
    return value if isinstance(value, str) else None


def _time(value: Any) -> datetime | None:  # noqa: ANN401 - JSON of a file
    try:
        made = datetime.fromisoformat(value)
        return made.astimezone(UTC) if made.tzinfo is not None else None
    except (TypeError, ValueError, OverflowError):
        return None


def _size(path: str) -> int | None:
    try:
        return Path(host_path(path).opened).stat().st_size
    except OSError:
        return None

"""One change of one or more files, all or nothing.

Order of work: the journal (bytes before, digests after) is written and flushed, then marked as armed; only then the
files are written, phase by phase with a flush between, read back and compared; then the journal is marked as committed
and kept to take the change back. Whatever fails before that mark is rolled back from the journal. A crash at any
instant leaves a journal from which :mod:`vdiskkit.patch.recovery` restores the old state.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

from vdiskkit.errors import (
    InUseError,
    JournalPendingError,
    PatchError,
    RollbackFailedError,
    StalePlanError,
    VDiskError,
    VerifyFailedError,
    WriteRefusedError,
)
from vdiskkit.journal import (
    Journal,
    JournalFile,
    JournalState,
    Record,
    Watch,
    build_body,
    build_state,
    journal_path,
    next_undo_path,
    sector_digests,
)
from vdiskkit.journal.checks import digest_of
from vdiskkit.journal.format import BODY_LIMIT, RECORD_LIMIT, STATE_OFFSET, Stamp, parse_journal
from vdiskkit.journal.places import paths_of
from vdiskkit.journal.versions import first_versions, uncovered
from vdiskkit.location import Location
from vdiskkit.patch.files import close_quietly, closed_quietly
from vdiskkit.patch.interrupts import Interrupts, interrupts
from vdiskkit.patch.kept import discard_journal, remove_journal, restamp_after_rollback, tidy
from vdiskkit.patch.recovery import roll_back

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from vdiskkit.patch.files import FileSystem, OpenFile
    from vdiskkit.patch.staging import FileChange, Phase

__all__ = ["FileEdit", "Transaction"]

_BLOCK = 4096
"""What file systems give at least where a hole is written to."""

_SPARE = 64 * 1024
"""Free bytes that are wanted besides what will be written."""


class FileEdit(NamedTuple):
    """What a change does to one file.

    Attributes:
        path: The file.
        changes: The sectors to write, in the order of writing.
        old_size: Length now.
        new_size: Length afterwards; what is cut off must be among the changes, as far as it is not zeros.
        watched: Ranges whose content must stay for the change to be taken back: offset, length.
    """

    path: str
    changes: Sequence[FileChange]
    old_size: int
    new_size: int
    watched: Sequence[tuple[int, int]] = ()


class Transaction:
    """A planned change, ready to be applied.

    Args:
        edits: The files; the disk first, as the journal lies beside it under its name.
        about: What the change is (JSON), for people and for recovery.
        change_id: Id of the change.
        system: Where the files lie.
        verify: Called with the written files; raises when the result is not what was asked for.
        settle: Called with the committed journal before it is removed or kept; must bear being called again.
        backwards: Whether the changes take earlier ones back, whose phases they bear: then the last phase is the first.
    """

    def __init__(
        self,
        edits: Sequence[FileEdit],
        about: dict[str, Any],
        *,
        change_id: UUID,
        system: FileSystem,
        verify: Callable[[Sequence[OpenFile]], None] | None = None,
        settle: Callable[[Journal], None] | None = None,
        backwards: bool = False,
    ) -> None:
        self._edits = tuple(edits)
        self._about = about
        self._id = change_id
        self._system = system
        self._verify = verify
        self._settle = settle
        self._backwards = backwards
        self.journal_path = journal_path(self._edits[0].path)

    def run(self, *, keep: bool = True, progress: Callable[[str], None] | None = None) -> str | None:
        """Apply the change.

        Args:
            keep: Keep the committed journal so that the change can be taken back.
            progress: Called with the name of each step.

        Returns:
            Path of the kept journal, None when it is not kept.

        Raises:
            StalePlanError: A file is not what it was when the change was planned. Nothing was touched.
            JournalPendingError: An earlier change waits for recovery. Nothing was touched.
            WriteRefusedError: The change is too large for a journal. Nothing was touched.
            PatchError: Something failed; the files are as they were before.
            RollbackFailedError: Something failed and so did rolling back; the journal waits.
        """
        with interrupts() as signals:
            return self._run(signals, progress or (lambda _step: None), keep=keep)

    def _run(self, signals: Interrupts, tell: Callable[[str], None], *, keep: bool) -> str | None:
        files: list[OpenFile] = []
        error: BaseException | None = None
        try:
            for edit in self._edits:
                files.append(self._system.open(edit.path))  # noqa: PERF401 - those opened must be closed on error
            tell("check")
            self._check_pending()
            self._check_name(keep=keep)
            journal = self._prepare(files)
            tell("journal")
            armed = self._arm(journal)
            try:
                self._apply(files, tell)
                signals.held = True
            except BaseException as exc:  # noqa: BLE001 - raised again when the files are as before
                signals.held = True
                error = exc
                close_quietly([armed])
                self._roll_back(files, journal, exc)
        finally:
            close_quietly(files)
        if error is not None:
            self._forget(journal, error)
            if isinstance(error, OSError | VDiskError):
                raise self._failed(error) from error
            raise error
        # The files are closed before their times are taken: some systems set the time when a file is closed.
        return self._commit(armed, journal, keep=keep)

    def _check_pending(self) -> None:
        try:
            waits = tidy(self._edits[0].path, self._system)
        except VDiskError:
            raise
        except OSError as exc:
            raise self._untouched(exc) from exc
        if waits:
            raise JournalPendingError(
                "an earlier change of this disk was interrupted",
                location=Location(self.journal_path),
                hint="run `recover` on the disk first",
            )

    def _check_name(self, *, keep: bool) -> None:
        """Find out before anything is written that the journal cannot be kept afterwards."""
        disk = self._edits[0].path
        try:
            longest = next_undo_path(disk, self._system) if keep else self.journal_path
        except VDiskError:
            raise
        except OSError as exc:
            raise self._untouched(exc) from exc
        if not self._system.fits(longest):
            name = self._system.paths.basename(longest)
            raise WriteRefusedError(
                f"the name of the disk is too long: its journal could not be called {name}",
                location=Location(disk),
                hint="nothing was changed; give the disk, its side-car and its journals a shorter name",
            )

    def _prepare(self, files: Sequence[OpenFile]) -> Journal:
        try:
            return self._journal(files)
        except VDiskError:
            raise
        except OSError as exc:
            raise self._untouched(exc) from exc

    def _journal(self, files: Sequence[OpenFile]) -> Journal:
        entries, records, watches = [], [], []
        growth = 0  # in bytes for which there is no space yet
        for number, (edit, file) in enumerate(zip(self._edits, files, strict=True)):
            size, time = self._system.stamp(edit.path)
            if size != edit.old_size or file.size() != edit.old_size:
                raise self._stale(edit.path, f"its length is {size}, it was {edit.old_size}")
            entries.append(JournalFile(self._system.paths.basename(edit.path), edit.old_size, edit.new_size, time))
            written = [_record(number, change) for change in edit.changes]
            for record in first_versions(written):
                if file.read_at(record.offset, len(record.before)) != record.before:
                    raise self._stale(edit.path, f"the bytes at {record.offset:#x} are other ones")
            records += written
            watches += [Watch(number, at, length, digest_of(file, at, length)) for at, length in edit.watched]
            growth += max(edit.new_size - edit.old_size, 0) + _filled(edit, file)
        journal = Journal(
            self._id, JournalState.WRITING, self._about, tuple(entries), tuple(records), tuple(watches), ()
        )
        self._check_space(journal, growth)
        return journal

    def _check_space(self, journal: Journal, growth: int) -> None:
        header, body = build_body(journal)
        length = len(body)
        needed = growth + length + _SPARE
        if length > BODY_LIMIT or max(len(journal.records), len(journal.watches)) > RECORD_LIMIT:
            raise WriteRefusedError(
                f"the change is too large to be taken back safely ({length} bytes of journal, "
                f"{len(journal.records)} ranges)",
                location=Location(self._edits[0].path),
                hint="make it in several smaller steps",
            )
        # What no recovery could read is found here, not after a crash.
        parse_journal(header + build_state(JournalState.ARMED) + body, Location(self.journal_path))
        paths_of(self._edits[0].path, journal, self._system)
        free = self._system.free_space(self._edits[0].path)
        if free is not None and free < needed:
            raise PatchError(
                f"there is not enough free space beside the disk: {needed} bytes are needed, {free} are free; "
                "nothing was changed",
                location=Location(self._edits[0].path),
                hint="free some space, or work on a copy elsewhere with --copy-to",
            )

    def _arm(self, journal: Journal) -> OpenFile:
        try:
            file = self._system.create(self.journal_path)
        except FileExistsError as exc:
            raise InUseError(
                "another change of this disk has just begun", location=Location(self.journal_path)
            ) from exc
        except OSError as exc:
            raise self._untouched(exc) from exc
        try:
            header, body = build_body(journal)
            # By itself, and first: whatever else of the journal arrives, it says that the change had not begun.
            file.write_at(STATE_OFFSET, build_state(JournalState.WRITING))
            file.flush()
            file.write_at(0, header + build_state(JournalState.WRITING) + body)
            file.flush()
            file.write_at(STATE_OFFSET, build_state(JournalState.ARMED))
            file.flush()
            self._system.flush_folder(self.journal_path)
        except BaseException as exc:
            # Should its removal not last, it must not come back as an armed one.
            with contextlib.suppress(OSError):
                file.write_at(STATE_OFFSET, build_state(JournalState.WRITING))
                file.flush()
            close_quietly([file])
            try:
                remove_journal(self.journal_path, self._system)
            except OSError as again:
                raise RollbackFailedError(
                    f"nothing was changed ({_text(exc)}), but the journal could not be removed ({_text(again)})",
                    location=Location(self.journal_path),
                    hint="when the disk or share is back, run `recover` on the disk",
                ) from exc
            if isinstance(exc, OSError):
                raise self._untouched(exc) from exc
            raise
        return file

    def _apply(self, files: Sequence[OpenFile], tell: Callable[[str], None]) -> None:
        tell("write")
        pairs = list(zip(self._edits, files, strict=True))
        for edit, file in pairs:
            if edit.new_size > edit.old_size:
                file.resize(edit.new_size)
        phases = {change.phase for edit in self._edits for change in edit.changes}
        for phase in sorted(phases, reverse=self._backwards):
            for edit, file in pairs:
                _write_phase(edit, file, phase)
        for edit, file in pairs:
            if edit.new_size < edit.old_size:
                file.resize(edit.new_size)
            if edit.new_size != edit.old_size:
                file.flush()
        tell("verify")
        for edit, file in pairs:
            _compare(edit, file)
        if self._verify is not None:
            self._verify(files)
        # Told here, where a callback that fails still has the change rolled back.
        tell("commit")

    def _roll_back(self, files: Sequence[OpenFile], journal: Journal, error: BaseException) -> None:
        try:
            roll_back(journal, files, [edit.path for edit in self._edits])
        except (OSError, VDiskError) as again:
            raise self._not_rolled_back(error, again) from error

    def _forget(self, journal: Journal, error: BaseException) -> None:
        """Remove the journal of a change that was rolled back."""
        paths = [edit.path for edit in self._edits]
        try:
            restamp_after_rollback(paths[0], journal, paths, self._system)
            discard_journal(self.journal_path, self._system)
        except (OSError, VDiskError) as again:
            raise self._not_rolled_back(error, again) from error

    def _not_rolled_back(self, error: BaseException, again: OSError | VDiskError) -> RollbackFailedError:
        return RollbackFailedError(
            f"the change failed ({_text(error)}), and rolling it back failed as well ({_text(again)})",
            location=Location(self.journal_path),
            hint="keep the journal; when the disk or share is back, run `recover` on the disk",
        )

    def _commit(self, armed: OpenFile, journal: Journal, *, keep: bool) -> str | None:
        try:
            # Closed before it gets another name or is removed: Windows does neither to a file that is open.
            with closed_quietly(armed):
                stamps = [Stamp(*self._system.stamp(edit.path)) for edit in self._edits]
                armed.write_at(STATE_OFFSET, build_state(JournalState.COMMITTED, stamps))
                armed.flush()
            if self._settle is not None:
                self._settle(journal._replace(state=JournalState.COMMITTED, stamps=tuple(stamps)))
            if not keep:
                remove_journal(self.journal_path, self._system)
                return None
            kept = next_undo_path(self._edits[0].path, self._system)
            self._system.rename(self.journal_path, kept)
            self._system.flush_folder(kept)
        except (OSError, VDiskError) as exc:
            raise RollbackFailedError(
                f"the files are changed and correct, but the journal could not be closed: {_text(exc)}",
                location=Location(self.journal_path),
                hint="run `recover` on the disk: it finishes the change or takes it back",
            ) from exc
        return kept

    def _failed(self, error: OSError | VDiskError) -> VDiskError:
        kind = type(error) if isinstance(error, PatchError) else PatchError
        return kind(
            f"the change failed and was rolled back: {_text(error)}",
            location=getattr(error, "location", None) or Location(self._edits[0].path),
            hint="the files are as they were before; mend the cause and try again",
        )

    def _untouched(self, error: OSError) -> PatchError:
        return PatchError(
            f"nothing was changed: {_text(error)}",
            location=Location(self._edits[0].path),
            hint="mend the cause and try again",
        )

    def _stale(self, path: str, why: str) -> StalePlanError:
        return StalePlanError(
            f"the file is not what it was when the change was planned: {why}",
            location=Location(path),
            hint="nothing was changed; plan the change again",
        )


def _filled(edit: FileEdit, file: OpenFile) -> int:
    """Return the bytes of holes that the writing fills."""
    blocks: set[int] = set()
    for change in edit.changes:
        blocks.update(range(change.offset // _BLOCK, -(-(change.offset + len(change.after)) // _BLOCK)))
    inside = (number for number in blocks if number * _BLOCK < edit.old_size)
    return _BLOCK * sum(
        file.is_hole(number * _BLOCK, min(_BLOCK, edit.old_size - number * _BLOCK)) for number in inside
    )


def _record(file: int, change: FileChange) -> Record:
    after = sector_digests(change.after)
    return Record(file, change.phase.value, change.offset, change.before, len(change.after), after)


def _write_phase(edit: FileEdit, file: OpenFile, phase: Phase) -> None:
    changes = [change for change in edit.changes if change.phase is phase]
    for change in changes:
        file.write_at(change.offset, change.after)
    if changes:
        file.flush()


def _compare(edit: FileEdit, file: OpenFile) -> None:
    if file.size() != edit.new_size:
        raise VerifyFailedError("the file has not the planned length", location=Location(edit.path))
    # Of a sector that was written several times, the last counts.
    changes = edit.changes[::-1]
    for number, start, end in uncovered([(change.offset, change.offset + len(change.after)) for change in changes]):
        wanted = changes[number].after[start - changes[number].offset : end - changes[number].offset]
        if file.read_at(start, len(wanted)) != wanted:
            where = Location(edit.path).at("byte", start)
            raise VerifyFailedError("what was read back is not what was written", location=where)


def _text(error: BaseException) -> str:
    return error.message if isinstance(error, VDiskError) else str(error) or type(error).__name__

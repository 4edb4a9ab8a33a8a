"""Changes of the past as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.report.layout import Row, moment, render, size_text
from vdiskkit.report.patch_text import change_row, range_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.report.journal_facts import JournalChange, JournalResult, RecoverResult, UndoResult
    from vdiskkit.report.style import Style

__all__ = ["journal_lines", "recover_lines", "undo_lines"]

_STATES = {
    "committed": "kept, can be taken back",
    "pending": "interrupted: run `recover`",
    "closing": "complete; `recover` puts its journal away",
    "undoing": "taking it back was interrupted: run `recover`",
}


def journal_lines(result: JournalResult, path: str, style: Style) -> list[str]:
    """Set the history of a disk as lines."""
    return render(_history(result, path), style)


def undo_lines(result: UndoResult, path: str, style: Style) -> list[str]:
    """Set what ``undo`` did as lines."""
    what = "can be taken back" if result.dry_run else "taken back"
    rows = [Row("undo", f"{path}: {what}", level=0), *_change(result.change, past=not result.dry_run)]
    rows.append(Row("result", "nothing written" if result.dry_run else "the files are as they were before the change"))
    return render(rows, style)


def recover_lines(result: RecoverResult, path: str, style: Style) -> list[str]:
    """Set what ``recover`` did as lines."""
    done = {
        "nothing": "nothing to recover: no change was interrupted",
        "discarded": "the change had not begun to write; its journal is removed",
        "rolled_back": "the files are as they were before the change",
        "finished": "the change is complete",
    }
    would = {
        "nothing": done["nothing"],
        "discarded": "the change had not begun to write; its journal would be removed",
        "rolled_back": "the files can be brought back to the state before the change",
        "finished": "the change can be finished",
    }
    rows = [Row("recover", f"{path}: {(would if result.dry_run else done)[result.action]}", level=0)]
    if result.change is not None:
        rows += _change(result.change, past=not result.dry_run)
    if result.dry_run:
        rows.append(Row("result", "nothing written"))
    return render(rows, style)


def _history(result: JournalResult, path: str) -> Iterator[Row]:
    changes = [*([result.pending] if result.pending is not None else []), *result.changes]
    count = len(changes)
    kept = f"{count} change{'s' * (count != 1)}" if count or result.damaged else "no change is kept"
    yield Row("journal", f"{path}: {kept}", level=0)
    for change in changes:
        yield from _change(change)
    for damaged in result.damaged:
        yield Row("damaged", f"{damaged.journal}: {damaged.problem}", "warning")


def _change(change: JournalChange, *, past: bool = False) -> Iterator[Row]:
    """One change; one of the past has no state and no journal any more."""
    yield Row("change", f"{change.id}, {moment(change.made)}", "plain")
    if not past:
        yield Row("state", _STATES.get(change.state, change.state), level=2)
    if change.items:
        for item in change.items:
            row = change_row(item.kind, item.where, item.name, item.before, item.after)
            yield row._replace(level=2)
    elif change.summary:
        yield Row("summary", change.summary, level=2)
    if change.ranges is not None:
        yield from range_rows(change.ranges, level=2)
    else:
        for file in change.files:
            if file.ranges or file.new_size != file.old_size:
                text = f"{file.name}: {file.bytes_written} bytes in {file.ranges} range{'s' * (file.ranges != 1)}"
                yield Row("writes", text, level=2)
    for file in change.files:
        if file.new_size != file.old_size:
            yield Row("length", f"{file.name}: {file.old_size} → {file.new_size} bytes", level=2)
    if change.journal_size is not None and not past:
        yield Row("file", f"{change.journal}, {size_text(change.journal_size)}", level=2)

"""A planned or finished change as text: what changes, in the user's words and in ranges of the files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.pair.listing import split
from vdiskkit.report.layout import Row, moment, render, size_text
from vdiskkit.text import displayable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Protocol

    from vdiskkit.patch.api import PatchResult
    from vdiskkit.patch.plan import Plan
    from vdiskkit.patch.stage import SemanticChange
    from vdiskkit.report.style import Style

    class Range(Protocol):
        """A range of a file that is or was written."""

        @property
        def file(self) -> str:
            """The file."""
            ...

        @property
        def offset(self) -> int:
            """First byte."""
            ...

        @property
        def length(self) -> int:
            """Bytes."""
            ...

        @property
        def phase(self) -> str:
            """When it is written."""
            ...


__all__ = ["answer_lines", "change_row", "range_rows"]

_SHOWN_RANGES = 16
_SHOWN_TEXT = 300
_SHOWN_PLACE = 1000


def answer_lines(
    plan: Plan,
    result: PatchResult | None,
    style: Style,
    *,
    saved_to: str | None = None,
    copied_to: str | None = None,
    asking: bool = False,
) -> list[str]:
    """Set a plan, or what came of it, as lines.

    Args:
        plan: The plan.
        result: What was done; None when it was only planned.
        style: What the place of the output can show.
        saved_to: Where the plan was saved.
        copied_to: The copy that was made and changed, or would be.
        asking: The lines stand before a question: ranges are left out, and nothing is said about the outcome.
    """
    return render(_rows(plan, result, saved_to, copied_to, asking=asking), style)


def change_row(kind: str, where: str, name: str | None, before: str | None, after: str | None) -> Row:
    """One change in the user's words."""
    place = displayable(where if name is None else f"{where}, {name or '(default)'}", limit=_SHOWN_PLACE)
    before = displayable(before, limit=_SHOWN_TEXT) if before is not None else None
    after = displayable(after, limit=_SHOWN_TEXT) if after is not None else None
    if kind == "file":
        return Row("delete", f"{place} ({before})")
    if kind == "log":
        return Row("replay", f"{place}: {before}")
    if after is None:
        return Row("delete", f"{place} (was {before})")
    if kind == "key":
        return Row("create", place)
    return Row("set" if kind == "value" else "pvp", f"{place}: {before if before is not None else 'absent'} → {after}")


def range_rows(ranges: Sequence[Range], *, level: int = 1) -> Iterator[Row]:
    """What is written in each file: a total, and the first ranges."""
    by_file: dict[str, list[Range]] = {}
    for item in ranges:
        by_file.setdefault(item.file, []).append(item)
    for file, items in by_file.items():
        total = sum(item.length for item in items)
        yield Row(
            "writes", f"{split(file)[1]}: {total} bytes in {len(items)} range{'s' * (len(items) > 1)}", level=level
        )
        for item in items[:_SHOWN_RANGES]:
            yield Row("range", f"{item.offset:#x}, {item.length} bytes ({item.phase})", level=level + 1)
        if len(items) > _SHOWN_RANGES:
            yield Row("range", f"and {len(items) - _SHOWN_RANGES} more; --json has all of them", level=level + 1)


def _rows(
    plan: Plan, result: PatchResult | None, saved_to: str | None, copied_to: str | None, *, asking: bool
) -> Iterable[Row]:
    written = result is not None and result.written
    if copied_to is not None:
        yield Row("copied" if result is not None else "copy", f"to {copied_to}", level=0)
    if plan.empty:
        yield Row("already so", plan.path, level=0)
    elif written and result is not None:
        yield Row("changed", f"{plan.path} (change {result.change_id})", level=0)
    else:
        yield Row("plan", f"{plan.id} for {plan.path}, {moment(plan.now)}", level=0)
        if plan.disk_id is not None:
            yield Row("disk id", plan.disk_id)
        if plan.place:
            yield Row("in", plan.place)
    yield from (_change(change) for change in plan.changes)
    yield from (Row("note", note) for note in plan.notes)
    if plan.forced:
        yield Row("forced", ", ".join(plan.forced))
    if not plan.empty:
        if asking:
            yield Row("writes", f"{plan.bytes_written} bytes in {len(plan.ranges)} ranges")
        else:
            yield from range_rows(plan.ranges)
        yield from _growth(plan)
    yield from _journal(plan, result)
    if saved_to is not None:
        yield Row("saved", f"the plan is in {saved_to}; `apply` carries it out")
    if not written and not asking:
        yield Row("result", "nothing to do, nothing written" if plan.empty else "nothing written")


def _change(change: SemanticChange) -> Row:
    return change_row(change.kind, change.where, change.name, change.before, change.after)


def _growth(plan: Plan) -> Iterator[Row]:
    for block in plan.allocations:
        yield Row("block", f"block {block.block} of the disk is added to the file at {block.file_offset:#x}")
    if plan.growth:
        yield Row("grows", f"the file by {plan.growth} bytes")


def _journal(plan: Plan, result: PatchResult | None) -> Iterator[Row]:
    if result is None:
        if not plan.empty:
            yield Row("journal", f"{split(plan.journal)[1]}, {size_text(plan.journal_bytes)}")
    elif result.journal is not None:
        yield Row("journal", f"kept at {result.journal}; `undo` takes the change back")
    elif result.written:
        yield Row("journal", "not kept: the change cannot be taken back")

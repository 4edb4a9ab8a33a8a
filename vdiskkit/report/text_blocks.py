"""The section on what a disk file holds of its disk, with a drawing of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vdiskkit.report.layout import Row, size_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.inspection.block_facts import BlockMapFacts, BlockStateFacts, PartitionUse
    from vdiskkit.inspection.facts import Inspection

__all__ = ["blocks"]

_CELLS: Final = 32
"""Characters of the drawing in one line: a power of two, so that lines begin at round places."""
_GROUP: Final = 8
_RANGES: Final = 12
"""Ranges listed; JSON has more."""
_READS: Final = {
    "file": "in this file",
    "parent": "the parent's",
    "zeros": "read as zeros",
    "file_and_parent": "in this file, some sectors the parent's",
}


def blocks(inspection: Inspection) -> Iterator[Row]:
    """The allocation map of the disk file."""
    facts = inspection.blocks
    if facts is None:
        return
    child = inspection.container.parent is not None
    total = inspection.container.virtual_size
    own = f"{size_text(facts.file_bytes)} ({_share(facts.file_bytes, total)}) in this file"
    others = []
    if child:
        others.append(f"{size_text(facts.parent_bytes)} ({_share(facts.parent_bytes, total)}) the parent's")
    others.append(f"{size_text(facts.zero_bytes)} ({_share(facts.zero_bytes, total)}) zeros")
    yield Row("blocks", f"of {size_text(total)} {own}, {', '.join(others)}")
    for state in facts.states:
        yield Row("state", _state(state), level=2)
    yield Row("file", _use(facts, inspection.container.file_size), level=2)
    if facts.fragments:
        pieces = "one piece" if facts.fragments == 1 else f"{facts.fragments} pieces"
        yield Row("order", f"read in the order of the disk, the blocks lie in {pieces}", level=2)
    yield from _picture(facts, child=child)
    yield from _ranges(facts, child=child)
    for part in facts.partitions:
        yield Row(
            "outside" if part.partition is None else f"partition {part.partition}", _part(part, child=child), level=2
        )
    for file in facts.files:
        if file.file_bytes and child:
            yield Row("holds", f"{size_text(file.file_bytes)} of {size_text(file.size)} of {file.path}", level=2)


def _state(state: BlockStateFacts) -> str:
    if not state.blocks:
        return f"no blocks: all {size_text(state.bytes)} {_READS[state.reads_as]}"
    name = state.state.replace("_", " ")
    return f"{state.blocks} {name}: {size_text(state.bytes)} {_READS[state.reads_as]}"


def _use(facts: BlockMapFacts, file_size: int) -> str:
    parts = [f"{size_text(facts.block_bytes)} blocks", f"{size_text(facts.structure_bytes)} structures"]
    if facts.unused_block_bytes:
        parts[0] += f" ({size_text(facts.unused_block_bytes)} of that unused)"
    if facts.unreferenced_bytes:
        share = _share(facts.unreferenced_bytes, file_size)
        parts.append(f"{size_text(facts.unreferenced_bytes)} ({share}) belonging to nothing")
    return f"{size_text(file_size)}: {', '.join(parts)}"


def _picture(facts: BlockMapFacts, *, child: bool) -> Iterator[Row]:
    parent = ", . the parent's" if child else ""
    cell = size_text(facts.cell_bytes)
    yield Row("map", f"{cell} a character: # at least half in this file, + some of it{parent}, - zeros", level=2)
    for at in range(0, len(facts.picture), _CELLS):
        line = facts.picture[at : at + _CELLS]
        groups = " ".join(line[start : start + _GROUP] for start in range(0, len(line), _GROUP))
        yield Row(f"  {size_text(at * facts.cell_bytes)}", groups, level=2)


def _ranges(facts: BlockMapFacts, *, child: bool) -> Iterator[Row]:
    what = "changed since the parent" if child else "allocated"
    count = f"{facts.range_count} range{'s' * (facts.range_count != 1)}"
    joined = f", here joined where less than {size_text(facts.joined_below)} lies between" if facts.joined_below else ""
    yield Row("ranges", f"{count} {what}{joined}", level=2)
    largest = sorted(facts.ranges, key=lambda item: -item.bytes)[:_RANGES]
    for item in sorted(largest, key=lambda item: item.offset):
        held = "" if item.bytes == item.length else f", {size_text(item.bytes)} of it in this file"
        yield Row(
            "  range", f"{item.offset:#x} to {item.offset + item.length:#x}, {size_text(item.length)}{held}", level=2
        )
    left = len(facts.ranges) - len(largest)
    if left > 0:
        yield Row("  range", f"the {len(largest)} largest are shown; JSON has all {len(facts.ranges)}", level=2)


def _part(part: PartitionUse, *, child: bool) -> str:
    parent = f", {size_text(part.parent_bytes)} the parent's" if child else ""
    return (
        f"{size_text(part.size)}: {size_text(part.file_bytes)} in this file{parent}, {size_text(part.zero_bytes)} zeros"
    )


def _share(part: int, whole: int) -> str:
    """A share in percent; only all is 100 %, and only nothing 0 %."""
    share = 100 * part / whole if whole else 0.0
    if part and share < 0.1:
        return "under 0.1 %"
    if part < whole and share > 99.9:
        return "over 99.9 %"
    return f"{share:.0f} %" if share < 0.1 or 10 <= share < 99.5 or part == whole else f"{share:.1f} %"

"""A guest file as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.report.layout import Row, moment, quoted, render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.ntfs.facts import FileFacts
    from vdiskkit.report.style import Style

__all__ = ["file_lines"]


def file_lines(facts: FileFacts, style: Style) -> list[str]:
    """Set what is known about a file as lines."""
    return render(_rows(facts), style)


def _rows(facts: FileFacts) -> Iterator[Row]:
    yield Row("directory" if facts.is_directory else "file", facts.path, level=0)
    if not facts.is_directory:
        yield Row("size", f"{facts.size} bytes, {facts.allocated_size} allocated")
    yield Row("stored", ", ".join(facts.storage) or "plainly")
    yield Row("attributes", ", ".join(facts.attributes) or "none")
    yield Row("created", moment(facts.created))
    yield Row("written", moment(facts.modified))
    yield Row("changed", moment(facts.changed))
    yield Row("accessed", moment(facts.accessed))
    yield Row("MFT record", f"{facts.record_number}, sequence number {facts.sequence_number}")
    if facts.reparse_tag is not None:
        target = f", leads to {quoted(facts.link_target)}" if facts.link_target is not None else ""
        yield Row("reparse point", f"{facts.reparse_tag}{target}")
    for path in facts.links:
        yield Row("name", path)
    for name in facts.short_names:
        yield Row("short name", name)
    for stream in facts.streams:
        if not stream.name:
            continue
        pieces = "" if stream.extents is None else f", {stream.extents} pieces"
        text = f"{quoted(stream.name)}, {stream.size} bytes, {stream.allocated_size} allocated{pieces}"
        yield Row("stream", text)

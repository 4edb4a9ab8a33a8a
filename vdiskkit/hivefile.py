"""A registry hive as a file of its own, outside any image."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, BinaryIO

from vdiskkit.io import GuardedSource, PageCache, ReadBudget, StreamSource, stream_name
from vdiskkit.io.paths import open_source
from vdiskkit.registry import LOG_ENDINGS, Hive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.io import ByteSource

__all__ = ["open_hive"]

_MIB = 1024 * 1024


@contextmanager
def open_hive(target: str | os.PathLike[str] | BinaryIO, name: str = "") -> Iterator[Hive]:
    """Open a bare hive file for reading, within a ``with`` statement.

    When it is dirty and a path was given, the log files beside it (``NAME.LOG1``, ``.LOG2``, ``.LOG``) are replayed in
    memory.

    Args:
        target: Path of the hive, or any seekable binary file object (which stays open).
        name: Name of the hive in messages; the file's name when empty.

    Raises:
        SourceError: The file cannot be opened.
        FormatError: It is no hive.
    """
    if isinstance(target, str | os.PathLike):
        path = os.fspath(target)
        with ExitStack() as opened:
            source = opened.enter_context(open_source(path, steady=True))
            shown = name or os.path.basename(path)  # noqa: PTH119 - also takes a UNC path on any system
            yield Hive(_guarded(source), shown, logs=lambda: _logs(path, opened))
    else:
        yield Hive(_guarded(StreamSource(target, stream_name(target))), name)


def _logs(path: str, opened: ExitStack) -> list[tuple[str, ByteSource]]:
    """The log files beside a hive file, whatever the case of their names; they stay open as long as ``opened``."""
    from vdiskkit.pair.listing import exists, split, take_listing

    folder, name = split(path)
    listing = take_listing(folder, name)
    found: list[tuple[str, ByteSource]] = []
    for ending in LOG_ENDINGS:
        log = f"{name}{ending}"
        names = listing.find(log)
        if not names and listing.problem is not None and exists(listing.path(log)):
            names = [log]
        if names:
            found.append((names[0], _guarded(opened.enter_context(open_source(listing.path(names[0]))))))
    return found


def _guarded(source: ByteSource) -> ByteSource:
    # The whole file a few times over is more than any look-up, walk or export of a healthy hive needs.
    physical = ReadBudget(8 * source.size + 64 * _MIB, source.size // 64 + 1_000_000)
    logical = ReadBudget(64 * source.size + 256 * _MIB, source.size + 10_000_000)
    cached = PageCache(GuardedSource(source, physical), max_pages=4096)
    return GuardedSource(cached, logical)

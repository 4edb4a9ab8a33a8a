"""A registry hive as a file of its own, outside any image."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from vdiskkit.io import GuardedSource, PageCache, ReadBudget, StreamSource
from vdiskkit.io.paths import open_source
from vdiskkit.registry import Hive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.io import ByteSource

__all__ = ["open_hive"]

_MIB = 1024 * 1024


@contextmanager
def open_hive(target: str | os.PathLike[str] | BinaryIO, name: str = "") -> Iterator[Hive]:
    """Open a bare hive file for reading, within a ``with`` statement.

    Args:
        target: Path of the hive, or any seekable binary file object (which stays open).
        name: Name of the hive in messages; the file's name when empty.

    Raises:
        SourceError: The file cannot be opened.
        FormatError: It is no hive.
    """
    if isinstance(target, str | os.PathLike):
        path = os.fspath(target)
        with open_source(path) as source:
            yield _hive(source, name or os.path.basename(path))  # noqa: PTH119 - also takes a UNC path on any system
    else:
        yield _hive(StreamSource(target, str(getattr(target, "name", ""))), name)


def _hive(source: ByteSource, name: str) -> Hive:
    # The whole file a few times over is more than any look-up, walk or export of a healthy hive needs.
    physical = ReadBudget(8 * source.size + 64 * _MIB, source.size // 64 + 1_000_000)
    logical = ReadBudget(64 * source.size + 256 * _MIB, source.size + 10_000_000)
    cached = PageCache(GuardedSource(source, physical), max_pages=4096)
    return Hive(GuardedSource(cached, logical), name)

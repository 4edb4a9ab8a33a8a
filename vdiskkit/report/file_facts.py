"""The result of ``ls``: schema ``vdiskkit.ls/1``. That of ``stat`` is :class:`~vdiskkit.ntfs.facts.FileFacts`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from vdiskkit.facts import Facts, Notice
from vdiskkit.ntfs.facts import StreamFacts

__all__ = ["DirectoryItem", "LsResult"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryItem(Facts):
    """One file or directory in a list.

    Attributes:
        name: Name.
        short_name: DOS 8.3 name, None without one.
        is_directory: Whether it is a directory.
        size: Bytes in the content, 0 for a directory.
        created: Creation, UTC; None when the stored value is no time.
        modified: Last write to the content, UTC.
        attributes: File attributes by name.
        storage: How the content is stored: ``resident``, ``sparse``, ``compressed``, ``encrypted``, ``wof``,
            ``reparse``.
        link_target: Where a symbolic link or junction leads.
        streams: Data streams, None unless they were asked for.
        problem: Why the file itself cannot be read; size and times are then the directory's copies.
    """

    name: str
    short_name: str | None
    is_directory: bool
    size: int
    created: datetime | None
    modified: datetime | None
    attributes: tuple[str, ...]
    storage: tuple[str, ...]
    link_target: str | None
    streams: tuple[StreamFacts, ...] | None
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LsResult(Facts):
    """A directory.

    Attributes:
        path: Path below the root of the volume, links resolved.
        entries: What is in it, in the order of NTFS.
        notices: What is damaged in it.
    """

    path: str
    entries: tuple[DirectoryItem, ...]
    notices: tuple[Notice, ...]

"""Disks that were made from a disk, by the links that the files of its folder hold, whatever they are called.

PVS names versions after their base; Hyper-V, other tools and people do not. A disk that changes under a version ruins
it, so before a change the headers of every disk file in the folder are read. Ids decide; where several files of a
folder have the id of the parent, as copies do, the names that the link holds tell which of them it is.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.container.detect import Probe
from vdiskkit.container.identity import read_own_id
from vdiskkit.container.link_headers import read_parent_link
from vdiskkit.errors import FormatError, SourceError, VDiskError
from vdiskkit.io.paths import HOST_PATHS, host_path, names_in, open_source
from vdiskkit.location import Location
from vdiskkit.naming import DISK_EXTENSIONS, extension_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.container.disk import ParentLink

__all__ = ["Children", "find_children", "notes_about"]

_MOST_FILES = 1000
"""Disk files of a folder whose headers are read; a store has tens."""


class Children(NamedTuple):
    """What is known of the disks that were made from a disk.

    Attributes:
        found: Names of those that are there.
        unread: One sentence for each file of which it is not known.
    """

    found: tuple[str, ...]
    unread: tuple[str, ...]


class _Disk(NamedTuple):
    name: str
    own_id: str
    link: ParentLink | None


def find_children(path: str) -> Children:
    """Look for the disks that were made from a disk, in its folder.

    Args:
        path: The disk.

    Raises:
        SourceError: The disk itself cannot be read.
        FormatError: Its headers are damaged.
    """
    this = _read(path)
    if this is None:
        return Children((), ())
    unread: list[str] = []
    others = list(_others(path, unread))
    twins = {other.name.lower() for other in others if other.own_id.lower() == this.own_id.lower()}
    found = (other.name for other in others if other.link is not None and _is_parent(this, other.link, twins))
    return Children(tuple(sorted(found)), tuple(unread))


def notes_about(path: str) -> Iterator[str]:
    """Yield what to know before a disk is changed: other names of the file, and files that may be versions of it.

    Raises:
        VDiskError: The disk cannot be read.
    """
    try:
        count = os.stat(host_path(path).opened).st_nlink
    except OSError as exc:
        raise SourceError(
            f"the file cannot be looked at: {exc.strerror or exc}",
            location=Location(path),
            hint="check its access rights and that the share is connected",
        ) from exc
    if count > 1:
        yield f"the disk file has {count} names (hard links): what changes here changes under all of them"
    try:
        yield from find_children(path).unread
    except FormatError:
        return  # a damaged container has a gate of its own


def _others(path: str, unread: list[str]) -> Iterator[_Disk]:
    folder, own_name = HOST_PATHS.split(path)
    try:
        names = sorted(name for name in names_in(folder) if extension_of(name) in DISK_EXTENSIONS)
    except OSError as exc:
        unread.append(
            f"whether disks were made from this one is not known: the folder cannot be listed ({exc.strerror})"
        )
        return
    names = [name for name in names if HOST_PATHS.normcase(name) != HOST_PATHS.normcase(own_name)]
    for name in names[:_MOST_FILES]:
        try:
            disk = _read(HOST_PATHS.join(folder, name))
        except VDiskError as exc:
            unread.append(f"whether {name} was made from this disk is not known: {exc.message}")
            continue
        if disk is not None:
            yield disk
    if len(names) > _MOST_FILES:
        unread.append(f"whether {len(names) - _MOST_FILES} more files were made from this disk was not looked at")


def _read(path: str) -> _Disk | None:
    with open_source(path) as source:
        probe = Probe.of(source)
        if not probe.is_vhd and not probe.is_vhdx:
            return None
        return _Disk(HOST_PATHS.basename(path), read_own_id(probe), read_parent_link(probe))


def _is_parent(this: _Disk, link: ParentLink, twins: set[str]) -> bool:
    """Whether a link leads to this disk, and not to one of those that have the same id."""
    if this.own_id.lower() not in {item.lower() for item in (link.unique_id, *link.other_ids)}:
        return False
    named = {re.split(r"[\\/]", text)[-1].lower() for text in (link.name, *(path for _, path in link.locators))}
    return this.name.lower() in named or not named & twins

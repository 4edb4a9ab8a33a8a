"""From a disk argument to an opened disk: wildcards, lists of files, versions."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from vdiskkit.errors import SourceError, UsageError
from vdiskkit.events import absolute, tell
from vdiskkit.io.paths import expand, host_path, open_source
from vdiskkit.location import Location

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdiskkit.chain.facts import ChainFacts
    from vdiskkit.cli.session import Session
    from vdiskkit.vdisk import VDisk

__all__ = ["disk_list", "open_disk", "read_target_chain", "version_file"]

_LIST_LIMIT = 64 * 1024 * 1024


def open_disk(session: Session, target: str) -> VDisk:
    """Open a disk as the options say.

    Raises:
        VDiskError: It cannot be opened.
    """
    from vdiskkit.vdisk import open_vdisk

    disk = session.disk
    opened = open_vdisk(
        version_file(target, disk.get("at")),
        format=disk.get("format"),
        volume=disk.get("volume"),
        parent_dirs=tuple(disk.get("parent_dir") or ()),
        follow_parent_paths=bool(disk.get("follow_parent_paths")),
    )
    tell("cli", "disk.open", disk=absolute(opened.path or target))
    return opened


def read_target_chain(session: Session, target: str, *, check: bool = False) -> ChainFacts:
    """Read the chain of a disk as the options say.

    Raises:
        VDiskError: The disk itself cannot be opened.
    """
    from vdiskkit.chain import read_chain

    session.silence_readers()
    disk = session.disk
    path = host_path(version_file(target, disk.get("at"))).shown
    tell("cli", "disk.open", disk=absolute(path))
    return read_chain(
        path,
        format=disk.get("format"),
        parent_dirs=tuple(disk.get("parent_dir") or ()),
        follow_parent_paths=bool(disk.get("follow_parent_paths")),
        check=check,
    )


def disk_list(disks: Sequence[str], files_from: str | None, *, nul: bool) -> list[str]:
    """The disks to look at: arguments with wildcards expanded, then those of a list.

    Args:
        disks: Arguments; ``-`` stands for a list on standard input.
        files_from: A file with one path in each line, ``-`` for standard input.
        nul: Paths in lists end with NUL instead of a line end.

    Raises:
        UsageError: No disk is named.
        SourceError: The list cannot be read, or a pattern matches nothing.
    """
    named: list[str] = []
    for disk in disks:
        named += _read_list("-", nul=nul) if disk == "-" else expand([disk])
    if files_from is not None:
        named += _read_list(files_from, nul=nul)
    if not named:
        raise UsageError("no disk is named", hint="give the path of a .vhd, .vhdx or .pvp file")
    return named


def version_file(target: str, at: str | None) -> str:
    """Return the file of another version of the vDisk that ``target`` belongs to; ``target`` itself without ``at``.

    Raises:
        UsageError: Two files claim to be that version.
        SourceError: The folder has no such version.
    """
    if at is None:
        return target
    from vdiskkit.pair import read_pair
    from vdiskkit.pair.listing import join, split

    versions: dict[int, list[str]] = {}
    for item in read_pair(host_path(target).shown).versions:
        versions.setdefault(item.version, []).append(item.file_name)
    wanted = 0 if at == "base" else max(versions, default=0) if at == "latest" else int(at)
    files = versions.get(wanted, [])
    if len(files) > 1:
        raise UsageError(
            f"version {wanted} is there as {' and as '.join(files)}", location=Location(target), hint="name one of them"
        )
    if not files:
        there = ", ".join(str(version) for version in sorted(versions)) or "none"
        raise SourceError(
            f"the folder has no file of version {wanted} of this vDisk",
            location=Location(target),
            hint=f"versions there: {there}",
        )
    return join(split(target)[0], files[0])


def _read_list(path: str, *, nul: bool) -> list[str]:
    if path == "-":
        data = sys.stdin.buffer.read(_LIST_LIMIT) if sys.stdin is not None else b""
    else:
        with open_source(path) as source:
            data = source.read_at(0, min(source.size, _LIST_LIMIT))
    text = os.fsdecode(data.removeprefix(b"\xef\xbb\xbf"))
    lines = text.split("\0") if nul else text.splitlines()
    return [line for line in lines if line.strip()]

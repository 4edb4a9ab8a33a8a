"""From a disk argument to an opened disk: wildcards, lists of files, versions."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from vdiskkit.cli.output import note
from vdiskkit.errors import SourceError, UsageError
from vdiskkit.events import absolute, tell
from vdiskkit.io.paths import expand, host_path, open_source
from vdiskkit.io.textinput import SAVE_AS_UTF8, decode_input, has_mark
from vdiskkit.location import Location
from vdiskkit.text import displayable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdiskkit.chain.facts import ChainFacts
    from vdiskkit.cli.session import Session
    from vdiskkit.vdisk import VDisk

__all__ = ["disk_list", "open_disk", "read_target_chain", "tell_choice", "tell_pending", "version_file"]

_LIST_LIMIT = 64 * 1024 * 1024
_NO_TEXT = (
    f"{SAVE_AS_UTF8}: in PowerShell with `Set-Content -Encoding utf8`, in cmd after `chcp 65001`; "
    "names that are no text go into a list for -0"
)


def open_disk(session: Session, target: str, *, shows_notices: bool = False) -> VDisk:
    """Open a disk as the options say, and tell that a change of it is pending.

    Args:
        session: The run.
        target: The disk.
        shows_notices: Whether the result itself tells what is to be told of the disk.

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
    if not shows_notices:
        tell_pending(session, target, opened.pending)
    return opened


def tell_pending(session: Session, target: str, notices: Sequence[str]) -> None:
    """Tell of interrupted changes: on stderr, and in JSON beside the result."""
    for notice in dict.fromkeys(notices):
        note(session, "note", displayable(notice, limit=None))
    if notices:
        session.notices[target] = [{"code": "journal.pending", "message": notice} for notice in notices]


def tell_choice(session: Session, disk: VDisk) -> None:
    """Say on stderr which Windows was taken when there are several and nobody chose one."""
    choice = disk.silent_choice
    if choice is not None:
        note(session, "note", f"{choice}, choose with --volume")


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
        what = "the list names no disk" if files_from is not None or disks else "no disk is named"
        raise UsageError(what, hint="give the path of a .vhd, .vhdx or .pvp file")
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
        shown = "standard input"
        data = sys.stdin.buffer.read(_LIST_LIMIT + 1) if sys.stdin is not None else b""
    else:
        shown = path
        with open_source(path) as source:
            data = source.read_at(0, min(source.size, _LIST_LIMIT + 1))
    if len(data) > _LIST_LIMIT:
        raise UsageError(
            f"the list is longer than {_LIST_LIMIT} bytes", location=Location(shown), hint="give several shorter lists"
        )
    names = _names_by_nul(data, shown) if nul else _names_by_line(data, shown)
    return [name for name in names if name.strip()]


def _names_by_line(data: bytes, shown: str) -> list[str]:
    text = decode_input(data, shown, hint=_NO_TEXT, lone_surrogates=True)
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UsageError(
            f"line {line}: the list holds a NUL character",
            location=Location(shown).at("line", str(line)),
            hint="give -0 for a list whose paths end with NUL",
        )
    # Not splitlines: names may hold characters that it takes for line ends.
    return [line.removesuffix("\r") for line in text.split("\n")]


def _names_by_nul(data: bytes, shown: str) -> list[str]:
    # On other systems than Windows a name is any bytes, and such a list is how programs hand those on.
    if os.name == "nt" or has_mark(data):
        return decode_input(data, shown, guess_utf16=False, lone_surrogates=True).split("\0")
    return os.fsdecode(data).split("\0")

r"""The registry of a disk or of a bare hive file, under one roof for ``reg get``, ``reg ls`` and ``reg export``.

On a disk a path begins with a root (``HKLM\SOFTWARE\...``); in a hive file it is relative to the hive's root, and
``\`` is the root itself.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.cli.guest import first_directory
from vdiskkit.cli.output import note
from vdiskkit.errors import KeyMissingError
from vdiskkit.io.paths import open_source
from vdiskkit.text import displayable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.cli.session import Session
    from vdiskkit.registry import Hive, RegistryKey
    from vdiskkit.report.registry_facts import RegistrySource

__all__ = ["ONLY_IN_LOG", "STALE", "FoundKey", "find_key", "is_hive", "registry_source", "state_mark", "tell_odd"]

STALE = "(hive dirty: may be older than its log)"
"""Said wherever a value is shown of a dirty hive whose logs could not be replayed."""

ONLY_IN_LOG = "(only in a log of the hive)"
"""Said of a value that the hive file alone does not hold, or not like this."""

_DISK_ENDINGS = (".vhd", ".avhd", ".vhdx", ".avhdx", ".pvp")


class FoundKey(NamedTuple):
    r"""A key and where it was found.

    Attributes:
        key: The key.
        hive: Its hive.
        path: Its full path: ``HKLM\...`` on a disk, ``\...`` in a hive file.
        root: What stands for the hive's root in ``.reg`` text.
        file: Where the hive lies: path inside the image, or the hive file.
        asked: The path that was asked for, when ``CurrentControlSet`` was resolved; else None.
    """

    key: RegistryKey
    hive: Hive
    path: str
    root: str
    file: str
    asked: str | None


@contextmanager
def find_key(session: Session, target: str, path: str) -> Iterator[FoundKey]:
    """Open the target and find a key, within a ``with`` statement.

    Raises:
        KeyMissingError: There is no such key.
        VDiskError: The target cannot be opened or read.
    """
    if is_hive(target):
        from vdiskkit.hivefile import open_hive
        from vdiskkit.windows.regpath import split_key_path

        with open_hive(target) as hive:
            relative = "\\".join(split_key_path(path))
            yield FoundKey(
                key=_find(hive, relative, f"\\{relative}", in_file=True),
                hive=hive,
                path=f"\\{relative}",
                root=r"HKEY_LOCAL_MACHINE\HIVE",
                file=target,
                asked=None,
            )
        return
    from vdiskkit.cli.targets import open_disk, tell_choice
    from vdiskkit.windows.regpath import HIVE_FILES, parse_registry_path

    asked = parse_registry_path(path)  # a path that can never work is told before anything is read
    with open_disk(session, target) as disk:
        tell_choice(session, disk)
        windows = disk.windows
        resolved = windows.resolve(path)
        hive = windows.registry(resolved.hive)
        yield FoundKey(
            key=_find(hive, resolved.key, resolved.text),
            hive=hive,
            path=resolved.text,
            root=_long_root(resolved._replace(key="").text),
            file=f"{windows.root}\\{HIVE_FILES[resolved.hive]}",
            asked=asked.text if asked.text != resolved.text else None,
        )
        if asked.text != resolved.text and windows.control_sets_differ is not None:
            note(session, "note", windows.control_sets_differ)


def registry_source(found: FoundKey) -> RegistrySource:
    """Return where a key was read, as facts."""
    from vdiskkit.report.registry_facts import RegistrySource

    hive = found.hive
    return RegistrySource(
        key=found.path,
        asked=found.asked,
        hive=found.file,
        dirty=hive.dirty,
        stale=hive.stale,
        replayed_entries=hive.replayed.entries if hive.replayed is not None else 0,
        last_written=found.key.last_written,
        origin=found.key.origin,
    )


def tell_odd(session: Session, found: FoundKey) -> None:
    """Say on stderr what the result itself has no place for: a resolved control set, a dirty hive."""
    if found.asked is not None:
        note(session, "note", f"{displayable(found.asked)} is {displayable(found.path)}")
    hive = found.hive
    if not hive.dirty:
        return
    kind = "warning" if hive.stale else "note"
    note(session, kind, f"{displayable(found.file)} {state_mark(hive)}")
    for notice in hive.replayed.notices if hive.replayed is not None and not hive.stale else ():
        note(session, "warning", displayable(notice.message, limit=None))


def state_mark(hive: Hive) -> str:
    """What is to be said of a whole dirty hive, in brackets; empty for a clean one."""
    if not hive.dirty:
        return ""
    replayed = hive.replayed
    if replayed is None:
        return STALE
    return (
        f"{STALE}: {displayable(replayed.reason, limit=None)}"
        if replayed.stale
        else f"(hive dirty: {replayed.summary})"
    )


def _find(hive: Hive, relative: str, shown: str, *, in_file: bool = False) -> RegistryKey:
    key = hive.find(relative)
    if key is None:
        hint = _hint(hive, relative, in_file=in_file)
        raise KeyMissingError(f"there is no key {shown}", location=hive.location, hint=hint)
    return key


def _hint(hive: Hive, relative: str, *, in_file: bool) -> str:
    if in_file and relative.upper().startswith(("HKLM", "HKEY_", "HKU")):
        return r"in a hive file the path is relative to its root: Microsoft\..., without HKLM\SOFTWARE"
    parent, _, last = relative.rpartition("\\")
    key = hive.find(parent)
    if key is not None and key.value(last) is not None:
        return f"{last} is a value: give its name as an argument of its own, after the key"
    while key is None and parent:
        parent = parent.rpartition("\\")[0]
        key = hive.find(parent)
    if not parent:
        top = (sub.name for sub in hive.root.subkeys(on_error=lambda _: None))
        lost = first_directory(relative, top) if in_file else None
        if lost is not None:
            return f'a shell takes backslashes out: put the path in double quotes, "{lost}\\..."'
        return "`reg ls` lists what is there"
    return f"the path exists up to {parent}; `reg ls` lists what is there"


def is_hive(target: str) -> bool:
    """Whether the target is a hive file by content, its own or that of its logs; a disk's extension decides at once.

    Raises:
        SourceError: It cannot be opened.
    """
    if target.lower().endswith(_DISK_ENDINGS):
        return False
    if _begins_as_hive(target):
        return True
    from vdiskkit.pair.listing import exists
    from vdiskkit.registry import LOG_ENDINGS

    # A hive whose first sector was torn is known by the logs beside it, which also hold what it should be.
    logs = (f"{target}{ending}" for ending in LOG_ENDINGS)
    return any(exists(log) and _begins_as_hive(log) for log in logs)


def _begins_as_hive(path: str) -> bool:
    with open_source(path) as source:
        return source.size >= 4 and source.read_at(0, 4) == b"regf"


def _long_root(text: str) -> str:
    short, _, rest = text.partition("\\")
    return {"HKLM": "HKEY_LOCAL_MACHINE", "HKU": "HKEY_USERS"}.get(short, short) + (f"\\{rest}" if rest else "")

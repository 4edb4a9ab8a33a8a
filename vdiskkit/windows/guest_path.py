r"""Paths as a running Windows spells them, turned into paths on the volume that it lies on.

What cannot be mapped is never guessed: other drives, devices, shares and variables that only a running Windows knows
give None, and whoever asked must then say that the place was not looked at.
"""

from __future__ import annotations

import re

__all__ = ["guest_path", "other_drive"]

_PROGRAM = re.compile(r".*?\.(?:sys|exe|dll)(?=\s|$)", re.IGNORECASE)
_DRIVE = re.compile(r"([a-z]):[\\/]", re.IGNORECASE)
_SYSTEM_ROOT = "\\systemroot\\"
_VARIABLES = {
    "systemdrive": "",
    "programfiles": "Program Files",
    "programw6432": "Program Files",
    "programfiles(x86)": "Program Files (x86)",
    "commonprogramfiles": r"Program Files\Common Files",
    "commonprogramw6432": r"Program Files\Common Files",
    "commonprogramfiles(x86)": r"Program Files (x86)\Common Files",
    "programdata": "ProgramData",
    "allusersprofile": "ProgramData",
    "public": r"Users\Public",
}
"""Variables that every Windows sets alike (from Vista on), to where they lead on its own volume."""


def guest_path(text: str, root: str, drive: str = "c") -> str | None:
    r"""Turn a path of a running Windows into one on its volume; None when it leads elsewhere, or cannot be mapped.

    Handles quotes and arguments behind a program, ``\SystemRoot\``, ``\??\C:\``, the variables of every Windows, such
    as ``%SystemRoot%`` and ``%SystemDrive%``, and paths that begin at the Windows folder (``system32\drivers\x.sys``).

    Args:
        text: The path, as a registry value holds it.
        root: Name of the Windows folder on the volume.
        drive: Letter of that volume in the running Windows.
    """
    path = _bare(text)
    lowered = path.casefold()
    if lowered.startswith(_SYSTEM_ROOT):
        return f"{root}\\{path[len(_SYSTEM_ROOT) :]}"
    if lowered.startswith("%"):
        return _expanded(path, root)
    match = _DRIVE.match(path)
    if match is not None:
        # The letter is the running Windows' own.
        return path[3:].replace("/", "\\") if match.group(1).casefold() == drive.casefold() else None
    if lowered.startswith(("\\\\", "\\device\\", "unc\\")) or ":" in path[:3]:
        return None
    inside = path.lstrip("\\")
    if not inside:
        return None
    return f"{root}\\{inside}" if inside.casefold().startswith(("system32\\", "syswow64\\")) else inside


def other_drive(text: str, drive: str = "c") -> bool | None:
    r"""Whether a path names another drive than that of Windows; None when the path does not tell.

    ``?:\pagefile.sys`` leaves the choice of the drive to Windows, which takes its own.
    """
    path = _bare(text)
    if path[:3] == "?:\\":
        return False
    match = _DRIVE.match(path)
    if match is not None:
        return match.group(1).casefold() != drive.casefold()
    return None if guest_path(text, "Windows", drive) is None else False


def _bare(text: str) -> str:
    """A path without quotes, arguments and the prefix of the object manager."""
    path = text.strip()
    if path.startswith('"'):
        path = path[1:].partition('"')[0]
    else:
        match = _PROGRAM.match(path)
        path = match.group() if match else path
    return path.removeprefix("\\??\\").removeprefix("\\\\?\\")


def _expanded(path: str, root: str) -> str | None:
    name, closed, rest = path[1:].partition("%")
    if not closed or not rest.startswith(("\\", "/")) or "%" in rest:
        return None
    folder = root if name.casefold() in ("systemroot", "windir") else _VARIABLES.get(name.casefold())
    if folder is None:
        return None
    inside = rest[1:].replace("/", "\\")
    return f"{folder}\\{inside}" if folder else inside

r"""Paths inside a volume, as Windows users write them.

``C:\Windows\System32``, ``/windows/system32/``, ``Windows\System32\config\SOFTWARE`` and ``notes.txt:stream`` all
work; ``.`` and ``..`` are resolved in the text, as Windows does.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["VolumePath", "join_path", "link_parts", "split_path"]

_PREFIX = re.compile(r"[\\/](?:[?]{2}|[\\/][?.])[\\/]")
_DRIVE = re.compile(r"([A-Za-z]):(?=[\\/]|$)")
_SEPARATORS = re.compile(r"[\\/]+")


class VolumePath(NamedTuple):
    """A path taken apart. ``drive`` is the upper-case letter, or None without one."""

    parts: tuple[str, ...]
    stream: str
    drive: str | None


def split_path(path: str) -> VolumePath:
    r"""Take a path apart: either slash, drive optional, stream behind a colon in the last component.

    ``name:stream:$DATA`` and ``name::$DATA`` are understood; another type than ``$DATA`` stays part of the stream's
    name, so that it is simply not found.
    """
    prefix = _PREFIX.match(path)
    rest = path[prefix.end() :] if prefix else path
    drive = _DRIVE.match(rest)
    if drive:
        rest = rest[drive.end() :]
    components = _SEPARATORS.split(rest)
    stream = ""
    if components and ":" in components[-1]:
        components[-1], stream = components[-1].split(":", 1)
        if stream.upper().endswith(":$DATA"):
            stream = stream[: -len(":$DATA")]
    return VolumePath(_normalised((), components), stream, drive.group(1).upper() if drive else None)


def join_path(parts: tuple[str, ...]) -> str:
    r"""Return the path below the root of the volume, with backslashes; the root itself is ``\``."""
    return "\\".join(parts) or "\\"


def link_parts(folder: tuple[str, ...], target: str) -> tuple[str, ...]:
    """Return the components that a relative link in ``folder`` leads to."""
    components = _SEPARATORS.split(target)
    # A relative target that begins with a separator counts from the root of the volume.
    return _normalised(() if components[0] == "" and len(components) > 1 else folder, components)


def _normalised(base: tuple[str, ...], components: list[str]) -> tuple[str, ...]:
    parts = list(base)
    for component in components:
        if component == "..":
            del parts[-1:]
        elif component not in ("", "."):
            parts.append(component)
    return tuple(parts)

"""Zip archives that depend on nothing but what is in them: sorted, with one time for all, whoever makes them."""

from __future__ import annotations

import os
import time
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["USUAL_TIME", "add_tree", "write_zip"]

_OLDEST = 315_532_800
"""The start of 1980: zip archives know no time before."""

USUAL_TIME = 1_580_601_600
"""The time that hatchling gives files in wheels and source archives, unless SOURCE_DATE_EPOCH says another."""

_FILE_MODE = 0o100644 << 16
_FOLDER_MODE = 0o40755 << 16 | 0x10
_UNIX = 3


def write_zip(target: Path, entries: Mapping[str, bytes], first_line: str = "") -> None:
    """Write an archive.

    Args:
        target: The file, which is replaced.
        entries: Content by name, with ``/`` between folders, which get entries too: without them Python finds no
            namespace package inside.
        first_line: Stands before the archive, and makes the file a program where the system reads such lines.
    """
    moment = time.gmtime(max(int(os.environ.get("SOURCE_DATE_EPOCH", USUAL_TIME)), _OLDEST))[:6]
    with target.open("wb") as stream:
        stream.write(first_line.encode("ascii"))
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
            for name in sorted({*entries, *_folders(entries)}):
                info = zipfile.ZipInfo(name, moment)
                info.create_system = _UNIX  # else the bytes tell the system of whoever made it
                info.external_attr = _FOLDER_MODE if info.is_dir() else _FILE_MODE
                file.writestr(info, entries.get(name, b""), None if info.is_dir() else zipfile.ZIP_DEFLATED)


def _folders(names: Iterable[str]) -> set[str]:
    above = (name.split("/")[:-1] for name in names)
    return {"/".join(parts[:depth]) + "/" for parts in above for depth in range(1, len(parts) + 1)}


def add_tree(entries: dict[str, bytes], folder: Path, below: str = "") -> None:
    """Add all files of a folder, with names below another folder; compiled modules are left out."""
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            name = path.relative_to(folder).as_posix()
            entries[f"{below}/{name}" if below else name] = path.read_bytes()

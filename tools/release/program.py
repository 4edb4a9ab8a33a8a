"""``vdiskkit.pyz``: one file with the package and all that it needs, which any Python from 3.11 on runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.release.archive import add_tree, write_zip

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FIRST_LINE", "START", "write_program"]

FIRST_LINE = "#!/usr/bin/env python3\n"

START = '''\
"""Starts vdiskkit from inside this archive."""

import sys

if sys.version_info < (3, 11):  # an old Python has to understand these lines, too
    sys.stderr.write("error: vdiskkit needs Python 3.11 or later, and this is Python %d.%d\\n" % sys.version_info[:2])
    sys.exit(2)

import vdiskkit.__main__  # which runs it
'''

_INSTALLERS_OWN = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
"""Files of a ``.dist-info`` that tell of one installation."""

_NATIVE = (".so", ".pyd", ".dll", ".dylib")


def write_program(target: Path, installed: Path) -> None:
    """Write the program.

    Args:
        target: The file, which is replaced.
        installed: A folder into which the package and its dependencies were installed.

    Raises:
        ValueError: Something in it cannot run from an archive.
    """
    entries: dict[str, bytes] = {}
    for item in installed.iterdir():
        if item.is_dir() and item.name not in {"bin", "__pycache__"}:
            add_tree(entries, item, item.name)
        elif item.suffix == ".py":
            entries[item.name] = item.read_bytes()
    kept = {name: data for name, data in entries.items() if not _is_installers(name)}
    native = sorted(name for name in kept if name.endswith(_NATIVE))
    if native:
        raise ValueError(f"no Python loads these out of an archive: {', '.join(native)}")
    write_zip(target, {**kept, "__main__.py": START.encode("ascii")}, FIRST_LINE)


def _is_installers(name: str) -> bool:
    folder, _, file = name.rpartition("/")
    return folder.endswith(".dist-info") and file in _INSTALLERS_OWN

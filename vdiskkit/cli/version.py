"""What ``--version`` tells: enough for a bug report, and the licence."""

from __future__ import annotations

import os
import re
import sys

from vdiskkit._version import __version__

__all__ = ["DEPENDENCIES", "LICENSE", "version_text"]

LICENSE = "AGPL-3.0-or-later"
DEPENDENCIES = (
    "click",
    "construct",
    "defusedxml",
    "dissect.hypervisor",
    "dissect.ntfs",
    "dissect.regf",
    "dissect.volume",
    "filelock",
)

_INSTALLED = re.compile(r"(.+?)-([^-]+)\.dist-info")


def version_text() -> str:
    """Several lines: own version, Python, dependencies, licence."""
    python = f"{sys.implementation.name} {sys.version.split()[0]} on {sys.platform}"
    installed = _installed()
    lines = [f"vdiskkit {__version__}", f"python   {python}"]
    lines += [f"with     {name} {installed.get(_normal(name)) or _version_of(name)}" for name in DEPENDENCIES]
    lines.append(f"licence  {LICENSE}")
    return "\n".join(lines)


def _installed() -> dict[str, str]:
    """Versions by the names of their folders: importing importlib.metadata takes longer than all the rest."""
    found: dict[str, str] = {}
    for folder in reversed(sys.path):
        try:
            names = os.listdir(folder or ".")
        except OSError:  # which one, for an archive, is told differently by each system
            names = _names_in(folder) if os.path.isfile(folder) else []
        for name in names:
            match = _INSTALLED.fullmatch(name)
            if match:
                found[_normal(match[1])] = match[2]
    return found


def _names_in(archive: str) -> list[str]:
    """What stands at the top of an archive of modules, as ``vdiskkit.pyz`` is one."""
    import zipfile

    try:
        with zipfile.ZipFile(archive) as file:
            return [name.partition("/")[0] for name in file.namelist()]
    except (OSError, zipfile.BadZipFile):
        return []


def _version_of(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()

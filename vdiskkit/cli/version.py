"""What ``--version`` tells: enough for a bug report, and the licence."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from vdiskkit import __version__

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
)


def version_text() -> str:
    """Several lines: own version, Python, dependencies, licence."""
    python = f"{platform.python_implementation()} {platform.python_version()} on {sys.platform}"
    lines = [f"vdiskkit {__version__}", f"python   {python}"]
    lines += [f"with     {name} {_version_of(name)}" for name in DEPENDENCIES]
    lines.append(f"licence  {LICENSE}")
    return "\n".join(lines)


def _version_of(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"

"""Makes all files that are given out, but for the Windows program, in ``dist/``: ``python dev.py build``.

========================================  ==========================================================================
file                                      holds
========================================  ==========================================================================
``vdiskkit-VERSION-py3-none-any.whl``     the package, for pip
``vdiskkit-VERSION.tar.gz``               the sources of everything, tests and samples too
``vdiskkit.pyz``                          the package and its dependencies, for any Python
``VDiskKit-PowerShell-VERSION.zip``       the PowerShell module
``SHA256SUMS``                            checksums of all of these, for ``sha256sum --check``
========================================  ==========================================================================

The same sources give the same bytes. Files of an earlier build are removed first, the Windows program included.
"""

# ruff: noqa: T201, S603 - a script that prints, and starts the programs named in it

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tools.release.archive import add_tree, write_zip
from tools.release.program import write_program
from vdiskkit._version import __version__

__all__ = [
    "DIST", "MANIFEST", "PRODUCTS", "ROOT", "SUMS", "BuildError", "build_wheel", "install", "main", "powershell_module",
    "run", "tell", "write_sums",
]  # fmt: skip

ROOT = Path(__file__).resolve().parents[2]
DIST = ROOT / "dist"
POWERSHELL = ROOT / "powershell" / "VDiskKit"
MANIFEST = "VDiskKit.psd1"
PRODUCTS = ("vdiskkit-*.whl", "vdiskkit-*.tar.gz", "vdiskkit.pyz", "vdiskkit.exe", "VDiskKit-PowerShell-*.zip")
"""Patterns of the files in ``dist/`` that are made here and by ``tools.release.exe``."""

SUMS = "SHA256SUMS"
PURE = ("--platform", "any", "--implementation", "py", "--abi", "none", "--python-version", "3.11")
"""Options of pip for wheels that hold nothing native, and so run anywhere."""


class BuildError(Exception):
    """Something could not be made; the text says what."""


def main() -> int:
    """Make all files; return the exit code."""
    try:
        build()
    except (BuildError, OSError, ValueError) as exc:
        print(f"build: {exc}", file=sys.stderr)
        return 1
    return 0


def build() -> None:
    """Make all files."""
    module = powershell_module()
    DIST.mkdir(exist_ok=True)
    for pattern in (*PRODUCTS, SUMS):
        for path in DIST.glob(pattern):
            path.unlink()
    wheel = build_wheel(DIST)
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(DIST))
    with tempfile.TemporaryDirectory() as folder:
        install(Path(folder), wheel, locks=("runtime",), platform=PURE)
        write_program(DIST / "vdiskkit.pyz", Path(folder))
    write_zip(DIST / f"VDiskKit-PowerShell-{__version__}.zip", module)
    write_sums()
    tell()


def powershell_module() -> dict[str, bytes]:
    """The files of the PowerShell module, in the folder that has its name.

    Raises:
        BuildError: It is not there.
    """
    if not (POWERSHELL / MANIFEST).is_file():
        raise BuildError(f"there is no {MANIFEST} in {POWERSHELL}")
    files: dict[str, bytes] = {}
    add_tree(files, POWERSHELL, POWERSHELL.name)
    return files


def build_wheel(folder: Path) -> Path:
    """Make the wheel in a folder; return its path."""
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    return folder / f"vdiskkit-{__version__}-py3-none-any.whl"


def install(folder: Path, wheel: Path, *, locks: tuple[str, ...], platform: tuple[str, ...]) -> None:
    """Install locked packages and a wheel into a folder, for what may be another platform.

    Args:
        folder: Where to.
        wheel: The wheel.
        locks: Names of files in ``requirements``.
        platform: Options of pip that say for what.
    """
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--target", str(folder))
    options = (*pip, "--no-compile", "--no-deps", *platform, "--only-binary=:all:")
    required = [word for name in locks for word in ("-r", str(ROOT / "requirements" / f"{name}.txt"))]
    run(*options, "--require-hashes", *required)
    with zipfile.ZipFile(wheel) as file:  # nothing native in ours: unpacking it is installing it
        file.extractall(folder)


def write_sums() -> None:
    """Write the checksums of all products that are there."""
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in products()]
    (DIST / SUMS).write_text("".join(lines), encoding="ascii", newline="\n")


def products() -> list[Path]:
    """The files that have been made, by name."""
    return sorted((path for pattern in PRODUCTS for path in DIST.glob(pattern)), key=lambda path: path.name)


def tell() -> None:
    """Print what has been made."""
    for path in products():
        print(f"dist/{path.name}  {path.stat().st_size:,} bytes")


def run(*command: str) -> None:
    """Run a command in the repository.

    Raises:
        BuildError: It failed.
    """
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    if code:
        raise BuildError(f"exit code {code} of: {' '.join(command)}")


if __name__ == "__main__":
    sys.exit(main())

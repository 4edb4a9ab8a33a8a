"""Makes the Windows program, ``dist/vdiskkit.exe``, with PyInstaller: ``python dev.py exe``.

On Windows the Python that runs this makes it; elsewhere a Windows Python under Wine does (``tools/wine.py``). What goes
in says ``vdiskkit.spec`` beside this file; ``requirements/exe.txt`` locks everything that has a part in it.
"""

# ruff: noqa: T201 - a script that prints

from __future__ import annotations

import os
import sys
from pathlib import Path

import dev
from tools.release.archive import USUAL_TIME
from tools.release.build import DIST, ROOT, BuildError, run, tell, write_sums

__all__ = ["main", "pyinstaller"]

SPEC = Path(__file__).with_name("vdiskkit.spec")
WORK = ROOT / "build" / "exe"
LOCK = "exe"


def main() -> int:
    """Make the program; return the exit code."""
    # PyInstaller puts this time into the program, and the order of sets decides on that of its parts.
    os.environ.setdefault("SOURCE_DATE_EPOCH", str(USUAL_TIME))
    os.environ["PYTHONHASHSEED"] = "0"
    try:
        make()
    except (BuildError, OSError, dev.SetupError) as exc:
        print(f"exe: {exc}", file=sys.stderr)
        return 1
    write_sums()
    tell()
    return 0


def make() -> None:
    """Make the program in place of an older one.

    Raises:
        BuildError: PyInstaller failed, or made nothing.
        dev.SetupError: Wine or its Python cannot be had.
    """
    program = DIST / "vdiskkit.exe"
    program.unlink(missing_ok=True)
    if sys.platform == "win32":
        run(sys.executable, *pyinstaller())
    else:
        from tools import wine

        code = wine.run(wine.set_up(LOCK), *pyinstaller(), folder=ROOT)
        if code:
            raise BuildError(f"exit code {code} of PyInstaller under Wine")
    if not program.is_file():
        raise BuildError(f"PyInstaller ended well, but there is no {program}")


def pyinstaller() -> tuple[str, ...]:
    """The arguments of Python; paths are those from the repository, which mean the same under Wine."""
    paths = ("--distpath", DIST.name, "--workpath", WORK.relative_to(ROOT).as_posix())
    return (
        "-m",
        "PyInstaller",
        "--noconfirm",
        "--clean",
        "--log-level",
        "WARN",
        *paths,
        SPEC.relative_to(ROOT).as_posix(),
    )


if __name__ == "__main__":
    sys.exit(main())

"""How long a program that is one file takes to start and to judge a disk, beside the same Python with the package.

    python -m benchmarks.startup dist/vdiskkit.pyz      beside the Python that runs this
    python -m benchmarks.startup dist/vdiskkit.exe      beside a Windows Python: the one that made it, under Wine;
                                                        on Windows the Python that runs this

Both are cold processes, in turns, and the medians are told. No budget: the ratio depends on what the system does with a
new file.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = {
    "--version": ("--version",),
    "validate": ("validate", "sample_images/win7-kms.vhd"),
}


def main() -> int:
    """Measure and print; return the exit code."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("program", type=Path)
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    program, reference, environment = commands(chosen.program)
    print(f"{chosen.program.name}, {chosen.program.stat().st_size:,} bytes\n")
    print("| cold process | program | same Python | ratio |\n|---|---:|---:|---:|")
    for name, arguments in WORK.items():
        times: list[tuple[float, float]] = [
            (timed((*program, *arguments), environment), timed((*reference, *arguments), environment))
            for _ in range(chosen.rounds + 1)
        ][1:]  # the first one warms the caches
        ours, others = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"| {name} | {ours * 1000:,.0f} ms | {others * 1000:,.0f} ms | {ours / others:.2f} |", flush=True)
    return 0


def commands(program: Path) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, str] | None]:
    """How the program is started, how the reference is, and the environment of both."""
    if program.suffix == ".pyz":
        return (sys.executable, str(program)), (sys.executable, "-m", "vdiskkit"), None
    if sys.platform == "win32":
        return (str(program),), (sys.executable, "-m", "vdiskkit"), None
    from tools import wine

    python = wine.set_up("exe")
    wine.quietly("wine", "wineboot")  # else the first program's pipes stay open with Wine's services
    return ("wine", str(program)), ("wine", str(python), "-m", "vdiskkit"), wine.environment()


def timed(command: tuple[str, ...], environment: dict[str, str] | None) -> float:
    """Run a command; return the seconds it took.

    Raises:
        RuntimeError: It failed: a figure would say nothing.
    """
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    taken = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode} of {' '.join(command)}: {done.stderr}")
    return taken


if __name__ == "__main__":
    sys.exit(main())

"""The command line. ``main`` is the entry point; everything else loads when a command needs it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(args: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code (the table is in ``docs/cli.md``).

    Args:
        args: Arguments without the program name; None takes those of the process.
    """
    from vdiskkit.cli.run import run

    if args is None and sys.argv[1:] == ["--match-pattern-from-stdin"] and getattr(sys, "frozen", False):
        from vdiskkit.rules.patterns import run_child

        return run_child()
    if args is None and sys.platform == "win32":
        from vdiskkit.cli.terminal import write_pipes_as_the_console

        write_pipes_as_the_console()
    return run(args)

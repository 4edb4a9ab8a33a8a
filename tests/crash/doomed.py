"""The command line in a process that kills itself: ``python -m tests.crash.doomed CALL HOW ARGUMENTS...``.

With ``-1`` for the call it lives, and writes how many calls it made to stderr.
"""

from __future__ import annotations

import sys

from tests.crash.dying import Death


def main() -> None:
    death = Death(int(sys.argv[1]), sys.argv[2])
    death.arrange()
    from vdiskkit.cli import main as command_line

    sys.argv = ["vdiskkit", *sys.argv[3:]]
    try:
        sys.exit(command_line())
    finally:
        if death.number < 0:
            print(f"\ncalls: {death.count}", file=sys.stderr)  # noqa: T201 - read by the test


if __name__ == "__main__":
    main()

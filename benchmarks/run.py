"""All benchmarks: what is read, what is written, what a dirty hive costs, then the comparison of reading.

    python -m benchmarks.run                   # every image; takes some minutes the first time
    python -m benchmarks.run --quick           # two small images, few rounds

Further arguments go to ``benchmarks.peers``. Exits 1 when a budget is exceeded.
"""

from __future__ import annotations

import sys

from benchmarks import budgets, peers, replay, writes


def main() -> int:
    """Run all; return the exit code."""
    arguments = sys.argv[1:]
    quick = "--quick" in arguments
    if quick:
        arguments.remove("--quick")
        arguments = ["--image", budgets.QUICK[-1], "--rounds", "5", *arguments]
    kept = budgets.main(["--quick"] if quick else [])
    print()
    kept |= writes.main(["--quick"] if quick else [item for item in arguments if item == "--slow"])
    if not quick:
        kept |= replay.main([])
    print()
    return peers.main(arguments) or kept


if __name__ == "__main__":
    sys.exit(main())

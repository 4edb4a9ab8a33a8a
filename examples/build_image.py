"""The last step of a build: mend what an edit of the files can mend, then judge the vDisk.

Exit code 0: fit to be copied; 1: not fit; anything else: vdiskkit's own exit code of what went wrong.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

import vdiskkit

if TYPE_CHECKING:
    from collections.abc import Sequence


def judge(disk: str, profile: str | None) -> vdiskkit.Report:
    """Validate one vDisk."""
    with vdiskkit.open_vdisk(disk) as opened:
        return vdiskkit.validate(opened, profile)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the step."""
    parser = argparse.ArgumentParser(description="Mend and judge a vDisk.")
    parser.add_argument("disk")
    parser.add_argument("--profile", help="a built-in profile or a TOML file")
    parser.add_argument("--sealed-copy", action="store_true", help="change it although it is in Standard mode")
    options = parser.parse_args(arguments)
    try:
        report = judge(options.disk, options.profile)
        force = ["standard-mode"] if options.sealed_copy else []
        plan = vdiskkit.plan_fixes(options.disk, report, profile=options.profile, force=force)
        if plan is not None:
            print(plan.describe())
            vdiskkit.apply(plan)
            report = judge(options.disk, options.profile)
        print(report.summary)
        report.raise_for_findings()
    except vdiskkit.ValidationFailed as exc:
        for finding in exc.findings:
            print(f"{finding.code}: {finding.message}", file=sys.stderr)
        return 1
    except vdiskkit.VDiskError as exc:
        print(exc, file=sys.stderr)
        return exc.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())

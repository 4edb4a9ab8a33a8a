"""Planning to mend what a validation found."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vdiskkit.errors import UsageError
from vdiskkit.patch.api import plan
from vdiskkit.patch.fixes import find_fixes, operations_of
from vdiskkit.rules.profile import Profile
from vdiskkit.rules.profile_files import load_profile
from vdiskkit.vdisk import open_vdisk

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from vdiskkit.patch.plan import Plan
    from vdiskkit.rules.facts import Report

__all__ = ["plan_fixes"]


def plan_fixes(
    path: str | os.PathLike[str],
    report: Report,
    *,
    profile: Profile | str | os.PathLike[str] | None = None,
    tokens: bool = False,
    force: Collection[str] = (),
    volume: int | None = None,
    parent_dirs: Sequence[str | os.PathLike[str]] = (),
    full_check: bool = False,
    now: datetime | None = None,
) -> Plan | None:
    """Plan to mend the findings that an edit of the files can mend; nothing is written.

    Waived findings are left as they are. See :mod:`vdiskkit.patch.fixes` for what is mended, and how.

    Args:
        path: The disk, or its side-car.
        report: What :func:`vdiskkit.validate` found on it.
        profile: The profile that the report was made by. Needed when it was a :class:`Profile` of your own; otherwise
            the report names it.
        tokens: Also remove the licence tokens that are left in the store of another Windows version.
        force: Gates that a person judged: ``lok``, ``standard-mode``.
        volume: Partition, None for the one with Windows.
        parent_dirs: Folders in which parents of a differencing disk are looked for.
        full_check: Walk the whole hives and the whole volume after staging, not only what was touched.
        now: The time that changed keys get.

    Returns:
        The plan for :func:`vdiskkit.apply`; None when nothing was found that can be mended so.

    Raises:
        PolicyError: The profile cannot be loaded.
        VDiskError: See :func:`vdiskkit.plan`.
    """
    used = profile if isinstance(profile, Profile) else load_profile(profile or _profile_of(report))
    with open_vdisk(path, volume=volume, parent_dirs=parent_dirs) as disk:
        inspection = disk.inspect(readiness=True)
    # The findings name their places below the disk as it was named then.
    inspection = replace(inspection, target=report.target)
    fixes = find_fixes(inspection, report.findings, used.expect, tokens=tokens)
    if not fixes:
        return None
    return plan(
        path,
        operations_of(fixes),
        force=force,
        volume=volume,
        parent_dirs=parent_dirs,
        full_check=full_check,
        now=now,
    )


def _profile_of(report: Report) -> str:
    found = report.profile
    if not found.source:
        raise UsageError("the report does not say which profile it was made by", hint="give the profile as well")
    return found.name if found.source == "built in" else found.source

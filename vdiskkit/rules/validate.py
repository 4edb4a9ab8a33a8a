"""Validating an opened vDisk, or one by its path."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.rules.asked import read_asked
from vdiskkit.rules.catalogue import all_rules, check_codes, with_rules
from vdiskkit.rules.engine import evaluate
from vdiskkit.rules.profile import Profile
from vdiskkit.rules.profile_files import default_profile, load_profile

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from vdiskkit.chain.facts import ChainFacts
    from vdiskkit.inspection.facts import Inspection
    from vdiskkit.rules.facts import Report, Severity
    from vdiskkit.rules.model import Rule
    from vdiskkit.vdisk import VDisk

__all__ = ["Examined", "examine", "validate", "validate_path"]


class Examined(NamedTuple):
    """The facts of a disk, what the rules say of them, and the profile they were judged by."""

    inspection: Inspection
    report: Report
    profile: Profile


def validate(
    disk: VDisk,
    profile: Profile | str | os.PathLike[str] | None = None,
    *,
    select: Sequence[str] = (),
    extend_select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    fail_on: Severity | str | None = None,
    strict_unknown: bool | None = None,
    rules: Sequence[Rule] = (),
    deep: bool = False,
    now: datetime | None = None,
    chosen_by: str | None = None,
) -> Report:
    """Judge a vDisk by the rules of a profile.

    Args:
        disk: An opened vDisk.
        profile: A profile, a built-in name, or the path of a TOML file. None takes the built-in one for the licence
            mode in the side-car.
        select: Only rules whose codes begin so, instead of the profile's choice.
        extend_select: These as well.
        ignore: Not these.
        fail_on: Severity from which on the disk is not fit; None for the profile's.
        strict_unknown: Whether what is not determinable is an error; None for the profile's.
        rules: Rules of your own, made with :func:`vdiskkit.rule`.
        deep: Also read what costs more than a glance: a $Bitmap larger than 2 MiB, SOFTWARE and SYSTEM whole, every
            copy of every structure of the disk's file and of its parents.
        now: The time that waivers are judged by; None for the present.
        chosen_by: Why this profile is used, for the report.

    Raises:
        PolicyError: The profile says something that cannot be.
        UsageError: Two rules have the same code, a level is no severity, or a rule of another package failed.
        VDiskError: The container or its chain cannot be read.
    """
    return examine(
        disk,
        profile,
        select=select,
        extend_select=extend_select,
        ignore=ignore,
        fail_on=fail_on,
        strict_unknown=strict_unknown,
        rules=rules,
        deep=deep,
        now=now,
        chosen_by=chosen_by,
    ).report


def examine(
    disk: VDisk,
    profile: Profile | str | os.PathLike[str] | None = None,
    *,
    select: Sequence[str] = (),
    extend_select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    fail_on: Severity | str | None = None,
    strict_unknown: bool | None = None,
    rules: Sequence[Rule] = (),
    deep: bool = False,
    now: datetime | None = None,
    chosen_by: str | None = None,
) -> Examined:
    """As :func:`validate`, and give the facts that were judged as well."""
    available = all_rules()
    if rules:
        available = with_rules([*(rule for rule in available if rule not in with_rules(())), *rules])
    codes = tuple(rule.code for rule in available)
    check_codes((*select, *extend_select, *ignore), codes)
    # A judgement of fitness leaves nothing out, whatever it costs.
    for file in disk.container.chain:
        file.check_rest()
    inspection = disk.inspect(deep=deep, readiness=True)
    why = chosen_by or "asked for"
    if profile is None:
        profile, default = default_profile(inspection.pvp)
        why = chosen_by or default
        chosen = False
    else:
        chosen = True
    loaded = profile if isinstance(profile, Profile) else load_profile(profile, codes=codes)
    used = loaded.changed(
        select=select, extend_select=extend_select, ignore=ignore, fail_on=fail_on, strict_unknown=strict_unknown
    )
    report = evaluate(
        inspection,
        used,
        now=now or datetime.now(UTC),
        asked=read_asked(disk, used),
        chain=_chain(disk) if deep else None,
        rules=available,
        chosen_by=why,
        chosen=chosen,
    )
    return Examined(inspection, report, used)


def _chain(disk: VDisk) -> ChainFacts | None:
    """The chain with every structure of its files; None for a raw image or a disk that is no file."""
    if disk.path is None or disk.container.format == "raw":
        return None
    from vdiskkit.chain import read_chain

    return read_chain(
        disk.path,
        format=disk.container.format,
        parent_dirs=disk.parent_dirs,
        follow_parent_paths=disk.follow_parent_paths,
        check=True,
    )


def validate_path(path: str | os.PathLike[str], profile: Profile | str | None = None) -> Report:
    """Open one vDisk, validate it and close it: the unit of work for an executor (arguments and result pickle)."""
    from vdiskkit.vdisk import open_vdisk

    with open_vdisk(path) as disk:
        return validate(disk, profile)

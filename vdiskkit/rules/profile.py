"""Profiles: which rules count, what is expected of a disk, and what is accepted for a while.

A profile is immutable. :func:`~vdiskkit.rules.profile_files.load_profile` makes one of a TOML file or of a built-in
name; :meth:`Profile.changed` gives another one with options of the command line.
"""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.rules.facts import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

__all__ = ["ALL", "BUILT_IN", "Expectations", "ExpectedValue", "Profile", "Waiver", "covers"]

ALL = "ALL"
"""Stands for every rule where codes are named."""

BUILT_IN = ("kms-standard", "private-build", "mak", "no-licensing", "integrity-only")


class Expectations(NamedTuple):
    """What is expected of a disk. None, or ``any``: nothing in particular.

    Attributes:
        mode: ``standard``, ``private`` or ``any``.
        license_mode: ``kms``, ``mak``, ``none`` or ``any``.
        windows_key: ``gvlk``, ``mak`` or ``any``; ``any`` still refuses a KMS host key.
        kms_host: KMS host names that may be set in the image; empty: none.
        kms_port: Port that must be set with them, None for any.
        target_version: Oldest PVS target version that is accepted.
        free_space_mb: Free space on the Windows volume in MiB; below it (and below 5 %) is a finding.
        ad_password: Whether machine account password management must be on; None for any.
    """

    mode: str = "any"
    license_mode: str = "any"
    windows_key: str = "any"
    kms_host: tuple[str, ...] = ()
    kms_port: int | None = None
    target_version: str | None = None
    free_space_mb: int = 1024
    ad_password: bool | None = None


class ExpectedValue(NamedTuple):
    r"""What one registry value must be.

    Attributes:
        key: Key path, ``HKLM\SOFTWARE\...``.
        name: Value name.
        equals: Number, text or list of texts; None when it is not compared.
        absent: It must not be there.
        regex: Pattern that the whole text must match.
        type: Registry type it must have.
    """

    key: str
    name: str
    equals: int | str | tuple[str, ...] | None = None
    absent: bool = False
    regex: str | None = None
    type: str | None = None


class Waiver(NamedTuple):
    """Findings that are accepted until a day.

    Attributes:
        rule: Code of a rule.
        reason: Why they are accepted.
        expires: Last day on which they are.
        disks: Patterns of disk file names that it is for; empty: all.
        where: File and line it is written in.
    """

    rule: str
    reason: str
    expires: date
    disks: tuple[str, ...] = ()
    where: str = ""

    def is_for(self, file_name: str | None) -> bool | None:
        """Whether it is meant for a disk; None when the disk has no file name and the waiver names some."""
        if not self.disks:
            return True
        if not file_name:
            return None
        return any(fnmatch.fnmatchcase(file_name.casefold(), pattern.casefold()) for pattern in self.disks)


class Profile(NamedTuple):
    """A profile.

    Attributes:
        name: Its name.
        source: ``built in``, or the file it comes from.
        description: One sentence.
        select: Beginnings of the codes of rules that count; ``ALL`` for every rule.
        ignore: Beginnings of codes that do not. The longer beginning wins over the shorter one.
        severity: Severity by code, where it is not the rule's own.
        expect: What is expected.
        registry: Registry values that are expected.
        files_present: Files of the Windows volume that must exist.
        files_absent: Files that must not.
        waivers: What is accepted for a while.
        fail_on: Severity from which on the disk is not fit.
        strict_unknown: Whether what is not determinable is an error.
    """

    name: str
    source: str = "built in"
    description: str = ""
    select: tuple[str, ...] = (ALL,)
    ignore: tuple[str, ...] = ()
    severity: Mapping[str, Severity] = {}
    expect: Expectations = Expectations()
    registry: tuple[ExpectedValue, ...] = ()
    files_present: tuple[str, ...] = ()
    files_absent: tuple[str, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    fail_on: Severity = Severity.ERROR
    strict_unknown: bool = False

    def selects(self, code: str) -> bool:
        """Whether a rule counts: the longest beginning that fits decides, and ``ignore`` wins over ``select``."""
        chosen = _longest(self.select, code)
        return chosen is not None and chosen > (_longest(self.ignore, code) or -1)

    def changed(
        self,
        *,
        select: Sequence[str] = (),
        extend_select: Sequence[str] = (),
        ignore: Sequence[str] = (),
        fail_on: Severity | str | None = None,
        strict_unknown: bool | None = None,
    ) -> Profile:
        """Return this profile with the options of one run.

        Args:
            select: Only these rules, instead of the profile's.
            extend_select: These as well, even when the profile ignores them.
            ignore: Not these.
            fail_on: Another fail level.
            strict_unknown: Whether what is not determinable is an error.
        """
        chosen = tuple(select) or self.select
        before = () if select else self.ignore
        kept = tuple(code for code in before if not any(covers(added, code) for added in extend_select))
        return self._replace(
            select=(*chosen, *extend_select),
            ignore=(*kept, *ignore),
            fail_on=_level(fail_on) if fail_on is not None else self.fail_on,
            strict_unknown=self.strict_unknown if strict_unknown is None else strict_unknown,
        )


def _level(level: Severity | str) -> Severity:
    from vdiskkit.errors import UsageError

    try:
        return Severity(level)
    except ValueError as exc:
        raise UsageError(f"{level!r} is no severity", hint="use error, warning or note") from exc


def covers(beginning: str, code: str) -> bool:
    """Whether a beginning (or ``ALL``) stands for a code."""
    return beginning == ALL or code.startswith(beginning)


def _longest(beginnings: Sequence[str], code: str) -> int | None:
    lengths = [0 if beginning == ALL else len(beginning) for beginning in beginnings if covers(beginning, code)]
    return max(lengths, default=None)

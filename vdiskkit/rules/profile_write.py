"""A profile as TOML: what is in force with all that it extends, and a commented one to begin with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from vdiskkit.rules.profile import Expectations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vdiskkit.rules.profile import ExpectedValue, Profile

__all__ = ["STARTER", "profile_toml"]

STARTER = r"""# A profile of vdiskkit: which rules count, what is expected of a disk, what is accepted for a while.
# Saved as vdiskkit.toml it is used in this folder and below it; elsewhere name it with --profile FILE.

description = "What our images must be before they are copied"

# A built-in profile (kms-standard, private-build, mak, no-licensing, integrity-only) or a file beside this one.
extends = "kms-standard"

# Beginnings of rule codes; `vdiskkit rules` lists them. The longest beginning that fits decides.
# select = ["ALL"]
ignore = []

# From which severity on a disk is not fit: error, warning or note.
fail_on = "error"

# Whether what cannot be read counts as an error.
strict_unknown = false

[severity]
# KMS110 = "error"

[expect]
# mode = "standard"               # standard, private or any
# license_mode = "kms"            # kms, mak, none or any
# windows_key = "gvlk"            # gvlk, mak or any
# kms_host = "kms.example.com"    # or a list; without it a host in the registry is a warning
# kms_port = 1688
# target_version = "7.33"         # oldest PVS target software
# free_space_mb = 1024
# Registry values: a value to compare with, or a table with equals, absent, regex, type.
# [registry."HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows NT\\Terminal Services"]
# fDenyTSConnections = 0
# LicenseServers = { regex = "rds[0-9]+\\.example\\.com" }
# OldValue = { absent = true }

[files]
present = []
absent = []

# What is accepted until a day; after it, the finding counts again and the waiver is a finding itself.
# [[waiver]]
# rule = "KMS110"
# reason = "rearm count used up, new master is being built"
# expires = 2026-12-31
# disks = ["old-*.vhd"]           # optional: only these disk files
"""
"""A profile to begin with, every key explained."""


def profile_toml(profile: Profile) -> str:
    """Everything that is in force, as a profile that extends nothing."""
    return "".join(f"{line}\n" for line in _lines(profile))


def _lines(profile: Profile) -> Iterator[str]:
    yield f"description = {_text(profile.description)}"
    yield f"select = {_list(profile.select)}"
    yield f"ignore = {_list(profile.ignore)}"
    yield f"fail_on = {_text(profile.fail_on)}"
    yield f"strict_unknown = {_value(profile.strict_unknown)}"
    if profile.severity:
        yield from ("", "[severity]")
        yield from (f"{code} = {_text(level)}" for code, level in sorted(profile.severity.items()))
    yield from ("", "[expect]")
    for name in Expectations._fields:
        value = getattr(profile.expect, name)
        if value not in (None, ()):
            yield f"{name} = {_value(value)}"
    yield from _registry(profile.registry)
    if profile.files_present or profile.files_absent:
        yield from ("", "[files]")
        yield f"present = {_list(profile.files_present)}"
        yield f"absent = {_list(profile.files_absent)}"
    for waiver in profile.waivers:
        yield from ("", "[[waiver]]", f"rule = {_text(waiver.rule)}", f"reason = {_text(waiver.reason)}")
        yield f"expires = {waiver.expires.isoformat()}"
        if waiver.disks:
            yield f"disks = {_list(waiver.disks)}"


def _registry(values: Sequence[ExpectedValue]) -> Iterator[str]:
    key = None
    for value in sorted(values, key=lambda value: (value.key.casefold(), value.name.casefold())):
        if key is None or value.key.casefold() != key.casefold():
            key = value.key
            yield from ("", f"[registry.{_text(key)}]")
        yield f"{_text(value.name)} = {_expected(value)}"


def _expected(value: ExpectedValue) -> str:
    if value.absent:
        return "{ absent = true }"
    parts = {"equals": value.equals, "regex": value.regex, "type": value.type}
    given = {name: part for name, part in parts.items() if part is not None}
    if list(given) == ["equals"]:
        return _value(given["equals"])
    return "{ " + ", ".join(f"{name} = {_value(part)}" for name, part in given.items()) + " }"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple):
        return _list(value)
    return _text(str(value))


def _list(values: Sequence[object]) -> str:
    return "[" + ", ".join(_value(value) for value in values) + "]"


def _text(text: str) -> str:
    # The escapes of JSON are those of TOML's basic strings, but for the surrogates of astral characters, so those are
    # not escaped that way. What a terminal would act on is.
    quoted = json.dumps(str(text), ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08X}" for char in quoted)

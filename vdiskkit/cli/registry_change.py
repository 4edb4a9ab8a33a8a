"""What the commands that change the registry share: which disks they take, and data as people type it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vdiskkit.cli.registry import is_hive
from vdiskkit.errors import UsageError
from vdiskkit.location import Location

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["check_target", "parse_data"]

_TYPES = {"none": 0, "sz": 1, "expand_sz": 2, "binary": 3, "dword": 4, "multi_sz": 7, "qword": 11}
_BITS = {"dword": 32, "qword": 64}
_NUMBER = re.compile(r"0[xX](?P<hex>[0-9a-fA-F]{1,40})|(?P<decimal>[0-9]{1,40})")


def check_target(target: str, key: str | None = None) -> None:
    """Refuse what can never work before anything is read: a bare hive file, a path without a hive.

    Raises:
        UsageError: It can never work.
        SourceError: The target cannot be opened.
    """
    if is_hive(target):
        raise UsageError(
            "this is a hive file by itself; only the hives inside a disk are changed",
            location=Location(target),
            hint="name the disk that the hive lies in; for a hive file alone use reg.exe or hivexregedit",
        )
    if key is not None:
        from vdiskkit.windows.regpath import parse_registry_path

        parse_registry_path(key)


def parse_data(type_name: str, values: Sequence[str]) -> tuple[int, bytes]:
    """Return type number and data.

    Args:
        type_name: ``dword``, ``sz`` and so on.
        values: The VALUE arguments: one, any number for ``multi_sz``, none or one for ``none`` and ``binary``.

    Raises:
        UsageError: They do not fit the type.
    """
    from vdiskkit.patch.registry.encode import encode

    kind = _TYPES[type_name]
    if type_name == "multi_sz":
        return kind, encode(kind, tuple(values))
    if type_name in ("binary", "none"):
        return kind, _hex("".join(values))
    if len(values) != 1:
        raise UsageError(
            f"a value of type {type_name} takes one VALUE, not {len(values)}",
            hint="put text with spaces in quotes; several texts are of type multi_sz",
        )
    return kind, encode(kind, _number(type_name, values[0]) if type_name in _BITS else values[0])


def _number(type_name: str, text: str) -> int:
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text[:60]!r} is no number", hint="write it in decimal, or as 0x1f in hexadecimal")
    number = int(match["hex"], 16) if match["hex"] else int(match["decimal"])
    if not 0 <= number < 1 << _BITS[type_name]:
        raise UsageError(f"{text} does not fit into a {type_name}", hint=f"it holds 0 to {(1 << _BITS[type_name]) - 1}")
    return number


def _hex(text: str) -> bytes:
    digits = "".join(text.replace(",", " ").replace(":", " ").split())
    try:
        return bytes.fromhex(digits)
    except ValueError as exc:
        raise UsageError(f"{text[:60]!r} is not hexadecimal", hint="write two digits for each byte: 00ff10") from exc

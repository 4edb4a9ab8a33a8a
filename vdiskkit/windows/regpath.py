r"""Registry paths as people type them, split into hive and key.

``HKLM\SOFTWARE\Microsoft``, ``HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft``, ``HKLM:\SOFTWARE\Microsoft`` (PowerShell) and
``SOFTWARE\Microsoft`` all name the same key of the SOFTWARE hive.
"""

from __future__ import annotations

from typing import NamedTuple

from vdiskkit.errors import UsageError

__all__ = ["HIVE_FILES", "RegistryPath", "parse_registry_path", "split_key_path"]

HIVE_FILES = {
    "SOFTWARE": r"System32\config\SOFTWARE",
    "SYSTEM": r"System32\config\SYSTEM",
    "SAM": r"System32\config\SAM",
    "SECURITY": r"System32\config\SECURITY",
    "DEFAULT": r"System32\config\DEFAULT",
    "COMPONENTS": r"System32\config\COMPONENTS",
    "DRIVERS": r"System32\config\DRIVERS",
    "NETWORKSERVICE": r"ServiceProfiles\NetworkService\NTUSER.DAT",
    "LOCALSERVICE": r"ServiceProfiles\LocalService\NTUSER.DAT",
}
"""Hive name to its file, from the Windows folder."""

_ROOTS = {
    "HKLM": "HKLM",
    "HKEY_LOCAL_MACHINE": "HKLM",
    "HKU": "HKU",
    "HKEY_USERS": "HKU",
    "HKCR": "HKCR",
    "HKEY_CLASSES_ROOT": "HKCR",
    "HKCU": "HKCU",
    "HKEY_CURRENT_USER": "HKCU",
    "HKCC": "HKCC",
    "HKEY_CURRENT_CONFIG": "HKCC",
}
_USERS = {".DEFAULT": "DEFAULT", "S-1-5-18": "DEFAULT", "S-1-5-19": "LOCALSERVICE", "S-1-5-20": "NETWORKSERVICE"}
_USER_ROOTS = {"DEFAULT": r"HKU\.DEFAULT", "LOCALSERVICE": r"HKU\S-1-5-19", "NETWORKSERVICE": r"HKU\S-1-5-20"}
_LOST = r'put the path in double quotes, like "HKLM\SOFTWARE\Microsoft": a shell takes backslashes out'
_MACHINE = ("SOFTWARE", "SYSTEM", "SAM", "SECURITY", "COMPONENTS", "DRIVERS")


class RegistryPath(NamedTuple):
    """A hive name and the key path below its root (empty for the root)."""

    hive: str
    key: str

    @property
    def text(self) -> str:
        r"""The path as the running Windows would call it, ``HKLM\...``."""
        root = _USER_ROOTS.get(self.hive) or f"HKLM\\{self.hive}"
        return f"{root}\\{self.key}" if self.key else root


def split_key_path(text: str) -> list[str]:
    r"""Split a key path into names.

    A slash separates names only where there is no backslash: names of keys may hold slashes, and those that Windows
    makes do (``msft:rm/algorithm/hwid/4.0``).
    """
    return [part for part in text.split("\\" if "\\" in text else "/") if part]


def parse_registry_path(text: str) -> RegistryPath:
    r"""Split a registry path; ``CurrentControlSet`` is left as it is.

    Raises:
        UsageError: The path names no hive that an image has.
    """
    parts = split_key_path(text)
    if parts and parts[0].casefold() == "computer":
        parts = parts[1:]
    if not parts:
        raise UsageError("no registry path was given", hint=r"write it like HKLM\SOFTWARE\Microsoft")
    root = _ROOTS.get(parts[0].rstrip(":").upper())
    rest = parts[1:]
    if root is None:
        if parts[0].upper() not in HIVE_FILES:
            raise UsageError(
                f"the registry path {text!r} begins with no known root or hive",
                hint=_LOST if _lost_separators(text) else r"write it like HKLM\SOFTWARE\Microsoft",
            )
        return RegistryPath(parts[0].upper(), "\\".join(rest))
    if root == "HKCR":
        return RegistryPath("SOFTWARE", "\\".join(["Classes", *rest]))
    if root == "HKCC":
        return RegistryPath("SYSTEM", "\\".join([r"CurrentControlSet\Hardware Profiles\Current", *rest]))
    if root == "HKCU":
        raise UsageError(
            "HKEY_CURRENT_USER does not exist in an image that is not running",
            hint=r"open that user's NTUSER.DAT as a hive file, or name HKU\.DEFAULT",
        )
    return _below_root(root, rest, text)


def _below_root(root: str, rest: list[str], text: str) -> RegistryPath:
    if not rest:
        names = [*_USERS] if root == "HKU" else [*_MACHINE]
        raise UsageError(f"{root} holds several hives", hint=f"name one below it: {', '.join(names)}")
    name = rest[0].upper()
    if root == "HKU":
        if name not in _USERS:
            raise UsageError(
                f"no hive of user {rest[0]!r} is known by its path",
                hint="open that user's NTUSER.DAT (see `ls DISK Users`) as a hive file",
            )
        return RegistryPath(_USERS[name], "\\".join(rest[1:]))
    if name not in _MACHINE:
        raise UsageError(
            f"HKLM has no hive {rest[0]!r} in an image ({text!r})",
            hint=_LOST if len(rest) == 1 and _goes_on(name, _MACHINE) else f"the hives there are {', '.join(_MACHINE)}",
        )
    return RegistryPath(name, "\\".join(rest[1:]))


def _lost_separators(text: str) -> bool:
    r"""Whether a path looks as if a shell took its backslashes out: ``HKLMSOFTWAREMicrosoft``, ``SYSTEMSelect``.

    It holds none, and the name of a hive follows its root at once, or more the name of a hive.
    """
    if "\\" in text:
        return False
    name = text.upper().removeprefix("COMPUTER")
    for root, short in _ROOTS.items():
        if name.startswith(root):
            below = name.removeprefix(root).removeprefix(":")
            hives = {"HKLM": _MACHINE, "HKU": tuple(_USERS)}.get(short)
            return below.startswith(hives) if hives else bool(below)
    return _goes_on(name, tuple(HIVE_FILES))


def _goes_on(name: str, hives: tuple[str, ...]) -> bool:
    """Whether a name begins with that of a hive and goes on as a path would; ``SYSTEM32`` and ``SAM.LOG`` do not."""
    return any(name.startswith(hive) and len(name) >= len(hive) + 3 and name[len(hive)] != "." for hive in hives)

"""Files without which Windows does not start: deleting one wants a force of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.errors import FormatError
from vdiskkit.windows.guest_path import guest_path
from vdiskkit.windows.regpath import HIVE_FILES
from vdiskkit.windows.target import TARGET_SERVICES
from vdiskkit.windows.values import number_value, text_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vdiskkit.registry import RegistryKey
    from vdiskkit.windows.image import WindowsImage

__all__ = ["why_needed"]

_OF_VOLUME = {
    "bootmgr": "the boot manager",
    "bootmgr.efi": "the boot manager",
    "boot\\bcd": "the store of what can be booted",
    "efi\\boot\\bootx64.efi": "the boot manager",
    "efi\\boot\\bootaa64.efi": "the boot manager",
    "efi\\microsoft\\boot\\bcd": "the store of what can be booted",
    "efi\\microsoft\\boot\\bootmgfw.efi": "the boot manager",
}
_HIVES = ("SYSTEM", "SOFTWARE", "SAM", "SECURITY", "DEFAULT")
_OF_WINDOWS = {
    **{f"system32\\{name}": "the boot loader" for name in ("winload.exe", "winload.efi")},
    **{f"system32\\boot\\{name}": "the boot loader" for name in ("winload.exe", "winload.efi")},
    **{
        f"system32\\{name}": "a part of the kernel"
        for name in ("ntoskrnl.exe", "hal.dll", "ci.dll", "kdcom.dll", "pshed.dll", "bootvid.dll", "win32k.sys")
    },
    **{
        f"system32\\{name}": "a process or library that every start needs"
        for name in (
            "csrss.exe", "kernel32.dll", "lsass.exe", "ntdll.dll", "services.exe", "smss.exe", "svchost.exe",
            "userinit.exe", "wininit.exe", "winlogon.exe",
        )
    },
}  # fmt: skip
_BOOT_START = 0
_DRIVERS = "system32\\drivers\\"


def why_needed(paths: Iterable[str], image: WindowsImage | None) -> str | None:
    """Say what Windows needs a file for at its start; None when it does not.

    Args:
        paths: The names of the file that go.
        image: The Windows of its volume, None when there is none.
    """
    for path in paths:
        name = path.strip("\\").casefold()
        found = _OF_VOLUME.get(name) or (_needed_by(name, image) if image is not None else None)
        if found:
            return found
    return None


def _needed_by(name: str, image: WindowsImage) -> str | None:
    root = image.root.casefold() + "\\"
    for hive in _HIVES:
        if name == root + HIVE_FILES[hive].casefold():
            return f"the registry hive {hive}"
    found = _OF_WINDOWS.get(name.removeprefix(root)) if name.startswith(root) else None
    if found or not name.endswith(".sys"):
        return found
    try:
        services = image.find_key(r"HKLM\SYSTEM\CurrentControlSet\Services")
        for service in services.subkeys() if services is not None else ():
            if name in _drivers_of(service, image):
                return f"the driver of the service {service.name}, which starts with Windows"
    except FormatError as exc:
        return f"a driver, and whether Windows starts with it cannot be read ({exc.message})"
    if services is None and name.startswith(root + _DRIVERS):
        return "a driver, and whether Windows starts with it is not known, as its services cannot be found"
    return None


def _drivers_of(service: RegistryKey, image: WindowsImage) -> Iterator[str]:
    """Yield where the driver of a service lies that starts at boot, or is one of the PVS target software."""
    usual = next((path for name, path in TARGET_SERVICES.items() if name.casefold() == service.name.casefold()), None)
    if number_value(service, "Start") != _BOOT_START and usual is None:
        return
    text = text_value(service, "ImagePath")
    path = guest_path(text, image.root, image.system_drive) if text else None
    if path is not None:
        yield path.casefold()
    elif usual is not None:
        yield f"{image.root}\\{usual}".casefold()
    else:
        yield f"{image.root}\\{_DRIVERS}{service.name}.sys".casefold()

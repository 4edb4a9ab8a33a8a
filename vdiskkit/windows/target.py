r"""The PVS target device software inside an image: services, drivers, version.

The BNDevice service and the bnistack driver are what makes an image streamable. The version is taken from the version
resource of ``BNDevice.exe`` (else of the bnistack driver), and failing that from ``Citrix\ProvisioningServices``.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from vdiskkit.windows.facts import DriverFileFacts, ServiceFacts, TargetSoftwareFacts
from vdiskkit.windows.pe import file_version
from vdiskkit.windows.values import number_value, text_value

if TYPE_CHECKING:
    from vdiskkit.facts import NoticeLog
    from vdiskkit.registry import RegistryKey
    from vdiskkit.windows.image import WindowsImage

__all__ = ["TARGET_SERVICES", "guest_path", "read_target_software"]

TARGET_SERVICES = {
    "bnistack": r"System32\drivers\bnistack6.sys",
    "CVhdMp": r"System32\drivers\CVhdMp.sys",
    "CFsDep2": r"System32\drivers\CFsDep2.sys",
    "BNDevice": None,
}
"""Service name and where its file lies when ImagePath does not say."""


def read_target_software(image: WindowsImage, log: NoticeLog) -> TargetSoftwareFacts:
    """Gather the target software's services, files and version; unreadable parts become notices."""
    names = log.attempt("windows.services_unreadable", "the services cannot be read", lambda: _services(image), None)
    services: list[ServiceFacts] = []
    files: dict[str, DriverFileFacts] = {}
    for name, key in (names or {}).items():
        facts = ServiceFacts(
            name=name,
            present=key is not None,
            start=number_value(key, "Start"),
            image_path=text_value(key, "ImagePath"),
        )
        services.append(facts)
        path = _service_file(facts, image.root)
        if path is not None:
            missing = DriverFileFacts(path=path, present=False, size=None, modified=None, version=None)
            files[name] = log.attempt(
                "windows.file_unreadable",
                "a file of the target software cannot be read",
                partial(_file_facts, image, path),
                missing,
            )
    unknown: tuple[str | None, str | None] = (None, None)
    version, source = log.attempt(
        "windows.target_version", "the target software's version", lambda: _version(image, files), unknown
    )
    present = {service.name for service in services if service.present}
    return TargetSoftwareFacts(
        installed={"bnistack", "BNDevice"} <= present if names is not None else None,
        version=version,
        version_source=source,
        services=tuple(services),
        files=tuple(files.values()),
    )


def _services(image: WindowsImage) -> dict[str, RegistryKey | None] | None:
    if image.control_set is None:
        return None
    return {name: image.find_key(rf"HKLM\SYSTEM\CurrentControlSet\Services\{name}") for name in TARGET_SERVICES}


def _service_file(service: ServiceFacts, root: str) -> str | None:
    path = guest_path(service.image_path, root) if service.image_path else None
    usual = TARGET_SERVICES[service.name]
    if path is None and service.present and usual is not None:
        path = f"{root}\\{usual}"
    return path


def guest_path(image_path: str, root: str) -> str | None:
    r"""Turn a service's ImagePath into a path on the Windows volume; None when it lies on another drive.

    Handles quotes and arguments, ``\SystemRoot\``, ``%SystemRoot%``, ``\??\C:\`` and paths that begin at the Windows
    folder (``system32\drivers\x.sys``).
    """
    text = image_path.strip()
    if text.startswith('"'):
        text = text[1:].partition('"')[0]
    else:
        match = re.match(r".*?\.(?:sys|exe|dll)(?=\s|$)", text, re.IGNORECASE)
        text = match.group() if match else text
    text = text.removeprefix("\\??\\")
    lowered = text.casefold()
    for prefix in ("\\systemroot\\", "%systemroot%\\", "%windir%\\"):
        if lowered.startswith(prefix):
            return f"{root}\\{text[len(prefix) :]}"
    drive = re.match(r"([a-z]):\\", lowered)
    if drive:
        # The letter is the running Windows' own; an offline volume is C: by all conventions of a vDisk.
        return text[3:] if drive.group(1) == "c" else None
    if lowered.startswith("%programfiles%\\"):
        return "Program Files\\" + text[len("%programfiles%\\") :]
    return f"{root}\\{text.lstrip(chr(92))}" if lowered.lstrip("\\").startswith("system32\\") else text.lstrip("\\")


def _file_facts(image: WindowsImage, path: str) -> DriverFileFacts:
    file = image.volume.find(path)
    if file is None or file.is_directory:
        return DriverFileFacts(path=path, present=False, size=None, modified=None, version=None)
    return DriverFileFacts(
        path=path, present=True, size=file.size, modified=file.modified, version=file_version(file.open())
    )


def _version(image: WindowsImage, files: dict[str, DriverFileFacts]) -> tuple[str | None, str | None]:
    for name in ("BNDevice", "bnistack"):
        file = files.get(name)
        if file is not None and file.version is not None:
            return file.version, file.path
    key = image.find_key(r"HKLM\SOFTWARE\Citrix\ProvisioningServices")
    if key is not None:
        for value in key.values():
            if "version" in value.name.casefold() and isinstance(value.data, str) and value.data:
                return value.data, rf"HKLM\SOFTWARE\Citrix\ProvisioningServices, {value.name}"
    return None, None

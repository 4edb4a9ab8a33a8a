r"""The PVS target device software inside an image: services, drivers, version.

The BNDevice service and the bnistack driver are what makes an image streamable. The version is taken from the version
resource of ``BNDevice.exe`` (else of the bnistack driver), and failing that from ``Citrix\ProvisioningServices``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.errors import FileMissingError, FormatError, ReadLimitError
from vdiskkit.windows.facts import DriverFileFacts, ServiceFacts, TargetSoftwareFacts
from vdiskkit.windows.guest_path import guest_path
from vdiskkit.windows.pe import file_version
from vdiskkit.windows.values import number_value, text_value

if TYPE_CHECKING:
    from vdiskkit.facts import NoticeLog
    from vdiskkit.registry import RegistryKey
    from vdiskkit.windows.image import WindowsImage

__all__ = ["TARGET_SERVICES", "read_target_software"]

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
        if facts.present:
            files[name] = _service_file(image, facts, log)
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


def _service_file(image: WindowsImage, service: ServiceFacts, log: NoticeLog) -> DriverFileFacts:
    """The file that a service names; where it names none, the one that the target software installs for it."""
    usual = TARGET_SERVICES[service.name]
    if service.image_path:
        path = guest_path(service.image_path, image.root, image.system_drive)
        if path is None:
            return _unknown(service.image_path, "it is not on the volume of Windows, or its path cannot be followed")
    elif usual is not None:
        path = f"{image.root}\\{usual}"
    else:
        return _unknown(service.name, "the service has no ImagePath that says where its file is")
    return _file_facts(image, path, log)


def _unknown(path: str, problem: str) -> DriverFileFacts:
    return DriverFileFacts(path=path, present=None, size=None, modified=None, version=None, problem=problem)


def _file_facts(image: WindowsImage, path: str, log: NoticeLog) -> DriverFileFacts:
    try:
        file = image.volume.find(path)
    except (FormatError, FileMissingError) as exc:
        return _unknown(path, _noted(path, exc, log))
    if file is None or file.is_directory:
        return DriverFileFacts(path=path, present=False, size=None, modified=None, version=None, problem=None)
    size, modified, version, problem = None, None, None, None
    try:
        size, modified = file.size, file.modified
        version = file_version(file.open())
    except (FormatError, FileMissingError) as exc:
        # It is there; only what it says is not known.
        problem = _noted(path, exc, log)
    return DriverFileFacts(path=path, present=True, size=size, modified=modified, version=version, problem=problem)


def _noted(path: str, error: FormatError | FileMissingError, log: NoticeLog) -> str:
    if isinstance(error, ReadLimitError) and error.used_up:
        raise error
    log.add_error("windows.file_unreadable", f"{path}, a file of the target software, cannot be read", error)
    return error.message


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

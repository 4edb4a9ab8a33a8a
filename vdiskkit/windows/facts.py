"""Facts about the Windows installation inside a volume."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from vdiskkit.facts import Facts
from vdiskkit.registry.facts import HiveFacts

__all__ = ["DriverFileFacts", "ServiceFacts", "TargetSoftwareFacts", "WindowsFacts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFacts(Facts):
    """One service or driver of the control set in use.

    Attributes:
        name: Service key name.
        present: Whether the key exists.
        start: Start value (0 boot .. 4 disabled), None when absent.
        image_path: ImagePath as stored.
    """

    name: str
    present: bool
    start: int | None
    image_path: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverFileFacts(Facts):
    """One file of the target software.

    Attributes:
        path: Path inside the volume.
        present: Whether the file exists; None when that cannot be told.
        size: Bytes.
        modified: Last write, UTC.
        version: File version from its version resource, if it has one.
        problem: Why it was not looked for, or what of it cannot be read; None when nothing is.
    """

    path: str
    present: bool | None
    size: int | None
    modified: datetime | None
    version: str | None
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSoftwareFacts(Facts):
    """The PVS target device software.

    Attributes:
        installed: Whether the BNDevice service and the bnistack driver are registered; None when SYSTEM is unreadable.
        version: Product version, or None when no source shows one.
        version_source: Where the version was read.
        services: The services and drivers looked for.
        files: The files looked for.
    """

    installed: bool | None
    version: str | None
    version_source: str | None
    services: tuple[ServiceFacts, ...]
    files: tuple[DriverFileFacts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowsFacts(Facts):
    """Which Windows this is.

    Attributes:
        root: Windows folder, from the root of the volume.
        product_name: Product as it is called; Windows 11 stores "Windows 10 ..." and is named right here.
        product_name_stored: ProductName exactly as stored.
        edition_id: EditionID, such as ``Enterprise``.
        build: Build number (CurrentBuild).
        ubr: Update build revision.
        display_version: ``22H2``, ``1809``, or the service pack of older versions.
        architecture: ``x64``, ``x86``, ``arm64``.
        install_date: When this Windows was installed, UTC.
        installation_type: ``Client``, ``Server``, ``Server Core``.
        computer_name: Name stored for the next boot.
        control_set: Number of the control set in use (``Select`` key, ``Current``).
        hives: The hives that were read and their state.
        stale: True when SOFTWARE or SYSTEM is dirty: values may be older than those in its logs.
        target_software: PVS target device software.
    """

    root: str
    product_name: str | None
    product_name_stored: str | None
    edition_id: str | None
    build: int | None
    ubr: int | None
    display_version: str | None
    architecture: str | None
    install_date: datetime | None
    installation_type: str | None
    computer_name: str | None
    control_set: int | None
    hives: tuple[HiveFacts, ...]
    stale: bool
    target_software: TargetSoftwareFacts

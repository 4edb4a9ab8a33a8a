"""What a .pvp side-car says, as frozen facts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from vdiskkit.facts import Facts

__all__ = ["WRITE_CACHE_TYPES", "PvpFacts", "PvpProblem", "PvpTime", "PvpUnknownArea", "WriteCacheType"]

WRITE_CACHE_TYPES = {
    0: "private",
    1: "cache on server",
    2: "cache on server, encrypted",
    3: "cache in device RAM",
    4: "cache on device hard disk",
    5: "cache on device hard disk, encrypted",
    6: "RAM disk",
    7: "cache on server, persistent",
    8: "cache on device hard disk, persistent",
    9: "cache in device RAM with overflow to disk",
    10: "private, asynchronous IO",
    11: "cache on server, persistent, asynchronous IO",
    12: "cache in device RAM with overflow to disk, asynchronous IO",
}
"""Names of the write cache types; 0 and 10 are Private image mode, all others Standard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteCacheType(Facts):
    """Where target devices write to.

    Attributes:
        value: The number as stored.
        name: What it means, ``unknown`` for a number without a known meaning.
    """

    value: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PvpTime(Facts):
    """A time whose unit is not public.

    Attributes:
        raw: The number as stored.
        unit: ``filetime`` or ``unix`` when one of them gives a time between 2005 and 2100, ``unset`` for 0, else
            ``unknown``.
        time: The time in UTC, None unless the unit is known.
    """

    raw: int
    unit: str
    time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PvpProblem(Facts):
    """Something that makes the file implausible as a side-car.

    Attributes:
        field: Name of the field.
        offset: Its file offset in bytes.
        value: What it holds, as text.
        why: One sentence.
    """

    field: str
    offset: int
    value: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PvpUnknownArea(Facts):
    """Bytes whose meaning is not public; newer PVS versions may use them.

    Attributes:
        name: ``public_pad``, ``header_pad``, ``footer_pad`` or ``tail``.
        offset: File offset in bytes.
        size: Length in bytes.
        used_bytes: How many of them are not zero.
    """

    name: str
    offset: int
    size: int
    used_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PvpFacts(Facts):
    """Every field of the side-car. Texts are untrusted.

    Attributes:
        mode: ``private``, ``standard`` or ``unknown``.
        write_cache_type: Number and name.
        write_cache_size_mb: RAM cache in MB.
        license_mode: ``none``, ``mak``, ``kms`` or ``unknown``.
        license_mode_value: The number as stored.
        ad_password_enabled: Active Directory machine password management; None when neither 0 nor 1 is stored.
        description: Long description.
        major_release: The user's own version numbers: major,
        minor_release: minor,
        build: and build.
        serial_number: Usually a GUID.
        date: Free text.
        author: Author.
        title: Title.
        company: Company.
        internal_name: Internal name.
        original_file: Original file.
        hardware_target: Hardware target.
        disk_class: Class, which target devices of the same class may stream.
        image_type: Image type.
        disk_size_bytes: Sectors times sector size; None when that is implausible.
        total_sectors: Disk size in sectors.
        sector_size: 512 or 4096 in a sound file.
        vhd_block_size: Block size of the disk file in bytes.
        cylinders: Disk geometry.
        heads: Disk geometry.
        sectors_per_track: Disk geometry.
        properties_update_time: When the properties changed.
        auto_update_enabled: Automatic update; None when neither 0 nor 1 is stored.
        activation_date_enabled: Whether the activation date counts; None when neither 0 nor 1 is stored.
        activation_date: Activation date as ``YYYY-MM-DD``; None when the stored numbers are no date.
        activation_day: As stored.
        activation_month: As stored.
        activation_year: As stored.
        printer_management_enabled: Printer management; None when neither 0 nor 1 is stored.
        enable_multicast: As stored.
        multicast_address: Dotted, in the order of the bytes.
        multicast_time_to_live: As stored.
        multicast_invite_type: As stored.
        multicast_invite_period: As stored.
        enable_ipsec: As stored.
        port_blocker_enabled: As stored.
        os_type: As stored; the numbers' meaning is not public.
        license_mask: As stored; meaning not public.
        device_mask: As stored; meaning not public.
        nic_vendor_id: Boot network card, as stored.
        nic_device_id: Boot network card, as stored.
        nic_bus_dev_function: Boot network card, as stored.
        nic_base_io: Boot network card, as stored.
        nic_irq: Boot network card, as stored.
        object_names_size: Bytes of the name area at the end.
        object_names_update_time: When that area changed.
        signature: The first 8 bytes as hex; their value is not public.
        header_version: ``high.low`` of the header format.
        reserved: The 2 bytes after it, as stored.
        properties_version: Version of the properties, as stored.
        footer_version: Version of the footer, as stored.
        file_size: Bytes of the file.
        tail_size: Bytes after the footer.
        texts_with_residue: Text fields with other bytes than zero behind their end mark (kept as they are).
        unknown_areas: Areas whose meaning is not public, and how much of them is used.
        plausible: Whether nothing makes the file implausible.
        problems: What does.
    """

    mode: str
    write_cache_type: WriteCacheType
    write_cache_size_mb: int
    license_mode: str
    license_mode_value: int
    ad_password_enabled: bool | None
    description: str
    major_release: int
    minor_release: int
    build: int
    serial_number: str
    date: str
    author: str
    title: str
    company: str
    internal_name: str
    original_file: str
    hardware_target: str
    disk_class: str
    image_type: str
    disk_size_bytes: int | None
    total_sectors: int
    sector_size: int
    vhd_block_size: int
    cylinders: int
    heads: int
    sectors_per_track: int
    properties_update_time: PvpTime
    auto_update_enabled: bool | None
    activation_date_enabled: bool | None
    activation_date: str | None
    activation_day: int
    activation_month: int
    activation_year: int
    printer_management_enabled: bool | None
    enable_multicast: int
    multicast_address: str
    multicast_time_to_live: int
    multicast_invite_type: int
    multicast_invite_period: int
    enable_ipsec: int
    port_blocker_enabled: int
    os_type: int
    license_mask: int
    device_mask: int
    nic_vendor_id: int
    nic_device_id: int
    nic_bus_dev_function: int
    nic_base_io: int
    nic_irq: int
    object_names_size: int
    object_names_update_time: PvpTime
    signature: str
    header_version: str
    reserved: int
    properties_version: int
    footer_version: int
    file_size: int
    tail_size: int
    texts_with_residue: tuple[str, ...]
    unknown_areas: tuple[PvpUnknownArea, ...]
    plausible: bool
    problems: tuple[PvpProblem, ...]

"""From a parsed .pvp to its facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.pvp.facts import WRITE_CACHE_TYPES, PvpFacts, PvpUnknownArea, WriteCacheType
from vdiskkit.pvp.layout import OFFSETS, TEXT_FIELDS, UNKNOWN_AREAS
from vdiskkit.pvp.plausibility import activation_date, infer_time
from vdiskkit.pvp.sidecar import FIXED_SIZE, decode_text

if TYPE_CHECKING:
    from vdiskkit.pvp.sidecar import Pvp

__all__ = ["describe"]


def describe(pvp: Pvp) -> PvpFacts:
    """Return every field as a typed fact."""
    fields = pvp.fields
    texts = {name: decode_text(fields[name]) for name in TEXT_FIELDS}
    areas = [_area(name, OFFSETS[name], fields[name]) for name in UNKNOWN_AREAS]
    return PvpFacts(
        mode=pvp.mode,
        write_cache_type=WriteCacheType(
            value=pvp.write_cache_type, name=WRITE_CACHE_TYPES.get(pvp.write_cache_type, "unknown")
        ),
        write_cache_size_mb=fields["write_cache_size"],
        license_mode=pvp.license_mode,
        license_mode_value=fields["license_mode"],
        ad_password_enabled=_boolean(fields["ad_password_enabled"]),
        **{name: text for name, (text, _rest) in texts.items()},
        major_release=fields["major_release"],
        minor_release=fields["minor_release"],
        build=fields["build"],
        disk_size_bytes=pvp.disk_size_bytes,
        total_sectors=pvp.total_sectors,
        sector_size=fields["sector_size"],
        vhd_block_size=fields["vhd_block_size"],
        cylinders=fields["cylinders"],
        heads=fields["heads"],
        sectors_per_track=fields["sectors_per_track"],
        properties_update_time=infer_time(fields["properties_update_time"]),
        auto_update_enabled=_boolean(fields["auto_update_enabled"]),
        activation_date_enabled=_boolean(fields["activation_date_enabled"]),
        activation_date=activation_date(pvp),
        activation_day=fields["activation_day"],
        activation_month=fields["activation_month"],
        activation_year=fields["activation_year"],
        printer_management_enabled=_boolean(fields["printer_management_enabled"]),
        enable_multicast=fields["enable_multicast"],
        multicast_address=".".join(str(number) for number in fields["multicast_address"]),
        multicast_time_to_live=fields["multicast_time_to_live"],
        multicast_invite_type=fields["multicast_invite_type"],
        multicast_invite_period=fields["multicast_invite_period"],
        enable_ipsec=fields["enable_ipsec"],
        port_blocker_enabled=fields["port_blocker_enabled"],
        os_type=fields["os_type"],
        license_mask=fields["license_mask"],
        device_mask=fields["device_mask"],
        nic_vendor_id=fields["nic_vendor_id"],
        nic_device_id=fields["nic_device_id"],
        nic_bus_dev_function=fields["nic_bus_dev_function"],
        nic_base_io=fields["nic_base_io"],
        nic_irq=fields["nic_irq"],
        object_names_size=fields["object_names_size"],
        object_names_update_time=infer_time(fields["object_names_update_time"]),
        signature=fields["signature"].hex(),
        header_version=f"{fields['version_high']}.{fields['version_low']}",
        reserved=fields["reserved"],
        properties_version=fields["properties_version"],
        footer_version=fields["footer_version"],
        file_size=pvp.size,
        tail_size=len(pvp.tail),
        texts_with_residue=tuple(name for name, (_text, rest) in texts.items() if rest and any(rest)),
        unknown_areas=(*areas, _area("tail", FIXED_SIZE, pvp.tail)),
        plausible=not pvp.problems,
        problems=pvp.problems,
    )


def _boolean(value: int) -> bool | None:
    return bool(value) if value in {0, 1} else None


def _area(name: str, offset: int, data: bytes) -> PvpUnknownArea:
    return PvpUnknownArea(name=name, offset=offset, size=len(data), used_bytes=len(data) - data.count(0))

"""Layout of the .pvp side-car: a packed little-endian header of 512 bytes and a footer of 4,096.

The layout is known from PVS 7.6 files; no magic and no checksum is public. Newer versions may use the areas that are
unknown here, and a tail follows in most files. Texts are kept as the raw bytes of their field, so that whatever
stands behind their end mark survives.

Importing this module costs 30 ms (construct): it is imported at first need.
"""

from __future__ import annotations

from construct import Bytes, Int8ul, Int16ul, Int32ul, Int64sl, Struct

__all__ = ["FIXED", "OFFSETS", "TEXT_FIELDS", "UNKNOWN_AREAS"]

FIXED = Struct(
    "signature" / Bytes(8),
    "version_high" / Int8ul,
    "version_low" / Int8ul,
    "reserved" / Int16ul,
    "cylinders" / Int32ul,
    "heads" / Int32ul,
    "sectors_per_track" / Int32ul,
    "total_sectors_low" / Int32ul,
    "total_sectors_high" / Int32ul,
    "sector_size" / Int16ul,
    "nic_vendor_id" / Int16ul,
    "nic_device_id" / Int16ul,
    "nic_bus_dev_function" / Int16ul,
    "nic_base_io" / Int16ul,
    "nic_irq" / Int16ul,
    "vhd_block_size" / Int32ul,
    "public_pad" / Bytes(204),
    "properties_version" / Int32ul,
    "write_cache_type" / Int32ul,
    "write_cache_size" / Int32ul,
    "enable_multicast" / Int32ul,
    "multicast_address" / Bytes(4),
    "multicast_time_to_live" / Int8ul,
    "multicast_invite_type" / Int8ul,
    "multicast_invite_period" / Int32ul,
    "disk_class" / Bytes(82),
    "auto_update_enabled" / Int8ul,
    "activation_day" / Int8ul,
    "activation_month" / Int8ul,
    "activation_year" / Int16ul,
    "activation_date_enabled" / Int8ul,
    "ad_password_enabled" / Int8ul,
    "license_mask" / Int32ul,
    "device_mask" / Int32ul,
    "printer_management_enabled" / Int8ul,
    "object_names_size" / Int32ul,
    "object_names_update_time" / Int32ul,
    "enable_ipsec" / Int8ul,
    "os_type" / Int8ul,
    "port_blocker_enabled" / Int8ul,
    "image_type" / Bytes(82),
    "properties_update_time" / Int64sl,
    "license_mode" / Int8ul,
    "header_pad" / Bytes(34),
    "footer_version" / Int32ul,
    "description" / Bytes(800),
    "major_release" / Int32ul,
    "minor_release" / Int32ul,
    "build" / Int32ul,
    "serial_number" / Bytes(74),
    "date" / Bytes(82),
    "author" / Bytes(82),
    "title" / Bytes(82),
    "company" / Bytes(82),
    "internal_name" / Bytes(128),
    "original_file" / Bytes(256),
    "hardware_target" / Bytes(256),
    "footer_pad" / Bytes(2238),
)

TEXT_FIELDS = (
    "disk_class",
    "image_type",
    "description",
    "serial_number",
    "date",
    "author",
    "title",
    "company",
    "internal_name",
    "original_file",
    "hardware_target",
)
UNKNOWN_AREAS = ("public_pad", "header_pad", "footer_pad")


def _offsets() -> dict[str, int]:
    offsets = {}
    position = 0
    for field in FIXED.subcons:
        offsets[field.name] = position
        position += field.sizeof()
    return offsets


OFFSETS = _offsets()
"""File offset of each field."""

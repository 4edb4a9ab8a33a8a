"""Builds .pvp side-cars field by field with struct, without the product's layout; with faults on request."""

from __future__ import annotations

import struct
from typing import Any

FIXED_SIZE = 4608

# Name -> (file offset, struct format) for numbers, as the public layout has them.
NUMBERS: dict[str, tuple[int, str]] = {
    "version_high": (8, "<B"),
    "version_low": (9, "<B"),
    "reserved": (10, "<H"),
    "cylinders": (12, "<I"),
    "heads": (16, "<I"),
    "sectors_per_track": (20, "<I"),
    "total_sectors": (24, "<Q"),
    "sector_size": (32, "<H"),
    "nic_vendor_id": (34, "<H"),
    "nic_device_id": (36, "<H"),
    "nic_bus_dev_function": (38, "<H"),
    "nic_base_io": (40, "<H"),
    "nic_irq": (42, "<H"),
    "vhd_block_size": (44, "<I"),
    "properties_version": (252, "<I"),
    "write_cache_type": (256, "<I"),
    "write_cache_size": (260, "<I"),
    "enable_multicast": (264, "<I"),
    "multicast_time_to_live": (272, "<B"),
    "multicast_invite_type": (273, "<B"),
    "multicast_invite_period": (274, "<I"),
    "auto_update_enabled": (360, "<B"),
    "activation_day": (361, "<B"),
    "activation_month": (362, "<B"),
    "activation_year": (363, "<H"),
    "activation_date_enabled": (365, "<B"),
    "ad_password_enabled": (366, "<B"),
    "license_mask": (367, "<I"),
    "device_mask": (371, "<I"),
    "printer_management_enabled": (375, "<B"),
    "object_names_size": (376, "<I"),
    "object_names_update_time": (380, "<I"),
    "enable_ipsec": (384, "<B"),
    "os_type": (385, "<B"),
    "port_blocker_enabled": (386, "<B"),
    "properties_update_time": (469, "<q"),
    "license_mode": (477, "<B"),
    "footer_version": (512, "<I"),
    "major_release": (1316, "<I"),
    "minor_release": (1320, "<I"),
    "build": (1324, "<I"),
}

# Name -> (file offset, size in bytes) for UTF-16LE texts.
TEXTS: dict[str, tuple[int, int]] = {
    "disk_class": (278, 82),
    "image_type": (387, 82),
    "description": (516, 800),
    "serial_number": (1328, 74),
    "date": (1402, 82),
    "author": (1484, 82),
    "title": (1566, 82),
    "company": (1648, 82),
    "internal_name": (1730, 128),
    "original_file": (1858, 256),
    "hardware_target": (2114, 256),
}

DEFAULTS: dict[str, Any] = {
    "version_high": 1,
    "cylinders": 20805,
    "heads": 16,
    "sectors_per_track": 63,
    "total_sectors": 41943040,
    "sector_size": 512,
    "vhd_block_size": 2 * 1024 * 1024,
    "properties_version": 1,
    "write_cache_type": 9,
    "write_cache_size": 4096,
    "auto_update_enabled": 1,
    "ad_password_enabled": 1,
    "license_mode": 2,
    "footer_version": 1,
    "major_release": 3,
    "minor_release": 1,
    "build": 7,
    "properties_update_time": 133536816000000000,  # 2024-02-29T12:00:00Z as FILETIME
    "disk_class": "Desktops",
    "image_type": "Golden",
    "description": "Windows 10 desktop",
    "serial_number": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "date": "29 February 2024",
    "author": "Image team",
    "title": "desk10",
    "company": "Example",
    "internal_name": "desk10",
    "original_file": "desk10.vhd",
    "hardware_target": "Generation 1",
}


def build_pvp(
    *,
    signature: bytes = b"\x11\x22\x33\x44\x55\x66\x77\x88",
    multicast_address: bytes = bytes(4),
    tail: bytes = b"",
    raw: dict[int, bytes] | None = None,
    unterminated: tuple[str, ...] = (),
    residue: dict[str, bytes] | None = None,
    **fields: Any,
) -> bytes:
    """A side-car of header, footer and ``tail``.

    Args:
        signature: The first 8 bytes.
        multicast_address: 4 bytes in the order of the address.
        tail: What follows the footer.
        raw: Bytes written last, by file offset: any other fault.
        unterminated: Text fields filled to their end with ``x``, without an end mark.
        residue: Bytes put behind the end mark of a text field.
        fields: Values of NUMBERS and TEXTS; the rest is from DEFAULTS.
    """
    data = bytearray(FIXED_SIZE)
    data[:8] = signature
    data[268:272] = multicast_address
    values = {**DEFAULTS, **fields}
    for name, (offset, form) in NUMBERS.items():
        struct.pack_into(form, data, offset, values.pop(name, 0))
    for name, (offset, size) in TEXTS.items():
        encoded = values.pop(name, "").encode("utf-16-le", "surrogatepass")
        assert len(encoded) + 2 <= size, f"{name} does not fit"
        encoded += b"\0\0" + (residue or {}).get(name, b"")
        data[offset : offset + len(encoded)] = encoded
    for name in unterminated:
        offset, size = TEXTS[name]
        data[offset : offset + size] = b"x\0" * (size // 2)
    assert not values, f"no such field: {sorted(values)}"
    for offset, replacement in (raw or {}).items():
        data[offset : offset + len(replacement)] = replacement
    return bytes(data) + tail

"""DigitalProductId values, built from their fields without the product's own code; with faults on request."""

from __future__ import annotations

import hashlib
import struct
import zlib

ALPHABET = "BCDFGHJKMPQRTVWXY2346789"


def key_bytes(key: str) -> bytes:
    """The 16 stored bytes of a product key, by plain arithmetic."""
    letters = key.replace("-", "")
    position = letters.find("N")
    if position < 0:
        digits = [ALPHABET.index(letter) for letter in letters]
    else:
        digits = [position] + [ALPHABET.index(letter) for letter in letters if letter != "N"]
    number = sum(digit * 24 ** (24 - index) for index, digit in enumerate(digits))
    data = bytearray(number.to_bytes(15, "little"))
    if position >= 0:
        data[14] |= 0x08
    return bytes(data) + b"\0"


def _ascii(text: str, size: int) -> bytes:
    return text.encode("ascii").ljust(size, b"\0")


def _wide(text: str, size: int) -> bytes:
    return text.encode("utf-16-le", "surrogatepass").ljust(size, b"\0")


def build_digital_product_id(
    key: str | None = None,
    *,
    product_id: str = "00330-80000-00000-AA965",
    part_number: str = "[TH]X19-98841",
    group_id: int | None = None,
    license_type: int = 0,
    install_time: int = 0,
    random: int = 0,
    key_data: bytes | None = None,
    bad_checksum: bool = False,
) -> bytes:
    """A version 3 value (164 bytes). ``key`` None or ``key_data`` zeros: a cleared key."""
    stored = key_data if key_data is not None else (key_bytes(key) if key else bytes(16))
    if group_id is None:
        group_id = int.from_bytes(stored[:3], "little") & 0xFFFFF if stored[14] & 8 else 0
    body = struct.pack("<IHH", 164, 3, 0) + _ascii(product_id, 24) + struct.pack("<I", group_id)
    body += _ascii(part_number, 16) + stored
    body += struct.pack("<IIII", 0, install_time, random, license_type)
    body = body.ljust(160, b"\0")
    checksum = zlib.crc32(body) ^ 0xFFFFFFFF ^ (1 if bad_checksum else 0)
    return body + struct.pack("<I", checksum)


def build_digital_product_id4(
    key: str | None = None,
    *,
    extended_pid: str | None = None,
    activation_id: str = "4de7cb65-cdf1-4de9-8ae8-e3cce27b9f2c",
    oem_id: str = "",
    edition: str = "Professional",
    is_upgrade: int = 0,
    part_number: str = "[TH]X19-98841",
    key_type: str = "Retail",
    eula: str = "Retail",
    key_data: bytes | None = None,
    bad_key_hash: bool = False,
    bad_blob_hash: bool = False,
) -> bytes:
    """A version 4 value (1272 bytes)."""
    stored = key_data if key_data is not None else (key_bytes(key) if key else bytes(16))
    if extended_pid is None:
        group = int.from_bytes(stored[:3], "little") & 0xFFFFF
        extended_pid = f"03612-{group:05}-000-000000-00-1033-26100.0000-1182025"
    head = struct.pack("<IHH", 1272, 4, 0)
    head += _wide(extended_pid, 128) + _wide(activation_id, 128) + _wide(oem_id, 16) + _wide(edition, 520)
    head += bytes([is_upgrade]) + bytes(7) + stored
    key_hash = hashlib.sha256(stored).digest()
    head += bytes(32) if bad_key_hash else key_hash
    tail = _wide(part_number, 128) + _wide(key_type, 128) + _wide(eula, 128)
    blob_hash = hashlib.sha256(head + bytes(32) + tail).digest()
    return head + (bytes(32) if bad_blob_hash else blob_hash) + tail

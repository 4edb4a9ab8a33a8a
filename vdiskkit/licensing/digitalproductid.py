"""The DigitalProductId values of Windows and Office.

Two layouts carry a product key: DigitalProductId (version 3, 164 bytes) and DigitalProductId4 (version 4, 1272 bytes).
Which one a value is, its own size field tells, not its name: Office stores either under one name. Integers are
little-endian, texts are NUL-terminated (ASCII in version 3, UTF-16LE in version 4).

:func:`read_key_blob` is total: any bytes give a result that says what is wrong.
"""

from __future__ import annotations

import struct
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple
from zlib import crc32

from vdiskkit.errors import FormatError
from vdiskkit.licensing.productkey import KeyChannel, ProductKey, channel_of, decode_key

__all__ = ["KeyBlob", "KeyBlobState", "read_key_blob"]

V3_SIZE = 164
V4_SIZE = 1272
_V3 = struct.Struct("<IHH24sI16s16sIIII8s8sI56sI")
_V4 = struct.Struct("<IHH128s128s16s520sB7s16s32s32s128s128s128s")
_V4_BLOB_HASH = slice(856, 888)


class KeyBlobState(StrEnum):
    """What is the matter with one DigitalProductId value."""

    ABSENT = "absent"  # there is no such value
    WRONG_SIZE = "wrong_size"  # it is not 164 or 1272 bytes, or its size field names another size
    INTACT = "intact"  # its checksum, or both hashes, fit
    INCONSISTENT = "inconsistent"  # a checksum or hash does not fit; the contents are shown all the same


class KeyBlob(NamedTuple):
    """One DigitalProductId value, decoded. Fields that the layout does not have are None.

    Attributes:
        state: Absent, wrong size, intact or inconsistent.
        version: 3 or 4 by the size field; None when there is no blob.
        key: The decoded key; None when there is none or its bytes stand for no key.
        problems: What does not fit, one sentence each.
        size: Bytes of the value as stored.
        major: Major version field (3 or 4).
        minor: Minor version field.
        product_id: Version 3: product id. Version 4: extended PID,
            ``ppppp-ggggg-sss-ssssss-cc-LCID-build.0000-dddyyyy``.
        key_group_id: Version 3: key group id field. Version 4: the second group of the extended PID.
        part_number: Edition or part number, such as ``[TH]X19-98841``.
        activation_id: Version 4: GUID of the SKU.
        edition: Version 4: edition type, such as ``Professional``.
        key_type: Version 4: channel as text, such as ``Volume:GVLK``.
        eula: Version 4: EULA type.
        oem_id: OEM id as text (version 4) or hex (version 3).
        is_upgrade: Version 4: the upgrade flag byte.
        reserved: Version 4: the 7 bytes after it as hex.
        license_type: Version 3: licence type number.
        clone_status: Version 3.
        install_time: Version 3: Unix time, 0 when not set.
        random: Version 3: the random number that makes the id unique.
        license_data: Version 3: 8 bytes as hex.
        bundle_id: Version 3.
        hardware_ids: Version 3: static and dynamic hardware ids (bytes 104 to 159) as hex.
        checksum_ok: Version 3: the CRC-32 over bytes 0 to 159 fits.
        key_hash_ok: Version 4: the SHA-256 of the key bytes fits.
        blob_hash_ok: Version 4: the SHA-256 of the whole value fits.
    """

    state: KeyBlobState
    version: int | None = None
    key: ProductKey | None = None
    problems: tuple[str, ...] = ()
    size: int = 0
    major: int | None = None
    minor: int | None = None
    product_id: str | None = None
    key_group_id: int | None = None
    part_number: str | None = None
    activation_id: str | None = None
    edition: str | None = None
    key_type: str | None = None
    eula: str | None = None
    oem_id: str | None = None
    is_upgrade: int | None = None
    reserved: str | None = None
    license_type: int | None = None
    clone_status: int | None = None
    install_time: int | None = None
    random: int | None = None
    license_data: str | None = None
    bundle_id: int | None = None
    hardware_ids: str | None = None
    checksum_ok: bool | None = None
    key_hash_ok: bool | None = None
    blob_hash_ok: bool | None = None

    @property
    def present(self) -> bool:
        """Whether the value exists and has one of the two layouts."""
        return self.version is not None

    @property
    def cleared(self) -> bool:
        """Whether the value is there, but the key in it has been removed."""
        return self.key is not None and self.key.cleared

    @property
    def channel(self) -> KeyChannel | None:
        """The channel by the key type; None for version 3, which has none."""
        return channel_of(self.key_type)


def read_key_blob(data: bytes | None) -> KeyBlob:
    """Decode one DigitalProductId value. Never raises: what is wrong stands in the result.

    Args:
        data: The value's raw data; None when there is no such value.
    """
    if data is None:
        return KeyBlob(KeyBlobState.ABSENT)
    stored = int.from_bytes(data[:4], "little") if len(data) >= 4 else None
    if stored not in {V3_SIZE, V4_SIZE}:
        named = "no size field" if stored is None else f"size field {stored}"
        return _wrong_size(data, f"not a DigitalProductId: {len(data)} bytes, {named}; 164 or 1272 are known")
    if len(data) < stored:
        return _wrong_size(data, f"cut short: {len(data)} bytes, the size field says {stored}")
    problems = _Problems()
    if len(data) > stored:
        problems.add(f"{len(data) - stored} bytes follow the {stored} that the size field names")
    return (_read_v3 if stored == V3_SIZE else _read_v4)(bytes(data[:stored]), len(data), problems)


def _wrong_size(data: bytes, problem: str) -> KeyBlob:
    return KeyBlob(KeyBlobState.WRONG_SIZE, problems=(problem,), size=len(data))


class _Problems:
    """Collects what does not fit."""

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, text: str) -> None:
        self.found.append(text)

    def check(self, *, holds: bool, text: str) -> bool:
        if not holds:
            self.add(text)
        return holds

    def ascii(self, raw: bytes, name: str) -> str:
        text, end, _rest = raw.partition(b"\0")
        if not end:
            self.add(f"{name} has no end mark")
        if not text.isascii():
            self.add(f"{name} is not ASCII")
        return text.decode("latin-1")

    def utf16(self, raw: bytes, name: str) -> str:
        text = raw.decode("utf-16-le", "surrogatepass")
        text, end, _rest = text.partition("\0")
        if not end:
            self.add(f"{name} has no end mark")
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            self.add(f"{name} is not valid UTF-16")
        return text

    def key(self, raw: bytes) -> ProductKey | None:
        try:
            return decode_key(raw)
        except FormatError as exc:
            self.add(exc.message)
            return None

    def group(self, key: ProductKey | None, group_id: int | None, name: str) -> None:
        if key is not None and None not in (key.group_id, group_id) and key.group_id != group_id:
            self.add(f"{name} is {group_id}, the key itself is of group {key.group_id}")


def _read_v3(data: bytes, size: int, problems: _Problems) -> KeyBlob:
    (
        _size,
        major,
        minor,
        product_id,
        group_id,
        part_number,
        key_bytes,
        clone_status,
        install_time,
        random,
        license_type,
        license_data,
        oem_id,
        bundle_id,
        hardware_ids,
        checksum,
    ) = _V3.unpack(data)
    # The stored CRC-32 lacks the final inversion that zlib does.
    checksum_ok = problems.check(
        holds=crc32(data[:160]) ^ 0xFFFFFFFF == checksum, text="the checksum does not fit the contents"
    )
    problems.check(holds=major == 3, text=f"major version is {major}, not 3")
    key = problems.key(key_bytes)
    problems.group(key, group_id, "the key group id field")
    return KeyBlob(
        KeyBlobState.INTACT if checksum_ok else KeyBlobState.INCONSISTENT,
        version=3,
        key=key,
        size=size,
        major=major,
        minor=minor,
        product_id=problems.ascii(product_id, "the product id"),
        key_group_id=group_id,
        part_number=problems.ascii(part_number, "the part number"),
        oem_id=oem_id.hex(),
        license_type=license_type,
        clone_status=clone_status,
        install_time=install_time,
        random=random,
        license_data=license_data.hex(),
        bundle_id=bundle_id,
        hardware_ids=hardware_ids.hex(),
        checksum_ok=checksum_ok,
        problems=tuple(problems.found),
    )


def _read_v4(data: bytes, size: int, problems: _Problems) -> KeyBlob:
    (
        _size,
        major,
        minor,
        extended_pid,
        activation_id,
        oem_id,
        edition,
        is_upgrade,
        reserved,
        key_bytes,
        key_hash,
        blob_hash,
        part_number,
        key_type,
        eula,
    ) = _V4.unpack(data)
    zeroed = data[: _V4_BLOB_HASH.start] + bytes(32) + data[_V4_BLOB_HASH.stop :]
    key_hash_ok = problems.check(
        holds=sha256(key_bytes).digest() == key_hash, text="the hash of the key does not fit the key bytes"
    )
    blob_hash_ok = problems.check(
        holds=sha256(zeroed).digest() == blob_hash, text="the hash of the value does not fit the contents"
    )
    problems.check(holds=major == 4, text=f"major version is {major}, not 4")
    key = problems.key(key_bytes)
    pid_text = problems.utf16(extended_pid, "the extended PID")
    group_id = _pid_group(pid_text)
    problems.group(key, group_id, "the key group id in the extended PID")
    return KeyBlob(
        KeyBlobState.INTACT if key_hash_ok and blob_hash_ok else KeyBlobState.INCONSISTENT,
        version=4,
        key=key,
        size=size,
        major=major,
        minor=minor,
        product_id=pid_text,
        key_group_id=group_id,
        part_number=problems.utf16(part_number, "the part number"),
        activation_id=problems.utf16(activation_id, "the activation id"),
        edition=problems.utf16(edition, "the edition"),
        key_type=problems.utf16(key_type, "the key type"),
        eula=problems.utf16(eula, "the EULA type"),
        oem_id=problems.utf16(oem_id, "the OEM id"),
        is_upgrade=is_upgrade,
        reserved=reserved.hex(),
        key_hash_ok=key_hash_ok,
        blob_hash_ok=blob_hash_ok,
        problems=tuple(problems.found),
    )


def _pid_group(extended_pid: str) -> int | None:
    parts = extended_pid.split("-")
    if len(parts) < 2 or not (parts[1].isascii() and parts[1].isdigit()) or len(parts[1]) > 8:
        return None
    return int(parts[1])

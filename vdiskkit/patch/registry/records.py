"""Key nodes (nk) and key values (vk) as the editor sees them: all fields, and the place of each in its record.

Follows the sections "Key node" and "Key value" of the "Windows registry file format specification".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import CorruptStructureError
from vdiskkit.patch.staging import Phase
from vdiskkit.registry.cells import NO_CELL
from vdiskkit.registry.upcase import code_units

if TYPE_CHECKING:
    from vdiskkit.patch.registry.cells import CellStore

__all__ = ["KeyRecord", "ValueRecord", "check_parent", "encode_name", "new_key", "new_value", "read_key", "read_value"]

U16 = struct.Struct("<H")
U32 = struct.Struct("<I")
U64 = struct.Struct("<Q")

NK_WRITTEN = 4
NK_PARENT = 16
NK_SUBKEY_COUNT = 20
NK_SUBKEY_LIST = 28
NK_VALUE_COUNT = 36
NK_VALUE_LIST = 40
NK_MAX_SUBKEY_NAME = 52
"""Two bytes; the two behind hold other things since Windows Vista."""
NK_MAX_CLASS = 56
NK_MAX_VALUE_NAME = 60
NK_MAX_VALUE_DATA = 64

FLAG_NO_DELETE = 0x08
FLAG_LINK = 0x10
FLAG_LATIN1_NAME = 0x20
FLAG_PREDEFINED = 0x40

VK_DATA_LENGTH = 4
VALUE_LATIN1_NAME = 1
VALUE_TOMBSTONE = 2
INLINE = 0x80000000
INLINE_MAX = 4

_KEY = struct.Struct("<2sHQBB2sIIIIIIIIIHBBIIIIHH")
_VALUE = struct.Struct("<2sHIIIHH")
_NAME_MAX = 0xFFFF
_RECURSE_FLAG = 0x80
"""Among a key's virtualisation flags: subkeys made later get the same ones."""


class KeyRecord(NamedTuple):
    """A key node.

    Attributes:
        offset: Offset of its cell.
        flags: Flags.
        written: Last-written time as a FILETIME.
        layer: What tells layered keys apart in hives of version 1.6, which are not edited. In older ones the byte is
            reserved, and holds what was there before.
        parent: Offset of the parent's key node.
        subkey_count: Number of subkeys.
        subkey_list: Offset of the subkey list.
        value_count: Number of values.
        value_list: Offset of the value list.
        security: Offset of the security descriptor cell.
        class_offset: Offset of the class name.
        max_subkey_name: Length of the longest subkey name, as UTF-16 in bytes.
        user_flags: User flags and, in the high half, virtualisation flags.
        max_value_name: Length of the longest value name, as UTF-16 in bytes.
        max_value_data: Length of the longest value data in bytes.
        class_length: Length of the class name in bytes.
        name: Name.
    """

    offset: int
    flags: int
    written: int
    layer: int
    parent: int
    subkey_count: int
    subkey_list: int
    value_count: int
    value_list: int
    security: int
    class_offset: int
    max_subkey_name: int
    user_flags: int
    max_value_name: int
    max_value_data: int
    class_length: int
    name: str


class ValueRecord(NamedTuple):
    """A key value.

    Attributes:
        offset: Offset of its cell.
        type: Type number.
        length: Length of the data in bytes.
        inline: Whether the data lies in the record itself.
        data: Offset of the data's cell, or the data itself.
        flags: Flags.
        name: Name, empty for the default value.
    """

    offset: int
    type: int
    length: int
    inline: bool
    data: int
    flags: int
    name: str


def read_key(cells: CellStore, offset: int, what: str = "a key") -> KeyRecord:
    """Read a key node.

    Raises:
        CorruptStructureError: There is none, or its name does not fit.
    """
    raw = cells.read(offset, _KEY.size, _KEY.size + _NAME_MAX, what)
    fields = _KEY.unpack_from(raw)
    if fields[0] != b"nk":
        raise CorruptStructureError(
            f"{what} cannot be read: the record there begins with {fields[0]!r} instead of 'nk'",
            location=cells.location(offset),
        )
    name = _decode_name(cells, offset, raw, _KEY.size, fields[22], latin1=bool(fields[1] & FLAG_LATIN1_NAME))
    return KeyRecord(
        offset,
        fields[1],
        fields[2],
        fields[4],
        fields[6],
        fields[7],
        fields[9],
        fields[11],
        fields[12],
        fields[13],
        fields[14],
        fields[15],
        fields[16],
        fields[19],
        fields[20],
        fields[23],
        name,
    )


def read_value(cells: CellStore, offset: int) -> ValueRecord:
    """Read a key value.

    Raises:
        CorruptStructureError: There is none, or it contradicts itself.
    """
    raw = cells.read(offset, _VALUE.size, _VALUE.size + _NAME_MAX, "a value")
    signature, name_length, length, data, kind, flags, _ = _VALUE.unpack_from(raw)
    if signature != b"vk":
        raise CorruptStructureError(
            f"a value cannot be read: the record there begins with {signature!r} instead of 'vk'",
            location=cells.location(offset),
        )
    name = _decode_name(cells, offset, raw, _VALUE.size, name_length, latin1=bool(flags & VALUE_LATIN1_NAME))
    inline = bool(length & INLINE)
    length &= ~INLINE
    if inline and length > INLINE_MAX:
        raise CorruptStructureError(
            f"the value {name!r} is damaged: {length} bytes are said to lie in a field of {INLINE_MAX} bytes",
            location=cells.location(offset),
        )
    return ValueRecord(offset, kind, length, inline, data, flags, name)


def check_parent(cells: CellStore, key: KeyRecord, parent: KeyRecord) -> None:
    """Make sure that a key belongs to the key in whose list it was found.

    Raises:
        CorruptStructureError: It does not.
    """
    if key.parent != parent.offset:
        raise CorruptStructureError(
            f"the key {key.name!r} does not name the key above it as its parent",
            location=cells.location(key.offset),
            hint="the hive is damaged: let Windows repair it by loading it",
        )


def encode_name(name: str) -> tuple[bytes, bool]:
    """Return a name as it is stored, and whether that is one byte per character."""
    units = code_units(name)
    if all(unit < 256 for unit in units):
        return bytes(units), True
    return name.encode("utf-16-le", "surrogatepass"), False


def name_size(name: str) -> int:
    """Length of a name as UTF-16 in bytes, as the maximum fields count it."""
    return 2 * len(code_units(name))


def new_key(parent: KeyRecord, name: str, written: int) -> bytes:
    """Return the key node of a new, empty key below ``parent``."""
    raw, latin1 = encode_name(name)
    inherited = parent.user_flags & 0xF0 if parent.user_flags & _RECURSE_FLAG else 0
    fixed = _KEY.pack(
        b"nk", FLAG_LATIN1_NAME if latin1 else 0, written, 0, 0, b"\0\0", parent.offset, 0, 0, NO_CELL, NO_CELL,
        0, NO_CELL, parent.security, NO_CELL, 0, inherited, 0, 0, 0, 0, 0, len(raw), 0,
    )  # fmt: skip
    return fixed + raw


def new_value(name: str, kind: int, length: int, data: int) -> bytes:
    """Return a key value; ``length`` and ``data`` as they are stored."""
    raw, latin1 = encode_name(name)
    return _VALUE.pack(b"vk", len(raw), length, data, kind, VALUE_LATIN1_NAME if latin1 and raw else 0, 0) + raw


def value_fields(length: int, data: int, kind: int) -> bytes:
    """Return the stored length, data field and type of a key value, from :data:`VK_DATA_LENGTH` on."""
    return struct.pack("<III", length, data, kind)


def put16(cells: CellStore, offset: int, at: int, number: int) -> None:
    """Raise a 16-bit maximum field of a record that is in use."""
    cells.write(offset, at, U16.pack(number), Phase.HIVE_CLAIM)


def put32(cells: CellStore, offset: int, at: int, number: int, phase: Phase = Phase.HIVE_LINK) -> None:
    """Set a 32-bit field of a record that is in use."""
    cells.write(offset, at, U32.pack(number), phase)


def _decode_name(cells: CellStore, offset: int, raw: bytes, at: int, length: int, *, latin1: bool) -> str:
    part = raw[at : at + length]
    if len(part) != length or (not latin1 and length & 1):
        raise CorruptStructureError(
            f"a record cannot be read: its name of {length} bytes does not fit", location=cells.location(offset)
        )
    return part.decode("latin-1") if latin1 else part.decode("utf-16-le", "surrogatepass")

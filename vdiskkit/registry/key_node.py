"""The key node record (nk): the fields of one key, checked.

Follows the section "Key node" of the "Windows registry file format specification".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import CorruptStructureError

if TYPE_CHECKING:
    from vdiskkit.registry.cells import CellReader

__all__ = ["FLAG_LINK", "FLAG_PREDEFINED", "FLAG_ROOT", "KeyNode", "read_key_node"]

FLAG_ROOT = 0x04
"""The key is the root of its hive. Windows always sets it, Microsoft's library for offline hives (offreg) does not."""
FLAG_LINK = 0x10
"""The key is a symbolic link to another key."""
FLAG_LATIN1_NAME = 0x20
"""The name is stored one byte per character."""
FLAG_PREDEFINED = 0x40
"""The key stands for a predefined handle, which lies where other keys have their value count."""

_FIXED = struct.Struct("<2sHQIIIIIIIIIIIIIIIHH")
_NAME_MAX = 0xFFFF
"""What the field for the length can say."""


class KeyNode(NamedTuple):
    """The fields of a key node.

    Attributes:
        offset: Offset of its cell.
        flags: Flags as stored.
        written: When the key was last written, as a FILETIME.
        parent: Offset of the parent's key node, as stored.
        subkey_count: Number of subkeys, as stored.
        subkey_list: Offset of the subkey list.
        value_count: Number of values.
        value_list: Offset of the value list.
        class_offset: Offset of the class name.
        class_length: Length of the class name in bytes.
        name: Name as stored.
    """

    offset: int
    flags: int
    written: int
    parent: int
    subkey_count: int
    subkey_list: int
    value_count: int
    value_list: int
    class_offset: int
    class_length: int
    name: str


def read_key_node(cells: CellReader, offset: int, what: str = "a key") -> KeyNode:
    """Read and check a key node.

    Raises:
        CorruptStructureError: There is no key node at ``offset``, or its name does not fit.
    """
    cell = cells.read(offset, _FIXED.size, _FIXED.size + _NAME_MAX, what)
    fields = _FIXED.unpack_from(cell)
    if fields[0] != b"nk":
        raise CorruptStructureError(
            f"{what} cannot be read: the record there begins with {fields[0]!r} instead of 'nk'",
            location=cells.location(offset),
            hint="the hive is damaged: restore it, or let Windows repair it by loading it",
        )
    flags, name_length = fields[1], fields[18]
    raw = cell[_FIXED.size : _FIXED.size + name_length]
    if len(raw) != name_length:
        raise CorruptStructureError(
            f"{what} cannot be read: its name of {name_length} bytes does not fit into its cell",
            location=cells.location(offset),
        )
    if flags & FLAG_LATIN1_NAME:
        name = raw.decode("latin-1")
    elif name_length & 1:
        raise CorruptStructureError(
            f"{what} cannot be read: its UTF-16 name has an odd length of {name_length} bytes",
            location=cells.location(offset),
        )
    else:
        name = raw.decode("utf-16-le", "surrogatepass")
    return KeyNode(
        offset,
        flags,
        fields[2],
        fields[4],
        fields[5],
        fields[7],
        0 if flags & FLAG_PREDEFINED else fields[9],
        fields[10],
        fields[12],
        fields[19],
        name,
    )

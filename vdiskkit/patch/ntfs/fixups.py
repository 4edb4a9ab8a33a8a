"""The update sequence of FILE and INDX blocks, on its way to the disk.

The stride is 512 bytes whatever the sector size. Each time a block is written its update sequence number goes up by
one, and 0 and 0xFFFF are left out (ntfs-3g's ``ntfs_mst_pre_write_fixup``).
"""

from __future__ import annotations

import struct

__all__ = ["protect"]

_STRIDE = 512
_USA = struct.Struct("<HH")
_U16 = struct.Struct("<H")
_LAST_NUMBER = 0xFFFE


def protect(block: bytes | bytearray) -> bytes:
    """Return a block, whose update sequence was undone and is known to be sound, as it must stand on disk."""
    stamped = bytearray(block)
    offset, count = _USA.unpack_from(stamped, 4)
    number = _U16.unpack_from(stamped, offset)[0] + 1
    if number > _LAST_NUMBER:
        number = 1
    _U16.pack_into(stamped, offset, number)
    for index in range(1, count):
        end = index * _STRIDE - 2
        saved = offset + 2 * index
        stamped[saved : saved + 2] = stamped[end : end + 2]
        _U16.pack_into(stamped, end, number)
    return bytes(stamped)

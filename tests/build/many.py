"""Hives with so many values or subkeys in one key that building them one by one would take long.

The hive of a builder gets further bins of records that differ in little but their names: eight hexadecimal digits.
"""

from __future__ import annotations

import struct
from array import array
from typing import TYPE_CHECKING

from tests.build.hive import BASE_BLOCK, FLAG_LATIN1, KEY_NODE, KEY_VALUE, NONE, HiveBuilder, seal
from vdiskkit.registry.upcase import name_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

_BIN = 4096
_HEAD = 32
_VALUE = 32
"""A key value with a name of eight characters, its data in the record: 127 of them and the header fill a bin."""
_KEY = 88
_LEAF = 507


def many_values(count: int, path: str = "Many") -> bytes:
    """A hive whose key at ``path`` has ``count`` values: REG_DWORD, each with its number as data and as name."""
    hive = _Hive(path)
    names = (b"%08X" % number for number in range(count))
    head = struct.pack("<i", -_VALUE)
    cells = (head + KEY_VALUE.pack(b"vk", 8, 0x80000004, number, 4, 1, 0) + name for number, name in enumerate(names))
    offsets = hive.add_cells(cells, _VALUE, count)
    hive.put(20 + 16, count, hive.add_cell(offsets.tobytes()))
    hive.put(60, 16, 4)
    return hive.build()


def many_subkeys(count: int, path: str = "Many", *, leaf: int = _LEAF) -> bytes:
    """A hive whose key at ``path`` has ``count`` subkeys, none with anything in it, in ``lh`` lists of ``leaf``."""
    hive = _Hive(path)
    names = [f"{number:08X}" for number in range(count)]
    head = struct.pack("<i", -_KEY)
    security = hive.security
    cells = (
        head
        + KEY_NODE.pack(
            b"nk", FLAG_LATIN1, hive.stamp, 0, hive.key, 0, 0, NONE, NONE, 0, NONE, security, NONE, 0, 0, 0, 0, 0, 8, 0
        )
        + name.encode()
        for name in names
    )
    offsets = hive.add_cells(cells, _KEY, count)
    hashes = array("I", map(name_hash, names))
    leaves = []
    for start in range(0, count, leaf):
        entries = array("I", bytes(8 * len(names[start : start + leaf])))
        entries[::2] = offsets[start : start + leaf]
        entries[1::2] = hashes[start : start + leaf]
        leaves.append(hive.add_cell(struct.pack("<2sH", b"lh", len(entries) // 2) + entries.tobytes()))
    upper = leaves[0]
    if len(leaves) > 1:
        upper = hive.add_cell(struct.pack(f"<2sH{len(leaves)}I", b"ri", len(leaves), *leaves))
    hive.put(20, count)
    hive.put(28, upper)
    hive.put(52, 16)
    hive.add_users(count)
    return hive.build()


class _Hive:
    """A built hive that is added to."""

    def __init__(self, path: str) -> None:
        builder = HiveBuilder()
        builder.key(path)
        self.data = bytearray(builder.build())
        self.key = builder.find(path).offset
        node = KEY_NODE.unpack_from(self.data, BASE_BLOCK + self.key + 4)
        self.stamp, self.security = node[2], node[11]

    def put(self, at: int, *numbers: int) -> None:
        """Set neighbouring fields of the key node."""
        struct.pack_into(f"<{len(numbers)}I", self.data, BASE_BLOCK + self.key + 4 + at, *numbers)

    def add_users(self, count: int) -> None:
        """Count further keys in the security descriptor."""
        at = BASE_BLOCK + self.security + 4 + 12
        (known,) = struct.unpack_from("<I", self.data, at)
        struct.pack_into("<I", self.data, at, known + count)

    def add_cells(self, cells: Iterator[bytes], size: int, count: int) -> array[int]:
        """Add cells of one size, their size included, in bins of 4096 bytes; return their offsets."""
        each, offsets = (_BIN - _HEAD) // size, array("I")
        for first in range(0, count, each):
            number = min(each, count - first)
            start = len(self.data) - BASE_BLOCK
            content = b"".join(next(cells) for _ in range(number))
            self._add_bin(start, content, _BIN)
            offsets.extend(range(start + _HEAD, start + _HEAD + number * size, size))
        return offsets

    def add_cell(self, content: bytes) -> int:
        """Add one cell in a bin of its own; return its offset."""
        start, size = len(self.data) - BASE_BLOCK, (len(content) + 11) & ~7
        cell = (struct.pack("<i", -size) + content).ljust(size, b"\0")
        self._add_bin(start, cell, (_HEAD + size + _BIN - 1) // _BIN * _BIN)
        return start + _HEAD

    def build(self) -> bytes:
        """The hive."""
        struct.pack_into("<I", self.data, 40, len(self.data) - BASE_BLOCK)
        seal(self.data)
        return bytes(self.data)

    def _add_bin(self, start: int, content: bytes, size: int) -> None:
        rest = size - _HEAD - len(content)
        self.data += struct.pack("<4sIIQQI", b"hbin", start, size, 0, 0, 0) + content
        if rest:
            self.data += struct.pack("<i", rest).ljust(rest, b"\0")

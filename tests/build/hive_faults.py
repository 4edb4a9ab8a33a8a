"""Deliberate faults in a built hive, by name.

Each fault is a function over the finished file: ``fault(site)``, where the site knows the key and value it was asked
for and the argument that was given. ``FAULTS`` lists them.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.build.hive import BASE_BLOCK, NONE, seal
from vdiskkit.registry.upcase import upcase

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.build.hive import HiveBuilder, Key


class Site(NamedTuple):
    """Where a fault goes: the file, the key, the value's name, and the fault's argument."""

    data: bytearray
    builder: HiveBuilder
    key: Key
    value: str
    argument: Any

    def u16(self, position: int) -> int:
        return int(struct.unpack_from("<H", self.data, position)[0])

    def u32(self, position: int) -> int:
        return int(struct.unpack_from("<I", self.data, position)[0])

    def put16(self, position: int, number: int) -> None:
        struct.pack_into("<H", self.data, position, number)

    def put32(self, position: int, number: int) -> None:
        struct.pack_into("<I", self.data, position, number & 0xFFFFFFFF)

    def content(self, offset: int) -> int:
        """Position in the file of a cell's content."""
        return BASE_BLOCK + offset + 4

    @property
    def node(self) -> int:
        return self.content(self.key.offset)

    @property
    def upper_list(self) -> int:
        return self.content(self.key.list_offset)

    @property
    def leaf(self) -> int:
        """The key's (first) leaf."""
        at = self.upper_list
        while self.data[at : at + 2] == b"ri":
            at = self.content(self.u32(at + 4))
        return at

    @property
    def value_list(self) -> int:
        return self.content(self.key.value_list_offset)

    @property
    def value_offset(self) -> int:
        return self.u32(self.value_list + 4 * list(self.key.values).index(upcase(self.value)))

    @property
    def value_node(self) -> int:
        return self.content(self.value_offset)

    @property
    def value_data(self) -> int:
        return self.u32(self.value_node + 8)

    @property
    def bin_start(self) -> int:
        """Position in the file of the hive bin in which the key lies (bins of one page)."""
        return BASE_BLOCK + (self.key.offset & ~4095)

    def resize(self, offset: int, size: int) -> None:
        self.put32(BASE_BLOCK + offset, size)

    def free(self, offset: int) -> None:
        size = struct.unpack_from("<i", self.data, BASE_BLOCK + offset)[0]
        struct.pack_into("<i", self.data, BASE_BLOCK + offset, abs(size))


def _unsorted(site: Site) -> None:
    leaf = site.leaf
    count, width = site.u16(leaf + 2), 4 if site.data[leaf : leaf + 2] == b"li" else 8
    entries = [bytes(site.data[leaf + 4 + width * n : leaf + 4 + width * (n + 1)]) for n in range(count)]
    site.data[leaf + 4 : leaf + 4 + width * count] = b"".join(reversed(entries))


def _special_checksum(site: Site) -> None:
    """Choose reserved bytes so that the plain XOR becomes 0 or 0xFFFFFFFF."""
    site.put32(200, 0)
    value = 0
    for word in struct.unpack_from("<127I", site.data):
        value ^= word
    site.put32(200, value ^ site.argument)


def _ktm(site: Site) -> None:
    site.put32(144, 1)
    site.data[164:168] = b"rmtm"


def _cycle(site: Site) -> None:
    site.put32(site.leaf + 4, site.builder.find(site.argument or "").offset)


def _hash(site: Site) -> None:
    site.put32(site.leaf + 8, site.u32(site.leaf + 8) ^ 0x01010101)


def _bin(offset: int, number: int | None) -> Callable[[Site], None]:
    return lambda site: site.put32(site.bin_start + offset, site.argument if number is None else number)


def _base(offset: int, number: int | None = None) -> Callable[[Site], None]:
    return lambda site: site.put32(offset, site.argument if number is None else number)


def _fill(start: Callable[[Site], int], length: int, byte: int) -> Callable[[Site], None]:
    def fault(site: Site) -> None:
        site.data[start(site) : start(site) + length] = bytes([byte]) * length

    return fault


def _db(offset: int, number: int) -> Callable[[Site], None]:
    def fault(site: Site) -> None:
        at = site.content(site.value_data) + offset
        (site.put16 if offset == 2 else site.put32)(at, number)

    return fault


def _segment(site: Site) -> None:
    table = site.content(site.u32(site.content(site.value_data) + 4))
    site.put32(table, NONE if site.argument is None else site.argument)


FAULTS: dict[str, Callable[[Site], None]] = {
    # base block; the checksum is put right afterwards, except by "wrong-checksum"
    "signature": lambda site: site.data.__setitem__(slice(0, 4), b"fger"),
    "dirty": lambda site: site.put32(8, site.u32(4) - 1),
    "wrong-checksum": lambda site: None,
    "special-checksum": _special_checksum,
    "version": lambda site: struct.pack_into("<II", site.data, 20, *site.argument),
    "file-type": _base(28),
    "format": _base(32, 0),
    "root-cell": _base(36),
    "hive-bins-size": _base(40),
    "ktm-pending": _ktm,
    "last-written": lambda site: struct.pack_into("<Q", site.data, 12, site.argument),
    # the hive bin in which the key lies
    "bin-signature": _fill(lambda site: site.bin_start, 4, 0xFF),
    "bin-offset": _bin(4, 0x7000),
    "bin-size": _bin(8, None),
    "bin-zeros": _fill(lambda site: site.bin_start, 4096, 0),
    "bin-ff-block": _fill(lambda site: site.bin_start, 512, 0xFF),
    # cells
    "cell-size": lambda site: site.resize(site.key.offset, site.argument),
    "cell-free": lambda site: site.free(site.key.offset),
    "data-cell-size": lambda site: site.resize(site.value_data, site.argument),
    "data-cell-free": lambda site: site.free(site.value_data),
    "list-cell-free": lambda site: site.free(site.key.list_offset),
    # keys
    "key-signature": lambda site: site.put16(site.node, 0x6B6E ^ 0x20),
    "key-name-length": lambda site: site.put16(site.node + 72, site.argument),
    "key-flags": lambda site: site.put16(site.node + 2, site.argument),
    "key-parent": lambda site: site.put32(site.node + 16, site.argument),
    "key-class": lambda site: struct.pack_into("<I", site.data, site.node + 48, site.argument),
    "subkey-count": lambda site: site.put32(site.node + 20, site.argument),
    "subkey-list": lambda site: site.put32(site.node + 28, site.argument),
    "value-count": lambda site: site.put32(site.node + 36, site.argument),
    "value-list": lambda site: site.put32(site.node + 40, site.argument),
    # subkey lists
    "list-signature": lambda site: site.data.__setitem__(slice(site.upper_list, site.upper_list + 2), b"lx"),
    "list-count": lambda site: site.put16(site.leaf + 2, site.argument),
    "list-entry": lambda site: site.put32(site.leaf + 4, site.argument),
    "unsorted": _unsorted,
    "stale-hash": _hash,
    "subkey-is-ancestor": _cycle,
    "ri-self": lambda site: site.put32(site.upper_list + 4, site.key.list_offset),
    "ri-count": lambda site: site.put16(site.upper_list + 2, site.argument),
    # values
    "value-pointer": lambda site: site.put32(site.value_list, site.argument),
    "value-signature": lambda site: site.put16(site.value_node, 0x7878),
    "value-name-length": lambda site: site.put16(site.value_node + 2, site.argument),
    "value-flags": lambda site: site.put16(site.value_node + 16, site.argument),
    "data-length": lambda site: site.put32(site.value_node + 4, site.argument),
    "data-pointer": lambda site: site.put32(site.value_node + 8, site.argument),
    "db-signature": lambda site: site.put16(site.content(site.value_data), 0x7878),
    "db-count-zero": _db(2, 0),
    "db-table": _db(4, NONE),
    "db-segment": _segment,
}


def apply_faults(builder: HiveBuilder, data: bytearray) -> None:
    """Put the builder's faults into the finished file, and the checksum right unless that is a fault."""
    sites = [(name, Site(data, builder, builder.find(path), value, arg)) for name, path, value, arg in builder.faults]
    for name, site in sites:
        FAULTS[name](site)
    seal(data)
    if any(name == "wrong-checksum" for name, _ in sites):
        data[508] ^= 0x55

"""A walk through a whole hive, to see that it holds: bins, keys, subkey lists, values and where their data lies.

It is what stands between the replay of logs and a reader: pages that do not belong together break pointers, and a
broken pointer is found here. Nothing is decoded beyond that; order, hashes and security descriptors are no matter.

A hive may have been damaged before. So only faults count that the primary, walked alone, does not have as well.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import FormatError, ReadLimitError
from vdiskkit.registry.base_block import BASE_BLOCK_SIZE
from vdiskkit.registry.cells import CellReader
from vdiskkit.registry.key_node import read_key_node
from vdiskkit.registry.subkeys import subkey_offsets

if TYPE_CHECKING:
    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location
    from vdiskkit.registry.base_block import BaseBlock

__all__ = ["Fault", "find_faults", "new_faults"]

_CHUNK = 256 * 1024
_CHUNKS_KEPT = 256
"""64 MiB: most hives are then read once, from front to back."""
_FAULTS_MAX = 200
_SUBKEYS_MAX = 70_000
_VALUES_MAX = 110_000
_DEPTH_MAX = 512
_BIN = struct.Struct("<4sII")
_VALUE = struct.Struct("<2sHII")
_VALUE_HEAD = 20
_INLINE = 0x80000000
_INLINE_MAX = 4
_SEGMENT = 16344
_BIG_DATA_HEAD = 8


class Fault(NamedTuple):
    """One thing that does not hold.

    Attributes:
        message: What, in one sentence.
        offset: Where, from the start of the hive bins.
    """

    message: str
    offset: int


def new_faults(
    source: ByteSource, base: BaseBlock, primary: ByteSource, primary_base: BaseBlock | None
) -> tuple[list[Fault], list[Fault]]:
    """Return the faults of a hive that the primary does not have, and those that both have.

    Args:
        source: The hive after the replay.
        base: Its base block.
        primary: The hive before.
        primary_base: Its base block; None when that is unsound, so that every fault counts as new.
    """
    faults = find_faults(source, base)
    if not faults or primary_base is None:
        return faults, []
    before = set(find_faults(primary, primary_base))
    added = [fault for fault in faults if fault not in before]
    return added, [fault for fault in faults if fault in before]


def find_faults(source: ByteSource, base: BaseBlock) -> list[Fault]:
    """Walk a hive; return what does not hold, up to a limit.

    Raises:
        SourceError: The operating system could not read.
        ReadLimitError: The read budget is used up.
    """
    walk = _Walk(source, base)
    try:
        if walk.bins():
            walk.keys()
    except _EnoughError:
        pass
    return walk.faults


class _EnoughError(Exception):
    """There are so many faults that one more would not change the judgement."""


class _Chunks:
    """The hive in large pieces, the most recent kept: the walk asks for every page, and mostly in order."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._chunks: dict[int, bytes] = {}

    @property
    def size(self) -> int:
        return self._source.size

    @property
    def location(self) -> Location:
        return self._source.location

    def read_at(self, offset: int, length: int) -> bytes:
        number, inside = divmod(offset, _CHUNK)
        if inside + length > _CHUNK or offset + length > self._source.size:
            return self._source.read_at(offset, length)
        chunk = self._chunks.get(number)
        if chunk is None:
            if len(self._chunks) >= _CHUNKS_KEPT:
                del self._chunks[next(iter(self._chunks))]
            start = number * _CHUNK
            chunk = self._source.read_at(start, min(_CHUNK, self._source.size - start))
            self._chunks[number] = chunk
        return chunk[inside : inside + length]


class _Walk:
    def __init__(self, source: ByteSource, base: BaseBlock) -> None:
        self.faults: list[Fault] = []
        self._base = base
        self._source = _Chunks(source)
        self._cells = CellReader(self._source, base.hive_bins_size)

    def bins(self) -> bool:
        """Follow the bins from the first to the last; return whether they fill their place."""
        at, end = 0, self._base.hive_bins_size
        while at < end:
            try:
                signature, own, size = _BIN.unpack(self._source.read_at(BASE_BLOCK_SIZE + at, _BIN.size))
            except FormatError as exc:
                self._fault(exc, at)
                return False
            if signature != b"hbin" or own != at or size < 4096 or size % 4096 or at + size > end:
                self._add(f"no hive bin begins at {at:#x}, or its size cannot be", at)
                return False
            at += size
        return True

    def keys(self) -> None:
        """Follow the tree from the root."""
        stack = [(self._base.root_cell, 0)]
        seen = bytearray(self._base.hive_bins_size >> 6)  # a bit for each place where a key may be
        while stack:
            offset, depth = stack.pop()
            try:
                node = read_key_node(self._cells, offset)
                bit = 1 << (offset >> 3 & 7)
                if seen[offset >> 6] & bit:
                    self._add(f"the key {node.name!r} stands in two places", offset)
                    continue
                seen[offset >> 6] |= bit
                if node.value_count:
                    self._values(node.value_list, node.value_count)
                if node.subkey_count:
                    if depth >= _DEPTH_MAX:
                        self._add(f"keys are nested more than {_DEPTH_MAX} deep", offset)
                        continue
                    below = subkey_offsets(self._cells, node, _SUBKEYS_MAX)
                    stack += [(child, depth + 1) for child in reversed(below)]
            except FormatError as exc:
                self._fault(exc, offset)

    def _values(self, list_offset: int, count: int) -> None:
        cells, minor = self._cells, self._base.minor
        if count > _VALUES_MAX:
            self._add(f"a key says that it has {count} values", list_offset)
            return
        raw = cells.read(list_offset, 4 * count, 4 * count, "a list of values")
        for offset in struct.unpack(f"<{count}I", raw):
            try:
                cell = cells.read(offset, _VALUE_HEAD, _VALUE_HEAD, "a value")
                signature, name_length, size, data = _VALUE.unpack_from(cell)
                if signature != b"vk":
                    self._add(f"a value begins with {signature!r} instead of 'vk'", offset)
                elif size & _INLINE:
                    if size & ~_INLINE > _INLINE_MAX:
                        self._add(f"{size & ~_INLINE} bytes are said to lie in a field of 4", offset)
                elif size > _SEGMENT and minor > 3:
                    self._big_data(data, size)
                elif size:
                    cells.read(data, size, 0, "the data of a value")
                if name_length:
                    cells.read(offset, _VALUE_HEAD + name_length, 0, "the name of a value")
            except FormatError as exc:
                self._fault(exc, offset)

    def _big_data(self, offset: int, size: int) -> None:
        cells = self._cells
        signature, count, table = struct.unpack(
            "<2sHI", cells.read(offset, _BIG_DATA_HEAD, _BIG_DATA_HEAD, "a big data record")
        )
        if signature != b"db" or count != -(-size // _SEGMENT):
            self._add(f"{size} bytes of big data in {count} segments under {signature!r}", offset)
            return
        raw = cells.read(table, 4 * count, 4 * count, "a list of segments")
        for segment in struct.unpack(f"<{count}I", raw):
            cells.read(segment, min(size, _SEGMENT), 0, "a segment of big data")
            size -= _SEGMENT

    def _fault(self, error: FormatError, offset: int) -> None:
        if isinstance(error, ReadLimitError) and error.used_up:
            raise error
        self._add(error.message, offset)

    def _add(self, message: str, offset: int) -> None:
        self.faults.append(Fault(message, offset))
        if len(self.faults) >= _FAULTS_MAX:
            raise _EnoughError

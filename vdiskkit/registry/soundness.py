"""A walk through a whole hive, to see that it holds: bins, cells, keys, subkey lists, values and their data.

It is what stands between the replay of logs and a reader: pages that do not belong together break pointers, and a
broken pointer is found here. Every cell may be used once, and every key names the key that lists it as its parent.
Order, hashes, names and security descriptors are no matter.

A hive may have been damaged before. So only faults count that the primary, walked alone, does not have as well.

The walk is made for speed: the bins are read once, from front to back, and held while it lasts; records are taken
apart where they lie. Every step claims a cell that no other step may claim, so that its length is bounded by the hive.
"""

from __future__ import annotations

import struct
import sys
from array import array
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import FormatError, ReadLimitError
from vdiskkit.registry.base_block import BASE_BLOCK_SIZE
from vdiskkit.registry.cells import NO_CELL
from vdiskkit.registry.room import subkeys_possible, values_possible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vdiskkit.io import ByteSource
    from vdiskkit.registry.base_block import BaseBlock

__all__ = ["Fault", "find_faults", "new_faults"]

_CHUNK = 1024 * 1024
_CHUNK_SHIFT = 20
_HELD_MAX = 256
"""Chunks of a hive that are held, which bounds the memory; what lies behind them is read piece by piece."""
_FAULTS_MAX = 200
"""Faults that are told one by one: so many and the judgement is made, whatever follows."""
_DEPTH_MAX = 512
"""Windows makes no more levels of keys."""
_PAGE = 4096
_BIN_HEAD = 32
_HBIN = int.from_bytes(b"hbin", "little")
# Each with the size of the cell in front.
_KEY = struct.Struct("<i2sHQIIIIIIIIIIIIIIIHH")
_LIST = struct.Struct("<i2sH")
_VALUE = struct.Struct("<i2sHIIIH")
_BIG_DATA = struct.Struct("<i2sHI")
_SIZE = struct.Struct("<i")
_OFFSET = struct.Struct("<I")
_LATIN1, _PREDEFINED = 0x20, 0x40
_INLINE = 0x80000000
_INLINE_MAX = 4
_SEGMENT = 16344


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
    # So many that not all are known: which of them are new cannot be told.
    if not faults or primary_base is None or len(faults) >= _FAULTS_MAX:
        return faults, []
    before = set(find_faults(primary, primary_base))
    added = [fault for fault in faults if fault not in before]
    return added, [fault for fault in faults if fault in before]


def find_faults(source: ByteSource, base: BaseBlock) -> list[Fault]:
    """Walk a hive; return what does not hold, up to a limit.

    Args:
        source: The hive file, or one with its logs replayed.
        base: Its base block, which has been checked against the file.

    Raises:
        SourceError: The operating system could not read.
        ReadLimitError: The read budget is used up.
    """
    walk = _Walk(source, base)
    try:
        walk.bins()
        walk.keys()
    except _EnoughError:
        pass
    return walk.faults


class _EnoughError(Exception):
    """There are so many faults that one more would not change the judgement."""


class _CellError(Exception):
    """A cell is not what a pointer to it wants: message, offset."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.fault = Fault(message, offset)


class _Walk:
    def __init__(self, source: ByteSource, base: BaseBlock) -> None:
        self.faults: list[Fault] = []
        self._base = base
        self._size = base.hive_bins_size
        self._source = source
        self._held: list[bytes] = []
        # A bit for each place where a cell may be: a used one begins there and nothing has claimed it yet.
        self._free = bytearray((base.hive_bins_size >> 6) + 1)

    # -- bins and cells ------------------------------------------------------------------------------------------------
    def bins(self) -> None:
        """Follow the bins and the cells in them from the first to the last, or up to where no bin is."""
        size = self._size
        if BASE_BLOCK_SIZE + size > self._source.size:
            self._add("the hive bins run past the end of the file", 0)
            return
        at = bin_end = 0
        for start in range(0, size, _CHUNK):
            data = self._read_chunk(start)
            words = array("i", data)
            if sys.byteorder == "big":
                words.byteswap()
            stop = start + len(data)
            while at < stop:
                if at == bin_end:
                    bin_end = self._bin(words, at - start >> 2, at)
                    if not bin_end:
                        return
                    at += _BIN_HEAD
                    continue
                at, broken = self._cells(words, start, min(stop, bin_end), at, bin_end)
                if broken:
                    at = bin_end

    def _read_chunk(self, start: int) -> bytes:
        data = self._source.read_at(BASE_BLOCK_SIZE + start, min(_CHUNK, self._size - start))
        if len(self._held) < _HELD_MAX:
            self._held.append(data)
        return data

    def _bin(self, words: array[int], index: int, at: int) -> int:
        """The end of the bin that begins at ``at``; 0, with a fault, when none can."""
        size = words[index + 2]
        if words[index] != _HBIN or words[index + 1] != at or size < _PAGE or size % _PAGE or at + size > self._size:
            self._add(f"no hive bin begins at {at:#x}, or its size cannot be", at)
            return 0
        return at + size

    def _cells(self, words: array[int], start: int, stop: int, at: int, bin_end: int) -> tuple[int, bool]:
        """Note the used cells of a bin up to ``stop``; return where the next one begins and whether a size is wrong."""
        free = self._free
        while at < stop:
            size = words[at - start >> 2]
            if size < 0:
                size = -size
                free[at >> 6] |= 1 << (at >> 3 & 7)
            if size < 8 or size & 7 or at + size > bin_end:
                free[at >> 6] &= ~(1 << (at >> 3 & 7)) & 0xFF
                self._add(f"the cell at {at:#x} has a size of {size} bytes, which cannot be", at)
                return at, True
            at += size
        return at, False

    def _read(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes of the bins.

        Raises:
            _CellError: They run past the end.
        """
        if offset + length > self._size:
            raise _CellError("a record runs past the end of the hive bins", offset)
        number, inside = offset >> _CHUNK_SHIFT, offset & (_CHUNK - 1)
        if number < len(self._held) and inside + length <= _CHUNK:
            return self._held[number][inside : inside + length]
        return self._source.read_at(BASE_BLOCK_SIZE + offset, length)

    def _claim(self, offset: int, what: str) -> None:
        """Take a cell for what a pointer says is there.

        Raises:
            _CellError: No used cell begins there, or something else has taken it.
        """
        if offset & 7 or offset >= self._size:
            raise _CellError(f"{what} cannot be read: {offset:#x} is no place for a cell", offset)
        bit = 1 << (offset >> 3 & 7)
        if not self._free[offset >> 6] & bit:
            raise _CellError(f"{what} cannot be read: no used cell begins there, or something else has it", offset)
        self._free[offset >> 6] ^= bit

    def _content(self, offset: int, length: int, what: str) -> bytes:
        """Claim a cell and return ``length`` bytes of it, its size in front not counted."""
        self._claim(offset, what)
        raw = self._read(offset, 4 + length)
        if -_SIZE.unpack_from(raw)[0] - 4 < length:
            raise _CellError(f"{what} does not fit into its cell", offset)
        return raw[4:]

    # -- the tree ------------------------------------------------------------------------------------------------------
    def keys(self) -> None:
        """Follow the tree from the root."""
        levels: list[tuple[Iterator[int], int | None]] = [(iter((self._base.root_cell,)), None)]
        while levels:
            keys, parent = levels[-1]
            offset = next(keys, None)
            if offset is None:
                levels.pop()
                continue
            try:
                below = self._key(offset, parent)
                if below and len(levels) > _DEPTH_MAX:
                    self._add(f"keys are nested more than {_DEPTH_MAX} deep", offset)
                elif below:
                    levels.append((iter(below), offset))
            except _CellError as exc:
                self._add(*exc.fault)
            except FormatError as exc:
                self._tell(exc, offset)

    def _key(self, offset: int, parent: int | None) -> Sequence[int]:
        """Check one key and its values; return its subkeys."""
        self._claim(offset, "a key")
        raw = self._read(offset, _KEY.size)
        fields = _KEY.unpack(raw)
        size, signature, flags, name_length = fields[0], fields[1], fields[2], fields[19]
        if signature != b"nk" or -size < _KEY.size + name_length or (name_length & 1 and not flags & _LATIN1):
            raise _CellError(f"a key begins with {signature!r}, or its name does not fit", offset)
        if parent is not None and fields[5] != parent:
            self._add(f"a key names {fields[5]:#x} as its parent, and is listed by {parent:#x}", offset)
        if fields[10] and not flags & _PREDEFINED:
            self._values(fields[11], fields[10])
        return self._subkeys(fields[8], fields[6]) if fields[6] else ()

    def _subkeys(self, offset: int, count: int) -> Sequence[int]:
        if count > subkeys_possible(self._size):
            raise _CellError(f"a key says that it has {count} subkeys", offset)
        kind, numbers = self._list(offset)
        if kind == b"ri":
            leaves, numbers = numbers, array("I")
            for leaf in leaves:
                numbers.extend(self._leaf(leaf))
        if len(numbers) != count:
            raise _CellError(f"a list has {len(numbers)} subkeys where the key says {count}", offset)
        return numbers

    def _leaf(self, offset: int) -> Sequence[int]:
        kind, numbers = self._list(offset)
        if kind == b"ri":
            raise _CellError("a list of lists is below another one", offset)
        return numbers

    def _list(self, offset: int) -> tuple[bytes, Sequence[int]]:
        self._claim(offset, "a subkey list")
        size, kind, count = _LIST.unpack_from(self._read(offset, _LIST.size))
        width = {b"lf": 8, b"lh": 8, b"li": 4, b"ri": 4}.get(kind, 0)
        if not width or not count or -size < _LIST.size + width * count:
            raise _CellError(f"a subkey list is a {kind!r} of {count} elements in {-size} bytes", offset)
        numbers = struct.unpack(f"<{width * count // 4}I", self._read(offset + _LIST.size, width * count))
        return kind, numbers if width == 4 else numbers[::2]

    def _values(self, list_offset: int, count: int) -> None:
        if count > values_possible(self._size):
            self._add(f"a key says that it has {count} values", list_offset)
            return
        try:
            numbers = self._content(list_offset, 4 * count, "a list of values")
        except _CellError as exc:
            self._add(*exc.fault)
            return
        for (offset,) in _OFFSET.iter_unpack(numbers):
            try:
                self._value(offset)
            except _CellError as exc:
                self._add(*exc.fault)

    def _value(self, offset: int) -> None:
        self._claim(offset, "a value")
        raw = self._read(offset, _VALUE.size)
        size, signature, name_length, length, where, _, flags = _VALUE.unpack(raw)
        if signature != b"vk" or -size < 24 + name_length or (name_length & 1 and not flags & 1):
            raise _CellError(f"a value begins with {signature!r}, or its name does not fit", offset)
        if length & _INLINE:
            if length & ~_INLINE > _INLINE_MAX:
                raise _CellError(f"{length & ~_INLINE} bytes are said to lie in a field of {_INLINE_MAX}", offset)
        elif not length and where == NO_CELL:
            return
        elif length > _SEGMENT and self._base.minor > 3:
            self._big_data(where, length)
        elif length:
            self._data(where, length, "the data of a value")

    def _data(self, offset: int, length: int, what: str) -> None:
        self._claim(offset, what)
        if -_SIZE.unpack(self._read(offset, 4))[0] - 4 < length:
            raise _CellError(f"{what} does not fit into its cell", offset)

    def _big_data(self, offset: int, length: int) -> None:
        self._claim(offset, "a big data record")
        size, signature, count, table = _BIG_DATA.unpack(self._read(offset, _BIG_DATA.size))
        if signature != b"db" or -size < _BIG_DATA.size or count != -(-length // _SEGMENT):
            raise _CellError(f"{length} bytes of big data are in {count} segments under {signature!r}", offset)
        for segment in struct.unpack(f"<{count}I", self._content(table, 4 * count, "a list of segments")):
            self._data(segment, min(length, _SEGMENT), "a segment of big data")
            length -= _SEGMENT

    def _tell(self, error: FormatError, offset: int) -> None:
        if isinstance(error, ReadLimitError) and error.used_up:
            raise error
        self._add(error.message, offset)

    def _add(self, message: str, offset: int) -> None:
        self.faults.append(Fault(message, offset))
        if len(self.faults) >= _FAULTS_MAX:
            raise _EnoughError

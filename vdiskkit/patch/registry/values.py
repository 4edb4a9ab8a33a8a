"""Value lists and the data of values for the editor.

A value is changed in place where all that differs lies in one sector; else its new data, and if need be a new record of
it, are made first, and one field of four or eight bytes, in one sector, leads to them. A list that becomes shorter gets
a new cell, as Windows takes a value for damaged that stands in it twice or not at all.

Follows the sections "Key values list", "Key value" and "Big data" of the "Windows registry file format specification".
"""

from __future__ import annotations

import struct
import sys
from array import array
from typing import TYPE_CHECKING

from vdiskkit.errors import CorruptStructureError, WriteRefusedError
from vdiskkit.patch.registry.records import (
    INLINE,
    INLINE_MAX,
    NK_MAX_VALUE_DATA,
    NK_MAX_VALUE_NAME,
    NK_VALUE_COUNT,
    NK_VALUE_LIST,
    VK_DATA_LENGTH,
    KeyRecord,
    ValueRecord,
    name_size,
    new_value,
    put32,
    read_value,
    value_fields,
)
from vdiskkit.patch.staging import Phase
from vdiskkit.registry.cells import NO_CELL
from vdiskkit.registry.room import values_possible
from vdiskkit.registry.upcase import upcase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vdiskkit.patch.registry.cells import CellStore

__all__ = ["DATA_MAX", "PLAIN_DATA_MAX", "KeyValues"]

SEGMENT = 16344
"""Bytes of data in each segment of big data but the last."""
DATA_MAX = 8 * 1024 * 1024
"""Longest data that is written, and read back by the readers."""
PLAIN_DATA_MAX = 1024 * 1024 - 4
"""Longest data in a hive without big data: Windows takes no cell of more than 1 MiB for a sound one."""

_BIG_DATA = struct.Struct("<2sHI")
_SPARE_FROM = 16
_SPARE_MAX = 64
"""A new list gets room for a quarter more values, from 16 values on and for 64 at most, so that it is moved rarely."""


class KeyValues:
    """The values of one key, for as many changes as are made in a row.

    Values are written at once. Their list and its length are written by :meth:`store`, once for all changes, so that
    what many of them cost grows with their number alone.

    Args:
        cells: Cells of the hive.
        key: The key, as it is now.
        minor: Minor version of the hive; only above 3 there is big data.

    Raises:
        CorruptStructureError: The value list is damaged.
    """

    def __init__(self, cells: CellStore, key: KeyRecord, minor: int) -> None:
        self._cells = cells
        self._key = key
        self._minor = minor
        self._offsets = array("I")
        self._kept = key.value_count
        """How many values at the beginning of the list are in the stored one, too."""
        self._gone: set[int] = set()
        """Places of values that were deleted since the list was written."""
        self._longest = {NK_MAX_VALUE_NAME: key.max_value_name, NK_MAX_VALUE_DATA: key.max_value_data}
        self._looked_up = False
        self._index: dict[int, list[int]] | None = None
        count = key.value_count
        possible = values_possible(cells.bins_size)
        if count > possible:
            raise CorruptStructureError(
                f"the key {key.name!r} says that it has {count} values, and a hive of this size has room for "
                f"{possible} at most",
                location=cells.location(key.offset),
            )
        if count:
            raw = cells.read(key.value_list, 4 * count, 4 * count, f"the list of the {count} values of {key.name!r}")
            self._offsets.frombytes(raw)
            if sys.byteorder == "big":
                self._offsets.byteswap()

    @property
    def key_offset(self) -> int:
        """Offset of the key."""
        return self._key.offset

    def all(self) -> Iterator[ValueRecord]:
        """Yield all values in list order."""
        return (read_value(self._cells, self._offsets[place]) for place in self._places())

    def _places(self) -> Iterable[int]:
        places = range(len(self._offsets))
        return (place for place in places if place not in self._gone) if self._gone else places

    def find(self, name: str) -> ValueRecord | None:
        """Return the value of that name, whatever its case, ``""`` for the default value; None when there is none.

        Raises:
            CorruptStructureError: A value on the way is damaged.
            WriteRefusedError: Two values have the name.
        """
        folded = upcase(name)
        found = [record for record in self._candidates(folded) if upcase(record.name) == folded]
        if len(found) > 1:
            raise WriteRefusedError(
                f"the key {self._key.name!r} has {len(found)} values of the name {name!r}: which one Windows uses "
                "is not known",
                location=self._cells.location(self._key.offset),
            )
        return found[0] if found else None

    def data(self, record: ValueRecord) -> bytes:
        """Return the data of a value."""
        return read_data(self._cells, record, self._minor)

    def _candidates(self, folded: str) -> Iterable[ValueRecord]:
        """Yield the values that can have a name, all of them when it is the first that is looked for."""
        if not self._looked_up:
            self._looked_up = True
            return self.all()
        places = self._indexed().get(hash(folded), ())
        return [read_value(self._cells, self._offsets[place]) for place in places]

    def _indexed(self) -> dict[int, list[int]]:
        """Return the places in the list by the hash of the name; not the names, as there can be very many."""
        if self._index is None:
            self._index = {}
            for place in self._places():
                folded = upcase(read_value(self._cells, self._offsets[place]).name)
                self._index.setdefault(hash(folded), []).append(place)
        return self._index

    def _place_of(self, record: ValueRecord) -> int:
        """Return the place of a value in the list; its cell can have been that of a value that is gone."""
        places = self._indexed()[hash(upcase(record.name))]
        return next(place for place in places if self._offsets[place] == record.offset)

    # -- change ----------------------------------------------------------------------------------------------------
    def store(self) -> None:
        """Write the list and its length, where they changed. A list that does not only go on gets a new cell."""
        cells, key = self._cells, self._key
        if self._kept == key.value_count and len(self._offsets) == self._kept:
            return
        self._compact()
        count = len(self._offsets)
        old = key.value_list if key.value_count else NO_CELL
        new = NO_CELL
        if old != NO_CELL and self._kept == key.value_count and cells.capacity(old, "a value list") >= 4 * count:
            # Nobody looks behind the count that the key still has.
            cells.write(old, 4 * self._kept, self._encoded(self._kept), Phase.DATA)
            new = old
        elif count:
            spare = 4 * min(count // 4, _SPARE_MAX) if count >= _SPARE_FROM else 0
            new = cells.allocate(self._encoded(0), key.offset, spare)
        if new != old:
            put32(cells, key.offset, NK_VALUE_LIST, new)
            if old != NO_CELL:
                cells.free(old, "a value list")
        put32(cells, key.offset, NK_VALUE_COUNT, count)
        self._key = key._replace(value_count=count, value_list=new)
        self._kept = count

    def _compact(self) -> None:
        """Close the gaps that deleted values left."""
        if self._gone:
            self._offsets = array("I", (self._offsets[place] for place in self._places()))
            self._gone.clear()
            self._index = None

    def _encoded(self, first: int) -> bytes:
        part = self._offsets[first:]
        if sys.byteorder == "big":
            part.byteswap()
        return part.tobytes()

    def change(self, record: ValueRecord, kind: int, data: bytes) -> None:
        """Give a value another type or other data: in place when it fits into one sector, else in new cells."""
        cells = self._cells
        old = data_cells(cells, record, self._minor)
        plain = len(old) == 1 and not self._is_big(len(data)) and len(data) > INLINE_MAX
        if plain and cells.capacity(old[0], "the data of a value") >= len(data):
            fields = value_fields(len(data), old[0], kind)
            if cells.is_one_sector((old[0], 0, data), (record.offset, VK_DATA_LENGTH, fields)):
                cells.write(old[0], 0, data)
                cells.write(record.offset, VK_DATA_LENGTH, fields)
                self._raise_maximum(NK_MAX_VALUE_DATA, len(data))
                return
        length, where = self._place_data(data)
        fields = value_fields(length, where, kind)
        if cells.is_one_sector((record.offset, VK_DATA_LENGTH, fields)):
            cells.write(record.offset, VK_DATA_LENGTH, fields)
        else:
            self._renew(record, fields)
        for offset in old:
            cells.free(offset, f"the data of the value {record.name!r}")
        self._raise_maximum(NK_MAX_VALUE_DATA, len(data))

    def _renew(self, record: ValueRecord, fields: bytes) -> None:
        """Put a new record in the place of one whose fields lie in two sectors."""
        cells, key = self._cells, self._key
        what = f"the value {record.name!r}"
        room = cells.capacity(record.offset, what)
        content = cells.read(record.offset, room, room, what)
        content = content[:VK_DATA_LENGTH] + fields + content[VK_DATA_LENGTH + len(fields) :]
        place = self._place_of(record)
        self._offsets[place] = cells.allocate(content, key.offset)
        self._kept = min(self._kept, place)
        cells.free(record.offset, what)

    def add(self, name: str, kind: int, data: bytes) -> None:
        """Add a value behind the others."""
        cells, key = self._cells, self._key
        length, where = self._place_data(data)
        offset = cells.allocate(new_value(name, kind, length, where), key.offset)
        if self._index is not None:
            self._index.setdefault(hash(upcase(name)), []).append(len(self._offsets))
        self._offsets.append(offset)
        self._raise_maximum(NK_MAX_VALUE_NAME, name_size(name))
        self._raise_maximum(NK_MAX_VALUE_DATA, len(data))

    def remove(self, record: ValueRecord) -> None:
        """Delete a value. The maximum fields stay, as Windows leaves them."""
        place = self._place_of(record)
        self._indexed()[hash(upcase(record.name))].remove(place)
        self._gone.add(place)
        self._kept = min(self._kept, place)
        self._free(record)

    def free_all(self) -> None:
        """Give back the list, all values and their data, for a key that goes."""
        for record in self.all():
            self._free(record)
        if self._key.value_count:
            self._cells.free(self._key.value_list, "a value list")

    # -- data ------------------------------------------------------------------------------------------------------
    def _free(self, record: ValueRecord) -> None:
        for offset in data_cells(self._cells, record, self._minor):
            self._cells.free(offset, f"the data of the value {record.name!r}")
        self._cells.free(record.offset, f"the value {record.name!r}")

    def _is_big(self, length: int) -> bool:
        return length > SEGMENT and self._minor > 3

    def _place_data(self, data: bytes) -> tuple[int, int]:
        """Put data where it belongs; return the length and the data field of its key value."""
        cells, near = self._cells, self._key.offset
        if len(data) <= INLINE_MAX:
            return INLINE | len(data), int.from_bytes(data, "little")
        if not self._is_big(len(data)):
            return len(data), cells.allocate(data, near)
        parts = [data[at : at + SEGMENT] for at in range(0, len(data), SEGMENT)]
        # Windows gives the last segment a cell of full size too, and some readers count on that.
        segments = [cells.allocate(part, near, SEGMENT - len(part)) for part in parts]
        table = cells.allocate(struct.pack(f"<{len(segments)}I", *segments), near)
        return len(data), cells.allocate(_BIG_DATA.pack(b"db", len(segments), table), near)

    def _raise_maximum(self, field: int, needed: int) -> None:
        if needed > self._longest[field]:
            self._longest[field] = needed
            put32(self._cells, self._key.offset, field, needed, Phase.HIVE_CLAIM)


def data_cells(cells: CellStore, record: ValueRecord, minor: int) -> list[int]:
    """Return the offsets of all cells that hold the data of a value: none, one, or those of big data.

    Raises:
        CorruptStructureError: They are not there.
    """
    if record.inline or not record.length:
        return []
    what = f"the data of the value {record.name!r}"
    if record.length <= SEGMENT or minor <= 3:
        cells.read(record.data, record.length, 0, what)
        return [record.data]
    signature, count, table = _BIG_DATA.unpack(cells.read(record.data, _BIG_DATA.size, _BIG_DATA.size, what))
    if signature != b"db" or count != -(-record.length // SEGMENT):
        raise CorruptStructureError(
            f"{what} is damaged: {record.length} bytes need a big data record of {-(-record.length // SEGMENT)} "
            "segments, and there is none",
            location=cells.location(record.data),
        )
    raw = cells.read(table, 4 * count, 4 * count, f"the segment list of {what}")
    return [*struct.unpack(f"<{count}I", raw), table, record.data]


def read_data(cells: CellStore, record: ValueRecord, minor: int) -> bytes:
    """Return the data of a value.

    Raises:
        CorruptStructureError: It is not where the value says.
        WriteRefusedError: It is longer than what is written here.
    """
    if record.inline:
        return record.data.to_bytes(4, "little")[: record.length]
    if record.length > DATA_MAX:
        raise WriteRefusedError(
            f"the value {record.name!r} has {record.length} bytes of data, the limit is {DATA_MAX}",
            location=cells.location(record.offset),
        )
    where = data_cells(cells, record, minor)
    if len(where) <= 1:
        return b"".join(
            cells.read(offset, record.length, record.length, f"the data of the value {record.name!r}")
            for offset in where
        )
    parts = []
    left = record.length
    for offset in where[:-2]:
        length = min(left, SEGMENT)
        parts.append(cells.read(offset, length, length, f"a segment of the value {record.name!r}"))
        left -= length
    return b"".join(parts)

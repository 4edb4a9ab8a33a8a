"""Value lists and the data of values for the editor.

Follows the sections "Key values list", "Key value" and "Big data" of the "Windows registry file format specification".
"""

from __future__ import annotations

import struct
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
from vdiskkit.registry.cells import NO_CELL
from vdiskkit.registry.upcase import upcase

if TYPE_CHECKING:
    from vdiskkit.patch.registry.cells import CellStore

__all__ = ["DATA_MAX", "PLAIN_DATA_MAX", "KeyValues"]

SEGMENT = 16344
"""Bytes of data in each segment of big data but the last."""
DATA_MAX = 8 * 1024 * 1024
"""Longest data that is written, and read back by the readers."""
PLAIN_DATA_MAX = 1024 * 1024 - 4
"""Longest data in a hive without big data: Windows takes no cell of more than 1 MiB for a sound one."""

_BIG_DATA = struct.Struct("<2sHI")
_VALUES_MAX = 110_000
_SPARE_FROM = 16
_SPARE_MAX = 64


class KeyValues:
    """The values of one key.

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
        self._offsets: list[int] = []
        count = key.value_count
        if count > _VALUES_MAX:
            raise CorruptStructureError(
                f"the key {key.name!r} says that it has {count} values", location=cells.location(key.offset)
            )
        if count:
            raw = cells.read(key.value_list, 4 * count, 4 * count, f"the list of the {count} values of {key.name!r}")
            self._offsets = list(struct.unpack(f"<{count}I", raw))

    def all(self) -> list[ValueRecord]:
        """Return all values in list order."""
        return [read_value(self._cells, offset) for offset in self._offsets]

    def find(self, name: str) -> ValueRecord | None:
        """Return the value of that name, whatever its case, ``""`` for the default value; None when there is none.

        Raises:
            CorruptStructureError: A value on the way is damaged.
            WriteRefusedError: Two values have the name.
        """
        folded = upcase(name)
        found = [record for record in self.all() if upcase(record.name) == folded]
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

    # -- change ----------------------------------------------------------------------------------------------------
    def change(self, record: ValueRecord, kind: int, data: bytes) -> None:
        """Give a value another type or other data: in place when it fits, else in a new cell."""
        cells = self._cells
        old = data_cells(cells, record, self._minor)
        plain = len(old) == 1 and not self._is_big(len(data)) and len(data) > INLINE_MAX
        if plain and cells.capacity(old[0], "the data of a value") >= len(data):
            cells.write(old[0], 0, data)
            length, where = len(data), old[0]
            old = []
        else:
            length, where = self._place_data(data)
        cells.write(record.offset, VK_DATA_LENGTH, value_fields(length, where, kind))
        for offset in old:
            cells.free(offset, f"the data of the value {record.name!r}")
        self._raise_maximum(NK_MAX_VALUE_DATA, self._key.max_value_data, len(data))

    def add(self, name: str, kind: int, data: bytes) -> None:
        """Add a value behind the others."""
        cells, key = self._cells, self._key
        if len(self._offsets) >= _VALUES_MAX:
            raise WriteRefusedError(
                f"the key {key.name!r} has {len(self._offsets)} values; more are not added",
                location=cells.location(key.offset),
            )
        length, where = self._place_data(data)
        self._offsets.append(cells.allocate(new_value(name, kind, length, where), key.offset))
        content = struct.pack(f"<{len(self._offsets)}I", *self._offsets)
        old = key.value_list if key.value_count else NO_CELL
        if old != NO_CELL and cells.capacity(old, "a value list") >= len(content):
            cells.write(old, len(content) - 4, content[-4:])
        else:
            count = len(self._offsets)
            spare = 4 * min(count // 4, _SPARE_MAX) if count >= _SPARE_FROM else 0
            put32(cells, key.offset, NK_VALUE_LIST, cells.allocate(content, key.offset, spare))
            if old != NO_CELL:
                cells.free(old, "a value list")
        put32(cells, key.offset, NK_VALUE_COUNT, len(self._offsets))
        self._raise_maximum(NK_MAX_VALUE_NAME, key.max_value_name, name_size(name))
        self._raise_maximum(NK_MAX_VALUE_DATA, key.max_value_data, len(data))

    def remove(self, record: ValueRecord) -> None:
        """Delete a value. The maximum fields stay, as Windows leaves them."""
        cells, key = self._cells, self._key
        self._offsets.remove(record.offset)
        put32(cells, key.offset, NK_VALUE_COUNT, len(self._offsets))
        if self._offsets:
            cells.write(key.value_list, 0, struct.pack(f"<{len(self._offsets)}I", *self._offsets))
        else:
            put32(cells, key.offset, NK_VALUE_LIST, NO_CELL)
            cells.free(key.value_list, "a value list")
        self._free(record)

    def free_all(self) -> None:
        """Give back the list, all values and their data, for a key that goes."""
        for record in self.all():
            self._free(record)
        if self._offsets:
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

    def _raise_maximum(self, field: int, known: int, needed: int) -> None:
        if needed > known:
            put32(self._cells, self._key.offset, field, needed)


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

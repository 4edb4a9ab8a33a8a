"""Registry values: the value list of a key, key values (vk), their data inline, in a cell or in big data (db).

Follows the sections "Key values list", "Key value" and "Big data" of the "Windows registry file format specification".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vdiskkit.errors import CorruptStructureError, FormatError, ReadLimitError
from vdiskkit.registry.cells import report_error
from vdiskkit.registry.room import CellSet, values_possible
from vdiskkit.registry.upcase import upcase
from vdiskkit.registry.value_types import RegistryData, decode, type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vdiskkit.location import Location
    from vdiskkit.registry.hive import Hive

__all__ = ["RegistryValue", "find_value", "read_values"]

_KEY_VALUE = struct.Struct("<2sHIIIH")
_HEADER_SIZE = 20
_INLINE = 0x80000000
_INLINE_MAX = 4
_LATIN1_NAME = 1
_OFFSET = struct.Struct("<I")
_BIG_DATA = struct.Struct("<2sHI")
_SEGMENT = 16344
_NAME_MAX = 0xFFFF
"""What the field for the length can say."""
_SHARED = 1024
"""Data of more bytes may belong to one value only: with what many share, a small hive would fill all memory."""


class RegistryValue:
    """One value. Its data is read at first use.

    Attributes:
        name: Name as stored; empty for the default value.
        type: Type number.
        size: Length of the data in bytes.
    """

    __slots__ = ("_decoded", "_hive", "_offset", "_raw", "_where", "name", "size", "type")

    def __init__(self, hive: Hive, offset: int) -> None:
        self._hive = hive
        self._offset = offset
        cell = hive.cells.read(offset, _HEADER_SIZE, _HEADER_SIZE + _NAME_MAX, "a value")
        signature, name_length, size, self._where, self.type, flags = _KEY_VALUE.unpack_from(cell)
        if signature != b"vk":
            raise self._corrupt(f"it begins with {signature!r} instead of 'vk'")
        raw_name = cell[_HEADER_SIZE : _HEADER_SIZE + name_length]
        if len(raw_name) != name_length:
            raise self._corrupt(f"its name of {name_length} bytes does not fit into its cell")
        if flags & _LATIN1_NAME:
            self.name = raw_name.decode("latin-1")
        elif name_length & 1:
            raise self._corrupt(f"its UTF-16 name has an odd length of {name_length} bytes")
        else:
            self.name = raw_name.decode("utf-16-le", "surrogatepass")
        self._raw: bytes | None = None
        self._decoded: tuple[RegistryData, str | None] | None = None
        if size & _INLINE:
            size &= ~_INLINE
            if size > _INLINE_MAX:
                raise self._corrupt(f"{size} bytes are said to lie in a field of {_INLINE_MAX} bytes")
            self._raw = cell[8 : 8 + size]
        self.size = size

    def __repr__(self) -> str:
        return f"<RegistryValue {self.name!r} {self.type_name}>"

    @property
    def location(self) -> Location:
        """Address of the value's cell in the hive file."""
        return self._hive.cells.location(self._offset)

    @property
    def type_name(self) -> str:
        """Type, such as ``REG_DWORD``; unknown ones as ``0x0000000c``."""
        return type_name(self.type)

    @property
    def origin(self) -> str:
        """Where it was read: ``primary`` (the hive file), or ``log`` when that does not hold it, or not like this."""
        replayed = self._hive.replayed
        if replayed is None or replayed.stale:
            return "primary"
        from vdiskkit.registry.origin import value_origin

        return value_origin(self._hive, replayed, self._offset).value

    @property
    def raw(self) -> bytes:
        """The data as stored.

        Raises:
            CorruptStructureError: The data is not where the value says.
            ReadLimitError: The data is longer than the hive's limits allow.
        """
        if self._raw is None:
            self._raw = self._read()
        return self._raw

    @property
    def data(self) -> RegistryData:
        """The data decoded strictly by type; bytes where it does not fit the type, see :attr:`problem`."""
        return self._decode()[0]

    @property
    def problem(self) -> str | None:
        """What is odd about the data, None when nothing is."""
        return self._decode()[1]

    def _decode(self) -> tuple[RegistryData, str | None]:
        if self._decoded is None:
            self._decoded = decode(self.type, self.raw)
        return self._decoded

    def _read(self) -> bytes:
        size, hive = self.size, self._hive
        if not size:
            return b""
        if size > hive.limits.value_size:
            raise ReadLimitError(
                f"the value {self.name!r} has {size} bytes of data, the limit is {hive.limits.value_size}",
                location=self.location,
                hint="open the hive with a higher limit if that is what it should hold",
            )
        if size > _SHARED and hive.data_owners.setdefault(self._where, self._offset) != self._offset:
            raise self._corrupt(f"its {size} bytes of data are those of another value, too")
        if size > _SEGMENT and hive.base_block.minor > 3:
            return self._read_big_data()
        return hive.cells.read(self._where, size, size, f"the data of value {self.name!r} ({size} bytes)")

    def _read_big_data(self) -> bytes:
        cells, size = self._hive.cells, self.size
        what = f"the big data of value {self.name!r} ({size} bytes)"
        signature, count, table = _BIG_DATA.unpack(cells.read(self._where, _BIG_DATA.size, _BIG_DATA.size, what))
        wanted = -(-size // _SEGMENT)
        if signature != b"db":
            raise self._corrupt(f"{size} bytes of data need a big data record, and there is none")
        if count != wanted:
            raise self._corrupt(f"its big data record has {count} segments where {size} bytes need {wanted}")
        offsets = struct.unpack(f"<{count}I", cells.read(table, 4 * count, 4 * count, f"the segment list of {what}"))
        parts = []
        for offset in offsets:
            length = min(size, _SEGMENT)
            parts.append(cells.read(offset, length, length, f"a segment of {what}"))
            size -= length
        return b"".join(parts)

    def _corrupt(self, why: str) -> CorruptStructureError:
        name = f" {self.name!r}" if hasattr(self, "name") else ""
        return CorruptStructureError(f"the value{name} is damaged: {why}", location=self.location)


def read_values(
    hive: Hive, list_offset: int, count: int, on_error: Callable[[FormatError], None] | None = None
) -> Iterator[RegistryValue]:
    """Yield the values of a value list.

    Args:
        hive: The hive.
        list_offset: Offset of the value list's cell.
        count: How many values the key says that it has.
        on_error: Called for a damaged list or value, which is then left out; by default the error is raised.
    """
    try:
        raw = _value_list(hive, list_offset, count)
    except FormatError as exc:
        report_error(exc, on_error)
        return
    seen, again = CellSet(hive.cells.hive_bins_size), 0
    for (offset,) in _OFFSET.iter_unpack(raw):
        if not seen.add(offset):
            again += 1
            continue
        try:
            value = RegistryValue(hive, offset)
        except FormatError as exc:
            report_error(exc, on_error)
        else:
            yield value
    if again:
        report_error(
            CorruptStructureError(
                f"of the {count} values in a list {again} are there before",
                location=hive.cells.location(list_offset),
            ),
            on_error,
        )


def _value_list(hive: Hive, list_offset: int, count: int) -> bytes:
    """Return a value list: the offset of each value in four bytes."""
    if not count:
        return b""
    limit = hive.limits.values
    if limit is not None and count > limit:
        raise ReadLimitError(
            f"the key has {count} values, the limit is {limit}",
            location=hive.cells.location(list_offset),
            hint="open the hive with a higher limit, or with none",
        )
    possible = values_possible(hive.cells.hive_bins_size)
    if count > possible:
        raise CorruptStructureError(
            f"the key says that it has {count} values, and a hive of this size has room for {possible} at most",
            location=hive.cells.location(list_offset),
            hint="the hive is damaged: restore it, or let Windows repair it by loading it",
        )
    return hive.cells.read(list_offset, 4 * count, 4 * count, f"the list of {count} values")


def find_value(hive: Hive, list_offset: int, count: int, name: str) -> RegistryValue | None:
    """Return the value of that name; None when there is none."""
    folded = upcase(name)
    for value in read_values(hive, list_offset, count):
        if value.name == name or upcase(value.name) == folded:
            return value
    return None

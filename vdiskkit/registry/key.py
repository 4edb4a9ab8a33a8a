"""Registry keys as users see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.errors import CorruptStructureError, FormatError
from vdiskkit.registry.cells import report_error
from vdiskkit.registry.filetime import filetime_to_datetime
from vdiskkit.registry.key_node import FLAG_LINK, KeyNode, read_key_node
from vdiskkit.registry.room import CellSet
from vdiskkit.registry.subkeys import find_subkey, subkey_offsets
from vdiskkit.registry.value import RegistryValue, find_value, read_values
from vdiskkit.registry.value_types import REG_LINK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from vdiskkit.location import Location
    from vdiskkit.registry.hive import Hive

__all__ = ["RegistryKey"]


class RegistryKey:
    r"""One key. Nothing below it is read before it is asked for.

    Attributes:
        hive: The hive it lies in.
        name: Name as stored.
        path: Names from the hive's root down to this key, joined by ``\``; empty for the root itself.
        flags: Flags as stored.
        subkey_count: Number of subkeys.
        value_count: Number of values.
    """

    __slots__ = ("_node", "_strayed", "flags", "hive", "name", "path", "subkey_count", "value_count")

    def __init__(self, hive: Hive, node: KeyNode, path: str, *, strayed: str | None = None) -> None:
        self.hive = hive
        self._node = node
        # The first key on the way here that names another parent than the key that lists it.
        self._strayed = strayed
        self.name = node.name
        self.path = path
        self.flags = node.flags
        self.subkey_count = node.subkey_count
        self.value_count = node.value_count

    def __repr__(self) -> str:
        return f"<RegistryKey {self.path!r}>"

    @property
    def offset(self) -> int:
        """Offset of the key's cell from the start of the hive bins; it identifies the key in its hive."""
        return self._node.offset

    @property
    def location(self) -> Location:
        """Address of the key's cell in the hive file."""
        return self.hive.cells.location(self._node.offset)

    @property
    def origin(self) -> str:
        """Where the key's own record was read: ``primary``, or ``log`` when a replayed log made it what it is."""
        replayed = self.hive.replayed
        if replayed is None or replayed.stale:
            return "primary"
        from vdiskkit.registry.origin import key_origin

        return key_origin(self.hive, replayed, self._node.offset).value

    @property
    def last_written(self) -> datetime | None:
        """When the key was last written, in UTC; None when no time is stored."""
        return filetime_to_datetime(self._node.written)

    @property
    def class_name(self) -> str:
        """The class name, empty for nearly every key.

        Raises:
            CorruptStructureError: It does not lie where the key says.
        """
        length = self._node.class_length
        if not length:
            return ""
        raw = self.hive.cells.read(self._node.class_offset, length, length, f"the class name of key {self.name!r}")
        return raw[: length & ~1].decode("utf-16-le", "surrogatepass")

    @property
    def is_link(self) -> bool:
        """Whether the key is a symbolic link; it is read as a key all the same."""
        return bool(self.flags & FLAG_LINK)

    @property
    def link_target(self) -> str | None:
        r"""Where a symbolic link leads, such as ``\Registry\Machine\SOFTWARE\Classes``; None for other keys."""
        value = self.value("SymbolicLinkValue") if self.is_link else None
        if value is None or value.type != REG_LINK or not isinstance(value.data, str):
            return None
        return value.data

    def subkeys(self, *, on_error: Callable[[FormatError], None] | None = None) -> Iterator[RegistryKey]:
        """Yield the subkeys in the order of the hive.

        Args:
            on_error: Called for each damaged list or subkey, which is then left out; by default the error is raised.

        Raises:
            CorruptStructureError: A subkey list or a subkey is damaged.
            ReadLimitError: There are more subkeys than the caller's limits allow.
        """
        hive = self.hive
        seen, again = CellSet(hive.cells.hive_bins_size), 0
        offsets = subkey_offsets(hive.cells, self._node, hive.limits.subkeys)
        for offset in _until_error(offsets, on_error):
            if not seen.add(offset):
                again += 1
                continue
            try:
                node = read_key_node(hive.cells, offset, "a subkey")
            except FormatError as exc:
                report_error(exc, on_error)
            else:
                yield RegistryKey(hive, node, self._path_of(node.name))
        if again:
            report_error(
                CorruptStructureError(
                    f"of the {self.subkey_count} subkeys of {self.name!r} {again} are listed in two places",
                    location=self.location,
                ),
                on_error,
            )

    def subkey(self, name: str) -> RegistryKey | None:
        r"""Return the subkey of that name, whatever its case; None when there is none. ``\`` does not separate here."""
        node = find_subkey(self.hive.cells, self._node, name, self.hive.limits.subkeys)
        if node is None:
            self._check_way()
            return None
        path = self._path_of(node.name)
        strayed = path if self._strayed is None and node.parent != self._node.offset else self._strayed
        return RegistryKey(self.hive, node, path, strayed=strayed)

    def find(self, path: str) -> RegistryKey | None:
        r"""Return the key at ``path`` below this one, names joined by ``\``; None when there is none."""
        key: RegistryKey | None = self
        for name in path.split("\\"):
            if name and key is not None:
                key = key.subkey(name)
        return key

    def values(self, *, on_error: Callable[[FormatError], None] | None = None) -> Iterator[RegistryValue]:
        """Yield the values in the order of the hive; their data is read at first use.

        Args:
            on_error: Called for each damaged list or value, which is then left out; by default the error is raised.

        Raises:
            CorruptStructureError: The value list or a value is damaged.
            ReadLimitError: There are more values than the caller's limits allow.
        """
        return read_values(self.hive, self._node.value_list, self.value_count, on_error)

    def value(self, name: str) -> RegistryValue | None:
        """Return the value of that name, whatever its case, ``""`` for the default value; None when there is none."""
        found = find_value(self.hive, self._node.value_list, self.value_count, name)
        if found is None:
            self._check_way()
        return found

    def _check_way(self) -> None:
        """Refuse to say that something is not here when this may be another key than the one that was looked for."""
        if self._strayed is not None:
            raise CorruptStructureError(
                f"what is not found in {self.path!r} may be elsewhere: the key {self._strayed!r} names another key as "
                "its parent than the one that lists it",
                location=self.location,
                hint="the hive is damaged: restore it, or let Windows repair it by loading it",
            )

    def _path_of(self, name: str) -> str:
        return f"{self.path}\\{name}" if self.path else name


def _until_error(offsets: Iterator[int], on_error: Callable[[FormatError], None] | None) -> Iterator[int]:
    """Yield offsets up to the first error, which is reported."""
    while True:
        try:
            offset = next(offsets, None)
        except FormatError as exc:
            report_error(exc, on_error)
            return
        if offset is None:
            return
        yield offset

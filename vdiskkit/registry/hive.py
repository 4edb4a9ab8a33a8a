"""A registry hive, read lazily where it lies.

Keys, values and lists are decoded here with :mod:`struct`. dissect.regf reads the same records and serves as second
opinion (:mod:`vdiskkit.registry.dissect_view`), but not on this path: compiling its structure definitions costs 20 ms
at start, a key node takes it 9 µs instead of 0.3 µs, it trusts every offset and size in the file, and its look-up by
name would have to be replaced in any case.

Follows Maxim Suhanov's "Windows registry file format specification".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import CorruptStructureError, FormatError, KeyMissingError, ReadLimitError
from vdiskkit.registry.base_block import CHECKED_SIZE, BaseBlock, parse_base_block
from vdiskkit.registry.cells import CellReader, report_error
from vdiskkit.registry.key import RegistryKey
from vdiskkit.registry.key_node import read_key_node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location
    from vdiskkit.registry.facts import HiveFacts

__all__ = ["DEFAULT_LIMITS", "Hive", "HiveLimits"]


class HiveLimits(NamedTuple):
    """What a hive may ask of its reader; far above any healthy hive.

    Attributes:
        subkeys: Subkeys of one key.
        values: Values of one key.
        value_size: Bytes of data of one value.
        depth: Keys above each other.
    """

    subkeys: int = 70_000
    values: int = 110_000
    value_size: int = 8 * 1024 * 1024
    depth: int = 512


DEFAULT_LIMITS = HiveLimits()

_ERRORS_MAX = 10_000
"""Errors that a walk reports before it gives up: lists that share keys could otherwise be gone through without end."""


class Hive:
    """One hive.

    A dirty hive is opened and read as it is; ask :attr:`base_block`.

    Args:
        source: The hive file.
        name: Short name, such as ``SOFTWARE``.
        limits: What the hive may ask of its reader.

    Raises:
        UnknownFormatError: The file is no hive.
        UnsupportedFeatureError: A hive version that is not read here.
        CorruptStructureError: Its base block cannot describe it.
    """

    def __init__(self, source: ByteSource, name: str = "", limits: HiveLimits = DEFAULT_LIMITS) -> None:
        self.source = source
        self.name = name
        self.limits = limits
        block = source.read_at(0, min(source.size, CHECKED_SIZE))
        self.base_block: BaseBlock = parse_base_block(block, source.size, source.location)
        self.cells = CellReader(source, self.base_block.hive_bins_size)
        self._root: RegistryKey | None = None

    def __repr__(self) -> str:
        return f"<Hive {self.name!r}>"

    @property
    def location(self) -> Location:
        """Address of the hive file."""
        return self.source.location

    @property
    def root(self) -> RegistryKey:
        """The root key.

        Raises:
            CorruptStructureError: It cannot be read.
        """
        if self._root is None:
            self._root = RegistryKey(self, read_key_node(self.cells, self.base_block.root_cell, "the root key"), "")
        return self._root

    def find(self, path: str) -> RegistryKey | None:
        r"""Return the key at ``path``, names joined by ``\``, whatever their case; None when there is none.

        A key that is a symbolic link is a key like any other here, see :attr:`RegistryKey.link_target`.

        Raises:
            FormatError: The hive is damaged on the way.
        """
        return self.root.find(path)

    def key(self, path: str) -> RegistryKey:
        """Return the key at ``path``.

        Raises:
            KeyMissingError: There is no such key.
            FormatError: The hive is damaged on the way.
        """
        key = self.find(path)
        if key is None:
            raise KeyMissingError(f"there is no key {path!r} in the hive {self.name or 'file'}", location=self.location)
        return key

    def walk(
        self,
        start: RegistryKey | None = None,
        *,
        depth: int | None = None,
        on_error: Callable[[FormatError], None] | None = None,
    ) -> Iterator[RegistryKey]:
        """Yield a key and all keys below it, parents first, in the order of the hive.

        Args:
            start: Where to begin; the root by default.
            depth: How many levels below ``start`` to go; None for all.
            on_error: Called for each damaged subtree, which is then left out; by default the error is raised.

        Raises:
            FormatError: The hive is damaged; among others, when a key contains itself or stands in two lists.
            ReadLimitError: There were too many errors.
        """
        deepest = self.limits.depth if depth is None else min(depth, self.limits.depth)
        on_error = self._counted(on_error)
        try:
            first = start or self.root
        except FormatError as exc:
            report_error(exc, on_error)
            return
        seen: set[int] = set()
        stack: list[Iterator[RegistryKey]] = [iter((first,))]
        while stack:
            key = next(stack[-1], None)
            if key is None:
                stack.pop()
            elif key.offset in seen:
                report_error(
                    CorruptStructureError(
                        f"the key {key.path!r} is listed in two places: the tree would never end",
                        location=key.location,
                    ),
                    on_error,
                )
            else:
                seen.add(key.offset)
                yield key
                if len(stack) <= deepest:
                    stack.append(key.subkeys(on_error=on_error))
                elif depth is None and key.subkey_count:
                    report_error(self._too_deep(key), on_error)

    def _counted(self, on_error: Callable[[FormatError], None] | None) -> Callable[[FormatError], None] | None:
        if on_error is None:
            return None
        left = _ERRORS_MAX

        def report(error: FormatError) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise ReadLimitError(
                    f"the hive is too damaged to go on: more than {_ERRORS_MAX} errors", location=self.location
                )
            on_error(error)

        return report

    def _too_deep(self, key: RegistryKey) -> CorruptStructureError:
        return CorruptStructureError(f"keys are nested more than {self.limits.depth} deep", location=key.location)

    def facts(self) -> HiveFacts:
        """Return what the base block says, as facts."""
        from vdiskkit.registry.facts import HiveFacts

        block = self.base_block
        return HiveFacts(
            name=self.name,
            dirty=block.dirty,
            dirty_reason=block.dirty_reason or None,
            sequence_1=block.sequence_1,
            sequence_2=block.sequence_2,
            checksum_ok=block.checksum_ok,
            version=block.version,
            file_name=block.file_name,
            last_written=block.last_written,
            hive_bins_size=block.hive_bins_size,
            file_size=self.source.size,
            ktm_pending=block.ktm_pending,
        )

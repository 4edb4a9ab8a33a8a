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
from vdiskkit.registry.base_block import CHECKED_SIZE, BaseBlock, checksum, parse_base_block
from vdiskkit.registry.cells import CellReader, report_error
from vdiskkit.registry.key import RegistryKey
from vdiskkit.registry.key_node import FLAG_ROOT, KeyNode, read_key_node
from vdiskkit.registry.room import CellSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location
    from vdiskkit.registry.facts import HiveFacts
    from vdiskkit.registry.replay import Replayed

    LogFiles = Callable[[], Sequence[tuple[str, ByteSource]]]

__all__ = ["DEFAULT_LIMITS", "LOG_ENDINGS", "Hive", "HiveLimits"]

LOG_ENDINGS = (".LOG1", ".LOG2", ".LOG")
"""What the names of the transaction logs beside a hive add to its name, in the order in which they are tried."""


class HiveLimits(NamedTuple):
    """What a hive may ask of its reader.

    Attributes:
        subkeys: Subkeys of one key; None for as many as the hive has room for.
        values: Values of one key; None likewise.
        value_size: Bytes of data of one value, which are held in memory several times while they are decoded and
            shown. It says nothing about the hive: longer data is not damaged, only not read.
        depth: Keys above each other; Windows makes no more.
    """

    subkeys: int | None = None
    values: int | None = None
    value_size: int = 8 * 1024 * 1024
    depth: int = 512


DEFAULT_LIMITS = HiveLimits()

_ERRORS_MAX = 10_000
"""Errors that a walk reports before it gives up: lists that share keys could otherwise be gone through without end."""


class Hive:
    """One hive.

    The logs of a dirty hive are replayed in memory, so that it is read as Windows would see it. Where that cannot be
    done, or no logs are given, it is read as it is: see :attr:`stale`.

    Args:
        source: The hive file.
        name: Short name, such as ``SOFTWARE``.
        limits: What the hive may ask of its reader.
        logs: Returns name and content of the log files that lie beside the hive; only asked when the hive is dirty.

    Attributes:
        source: What is read: the hive file, or the same with its logs replayed.
        file_size: Length of the hive file itself in bytes.
        replayed: What became of the logs; None for a clean hive, and for a dirty one without ``logs``.
        primary_block: Base block of the file itself; None when it was damaged and a copy in a log took its place.
        base_block: Base block of what is read.
        data_owners: Which value each large data cell belongs to, by the offsets of both; filled as values are read.

    Raises:
        UnknownFormatError: The file is no hive.
        UnsupportedFeatureError: A hive version that is not read here.
        CorruptStructureError: Its base block cannot describe it.
    """

    def __init__(
        self,
        source: ByteSource,
        name: str = "",
        limits: HiveLimits = DEFAULT_LIMITS,
        logs: LogFiles | None = None,
    ) -> None:
        self.source = source
        self.file_size = source.size
        self.name = name
        self.limits = limits
        self.replayed: Replayed | None = None
        self.data_owners: dict[int, int] = {}
        self.primary_block: BaseBlock | None = None
        self._damage: FormatError | None = None
        block = source.read_at(0, min(source.size, CHECKED_SIZE))
        try:
            self.primary_block = parse_base_block(block, source.size, source.location)
        except FormatError as exc:
            # With the right checksum it says what it should say: there is nothing to recover.
            if logs is None or len(block) < CHECKED_SIZE or checksum(block) == int.from_bytes(block[508:], "little"):
                raise
            self._damage = exc
        if logs is not None and (self.primary_block is None or self.primary_block.dirty):
            self.replayed = self._replay(logs)
            self.source = self.replayed.source
        if self._damage is not None and self.stale:
            if self.replayed is not None:
                self._damage.hint = (
                    f"take the hive from a backup; the logs beside it do not help: {self.replayed.reason}"
                )
            raise self._damage
        if self.primary_block is None or self.source is not source:
            block = self.source.read_at(0, CHECKED_SIZE)
            self.base_block: BaseBlock = parse_base_block(block, self.source.size, self.source.location)
        else:
            self.base_block = self.primary_block
        self.cells = CellReader(self.source, self.base_block.hive_bins_size)
        self._root: RegistryKey | None = None

    def _replay(self, logs: LogFiles) -> Replayed:
        from vdiskkit.registry.replay import replay_files

        return replay_files(self.source, logs, self.name)

    def __repr__(self) -> str:
        return f"<Hive {self.name!r}>"

    @property
    def location(self) -> Location:
        """Address of the hive file."""
        return self.source.location

    @property
    def dirty(self) -> bool:
        """Whether Windows would replay the transaction logs before it uses the hive."""
        return self.primary_block is None or self.primary_block.dirty

    @property
    def dirty_reason(self) -> str:
        """Why the hive is dirty, empty when it is clean."""
        if self.primary_block is None:
            return self._damage.message if self._damage is not None else ""
        return self.primary_block.dirty_reason

    @property
    def stale(self) -> bool:
        """Whether what is read may be older than what Windows would show: dirty, and no log was replayed."""
        return self.dirty and (self.replayed is None or self.replayed.stale)

    @property
    def root(self) -> RegistryKey:
        """The root key.

        Raises:
            CorruptStructureError: It cannot be read.
        """
        if self._root is None:
            node = read_key_node(self.cells, self.base_block.root_cell, "the root key")
            if not node.flags & FLAG_ROOT and self._has_parent(node):
                raise CorruptStructureError(
                    f"the base block calls the key {node.name!r} the root, but it is a subkey: the hive would read as "
                    "if nearly all of it were not there",
                    location=self.cells.location(node.offset),
                    hint="the hive is damaged: restore it, or let Windows repair it by loading it",
                )
            self._root = RegistryKey(self, node, "")
        return self._root

    def _has_parent(self, node: KeyNode) -> bool:
        """Whether the key that a key names as its parent is one, and not the key itself."""
        if node.parent == node.offset:
            return False
        try:
            read_key_node(self.cells, node.parent, "the parent of the root key")
        except FormatError as exc:
            if isinstance(exc, ReadLimitError):
                raise
            return False
        return True

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
        seen = CellSet(self.cells.hive_bins_size)
        stack: list[Iterator[RegistryKey]] = [iter((first,))]
        while stack:
            key = next(stack[-1], None)
            if key is None:
                stack.pop()
            elif not seen.add(key.offset):
                report_error(
                    CorruptStructureError(
                        f"the key {key.path!r} is listed in two places: the tree would never end",
                        location=key.location,
                    ),
                    on_error,
                )
            else:
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

    def facts(self, *, walk: bool = False) -> HiveFacts:
        """Return what the base block says, and what became of the logs, as facts.

        Args:
            walk: Also walk through all of the hive, which reads it whole, and tell what does not hold.
        """
        from vdiskkit.registry.facts import hive_facts

        return hive_facts(self, walk=walk)

"""The names of a file: its $FILE_NAME attributes and the entries in the indexes of their directories."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import WriteRefusedError
from vdiskkit.ntfs.attributes import parse_file_name
from vdiskkit.ntfs.file import DOS_NAMESPACE
from vdiskkit.ntfs.record import FILE_NAME
from vdiskkit.patch.ntfs.blocks import IndexBlocks
from vdiskkit.patch.ntfs.order import compare_keys
from vdiskkit.patch.ntfs.surgery import value_offset
from vdiskkit.patch.ntfs.tree import IndexTree
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from vdiskkit.ntfs.attributes import FileName
    from vdiskkit.ntfs.collation import Collation
    from vdiskkit.patch.ntfs.records import FileRecords, HeldAttribute, RecordStore
    from vdiskkit.patch.ntfs.space import ClusterSpace
    from vdiskkit.patch.ntfs.tree import Step

__all__ = ["NAMESPACES", "HeldName", "Trees", "check_entries", "link_names", "names_of", "refresh_sizes"]

NAMESPACES = {0: "POSIX", 1: "Win32", 2: "DOS", 3: "Win32 and DOS"}
_SIZES_AT = 40  # allocated and data size in a $FILE_NAME
_ENTRY_HEADER = 16
_WIN32 = 1


class HeldName(NamedTuple):
    """One $FILE_NAME: the attribute with its place, and what it says."""

    held: HeldAttribute
    name: FileName

    @property
    def key(self) -> bytes:
        """The value, which is also the key in the index."""
        return self.held.attribute.value


def names_of(store: RecordStore, records: FileRecords) -> list[HeldName]:
    """Return all names of a file.

    Raises:
        CorruptStructureError: A name is damaged.
    """
    return [
        HeldName(held, parse_file_name(held.attribute.value, store.where(held.record)))
        for held in records.of_type(FILE_NAME)
    ]


def link_names(names: list[HeldName], chosen: HeldName) -> list[HeldName]:
    """Return the names of one hard link: a Win32 name and its DOS name belong together."""
    pair = {_WIN32, DOS_NAMESPACE}
    if chosen.name.namespace not in pair:
        return [chosen]
    return [one for one in names if one.name.namespace in pair and one.name.parent == chosen.name.parent]


class Trees:
    """The indexes that one change touches, each opened once and written once.

    Args:
        store: The records of the volume.
        space: Its clusters.
        collation: The order of names.
    """

    def __init__(self, store: RecordStore, space: ClusterSpace, collation: Collation) -> None:
        self._store = store
        self._space = space
        self._collation = collation
        self._trees: dict[tuple[int, str], IndexTree] = {}

    def tree(self, number: int, name: str = "$I30") -> IndexTree:
        """Return the index of a record.

        Raises:
            CorruptStructureError: There is none, or it is damaged.
        """
        tree = self._trees.get((number, name))
        if tree is None:
            where = self._store.where(number).at("index", name)
            blocks = IndexBlocks(self._store, self._space, number, name, where)
            tree = self._trees[number, name] = IndexTree(blocks, compare_keys(blocks, self._collation))
        return tree

    def find(self, number: int, sequence: int, name: HeldName) -> list[Step]:
        """Return the way to the index entry of a name of file ``number``.

        Raises:
            WriteRefusedError: The directory has no such entry, or it is another file's.
            CorruptStructureError: The index is damaged.
        """
        parent = name.name.parent
        directory = self._store.parsed(parent.number)
        where = self._store.where(parent.number)
        if not directory.in_use or not directory.is_directory or directory.sequence != parent.sequence:
            raise WriteRefusedError(
                f"the name {name.name.name} says it is in MFT record {parent.number}, which is another one now",
                location=where,
                hint="run chkdsk on the volume",
            )
        path = self.tree(parent.number).find(name.key)
        entry = path[-1].entry if path else None
        same = entry is not None and (
            entry.reference == number | sequence << 48
            and entry.key[:8] == name.key[:8]
            and entry.key[64:] == name.key[64:]
        )
        if path is None or not same:
            raise WriteRefusedError(
                f"the directory's index has no entry for {name.name.name} of MFT record {number}",
                location=where,
                hint="run chkdsk on the volume",
            )
        return path

    def flush(self) -> dict[str, int]:
        """Write all indexes; return which cases of the surgery ran, and how often."""
        cases: dict[str, int] = {}
        for tree in self._trees.values():
            if tree.changed:
                tree.flush()
            for case, times in tree.cases.items():
                cases[case] = cases.get(case, 0) + times
        return cases

    @property
    def directories(self) -> tuple[int, ...]:
        """The records whose indexes were changed."""
        return tuple(sorted({number for (number, _), tree in self._trees.items() if tree.changed}))


def check_entries(store: RecordStore, trees: Trees, records: FileRecords) -> None:
    """Check that every name of a file has its entry in its directory.

    Raises:
        WriteRefusedError: A name has no entry in its directory.
        CorruptStructureError: An index is damaged.
    """
    for name in names_of(store, records):
        trees.find(records.number, records.record.sequence, name)


def refresh_sizes(store: RecordStore, trees: Trees, records: FileRecords, allocated: int, size: int) -> tuple[str, ...]:
    """Put the sizes of the content into every $FILE_NAME and into its copy in the directory's index.

    The indexes are written by :meth:`Trees.flush`.

    Returns:
        The names that were refreshed.

    Raises:
        WriteRefusedError: A name has no entry in its directory.
        CorruptStructureError: An index is damaged.
    """
    names = names_of(store, records)
    for name in names:
        path = trees.find(records.number, records.record.sequence, name)
        body = bytearray(path[-1].entry.body)
        struct.pack_into("<QQ", body, _ENTRY_HEADER + _SIZES_AT, allocated, size)
        trees.tree(name.name.parent.number).update(path, bytes(body))
    for number in sorted({name.held.record for name in names}):
        record = store.load(number)
        for name in names:
            if name.held.record == number:
                start = value_offset(record, name.held.offset) + _SIZES_AT
                struct.pack_into("<QQ", record, start, allocated, size)
        store.store(number, record, Phase.LINK)
    return tuple(name.name.name for name in names)

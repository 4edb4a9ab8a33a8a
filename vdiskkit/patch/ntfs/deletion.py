"""Deleting a file from a volume: every trace that a consistent volume must lose, in an order that is sane by itself.

Everything is read and checked first; then names leave the indexes, records are freed (extension records before the
base record), and last of all the bitmaps, because what is freed but still referenced is the only dangerous half state.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import FileMissingError, WriteRefusedError
from vdiskkit.ntfs.file import DOS_NAMESPACE
from vdiskkit.ntfs.record import INDEX_ROOT, REPARSE_POINT
from vdiskkit.patch.ntfs.attributelist import remove_attributes
from vdiskkit.patch.ntfs.content import AttributeContent
from vdiskkit.patch.ntfs.freerecords import RecordSpace
from vdiskkit.patch.ntfs.mapping import extents
from vdiskkit.patch.ntfs.names import NAMESPACES, Trees, link_names, names_of
from vdiskkit.patch.ntfs.records import FileRecords
from vdiskkit.patch.ntfs.times import stamp
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdiskkit.ntfs import NtfsFile, NtfsVolume
    from vdiskkit.ntfs.record import FileReference
    from vdiskkit.ntfs.runs import Run
    from vdiskkit.patch.ntfs.names import HeldName
    from vdiskkit.patch.ntfs.records import RecordStore
    from vdiskkit.patch.ntfs.space import ClusterSpace

__all__ = ["DeletedFile", "Deletion"]

_OBJECT_ID = 0x40
_ROOT = 5
_FIRST_USER_RECORD = 24
_LINKS_AT = 18
_EXTEND = "$EXTEND"


class DeletedFile(NamedTuple):
    """What a deletion did.

    Attributes:
        path: The file, as it was found.
        names: (path, namespace) of every name that is gone.
        record: Its base record.
        records: Records that were freed, the base last. While other hard links remain it is not among them, only
            extension records that held nothing but the names.
        links: Hard links that remain, DOS names not counted.
        extents: (offset, length) in bytes of the volume of every range of clusters that was freed.
        directories: Records whose indexes were changed.
        cases: Which cases of the index surgery ran, and how often.
    """

    path: str
    names: tuple[tuple[str, str], ...]
    record: int
    records: tuple[int, ...]
    links: int
    extents: tuple[tuple[int, int], ...]
    directories: tuple[int, ...]
    cases: dict[str, int]

    @property
    def freed_bytes(self) -> int:
        """Bytes of clusters that were freed."""
        return sum(length for _, length in self.extents)


class Deletion:
    """One deletion, checked when it is made and done by :meth:`run`.

    Args:
        volume: A fresh reader of the volume.
        store: Its records.
        space: Its clusters.
        path: The file; a link at its end is not followed.
        all_links: Delete all hard links, or only the one that the path names.
        now: The time that the directories are given as that of their last change, as FILETIME; None leaves it.

    Raises:
        FileMissingError: There is no such file.
        WriteRefusedError: It must not be deleted, or not safely.
        CorruptStructureError: What belongs to it is damaged.
    """

    def __init__(
        self,
        volume: NtfsVolume,
        store: RecordStore,
        space: ClusterSpace,
        path: str,
        *,
        all_links: bool,
        now: int | None = None,
    ) -> None:
        self._volume = volume
        self._store = store
        self._space = space
        self._now = now
        file = volume.lookup(path, follow=False)
        _refuse(volume, file)
        self._file = file
        self._records = FileRecords(store, file.record_number)
        if self._records.of_type(INDEX_ROOT):
            raise WriteRefusedError(f"{file.path} holds an index: it is part of NTFS", location=file.location)
        self._all_names = names_of(store, self._records)
        if self._records.record.link_count != len(self._all_names):
            raise WriteRefusedError(
                f"{file.path} counts {self._records.record.link_count} names and has {len(self._all_names)}",
                location=file.location,
                hint="run chkdsk on the volume",
            )
        self._names = self._all_names if all_links else link_names(self._all_names, self._asked())
        self._last = len(self._names) == len(self._all_names)
        self._owned = self._clusters() if self._last else []
        self._record_space = self._open_record_space()
        self._trees = Trees(store, space, volume.collation)
        self._removed = self._take_names()
        self._views = self._take_from_views() if self._last else ()

    def run(self) -> DeletedFile:
        """Write the change."""
        cases = self._trees.flush()
        if self._now is not None:
            for number in {name.name.parent.number for name in self._names}:
                stamp(self._store, number, self._now)
        freed: tuple[int, ...] = ()
        if self._last:
            freed = (*self._records.extensions, self._records.number)
            for number in freed:
                self._store.free(number)
        else:
            freed = remove_attributes(self._store, self._records, [name.held for name in self._names])
            record = self._store.load(self._records.number)
            links = struct.unpack_from("<H", record, _LINKS_AT)[0]
            struct.pack_into("<H", record, _LINKS_AT, links - len(self._names))
            self._store.store(self._records.number, record, Phase.LINK)
        self._record_space.release(freed)
        self._space.release(self._owned)
        size = self._store.boot.cluster_size
        left = [name for name in self._all_names if name not in self._names]
        return DeletedFile(
            self._file.path,
            self._removed,
            self._records.number,
            freed,
            sum(name.name.namespace != DOS_NAMESPACE for name in left),
            tuple((first * size, count * size) for first, count in self._owned),
            self._trees.directories,
            cases,
        )

    # -- checks -------------------------------------------------------------------------------------------------

    def _asked(self) -> HeldName:
        folder = self._file.path.rpartition("\\")[0] or "\\"
        parent = self._volume.lookup(folder).record_number
        for name in self._all_names:
            if name.name.parent.number == parent and name.name.name == self._file.name:
                return name
        raise FileMissingError(f"{self._file.path} has no such name any more", location=self._file.location)

    def _clusters(self) -> list[tuple[int, int]]:
        streams = {(held.attribute.type, held.attribute.name) for held in self._records.attributes}
        runs: list[Run] = []
        for kind, name in streams:
            parts = self._records.find(kind, name)
            if not all(held.attribute.resident for held in parts):  # each hard link has a name of its own
                runs += AttributeContent(self._store, parts).runs  # which checks that no part is missing
        _refuse_double(runs, self._file)
        owned = extents(runs)
        self._space.check_owned(owned, self._file.path)
        return owned

    def _open_record_space(self) -> RecordSpace:
        space = RecordSpace(self._store)
        for number in (*self._records.extensions, self._records.number):
            if not space.is_used(number):
                raise WriteRefusedError(
                    f"MFT record {number} of {self._file.path} is in use, but free in the bitmap of $MFT",
                    location=self._store.where(number),
                    hint="run chkdsk on the volume",
                )
        return space

    def _take_names(self) -> tuple[tuple[str, str], ...]:
        number, sequence = self._records.number, self._records.record.sequence
        gone = []
        for name in self._names:
            path = self._trees.find(number, sequence, name)
            self._trees.tree(name.name.parent.number).remove(path)
            folder = _folder(self._volume, name.name.parent)
            kind = NAMESPACES.get(name.name.namespace, str(name.name.namespace))
            gone.append((f"{folder}\\{name.name.name}" if folder else name.name.name, kind))
        return tuple(gone)

    def _take_from_views(self) -> tuple[str, ...]:
        taken = []
        for held in self._records.of_type(_OBJECT_ID):
            key = held.attribute.value[:16]
            if len(key) == 16 and self._take_from_view("$Extend\\$ObjId", "$O", key, 1):
                taken.append("$ObjId")
        for _ in self._records.find(REPARSE_POINT):
            content = AttributeContent.of(self._store, self._records, REPARSE_POINT)
            tag = content.read(0, 4) if content is not None and content.size >= 4 else b""
            reference = self._records.number | self._records.record.sequence << 48
            key = tag + struct.pack("<Q", reference)
            if tag and self._take_from_view("$Extend\\$Reparse", "$R", key, 0):
                taken.append("$Reparse")
        return tuple(taken)

    def _take_from_view(self, path: str, index: str, key: bytes, check: int) -> bool:
        """Remove a key from a view index; one that is not there leaves nothing behind either."""
        view = self._volume.find(path, follow=False)
        if view is None:
            return False
        tree = self._trees.tree(view.record_number, index)
        way = tree.find(key)
        if way is None:
            return False
        if check:
            entry = way[-1].entry
            at = struct.unpack_from("<H", entry.body)[0]
            reference = struct.unpack_from("<Q", entry.body.ljust(at + 8, b"\0"), at)[0]
            if reference != self._records.number | self._records.record.sequence << 48:
                return False  # the object id is another file's
        tree.remove(way)
        return True


def _refuse(volume: NtfsVolume, file: NtfsFile) -> None:
    where = file.location
    if file.stream:
        raise WriteRefusedError(f"{file.path}:{file.stream} is a stream; only whole files are deleted", location=where)
    if file.is_directory:
        raise WriteRefusedError(f"{file.path} is a directory; only files are deleted", location=where)
    inside = [file.path, *volume.paths(file)]
    if file.record_number < _FIRST_USER_RECORD or any(path.upper().split("\\")[0] == _EXTEND for path in inside):
        raise WriteRefusedError(f"{file.path} is part of NTFS itself", location=where)


def _folder(volume: NtfsVolume, reference: FileReference) -> str:
    found = volume.paths(volume.file(reference, ""))
    return found[0].strip("\\") if found else f"MFT record {reference.number}"


def _refuse_double(runs: Sequence[Run], file: NtfsFile) -> None:
    end = 0
    for lcn, clusters in sorted((run.lcn, run.clusters) for run in runs if run.lcn is not None):
        if lcn < end:
            raise WriteRefusedError(
                f"two runs of {file.path} share cluster {lcn:#x}",
                location=file.location,
                hint="the volume is damaged: run chkdsk on it inside Windows",
            )
        end = lcn + clusters

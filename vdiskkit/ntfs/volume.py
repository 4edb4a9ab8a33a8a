r"""An NTFS volume, opened for reading.

Opening reads the boot sector and the first record of $MFT, nothing else; everything further is read when it is asked
for. Look-up, listing and streams parse the raw structures themselves instead of using ``dissect.ntfs``. Reasons:
its import alone costs more than a whole cold look-up may, its classes read sizes and references from the disk without
checking them, and a fault in a volume must end in a message that names it. ``dissect.ntfs`` is the judge in the tests:
it must see the same files, contents and runlists on every healthy volume.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import CorruptStructureError, FileMissingError, FormatError, UnsupportedFeatureError
from vdiskkit.ntfs.attributes import MOUNT_POINT, SYMLINK, parse_file_name
from vdiskkit.ntfs.boot import BOOT_SIZE, parse_boot_sector
from vdiskkit.ntfs.collation import Collation
from vdiskkit.ntfs.file import DOS_NAMESPACE, DirectoryEntry, NtfsFile
from vdiskkit.ntfs.index import NAME as INDEX_NAME
from vdiskkit.ntfs.index import Absence, DirectoryIndex, NodeCache
from vdiskkit.ntfs.mft import Mft
from vdiskkit.ntfs.paths import VolumePath, join_path, link_parts, split_path
from vdiskkit.ntfs.record import DATA, FILE_NAME, INDEX_ROOT, REPARSE_POINT, FileReference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location
    from vdiskkit.ntfs.attributes import FileName
    from vdiskkit.ntfs.boot import BootSector
    from vdiskkit.ntfs.facts import VolumeFacts
    from vdiskkit.ntfs.index import IndexEntry
    from vdiskkit.ntfs.record import MftRecord
    from vdiskkit.ntfs.state import VolumeState

__all__ = ["NtfsVolume", "VolumeNotice"]

MAX_HOPS = 63
"""Links on a way: Windows follows no more reparse points on one path."""
_MAX_NOTICES = 100
"""More notices than a person reads. Each tells of damage, so that a verdict that any of them decides lacks nothing."""
_CACHED_INDEXES = 128
_BATCH = 4096  # names of a listing whose records are read together
_ROOT = 5
_UPCASE = 10


class VolumeNotice(NamedTuple):
    """Something worth telling that did not stop the reading."""

    code: str
    message: str
    location: Location | None


class _LinkLoopError(CorruptStructureError):
    """Links lead in a circle: a fault of who made them, not of the volume's structures."""


class _NamelessError(CorruptStructureError):
    """A name leads to a live file that has no such name."""


class NtfsVolume:
    r"""One NTFS volume.

    Args:
        source: The volume, byte 0 being its boot sector; best with a page cache over it.
        drive_letter: The letter that this volume has in the running Windows. Absolute links to it are followed, those
            to other drives lead to another volume.

    Raises:
        UnknownFormatError: This is no NTFS volume.
        UnsupportedFeatureError: The volume is encrypted by BitLocker.
        CorruptStructureError: The boot sector or the first MFT record is damaged.
    """

    def __init__(self, source: ByteSource, *, drive_letter: str = "C") -> None:
        self.source = source
        self.location = source.location
        self.drive_letter = drive_letter.rstrip(":").upper()
        self._notices: dict[tuple[str, Location | None], VolumeNotice] = {}
        self._indexes: dict[int, DirectoryIndex] = {}
        self._nodes: NodeCache = NodeCache()
        self._state: VolumeState | None = None
        self._free: int | None = None
        if source.size < BOOT_SIZE:
            raise CorruptStructureError(f"a volume of {source.size} bytes is impossible", location=self.location)
        self.boot: BootSector = parse_boot_sector(source.read_at(0, BOOT_SIZE), self.location)
        if self.boot.volume_size > source.size:
            self.notice(
                "ntfs.volume_cut",
                f"the volume has {self.boot.volume_size} bytes, its partition only {source.size}: files at its end "
                "cannot be read",
                self.location,
            )
        self.mft = Mft(source, self.boot, self.location, self.notice)
        self.collation = Collation(self._open_upcase, self.location.at("mft", _UPCASE))

    # -- the volume ---------------------------------------------------------------------------------------------

    @property
    def notices(self) -> tuple[VolumeNotice, ...]:
        """What was worth telling so far, each once."""
        return tuple(self._notices.values())

    def notice(self, code: str, message: str, location: Location | None) -> None:
        """Keep a notice; the same code at the same place is kept once, and 100 at most."""
        if len(self._notices) < _MAX_NOTICES:
            self._notices.setdefault((code, location), VolumeNotice(code, message, location))

    def met(self, fault: CorruptStructureError) -> None:
        """Keep damage that ended a look-up or a reading as a notice: whoever asked may go on without the answer."""
        self.notice("ntfs.damage_met", fault.message, fault.location)

    @property
    def label(self) -> str:
        """The volume label; empty without one."""
        return self.state().label

    def state(self) -> VolumeState:
        """Return flags, version, $LogFile and hibernation state; read once, at the first call."""
        if self._state is None:
            from vdiskkit.ntfs.state import read_state

            self._state = read_state(self)
        return self._state

    def free_bytes(self, *, deep: bool = False) -> int | None:
        """Return the free space in bytes.

        Args:
            deep: Read $Bitmap even when it is larger than 2 MiB (a volume beyond 64 GiB with 4-KiB clusters).

        Returns:
            None when $Bitmap is larger than 2 MiB and ``deep`` was not given.
        """
        if self._free is None:
            from vdiskkit.ntfs.state import count_free_bytes

            self._free = count_free_bytes(self, deep=deep)
        return self._free

    def facts(self, *, deep: bool = False) -> VolumeFacts:
        """Return everything known about the volume; see :meth:`free_bytes` for ``deep``."""
        from vdiskkit.ntfs.facts import volume_facts

        return volume_facts(self, deep=deep)

    # -- files --------------------------------------------------------------------------------------------------

    @property
    def root(self) -> NtfsFile:
        """The root directory."""
        return self._file(self._root_record(), "\\", "")

    def lookup(self, path: str, *, follow: bool = True) -> NtfsFile:
        r"""Find a file or directory.

        Args:
            path: Path in the volume: any case, either slash, drive optional, ``file:stream`` for a named stream.
            follow: Follow the last component too when it is a link. Links before it are always followed.

        Raises:
            FileMissingError: There is no such file or stream: the directory is in order where the name would stand,
                and the files on both sides of that place have the names that the directory gives them.
            CorruptStructureError: The way to it is damaged, so that it is not known whether it is there; the fault is
                added to :attr:`notices`. Or links form a loop.
            UnsupportedFeatureError: A link leads out of this volume.
        """
        wanted = split_path(path)
        try:
            record, parts = self._resolve(wanted, path, follow=follow)
        except _LinkLoopError:
            raise
        except CorruptStructureError as fault:
            self.met(fault)
            raise
        file = self._file(record, join_path(parts), wanted.stream)
        if wanted.stream and not file.has_stream(wanted.stream):
            raise self._missing(path, f"the file has no stream {wanted.stream}")
        return file

    def find(self, path: str, *, follow: bool = True) -> NtfsFile | None:
        """Like :meth:`lookup`, but None for a file that does not exist."""
        try:
            return self.lookup(path, follow=follow)
        except FileMissingError:
            return None

    def file(self, reference: FileReference, path: str, key: FileName | None = None) -> NtfsFile:
        """Return the file that a reference leads to.

        Args:
            reference: Record and sequence number.
            path: The path that it was found under.
            key: The name in the index that the reference comes from; the file must still have it.

        Raises:
            CorruptStructureError: The reference leads to a deleted or reused record; it is added to :attr:`notices`.
        """
        try:
            record = self._referenced(reference, key, path)
        except CorruptStructureError as fault:
            self.met(fault)
            raise
        return self._file(record, path, "")

    def listdir(
        self,
        directory: NtfsFile | str = "\\",
        *,
        verify: bool = True,
        told: Callable[[VolumeNotice], None] | None = None,
    ) -> Iterator[DirectoryEntry]:
        """Yield the files of a directory in the order of NTFS, each hard link once, DOS names folded in.

        Damage does not end the listing: what is healthy is yielded, and each fault is added to :attr:`notices`.

        Args:
            directory: The directory or its path.
            verify: Check that each name leads to a live file of that name; stale names become notices. It reads the
                MFT record of every file.
            told: Called with each notice of this listing, one that :attr:`notices` has already included; the same
                one may come twice.

        Raises:
            FileMissingError: There is no such directory, or it is a file.
            CorruptStructureError: The root of the index is damaged.
        """
        if isinstance(directory, str):
            directory = self.lookup(directory)
        if not directory.is_directory:
            raise FileMissingError(f"{directory.path} is a file, not a directory", location=directory.location)

        def tell(code: str, message: str, location: Location | None) -> None:
            self.notice(code, message, location)
            if told is not None:
                told(VolumeNotice(code, message, location))

        def damaged(fault: FormatError) -> None:
            tell("ntfs.index_damaged", fault.message, fault.location)

        try:
            index = self._index(self.mft.record(directory.record_number), directory.path)
        except CorruptStructureError as fault:
            self.met(fault)
            raise
        # Two walks over blocks that stay in the cache, so that a directory of any size needs little memory.
        short_names = {
            entry.reference: entry.key.name for entry in index.entries(damaged) if entry.key.namespace == DOS_NAMESPACE
        }
        matched: set[FileReference] = set()
        batch: list[IndexEntry] = []
        for entry in index.entries(damaged):
            if entry.key.namespace == DOS_NAMESPACE:
                continue
            if entry.reference in short_names:
                matched.add(entry.reference)
            batch.append(entry)
            if len(batch) == _BATCH:
                yield from self._checked(directory, batch, short_names, tell, verify=verify)
                batch = []
        yield from self._checked(directory, batch, short_names, tell, verify=verify)
        if len(matched) < len(short_names):
            names = index.entries(damaged)
            batch = [one for one in names if one.key.namespace == DOS_NAMESPACE and one.reference not in matched]
            yield from self._checked(directory, batch, {}, tell, verify=verify)

    def directory_path(self, reference: FileReference) -> str:
        """Return the path of a directory by its reference, such as the parent in a file's name.

        Raises:
            CorruptStructureError: The directory or one above it is damaged.
        """
        return join_path(self._ancestors(reference))

    def paths(self, file: NtfsFile) -> tuple[str, ...]:
        """Return the paths of all hard links of a file, DOS names left out.

        A link whose parent directories are damaged is left out; the fault is added to :attr:`notices`.
        """
        found = []
        for name in file.names():
            if name.namespace == DOS_NAMESPACE:
                continue
            try:
                own = (name.name,) if file.record_number != _ROOT else ()
                found.append(join_path((*self._ancestors(name.parent), *own)))
            except FormatError as fault:
                self.notice("ntfs.parent_damaged", f"a link of {file.path} is lost: {fault.message}", fault.location)
        return tuple(sorted(found))

    def path_of(self, number: int) -> str:
        """Return one path of the file whose base record that is.

        Raises:
            CorruptStructureError: The record or a directory above it is damaged, or it is no file's.
        """
        record = self.mft.record(number)
        name = self._long_name(record)
        own = (name.name,) if number != _ROOT else ()
        return join_path((*self._ancestors(name.parent), *own))

    def index_keys(
        self, number: int, path: str, damaged: Callable[[FormatError], None]
    ) -> Iterator[tuple[bytes, bytes]]:
        """Yield (file reference, key) of all names in the directory of a record, as they are stored.

        Raises:
            CorruptStructureError: The root of the index is damaged.
        """
        return self._index(self.mft.record(number), path).keys(damaged)

    # -- inside -------------------------------------------------------------------------------------------------

    def _resolve(self, wanted: VolumePath, path: str, *, follow: bool) -> tuple[MftRecord, tuple[str, ...]]:
        pending = list(reversed(wanted.parts))
        record = self._root_record()
        done: tuple[str, ...] = ()
        hops = 0
        while pending:
            if not record.is_directory:
                raise self._missing(path, f"{join_path(done)} is a file, not a directory")
            name = pending.pop()
            entry = self._index(record, join_path(done)).lookup(name)
            if isinstance(entry, Absence):
                self._prove(entry, name, join_path(done))
                raise self._missing(path, f"there is no {name} in {join_path(done)}")
            here = (*done, entry.key.name if entry.key.namespace != DOS_NAMESPACE else name)
            found = self._referenced(entry.reference, entry.key, join_path(here))
            if entry.key.namespace == DOS_NAMESPACE:
                here = (*done, self._long_name(found, entry.key.parent).name)
            target = self._link_target(found, here) if pending or follow else None
            if target is None:
                record, done = found, here
                continue
            hops += 1
            if hops > MAX_HOPS:
                raise _LinkLoopError(
                    f"{path} leads through more than {MAX_HOPS} links: they form a loop",
                    location=self.location.at("file", join_path(here)),
                )
            pending += reversed(target)
            record, done = self._root_record(), ()
        return record, done

    def _prove(self, absence: Absence, name: str, directory: str) -> None:
        """Hold the neighbours of a missing name against their files: were one of them this very name, damaged?"""
        for neighbour in absence.neighbours:
            other = neighbour.key.name
            path = other if directory == "\\" else f"{directory}\\{other}"
            try:
                self._referenced(neighbour.reference, neighbour.key, path)
            except CorruptStructureError as fault:
                raise CorruptStructureError(
                    f"whether there is {name} in {directory} is not known: {fault.message}",
                    location=fault.location,
                    hint="run chkdsk on the volume",
                ) from fault

    def _checked(
        self,
        directory: NtfsFile,
        entries: list[IndexEntry],
        short_names: dict[FileReference, str],
        tell: Callable[[str, str, Location | None], None],
        *,
        verify: bool,
    ) -> Iterator[DirectoryEntry]:
        if verify:
            self.mft.read_ahead(entry.reference.number for entry in entries)
        for entry in entries:
            name = entry.key.name
            if entry.reference.number == _ROOT and name == ".":
                continue  # the root directory lists itself
            path = name if directory.path == "\\" else f"{directory.path}\\{name}"
            if verify:
                try:
                    self._referenced(entry.reference, entry.key, path)
                except FormatError as fault:
                    hidden = isinstance(fault, _NamelessError) or self._claims(entry)
                    tell(
                        "ntfs.index_damaged" if hidden else "ntfs.stale_entry",
                        fault.message,
                        self.location.at("file", path),
                    )
                    continue
            yield DirectoryEntry(self, entry, short_names.get(entry.reference), path)

    def _claims(self, entry: IndexEntry) -> bool:
        """Whether the record that a name leads to has that name, so that a file is there which is not listed."""
        try:
            record = self.mft.record(entry.reference.number)
            return record.in_use and self._has_name(record, entry.key)
        except FormatError:
            return True  # nothing says that the file is gone

    def _ancestors(self, directory: FileReference) -> tuple[str, ...]:
        parts: list[str] = []
        seen: set[int] = set()
        while directory.number != _ROOT:
            where = self.location.at("mft", directory.number)
            if directory.number in seen:
                raise CorruptStructureError("parent directories form a loop", location=where)
            seen.add(directory.number)
            key = self._long_name(self.mft.referenced(directory, "the parent in a file's name"))
            parts.append(key.name)
            directory = key.parent
        return tuple(reversed(parts))

    def _link_target(self, record: MftRecord, here: tuple[str, ...]) -> tuple[str, ...] | None:
        """Return the components from the root that a link leads to, None when the record is no link."""
        if next(self.mft.attributes(record, REPARSE_POINT), None) is None:
            return None
        file = self._file(record, join_path(here), "")
        reparse = file.reparse
        if reparse is None or reparse.tag not in (SYMLINK, MOUNT_POINT) or reparse.target is None:
            return None
        if reparse.relative:
            return link_parts(here[:-1], reparse.target)
        target = split_path(reparse.target)
        if target.drive != self.drive_letter:
            raise UnsupportedFeatureError(
                f"{file.path} is a link that leads out of this volume, to {reparse.target}",
                location=file.location,
                hint="look on the volume that it leads to",
            )
        return target.parts

    def _referenced(self, reference: FileReference, key: FileName | None, path: str) -> MftRecord:
        what = f"the directory entry of {path}"
        record = self.mft.referenced(reference, what)
        where = self.location.at("mft", record.number)
        if key is not None and not self._has_name(record, key):
            raise _NamelessError(
                f"{what} leads to MFT record {record.number}, which has no such name",
                location=where,
                hint="run chkdsk on the volume",
            )
        if not record.is_directory and record.first(INDEX_ROOT, INDEX_NAME) is not None:
            raise CorruptStructureError(
                f"{path} has the index of a directory, but is not marked as one",
                location=where,
                hint="run chkdsk on the volume",
            )
        return record

    def _has_name(self, record: MftRecord, key: FileName) -> bool:
        where = self.location.at("mft", record.number)
        for attribute in self.mft.attributes(record, FILE_NAME):
            name = parse_file_name(attribute.value, where)
            if (name.name, name.parent, name.namespace) == (key.name, key.parent, key.namespace):
                return True
        return False

    def _long_name(self, record: MftRecord, parent: FileReference | None = None) -> FileName:
        where = self.location.at("mft", record.number)
        names = [parse_file_name(attribute.value, where) for attribute in self.mft.attributes(record, FILE_NAME)]
        for name in names:
            if name.namespace != DOS_NAMESPACE and parent in (None, name.parent):
                return name
        if not names:
            raise CorruptStructureError("the file has no name", location=where)
        return names[0]

    def _root_record(self) -> MftRecord:
        record = self.mft.record(_ROOT)
        if not record.in_use or not record.is_directory:
            raise CorruptStructureError(
                "the root directory is damaged: its MFT record is none of a directory",
                location=self.location.at("mft", _ROOT),
                hint="run chkdsk on the volume",
            )
        return record

    def _index(self, record: MftRecord, path: str) -> DirectoryIndex:
        index = self._indexes.get(record.number)
        if index is None:
            where = self.location.at("file", path)
            index = DirectoryIndex(self.mft, record, self.collation, self._nodes, self.boot.cluster_size, where)
            if len(self._indexes) >= _CACHED_INDEXES:
                self._indexes.clear()
            self._indexes[record.number] = index
        return index

    def _file(self, record: MftRecord, path: str, stream: str) -> NtfsFile:
        return NtfsFile(self, record, path, stream, self.location.at("file", path))

    def _open_upcase(self) -> ByteSource:
        where = self.location.at("mft", _UPCASE)
        record = self.mft.record(_UPCASE)
        source = self.mft.open(record, DATA, "", where) if record.in_use else None
        if source is None:
            raise CorruptStructureError("the volume has no $UpCase", location=where, hint="run chkdsk on the volume")
        return source

    def _missing(self, path: str, why: str) -> FileMissingError:
        return FileMissingError(f"no file {path} on the volume: {why}", location=self.location.at("file", path))

"""Is a volume consistent? Of what was touched, or of everything.

The rules are those by which chkdsk and Windows itself judge: names, index entries and link counts agree; records in
use and the bitmap of $MFT agree; runlists and $Bitmap agree; index blocks and their bitmap agree; $MFTMirr equals
$MFT; sizes fit runlists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import FormatError, WriteRefusedError
from vdiskkit.ntfs import NtfsVolume
from vdiskkit.ntfs.record import (
    ATTRIBUTE_LIST,
    BITMAP,
    COMPRESSION_MASK,
    INDEX_ROOT,
    SPARSE,
)
from vdiskkit.patch.ntfs.attributelist import is_ordered, list_lines
from vdiskkit.patch.ntfs.bitmap import Bitmap
from vdiskkit.patch.ntfs.content import AttributeContent
from vdiskkit.patch.ntfs.indexcheck import check_index
from vdiskkit.patch.ntfs.mapping import extents
from vdiskkit.patch.ntfs.names import Trees, names_of
from vdiskkit.patch.ntfs.order import name_of_key
from vdiskkit.patch.ntfs.records import FileRecords, RecordStore
from vdiskkit.patch.ntfs.space import ClusterSpace

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location
    from vdiskkit.patch.ntfs.editor import Touched
    from vdiskkit.patch.ntfs.nodes import Entry
    from vdiskkit.patch.staging import Phase

__all__ = ["Problem", "check_touched", "check_volume"]

_MFT = 0
_BAD_CLUSTERS = 8
_RESERVED = range(12, 24)  # marked as used without being so
_FIRST_USER_RECORD = 24
_DIRECTORY_INDEX = "$I30"
_MAX_PROBLEMS = 1000
"""The first one refuses a change; this bounds the memory that a volume which is all damage takes."""
_RECORD = 0xFFFF_FFFF_FFFF  # the record number in a file reference


class Problem(NamedTuple):
    """One thing that is not as it must be: a code, what it is, and where."""

    code: str
    message: str
    location: Location | None


def check_touched(source: ByteSource, touched: Touched, before: ByteSource | None = None) -> list[Problem]:
    """Check what a change touched: its files, directories, freed records and freed clusters.

    Args:
        source: The volume as it is now.
        touched: What ``VolumeEditor.touched`` says.
        before: The volume as it was. What was wrong there already is left out: an old fault beside the change is not
            its fault.

    Returns:
        What is wrong; empty when all is well.
    """
    if before is not None:
        found = check_touched(source, touched)
        known = {_place_of(problem) for problem in check_touched(before, touched)} if found else set()
        return [problem for problem in found if _place_of(problem) not in known]
    check = _Check(source)
    check.guarded(check.opened, None)
    if check.ready:
        for number in sorted(touched.files):
            check.file(number)
        for number in sorted(touched.freed_records):
            check.freed_record(number)
        check.mirror()
        check.touched_entries(touched)
        for offset, length in touched.freed_extents:
            check.free_clusters(offset, length)
    return check.problems


def check_volume(source: ByteSource, progress: Callable[[int, int], None] | None = None) -> list[Problem]:
    """Check a whole volume.

    Args:
        source: The volume.
        progress: Called with the records that were looked at and their number.

    Returns:
        What is wrong; empty when all is well. At most 1,000 problems.
    """
    check = _Check(source)
    check.guarded(check.opened, None)
    if check.ready:
        total = check.store.count
        for number in range(total):
            if progress is not None and number % 1000 == 0:
                progress(number, total)
            check.record(number)
        check.mirror()
        check.all_names()
        check.all_clusters()
    return check.problems


class _ReadOnly:
    """A byte source in the place of one that can be written."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self.size = source.size
        self.location = source.location

    def read_at(self, offset: int, length: int) -> bytes:
        return self._source.read_at(offset, length)

    def write_at(self, offset: int, data: bytes, phase: Phase) -> None:
        message = f"a check writes nothing, neither {len(data)} bytes at {offset:#x} nor in phase {phase.name}"
        raise WriteRefusedError(message, location=self.location)


class _Check:
    def __init__(self, source: ByteSource) -> None:
        self._source = _ReadOnly(source)
        self.problems: list[Problem] = []
        self.ready = False
        self._known: set[Problem] = set()
        self._owned: list[tuple[int, int, int]] = []
        self._names: dict[tuple[int, bytes], int] = {}  # (file reference, parent and name) -> record
        self._entries: dict[tuple[int, bytes], int] = {}  # the same from the indexes -> directory
        self._views: list[tuple[int, int]] = []  # (record of the view index, file reference in it)

    def opened(self) -> None:
        self._volume = NtfsVolume(self._source)
        self.store = RecordStore(self._volume, self._source)
        self._space = ClusterSpace(self.store)
        content = AttributeContent.of(self.store, FileRecords(self.store, _MFT), BITMAP)
        if content is None:
            self.add("mft.bitmap", "$MFT has no bitmap", self.store.where(_MFT))
            return
        self._records = Bitmap(content, min(self.store.count, content.size * 8), "the bitmap of $MFT")
        self.ready = True

    def guarded(self, action: Callable[[], None], where: Location | None) -> None:
        """Run a part of the check; what it stumbles over is a problem too."""
        try:
            action()
        except (FormatError, WriteRefusedError) as fault:
            self.add("damaged", fault.message, fault.location or where)

    def add(self, code: str, message: str, where: Location | None) -> None:
        problem = Problem(code, message, where)
        if len(self.problems) < _MAX_PROBLEMS and problem not in self._known:
            self._known.add(problem)
            self.problems.append(problem)

    # -- records ------------------------------------------------------------------------------------------------

    def record(self, number: int) -> None:
        """Any record: against the bitmap, and as a file when it is one."""
        try:
            record = self.store.parsed(number)
        except FormatError as fault:
            if self._records.all_are(number, 1, used=True) and number not in _RESERVED:
                self.add("mft.damaged", fault.message, fault.location)
            return
        used = self._records.all_are(number, 1, used=True)
        if record.in_use and not used:
            self.add("mft.bitmap", "a record in use is free in the bitmap of $MFT", self.store.where(number))
        elif used and not record.in_use and number not in _RESERVED:
            self.add("mft.bitmap", "a free record is used in the bitmap of $MFT", self.store.where(number))
        if record.in_use and (record.base.number or record.base.sequence):  # $MFT itself is record 0
            self._extension(number)
        elif record.in_use:
            self.file(number)

    def freed_record(self, number: int) -> None:
        """A record that must be free."""
        where = self.store.where(number)
        self.guarded(lambda: self._freed_record(number, where), where)

    def _freed_record(self, number: int, where: Location) -> None:
        if self.store.parsed(number).in_use:
            self.add("mft.in_use", "a record of a deleted file is still in use", where)
        if not self._records.all_are(number, 1, used=False):
            self.add("mft.bitmap", "a record of a deleted file is still used in the bitmap of $MFT", where)

    def file(self, number: int) -> None:
        """The records of one file or directory, its names, streams and index."""
        where = self.store.where(number)
        self.guarded(lambda: self._file(number, where), where)

    def mirror(self) -> None:
        """$MFTMirr against $MFT."""
        for number in range(self.store.mirrored):
            if not self.store.mirror_equals(number):
                self.add("mft.mirror", "the record differs from its copy in $MFTMirr", self.store.where(number))

    def _extension(self, number: int) -> None:
        record = self.store.parsed(number)
        where = self.store.where(number)

        def listed() -> None:
            if number not in FileRecords(self.store, record.base.number).extensions:
                self.add("mft.extension", f"file {record.base.number} does not know this extension record", where)

        self.guarded(listed, where)

    def _file(self, number: int, where: Location) -> None:
        records = FileRecords(self.store, number)
        for holder in (number, *records.extensions):
            if not self._records.all_are(holder, 1, used=True):
                self.add("mft.bitmap", "a record in use is free in the bitmap of $MFT", self.store.where(holder))
        if records.listed and not is_ordered(list_lines(self.store, records)):
            self.add("list.order", "the attribute list is not in order", where)
        names = names_of(self.store, records)
        if len(names) != records.record.link_count:
            self.add("names.count", f"it counts {records.record.link_count} names and has {len(names)}", where)
        reference = number | records.record.sequence << 48
        for name in names:
            self._names[reference, _identity(name.key)] = number
        if number != _BAD_CLUSTERS:
            self._streams(records, where)
        for held in records.of_type(INDEX_ROOT):
            self._index(number, held.attribute.name, where)

    def _streams(self, records: FileRecords, where: Location) -> None:
        for held in records.attributes:
            attribute = held.attribute
            if attribute.resident or attribute.lowest_vcn:
                continue
            content = AttributeContent(self.store, records.find(attribute.type, attribute.name))
            what = f"attribute {attribute.type:#x} {attribute.name}".rstrip()
            if content.allocated != attribute.allocated_size:
                self.add(
                    "runs.allocated",
                    f"{what} counts {attribute.allocated_size:#x} bytes of clusters, its runs {content.allocated:#x}",
                    where,
                )
            holes = any(run.lcn is None for run in content.runs)
            if holes and not attribute.flags & (SPARSE | COMPRESSION_MASK):
                self.add("runs.hole", f"{what} has holes without being sparse", where)
            if attribute.type == ATTRIBUTE_LIST and len(content.parts) > 1:
                self.add("runs.list", "the attribute list has several parts", where)
            for first, count in extents(content.runs):
                self._owned.append((first, count, records.number))
                if not self._space.all_are(first, count, used=True):
                    self.add("bitmap.free", f"{what} has clusters from {first:#x} on that $Bitmap calls free", where)

    # -- indexes ------------------------------------------------------------------------------------------------

    def _index(self, number: int, name: str, where: Location) -> None:
        if name != _DIRECTORY_INDEX and number < _FIRST_USER_RECORD:
            return  # $Secure: its order is not touched by any change
        try:
            report = check_index(self.store, self._space, self._volume.collation, number, name)
        except WriteRefusedError:
            return  # an order that no change touches
        for problem in report.problems:
            self.add("index", f"index {name}: {problem}", where)
        for entry in report.entries if name in _VIEWS else ():
            self._views.append((number, _VIEWS[name](entry)))
        if name == _DIRECTORY_INDEX:
            for entry in report.entries:
                identity = entry.reference, _identity(entry.key)
                if identity in self._entries:
                    self.add("index.twice", f"{name_of_key(entry.key)} is listed twice", where)
                self._entries[identity] = number

    def touched_entries(self, touched: Touched) -> None:
        """Names of touched files against their directories, and directories against freed records."""
        for (reference, _), directory in self._entries.items():
            if reference & _RECORD in touched.freed_records:
                self.add(
                    "index.freed",
                    f"the directory lists record {reference & _RECORD}, which was freed",
                    self.store.where(directory),
                )
        for view, reference in self._views:
            if reference & _RECORD in touched.freed_records:
                self._stale_view(view, reference)
        for number in sorted(touched.files):
            where = self.store.where(number)
            self.guarded(lambda: self._entries_of(number, where), where)  # noqa: B023 - called at once

    def _entries_of(self, number: int, where: Location) -> None:
        trees = Trees(self.store, self._space, self._volume.collation)
        records = FileRecords(self.store, number)
        for name in names_of(self.store, records):
            try:
                trees.find(number, records.record.sequence, name)
            except WriteRefusedError as fault:
                self.add("names.entry", fault.message, where)

    def all_names(self) -> None:
        """Every name against every index entry."""
        for (reference, key), number in self._names.items():
            if (reference, key) not in self._entries:
                self.add("names.entry", f"its directory does not list {_name(key)}", self.store.where(number))
        for (reference, key), directory in self._entries.items():
            if (reference, key) not in self._names:
                self.add(
                    "index.stale",
                    f"the directory lists {_name(key)}, a name that record {reference & _RECORD} has not",
                    self.store.where(directory),
                )

        for view, reference in self._views:
            if not self._is_live(reference):
                self._stale_view(view, reference)

    def _is_live(self, reference: int) -> bool:
        try:
            record = self.store.parsed(reference & _RECORD)
        except FormatError:
            return False
        return record.in_use and record.sequence == reference >> 48

    def _stale_view(self, view: int, reference: int) -> None:
        self.add(
            "view.stale",
            f"an object id or reparse point of freed record {reference & _RECORD} is still listed",
            self.store.where(view),
        )

    # -- clusters -----------------------------------------------------------------------------------------------

    def free_clusters(self, offset: int, length: int) -> None:
        """Clusters that must be free."""
        size = self.store.boot.cluster_size
        if not self._space.all_are(offset // size, length // size, used=False):
            self.add("bitmap.used", f"clusters of a deleted file at {offset:#x} are not free", self._source.location)

    def all_clusters(self) -> None:
        """Ownership against $Bitmap, over the whole volume."""
        end, owner = 0, 0
        gaps: list[tuple[int, int]] = []
        for first, count, number in sorted(self._owned):
            if first < end:
                self.add(
                    "runs.shared", f"cluster {first:#x} also belongs to MFT record {owner}", self.store.where(number)
                )
            elif first > end:
                gaps.append((end, first - end))
            if first + count > end:
                end, owner = first + count, number
        gaps.append((end, self.store.boot.total_clusters - end))
        for first, count in gaps:
            used = first
            for free, size in [*self._space.free_runs(first, first + count), (first + count, 0)]:
                if free > used:
                    self.add(
                        "bitmap.lost",
                        f"$Bitmap calls clusters {used:#x} to {free - 1:#x} used, but they belong to nothing",
                        self._source.location,
                    )
                used = free + size


def _place_of(problem: Problem) -> tuple[str, str, object]:
    """A problem without the name of the file that it was found in."""
    return problem.code, problem.message, problem.location.steps if problem.location else None


def _of_object_id(entry: Entry) -> int:
    at = int.from_bytes(entry.body[:2], "little")
    return int.from_bytes(entry.body[at : at + 8], "little")


def _of_reparse_point(entry: Entry) -> int:
    return int.from_bytes(entry.key[4:12], "little")


_VIEWS = {"$O": _of_object_id, "$R": _of_reparse_point}


def _identity(key: bytes) -> bytes:
    """What a $FILE_NAME and its index entry must share: parent, namespace, name."""
    return key[:8] + key[64:]


def _name(identity: bytes) -> str:
    return identity[10:].decode("utf-16-le", "surrogatepass")

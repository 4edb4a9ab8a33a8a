"""Facts about a volume and about one file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from vdiskkit.errors import FormatError
from vdiskkit.facts import Facts, Notice
from vdiskkit.ntfs.logfile import LogState
from vdiskkit.ntfs.state import Hibernation

if TYPE_CHECKING:
    from vdiskkit.ntfs.file import NtfsFile
    from vdiskkit.ntfs.volume import NtfsVolume

__all__ = ["FileFacts", "StreamFacts", "VolumeFacts", "file_facts", "volume_facts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeFacts(Facts):
    """An NTFS volume.

    Attributes:
        label: Volume label, empty without one.
        serial: Volume serial number, 16 hex digits.
        ntfs_version: Version of NTFS, such as ``3.1``.
        size: Bytes in the volume.
        cluster_size: Bytes in a cluster.
        sector_size: Bytes in a sector.
        record_size: Bytes in an MFT record.
        total_clusters: Clusters in the volume.
        free_bytes: Free space; None when it was not counted because $Bitmap is larger than 2 MiB.
        dirty: Whether Windows will check the volume at the next start.
        flags: Volume flags that are set, by name.
        log: What $LogFile says.
        log_version: Version of the log, None when it is empty or damaged.
        log_problem: Why the log is damaged.
        hibernation: Whether a hibernated Windows (or fast startup) will resume from this volume.
        clean: Whether nothing speaks against trusting the volume as it stands.
        notices: What is worth telling besides.
    """

    label: str
    serial: str
    ntfs_version: str
    size: int
    cluster_size: int
    sector_size: int
    record_size: int
    total_clusters: int
    free_bytes: int | None
    dirty: bool
    flags: tuple[str, ...]
    log: LogState
    log_version: str | None
    log_problem: str | None
    hibernation: Hibernation
    clean: bool
    notices: tuple[Notice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFacts(Facts):
    """A data stream of a file.

    Attributes:
        name: Its name; empty for the content itself.
        size: Bytes.
        allocated_size: Bytes of clusters; 0 when it lies in the MFT record.
        storage: How it is stored: ``resident``, ``sparse``, ``compressed``, ``encrypted``.
        extents: Pieces on disk, None when the runlist is damaged.
    """

    name: str
    size: int
    allocated_size: int
    storage: tuple[str, ...]
    extents: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts(Facts):
    """A file or directory.

    Attributes:
        path: Path below the root of the volume, links resolved.
        is_directory: Whether it is a directory.
        size: Bytes in the content.
        allocated_size: Bytes of clusters that the content takes; 0 when it lies in the MFT record.
        created: Creation, UTC; None when the stored value is no time.
        modified: Last write to the content.
        changed: Last change of the MFT record.
        accessed: Last access.
        attributes: File attributes by name.
        storage: How the content is stored: ``resident``, ``sparse``, ``compressed``, ``encrypted``, ``wof``,
            ``reparse``.
        record_number: Number of the MFT record.
        sequence_number: Its sequence number.
        links: Paths of all hard links.
        short_names: DOS 8.3 names.
        reparse_tag: What the reparse tag stands for, None when the file is no reparse point.
        link_target: Where a symbolic link or junction leads.
        streams: Data streams, the content first.
    """

    path: str
    is_directory: bool
    size: int
    allocated_size: int
    created: datetime | None
    modified: datetime | None
    changed: datetime | None
    accessed: datetime | None
    attributes: tuple[str, ...]
    storage: tuple[str, ...]
    record_number: int
    sequence_number: int
    links: tuple[str, ...]
    short_names: tuple[str, ...]
    reparse_tag: str | None
    link_target: str | None
    streams: tuple[StreamFacts, ...]


_ATTRIBUTE_NAMES = (
    (0x1, "readonly"),
    (0x2, "hidden"),
    (0x4, "system"),
    (0x10, "directory"),
    (0x20, "archive"),
    (0x80, "normal"),
    (0x100, "temporary"),
    (0x200, "sparse"),
    (0x400, "reparse_point"),
    (0x800, "compressed"),
    (0x1000, "offline"),
    (0x2000, "not_content_indexed"),
    (0x4000, "encrypted"),
    (0x8000, "integrity_stream"),
    (0x20000, "no_scrub_data"),
    (0x40000, "recall_on_open"),
    (0x80000, "pinned"),
    (0x100000, "unpinned"),
    (0x400000, "recall_on_data_access"),
)


def attribute_names(attributes: int) -> tuple[str, ...]:
    """Return the names of file attributes that are set; unknown ones in hex."""
    names = [name for bit, name in _ATTRIBUTE_NAMES if attributes & bit]
    unknown = attributes & ~sum(bit for bit, _ in _ATTRIBUTE_NAMES)
    return (*names, f"{unknown:#x}") if unknown else tuple(names)


def volume_facts(volume: NtfsVolume, *, deep: bool) -> VolumeFacts:
    """Gather the facts of a volume; see :meth:`~vdiskkit.ntfs.NtfsVolume.free_bytes` for ``deep``."""
    state = volume.state()
    boot = volume.boot
    try:
        free = volume.free_bytes(deep=deep)
    except FormatError as fault:
        volume.notice("ntfs.bitmap_damaged", f"free space is not known: {fault.message}", fault.location)
        free = None
    return VolumeFacts(
        label=state.label,
        serial=f"{boot.serial:016x}",
        ntfs_version=state.version,
        size=boot.volume_size,
        cluster_size=boot.cluster_size,
        sector_size=boot.sector_size,
        record_size=boot.record_size,
        total_clusters=boot.total_clusters,
        free_bytes=free,
        dirty=state.dirty,
        flags=state.flags,
        log=state.log.state,
        log_version=state.log.version,
        log_problem=state.log.problem,
        hibernation=state.hibernation,
        clean=state.clean,
        notices=tuple(
            Notice(code=notice.code, message=notice.message, location=str(notice.location) if notice.location else None)
            for notice in volume.notices
        ),
    )


def file_facts(file: NtfsFile, volume: NtfsVolume) -> FileFacts:
    """Gather the facts of a file."""
    from vdiskkit.ntfs.file import DOS_NAMESPACE

    reparse = file.reparse
    tag = None
    if reparse is not None:
        tag = f"{reparse.tag_name}, {reparse.detail}" if reparse.detail else reparse.tag_name
    return FileFacts(
        path=file.path,
        is_directory=file.is_directory,
        size=file.size,
        allocated_size=file.allocated_size,
        created=file.created,
        modified=file.modified,
        changed=file.changed,
        accessed=file.accessed,
        attributes=attribute_names(file.attributes),
        storage=file.storage,
        record_number=file.record_number,
        sequence_number=file.sequence_number,
        links=volume.paths(file),
        short_names=tuple(name.name for name in file.names() if name.namespace == DOS_NAMESPACE),
        reparse_tag=tag,
        link_target=reparse.target if reparse else None,
        streams=tuple(
            StreamFacts(
                name=stream.name,
                size=stream.size,
                allocated_size=stream.allocated_size,
                storage=stream.storage,
                extents=file.extent_count(stream.name),
            )
            for stream in file.streams()
        ),
    )

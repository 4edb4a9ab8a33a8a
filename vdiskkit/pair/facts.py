"""What lies around a disk file, as frozen facts. All names and texts are untrusted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from vdiskkit.facts import Facts, Notice

__all__ = ["ManifestFacts", "ManifestVersionFacts", "NamedNumber", "PairFacts", "VersionFacts", "VersionKind"]


class VersionKind(StrEnum):
    """What a disk file of a vDisk is."""

    BASE = "base"
    VERSION = "version"  # holds only the changes since its parent
    MERGED = "merged"  # a merged base: whole by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedNumber(Facts):
    """A number of PVS and its name.

    Attributes:
        value: As stored.
        name: What it means, ``unknown`` for a number without a known meaning.
    """

    value: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionFacts(Facts):
    """One disk file of the vDisk.

    Attributes:
        file_name: Name in the folder.
        version: Version number, 0 for the base.
        kind: Base, version or merged base.
        size: Bytes of the file, None when the folder does not tell.
        modified: Modification time of the file, None when the folder does not tell.
        has_pvp: Whether its side-car is there.
        has_lock: Whether its lock file is there.
        parent_file: Name of the file it was made from; None for a base, a merged base and where no parent was found.
        parent_by: ``id`` when ids were read and agree, ``name`` when only the file names tell, else None.
        is_this: Whether this is the disk that was asked about.
    """

    file_name: str
    version: int
    kind: VersionKind
    size: int | None
    modified: datetime | None
    has_pvp: bool
    has_lock: bool
    parent_file: str | None
    parent_by: str | None
    is_this: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestVersionFacts(Facts):
    """One version as the export manifest has it, compared with the folder.

    Attributes:
        version: Version number; None when the manifest gives none that can be read.
        description: Free text.
        type: 0 Base, 1 Manual, 2 Automatic, 3 Merge, 4 MergeBase.
        access: 0 Production, 1 Maintenance, 2 MaintenanceHighestVersion, 3 Override, 4 Merge, 5 MergeMaintenance,
            6 MergeTest, 7 Test.
        created: Time of creation.
        scheduled: Time from which it is used; None when at once.
        delete_when_free: Whether PVS deletes it when no device uses it any more.
        disk_file_name: Name of its disk file.
        size: Bytes of that file.
        last_write_time: Its modification time.
        file_present: Whether the file is in the folder; None when that cannot be told.
        size_matches: Whether the file has that size; None when that cannot be told.
        last_write_time_matches: Whether its time differs by at most two seconds; None when that cannot be told.
    """

    version: int | None
    description: str
    type: NamedNumber | None
    access: NamedNumber | None
    created: datetime | None
    scheduled: datetime | None
    delete_when_free: bool | None
    disk_file_name: str
    size: int | None
    last_write_time: datetime | None
    file_present: bool | None = None
    size_matches: bool | None = None
    last_write_time_matches: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestFacts(Facts):
    """The export manifest.

    Attributes:
        file_name: Name in the folder.
        starting_version: Version that a boot starts with; None when the manifest leaves it empty.
        versions: In the order of the manifest.
        highest_version: Highest version number in the manifest.
        highest_version_matches: Whether the folder's highest version is the same; PVS refuses the import otherwise.
        problems: What cannot be read in it, one sentence each.
    """

    file_name: str
    starting_version: int | None
    versions: tuple[ManifestVersionFacts, ...]
    highest_version: int | None
    highest_version_matches: bool | None
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFacts(Facts):
    """The disk, its side-car, and what else belongs to the vDisk in the same folder.

    Attributes:
        vdisk_name: Name of the vDisk: what all its files begin with.
        version: Version number of this disk; None when it has no file name of a vDisk.
        pvp_path: Path of this disk's side-car, None without one.
        lock_files: Names of this vDisk's lock files, those of other versions included.
        locked: Whether one of them is of this disk. A lock may be stale, and on a copy it means nothing.
        write_cache_folder: Path of the store's folder of server-side write caches, None without one.
        versions: All disk files of the vDisk, lowest version first.
        newest_version: Highest version number there.
        is_newest: Whether this disk is of that version; None when it is not among the versions.
        children: Names of the files that were made from this disk: it must not change.
        journals: Names of vdiskkit's own journals beside the disk files.
        manifest: The export manifest, None without a readable one.
        notices: What is odd about all this.
    """

    vdisk_name: str
    version: int | None
    pvp_path: str | None
    lock_files: tuple[str, ...]
    locked: bool
    write_cache_folder: str | None
    versions: tuple[VersionFacts, ...]
    newest_version: int | None
    is_newest: bool | None
    children: tuple[str, ...]
    journals: tuple[str, ...]
    manifest: ManifestFacts | None
    notices: tuple[Notice, ...]

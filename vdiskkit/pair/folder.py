"""What belongs to a disk in its folder: side-car, lock files, versions, manifest.

The folder is listed once, and only names, sizes and times are looked at. Files are opened for two things: the export
manifest, and, when the caller brings a reader for them, the ids of the vDisk's own disk files, or of all in the folder
when the parent of one is none of them.
"""

from __future__ import annotations

import os
import re
from functools import cached_property
from typing import TYPE_CHECKING

from vdiskkit.errors import SourceError, UsageError, VDiskError
from vdiskkit.location import Location
from vdiskkit.naming import DISK_EXTENSIONS, extension_of
from vdiskkit.pair.listing import exists, split, take_listing
from vdiskkit.pair.versions import (
    find_members,
    find_stem,
    label_of,
    link_by_id,
    link_by_name,
    read_identities,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdiskkit.facts import Notice
    from vdiskkit.pair.facts import ManifestFacts, ManifestVersionFacts, PairFacts, VersionFacts
    from vdiskkit.pair.listing import Listing
    from vdiskkit.pair.versions import Identity, Member

__all__ = ["disk_for_sidecar", "read_pair"]

JOURNAL_ENDING = ".vdiskkit-journal"
_PVP = ".pvp"
_NOTICES_OF_A_KIND = 20
_SAME_TIME_SECONDS = 2.0
# The manifest's names are untrusted: only one that names a file of this very folder is looked at.
_PLAIN_NAME = re.compile(r"[^\x00-\x1f\\/:]+\.a?vhdx?", re.IGNORECASE)


def disk_for_sidecar(path: str | os.PathLike[str]) -> str:
    """Find the disk that a ``.pvp`` belongs to: the file of the same name with a disk's extension.

    Args:
        path: Path of the ``.pvp``.

    Returns:
        Path of the disk, in the same spelling of the folder.

    Raises:
        UsageError: The path names no ``.pvp``, or several disks have that name.
        SourceError: There is no such disk.
    """
    text = os.fspath(path)
    folder, name = split(text)
    if not name.lower().endswith(_PVP):
        raise UsageError("not the name of a .pvp side-car", location=Location(text))
    label = name[: -len(_PVP)]
    listing = take_listing(folder, label)
    if listing.problem is not None:
        _add_by_trying(listing, label)
    disks = _disks_of(label, listing)
    if not disks:
        raise SourceError(
            f"there is no disk file beside this .pvp: {label}.vhd, .vhdx, .avhd or .avhdx",
            location=Location(text),
            hint="a vDisk is a pair of files with the same name: put the disk file into the same folder",
        )
    if len(disks) > 1:
        raise UsageError(
            f"several disk files belong to this .pvp: {', '.join(disks)}",
            location=Location(text),
            hint="name the disk file itself",
        )
    return listing.path(disks[0])


def read_pair(
    path: str | os.PathLike[str], *, read_identity: Callable[[str], Identity | None] | None = None
) -> PairFacts:
    """Look around in the folder of a disk.

    Args:
        path: Path of the disk or of its ``.pvp``; neither has to exist.
        read_identity: Reads the ids of a disk file at a path (a few hundred bytes); None on any trouble. Without it,
            parents are told by file names only.
    """
    return _Look(os.fspath(path), read_identity).facts()


def _disks_of(label: str, listing: Listing) -> list[str]:
    return [name for extension in DISK_EXTENSIONS for name in listing.find(f"{label}.{extension}")]


def _add_by_trying(listing: Listing, label: str) -> None:
    """Look for single files where the folder cannot be listed."""
    for ending in (*DISK_EXTENSIONS, "pvp", "lok"):
        name = f"{label}.{ending}"
        if exists(listing.path(name)):
            listing.add_name(name)


class _Look:
    """One look at a folder, and what was found odd in it."""

    def __init__(self, path: str, read_identity: Callable[[str], Identity | None] | None) -> None:
        self.folder, self.name = split(path)
        self.label = label_of(self.name)
        self.odd: list[tuple[str, str]] = []
        self._read_identity = read_identity
        self._identities: dict[str, Identity | None] = {}
        self.listing = take_listing(self.folder, re.sub(r"\.[0-9]{1,5}$", "", self.label))
        if self.listing.problem is not None:
            self.note("pair.folder_unreadable", f"the folder cannot be listed: {self.listing.problem}")
            _add_by_trying(self.listing, self.label)
        self.this = self._find_this()
        identity = self._identity(self.this) if self.this is not None else None
        self.stem, doubt = find_stem(
            self.this or self.name,
            self.listing,
            differencing=identity is not None and identity.parent_id is not None,
        )
        if doubt is not None:
            self.note("pair.name_ambiguous", doubt)
        self.members = find_members(self.stem, self.listing, self.this)
        self.own = next((member for member in self.members if member.file_name == self.this), None)
        self._link()

    def note(self, code: str, message: str) -> None:
        self.odd.append((code, message))

    def _notices(self) -> tuple[Notice, ...]:
        """All notices, but of each kind no more than a person reads."""
        from vdiskkit.facts import Notice

        seen: dict[str, int] = {}
        kept = []
        for code, message in self.odd:
            seen[code] = seen.get(code, 0) + 1
            if seen[code] <= _NOTICES_OF_A_KIND:
                kept.append(Notice(code=code, message=message))
        return (
            *kept,
            *(
                Notice(code=code, message=f"{count - _NOTICES_OF_A_KIND} more of this kind are not shown")
                for code, count in seen.items()
                if count > _NOTICES_OF_A_KIND
            ),
        )

    def _find_this(self) -> str | None:
        if not self.name.lower().endswith(_PVP):
            return next(iter(self.listing.find(self.name)), None)
        disks = _disks_of(self.label, self.listing)
        return disks[0] if len(disks) == 1 else None

    def _identity(self, name: str) -> Identity | None:
        if self._read_identity is None:
            return None
        if name not in self._identities:
            try:
                self._identities[name] = self._read_identity(self.listing.path(name))
            except VDiskError:
                self._identities[name] = None
        return self._identities[name]

    def _find_other(self, unique_id: str) -> str | None:
        """A file with this id whose name says that it is of another vDisk, as other programs name what they make."""
        return self._others.get(unique_id)

    @cached_property
    def _others(self) -> dict[str, str]:
        """The first file with each id, in order of name, of those that are no members; read when one is asked for."""
        own = {member.file_name for member in self.members}
        found: dict[str, str] = {}
        for name in take_listing(self.listing.folder, "").names():
            if name not in own and extension_of(name) in DISK_EXTENSIONS:
                identity = self._identity(name)
                if identity is not None:
                    found.setdefault(identity.unique_id.lower(), name)
        return found

    def _link(self) -> None:
        if self._read_identity is not None:
            read_identities(self.members, self._identity)
        link_by_name(self.members)
        strays = link_by_id(self.members, self._find_other)
        seen: dict[int, str] = {}
        for member in self.members:
            if member.file_name in strays:
                self.note("pair.parent_id_unknown", strays[member.file_name])
            elif member.differencing and member.parent is None:
                self.note("pair.parent_missing", f"there is no parent of {member.file_name} in this folder")
            other = seen.setdefault(member.version, member.file_name)
            if other != member.file_name:
                self.note("pair.version_twice", f"{other} and {member.file_name} have the same version number")

    def facts(self) -> PairFacts:
        from vdiskkit.pair.facts import PairFacts

        newest = max((member.version for member in self.members), default=None)
        if self.own is not None and newest is not None and newest > self.own.version:
            files = ", ".join(member.file_name for member in self.members if member.version == newest)
            self.note("pair.newer_version", f"this is version {self.own.version}; the newest here is {newest}: {files}")
        pvp = self._side_car()
        versions = tuple(self._version(member) for member in self.members)
        manifest = self._manifest(newest)
        journals = self._journals()
        locks = self._lock_files()
        return PairFacts(
            vdisk_name=self.stem,
            version=self.own.version if self.own is not None else None,
            pvp_path=self.listing.path(pvp) if pvp is not None else None,
            lock_files=tuple(locks),
            locked=any(label_of(name).lower() == self.label.lower() for name in locks),
            write_cache_folder=self.listing.path(self.listing.write_cache) if self.listing.write_cache else None,
            versions=versions,
            newest_version=newest,
            is_newest=self.own.version == newest if self.own is not None else None,
            children=tuple(
                member.file_name for member in self.members if self.this is not None and member.parent == self.this
            ),
            journals=journals,
            manifest=manifest,
            notices=self._notices(),
        )

    def _side_car(self) -> str | None:
        found = self.listing.find(self.label + _PVP)
        if len(found) > 1:
            self.note("pair.several_side_cars", f"several side-cars differ by case only: {', '.join(found)}")
        if not found and self.own is not None:
            self.note(
                "pair.no_side_car",
                f"there is no {self.label}{_PVP} beside the disk; it holds licence mode and cache type, so copy both",
            )
        return found[0] if found else None

    def _lock_files(self) -> list[str]:
        pattern = re.compile(rf"{re.escape(self.stem.lower())}(\.[0-9]{{1,5}})?\.lok")
        return [name for name in self.listing.names() if pattern.fullmatch(name.lower())]

    def _journals(self) -> tuple[str, ...]:
        starts = tuple(member.file_name.lower() + JOURNAL_ENDING for member in self.members)
        return tuple(name for name in self.listing.names() if name.lower().startswith(starts)) if starts else ()

    def _version(self, member: Member) -> VersionFacts:
        from vdiskkit.pair.facts import VersionFacts, VersionKind

        kind = VersionKind.MERGED if member.version else VersionKind.BASE
        entry = self.listing.entry(member.file_name)
        return VersionFacts(
            file_name=member.file_name,
            version=member.version,
            kind=VersionKind.VERSION if member.differencing else kind,
            size=entry.size,
            modified=entry.modified,
            has_pvp=bool(self.listing.find(f"{member.label}.pvp")),
            has_lock=bool(self.listing.find(f"{member.label}.lok")),
            parent_file=member.parent,
            parent_by=member.parent_by,
            is_this=member is self.own,
        )

    def _manifest(self, newest: int | None) -> ManifestFacts | None:
        from vdiskkit.pair.manifest import read_manifest

        found = self.listing.find(f"{self.stem}.xml") or self.listing.find(f"{self.label}.xml")
        if not found:
            return None
        try:
            manifest = read_manifest(self.listing.path(found[0]))
        except VDiskError as exc:
            self.note("pair.manifest_unreadable", str(exc))
            return None
        from dataclasses import replace

        same = None if manifest.highest_version is None or newest is None else manifest.highest_version == newest
        return replace(
            manifest,
            file_name=found[0],
            highest_version_matches=same,
            versions=tuple(self._compared(version) for version in manifest.versions),
        )

    def _compared(self, version: ManifestVersionFacts) -> ManifestVersionFacts:
        from dataclasses import replace

        name = version.disk_file_name
        if not name or self.listing.problem is not None:
            return version
        found = next(iter(self.listing.find(name)), None)
        if found is None and _PLAIN_NAME.fullmatch(name) and exists(self.listing.path(name)):
            found = name
        if found is None:
            return replace(version, file_present=False)
        entry = self.listing.entry(found)
        same_time = None
        if version.last_write_time is not None and entry.modified is not None:
            same_time = abs((version.last_write_time - entry.modified).total_seconds()) <= _SAME_TIME_SECONDS
        return replace(
            version,
            file_present=True,
            size_matches=None if version.size is None or entry.size is None else version.size == entry.size,
            last_write_time_matches=same_time,
        )

"""Reading a chain: the walk down to the base, the folder around it, and what both say together."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from vdiskkit.chain.beside import manifest_entry, other_files, production_version
from vdiskkit.chain.facts import ChainBreak, ChainFacts, ChainFile, ChainSideCar, StructureFacts
from vdiskkit.chain.search_facts import search_facts
from vdiskkit.chain.walk import Break, ChainWalk, WalkedFile
from vdiskkit.container.identity import LogBudget, read_disk_identity
from vdiskkit.container.structures import read_structures
from vdiskkit.errors import VDiskError
from vdiskkit.facts import Notice
from vdiskkit.io.paths import open_source
from vdiskkit.location import Location
from vdiskkit.pair import Identity, disk_for_sidecar, read_pair
from vdiskkit.pair.listing import join, split, take_listing
from vdiskkit.pair.versions import label_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdiskkit.pair.facts import VersionFacts
    from vdiskkit.pair.listing import Listing

__all__ = ["read_chain"]


def read_chain(
    target: str | os.PathLike[str],
    *,
    format: str | None = None,  # noqa: A002 - the name users expect
    parent_dirs: Sequence[str | os.PathLike[str]] = (),
    follow_parent_paths: bool = False,
    check: bool = False,
) -> ChainFacts:
    """Read a disk, its parents down to the base, and what else belongs to the vDisk.

    Whatever is wrong with the chain is a part of the answer: a missing, foreign or damaged parent ends it, and what
    was found up to there is told.

    Args:
        target: Path of a disk file, or of its ``.pvp``.
        format: ``vhd``, ``vhdx`` or ``raw``; None lets the content decide.
        parent_dirs: Folders in which parents are looked for besides each file's own.
        follow_parent_paths: Whether local paths stored in the files are used too; UNC paths never are.
        check: Read every structure of every file whole, both copies of each.

    Raises:
        SourceError: The disk file cannot be opened, or a file of the chain cannot be read.
        UnknownFormatError: The disk file is no disk.
        UsageError: The path or the format cannot be.
    """
    path = os.fspath(target)
    if path.lower().endswith(".pvp"):
        path = disk_for_sidecar(path)
    folders = [os.fspath(folder) for folder in parent_dirs]
    with ChainWalk(path, format=format, parent_dirs=folders, follow_parent_paths=follow_parent_paths) as walk:
        return _Reading(path, walk, follow=follow_parent_paths, check=check).facts()


class _Reading:
    """Turns one walk into facts."""

    def __init__(self, path: str, walk: ChainWalk, *, follow: bool, check: bool) -> None:
        self._path = path
        self._walk = walk
        self._follow = follow
        self._check = check
        self._listings: dict[str, Listing] = {}
        self._known = {
            item.path: Identity(item.unique_id, item.link.unique_id if item.link is not None else None)
            for item in walk.files
            # Of a damaged file without a link it is not known whether it has a parent.
            if item.unique_id is not None and (item.disk is not None or item.link is not None)
        }
        self._log_budget = LogBudget()
        self._pair = read_pair(path, read_identity=self._identity)

    def facts(self) -> ChainFacts:
        pair, ended = self._pair, self._walk.ended
        files = tuple(self._file(item) for item in self._walk.files)
        own_folder = split(self._path)[0]
        names = {item.file_name for item in files if _same_folder(split(item.path)[0], own_folder)}
        return ChainFacts(
            target=self._path,
            vdisk_name=pair.vdisk_name,
            complete=ended is None,
            break_at=_break(ended) if ended is not None else None,
            files=files,
            others=other_files(pair, names),
            newest_version=pair.newest_version,
            production_version=production_version(pair.manifest),
            manifest=pair.manifest,
            lock_files=pair.lock_files,
            notices=pair.notices,
            checked=self._check,
        )

    def _identity(self, path: str) -> Identity | None:
        if path in self._known:
            return self._known[path]
        with open_source(path) as source:
            found = read_disk_identity(source, self._log_budget)
        return Identity(found.unique_id, found.parent_id) if found is not None else None

    def _file(self, item: WalkedFile) -> ChainFile:
        name = split(item.path)[1]
        version = self._version(item.path)
        number = version.version if version is not None else None
        listing = self._listing(split(item.path)[0])
        label = label_of(name)
        facts = item.disk.facts() if item.disk is not None else None
        vhdx = facts.vhdx if facts is not None else None
        return ChainFile(
            path=item.path,
            file_name=name,
            version=number,
            kind=version.kind if version is not None else None,
            format=facts.format if facts is not None else "vhdx" if item.probe.is_vhdx else "vhd",
            type=facts.type if facts is not None else None,
            file_size=facts.file_size if facts is not None else item.probe.source.size,
            modified=listing.entry(name).modified,
            virtual_size=facts.virtual_size if facts is not None else None,
            sector_size=facts.sector_size if facts is not None else None,
            block_size=facts.block_size if facts is not None else None,
            allocated_bytes=facts.allocated_bytes if facts is not None else None,
            unique_id=item.unique_id,
            virtual_disk_id=vhdx.virtual_disk_id if vhdx is not None else None,
            created=facts.created if facts is not None else None,
            creator=facts.creator_application if facts is not None else None,
            pending_log=vhdx.log.entries if vhdx is not None and vhdx.log is not None else 0,
            interrupted=item.interrupted,
            side_car=_side_car(listing, label, item.path),
            lock_file=next(iter(listing.find(f"{label}.lok")), None),
            manifest=manifest_entry(self._pair.manifest, name, number),
            parent=search_facts(item, follow=self._follow),
            problem=item.error.message if item.error is not None else None,
            notices=_notices(item),
            structures=self._structures(item),
        )

    def _version(self, path: str) -> VersionFacts | None:
        """The file among the versions of the folder; None for one of another folder or with another name."""
        folder, name = split(path)
        if not _same_folder(folder, split(self._path)[0]):
            return None
        return next((item for item in self._pair.versions if item.file_name == name), None)

    def _listing(self, folder: str) -> Listing:
        if folder not in self._listings:
            self._listings[folder] = take_listing(folder, "")
        return self._listings[folder]

    def _structures(self, item: WalkedFile) -> tuple[StructureFacts, ...] | None:
        if not self._check:
            return None
        if item.disk is not None and item.disk.format == "raw":
            return ()
        return tuple(
            StructureFacts(
                name=found.name,
                offset=found.offset,
                length=found.length,
                state=found.state,
                problem=found.problem or None,
            )
            for found in read_structures(item.probe)
        )


def _same_folder(one: str, other: str) -> bool:
    """Whether two spellings are of one folder, as far as that shows without asking the system."""
    return one == other or os.path.normcase(os.path.abspath(one)) == os.path.normcase(os.path.abspath(other))  # noqa: PTH100 - a UNC path stays the text that the user gave


def _break(ended: Break) -> ChainBreak:
    error = ended.error
    return ChainBreak(
        kind=ended.kind,
        file=ended.file,
        location=str(error.location or Location(ended.file)),
        message=error.message,
        hint=error.hint,
    )


def _side_car(listing: Listing, label: str, path: str) -> ChainSideCar | None:
    from vdiskkit.pending import read_old_pvp
    from vdiskkit.pvp import read_pvp

    found = listing.find(f"{label}.pvp")
    if not found:
        return None
    place = join(listing.folder, found[0])
    try:
        facts = (read_old_pvp(path, place) or read_pvp(place)).facts()
    except VDiskError as exc:
        return ChainSideCar(
            file_name=found[0],
            mode=None,
            license_mode=None,
            disk_size=None,
            block_size=None,
            sector_size=None,
            implausible=(),
            problem=exc.message,
        )
    return ChainSideCar(
        file_name=found[0],
        mode=facts.mode,
        license_mode=facts.license_mode,
        disk_size=facts.disk_size_bytes,
        block_size=facts.vhd_block_size or None,
        sector_size=facts.sector_size if facts.sector_size in (512, 4096) else None,
        implausible=tuple(f"{item.field} at byte {item.offset}: {item.why}" for item in facts.problems),
        problem=None,
    )


def _notices(item: WalkedFile) -> tuple[Notice, ...]:
    found = [
        Notice(code=notice.code, message=notice.message, location=str(notice.location) if notice.location else None)
        for notice in (item.disk.own_notices if item.disk is not None else ())
    ]
    if item.search is not None and item.search.time_problem:
        where = str(item.probe.location)
        found.append(Notice(code="vhd.parent_time", message=item.search.time_problem, location=where))
    return tuple(found)

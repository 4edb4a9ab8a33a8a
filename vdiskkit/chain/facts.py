"""What is known about a chain of versions. All names and texts are untrusted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from vdiskkit.facts import Facts, Notice
from vdiskkit.pair.facts import ManifestFacts, ManifestVersionFacts, VersionKind

__all__ = [
    "BreakKind",
    "CandidateFacts",
    "ChainBreak",
    "ChainFacts",
    "ChainFile",
    "ChainSideCar",
    "OtherFile",
    "ParentSearchFacts",
    "Relation",
    "StoredPathFacts",
    "StructureFacts",
]


class BreakKind(StrEnum):
    """Why a chain does not reach its base."""

    MISSING = "missing"  # no candidate exists
    WRONG_ID = "wrong_id"  # candidates exist, but their ids are others
    MIXED = "mixed"  # a candidate is of the other format
    LOOP = "loop"  # a file is its own ancestor
    TOO_LONG = "too_long"  # more files than any chain of versions has
    UNREADABLE = "unreadable"  # a file of the chain or a candidate is damaged or cannot be opened
    UNSUPPORTED = "unsupported"  # a file of the chain is of a kind that is not read


class Relation(StrEnum):
    """What a disk file beside the chain has to do with it."""

    CHILD = "child"  # made from a file of this chain
    DESCENDANT = "descendant"  # made from a child of this chain
    WHOLE = "whole"  # a base or merged base: it needs no other file
    OTHER_BRANCH = "other_branch"  # leads to a base that is not this chain's
    ORPHAN = "orphan"  # its parent is not in the folder


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureFacts(Facts):
    """One structure of a disk file, read whole.

    Attributes:
        name: What it is, such as ``footer copy``, ``region table 2`` or ``block allocation table``.
        offset: First byte in the file, None when that is not known.
        length: Bytes, 0 when that is not known.
        state: ``ok``, ``damaged``, ``missing``, ``differs`` (from its other copy) or ``pending`` (a log to replay).
        problem: What is wrong, None when nothing is.
    """

    name: str
    offset: int | None
    length: int
    state: str
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPathFacts(Facts):
    """One path under which a child remembers its parent.

    Attributes:
        code: Platform code (VHD: ``W2ru`` relative, ``W2ku`` absolute, ...), key (VHDX: ``relative_path``, ...), or
            ``name`` for the name in a VHD's header.
        path: The path as stored.
        kind: ``name``, ``relative``, ``absolute``, ``volume``, ``unc`` or ``url``.
        file_name: The file name in it, None when it has none that can be used.
        note: What was done with the path, and why not more.
        led_to: The file that was found by it and is the parent, None when it led to none.
    """

    code: str
    path: str
    kind: str
    file_name: str | None
    note: str
    led_to: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateFacts(Facts):
    """A file that was looked at or for.

    Attributes:
        path: The file.
        outcome: ``taken``, ``absent`` or ``refused``.
        problem: Why it was not taken, None for the one that was.
        by: Codes of the stored paths that led to it; empty for a name that PVS would give.
    """

    path: str
    outcome: str
    problem: str | None
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentSearchFacts(Facts):
    """What a child says about its parent, and how it was looked for.

    Attributes:
        name: The parent's name in a VHD's header; empty in a VHDX.
        unique_id: The id that the parent must have.
        other_ids: Ids that it may have instead.
        modified: The parent file's time when the child was made, None when it was not recorded.
        time_matches: Whether the parent has that time; None when that cannot be told.
        stored_paths: The stored paths, in the order in which they are used.
        candidates: The files that were looked at or for, in order; the search ends with the one that was taken.
        found: The parent, None when there is none.
    """

    name: str
    unique_id: str
    other_ids: tuple[str, ...]
    modified: datetime | None
    time_matches: bool | None
    stored_paths: tuple[StoredPathFacts, ...]
    candidates: tuple[CandidateFacts, ...]
    found: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSideCar(Facts):
    """The side-car of one file.

    Attributes:
        file_name: Its name.
        mode: ``private``, ``standard`` or ``unknown``; None when it cannot be read.
        license_mode: ``none``, ``mak``, ``kms`` or ``unknown``; None when it cannot be read.
        disk_size: Bytes of the disk that it describes, None when that is not plausible or it cannot be read.
        block_size: Bytes of a block that it names, None when it names none or cannot be read.
        sector_size: Bytes of a sector that it names, None when that is none that exists or it cannot be read.
        implausible: What of it cannot be, one sentence each.
        problem: Why it cannot be read, None when it can.
    """

    file_name: str
    mode: str | None
    license_mode: str | None
    disk_size: int | None
    block_size: int | None
    sector_size: int | None
    implausible: tuple[str, ...]
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainFile(Facts):
    """One file of the chain.

    Attributes:
        path: The file.
        file_name: Its name without its folder.
        version: Version number, 0 for the base; None when its name is none of this vDisk.
        kind: Base, version or merged base; None when its name is none of this vDisk.
        format: ``vhd``, ``vhdx`` or ``raw``.
        type: ``fixed``, ``dynamic`` or ``differencing``; None when the file cannot be opened.
        file_size: Bytes of the file.
        modified: Modification time of the file, None when the system does not tell.
        virtual_size: Bytes of the virtual disk, None when the file cannot be opened.
        sector_size: Bytes of a logical sector, None when the file cannot be opened.
        block_size: Bytes of a block, None where the file has none or cannot be opened.
        allocated_bytes: Bytes of the blocks in it, None where all are there or it cannot be opened.
        unique_id: The id by which a child knows it (VHDX: DataWriteGuid); None where it has none or it is damaged.
        virtual_disk_id: Id that all files of a VHDX chain share; None for other formats.
        created: When it was made, None where the file does not say.
        creator: The program that made it, None where the file does not say.
        pending_log: Entries of a VHDX log that must be replayed; 0 without any.
        interrupted: What is to be told about an interrupted change by vdiskkit, None without one.
        side_car: Its side-car, None without one or when it lies in another folder.
        lock_file: Its lock file, None without one.
        manifest: What the export manifest says about it, None when it does not name it.
        parent: Its parent, None for the base.
        problem: Why it cannot be opened, None when it can.
        notices: What is odd about it.
        structures: Every structure of it, read whole; None unless the chain is checked.
    """

    path: str
    file_name: str
    version: int | None
    kind: VersionKind | None
    format: str
    type: str | None
    file_size: int
    modified: datetime | None
    virtual_size: int | None
    sector_size: int | None
    block_size: int | None
    allocated_bytes: int | None
    unique_id: str | None
    virtual_disk_id: str | None
    created: datetime | None
    creator: str | None
    pending_log: int
    interrupted: str | None
    side_car: ChainSideCar | None
    lock_file: str | None
    manifest: ManifestVersionFacts | None
    parent: ParentSearchFacts | None
    problem: str | None
    notices: tuple[Notice, ...]
    structures: tuple[StructureFacts, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainBreak(Facts):
    """Why the chain is not known down to a base.

    Attributes:
        kind: ``missing``, ``wrong_id``, ``mixed``, ``loop``, ``too_long``, ``unreadable`` or ``unsupported``.
        file: The file at which it ends: the child of what is missing, or the damaged file itself.
        location: Where exactly: the file, and the way into it.
        message: What is wrong.
        hint: What to do.
    """

    kind: BreakKind
    file: str
    location: str
    message: str
    hint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherFile(Facts):
    """A disk file of the vDisk that is not in this chain.

    Attributes:
        file_name: Name in the folder.
        version: Version number.
        kind: Base, version or merged base.
        size: Bytes of the file, None when the folder does not tell.
        modified: Its time, None when the folder does not tell.
        relation: What it has to do with the chain.
        parent_file: The file it was made from, None when that is not known.
        parent_by: ``id`` or ``name``: how that is known.
        has_pvp: Whether its side-car is there.
        has_lock: Whether its lock file is there.
        manifest: What the export manifest says about it, None when it does not name it.
        note: What it means, one sentence.
    """

    file_name: str
    version: int
    kind: VersionKind
    size: int | None
    modified: datetime | None
    relation: Relation
    parent_file: str | None
    parent_by: str | None
    has_pvp: bool
    has_lock: bool
    manifest: ManifestVersionFacts | None
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainFacts(Facts):
    """A disk file, its parents down to the base, and the other versions of its vDisk.

    Attributes:
        target: The file that was named, or that its side-car led to.
        vdisk_name: Name of the vDisk.
        complete: Whether the chain reaches a base, and every file of it can be opened.
        break_at: Why it is not, None when it is.
        files: The files: the named one first, then parent by parent.
        others: Disk files of this vDisk in the folder that are not in the chain, lowest version first.
        newest_version: Highest version number in the folder.
        production_version: The version that targets boot, by the manifest: the one with access Override, else the
            highest with access Production (a scheduled date is not considered); None without a manifest.
        manifest: The export manifest, None without a readable one.
        lock_files: Names of all lock files of the vDisk in the folder.
        notices: What is odd about the folder.
        checked: Whether every structure was read whole.
    """

    target: str
    vdisk_name: str
    complete: bool
    break_at: ChainBreak | None
    files: tuple[ChainFile, ...]
    others: tuple[OtherFile, ...]
    newest_version: int | None
    production_version: int | None
    manifest: ManifestFacts | None
    lock_files: tuple[str, ...]
    notices: tuple[Notice, ...]
    checked: bool

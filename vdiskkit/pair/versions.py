"""Which files of a folder are versions of one vDisk, and which was made from which.

File names follow :mod:`vdiskkit.naming`. A name such as ``win10.2019.vhd`` can be a merged base of ``win10`` or the
base of a vDisk that is called ``win10.2019``: the other files of the folder decide.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.naming import DISK_EXTENSIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdiskkit.pair.listing import Listing

__all__ = [
    "Identity",
    "Member",
    "find_members",
    "find_stem",
    "label_of",
    "link_by_id",
    "link_by_name",
    "read_identities",
]

_FIRST_IMPLAUSIBLE_VERSION = 1000
_DISK_NAME = re.compile(r"(?P<label>.+)\.(?P<extension>avhdx|avhd|vhdx|vhd)", re.IGNORECASE | re.DOTALL)
_VERSION_NAME = re.compile(r"(?P<stem>.+)\.[0-9]{1,5}\.avhdx?", re.DOTALL)
_NUMBERED = re.compile(r"(?P<stem>.+)\.(?P<number>[0-9]{1,5})", re.DOTALL)


class Identity(NamedTuple):
    """Ids of a disk file, as any text that is equal for equal ids.

    Attributes:
        unique_id: The file's own id.
        parent_id: Id of the file it was made from; None for a disk that is whole by itself.
    """

    unique_id: str
    parent_id: str | None


class Member:
    """One disk file of the vDisk.

    Attributes:
        file_name: Name in the folder.
        label: The name without its extension: what side-car and lock file share.
        version: Version number, 0 for the base.
        extension: In lower case.
        identity: Its ids, None when they were not read.
        parent: Name of the file it was made from.
        parent_by: ``id`` or ``name``.
    """

    __slots__ = ("extension", "file_name", "identity", "label", "parent", "parent_by", "version")

    def __init__(self, file_name: str, label: str, version: int, extension: str) -> None:
        self.file_name = file_name
        self.label = label
        self.version = version
        self.extension = extension
        self.identity: Identity | None = None
        self.parent: str | None = None
        self.parent_by: str | None = None

    @property
    def differencing(self) -> bool:
        """Whether the file holds only changes: its ids say so where they are known, else its extension."""
        if self.identity is not None:
            return self.identity.parent_id is not None
        return self.extension.startswith("a")

    @property
    def is_vhdx(self) -> bool:
        """Whether it is of the VHDX family: chains do not mix the two."""
        return self.extension.endswith("x")


def label_of(file_name: str) -> str:
    """Return a file's name without its extension."""
    label, dot, _extension = file_name.rpartition(".")
    return label if dot and label else file_name


def find_stem(file_name: str, listing: Listing, *, differencing: bool = False) -> tuple[str, str | None]:
    """Find the name of the vDisk that a disk or side-car belongs to.

    Args:
        file_name: Name of the file.
        listing: The files of its folder that begin with the shortest possible stem.
        differencing: The file is known to hold only changes, whatever its extension says.

    Returns:
        The name, and one sentence when the name alone could be read in two ways and nothing clearly decides.
    """
    label = label_of(file_name)
    numbered = _NUMBERED.fullmatch(label)
    if numbered is None:
        return label, None
    stem, number = numbered["stem"], int(numbered["number"])
    disks = [file_name, *(name for ext in DISK_EXTENSIONS for name in listing.find(f"{label}.{ext}"))]
    if differencing or any(name.lower().endswith((".avhd", ".avhdx")) for name in disks):
        return stem, None
    reason = _reason_for_name(label, number, listing, _versioned(listing))
    if reason is not None:
        return label, f"{label} is taken for the name of a vDisk, not for version {number} of {stem}: {reason}"
    if any(listing.find(f"{stem}.{ending}") for ending in ("vhd", "vhdx", "pvp", "xml")) or stem.lower() in _versioned(
        listing
    ):
        return stem, None
    others = sorted(_whole_disks(stem, listing) - {label.lower()})
    if others:
        # A whole disk each, and neither base nor version nor manifest: Win.7 and Win.10 are two vDisks.
        return label, (
            f"{label} is taken for the name of a vDisk, not for version {number} of {stem}: only the numbers say "
            f"that {others[0]} is of the same one"
        )
    return stem, f"{label} is taken for version {number} of {stem}; it could be a vDisk that is called {label}"


def _whole_disks(stem: str, listing: Listing) -> set[str]:
    """Labels that are a name and a number, of disks that are no versions by their extension; in lower case."""
    names = (_DISK_NAME.fullmatch(name.lower()) for name in listing.names())
    labels = {match["label"] for match in names if match is not None and not match["extension"].startswith("a")}
    numbered = ((label, _NUMBERED.fullmatch(label)) for label in labels)
    return {label for label, match in numbered if match is not None and match["stem"] == stem.lower()}


def _reason_for_name(label: str, number: int, listing: Listing, versioned: set[str]) -> str | None:
    """Tell why a label that ends with a number is a name by itself; None when it is a version's."""
    if label.lower() in versioned or listing.find(f"{label}.xml"):
        return "it has versions of its own"
    if number >= _FIRST_IMPLAUSIBLE_VERSION:
        return "the number is too high for a version"
    return None


def _versioned(listing: Listing) -> set[str]:
    """Names of the vDisks that have files which are versions for certain."""
    matches = (_VERSION_NAME.fullmatch(name.lower()) for name in listing.names())
    return {match["stem"] for match in matches if match is not None}


def find_members(stem: str, listing: Listing, this: str | None) -> list[Member]:
    """Find all disk files of a vDisk, lowest version first.

    Args:
        stem: Name of the vDisk.
        listing: The files of the folder.
        this: A file that belongs to it for certain.
    """
    found = []
    versioned = _versioned(listing)
    for name in listing.names():
        match = _DISK_NAME.fullmatch(name)
        if match is None:
            continue
        label, extension = match["label"], match["extension"].lower()
        if label.lower() == stem.lower():
            found.append(Member(name, label, 0, extension))
            continue
        numbered = _NUMBERED.fullmatch(label)
        if numbered is None or numbered["stem"].lower() != stem.lower():
            continue
        number = int(numbered["number"])
        certain = extension.startswith("a") or name == this
        if certain or _reason_for_name(label, number, listing, versioned) is None:
            found.append(Member(name, label, number, extension))
    return sorted(found, key=lambda member: (member.version, member.file_name))


def read_identities(members: list[Member], read: Callable[[str], Identity | None]) -> None:
    """Read the ids of all disk files.

    Args:
        members: From :func:`find_members`.
        read: Reads the ids of the file with that name.
    """
    for member in members:
        member.identity = read(member.file_name)


def link_by_name(members: list[Member]) -> None:
    """Give each version the closest lower one of the same format as parent. Members come sorted by version."""
    lower: dict[bool, Member] = {}
    for _version, group in itertools.groupby(members, key=lambda member: member.version):
        same = list(group)
        for member in same:
            parent = lower.get(member.is_vhdx)
            if member.differencing and parent is not None:
                member.parent, member.parent_by = parent.file_name, "name"
        lower.update((member.is_vhdx, member) for member in same)


def link_by_id(members: list[Member], find_other: Callable[[str], str | None]) -> dict[str, str]:
    """Let the ids, where they were read, decide who is whose parent.

    Args:
        members: From :func:`find_members`.
        find_other: Returns which disk file of the folder that is no member has this id; None when none has.

    Returns:
        One sentence for each file, by its name, whose parent id no file here has.
    """
    owners: dict[str, list[str]] = {}
    for member in members:
        if member.identity is not None:
            owners.setdefault(member.identity.unique_id.lower(), []).append(member.file_name)
    all_read = all(member.identity is not None for member in members)
    strays = {}
    for member in members:
        if member.identity is None or member.identity.parent_id is None:
            continue
        candidates = [name for name in owners.get(member.identity.parent_id.lower(), ()) if name != member.file_name]
        if candidates:
            member.parent = member.parent if member.parent in candidates else candidates[0]
            member.parent_by = "id"
        elif all_read:
            other = find_other(member.identity.parent_id.lower())
            if other is not None:
                member.parent, member.parent_by = other, "id"
                continue
            by_name = f"; by its name it would be made from {member.parent}" if member.parent else ""
            strays[member.file_name] = f"no file here has the id of the parent of {member.file_name}{by_name}"
            member.parent = member.parent_by = None
    return strays

r"""Where the parent of a differencing disk may be.

What a file says about its parent is a name, not a path to trust: an image from elsewhere could point anywhere. So the
file names out of the locators are looked for in the child's folder and in the folders that the user gave; whole local
paths only when the user allows them; UNC paths never, because opening one sends credentials to the server named there.
After the stored names come those that PVS would give: for ``name.5.avhd`` the versions 4 to 1 and the base.
"""

from __future__ import annotations

import ntpath
import os
import re
import stat
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import UsageError
from vdiskkit.io.paths import host_path
from vdiskkit.naming import VDiskName, parse_vdisk_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = [
    "NO_FILE",
    "Candidate",
    "ParentFinder",
    "PathKind",
    "followed_path",
    "in_order",
    "path_kind",
    "stored_file_name",
]

NO_FILE = "there is no such file"
"""The problem of a candidate that does not exist."""

_MAX_CANDIDATES = 256
"""Places that are looked at for one parent. Programs store its name in eight ways at most; only a hostile file has
more, and each may be a share that takes seconds to answer."""
_WINDOWS_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\..*)?", re.IGNORECASE)
_UNUSABLE = re.compile(r'[\x00-\x1f<>:"|?*/\\]')
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


class Candidate(NamedTuple):
    """A file that may be the parent.

    Attributes:
        path: The file.
        problem: Why it is not even opened; empty when it can be.
    """

    path: str
    problem: str


class ParentFinder:
    """Lists the files that may be the parent of a disk.

    Args:
        parent_dirs: More folders to look in, after the child's.
        follow_paths: Whether local paths out of the files are used.
    """

    def __init__(self, parent_dirs: Sequence[str], *, follow_paths: bool) -> None:
        self._parent_dirs = tuple(parent_dirs)
        self._follow_paths = follow_paths
        self._listings: dict[str, dict[str, str]] = {}

    def candidates(self, child: str | None, name: str, locators: Sequence[tuple[str, str]]) -> Iterator[Candidate]:
        """Yield the files that exist, and those that do not for the report, best first.

        Args:
            child: Path of the child, None when it has none.
            name: The parent's name in the child's header.
            locators: Pairs of kind and stored path.
        """
        stored = [*(text for _code, text in in_order(locators)), name]
        seen: set[str] = set()
        for candidate in self._all(child, stored):
            key = os.path.normcase(candidate.path)
            if key not in seen and len(seen) < _MAX_CANDIDATES:
                seen.add(key)
                yield candidate

    def _all(self, child: str | None, stored: list[str]) -> Iterator[Candidate]:
        folders = list(self._parent_dirs)
        if child is not None:
            folders.insert(0, os.path.dirname(child))  # noqa: PTH120 - a UNC path stays the text that the user gave
        names = [file_name for file_name in map(stored_file_name, stored) if file_name]
        for file_name in dict.fromkeys(names):
            for folder in folders:
                yield self._in_folder(folder, file_name)
        if self._follow_paths:
            for text in stored:
                path = followed_path(text, os.path.dirname(child) if child is not None else None)  # noqa: PTH120
                if path is not None:
                    yield Candidate(path, _problem(path))
        version = parse_vdisk_name(os.path.basename(child)) if child is not None else None  # noqa: PTH119
        if version is not None and version.version:
            for folder in folders:
                for file_name in self._older_versions(folder, version):
                    yield self._in_folder(folder, file_name)

    def _in_folder(self, folder: str, file_name: str) -> Candidate:
        path = os.path.join(folder, file_name)  # noqa: PTH118 - as above
        problem = _problem(path)
        if problem == NO_FILE:
            # Windows finds names whatever their case; a copy on another system may have changed it.
            other = self._listing(folder).get(file_name.casefold())
            if other is not None and other != file_name:
                path = os.path.join(folder, other)  # noqa: PTH118
                problem = _problem(path)
        return Candidate(path, problem)

    def _older_versions(self, folder: str, child: VDiskName) -> Iterable[str]:
        stem, version = child.stem, child.version
        ending = "x" if child.extension.lower().endswith("x") else ""
        found = []
        for file_name in self._listing(folder).values():
            parts = parse_vdisk_name(file_name)
            if parts is not None and parts.stem.casefold() == stem.casefold() and parts.version < version:
                # Of one version the child's own format comes first, and the differencing file before the merged base.
                other_format = parts.extension.lower().endswith("x") != bool(ending)
                found.append((-parts.version, other_format, not parts.differencing, file_name))
        # The two names that should be there come in any case, so that a message can say that they are not.
        expected = [f"{stem}.{version - 1}.avhd{ending}"] if version > 1 else []
        return [*expected, *(file_name for *_rank, file_name in sorted(found)), f"{stem}.vhd{ending}"]

    def _listing(self, folder: str) -> dict[str, str]:
        """Return the names in a folder by their folded form; read once, empty when it cannot be read."""
        listing = self._listings.get(folder)
        if listing is None:
            try:
                names = sorted(os.listdir(host_path(folder or os.curdir).opened))  # noqa: PTH208
            except (OSError, ValueError, UsageError):
                names = []
            listing = self._listings[folder] = {file_name.casefold(): file_name for file_name in names}
        return listing


def _problem(path: str) -> str:
    try:
        mode = os.stat(host_path(path).opened).st_mode  # noqa: PTH116
    except FileNotFoundError:
        return NO_FILE
    except OSError as exc:
        return f"it cannot be opened: {exc.strerror or exc}"
    except (ValueError, UsageError):
        return "its name cannot be used on this system"
    # A pipe or a device would be opened for ever.
    return "" if stat.S_ISREG(mode) else "it is no regular file"


def in_order(locators: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return locators, pairs of kind and stored path, in the order in which they are used."""
    return sorted(locators, key=_locator_rank)


def _locator_rank(locator: tuple[str, str]) -> int:
    order = ("W2ru", "relative_path", "W2ku", "absolute_win32_path", "Wi2r", "Wi2k", "volume_path")
    return order.index(locator[0]) if locator[0] in order else len(order)


def stored_file_name(text: str) -> str | None:
    """Return the file name in a stored path, None when it cannot be one."""
    if text.startswith("file:"):
        from urllib.parse import unquote

        text = unquote(text)
    file_name = ntpath.basename(text.rstrip("\0 "))
    if file_name in ("", ".", "..") or _UNUSABLE.search(file_name) or _WINDOWS_DEVICE.fullmatch(file_name):
        return None
    return file_name


def followed_path(text: str, folder: str | None) -> str | None:
    """Return the local path that a stored path stands for on this system, None when it is not local or not usable."""
    if stored_file_name(text) is None or text.startswith(("\\\\", "//", "/\\", "\\/", "file:")):
        return None
    windows = os.name == "nt"
    if _DRIVE.match(text):
        return text if windows else None
    if text.startswith("/"):
        return None if windows else text
    if text.startswith("\\") or ":" in text or folder is None:
        return None
    return os.path.join(folder, text if windows else text.replace("\\", "/"))  # noqa: PTH118


class PathKind(NamedTuple):
    """What kind of stored path one is, and what of it is used.

    Attributes:
        kind: ``relative``, ``absolute``, ``volume``, ``unc``, ``url`` or ``name``.
        note: What is done with it, one phrase.
    """

    kind: str
    note: str


def path_kind(text: str, *, follow: bool, folder: str | None) -> PathKind:
    """Tell what kind of path a stored path is, and why only a part of it is used.

    Args:
        text: The path as stored.
        follow: Whether local paths out of the files are used.
        folder: The child's folder, None when the child has no path.
    """
    kind = _kind(text)
    if stored_file_name(text) is None:
        return PathKind(kind, "it gives no usable file name")
    if kind == "name":
        return PathKind(kind, "looked for")
    if kind in ("unc", "volume", "url"):
        what = {"unc": "UNC paths", "volume": "volume paths", "url": "URLs"}[kind]
        return PathKind(kind, f"{what} are never opened, only its file name is used")
    if not follow:
        return PathKind(kind, "not followed, only its file name is used")
    if followed_path(text, folder) is None:
        return PathKind(kind, "no path of this system, only its file name is used")
    return PathKind(kind, "its file name is used, then the path is followed")


def _kind(text: str) -> str:
    if text.startswith("file:"):
        return "url"
    if re.match(r"[\\/]{2}\?[\\/]volume\{", text, re.IGNORECASE):
        return "volume"
    if re.match(r"[\\/]{2}\?[\\/](?!unc[\\/])", text, re.IGNORECASE):
        return "absolute"
    if text[:2] in ("\\\\", "//", "/\\", "\\/"):
        return "unc"
    if _DRIVE.match(text) or text.startswith(("/", "\\")) or text[1:2] == ":":
        return "absolute"
    folder = ntpath.dirname(text)
    return "relative" if folder not in ("", ".") else "name"

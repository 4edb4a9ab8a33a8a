r"""Paths of the machine we run on: what may be named, and the form that the operating system needs.

Accepted are ``C:\x``, ``C:/x``, ``\\server\share\x``, ``\\?\C:\x``, ``\\?\UNC\server\share\x`` and, on other systems,
whatever their paths look like. From about 240 characters on, Windows needs the ``\\?\`` form; it is added here.
Refused are ``C:x`` (which file that is depends on a hidden per-drive folder) and devices (``\\.\PhysicalDrive0``, and
``con`` or ``nul.vhd`` on Windows): a vDisk is a file. Refused on Windows are further names that mean another file than
they say: ``disk.vhd.``, of which it drops the dot, and ``disk.vhd:x``, which is a stream. What lies beside a disk is
looked for by its name, so there must be one name only; :func:`real_path` finds it behind links, short names and
another case. Wildcards are expanded here because ``cmd.exe`` does not.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from typing import TYPE_CHECKING, NamedTuple, Protocol

from vdiskkit.errors import SourceError, UsageError
from vdiskkit.io.source import FileSource
from vdiskkit.location import Location

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "HOST_PATHS",
    "LONG_PATH_FROM",
    "HostPath",
    "PathRules",
    "expand",
    "fits",
    "folder_of",
    "host_path",
    "is_there",
    "names_in",
    "open_source",
    "read_beside",
    "real_path",
]

LONG_PATH_FROM = 240
"""Characters from which the long form is used: MAX_PATH is 260, and folders stop at 248 to leave room for a name."""

_LONGEST_NAME = 255
_DRIVE_RELATIVE = re.compile(r"[A-Za-z]:(?![\\/])")
_DEVICE = re.compile(r"[\\/]{2}\.(?:[\\/]|$)")
_VERBATIM = re.compile(r"[\\/]{2}\?[\\/]")
_VERBATIM_FILE = re.compile(
    r"(?:[A-Za-z]:[\\/]|UNC[\\/][^\\/]+[\\/][^\\/]+[\\/]|Volume\{[0-9a-f-]+\}[\\/]).", re.IGNORECASE
)
_RESERVED = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])(?: *[.:].*)?", re.IGNORECASE
)
_UNC = re.compile(r"\\\\[^\\?.]")
_WINDOWS = os.name == "nt"


class PathRules(Protocol):
    """How paths are written on a file system: the modules :mod:`ntpath` and :mod:`posixpath` are such rules."""

    def join(self, path: str, /, *paths: str) -> str:
        """Put names behind a folder."""
        ...

    def split(self, p: str, /) -> tuple[str, str]:
        """Split into folder and name."""
        ...

    def basename(self, p: str, /) -> str:
        """Return the name."""
        ...

    def normcase(self, s: str, /) -> str:
        """Return what is equal for names that mean the same file."""
        ...


HOST_PATHS: PathRules = os.path
"""The rules of this machine."""


class HostPath(NamedTuple):
    """A checked path.

    Attributes:
        shown: As the user wrote it; messages repeat it.
        opened: As the operating system gets it.
    """

    shown: str
    opened: str


def host_path(path: str | os.PathLike[str], *, windows: bool = _WINDOWS) -> HostPath:
    r"""Check a path and give it the form in which it can be opened.

    Args:
        path: Any path of the forms in the module docstring.
        windows: Whether Windows will open it; the checks are the same everywhere.

    Raises:
        UsageError: The path is empty, holds a NUL or a character that this system cannot encode, is drive-relative
            (``C:x``), names a device, or means on Windows another file than it says.
    """
    text = os.fspath(path)
    if not text:
        raise UsageError("the path is empty", hint="name a file")
    if "\0" in text:
        raise UsageError("the path holds a NUL character", location=Location(text), hint="name a file")
    try:
        os.fsencode(text)
    except UnicodeEncodeError as exc:
        raise UsageError(
            f"the path holds a character that no file name can have here: U+{ord(text[exc.start]):04X}",
            location=Location(text),
            hint="check the encoding of the list or script that the path comes from",
        ) from None
    if _DEVICE.match(text):
        raise _device(text)
    if _VERBATIM.match(text):
        if not _VERBATIM_FILE.match(text, 4):
            raise _device(text)
        # Behind this prefix Windows takes the text literally, so a slash there would be part of a name.
        return HostPath(text, text.replace("/", "\\") if windows else text)
    if _DRIVE_RELATIVE.match(text):
        raise UsageError(
            "a path that is relative to the current folder of a drive is not accepted",
            location=Location(text),
            hint=f"write {text[:2]}\\{text[2:]} for a file of that drive, ./{text} for a file of that name; "
            "in shells that take backslashes out, put the path in double quotes",
        )
    if not windows:
        return HostPath(text, text)
    _check_windows_names(text)
    return HostPath(text, _long_form(text))


def real_path(path: str) -> str:
    """Return the path of the file itself: behind symbolic links, and by the name that it has in its folder.

    On Windows a file answers to other names too: in another case, and to a short one (``DESKIM~1.VHD``). The path is
    returned as it is when it names the file by its own name, and when there is no such file.

    Raises:
        UsageError: The path can not name a file.
    """
    opened = host_path(path).opened
    try:
        if os.path.islink(opened):
            return os.path.realpath(opened, strict=True)
        if not _WINDOWS or not os.path.lexists(opened):
            return path
        name = os.path.basename(os.path.realpath(opened, strict=True))
    except OSError:
        return path
    folder, written = os.path.split(path)
    return os.path.join(folder, name) if name and name != written else path


def open_source(path: str | os.PathLike[str], *, steady: bool = False) -> FileSource:
    """Open a file for reading, after :func:`host_path`.

    Args:
        path: The file.
        steady: Whether reading fails when the file is changed meanwhile.

    Raises:
        UsageError: The path can not name a file.
        SourceError: The file cannot be opened.
    """
    checked = host_path(path)
    if not _WINDOWS and not os.path.lexists(checked.opened):
        kind = _windows_only(checked.shown)
        if kind:
            raise SourceError(
                f"no such file; {kind} can be opened on Windows only",
                location=Location(checked.shown),
                hint="mount the share or disk and give the path below the mount point",
            )
    return FileSource(checked.shown, checked.opened, steady=steady)


def read_beside(path: str, limit: int) -> bytes:
    """Return the content of a file that lies beside a disk, up to ``limit`` bytes of it, in nobody's way.

    It may have been put there by anybody: only a regular file is read, never one behind a symbolic link.

    Raises:
        UsageError: The path can not name a file.
        SourceError: It cannot be opened or read, or is no such file.
    """
    checked = host_path(path)
    with FileSource(checked.shown, checked.opened, follow=False) as source:
        return source.read_at(0, min(source.size, limit))


def is_there(path: str) -> bool:
    """Whether there is something of this name, be it a link that leads nowhere.

    Raises:
        UsageError: The path can not name a file.
        SourceError: That cannot be found out.
    """
    try:
        os.lstat(host_path(path).opened)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as exc:
        if exc.errno == errno.ENAMETOOLONG:
            return False  # nothing can be called so
        raise SourceError(
            f"whether there is a file of this name cannot be found out: {exc.strerror or exc}",
            location=Location(path),
            hint="check the access rights of its folder and that the share is connected",
        ) from exc
    return True


def folder_of(path: str) -> str:
    """Return the folder of a file, as the operating system gets it.

    Raises:
        UsageError: The path can not name a file.
    """
    return os.path.dirname(host_path(path).opened) or os.curdir


def fits(path: str) -> bool:
    """Whether the name of a file is short enough for the file system of its folder.

    Raises:
        UsageError: The path can not name a file.
    """
    name = os.path.basename(host_path(path).opened)
    if sys.platform == "win32":
        size, longest = len(name.encode("utf-16-le", "surrogatepass")) // 2, _LONGEST_NAME
    else:
        size, longest = len(os.fsencode(name)), _longest_name(folder_of(path))
    return size <= longest


def names_in(folder: str) -> list[str]:
    """Return the names in a folder.

    Raises:
        UsageError: The path can not name a folder.
        OSError: It cannot be listed.
    """
    # The form for a file is asked for: a drive or share in its verbatim form is no path of a file.
    return os.listdir(folder_of(os.path.join(folder, "name")))


def expand(paths: Iterable[str]) -> list[str]:
    """Replace paths with ``*``, ``?`` and ``**`` by the files they stand for, in order of name; others stay as is.

    Square brackets are plain characters. A file that really has a wildcard in its name is found first.

    Raises:
        UsageError: A path is not acceptable, see :func:`host_path`.
        SourceError: A pattern matches no file.
    """
    found: list[str] = []
    for path in paths:
        checked = host_path(path)
        body = path[4:] if _VERBATIM.match(path) else path
        if ("*" not in body and "?" not in body) or os.path.lexists(checked.opened):
            found.append(path)
            continue
        found.extend(_matches(path))
    return found


def _matches(pattern: str) -> list[str]:
    import glob

    literal = pattern.replace("[", "[[]")
    matches = sorted(match for match in glob.iglob(literal, recursive=True) if os.path.isfile(match))
    if not matches:
        raise SourceError("no file matches", location=Location(pattern), hint="check the folder and the pattern")
    return matches


def _check_windows_names(text: str) -> None:
    import ntpath

    for name in re.split(r"[\\/]", ntpath.splitdrive(text)[1]):
        if _RESERVED.fullmatch(name):
            raise _device(text)
        if ":" in name:
            raise UsageError(
                f"{name!r} names a stream of a file, not a file", location=Location(text), hint="name the file itself"
            )
        if name.rstrip(". ") != name and name not in {".", ".."}:
            raise UsageError(
                f"Windows drops the dot or space at the end of {name!r}, so this means another file",
                location=Location(text),
                hint=r"write the name without it, or the whole path behind \\?\ for a file that is really called so",
            )


def _long_form(text: str) -> str:
    import ntpath

    if len(text) < LONG_PATH_FROM and len(ntpath.abspath(text)) < LONG_PATH_FROM:
        return text
    full = ntpath.normpath(ntpath.abspath(text))
    if _UNC.match(full):
        return "\\\\?\\UNC\\" + full[2:]
    return "\\\\?\\" + full


def _windows_only(text: str) -> str | None:
    if _UNC.match(text) or _VERBATIM.match(text):
        return "a path of this form"
    if re.match(r"[A-Za-z]:\\", text):
        return "a path with a drive letter"
    return None


def _device(text: str) -> UsageError:
    return UsageError(
        "this is a device, not a file",
        location=Location(text),
        hint="name a file; in a folder, no name may be that of a device, such as con or nul",
    )


if sys.platform != "win32":

    def _longest_name(folder: str) -> int:
        """Return how many bytes a name may have in a folder."""
        try:
            return os.pathconf(folder, "PC_NAME_MAX")
        except (OSError, ValueError):
            return _LONGEST_NAME

"""Where results go: stdout, or a file that appears whole or not at all."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, BinaryIO, Protocol

from vdiskkit.errors import UsageError
from vdiskkit.events import tell
from vdiskkit.io.opening import open_shared, remove, replace
from vdiskkit.io.paths import host_path
from vdiskkit.location import Location
from vdiskkit.naming import RAW_EXTENSIONS, parse_vdisk_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vdiskkit.cli.session import Session

__all__ = [
    "ClosedPipeError",
    "FileOutput",
    "Output",
    "StdoutOutput",
    "click_output_failed",
    "guard_output",
    "is_vdisk_name",
    "note",
    "open_file",
    "open_output",
    "resolved",
    "same_file",
    "say",
]


_LOCK, _MANIFEST = ".lok", ".xml"
_DISKS = (".pvp", ".vhd", ".vhdx")
_GUARDED = (".pvp", _LOCK, *(f".{extension}" for extension in RAW_EXTENSIONS))
_OURS = ".vdiskkit-"
"""In the names of our own files beside a disk: journals, those that are kept, locks."""
_FOOTER = 512


class ClosedPipeError(Exception):
    """Whoever read our output stopped reading: no error, but nothing more to do."""


class Output(Protocol):
    """A place for the result."""

    def write(self, text: str) -> None:
        """Add text."""

    def write_bytes(self, data: bytes) -> None:
        """Add bytes as they are."""

    def close(self, *, keep: bool) -> None:
        """Finish; ``keep`` says whether what was written counts as a result."""


class StdoutOutput:
    r"""Standard output. Text takes its encoding; what that lacks is shown as ``\u{hex}``."""

    def write(self, text: str) -> None:
        """Write text at once."""
        stream = sys.stdout
        if stream is None:  # started without a standard output
            return
        if os.linesep == "\r\n":
            text = text.replace("\r\n", "\n")  # the stream ends lines so by itself
        try:
            stream.write(encodable(text, stream.encoding))
            stream.flush()
        except OSError as exc:
            raise _stdout_failed(exc) from exc

    def write_bytes(self, data: bytes) -> None:
        """Write bytes past every encoding and newline translation."""
        if sys.stdout is None:
            return
        try:
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        except OSError as exc:
            raise _stdout_failed(exc) from exc

    def close(self, *, keep: bool) -> None:
        """Nothing is left to do: everything has been flushed."""


class FileOutput:
    """A file that is written beside its target and renamed when all is well; UTF-8 for text.

    Args:
        path: The file, as the user named it.
        targets: What is being read: never overwritten.
        overwrite: Whether a file that is there already may be replaced, unless it belongs to a vDisk.

    Raises:
        UsageError: The file cannot be written, or is one that must not be.
    """

    def __init__(self, path: str, targets: Iterable[str] = (), *, overwrite: bool = False) -> None:
        self._shown = path
        opened = guard_output(path, targets)
        # Windows cannot resolve every path of a file that is yet to be made, so only links are followed.
        self._final = resolved(opened) if os.path.islink(opened) else opened
        # A device or named pipe can be written to, but must not be replaced by a file.
        self._direct = os.path.exists(self._final) and not os.path.isfile(self._final)
        if not overwrite and not self._direct and os.path.lexists(self._final):
            raise UsageError(
                "there is a file of this name already",
                location=Location(path),
                hint="name a new file, or add --overwrite to replace this one",
            )
        self._temporary = self._final if self._direct else f"{self._final}.{os.getpid()}.tmp"
        self._file: BinaryIO = self._open()

    def write(self, text: str) -> None:
        """Add text as UTF-8."""
        self.write_bytes(text.encode("utf-8", "backslashreplace"))

    def write_bytes(self, data: bytes) -> None:
        """Add bytes as they are."""
        try:
            self._file.write(data)
        except OSError as exc:
            raise _file_failed(self._shown, exc) from exc

    def close(self, *, keep: bool) -> None:
        """Put the file in its place, or remove what was written so far."""
        try:
            self._file.flush()
            if keep and not self._direct:
                os.fsync(self._file.fileno())
            self._file.close()
            if keep and not self._direct:
                replace(self._temporary, self._final)
            if keep:
                tell("cli", "output", file=self._final)
        except OSError as exc:
            keep = False
            raise _file_failed(self._shown, exc) from exc
        finally:
            self._file.close()
            if not keep and not self._direct:
                _remove(self._temporary)

    def _open(self) -> BinaryIO:
        flags = os.O_WRONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        if not self._direct:
            flags |= os.O_CREAT | os.O_EXCL
        try:
            return os.fdopen(os.open(self._temporary, flags, 0o666), "wb")
        except OSError as exc:
            raise _file_failed(self._shown, exc) from exc


def open_output(session: Session) -> Output:
    """The place that the options name."""
    return open_file(session, session.output) if session.output else StdoutOutput()


def open_file(session: Session, path: str) -> FileOutput:
    """A result file; neither what is read nor the log is written over.

    Raises:
        UsageError: It cannot be written, or must not be.
    """
    if session.log_file and _same_place(path, session.log_file):
        raise UsageError(
            "the result and the log cannot go to the same file",
            location=Location(path),
            hint="name another file for one of them",
        )
    return FileOutput(path, session.targets, overwrite=session.overwrite)


def guard_output(path: str, targets: Iterable[str]) -> str:
    """Return the form in which an output file can be opened, after making sure that it is no vDisk file.

    Raises:
        UsageError: It is one of ``targets``, an existing vDisk, image, side-car or lock file, or would be taken for a
            lock, a journal or a manifest.
    """
    opened = host_path(path).opened
    if os.path.isdir(opened):
        raise UsageError("this is a directory, not an output file", location=Location(path), hint="name a file in it")
    # Links are seen through: a harmless name may lead to a disk.
    final = resolved(opened)
    names = {os.path.basename(path), os.path.basename(final)}
    if any(_speaks_for_a_disk(name) for name in names) or any(_is_manifest(file) for file in (opened, final)):
        raise UsageError(
            "a file of this name would be taken for one that belongs to a vDisk",
            location=Location(path),
            hint="name another output file",
        )
    if not os.path.lexists(opened):
        return opened
    if (
        any(same_file(opened, target) for target in targets)
        or any(is_vdisk_name(name) for name in names)
        or _holds_a_disk(opened)
    ):
        raise UsageError(
            "the output would overwrite a vDisk file", location=Location(path), hint="name another output file"
        )
    return opened


def is_vdisk_name(name: str) -> bool:
    """Whether a file of this name belongs to a vDisk: disk, side-car, lock, or a file of ours beside it."""
    lower = name.lower().rstrip(" .")  # which Windows leaves out
    return parse_vdisk_name(lower) is not None or lower.endswith(_GUARDED) or _OURS in lower


def _speaks_for_a_disk(name: str) -> bool:
    """Whether a file of this name says something of a disk by being there: that it is in use, or was being changed."""
    lower = name.lower().rstrip(" .")
    return lower.endswith(_LOCK) or _OURS in lower


def _is_manifest(path: str) -> bool:
    """Whether PVS would take the file for the list of a vDisk's versions, which lies beside it under its name."""
    folder, name = os.path.split(path)
    stem, extension = os.path.splitext(name.rstrip(" .").lower())
    if extension != _MANIFEST:
        return False
    try:
        beside = {other.lower() for other in os.listdir(folder or os.curdir)}
    except OSError:
        return False  # whoever opens the file tells why
    return any(stem + disk in beside for disk in _DISKS)


def resolved(path: str) -> str:
    """Return where a path leads through links; Windows cannot follow every name, such as that of a console."""
    try:
        return os.path.realpath(path)
    except OSError:
        return os.path.abspath(path)


def same_file(first: str | int, second: str) -> bool:
    """Whether a path or an open file is the file that ``second`` names."""
    try:
        return os.path.samefile(first, host_path(second).opened)
    except (OSError, ValueError, UsageError):
        return False


def encodable(text: str, encoding: str | None) -> str:
    r"""Replace what ``encoding`` lacks by ``\u{hex}``."""
    name = encoding or "utf-8"
    try:
        text.encode(name)
    except UnicodeEncodeError:
        return "".join(char if _fits(char, name) else f"\\u{{{ord(char):x}}}" for char in text)
    return text


def say(text: str) -> None:
    """Write whole lines to stderr; a closed stderr is nobody's loss."""
    stream = sys.stderr
    if stream is None:
        return
    try:
        stream.write(encodable(text, stream.encoding))
        stream.flush()
    except (OSError, ValueError):
        return


def note(session: Session, label: str, text: str) -> None:
    """Tell something beside the result, unless the user wants quiet."""
    tell("cli", "note", label=label, message=text)
    if not session.quiet:
        say(f"{label}: {text}\n")


def click_output_failed(exc: OSError) -> Exception | None:
    """Return what the error means if click met it while it wrote help or version to standard output, else None.

    Returns:
        A ClosedPipeError, or a UsageError that says why standard output cannot be written.
    """
    from traceback import walk_tb

    from click import echo

    if any(frame.f_code is echo.__code__ for frame, _ in walk_tb(exc.__traceback__)):
        return _stdout_failed(exc)
    return None


def silence_stdout() -> None:
    """Point stdout at nothing, so that Python does not complain about a closed pipe when it exits."""
    try:
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, sys.stdout.fileno())
        os.close(devnull)
    except (OSError, ValueError, AttributeError):
        return


def _fits(char: str, encoding: str) -> bool:
    try:
        char.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _holds_a_disk(path: str) -> bool:
    """Whether an existing file is a VHD or VHDX by content, whatever its name."""
    if not os.path.isfile(path):
        return False
    try:
        with open(open_shared(path), "rb") as file:
            start = file.read(8)
            file.seek(max(os.path.getsize(path) - _FOOTER, 0))
            end = file.read(9)
    except OSError:
        return False
    return start in (b"conectix", b"vhdxfile") or b"conectix" in end


def _same_place(first: str, second: str) -> bool:
    one, other = (os.path.normcase(resolved(host_path(path).opened)) for path in (first, second))
    return one == other or same_file(one, second)


def _remove(path: str) -> None:
    try:
        remove(path)
    except OSError:
        return


def _stdout_failed(exc: OSError) -> Exception:
    # Windows reports a closed pipe as "invalid argument".
    if isinstance(exc, BrokenPipeError) or (os.name == "nt" and exc.errno == errno.EINVAL):
        return ClosedPipeError()
    silence_stdout()
    return UsageError(
        f"the result cannot be written to standard output: {exc.strerror or exc}",
        hint="check the disk that the output is redirected to",
    )


def _file_failed(path: str, exc: OSError) -> UsageError:
    return UsageError(
        f"the output file cannot be written: {exc.strerror or exc}",
        location=Location(path),
        hint="name a file in a folder that exists and has room",
    )

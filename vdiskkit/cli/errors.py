"""Errors as people and scripts see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vdiskkit.cli import exitcodes
from vdiskkit.cli.output import ClosedPipeError, click_output_failed, say
from vdiskkit.errors import (
    ChecksumError,
    CorruptStructureError,
    FileMissingError,
    FormatError,
    KeyMissingError,
    NotFoundError,
    ReadLimitError,
    UnknownFormatError,
    UsageError,
    ValueMissingError,
    VDiskError,
)
from vdiskkit.events import error_fields, tell
from vdiskkit.text import displayable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vdiskkit.cli.session import Session

__all__ = ["Damage", "InternalError", "as_error", "error_text", "tell_damage", "tell_error"]


_HINTS: Final = (
    (FileMissingError, "`ls` lists what is there"),
    (KeyMissingError, "`reg ls` lists what is there"),
    (ValueMissingError, "`reg ls` lists what is there"),
    (NotFoundError, "`inspect` shows what is there"),
    (UsageError, "see `vdiskkit COMMAND --help`"),
    (ChecksumError, "the file is damaged or was cut while it was copied: copy it again from its source"),
    (CorruptStructureError, "the file is damaged: copy it again from its source, or check it in Windows (chkdsk)"),
    (ReadLimitError, "the file is damaged: copy it again from its source, or check it in Windows (chkdsk)"),
    (UnknownFormatError, "name the .vhd, .vhdx or .pvp file of a vDisk, or a raw image with --format raw"),
    (FormatError, "`inspect` shows what was found"),
)
"""What to do where the error itself does not say it, by class; the first that fits."""


_DAMAGE_TOLD: Final = 10
_DAMAGE_KEPT: Final = 10_000
"""Damaged places that are kept for the report; a hive made for it could have one in every few bytes."""


class Damage:
    """Collects what was left out of a result, each place once."""

    def __init__(self) -> None:
        self._places: dict[str, FormatError] = {}

    def __iter__(self) -> Iterator[FormatError]:
        """Yield the errors in the order in which they were met."""
        return iter(self._places.values())

    def add(self, error: FormatError) -> None:
        """Add an error.

        Raises:
            ReadLimitError: There are too many.
        """
        self._places.setdefault(str(error), error)
        if len(self._places) > _DAMAGE_KEPT:
            raise ReadLimitError(
                f"too damaged to go on: more than {_DAMAGE_KEPT} places cannot be read", location=error.location
            )

    def messages(self) -> list[str]:
        """Return the errors as text."""
        return list(self._places)


class InternalError(VDiskError):
    """A bug in vdiskkit."""

    exit_code = exitcodes.INTERNAL


def as_error(exc: Exception, session: Session) -> VDiskError:
    """Return what a user is told of ``exc``; a bug goes to the log with its traceback.

    Raises:
        ClosedPipeError: ``exc`` only says that nobody reads our output any more.
    """
    if isinstance(exc, VDiskError):
        exc.hint = exc.hint or next((hint for kind, hint in _HINTS if isinstance(exc, kind)), None)
        return exc
    if isinstance(exc, ClosedPipeError | BrokenPipeError):
        raise ClosedPipeError from exc
    if isinstance(exc, OSError) and (fault := click_output_failed(exc)):
        if isinstance(fault, VDiskError):
            return fault
        raise fault from exc
    if session.logs:
        from vdiskkit.cli.logs import log_exception

        log_exception(exc)
    hint = (
        f"report it with the log {session.log_file}" if session.log_file else "repeat with --log-file FILE, report it"
    )
    return InternalError(f"internal error, a bug in vdiskkit: {type(exc).__name__}: {exc}"[:500], hint=hint)


def tell_damage(session: Session, errors: Iterable[VDiskError]) -> int:
    """Tell what was left out of a result, each place once and only the first of many.

    Returns:
        The exit code that it stands for.
    """
    places = {str(error): error for error in errors}
    for told, error in enumerate(places.values()):
        if told == _DAMAGE_TOLD:
            if not (session.json and session.quiet):
                say(f"error: {len(places) - told} more places are damaged\n")
            break
        tell_error(session, as_error(error, session))
    return exitcodes.worst(error.exit_code for error in places.values())


def tell_error(session: Session, error: VDiskError) -> None:
    """Show an error to people, and log it; with JSON output and ``-q`` the JSON alone shows it."""
    level = "critical" if isinstance(error, InternalError) else "error"
    tell("cli", "error", level=level, **error_fields(error), exit_code=error.exit_code)
    if not ((session.json or session.lines) and session.quiet):
        say(error_text(error))


def error_text(error: VDiskError) -> str:
    """What, where and what now, each on a line of its own with a label before it."""
    lines = [f"error: {displayable(error.message)}"]
    if error.location is not None and (error.location.path or error.location.steps):
        lines.append(f"  at    {error.location}")
    if error.hint:
        lines.append(f"  hint  {displayable(error.hint)}")
    return "\n".join(lines) + "\n"

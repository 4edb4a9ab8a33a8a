"""Logging of the command line: warnings nowhere, more with ``-v``, everything in the log file."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vdiskkit.errors import UsageError
from vdiskkit.location import Location
from vdiskkit.text import displayable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vdiskkit.cli.session import Session

__all__ = ["configure", "log_exception"]

_LEVELS = (logging.CRITICAL + 1, logging.INFO, logging.DEBUG)
_LOGGER = "vdiskkit.cli"


class _TextFormatter(logging.Formatter):
    """One line per record, a label first; a traceback line by line behind a mark."""

    def __init__(self, *, tracebacks: bool) -> None:
        super().__init__()
        self._tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        when = _time(record)
        lines = [f"{when} {record.levelname.lower()} {record.name}: {displayable(record.getMessage())}"]
        if record.exc_info and self._tracebacks:
            lines += [f"  | {displayable(line)}" for line in self.formatException(record.exc_info).splitlines()]
        return "\n".join(lines)


class _JsonFormatter(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        from vdiskkit.report.json import dumps

        entry = {"time": _time(record), "level": record.levelname.lower(), "logger": record.name}
        entry["message"] = record.getMessage()
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return dumps(entry, indent=None).rstrip("\n")


def configure(session: Session) -> Callable[[], None]:
    """Attach handlers as the options say; return a function that detaches them.

    The readers below log about odd images. Without ``-v`` that must not reach stderr, where a script would take it
    for an error, so a handler that drops everything is always there.

    Raises:
        UsageError: The log file cannot be written.
    """
    root = logging.getLogger()
    handlers: list[logging.Handler] = [logging.NullHandler()]
    if session.verbosity and not session.quiet:
        stream = logging.StreamHandler(sys.stderr)
        stream.setLevel(_LEVELS[min(session.verbosity, 2)])
        handlers.append(stream)
    if session.log_file:
        handlers.append(_file_handler(session.log_file, session.targets))
    before = root.level
    if len(handlers) > 1:
        root.setLevel(min(handler.level or logging.DEBUG for handler in handlers[1:]))
    for handler in handlers:
        if session.log_format == "json":
            handler.setFormatter(_JsonFormatter())
        else:
            handler.setFormatter(_TextFormatter(tracebacks=isinstance(handler, logging.FileHandler)))
        root.addHandler(handler)

    def close() -> None:
        root.setLevel(before)
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()

    return close


def log_exception(exc: BaseException) -> None:
    """Write the traceback of a bug to the log."""
    logging.getLogger(_LOGGER).critical("internal error", exc_info=exc)


def _file_handler(path: str, targets: Iterable[str]) -> logging.Handler:
    from vdiskkit.cli.output import guard_output

    opened = guard_output(path, targets)
    try:
        handler = logging.FileHandler(opened, encoding="utf-8", errors="backslashreplace")
    except OSError as exc:
        raise UsageError(
            f"the log file cannot be written: {exc.strerror or exc}",
            location=Location(path),
            hint="name a file in a folder that exists and may be written",
        ) from exc
    handler.setLevel(logging.DEBUG)
    return handler


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""Logging of the command line: nowhere, on stderr with ``-v``, and in the log file; one line for each event.

The events of vdiskkit itself are told from ``info`` on, with ``-vv`` from ``debug``. Of what the libraries below
log only warnings are passed on, with ``-vv`` everything, under the name of their logger.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vdiskkit.cli.output import say
from vdiskkit.events import Event, safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vdiskkit.cli.log_file import LogFile
    from vdiskkit.cli.session import Session

__all__ = ["configure", "log_exception"]

_ROOT = "vdiskkit"
_LOGGER = "vdiskkit.cli"


class _Formatter(logging.Formatter):
    """Turns a record into one line, or a bug into one line for each line of its traceback.

    Args:
        run: Id of this run, the same in all its lines.
        tracebacks: Whether the traceback of a bug is told.
    """

    def __init__(self, run: str, *, tracebacks: bool) -> None:
        super().__init__()
        self._run = run
        self._tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines, each with its line end."""
        event = _event(record)
        lines = [self._line(record, event)]
        if record.exc_info and self._tracebacks:
            lines += self._traceback(record, event)
        return "".join(f"{line}\n" for line in lines)

    def _line(self, record: logging.LogRecord, event: Event) -> str:
        return f"{_time(record)} {record.levelname.lower()} {record.process}/{self._run} {event}"

    def _traceback(self, record: logging.LogRecord, event: Event) -> Iterator[str]:
        del event
        assert record.exc_info  # noqa: S101 - asked before
        for line in self.formatException(record.exc_info).splitlines():
            yield self._line(record, Event("traceback", {"line": line}))


class _JsonFormatter(_Formatter):
    """The same as JSON: one object a line, the traceback as a member of its event."""

    def _line(self, record: logging.LogRecord, event: Event) -> str:
        from vdiskkit.report.json import dumps

        entry: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "event": event.name,
            "logger": record.name,
            "pid": record.process,
            "run": self._run,
            **event.fields,
        }
        if record.exc_info and self._tracebacks:
            entry["traceback"] = [safe(line) for line in self.formatException(record.exc_info).splitlines()]
        return dumps(entry, indent=None).rstrip("\n")

    def _traceback(self, record: logging.LogRecord, event: Event) -> Iterator[str]:  # noqa: ARG002 - it is in the event
        return iter(())


class _StderrHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(self.format(record))


class _FileHandler(logging.Handler):
    """Appends to the log file; a log that cannot be written any more is told once, and known to whoever asks."""

    def __init__(self, file: LogFile, session: Session) -> None:
        super().__init__()
        self._file = file
        self._session = session

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._file.append(self.format(record))
        except OSError as exc:
            if self._session.log_problem is None:
                self._session.log_problem = exc.strerror or str(exc)
                say(f"warning: the log file cannot be written any more: {self._session.log_problem}\n")

    def close(self) -> None:
        self._file.close()
        super().close()


def configure(session: Session) -> Callable[[], None]:
    """Attach handlers as the options say; return a function that detaches them.

    The readers below log about odd images. Without ``-v`` that must not reach stderr, where a script would take it
    for an error, so a handler that drops everything is always there.

    Raises:
        UsageError: The log file cannot be written.
    """
    import os

    root = logging.getLogger()
    run = os.urandom(3).hex()
    detail = logging.DEBUG if session.verbosity > 1 else logging.INFO
    handlers: list[logging.Handler] = [logging.NullHandler()]
    if session.log_file:
        from vdiskkit.cli.log_file import LogFile

        handlers.append(_FileHandler(LogFile(session.log_file, session.targets), session))
    if session.verbosity and not session.quiet:
        handlers.append(_StderrHandler())
    before = root.level
    if len(handlers) > 1:
        root.setLevel(detail)
    for handler in handlers:
        kind = _JsonFormatter if session.log_format == "json" else _Formatter
        # A person at a terminal is told what to do; the traceback is for whoever mends it.
        handler.setFormatter(kind(run, tracebacks=isinstance(handler, _FileHandler)))
        handler.setLevel(detail)
        if detail > logging.DEBUG:
            handler.addFilter(_is_for_users)
        root.addHandler(handler)

    def close() -> None:
        root.setLevel(before)
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()

    return close


def log_exception(exc: BaseException) -> None:
    """Write a bug to the log, with its traceback."""
    fields = {"type": type(exc).__name__, "message": str(exc)}
    logging.getLogger(_LOGGER).critical(Event("bug", fields), exc_info=exc)


def _is_for_users(record: logging.LogRecord) -> bool:
    ours = record.name == _ROOT or record.name.startswith(f"{_ROOT}.")
    return ours or record.levelno >= logging.WARNING


def _event(record: logging.LogRecord) -> Event:
    if isinstance(record.msg, Event):
        return record.msg
    try:
        message = record.getMessage()
    except (TypeError, ValueError, KeyError):  # a library whose arguments do not fit its text
        message = str(record.msg)
    return Event("log", {"logger": record.name, "message": message})


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

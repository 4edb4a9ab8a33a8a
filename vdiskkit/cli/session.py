"""What one run of the command line knows: its general options, clock and streams."""

from __future__ import annotations

from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Session"]


def _now() -> datetime:
    return datetime.now(UTC)


class Session:
    """General options and state of one run.

    Attributes:
        verbosity: How often ``-v`` was given.
        quiet: Nothing but errors on stderr.
        color: ``auto``, ``always`` or ``never``; None when the user did not say.
        log_file: Where the log goes in full detail.
        log_format: ``text`` or ``json``.
        log_problem: Why the log file cannot be written any more; None as long as it can.
        arguments: The command line without the program's name.
        command: The command that runs, such as ``reg set``; empty while it is not known.
        began: When the run began, by a clock that never goes back.
        json: Whether the result is one JSON object.
        lines: Whether the result is JSON lines.
        text: Whether text was asked for by name.
        output: Result file, None for stdout.
        overwrite: Whether files that are there already may be replaced by results.
        disk: Options that say how a disk is opened.
        change: Options that say how a change is made.
        schema: Schema name of the command that runs.
        target: The disk of a command that asks one thing of one disk.
        targets: What the command was asked to open, for messages and guards.
        notices: What is to be told of a disk beside its result, by the disk as it was named.
        clock: Tells the time.
    """

    __slots__ = (
        "_log_close",
        "_told",
        "arguments",
        "began",
        "change",
        "clock",
        "color",
        "command",
        "disk",
        "json",
        "lines",
        "log_file",
        "log_format",
        "log_problem",
        "notices",
        "output",
        "overwrite",
        "quiet",
        "schema",
        "started",
        "target",
        "targets",
        "text",
        "verbosity",
    )

    def __init__(self, clock: Callable[[], datetime] = _now) -> None:
        self.verbosity = 0
        self.quiet = False
        self.color: str | None = None
        self.log_file: str | None = None
        self.log_format = "text"
        self.log_problem: str | None = None
        self.arguments: list[str] = []
        self.command = ""
        self.began = monotonic()
        self.json = False
        self.lines = False
        self.text = False
        self.output: str | None = None
        self.overwrite = False
        self.disk: dict[str, Any] = {}
        self.change: dict[str, Any] = {}
        self.schema = "vdiskkit.error/1"
        self.target: str | None = None
        self.targets: list[str] = []
        self.notices: dict[str, list[dict[str, str]]] = {}
        self.clock = clock
        self.started = clock()
        self._log_close: Callable[[], None] | None = None
        self._told = False

    def start(self) -> None:
        """Begin the log that was asked for; called when a command begins, after all options are known.

        Raises:
            UsageError: The log file cannot be written.
        """
        if self._told or not ((self.verbosity and not self.quiet) or self.log_file):
            return
        self._configure()
        from vdiskkit.cli.audit import run_begins

        self._told = True
        run_begins(self)
        self.need_log()

    def need_log(self) -> None:
        """Make sure that what is about to be done can be logged, when a log was asked for.

        Raises:
            UsageError: The log file cannot be written any more.
        """
        if self.log_problem is None:
            return
        from vdiskkit.errors import UsageError
        from vdiskkit.location import Location

        raise UsageError(
            f"the log file cannot be written: {self.log_problem}",
            location=Location(self.log_file or ""),
            hint="nothing was changed; make room for the log, or name another file",
        )

    def silence_readers(self) -> None:
        """Keep what the readers below log from stderr, where a script would take it for an error.

        Python shows warnings of loggers that nobody configured. Importing logging costs as much as reading a value,
        so only commands whose readers may log call this.
        """
        if self._log_close is None:
            self._configure()

    @property
    def logs(self) -> bool:
        """Whether logging is set up."""
        return self._log_close is not None

    def _configure(self) -> None:
        from vdiskkit.cli.logs import configure

        self._log_close = configure(self)

    def close(self, code: int) -> None:
        """Tell the end in the log, take the logging set-up back and close the log file."""
        if self._told:
            from vdiskkit.cli.audit import run_ends

            run_ends(self, code)
            self._told = False
        if self._log_close is not None:
            self._log_close()
            self._log_close = None

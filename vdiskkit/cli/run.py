"""One run of the command line: every outcome becomes an exit code and, where there is one, a message.

==========================  ====  ===========================================================
outcome                     code  said
==========================  ====  ===========================================================
a VDiskError                own   message, place and hint on stderr; with JSON also as an object or a line
click's usage errors        2     the same
Ctrl-C                      130   nothing but the word
closed pipe                 0     nothing
anything else               9     a short text; the traceback goes to the log file only
==========================  ====  ===========================================================
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import click

from vdiskkit.cli import exitcodes
from vdiskkit.cli.errors import as_error, error_text, tell_error
from vdiskkit.cli.late_log import begin_log
from vdiskkit.cli.output import ClosedPipeError, open_output, say, silence_stdout
from vdiskkit.cli.session import Session
from vdiskkit.errors import UsageError, VDiskError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["run"]


def run(args: Sequence[str] | None = None, session: Session | None = None) -> int:
    """Run one command line.

    Args:
        args: Arguments without the program name; None takes those of the process.
        session: A prepared session (tests inject the clock), or None for a fresh one.

    Returns:
        The exit code.
    """
    from vdiskkit.cli.app import root

    arguments = list(sys.argv[1:] if args is None else args)
    session = session or Session()
    session.arguments = arguments
    code: object = exitcodes.INTERNAL
    try:
        code = root.main(arguments, prog_name="vdiskkit", standalone_mode=False, obj=session)
    except (KeyboardInterrupt, click.Abort):
        say("cancelled\n")
        code = exitcodes.CANCELLED
    except SystemExit:  # click leaves this way when its own output meets a closed pipe
        code = exitcodes.OK
    except Exception as exc:  # noqa: BLE001 - the one place where every outcome gets its exit code
        code = _failed(exc, session, arguments)
    finally:
        ended = code if isinstance(code, int) else exitcodes.OK
        session.close(ended)
    return ended


def _failed(exc: Exception, session: Session, arguments: Sequence[str]) -> int:
    if isinstance(exc, click.ClickException):
        begin_log(session, exc, arguments)
    try:
        if isinstance(exc, click.exceptions.NoArgsIsHelpError):
            say(exc.format_message() + "\n")
            return exitcodes.USAGE
        if isinstance(exc, click.ClickException):
            error: VDiskError = _usage_error(exc, session)
            session.json |= _asks_for(arguments, "json")
            session.lines |= _asks_for(arguments, "jsonl")
        else:
            error = as_error(exc, session)
        tell_error(session, error)
        if session.json or session.lines:
            _write_error(session, error)
    except ClosedPipeError:
        silence_stdout()
        return exitcodes.OK
    return error.exit_code


def _usage_error(exc: click.ClickException, session: Session) -> UsageError:
    context = exc.ctx if isinstance(exc, click.UsageError) else None
    session.schema = getattr(context and context.command, "schema", None) or session.schema
    command = context.command_path if context else "vdiskkit"
    # click sets the choices of a missing argument one below the other, each behind a tab; here a message is one line.
    message = re.sub(r"\s*[\n\t]\s*", " ", exc.format_message())
    return UsageError(message.rstrip("."), hint=f"see `{command} --help`")


def _write_error(session: Session, error: VDiskError) -> None:
    """Put the error as JSON where the result would have gone."""
    text = _error_document(session, error) if session.json else _error_line(session, error)
    try:
        output = open_output(session)
        output.write(text)
        output.close(keep=True)
    except UsageError as exc:
        if exc.message != error.message:
            say(error_text(exc))


def _error_document(session: Session, error: VDiskError) -> str:
    from vdiskkit.report.json import document, dumps, error_dict

    told = error_dict(error)
    disks = [] if session.target is None else [{"target": session.target, "error": told}]
    return dumps(document(session.schema, disks, started=session.started, exit_code=error.exit_code, error=told))


def _error_line(session: Session, error: VDiskError) -> str:
    from vdiskkit.report.lines import error_line

    return error_line(session.target, error)


def _asks_for(arguments: Sequence[str], form: str) -> bool:
    """Whether ``form`` was meant, for command lines that could not be parsed."""
    names = ("--json", "--output-format=json") if form == "json" else (f"--output-format={form}",)
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    return any(first in names or (first, second) == ("--output-format", form) for first, second in pairs)

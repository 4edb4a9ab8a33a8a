"""Talking to a person before and during a change: the question, and how far it is. All of it goes to stderr."""

from __future__ import annotations

import sys
from time import monotonic
from typing import TYPE_CHECKING

import click

from vdiskkit.cli.output import say
from vdiskkit.errors import UsageError
from vdiskkit.events import tell

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vdiskkit.cli.session import Session

__all__ = ["Steps", "ask", "need_answer"]

_PATIENCE = 1.0


def need_answer(session: Session) -> None:
    """Make sure that somebody can say yes, or has said so.

    Raises:
        UsageError: ``--yes`` was not given, and there is no terminal to ask on.
    """
    if not session.change.get("yes") and not _interactive():
        raise UsageError(
            "there is no terminal to ask on, so nothing is changed without --yes",
            hint="look at the plan with --dry-run, then give --yes",
        )


def ask(session: Session, lines: Iterable[str], question: str) -> None:
    """Show what would be done and ask, unless ``--yes`` was given.

    Raises:
        click.Abort: The answer is not yes.
    """
    if session.change.get("yes"):
        tell("cli", "answer", question=question, answer="yes", given_by="--yes")
        return
    say("".join(f"{line}\n" for line in lines) + f"{question} [y/N] ")
    try:
        answer = sys.stdin.readline()
    except (OSError, ValueError, UnicodeDecodeError):
        answer = ""
    agreed = answer.strip().lower() in ("y", "yes")
    tell("cli", "answer", question=question, answer="yes" if agreed else "no", given_by="terminal")
    if not agreed:
        raise click.Abort


class Steps:
    """Shows the step that runs, once the work has taken a second, on a terminal only.

    Args:
        session: The run; with ``-q`` nothing is shown, and with ``-v`` the log shows the steps.
    """

    def __init__(self, session: Session) -> None:
        self._shown = not session.quiet and not session.verbosity and _is_terminal(sys.stderr)
        self._began = monotonic()
        self._width = 0  # of the line as it was drawn last; older Windows consoles know no escape sequence for that

    def __call__(self, step: str) -> None:
        """Tell that a step begins."""
        if self._shown and monotonic() - self._began >= _PATIENCE:
            line = f"{step} ..."
            say("\r" + line.ljust(self._width))
            self._width = len(line)

    def part(self, done: int, total: int) -> None:
        """Tell how much of a copy is done, in bytes."""
        self(f"copy {100 * done // total if total else 100} %")

    def clear(self) -> None:
        """Take the line away."""
        if self._width:
            say("\r" + " " * self._width + "\r")
            self._width = 0


def _interactive() -> bool:
    return _is_terminal(sys.stdin) and _is_terminal(sys.stderr)


def _is_terminal(stream: object) -> bool:
    try:
        return bool(stream.isatty())  # type: ignore[attr-defined]  # anything else has no terminal behind it
    except (AttributeError, ValueError):
        return False

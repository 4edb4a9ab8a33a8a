"""The log of a command line that could not be parsed, as far as it still says where the log goes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from vdiskkit.cli.command import ENV_PREFIX, command_name
from vdiskkit.cli.output import say
from vdiskkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdiskkit.cli.session import Session

__all__ = ["begin_log"]

_VALUES = ("--log-file", "--log-format")


def begin_log(session: Session, exc: click.ClickException, arguments: Sequence[str]) -> None:
    """Begin the log, unless it was begun before; a log that cannot be written is told and changes nothing else."""
    context = exc.ctx if isinstance(exc, click.UsageError) else None
    if context is not None:
        session.command = session.command or command_name(context)
    _read_options(session, context, arguments)
    # Whatever stands on the command line may be a disk.
    session.targets = session.targets or [text for text in arguments if not text.startswith("-")]
    session.targets = [text for text in session.targets if text != session.log_file]
    try:
        session.start()
    except UsageError as problem:
        say(f"warning: {problem}\n")


def _read_options(session: Session, context: click.Context | None, arguments: Sequence[str]) -> None:
    """Take the options of the log as they stand there; those that click has read already are the same."""
    prefix = context.auto_envvar_prefix if context is not None else None
    found = {name: os.environ.get(f"{prefix or ENV_PREFIX}_{name[2:].replace('-', '_').upper()}") for name in _VALUES}
    words = list(arguments)
    if "--" in words:
        words = words[: words.index("--")]
    for number, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in _VALUES:
            found[name] = value if equals else next(iter(words[number + 1 :]), None)
    session.log_file = session.log_file or found["--log-file"] or None
    if found["--log-format"] in ("text", "json"):
        session.log_format = found["--log-format"]

"""``vdiskkit journal``: the changes of a disk that are kept."""

from __future__ import annotations

import click

from vdiskkit.cli.command import LazyGroup
from vdiskkit.cli.options import common_options

__all__ = ["command"]

_COMMANDS = {
    "ls": ("vdiskkit.cli.commands.journal_ls", "List the changes that are kept."),
    "show": ("vdiskkit.cli.commands.journal_show", "Show one change with all ranges that it wrote."),
}


@click.group("journal", cls=LazyGroup, commands_in=_COMMANDS, short_help="The changes of a disk that are kept.")
@common_options
def command() -> None:
    """Show the changes of a disk that are kept to be taken back, and one that was interrupted."""

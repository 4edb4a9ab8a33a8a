"""``vdiskkit chain``: the versions of a vDisk."""

from __future__ import annotations

import click

from vdiskkit.cli.command import LazyGroup
from vdiskkit.cli.options import common_options

__all__ = ["command"]

_COMMANDS = {
    "show": ("vdiskkit.cli.commands.chain_show", "Show a disk with all its parents, and what lies beside them."),
    "check": ("vdiskkit.cli.commands.chain_check", "Judge whether chains of versions are whole."),
}


@click.group("chain", cls=LazyGroup, commands_in=_COMMANDS, short_help="The versions of a vDisk and their parents.")
@common_options
def command() -> None:
    """Show or judge the chain of versions that a vDisk is made of."""

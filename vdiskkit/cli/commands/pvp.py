"""``vdiskkit pvp``: the properties side-car."""

from __future__ import annotations

import click

from vdiskkit.cli.command import LazyGroup
from vdiskkit.cli.options import common_options

__all__ = ["command"]

_COMMANDS = {
    "show": ("vdiskkit.cli.commands.pvp_show", "Show every field of a .pvp file."),
    "set": ("vdiskkit.cli.commands.pvp_set", "Change known fields of a .pvp file."),
}


@click.group("pvp", cls=LazyGroup, commands_in=_COMMANDS, short_help="Show or change the properties file (.pvp).")
@common_options
def command() -> None:
    """Show or change the properties file (.pvp) that lies beside a vDisk."""

"""``vdiskkit pvp``: the properties side-car."""

from __future__ import annotations

import click

from vdiskkit.cli.command import LazyGroup
from vdiskkit.cli.options import common_options

__all__ = ["command"]

_COMMANDS = {"show": ("vdiskkit.cli.commands.pvp_show", "Show every field of a .pvp file.")}


@click.group("pvp", cls=LazyGroup, commands_in=_COMMANDS, short_help="Show the properties file (.pvp) of a vDisk.")
@common_options
def command() -> None:
    """Read the properties file (.pvp) that lies beside a vDisk."""

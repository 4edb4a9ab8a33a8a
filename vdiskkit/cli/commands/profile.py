"""``vdiskkit profile``: profiles of rules and expectations."""

from __future__ import annotations

import click

from vdiskkit.cli.command import LazyGroup
from vdiskkit.cli.options import common_options

__all__ = ["command"]

_COMMANDS = {
    "show": ("vdiskkit.cli.commands.profile_show", "Show a profile with all that it extends."),
    "check": ("vdiskkit.cli.commands.profile_check", "Check a profile file."),
    "init": ("vdiskkit.cli.commands.profile_init", "Print a profile to begin with."),
}


@click.group("profile", cls=LazyGroup, commands_in=_COMMANDS, short_help="Profiles of rules and expectations.")
@common_options
def command() -> None:
    """Show, check and begin profiles: which rules count, what is expected of a disk, what is accepted for a while."""

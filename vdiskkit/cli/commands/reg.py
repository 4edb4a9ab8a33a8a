"""``vdiskkit reg``: the registry of a disk or of a hive file."""

from __future__ import annotations

import click

from vdiskkit.cli.command import LazyGroup
from vdiskkit.cli.options import common_options

__all__ = ["command"]

_COMMANDS = {
    "get": ("vdiskkit.cli.commands.reg_get", "Print the data of one value."),
    "ls": ("vdiskkit.cli.commands.reg_ls", "List the values and subkeys of a key."),
    "export": ("vdiskkit.cli.commands.reg_export", "Write a key and all below it as .reg text."),
    "set": ("vdiskkit.cli.commands.reg_set", "Set one value."),
    "delete": ("vdiskkit.cli.commands.reg_delete", "Delete a value, or a key with all below it."),
    "import": ("vdiskkit.cli.commands.reg_import", "Make the changes of a .reg file."),
}


@click.group("reg", cls=LazyGroup, commands_in=_COMMANDS, short_help="Read or change the registry.")
@common_options
def command() -> None:
    r"""Read or change the registry of a disk, or read a hive file.

    On a disk a path looks like HKLM\SOFTWARE\Microsoft; HKEY_LOCAL_MACHINE and HKLM: are understood, too. In a hive
    file it is relative to the hive's root, and \ is the root.
    """

"""The root of the command line: general options and the table of commands."""

from __future__ import annotations

from typing import Any

import click

from vdiskkit.cli.command import ENV_PREFIX, LazyGroup
from vdiskkit.cli.options import common_options

__all__ = ["root"]

_COMMANDS = {
    "inspect": ("vdiskkit.cli.commands.inspect", "Everything known about a vDisk at a glance."),
    "license": ("vdiskkit.cli.commands.license", "Licensing facts only: Windows and Office."),
    "pvp": ("vdiskkit.cli.commands.pvp", "Show the properties file (.pvp) of a vDisk."),
    "reg": ("vdiskkit.cli.commands.reg", "Read the registry of a disk or of a hive file."),
    "ls": ("vdiskkit.cli.commands.ls", "List a directory of the guest file system."),
    "cat": ("vdiskkit.cli.commands.cat", "Write the content of a guest file."),
    "stat": ("vdiskkit.cli.commands.stat", "Show what is known about a guest file."),
    "schema": ("vdiskkit.cli.commands.schema", "Print the JSON Schema of a result."),
}


def _version(ctx: click.Context, _: click.Parameter, value: Any) -> None:  # noqa: ANN401 - click hands over a flag
    if value and not ctx.resilient_parsing:
        from vdiskkit.cli.version import version_text

        click.echo(version_text())
        ctx.exit()


@click.group(
    "vdiskkit",
    cls=LazyGroup,
    commands_in=_COMMANDS,
    context_settings={
        "auto_envvar_prefix": ENV_PREFIX,
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
    },
)
@common_options
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    allow_from_autoenv=False,
    help="Show the version, what it runs on, and the licence.",
)
def root() -> None:
    """Look inside Citrix Provisioning (PVS) vDisks without mounting them.

    Nothing is ever written to a disk, a side-car or a hive. DISK is a .vhd or .avhd file, a .pvp file (its disk is
    found), a raw image with --format raw, and for `reg` also a hive file.
    """

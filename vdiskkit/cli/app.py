"""The root of the command line: general options and the table of commands."""

from __future__ import annotations

from typing import Any

import click

from vdiskkit.cli.command import ENV_PREFIX, LazyGroup
from vdiskkit.cli.options import common_options

__all__ = ["root"]

_COMMANDS = {
    "inspect": ("vdiskkit.cli.commands.inspect", "Everything known about a vDisk at a glance."),
    "validate": ("vdiskkit.cli.commands.validate", "Judge whether vDisks are fit to be copied."),
    "chain": ("vdiskkit.cli.commands.chain", "Show or judge the versions of a vDisk and their parents."),
    "license": ("vdiskkit.cli.commands.license", "Licensing facts only: Windows and Office."),
    "pvp": ("vdiskkit.cli.commands.pvp", "Show or change the properties file (.pvp) of a vDisk."),
    "reg": ("vdiskkit.cli.commands.reg", "Read or change the registry of a disk; read a hive file."),
    "ls": ("vdiskkit.cli.commands.ls", "List a directory of the guest file system."),
    "cat": ("vdiskkit.cli.commands.cat", "Write the content of a guest file."),
    "stat": ("vdiskkit.cli.commands.stat", "Show what is known about a guest file."),
    "kms-prep": (
        "vdiskkit.cli.commands.kms_prep",
        "Set values and remove files, as KMS preparation asks for.",
    ),
    "rm": ("vdiskkit.cli.commands.rm", "Delete one guest file."),
    "replay": ("vdiskkit.cli.commands.replay", "Write back what the logs of hives and of a VHDX hold."),
    "apply": ("vdiskkit.cli.commands.apply", "Carry out a saved plan."),
    "undo": ("vdiskkit.cli.commands.undo", "Take the newest change of a disk back."),
    "recover": ("vdiskkit.cli.commands.recover", "Bring an interrupted change to an end."),
    "journal": ("vdiskkit.cli.commands.journal", "The changes of a disk that are kept."),
    "rules": ("vdiskkit.cli.commands.rules", "List the rules."),
    "rule": ("vdiskkit.cli.commands.rule", "Explain one rule."),
    "explain": ("vdiskkit.cli.commands.explain", "Explain a code: of Windows, PVS or vdiskkit."),
    "profile": ("vdiskkit.cli.commands.profile", "Profiles of rules and expectations."),
    "schema": ("vdiskkit.cli.commands.schema", "Print the JSON Schema of a result."),
    "completion": ("vdiskkit.cli.commands.completion", "Print the completion script of a shell."),
    "powershell": ("vdiskkit.cli.commands.powershell", "Print where the PowerShell module lies."),
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
    """Look inside Citrix Provisioning (PVS) vDisks, and change them, without mounting them.

    Only kms-prep, reg set, reg delete, reg import, rm, replay, pvp set, validate --fix, apply, undo and recover write
    to a disk or its side-car, and none of them without showing a plan first or being told --yes. DISK is a .vhd or
    .vhdx file, a .pvp file (its disk is found), a raw image, and for reading with `reg` also a hive file.
    """

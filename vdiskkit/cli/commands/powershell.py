"""``vdiskkit powershell``: where the PowerShell module lies."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from vdiskkit.cli.command import Command
from vdiskkit.cli.options import common_options

if TYPE_CHECKING:
    from vdiskkit.cli.session import Session

__all__ = ["command", "module_path"]

_MANIFEST = os.path.join("powershell", "VDiskKit", "VDiskKit.psd1")


@click.command(
    "powershell",
    cls=Command,
    exit_codes=(0, 1),
    examples=(
        ("powershell", "the path of the module, for `Import-Module (vdiskkit powershell)`"),
        ("powershell --quiet", "the same"),
    ),
    short_help="Print where the PowerShell module lies.",
)
@common_options
@click.pass_obj
def command(session: Session) -> int:  # noqa: ARG001 - click hands it over
    """Print the path of the PowerShell module VDiskKit that came with this vdiskkit.

    In PowerShell `Import-Module (vdiskkit powershell)` loads it: Get-VDisk, Test-VDisk and more, as objects.
    """
    from vdiskkit.cli.output import StdoutOutput

    StdoutOutput().write(f"{module_path()}\n")
    return 0


def module_path() -> str:
    """Return the path of the module's manifest: in the installed package, else in the checkout around it.

    Raises:
        NotFoundError: This vdiskkit is one file, from which PowerShell cannot load a module, or came without it.
    """
    import vdiskkit
    from vdiskkit.errors import NotFoundError

    package = os.path.dirname(os.path.abspath(vdiskkit.__file__))
    checkout = os.path.dirname(package)
    if not getattr(sys, "frozen", False):  # what a frozen program unpacks is gone when it ends
        if os.path.isfile(os.path.join(package, _MANIFEST)):
            return os.path.join(package, _MANIFEST)
        if os.path.isfile(os.path.join(checkout, "pyproject.toml")) and os.path.isfile(
            os.path.join(checkout, _MANIFEST)
        ):
            return os.path.join(checkout, _MANIFEST)
    raise NotFoundError(
        "the PowerShell module is not there: this vdiskkit is one file, or was installed without it",
        hint="unpack the zip of the module of this version, put vdiskkit beside it, and load it from there",
    )

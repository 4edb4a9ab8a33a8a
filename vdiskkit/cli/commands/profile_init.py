"""``vdiskkit profile init``: a profile to begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vdiskkit.cli.command import Command
from vdiskkit.cli.options import common_options, output_option

if TYPE_CHECKING:
    from vdiskkit.cli.session import Session

__all__ = ["command"]


@click.command(
    "init",
    cls=Command,
    exit_codes=(0,),
    examples=(
        ("profile init", "a profile with every key explained"),
        ("profile init --output vdiskkit.toml", "put into the file that is used in this folder and below"),
    ),
    short_help="Print a profile to begin with.",
)
@output_option
@common_options
@click.pass_obj
def command(session: Session) -> int:
    """Print a profile that extends kms-standard, with every key explained in comments.

    A file that is there already is replaced with --overwrite only.
    """
    from vdiskkit.cli.output import open_output
    from vdiskkit.rules.profile_write import STARTER

    output = open_output(session)
    output.write(STARTER)
    output.close(keep=True)
    return 0

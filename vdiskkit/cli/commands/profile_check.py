"""``vdiskkit profile check``: whether a profile file is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vdiskkit.cli.command import Command
from vdiskkit.cli.options import PathType, common_options

if TYPE_CHECKING:
    from vdiskkit.cli.session import Session

__all__ = ["command"]


@click.command(
    "check",
    cls=Command,
    exit_codes=(0,),
    examples=(
        ("profile check vdiskkit.toml", "says nothing wrong, or file, line and what was meant"),
        ("profile check strict.toml base.toml", "several files"),
    ),
    short_help="Check a profile file.",
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=PathType())
@common_options
@click.pass_obj
def command(session: Session, files: tuple[str, ...]) -> int:
    """Check profile files, with all that they extend: keys, values, rule codes, registry paths, expired waivers.

    What cannot be is an error with its line (exit code 2). A waiver that has expired is said, but is no error.
    """
    from vdiskkit.cli.output import StdoutOutput, note
    from vdiskkit.rules.profile_files import load_profile
    from vdiskkit.text import displayable

    lines = []
    for file in files:
        profile = load_profile(file)
        rules = f"{len(profile.registry)} registry values, {len(profile.waivers)} waivers"
        lines.append(f"ok: {displayable(file)}: {rules}\n")
        for waiver in profile.waivers:
            if waiver.expires < session.started.date():
                note(session, "warning", displayable(f"{waiver.where}: the waiver for {waiver.rule} has expired"))
    StdoutOutput().write("".join(lines))
    return 0

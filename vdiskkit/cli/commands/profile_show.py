"""``vdiskkit profile show``: a profile with all that it extends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vdiskkit.cli.command import Command
from vdiskkit.cli.options import PathType, common_options, output_option

if TYPE_CHECKING:
    from vdiskkit.cli.session import Session

__all__ = ["command"]


@click.command(
    "show",
    cls=Command,
    exit_codes=(0,),
    examples=(
        ("profile show", "the profile that would be used here, or the names of all that are built in"),
        ("profile show kms-standard", "a built-in profile as TOML"),
    ),
    short_help="Show a profile with all that it extends.",
)
@click.argument("name", required=False, metavar="[NAME|FILE]", type=PathType())
@output_option
@common_options
@click.pass_obj
def command(session: Session, name: str | None) -> int:
    """Show a profile as TOML, with everything that it extends put in.

    Without NAME the one that would be used here; when the licence mode of the disk decides, the built-in ones are
    listed.
    """
    from vdiskkit.cli.output import open_output
    from vdiskkit.cli.report_options import named_profile
    from vdiskkit.rules.profile import BUILT_IN
    from vdiskkit.rules.profile_files import load_profile
    from vdiskkit.rules.profile_write import profile_toml
    from vdiskkit.text import displayable

    found, why = (name, None) if name is not None else named_profile(None)
    if found is None:
        lines = [f"{known:<16}{load_profile(known).description}" for known in BUILT_IN]
        text = "".join(f"{line}\n" for line in lines)
    else:
        profile = load_profile(found)
        head = f"# {displayable(profile.name)}, {displayable(profile.source)}" + (f", {why}" if why else "")
        text = f"{head}\n{profile_toml(profile)}"
    output = open_output(session)
    output.write(text)
    output.close(keep=True)
    return 0

"""``vdiskkit stat``: what is known about a guest file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vdiskkit.cli.command import Command
from vdiskkit.cli.options import PathType, common_options, disk_options, json_options, output_option

if TYPE_CHECKING:
    from vdiskkit.cli.session import Session

__all__ = ["command"]


@click.command(
    "stat",
    cls=Command,
    schema="vdiskkit.stat/1",
    exit_codes=(0, 1, 3, 5),
    examples=(
        (r'stat win10.vhd "Windows\System32\spp\store\2.0\tokens.dat"', "size, times, storage, streams"),
        ("stat win10.vhd Windows/explorer.exe --json", "the same as JSON"),
    ),
    short_help="Show what is known about a guest file.",
)
@click.argument("disk", metavar="DISK", type=PathType())
@click.argument("path", metavar="PATH")
@disk_options
@json_options
@output_option
@common_options
@click.pass_obj
def command(session: Session, disk: str, path: str) -> int:
    """Show what is known about a guest file or directory: sizes, times, attributes, streams, links.

    A link is shown itself, not what it leads to.
    """
    from vdiskkit.cli.guest import lookup
    from vdiskkit.cli.output import open_output
    from vdiskkit.cli.results import answer
    from vdiskkit.cli.targets import open_disk, tell_choice
    from vdiskkit.cli.terminal import style_for_file, style_for_stdout
    from vdiskkit.report.file_text import file_lines

    with open_disk(session, disk) as opened:
        tell_choice(session, opened)
        facts = lookup(opened.volume, path, follow=False).facts()
    if session.json:
        answer(session, facts.to_dict(), target=disk)
        return 0
    style = style_for_file(session) if session.output else style_for_stdout(session)
    output = open_output(session)
    output.write("".join(f"{line}\n" for line in file_lines(facts, style)))
    output.close(keep=True)
    return 0

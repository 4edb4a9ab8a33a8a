"""``vdiskkit cat``: the content of a guest file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from vdiskkit.cli.command import Command
from vdiskkit.cli.options import PathType, common_options, disk_options, output_option
from vdiskkit.errors import UsageError

if TYPE_CHECKING:
    from vdiskkit.cli.session import Session
    from vdiskkit.io import ByteSource

__all__ = ["command"]

_CHUNK = 1024 * 1024
_PLAIN = frozenset(b"\t\n\r") | frozenset(range(0x20, 0x7F)) | frozenset(range(0xA0, 0x100))


@click.command(
    "cat",
    cls=Command,
    exit_codes=(0, 1, 3, 5),
    examples=(
        (r'cat win10.vhd "Windows\System32\config\SOFTWARE" --output SOFTWARE', "copy a hive out of the image"),
        ("cat win10.vhd Personality.ini", "show a text file"),
    ),
    short_help="Write the content of a guest file.",
)
@click.argument("disk", metavar="DISK", type=PathType())
@click.argument("path", metavar="PATH")
@disk_options
@output_option
@common_options
@click.pass_obj
def command(session: Session, disk: str, path: str) -> int:
    """Write the content of a guest file byte by byte, to a file or to standard output.

    PATH is not case-sensitive, takes either slash, and needs no drive; file:stream names another data stream.
    """
    from vdiskkit.cli.guest import lookup
    from vdiskkit.cli.output import open_output
    from vdiskkit.cli.targets import open_disk, tell_choice

    with open_disk(session, disk) as opened:
        tell_choice(session, opened)
        source = lookup(opened.volume, path).open()
        if session.output is None and _to_terminal():
            _refuse_control_bytes(source)
        output = open_output(session)
        keep = False
        try:
            for offset in range(0, source.size, _CHUNK):
                output.write_bytes(source.read_at(offset, min(_CHUNK, source.size - offset)))
            keep = True
        finally:
            output.close(keep=keep)
    return 0


def _to_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


def _refuse_control_bytes(source: ByteSource) -> None:
    """A terminal acts on control bytes, and the file comes from an image that nobody has vouched for."""
    for offset in range(0, source.size, _CHUNK):
        if not _PLAIN.issuperset(source.read_at(offset, min(_CHUNK, source.size - offset))):
            raise UsageError(
                "the file holds control bytes, which a terminal would act on",
                location=source.location,
                hint="use --output FILE, or redirect the output",
            )

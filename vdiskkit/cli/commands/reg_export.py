"""``vdiskkit reg export``: a key and all below it as ``.reg`` text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vdiskkit.cli.command import Command
from vdiskkit.cli.options import PathType, common_options, disk_options, output_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.cli.errors import Damage
    from vdiskkit.cli.registry import FoundKey
    from vdiskkit.cli.session import Session

__all__ = ["command"]

_CHUNK = 64 * 1024


def _root(ctx: click.Context, option: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        from vdiskkit.text import displayable

        value = value.strip("\\")
        if not value or displayable(value) != value or "]" in value or "[" in value:
            raise click.BadParameter("give a key name such as SOFTWARE", ctx, option)
    return value


@click.command(
    "export",
    cls=Command,
    exit_codes=(0, 1, 3, 5),
    examples=(
        (r'reg export win10.vhd "HKLM\SYSTEM\Select" --output select.reg', "a file that reg.exe imports (UTF-16LE)"),
        (r'reg export SOFTWARE "Microsoft\Office" --root SOFTWARE', "UTF-8 on standard output, with that root name"),
    ),
    short_help="Write a key and all below it as .reg text.",
)
@click.argument("disk", metavar="DISK", type=PathType())
@click.argument("path", metavar="PATH")
@click.option(
    "--root",
    metavar="NAME",
    callback=_root,
    help=r"Name of the hive in [HKEY_LOCAL_MACHINE\NAME\...]; a whole root such as HKEY_USERS\X is taken as it is.",
)
@disk_options
@output_option
@common_options
@click.pass_obj
def command(session: Session, disk: str, path: str, root: str | None) -> int:
    """Write a key and all below it as .reg text, in the order of the hive.

    In a file it is UTF-16LE with a byte order mark, as regedit writes it; on standard output it is UTF-8. What is
    damaged is left out and told, as are keys and values whose names cannot stand in .reg text; the exit code is then
    3.
    """
    from vdiskkit.cli.errors import Damage, tell_damage
    from vdiskkit.cli.exitcodes import INVALID
    from vdiskkit.cli.output import note, open_output
    from vdiskkit.cli.registry import find_key, tell_odd

    errors = Damage()
    left_out = 0
    with find_key(session, disk, path) as found:
        tell_odd(session, found)
        output = open_output(session)
        keep = False
        try:
            encoding = "utf-16-le" if session.output else "utf-8"
            pending: list[str] = ["\ufeff"] if session.output else []
            size = 0
            for piece in _pieces(found, root, errors, source=disk if session.output else None):
                left_out += piece.lstrip("\r\n").startswith("; left out")
                pending.append(piece)
                size += len(piece)
                if size > _CHUNK:
                    output.write_bytes("".join(pending).encode(encoding))
                    pending, size = [], 0
            output.write_bytes("".join(pending).encode(encoding))
            keep = True
        finally:
            output.close(keep=keep)
    if left_out:
        note(session, "warning", f"{left_out} keys or values left out: their names cannot stand in .reg text")
    damaged = tell_damage(session, errors)
    return damaged or (INVALID if left_out else 0)


def _pieces(found: FoundKey, root: str | None, errors: Damage, *, source: str | None) -> Iterator[str]:
    from vdiskkit.cli.registry import state_mark
    from vdiskkit.registry.regfile import export_keys
    from vdiskkit.text import displayable

    pieces = export_keys(found.key, _root_path(found, root), on_error=errors.add)
    yield next(pieces)  # the header
    if source is not None:
        # A file may lie about for years and should say where it is from; a stream is the same for the same keys.
        mark = f" {state_mark(found.hive)}" if found.hive.dirty else ""
        yield f"; from {displayable(source)}, {displayable(found.file)}{mark}\r\n"
    yield from pieces


def _root_path(found: FoundKey, root: str | None) -> str:
    if root is None:
        return found.root
    return root if root.upper().startswith("HKEY_") else f"HKEY_LOCAL_MACHINE\\{root}"

"""``vdiskkit pvp show``: every field of a side-car."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vdiskkit.cli.command import Command
from vdiskkit.cli.options import PathType, at_option, common_options, json_options, output_option
from vdiskkit.errors import NotFoundError, VDiskError
from vdiskkit.io.paths import real_path
from vdiskkit.location import Location

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vdiskkit.cli.session import Session
    from vdiskkit.pvp.facts import PvpFacts
    from vdiskkit.report.style import Style

__all__ = ["command"]


@click.command(
    "show",
    cls=Command,
    schema="vdiskkit.pvp/1",
    exit_codes=(0, 1, 3, 5),
    examples=(
        ("pvp show win10.pvp", "every field as text"),
        ("pvp show win10.vhd --json", "the side-car of a disk as JSON; the disk itself is not read"),
    ),
    short_help="Show every field of a .pvp file.",
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=PathType())
@at_option
@json_options
@output_option
@common_options
@click.pass_obj
def command(session: Session, files: tuple[str, ...]) -> int:
    """Show every field of a .pvp file, named itself or by its disk."""
    from vdiskkit.cli.results import Work, examine
    from vdiskkit.cli.targets import disk_list, version_file

    session.targets = disk_list(files, None, nul=False)

    def gather(target: str) -> tuple[str, PvpFacts]:
        from vdiskkit.cli.targets import tell_pending
        from vdiskkit.pending import pvp_state

        named = version_file(target, session.disk.get("at"))
        path = side_car(named)
        pvp, notices = pvp_state(_disk_of(named), path)
        tell_pending(session, target, notices)
        return path, pvp.facts()

    def as_text(found: tuple[str, PvpFacts], style: Style) -> Iterable[str]:
        from vdiskkit.report.pvp_text import pvp_lines

        return pvp_lines(found[1], found[0], style)

    def as_dict(found: tuple[str, PvpFacts]) -> dict[str, Any]:
        from vdiskkit.report.pvp_facts import pvp_result

        return pvp_result(found[1], found[0]).to_dict()

    return examine(session, session.targets, Work(gather, as_text, as_dict))


def _disk_of(target: str) -> str:
    """Return the disk that a side-car belongs to; empty when none can be told."""
    if not target.lower().endswith(".pvp"):
        return real_path(target)
    from vdiskkit.pair import disk_for_sidecar

    try:
        return real_path(disk_for_sidecar(target))
    except VDiskError:
        return ""


def side_car(target: str) -> str:
    """Return the side-car that ``target`` is or has.

    Raises:
        NotFoundError: The disk has none.
        SourceError: The disk does not exist.
    """
    if target.lower().endswith(".pvp"):
        return target
    from vdiskkit.io.paths import open_source
    from vdiskkit.pair import read_pair

    open_source(target).close()  # says what is wrong with the path, if anything
    path = read_pair(target).pvp_path
    if path is None:
        raise NotFoundError(
            "there is no .pvp file beside this disk",
            location=Location(target),
            hint="the side-car has the name of the disk file; copy both together",
        )
    return path

"""``vdiskkit chain show``: a disk with all its parents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vdiskkit.cli.command import Command
from vdiskkit.cli.options import PathType, chain_options, common_options, json_options, output_option

if TYPE_CHECKING:
    from vdiskkit.chain.facts import ChainFacts
    from vdiskkit.cli.session import Session
    from vdiskkit.errors import VDiskError

__all__ = ["command"]


@click.command(
    "show",
    cls=Command,
    schema="vdiskkit.chain/1",
    exit_codes=(0, 3, 5),
    examples=(
        (
            "chain show win10.3.avhd",
            "every file down to the base, ids, times, side-cars, where parents were looked for",
        ),
        ("chain show win10.pvp --at latest --json", "the chain of the newest version as JSON"),
    ),
    short_help="Show a disk with all its parents, and what lies beside them.",
)
@click.argument("disk", metavar="DISK", type=PathType())
@chain_options
@json_options
@output_option
@common_options
@click.pass_obj
def command(session: Session, disk: str) -> int:
    """Show a disk and all its parents down to the base, and the other versions in the folder.

    Of every file: version, sizes, ids, times, side-car, what the export manifest says, and each path under which it
    remembers its parent, with what was found there. A chain that is not whole is shown as far as it goes, with exit
    code 3.
    """
    from vdiskkit.cli.targets import read_target_chain

    chain = read_target_chain(session, disk)
    return _write(session, chain, _damage(chain))


def _damage(chain: ChainFacts) -> VDiskError | None:
    from vdiskkit import errors
    from vdiskkit.location import Location

    found = chain.break_at
    if found is None:
        return None
    kinds: dict[str, type[VDiskError]] = {
        "missing": errors.ParentNotFoundError,
        "wrong_id": errors.ParentMismatchError,
        "unreadable": errors.FormatError,
        "unsupported": errors.UnsupportedFeatureError,
    }
    kind = kinds.get(found.kind, errors.ChainError)
    return kind(found.message, location=Location.parse(found.location), hint=found.hint)


def _write(session: Session, chain: ChainFacts, damage: VDiskError | None) -> int:
    from vdiskkit.cli import exitcodes
    from vdiskkit.cli.errors import tell_error
    from vdiskkit.cli.output import open_output
    from vdiskkit.cli.results import answer

    if damage is not None:
        tell_error(session, damage)
    if session.json:
        return answer(session, chain.to_dict(), target=chain.target, damage=damage)
    from vdiskkit.cli.terminal import style_for_file, style_for_stdout
    from vdiskkit.report.chain_text import chain_lines

    style = style_for_file(session) if session.output else style_for_stdout(session)
    output = open_output(session)
    keep = False
    try:
        output.write("".join(f"{line}\n" for line in chain_lines(chain, style)))
        keep = True
    finally:
        output.close(keep=keep)
    return exitcodes.OK if damage is None else damage.exit_code

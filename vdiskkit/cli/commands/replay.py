"""``vdiskkit replay``: write back what the logs of a disk hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vdiskkit.cli.change_options import change_options
from vdiskkit.cli.command import Command
from vdiskkit.cli.options import PathType

if TYPE_CHECKING:
    from vdiskkit.cli.session import Session

__all__ = ["command"]


@click.command(
    "replay",
    cls=Command,
    schema="vdiskkit.patch/1",
    exit_codes=(0, 1, 3, 4, 5, 6, 7),
    examples=(
        ("replay win11.vhdx --dry-run", "which logs wait, and what would be written"),
        ("replay win11.vhdx --check", "exit code 1 when a log waits"),
        ("replay win11.vhdx --yes", "as the next Windows and the next host would do it"),
    ),
    short_help="Write back what the logs of hives and of a VHDX hold.",
)
@click.argument("disk", metavar="DISK", type=PathType())
@change_options
@click.pass_obj
def command(session: Session, disk: str) -> int:
    """Write back what was left in logs when a disk was switched off, not shut down.

    That is the log of a VHDX, and the transaction logs of the hives. Reading shows everything as after the replay
    already, and every other change replays what it needs by itself; this does nothing else. A hive whose logs are
    missing or damaged is left as it is, and a note says so.
    """
    import vdiskkit
    from vdiskkit.cli.change import carry_out

    return carry_out(session, disk, vdiskkit.plan_replay)

"""``vdiskkit chain check``: judge whether chains of versions are whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vdiskkit.cli.command import Command
from vdiskkit.cli.options import PathType, chain_options, common_options, output_option
from vdiskkit.cli.report_options import choice_options, format_options

if TYPE_CHECKING:
    from vdiskkit.cli.session import Session
    from vdiskkit.rules.chain_check import ExaminedChain

__all__ = ["command"]


@click.command(
    "check",
    cls=Command,
    schema="vdiskkit.validate/1",
    exit_codes=(0, 1, 3, 8),
    examples=(
        (r'chain check "D:\store\win10.pvp"', "every structure of the disk and its parents, and the folder"),
        ("chain check win10.vhd --at latest --fail-on warning", "the chain of the newest version, stricter"),
        ("chain check *.avhd --json", "several chains, in the form of validate --json"),
    ),
    short_help="Judge whether chains of versions are whole.",
)
@click.argument("disks", nargs=-1, metavar="DISK...", type=PathType())
@click.option(
    "--profile",
    metavar="NAME|FILE",
    type=PathType(),
    help="A built-in profile or a TOML file. The default is integrity-only, whatever the working folder holds.",
)
@choice_options
@click.option("--all-results", is_flag=True, help="In text, also tell what passed and what was left out.")
@click.option("--files-from", metavar="LIST", type=PathType(), help="Also judge the disks in LIST, one path a line.")
@click.option("-0", "--null", is_flag=True, help="Paths in lists end with NUL instead of a line end.")
@format_options
@chain_options
@output_option
@common_options
@click.pass_obj
def command(
    session: Session,
    disks: tuple[str, ...],
    profile: str | None,
    select: tuple[str, ...],
    extend_select: tuple[str, ...],
    ignore: tuple[str, ...],
    fail_on: str | None,
    strict_unknown: bool,
    exit_zero: bool,
    all_results: bool,
    files_from: str | None,
    null: bool,
    output_format: str | None,
    report: list[tuple[str, str]],
) -> int:
    """Read every structure of a disk's file and of all its parents, both copies of each, and judge them.

    Parent ids and times, sizes, side-cars, locks, interrupted changes, logs and the export manifest are judged as
    well, by the rules of validate that need no look into the disk. A parent that is missing, damaged or another one
    is a finding.
    """
    from vdiskkit.cli.targets import disk_list, read_target_chain
    from vdiskkit.cli.validation import Validation
    from vdiskkit.rules.catalogue import check_codes, rule_codes
    from vdiskkit.rules.chain_check import chain_rules, examine_chain
    from vdiskkit.rules.profile_files import load_profile

    session.targets = disk_list(disks, files_from, nul=null)
    check_codes((*select, *extend_select, *ignore), rule_codes())
    loaded = load_profile(profile) if profile is not None else None

    def judge(target: str) -> ExaminedChain:
        return examine_chain(
            read_target_chain(session, target, check=True),
            loaded,
            select=select,
            extend_select=extend_select,
            ignore=ignore,
            fail_on=fail_on,
            strict_unknown=strict_unknown or None,
            now=session.started,
            chosen_by="by --profile" if loaded is not None else None,
        )

    form = "json" if session.json else output_format or "text"
    run = Validation(session, chain_rules(), form=form, reports=report, every_result=all_results, exit_zero=exit_zero)
    return run.over(session.targets, judge, jobs=1)

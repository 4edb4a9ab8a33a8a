"""``vdiskkit validate``: run the rules over vDisks, as the gate before they are copied."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vdiskkit.cli.change_options import force_option, yes_option
from vdiskkit.cli.command import Command
from vdiskkit.cli.options import PathType, common_options, disk_options, output_option
from vdiskkit.cli.report_options import format_options, rule_options

if TYPE_CHECKING:
    from vdiskkit.cli.session import Session
    from vdiskkit.rules.validate import Examined

__all__ = ["command"]


@click.command(
    "validate",
    cls=Command,
    schema="vdiskkit.validate/1",
    exit_codes=(0, 1, 3, 4, 5, 6, 7, 8),
    examples=(
        (r'validate "D:\store\win10.vhd"', "by the profile that fits the licence mode in the side-car"),
        ("validate win10.vhd --profile kms-standard --report junit=out.xml", "text here, JUnit for the build server"),
        ("validate *.vhd --fail-on warning --ignore VHD105 --json", "several disks, stricter, as one JSON object"),
        ("validate win10.vhd --fix", "also what an edit of the file can mend; --fix --yes does it and judges again"),
    ),
    short_help="Judge whether vDisks are fit to be copied.",
)
@click.argument("disks", nargs=-1, metavar="DISK...", type=PathType())
@rule_options
@click.option("--deep", is_flag=True, help="Also read what costs more than a glance: whole volumes and hives.")
@click.option("--all-results", is_flag=True, help="In text, also tell what passed and what was left out.")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, metavar="N", help="Look at N disks at the same time.")
@click.option("--files-from", metavar="LIST", type=PathType(), help="Also judge the disks in LIST, one path a line.")
@click.option("-0", "--null", is_flag=True, help="Paths in lists end with NUL instead of a line end.")
@click.option("--fix", is_flag=True, help="List what an edit of the files can mend, and mend it after a yes or --yes.")
@click.option("--fix-tokens", is_flag=True, help="With --fix, also remove tokens of another Windows version's store.")
@force_option
@yes_option
@format_options
@disk_options
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
    deep: bool,
    all_results: bool,
    jobs: int,
    files_from: str | None,
    null: bool,
    fix: bool,
    fix_tokens: bool,
    output_format: str | None,
    report: list[tuple[str, str]],
) -> int:
    """Judge whether vDisks are fit to be copied to other PVS servers: the gate of a pipeline.

    The exit code is 1 when something is found at or above the fail level. What an image does not show is "not
    determinable", never a pass; nothing here says that Windows or Office is activated.
    """
    from vdiskkit.cli.fixing import Fixing, check_options
    from vdiskkit.cli.report_options import named_profile
    from vdiskkit.cli.targets import disk_list, open_disk
    from vdiskkit.cli.validation import Validation
    from vdiskkit.rules.catalogue import all_rules, check_codes
    from vdiskkit.rules.profile_files import load_profile
    from vdiskkit.rules.validate import examine

    check_options(session, fix=fix, tokens=fix_tokens, jobs=jobs)
    session.targets = disk_list(disks, files_from, nul=null)
    rules = all_rules()
    check_codes((*select, *extend_select, *ignore), [rule.code for rule in rules])
    name, why = named_profile(profile)
    loaded = load_profile(name) if name is not None else None

    def judge(target: str) -> Examined:
        with open_disk(session, target, shows_notices=True) as disk:
            return examine(
                disk,
                loaded,
                select=select,
                extend_select=extend_select,
                ignore=ignore,
                fail_on=fail_on,
                strict_unknown=strict_unknown or None,
                deep=deep,
                now=session.started,
                chosen_by=why,
            )

    form = "json" if session.json else output_format or "text"
    fixing = Fixing(session, judge, tokens=fix_tokens, tell=form != "text") if fix else None
    run = Validation(
        session, rules, form=form, reports=report, every_result=all_results, exit_zero=exit_zero, fixing=fixing
    )
    return run.over(session.targets, fixing.judge if fixing is not None else judge, jobs=jobs)

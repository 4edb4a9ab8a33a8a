"""``vdiskkit rules``: list all rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vdiskkit.cli.command import Command
from vdiskkit.cli.options import common_options, json_options, output_option

if TYPE_CHECKING:
    from vdiskkit.cli.session import Session

__all__ = ["command"]


@click.command(
    "rules",
    cls=Command,
    schema="vdiskkit.rules/1",
    exit_codes=(0,),
    examples=(
        ("rules", "code, severity and title of every rule"),
        ("rules KMS OFF --json", "the rules of two families, with all that is known about them"),
    ),
    short_help="List the rules.",
)
@click.argument("codes", nargs=-1, metavar="[CODE]...")
@json_options
@output_option
@common_options
@click.pass_obj
def command(session: Session, codes: tuple[str, ...]) -> int:
    """List the rules whose codes begin so, without CODE all of them; `rule CODE` explains one."""
    from vdiskkit.cli.listing import write_facts
    from vdiskkit.report.rules_text import rules_lines
    from vdiskkit.rules.catalogue import FAMILIES, all_rules, check_codes

    wanted = tuple(code.upper() for code in codes)
    check_codes(wanted, [rule.code for rule in all_rules()])
    rules = [rule.facts() for rule in all_rules() if not wanted or rule.code.startswith(wanted)]
    families = {family: title for family, (_, title) in FAMILIES.items()}
    write_facts(session, "rules", rules, lambda style: rules_lines(rules, families, style))
    return 0

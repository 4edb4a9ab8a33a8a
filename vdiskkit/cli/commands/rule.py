"""``vdiskkit rule``: explain one rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vdiskkit.cli.command import Command
from vdiskkit.cli.options import common_options, json_options, output_option

if TYPE_CHECKING:
    from vdiskkit.cli.session import Session

__all__ = ["command"]


@click.command(
    "rule",
    cls=Command,
    schema="vdiskkit.rules/1",
    exit_codes=(0,),
    examples=(
        ("rule KMS110", "what is read, when it passes, why it matters, how to mend it"),
        ("rule kms110 --json", "the same as JSON"),
    ),
    short_help="Explain one rule.",
)
@click.argument("code", metavar="CODE")
@json_options
@output_option
@common_options
@click.pass_obj
def command(session: Session, code: str) -> int:
    """Explain a rule: what is read, when it passes, why it matters, how to mend it, for which versions, its source."""
    from vdiskkit.cli.listing import write_facts
    from vdiskkit.report.rules_text import rule_lines
    from vdiskkit.rules.catalogue import find_rule

    rule = find_rule(code).facts()
    write_facts(session, "rules", [rule], lambda style: rule_lines(rule, style))
    return 0

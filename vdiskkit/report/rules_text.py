"""Rules and profiles as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.report.layout import Row, render

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vdiskkit.report.style import Style
    from vdiskkit.rules.facts import RuleFacts

__all__ = ["rule_lines", "rules_lines"]

_MARKS = {"error": "bad", "warning": "warning", "note": "plain"}


def rules_lines(rules: Sequence[RuleFacts], families: dict[str, str], style: Style) -> list[str]:
    """All rules, by family."""
    return render(_list(rules, families), style)


def rule_lines(rule: RuleFacts, style: Style) -> list[str]:
    """One rule, explained as ``explain`` does it."""
    from vdiskkit.explanations.catalogue import of_rule
    from vdiskkit.report.explain_text import explanation_lines

    return explanation_lines(of_rule(rule), style)


def _list(rules: Sequence[RuleFacts], families: dict[str, str]) -> Iterator[Row]:
    family = None
    for rule in rules:
        own = rule.code.rstrip("0123456789")
        if own != family:
            family = own
            yield Row(own, families.get(own, "of another package"), level=0)
        yield Row(rule.code, f"{rule.severity}: {rule.title}", _MARKS[rule.severity])

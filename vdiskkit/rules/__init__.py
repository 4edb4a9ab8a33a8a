"""Rules that judge an inspection, the profiles that say which of them count, and the report they give.

A rule never reads a disk: it is a function of facts. What is known is gathered first, then judged.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vdiskkit.rules.facts import Finding, Report, RuleResult, Severity, Verdict
    from vdiskkit.rules.model import Context, NotApplicable, Passed, Problem, Rule, Unknown, rule

__all__ = [
    "Context",
    "Finding",
    "NotApplicable",
    "Passed",
    "Problem",
    "Report",
    "Rule",
    "RuleResult",
    "Severity",
    "Unknown",
    "Verdict",
    "rule",
]

_FACTS = ("Finding", "Report", "RuleResult", "Severity", "Verdict")


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("vdiskkit.rules.facts" if name in _FACTS else "vdiskkit.rules.model"), name)

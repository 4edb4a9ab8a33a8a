"""Makes ``docs/rules.md`` from the rules: ``python -m vdiskkit.rules._document docs/rules.md``.

A test fails when the committed page is not what this makes.
"""

from __future__ import annotations

import sys
from pathlib import Path

from vdiskkit.rules.catalogue import FAMILIES, built_in_rules
from vdiskkit.rules.profile import BUILT_IN
from vdiskkit.rules.profile_files import load_profile

__all__ = ["main", "page"]

_HEAD = """# Rules

What `vdiskkit validate` judges. `vdiskkit rule CODE` shows the same on the command line. Codes stay: a rule that is
dropped leaves its number unused.

Each rule comes to one of these verdicts: `pass`, `note`, `warn`, `fail`, `unknown` (not determinable: the image does
not show it), `skipped` (left out, or the question does not arise). A [profile](profiles.md) says which rules count and
how much.
"""

_RESTS = """## What each verdict rests on

A verdict says no more than what was read for it, which is listed here and, as `reads`, beside each verdict in JSON.
What was found there stands in `evidence`. Of what cannot be read the verdict is `unknown`, never `pass`. A fault in
what is read on the way is a finding of NTF106 (the volume) or HIV102 (the hives), whatever rule met it.
"""


def page() -> str:
    """The text of the page."""
    rules = built_in_rules()
    parts = [_HEAD, "| code | severity | demands | left out by |", "|---|---|---|---|"]
    profiles = [load_profile(name) for name in BUILT_IN]
    for rule in rules:
        without = ", ".join(f"`{profile.name}`" for profile in profiles if not profile.selects(rule.code))
        parts.append(f"| [{rule.code}](#{rule.code.lower()}) | {rule.severity} | {_cell(rule.title)} | {without} |")
    parts += ["", _RESTS, "| code | rests on |", "|---|---|"]
    parts += [f"| [{rule.code}](#{rule.code.lower()}) | {_cell(rule.reads)} |" for rule in rules]
    family = None
    for rule in rules:
        if rule.family != family:
            family = rule.family
            parts += ["", f"## {FAMILIES[family][1]} ({family})"]
        facts = rule.facts()
        parts += ["", f"### {rule.code}", f"**{rule.title}.** Severity: {rule.severity}.", ""]
        parts += [
            f"- {label}: {_text(getattr(facts, name))}"
            for label, name in (
                ("Read", "reads"),
                ("Judgement", "judgement"),
                ("Why", "why"),
                ("Fix", "fix"),
                ("Versions", "versions"),
                ("Source", "source"),
            )
        ]
    return "\n".join(parts) + "\n"


def main() -> None:
    """Write the page."""
    Path(sys.argv[1]).write_text(page(), encoding="utf-8", newline="\n")


def _text(text: str) -> str:
    # Placeholders and backslashes are text, not markup.
    return text.replace("\\", "\\\\").replace("<", "&lt;") if "`" not in text else text


def _cell(text: str) -> str:
    return _text(text).replace("|", "\\|")


if __name__ == "__main__":
    main()

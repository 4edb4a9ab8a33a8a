"""Makes ``docs/codes.md`` from the explanations: ``python -m vdiskkit.explanations._document docs/codes.md``.

A test fails when the committed page is not what this makes. Rules have a page of their own.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vdiskkit.explanations.catalogue import explanations
from vdiskkit.explanations.facts import KIND_TITLES, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.explanations.facts import Explanation

__all__ = ["main", "page"]

_HEAD = """# Codes

What `vdiskkit explain CODE` knows besides the [rules](rules.md): codes with which activation fails, events, words of
PVS and of licensing, and what vdiskkit itself says. The texts are in `vdiskkit/explanations/*.toml`.
"""


def page() -> str:
    """The text of the page."""
    kinds = [kind for kind in KIND_TITLES if kind is not Kind.RULE]
    parts = [_HEAD, *(f"- [{KIND_TITLES[kind]}](#{_anchor(KIND_TITLES[kind])})" for kind in kinds)]
    for kind in kinds:
        parts += ["", f"## {KIND_TITLES[kind]}"]
        for item in explanations(kind):
            parts += ["", f"### {item.code}", f"**{_text(item.title)}.** {_text(item.meaning)}", *_details(item)]
    return "\n".join(parts) + "\n"


def main() -> None:
    """Write the page."""
    Path(sys.argv[1]).write_text(page(), encoding="utf-8", newline="\n")


def _details(item: Explanation) -> Iterator[str]:
    rows = [
        ("Also", ", ".join(f"`{form}`" for form in item.also)),
        ("Exit code", str(item.exit_code) if item.exit_code is not None else ""),
        ("Why", _text(item.why)),
        ("Fix", _steps(item.fix)),
        ("Try", ", ".join(f"`{command}`" for command in item.commands)),
        ("Versions", _text(item.versions)),
        ("Related", ", ".join(f"`{code}`" for code in item.related)),
        ("Source", _text(item.source)),
    ]
    told = [f"- {label}: {text}".replace(": \n", ":\n", 1) for label, text in rows if text]
    if told:
        yield ""
        yield from told


def _steps(steps: tuple[str, ...]) -> str:
    if len(steps) < 2:
        return "".join(map(_text, steps))
    return "".join(f"\n  {number}. {_text(step)}" for number, step in enumerate(steps, 1))


def _anchor(title: str) -> str:
    return title.lower().replace(",", "").replace(" ", "-")


def _text(text: str) -> str:
    # What is not in backquotes is text, not markup.
    parts = text.split("`")
    for number in range(0, len(parts), 2):
        parts[number] = parts[number].replace("\\", "\\\\").replace("<", "&lt;").replace("_", "\\_").replace("*", "\\*")
    return "`".join(parts)


if __name__ == "__main__":
    main()

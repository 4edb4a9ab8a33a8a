"""Writing rules as text or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.cli.output import open_output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from vdiskkit.cli.session import Session
    from vdiskkit.report.style import Style
    from vdiskkit.rules.facts import RuleFacts

__all__ = ["write_rules"]


def write_rules(session: Session, rules: Sequence[RuleFacts], as_lines: Callable[[Style], Iterable[str]]) -> None:
    """Write rules to the place that the options name; in JSON they stand at the top, as no disk is concerned."""
    if session.json:
        from vdiskkit.report.json import document, dumps

        built = document(session.schema, [], started=session.started, exit_code=0)
        text = dumps({**built, "rules": [rule.to_dict() for rule in rules]})
    else:
        from vdiskkit.cli.terminal import style_for_file, style_for_stdout

        style = style_for_file(session) if session.output else style_for_stdout(session)
        text = "".join(f"{line}\n" for line in as_lines(style))
    output = open_output(session)
    keep = False
    try:
        output.write(text)
        keep = True
    finally:
        output.close(keep=keep)

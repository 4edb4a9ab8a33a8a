"""Writing facts that concern no disk: as text, or as JSON in which they stand at the top."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.cli.output import open_output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from vdiskkit.cli.session import Session
    from vdiskkit.errors import VDiskError
    from vdiskkit.facts import Facts
    from vdiskkit.report.style import Style

__all__ = ["write_facts"]


def write_facts(
    session: Session,
    member: str,
    facts: Sequence[Facts],
    as_lines: Callable[[Style], Iterable[str]],
    *,
    error: VDiskError | None = None,
) -> None:
    """Write facts to the place that the options name.

    Args:
        session: The run.
        member: Name of the member of the JSON object that holds them.
        facts: What is written.
        as_lines: Makes text of them.
        error: Why something that was asked for is missing among them.
    """
    if session.json:
        from vdiskkit.report.json import document, dumps, error_dict

        code, told = (0, None) if error is None else (error.exit_code, error_dict(error))
        built = document(session.schema, [], started=session.started, exit_code=code, error=told)
        text = dumps({**built, member: [item.to_dict() for item in facts]})
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

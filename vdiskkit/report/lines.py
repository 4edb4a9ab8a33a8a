r"""JSON lines: one object a line, each with its ``type`` and ``target``, and none longer than a script can take.

Windows PowerShell 5.1 parses no JSON above 2 MiB. The results that are written so are cut down in
:mod:`~vdiskkit.report.line_facts`; what cannot be cut, the data of one registry value, is refused when it is longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from vdiskkit.errors import UnsupportedFeatureError
from vdiskkit.report.json import dumps, error_dict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vdiskkit.errors import VDiskError
    from vdiskkit.facts import Facts

__all__ = ["LONGEST_LINE", "error_line", "lines_of"]

LONGEST_LINE: Final = 2_000_000
"""Characters; Windows PowerShell 5.1 takes 2,097,152."""


def lines_of(kind: str, target: str, result: Facts, changes: Iterable[Facts] = ()) -> str:
    """One line of type ``kind`` with the ``result``; before it one of type ``change`` for each of ``changes``.

    Raises:
        UnsupportedFeatureError: One of them would be too long.
    """
    entries: list[dict[str, Any]] = [
        {"type": "change", "target": target, "change": change.to_dict()} for change in changes
    ]
    entries.append({"type": kind, "target": target, "result": result.to_dict()})
    return "".join(_line(entry) for entry in entries)


def error_line(target: str | None, error: VDiskError) -> str:
    """One line of type ``error``; ``target`` is None when the run failed before its disk was known."""
    entry = {"type": "error", "target": target, "error": error_dict(error), "exit_code": error.exit_code}
    return dumps(entry, indent=None)


def _line(entry: dict[str, Any]) -> str:
    text = dumps(entry, indent=None)
    if len(text) > LONGEST_LINE:
        raise UnsupportedFeatureError(
            f"the result has {len(text)} characters as a JSON line, more than the {LONGEST_LINE} a script can take",
            hint="without --output-format jsonl it is shown whole",
        )
    return text

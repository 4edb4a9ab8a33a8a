r"""The JSON contract: one object per run, the same shape for one disk and for many.

::

    {schema, tool {name, version}, started, disks [{target, result} | {target, error}], summary, exit_code, error?}

``error`` at the top is there whenever the run failed; it is the worst of the errors. The text is ASCII only, so it
survives every code page; lone surrogates, which strict readers refuse, become the visible text ``\u{d800}``.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from vdiskkit._version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from vdiskkit.errors import VDiskError

__all__ = ["Elements", "Members", "document", "dumps", "error_dict", "pieces"]

_DOUBLE_HASH = re.compile("#(?=#)")
_encode = json.JSONEncoder(ensure_ascii=True, allow_nan=False).encode
_SURROGATE = re.compile("[\ud800-\udfff]")


def document(
    schema: str,
    disks: Sequence[dict[str, Any]],
    *,
    started: datetime,
    exit_code: int,
    error: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Build the object of one run.

    Args:
        schema: Name and version of the result's schema, such as ``vdiskkit.inspect/1``.
        disks: One dict per disk: ``target`` with ``result`` or ``error``.
        started: When the run began, aware.
        exit_code: What the process will return.
        error: The worst error, None when all went well.
    """
    from vdiskkit.facts import to_plain

    failed = sum(1 for disk in disks if "error" in disk)
    built: dict[str, Any] = {
        "schema": schema,
        "tool": {"name": "vdiskkit", "version": __version__},
        "started": to_plain(started),
        "disks": list(disks),
        "summary": {"disks": len(disks), "failed": failed},
        "exit_code": exit_code,
    }
    if error is not None:
        built["error"] = error
    return built


def error_dict(error: VDiskError) -> dict[str, Any]:
    """An error as JSON: its class, what is wrong, where, and what to do."""
    where = error.location
    return {
        "type": type(error).__name__,
        "message": error.message,
        "location": str(where) if where is not None else None,
        "hint": error.hint,
    }


def dumps(value: Any, *, indent: int | None = 2) -> str:  # noqa: ANN401 - any JSON value
    """Serialise to ASCII with a newline at the end.

    DEL and the marks on which build servers act (``##[``, ``##vso[``) are escaped too: inside JSON strings that
    changes nothing for the reader.
    """
    text = json.dumps(_strict(value), indent=indent, ensure_ascii=True, allow_nan=False)
    return _harmless(text) + "\n"


class Members(NamedTuple):
    """A JSON object whose members are made one by one while it is written."""

    pairs: Iterable[tuple[str, Any]]


class Elements(NamedTuple):
    """A JSON array whose elements are made one by one while it is written."""

    values: Iterable[Any]


def pieces(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    """Yield what :func:`dumps` returns, piece by piece, for a value with :class:`Members` and :class:`Elements`."""
    yield from _pieces(value, "\n")
    yield "\n"


def _pieces(value: Any, margin: str) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    items: Iterable[tuple[str, Any]]
    if isinstance(value, Members | dict):
        pairs = value.items() if isinstance(value, dict) else value.pairs
        (first, last), items = "{}", ((f"{_text(name)}: ", item) for name, item in pairs)
    elif isinstance(value, Elements | list):
        (first, last), items = "[]", (("", item) for item in (value if isinstance(value, list) else value.values))
    else:
        yield _text(value)
        return
    inner, empty = f"{margin}  ", True
    for name, item in items:
        yield f"{first if empty else ','}{inner}{name}"
        yield from _pieces(item, inner)
        empty = False
    yield first + last if empty else margin + last


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return _harmless(_encode(_strict(value)))


def _harmless(text: str) -> str:
    return _DOUBLE_HASH.sub(r"\\u0023", text).replace("\x7f", "\\u007f")


def _strict(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return _SURROGATE.sub(lambda match: f"\\u{{{ord(match.group()):x}}}", value)
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    return value

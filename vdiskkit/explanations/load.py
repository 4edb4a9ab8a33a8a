"""Reading the texts: TOML files in this folder, one table ``[[code]]`` for each code.

Line breaks inside a text are spaces. ``like`` takes from another code of the same file what is not said. An entry of
``source`` is a name from ``sources.toml`` or a text of its own.
"""

from __future__ import annotations

import functools
import tomllib
from typing import Any, NamedTuple

from vdiskkit.resources import read_resource

__all__ = ["Entry", "read_entries"]

_LIKE = ("meaning", "why", "fix", "commands", "versions", "source")


class Entry(NamedTuple):
    """What is written down about one code; see :class:`~vdiskkit.explanations.facts.Explanation` for the fields.

    ``words`` are further forms by which the code is found, not worth showing. ``related`` needs to name a pair in one
    of both entries only. The meaning of an error may be left to the docstring of its class, from which its exit code
    comes as well.
    """

    code: str
    title: str
    also: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    meaning: str = ""
    why: str = ""
    fix: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    versions: str = ""
    related: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    exit_code: int | None = None


def read_entries(name: str) -> tuple[Entry, ...]:
    """Return the entries of one file in its order.

    Args:
        name: The file without its ending.
    """
    tables = _read(name)["code"]
    by_code = {table["code"]: table for table in tables}
    return tuple(_entry(table, by_code.get(table.pop("like", ""), {})) for table in tables)


def _entry(table: dict[str, Any], like: dict[str, Any]) -> Entry:
    known = _sources()
    taken = {key: like[key] for key in _LIKE if key in like}
    values = {key: _folded(value) for key, value in {**taken, **table}.items()}
    values["source"] = tuple(known.get(part, part) for part in values.get("source", ()))
    return Entry(**values)


def _folded(value: Any) -> Any:  # noqa: ANN401 - a text, texts or a number, as TOML has them
    if isinstance(value, str):
        return " ".join(value.split())
    return tuple(_folded(item) for item in value) if isinstance(value, list) else value


@functools.cache
def _sources() -> dict[str, str]:
    return _read("sources")


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(read_resource("vdiskkit.explanations", f"{name}.toml"))

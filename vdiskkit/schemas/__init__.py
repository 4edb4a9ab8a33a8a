"""The JSON Schemas of all results, one file for each; made from the fact classes by ``_generate``."""

from __future__ import annotations

from pathlib import Path

__all__ = ["read_schema", "schema_names"]

_FOLDER = Path(__file__).parent


def schema_names() -> tuple[str, ...]:
    """Names as in the member ``schema`` of a result, such as ``vdiskkit.inspect/1``."""
    stems = sorted(path.stem for path in _FOLDER.glob("*.json"))
    return tuple("vdiskkit.{}/{}".format(*stem.rsplit("-", 1)) for stem in stems)


def read_schema(name: str) -> str:
    """Return one schema as JSON text.

    Raises:
        KeyError: There is none of that name.
    """
    if name not in schema_names():
        raise KeyError(name)
    return (_FOLDER / f"{name.removeprefix('vdiskkit.').replace('/', '-')}.json").read_text(encoding="ascii")

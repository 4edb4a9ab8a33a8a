"""The JSON Schemas of all results, one file for each; made from the fact classes by ``_generate``."""

from __future__ import annotations

from vdiskkit.resources import read_resource, resource_names

__all__ = ["read_schema", "schema_names"]

_ENDING = ".json"


def schema_names() -> tuple[str, ...]:
    """Names as in the member ``schema`` of a result, such as ``vdiskkit.inspect/1``."""
    stems = sorted(name.removesuffix(_ENDING) for name in resource_names(__name__, _ENDING))
    return tuple("vdiskkit.{}/{}".format(*stem.rsplit("-", 1)) for stem in stems)


def read_schema(name: str) -> str:
    """Return one schema as JSON text.

    Raises:
        KeyError: There is none of that name.
    """
    if name not in schema_names():
        raise KeyError(name)
    return read_resource(__name__, name.removeprefix("vdiskkit.").replace("/", "-") + _ENDING)

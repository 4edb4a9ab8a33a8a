"""Holding documents against the published schemas."""

from __future__ import annotations

import functools
import json
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from vdiskkit.schemas import read_schema


def check(document: Any, name: str | None = None) -> None:
    """Fail unless the document is what its schema, or the schema of that name, says."""
    _validator(name or document["schema"]).validate(document)


@functools.cache
def _validator(name: str) -> Draft202012Validator:
    schema = json.loads(read_schema(name))
    Draft202012Validator.check_schema(schema)
    # The identifier is a name, not an address. Versions before 4.18 of the library take it for one, and find nothing.
    del schema["$id"]
    return Draft202012Validator(schema, format_checker=FormatChecker())

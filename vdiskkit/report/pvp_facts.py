"""The result of ``pvp show``: schema ``vdiskkit.pvp/1``."""

from __future__ import annotations

from dataclasses import dataclass, fields

from vdiskkit.pvp.facts import PvpFacts

__all__ = ["PvpResult", "pvp_result"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PvpResult(PvpFacts):
    """A side-car and where it lies.

    Attributes:
        path: The .pvp file.
    """

    path: str


def pvp_result(facts: PvpFacts, path: str) -> PvpResult:
    """Add the path to a side-car's facts."""
    return PvpResult(path=path, **{field.name: getattr(facts, field.name) for field in fields(PvpFacts)})

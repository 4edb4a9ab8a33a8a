"""Names of the sections of an inspection, and the facts that each of them shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SECTIONS", "fields_of"]

SECTIONS: Final = {
    "container": ("container",),
    "chain": ("container",),
    "blocks": ("blocks",),
    "partitions": ("partitions", "volumes"),
    "volume": ("volume", "volumes"),
    "windows": ("windows",),
    "target": ("windows",),
    "license": ("licensing",),
    "tokens": ("licensing",),
    "office": ("licensing",),
    "pvp": ("pvp",),
    "pair": ("pair",),
    "lock": ("pair",),
    "procedure": ("procedure",),
    "readiness": ("readiness",),
    "notices": ("notices",),
    "opinion": ("cross_check",),
}
"""Section name to the fields of :class:`~vdiskkit.inspection.facts.Inspection` that it shows."""


def fields_of(sections: Iterable[str]) -> set[str]:
    """The inspection fields that some sections need; ``target`` always."""
    return {"target"}.union(*(SECTIONS[name] for name in sections))

"""What a differencing VHDX says about its parent, out of its parent locator ([MS-VHDX] section 2.6.2.6)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vdiskkit.container.disk import ParentLink
from vdiskkit.errors import CorruptStructureError

if TYPE_CHECKING:
    from vdiskkit.location import Location

__all__ = ["parent_link_of"]

_GUID = re.compile(r"\{?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\}?", re.IGNORECASE)
_LINKAGE, _LINKAGE_2 = "parent_linkage", "parent_linkage2"
_PATHS = ("relative_path", "volume_path", "absolute_win32_path")


def parent_link_of(locator: dict[str, str], location: Location) -> ParentLink:
    """Return the link that a parent locator's keys and values make.

    The parent must have one of two ids as its DataWriteGuid: ``parent_linkage``, or ``parent_linkage2``, which is there
    while a parent's content changes in a way that keeps the child right.

    Raises:
        CorruptStructureError: ``parent_linkage`` is missing, or an id is none.
    """
    if _LINKAGE not in locator:
        raise CorruptStructureError(
            f"VHDX parent locator: {_LINKAGE}, the id of the parent, is missing", location=location
        )
    ids = []
    for key in (_LINKAGE, _LINKAGE_2):
        if key in locator:
            match = _GUID.fullmatch(locator[key].strip())
            if match is None:
                raise CorruptStructureError(f"VHDX parent locator: {key} is no GUID", location=location)
            ids.append(match[1].lower())
    locators = tuple((key, locator[key]) for key in _PATHS if locator.get(key))
    return ParentLink("", ids[0], 0, locators, (), tuple(ids[1:]))

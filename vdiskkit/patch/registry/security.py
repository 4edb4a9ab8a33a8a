"""Security descriptor cells (sk): how many keys use each, and the ring that links them.

Follows the section "Key security" of the "Windows registry file format specification".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vdiskkit.errors import CorruptStructureError
from vdiskkit.patch.registry.records import put32

if TYPE_CHECKING:
    from vdiskkit.patch.registry.cells import CellStore

__all__ = ["add_references", "drop_references"]

_SECURITY = struct.Struct("<2sHIIII")
_NEXT, _PREVIOUS, _REFERENCES = 4, 8, 12
_REFERENCES_MAX = 0xFFFFFFFF


def add_references(cells: CellStore, offset: int, count: int) -> None:
    """Say that ``count`` more keys use a security descriptor.

    Raises:
        CorruptStructureError: There is none at ``offset``.
    """
    _, _, references = _read(cells, offset)
    if references + count > _REFERENCES_MAX:
        raise CorruptStructureError(
            f"a security descriptor says that {references} keys use it", location=cells.location(offset)
        )
    put32(cells, offset, _REFERENCES, references + count)


def drop_references(cells: CellStore, offset: int, count: int) -> None:
    """Say that ``count`` keys less use a security descriptor; when none is left, take it out of the ring.

    Raises:
        CorruptStructureError: There is none at ``offset``, its count is too low, or the ring is broken.
    """
    following, previous, references = _read(cells, offset)
    if references < count:
        raise CorruptStructureError(
            f"a security descriptor says that {references} keys use it, but {count} of those to be deleted do",
            location=cells.location(offset),
        )
    if references > count:
        put32(cells, offset, _REFERENCES, references - count)
        return
    if offset in (following, previous):
        # The last one of a hive stays in the hive for as long as its root key does.
        raise CorruptStructureError(
            "a security descriptor would be deleted, but it is the only one", location=cells.location(offset)
        )
    if _read(cells, previous)[0] != offset or _read(cells, following)[1] != offset:
        raise CorruptStructureError(
            "the ring of security descriptors is broken: the neighbours of one do not lead to it",
            location=cells.location(offset),
            hint="let Windows repair the hive by loading it",
        )
    put32(cells, previous, _NEXT, following)
    put32(cells, following, _PREVIOUS, previous)
    cells.free(offset, "a security descriptor")


def _read(cells: CellStore, offset: int) -> tuple[int, int, int]:
    raw = cells.read(offset, _SECURITY.size, _SECURITY.size, "a security descriptor")
    signature, _, following, previous, references, _ = _SECURITY.unpack(raw)
    if signature != b"sk":
        raise CorruptStructureError(
            f"a security descriptor cannot be read: the record there begins with {signature!r} instead of 'sk'",
            location=cells.location(offset),
        )
    return following, previous, references

"""Security descriptor cells (sk): how many keys use each, and the ring that links them.

Follows the section "Key security" of the "Windows registry file format specification".
"""

from __future__ import annotations

import struct
from collections import Counter
from typing import TYPE_CHECKING

from vdiskkit.errors import CorruptStructureError
from vdiskkit.patch.registry.records import put32
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from vdiskkit.patch.registry.cells import CellStore

__all__ = ["SecurityCounts"]

_SECURITY = struct.Struct("<2sHIIII")
_NEXT, _PREVIOUS, _REFERENCES = 4, 8, 12
_REFERENCES_MAX = 0xFFFFFFFF


class SecurityCounts:
    """How many keys of an edit use each security descriptor; written when the edit is committed.

    A count is raised before the new keys are visible, and lowered when the old ones are not any more: on the way it is
    too high, never too low.

    Args:
        cells: Cells of the hive.
    """

    def __init__(self, cells: CellStore) -> None:
        self._cells = cells
        self._more: Counter[int] = Counter()
        self._less: Counter[int] = Counter()

    def add(self, offset: int, count: int) -> None:
        """Say that ``count`` more keys use a security descriptor.

        Raises:
            CorruptStructureError: There is none at ``offset``.
        """
        references = self._references(offset)
        if references + count > _REFERENCES_MAX:
            raise CorruptStructureError(
                f"a security descriptor says that {references} keys use it", location=self._cells.location(offset)
            )
        self._more[offset] += count

    def drop(self, offset: int, count: int) -> None:
        """Say that ``count`` keys less use a security descriptor; one that none uses is taken out of the ring.

        Raises:
            CorruptStructureError: There is none at ``offset``, its count is too low, or the ring is broken.
        """
        cells = self._cells
        references = self._references(offset)
        if references < count:
            raise CorruptStructureError(
                f"a security descriptor says that {references} keys use it, but {count} of those to be deleted do",
                location=cells.location(offset),
            )
        if references == count:
            following, previous, _ = _read(cells, offset)
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
        self._less[offset] += count

    def settle(self) -> None:
        """Write the counts, and take descriptors that no key uses out of the ring; called before cells are freed."""
        cells = self._cells
        for offset in sorted(self._more.keys() | self._less.keys()):
            following, previous, references = _read(cells, offset)
            raised = references + self._more[offset]
            left = raised - self._less[offset]
            if left:
                put32(cells, offset, _REFERENCES, raised, Phase.HIVE_CLAIM)
                put32(cells, offset, _REFERENCES, left, Phase.RELEASE)
                continue
            put32(cells, previous, _NEXT, following, Phase.HIVE_UNLINK)
            put32(cells, following, _PREVIOUS, previous, Phase.HIVE_UNLINK)
            cells.free(offset, "a security descriptor")
        self._more.clear()
        self._less.clear()

    def _references(self, offset: int) -> int:
        return _read(self._cells, offset)[2] + self._more[offset] - self._less[offset]


def _read(cells: CellStore, offset: int) -> tuple[int, int, int]:
    raw = cells.read(offset, _SECURITY.size, _SECURITY.size, "a security descriptor")
    signature, _, following, previous, references, _ = _SECURITY.unpack(raw)
    if signature != b"sk":
        raise CorruptStructureError(
            f"a security descriptor cannot be read: the record there begins with {signature!r} instead of 'sk'",
            location=cells.location(offset),
        )
    return following, previous, references

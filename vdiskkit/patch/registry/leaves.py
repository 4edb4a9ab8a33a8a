"""One leaf of a subkey list (lf, lh or li): how it is read, written and how many keys it may hold.

Follows the section "Subkeys list" of the "Windows registry file format specification"; the limits are those seen in
hives that Windows wrote.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import CorruptStructureError
from vdiskkit.registry.upcase import code_units, name_hash

if TYPE_CHECKING:
    from vdiskkit.patch.registry.cells import CellStore

__all__ = ["Leaf", "entry_for", "leaf_limit", "read_leaf"]

HEAD = struct.Struct("<2sH")
_ENTRY = struct.Struct("<I")
_LIMIT_HASHED = 507
"""What fits into one page with a hint or a hash for each key."""
LIMIT = 1012
"""What fits into one page without; since Windows 8 the limit for hashed lists too."""
_LEAF_KINDS = (b"lf", b"lh", b"li")


class Leaf(NamedTuple):
    """A leaf in memory.

    Attributes:
        offset: Offset of its cell.
        kind: ``lf``, ``lh`` or ``li``.
        entries: The raw entries, each beginning with the offset of a key node.
    """

    offset: int
    kind: bytes
    entries: list[bytes]

    def key_at(self, index: int) -> int:
        """Offset of the key node in an entry."""
        return int.from_bytes(self.entries[index][:4], "little")

    def key_offsets(self) -> list[int]:
        """Offsets of all key nodes."""
        return [int.from_bytes(entry[:4], "little") for entry in self.entries]


def read_leaf(cells: CellStore, offset: int) -> Leaf:
    """Read a leaf.

    Raises:
        CorruptStructureError: There is none.
    """
    kind, raw = read_entries(cells, offset)
    width = entry_width(kind)
    return Leaf(offset, kind, [raw[at : at + width] for at in range(0, len(raw), width)])


def read_entries(cells: CellStore, offset: int) -> tuple[bytes, bytes]:
    """Return the kind of a leaf, and its entries as they lie there.

    Raises:
        CorruptStructureError: There is none.
    """
    kind, count = read_head(cells, offset)
    if kind not in _LEAF_KINDS:
        raise CorruptStructureError(
            f"a subkey list begins with {kind!r} where 'lf', 'lh' or 'li' is needed", location=cells.location(offset)
        )
    length = HEAD.size + entry_width(kind) * count
    return kind, cells.read(offset, length, length, f"a subkey list of {count} elements")[HEAD.size :]


def read_head(cells: CellStore, offset: int) -> tuple[bytes, int]:
    """Return the signature of a list and the number of its elements."""
    kind, count = HEAD.unpack(cells.read(offset, HEAD.size, HEAD.size, "a subkey list"))
    return kind, count


def entry_width(kind: bytes) -> int:
    """Bytes of one element in a list of that kind."""
    return 8 if kind in (b"lf", b"lh") else 4


def entry_for(kind: bytes, offset: int, name: str) -> bytes:
    """Return the element for a key in a leaf of that kind."""
    number = _ENTRY.pack(offset)
    if kind == b"li":
        return number
    return number + (_ENTRY.pack(name_hash(name)) if kind == b"lh" else _hint(name))


def encode_leaf(kind: bytes, entries: list[bytes]) -> bytes:
    """Return the content of a leaf's cell."""
    return HEAD.pack(kind, len(entries)) + b"".join(entries)


def leaf_limit(leaf: Leaf) -> int:
    """How many keys a leaf may hold before it is split.

    Hashed leaves of up to 507 keys are what every Windows makes; newer ones let them grow to 1012, and a leaf that is
    beyond the lower limit shows that one of those is at work.
    """
    return LIMIT if leaf.kind == b"li" or len(leaf.entries) > _LIMIT_HASHED else _LIMIT_HASHED


def _hint(name: str) -> bytes:
    # From the fourth character to the first, until one does not fit: a zero first byte sends the look-up to the key.
    hint = bytearray(4)
    units = code_units(name)[:4]
    for index in range(len(units) - 1, -1, -1):
        if units[index] > 0xFF:
            break
        hint[index] = units[index]
    return bytes(hint)

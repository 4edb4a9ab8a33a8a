"""A hive through the eyes of dissect.regf, over the same checked cells.

For scripts that already speak dissect, and as second opinion on what this package reads or has written: its decoding of
keys and values is another implementation. Its cells come from :class:`~vdiskkit.registry.cells.CellReader`, so that no
offset or size of the file is trusted, and the hive is read lazily.

Two of its answers are known to be wrong and stay so here: ``dirty`` is inverted (ask :attr:`Hive.base_block`), and
look-up by name misses healthy keys with non-ASCII names (use :meth:`Hive.find`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, cast

from dissect.regf.regf import RegistryHive

from vdiskkit.io import SourceFile

if TYPE_CHECKING:
    from vdiskkit.registry.hive import Hive

__all__ = ["CheckedRegistryHive", "hive_for_dissect"]

_FIRST_WITH_BIG_DATA = 4


def hive_for_dissect(stream: BinaryIO) -> RegistryHive:
    """Open a hive with dissect.regf; it raises what dissect raises.

    dissect looks for data in pieces from version 1.5 on. Windows makes them from 1.4 on, so a hive of that version is
    shown to it as one of the next, which differs in nothing else that it asks for.
    """
    hive = RegistryHive(stream)
    if hive.version == _FIRST_WITH_BIG_DATA:
        hive.version += 1
    return hive


class CheckedRegistryHive(RegistryHive):  # type: ignore[misc]  # dissect has no type information
    """dissect's hive, reading its cells through checks.

    A cell that is not to be had comes out as :class:`~vdiskkit.errors.FormatError`; a record that does not hold what
    dissect wants of it raises what dissect raises.

    Args:
        hive: The hive to look at.
    """

    def __init__(self, hive: Hive) -> None:
        self._hive = hive
        super().__init__(cast("BinaryIO", SourceFile(hive.source)))

    def _cell_data(self, offset: int) -> tuple[bool, bytes]:
        return True, self._hive.cells.read(offset & 0xFFFFFFFF, 0, self._hive.limits.value_size, "a cell")

"""Structural checks of a hive after an edit: of what was touched, or of everything.

They read the hive anew, on their own, and know nothing of what the editor thinks it did.

Follows Maxim Suhanov's "Windows registry file format specification", and what Windows is known to verify when it loads
a hive: sizes, counts, the order of names, hashes, parents, security descriptors and their counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.errors import FormatError
from vdiskkit.patch.registry.check_cells import CellMap, HiveProblem
from vdiskkit.patch.registry.check_keys import KeyChecker
from vdiskkit.registry.hive import Hive

if TYPE_CHECKING:
    from vdiskkit.io import ByteSource
    from vdiskkit.patch.registry.changes import Touched

__all__ = ["HiveProblem", "check_hive", "check_touched"]


def check_hive(source: ByteSource) -> tuple[HiveProblem, ...]:
    """Check everything in a hive: it reads the whole file.

    Returns:
        What is wrong; empty for a sound hive. A hive that was damaged before an edit is compared with itself: nothing
        may be added.
    """
    try:
        cells = CellMap(source)
    except FormatError as exc:
        return (_unreadable(exc, source),)
    cells.load_all()
    checker = KeyChecker(cells)
    checker.walk()
    checker.securities()
    checker.leaks()
    return tuple(cells.problems)


def check_touched(source: ByteSource, touched: Touched) -> tuple[HiveProblem, ...]:
    """Check what an edit touched: base block, hive bins, keys, their lists, values and security descriptors.

    Returns:
        What is wrong; empty when nothing is.
    """
    try:
        cells = CellMap(source)
        hive = Hive(source)
    except FormatError as exc:
        return (_unreadable(exc, source),)
    for start in touched.bins:
        cells.load_bin(start)
    checker = KeyChecker(cells)
    for path in dict.fromkeys(touched.keys + touched.lists):
        try:
            key, parent = hive.find(path), hive.find(path.rpartition("\\")[0]) if path else None
        except FormatError as exc:
            cells.report("key", f"the key {path!r} cannot be looked up: {exc.message}", None)
            continue
        if key is None:
            cells.report("key", f"the key {path!r} was changed but cannot be found", None)
            continue
        checker.key(key.offset, parent.offset if parent else None, path, children=path in touched.lists)
    for offset in checker.references:
        checker.security(offset)
    return tuple(cells.problems)


def _unreadable(error: FormatError, source: ByteSource) -> HiveProblem:
    return HiveProblem("base-block", error.message, error.location or source.location, severe=True)

"""Upper-casing as Windows does it: one UTF-16 code unit to one code unit, surrogates unchanged.

Key lists are sorted, hashed and searched by this folding. It is a fixed table of Windows, not the ``upper()`` of any
language: sharp s, the micro sign, dotless i and long s stay as they are, and letters added to Unicode later are
unknown to it. Folding that differs by one letter means a wrong hash and a key that exists but is not found.

The table is the ``$UpCase`` of a volume formatted by Windows, as runs: ``first[-last][/step]+delta``, code units and
steps in hexadecimal, the delta in decimal. It is spelled out rather than derived from ``str.upper()``, because that
changes with the Unicode version of the interpreter.
"""

from __future__ import annotations

import re
import struct

__all__ = ["code_units", "name_hash", "sort_key", "upcase"]

_RUNS = (
    "61-7a-32 e0-f6-32 f8-fe-32 ff+121 101-12f/2-1 133-137/2-1 13a-148/2-1 14b-177/2-1 17a-17e/2-1 "
    "180+195 183-185/2-1 188-1 18c-1 192-1 195+97 199-1 19a+163 19e+130 1a1-1a5/2-1 1a8-1 1ad-1 1b0-1 "
    "1b4-1b6/2-1 1b9-1 1bd-1 1bf+56 1c6-2 1c9-2 1cc-2 1ce-1dc/2-1 1dd-79 1df-1ef/2-1 1f3-2 1f5-1 "
    "1f9-21f/2-1 223-233/2-1 23c-1 242-1 247-24f/2-1 250+10783 251+10780 253-210 254-206 256-257-205 "
    "259-202 25b-203 260-205 263-207 268-209 269-211 26b+10743 26f-211 271+10749 272-213 275-214 "
    "27d+10727 280-218 283-218 288-218 289-69 28a-28b-217 28c-71 292-219 371-373/2-1 377-1 37b-37d+130 "
    "3ac-38 3ad-3af-37 3b1-3c1-32 3c3-3cb-32 3cc-64 3cd-3ce-63 3d7-8 3d9-3ef/2-1 3f2+7 3f8-1 3fb-1 "
    "430-44f-32 450-45f-80 461-481/2-1 48b-4bf/2-1 4c2-4ce/2-1 4cf-15 4d1-523/2-1 561-586-48 1d79+35332 "
    "1d7d+3814 1e01-1e95/2-1 1ea1-1eff/2-1 1f00-1f07+8 1f10-1f15+8 1f20-1f27+8 1f30-1f37+8 1f40-1f45+8 "
    "1f51-1f57/2+8 1f60-1f67+8 1f70-1f71+74 1f72-1f75+86 1f76-1f77+100 1f78-1f79+128 1f7a-1f7b+112 "
    "1f7c-1f7d+126 1f80-1f87+8 1f90-1f97+8 1fa0-1fa7+8 1fb0-1fb1+8 1fb3+9 1fc3+9 1fd0-1fd1+8 1fe0-1fe1+8 "
    "1fe5+7 1ff3+9 214e-28 2170-217f-16 2184-1 24d0-24e9-26 2c30-2c5e-48 2c61-1 2c65-10795 2c66-10792 "
    "2c68-2c6c/2-1 2c73-1 2c76-1 2c81-2ce3/2-1 2d00-2d25-7264 a641-a65f/2-1 a663-a66d/2-1 a681-a697/2-1 "
    "a723-a72f/2-1 a733-a76f/2-1 a77a-a77c/2-1 a77f-a787/2-1 a78c-1 ff41-ff5a-32"
)

_table: dict[int, int] | None = None


def upcase(text: str) -> str:
    """Return ``text`` with every code unit folded; characters outside the BMP and surrogates stay."""
    # Nearly every name in a real hive is ASCII, where Python and Windows agree; the table is built only for the rest.
    return text.upper() if text.isascii() else text.translate(_folding())


def code_units(text: str) -> tuple[int, ...]:
    """Return the UTF-16 code units of ``text``."""
    if text.isascii():
        return tuple(text.encode("ascii"))
    raw = text.encode("utf-16-le", "surrogatepass")
    return struct.unpack(f"<{len(raw) // 2}H", raw)


def sort_key(text: str) -> bytes:
    """Return what subkey lists are ordered by: the folded code units, big-endian so that bytes compare like them."""
    return upcase(text).encode("utf-16-be", "surrogatepass")


def name_hash(text: str) -> int:
    """Return the hash that ``lh`` lists keep: 37 * h + c over the folded code units, modulo 2**32."""
    value = 0
    for unit in code_units(upcase(text)):
        value = (value * 37 + unit) & 0xFFFFFFFF
    return value


def _folding() -> dict[int, int]:
    global _table  # noqa: PLW0603 - a constant that is costly to build and rarely needed
    if _table is None:
        _table = {}
        for run in _RUNS.split():
            match = re.fullmatch(r"([0-9a-f]+)(?:-([0-9a-f]+))??(?:/(\d))?([+-]\d+)", run)
            if match is None:  # pragma: no cover - the table above is constant
                raise AssertionError(run)
            first, last, step, delta = match.groups()
            start, stop = int(first, 16), int(last or first, 16)
            _table.update((unit, unit + int(delta)) for unit in range(start, stop + 1, int(step or 1)))
    return _table

"""Sector bitmaps, whichever end of a byte a format counts from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["bit_runs"]


def bit_runs(
    bitmap: bytes, first: int, end: int, *, order: Literal["big", "little"]
) -> Iterator[tuple[bool, int, int]]:
    """Yield (bit, first, end) of the runs of equal bits.

    Args:
        bitmap: The bits.
        first: Number of the first bit.
        end: Number behind the last one.
        order: ``big``: number 0 is bit 7 of byte 0, as in a VHD; ``little``: it is bit 0, as in a VHDX.
    """
    start_byte, end_byte = first // 8, -(-end // 8)
    part = bitmap[start_byte:end_byte]
    # As text, so that searching for the next change is done by str.find.
    bits = f"{int.from_bytes(part, order):0{len(part) * 8}b}"
    if order == "little":
        bits = bits[::-1]
    shift = start_byte * 8
    position, stop = first - shift, end - shift
    while position < stop:
        bit = bits[position]
        change = bits.find("0" if bit == "1" else "1", position, stop)
        if change < 0:
            change = stop
        yield bit == "1", position + shift, change + shift
        position = change

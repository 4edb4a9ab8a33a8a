"""CRC-32C (Castagnoli), the checksum of every structure of a VHDX.

The standard library has no CRC with this polynomial, and a loop over the bytes would take longer than all else that is
done to open a disk. A CRC is linear, which gives two short cuts: zeros at the end (most of a region table) are passed
over in one multiplication, and long data is folded in halves by ``bytes.translate`` until little is left to loop over.
"""

from __future__ import annotations

from functools import lru_cache

__all__ = ["crc32c", "crc32c_beside"]

_POLYNOMIAL = 0x82F63B78
"""Reflected: bit 31 stands for x^0."""
_ONE = 0x80000000
_ONES = 0xFFFFFFFF
_SHORT = 512
"""Bytes that are not worth folding."""
_PART = 1024 * 1024
"""Bytes that are folded at a time; it takes several times as much memory."""


def crc32c(data: bytes, zeros: int = 0) -> int:
    """Return the CRC-32C of ``data`` and of so many zero bytes behind it."""
    if len(data) > _PART:
        return _times_zeros(_register_in_parts(data), zeros) ^ _ONES
    kept = data.rstrip(b"\0")
    return _times_zeros(_register(kept), len(data) - len(kept) + zeros) ^ _ONES


def crc32c_beside(data: bytes, at: int) -> int:
    """Return the CRC-32C of ``data`` with zeros for the four bytes at ``at``, where the checksum itself is kept.

    What these four bytes add is taken out of the result, so that no copy of the data is needed.
    """
    return crc32c(data) ^ _times_zeros(_loop(data[at : at + 4], 0), len(data) - at - 4)


def _register_in_parts(data: bytes) -> int:
    """Return the CRC register behind long data, without holding more than a part of it a second time."""
    register = _register(data[:_PART])
    for at in range(_PART, len(data), _PART):
        part = data[at : at + _PART]
        behind = _loop(_folded(part), 0) if len(part) >= 2 * _SHORT else _loop(part, 0)
        register = _times_zeros(register, len(part)) ^ behind
    return register


def _register(data: bytes) -> int:
    """Return the CRC register behind ``data``, which began as all ones."""
    if len(data) >= 2 * _SHORT:
        # The ones of the beginning are the same as the first four bytes inverted and a register of zeros.
        inverted = (int.from_bytes(data[:4], "little") ^ _ONES).to_bytes(4, "little")
        return _loop(_folded(inverted + data[4:]), 0)
    return _loop(data, _ONES)


def _loop(data: bytes, register: int) -> int:
    table = _TABLE
    for byte in data:
        register = table[(register ^ byte) & 0xFF] ^ register >> 8
    return register


def _folded(data: bytes) -> bytes:
    """Return shorter data that gives the same register when that begins with zero."""
    half = _SHORT
    while half * 2 < len(data):
        half *= 2
    # Zeros in front change nothing while the register is zero.
    data = data.rjust(half * 2, b"\0")
    while len(data) > _SHORT:
        half = len(data) // 2
        planes: list[int] = [0] * 4
        for source, tables in enumerate(_fold_tables(half)):
            plane = data[source:half:4]
            for target, table in enumerate(tables):
                planes[target] ^= int.from_bytes(plane.translate(table), "little")
        first = bytearray(half)
        for target, value in enumerate(planes):
            first[target::4] = value.to_bytes(half // 4, "little")
        data = (int.from_bytes(first, "little") ^ int.from_bytes(data[half:], "little")).to_bytes(half, "little")
    return data


@lru_cache(maxsize=32)
def _fold_tables(distance: int) -> tuple[tuple[bytes, ...], ...]:
    """Return what each byte of a word becomes ``distance`` bytes later: by place in the word, then by place there."""
    factor = _power(distance)
    words = []
    for place in range(4):
        bits = [_multiply(1 << (place * 8 + bit), factor) for bit in range(8)]
        table = [0] * 256
        for value in range(1, 256):
            low = value & -value
            table[value] = table[value ^ low] ^ bits[low.bit_length() - 1]
        words.append(tuple(bytes(word >> shift & 0xFF for word in table) for shift in (0, 8, 16, 24)))
    return tuple(words)


def _times_zeros(register: int, count: int) -> int:
    """Return the register ``count`` zero bytes later."""
    return _multiply(register, _power(count)) if count else register


@lru_cache(maxsize=64)
def _power(count: int) -> int:
    """Return x^(8 * count) modulo the polynomial."""
    result, square = _ONE, _ONE >> 8
    while count:
        if count & 1:
            result = _multiply(result, square)
        square = _multiply(square, square)
        count >>= 1
    return result


def _multiply(one: int, other: int) -> int:
    """Return the product of two polynomials modulo the polynomial of the CRC."""
    result = 0
    while one:
        if one & _ONE:
            result ^= other
        one = one << 1 & _ONES
        other = other >> 1 ^ (_POLYNOMIAL if other & 1 else 0)
    return result


def _table() -> list[int]:
    table = []
    for number in range(256):
        value = number
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _table()

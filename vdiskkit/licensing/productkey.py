"""Product keys: 25 letters and the 15 bytes they are stored in.

A product key is one integer of 115 bits, kept as 15 little-endian bytes. Read in base 24 it gives the 25 letters; bit
3 of byte 14 says that one of them is an ``N``, whose position is the first digit (Windows 8, Office 2013 and later).

Everything here is total: any bytes and any text give a result or a :class:`FormatError`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import CorruptStructureError, FormatError

if TYPE_CHECKING:
    from vdiskkit.location import Location

__all__ = [
    "CLEARED_KEY",
    "KeyChannel",
    "ProductKey",
    "channel_of",
    "decode_key",
    "encode_key",
    "mask_key",
]

ALPHABET = "BCDFGHJKMPQRTVWXY2346789"
CLEARED_KEY = "BBBBB-BBBBB-BBBBB-BBBBB-BBBBB"
"""What 15 zero bytes decode to: the key has been removed from the registry (default for MAK and KMS host keys)."""

KEY_BYTES = 15
_LETTERS = 25
_N_BIT = 1 << (14 * 8 + 3)
_LIMIT = 24**_LETTERS
_GROUP_ID_MASK = (1 << 20) - 1
_MASKED_GROUPS = "XXXXX-XXXXX-XXXXX-XXXXX-"
_KEY_LETTERS = frozenset(ALPHABET + "N")
_DIGITS = {letter: digit for digit, letter in enumerate(ALPHABET)}


class ProductKey(NamedTuple):
    """One decoded product key.

    Attributes:
        text: Five groups of five letters. A secret unless it is a published KMS client key.
        has_n: The N flag: a key of Windows 8, Office 2013 or later.
        group_id: Key group id (20 bits), known for keys with the N flag only.
        cleared: The key bytes are all zero: the key has been removed, ``text`` says nothing.
    """

    text: str
    has_n: bool
    group_id: int | None
    cleared: bool

    @property
    def masked(self) -> str:
        """The key with all but its last five letters hidden."""
        return mask_key(self.text)

    def __repr__(self) -> str:
        # A key must not reach a log or a traceback by way of a repr.
        return f"ProductKey({self.masked!r}, has_n={self.has_n}, group_id={self.group_id}, cleared={self.cleared})"


def decode_key(data: bytes, *, location: Location | None = None) -> ProductKey:
    """Decode the key bytes of a DigitalProductId value.

    Args:
        data: 15 bytes, or 16 of which the last is not used.
        location: Where they were found, for the error.

    Raises:
        CorruptStructureError: Wrong length, or an integer that no 25 letters stand for.
    """
    if len(data) not in {KEY_BYTES, KEY_BYTES + 1}:
        raise CorruptStructureError(f"a product key takes 15 bytes, these are {len(data)}", location=location)
    number = int.from_bytes(data[:KEY_BYTES], "little")
    has_n = bool(number & _N_BIT)
    number &= ~_N_BIT
    if number >= _LIMIT:
        raise CorruptStructureError(
            "the key bytes stand for no product key (the number is too large for 25 letters)",
            location=location,
            hint="the value is damaged or holds something else; compare it with a healthy machine's",
        )
    group_id = number & _GROUP_ID_MASK if has_n else None
    cleared = not number and not has_n
    digits = []
    for _ in range(_LETTERS):
        number, digit = divmod(number, 24)
        digits.append(digit)
    digits.reverse()
    if has_n:
        position, *rest = digits
        letters = [ALPHABET[digit] for digit in rest]
        letters.insert(position, "N")
    else:
        letters = [ALPHABET[digit] for digit in digits]
    return ProductKey(_grouped("".join(letters)), has_n, group_id, cleared)


def encode_key(text: str) -> bytes:
    """Return the 15 key bytes of a product key; the inverse of :func:`decode_key`.

    Args:
        text: 25 letters, with or without dashes, in any case.

    Raises:
        FormatError: The text is no product key.
    """
    letters = text.strip().upper().replace("-", "")
    if len(letters) != _LETTERS:
        raise FormatError(f"a product key has 25 letters, this text has {len(letters)}")
    position = letters.find("N")
    if position == _LETTERS - 1:
        raise FormatError("no product key ends with N")
    digits = [position, *_digits(letters[:position] + letters[position + 1 :])] if position >= 0 else _digits(letters)
    number = 0
    for digit in digits:
        number = number * 24 + digit
    return (number | (_N_BIT if position >= 0 else 0)).to_bytes(KEY_BYTES, "little")


def mask_key(text: str) -> str:
    """Hide all but the last five letters of a product key; text that is not shaped like a key is hidden whole."""
    groups = text.strip().upper().split("-")
    shaped = len(groups) == 5 and all(len(group) == 5 and set(group) <= _KEY_LETTERS for group in groups)
    return _MASKED_GROUPS + (groups[-1] if shaped else "XXXXX")


def _digits(letters: str) -> list[int]:
    try:
        return [_DIGITS[letter] for letter in letters]
    except KeyError as exc:
        raise FormatError(
            "a product key is written with the letters BCDFGHJKMPQRTVWXY, the digits 2346789 and at most one N"
        ) from exc


def _grouped(letters: str) -> str:
    return "-".join(letters[start : start + 5] for start in range(0, _LETTERS, 5))


class KeyChannel(StrEnum):
    """How a key is sold, by the key type of DigitalProductId4."""

    GVLK = "gvlk"  # KMS client
    MAK = "mak"
    CSVLK = "csvlk"  # KMS host: must not be cloned
    OEM = "oem"
    RETAIL = "retail"
    OTHER = "other"


_VOLUME_CHANNELS = {
    "volume:gvlk": KeyChannel.GVLK,
    "volume:mak": KeyChannel.MAK,
    "volume:csvlk": KeyChannel.CSVLK,
}


def channel_of(key_type: str | None) -> KeyChannel | None:
    """Return the channel that a key type such as ``Volume:GVLK`` names; None for no text at all."""
    if not key_type:
        return None
    text = key_type.strip().lower()
    if text in _VOLUME_CHANNELS:
        return _VOLUME_CHANNELS[text]
    family = text.split(":", 1)[0]
    return {"oem": KeyChannel.OEM, "retail": KeyChannel.RETAIL}.get(family, KeyChannel.OTHER)

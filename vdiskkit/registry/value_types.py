"""Registry value types, and the strict decoding of value data by type.

Data that does not fit its type is never guessed at: numbers of the wrong length stay bytes, text is read as UTF-16LE up
to its first NUL, and what is odd about it is said beside it.
"""

from __future__ import annotations

__all__ = [
    "REG_BINARY",
    "REG_DWORD",
    "REG_DWORD_BIG_ENDIAN",
    "REG_EXPAND_SZ",
    "REG_FULL_RESOURCE_DESCRIPTOR",
    "REG_LINK",
    "REG_MULTI_SZ",
    "REG_NONE",
    "REG_QWORD",
    "REG_RESOURCE_LIST",
    "REG_RESOURCE_REQUIREMENTS_LIST",
    "REG_SZ",
    "RegistryData",
    "decode",
    "type_name",
]

REG_NONE = 0
REG_SZ = 1
REG_EXPAND_SZ = 2
REG_BINARY = 3
REG_DWORD = 4
REG_DWORD_BIG_ENDIAN = 5
REG_LINK = 6
REG_MULTI_SZ = 7
REG_RESOURCE_LIST = 8
REG_FULL_RESOURCE_DESCRIPTOR = 9
REG_RESOURCE_REQUIREMENTS_LIST = 10
REG_QWORD = 11

_NAMES = (
    "REG_NONE",
    "REG_SZ",
    "REG_EXPAND_SZ",
    "REG_BINARY",
    "REG_DWORD",
    "REG_DWORD_BIG_ENDIAN",
    "REG_LINK",
    "REG_MULTI_SZ",
    "REG_RESOURCE_LIST",
    "REG_FULL_RESOURCE_DESCRIPTOR",
    "REG_RESOURCE_REQUIREMENTS_LIST",
    "REG_QWORD",
)
_NUMBERS = {REG_DWORD: 4, REG_DWORD_BIG_ENDIAN: 4, REG_QWORD: 8}

RegistryData = int | str | tuple[str, ...] | bytes
"""What value data decodes to."""


def type_name(kind: int) -> str:
    """Return the name of a value type; unknown numbers as ``0x0000000c``."""
    return _NAMES[kind] if 0 <= kind < len(_NAMES) else f"0x{kind:08x}"


def decode(kind: int, raw: bytes) -> tuple[RegistryData, str | None]:
    """Decode value data by its type.

    Returns:
        The data - a number, text, texts, or the bytes themselves - and what is odd about it, None when nothing is.
    """
    width = _NUMBERS.get(kind)
    if width is not None:
        if len(raw) != width:
            return raw, f"{type_name(kind)} with {len(raw)} bytes instead of {width}"
        return int.from_bytes(raw, "big" if kind == REG_DWORD_BIG_ENDIAN else "little"), None
    if kind in (REG_SZ, REG_EXPAND_SZ):
        return _decode_text(raw)
    if kind == REG_LINK:
        return _units(raw), _odd(raw)
    if kind == REG_MULTI_SZ:
        return _decode_texts(raw)
    return raw, None


def _units(raw: bytes) -> str:
    # Lone surrogates are kept as they are: text from an image is made displayable where it is shown.
    return raw[: len(raw) & ~1].decode("utf-16-le", "surrogatepass")


def _odd(raw: bytes) -> str | None:
    return f"text of an odd number of bytes ({len(raw)})" if len(raw) & 1 else None


def _decode_text(raw: bytes) -> tuple[str, str | None]:
    text, end, rest = _units(raw).partition("\0")
    problem = _odd(raw)
    if problem is None and raw and not end:
        problem = "text without its terminating NUL"
    elif problem is None and rest.strip("\0"):
        problem = "text goes on behind its terminating NUL"
    return text, problem


def _decode_texts(raw: bytes) -> tuple[tuple[str, ...], str | None]:
    # The list ends at its first empty text.
    text = _units(raw)
    problem = _odd(raw)
    if not text.strip("\0"):
        return (), problem
    head, end, rest = ("", "\0\0", text) if text[0] == "\0" else text.partition("\0\0")
    if problem is None and not end:
        problem = "list of texts without its terminating NUL"
    elif problem is None and rest.strip("\0"):
        problem = "list of texts goes on behind its end"
    head = head.removesuffix("\0")
    return (tuple(head.split("\0")) if head else ()), problem

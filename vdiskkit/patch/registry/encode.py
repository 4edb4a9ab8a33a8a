"""Value data made from numbers and text, by type, as Windows stores it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.errors import UsageError
from vdiskkit.registry.value_types import (
    REG_DWORD,
    REG_DWORD_BIG_ENDIAN,
    REG_EXPAND_SZ,
    REG_LINK,
    REG_MULTI_SZ,
    REG_QWORD,
    REG_SZ,
    type_name,
)

if TYPE_CHECKING:
    from vdiskkit.registry.value_types import RegistryData

__all__ = ["encode"]

_WIDTHS = {REG_DWORD: 4, REG_DWORD_BIG_ENDIAN: 4, REG_QWORD: 8}


def encode(kind: int, data: RegistryData) -> bytes:
    """Return value data as bytes.

    Args:
        kind: Type number.
        data: A number for DWORD and QWORD, text for SZ, EXPAND_SZ and LINK, texts for MULTI_SZ; bytes for any type are
            taken as they are.

    Raises:
        UsageError: The data does not fit the type.
    """
    if isinstance(data, bytes):
        return data
    width = _WIDTHS.get(kind)
    if width is not None and isinstance(data, int):
        if not 0 <= data < 1 << 8 * width:
            raise UsageError(
                f"{data} does not fit into a {type_name(kind)}", hint=f"it holds 0 to {(1 << 8 * width) - 1}"
            )
        return data.to_bytes(width, "big" if kind == REG_DWORD_BIG_ENDIAN else "little")
    if kind in (REG_SZ, REG_EXPAND_SZ) and isinstance(data, str):
        return _text(data.removesuffix("\0"), kind) + b"\0\0"
    if kind == REG_LINK and isinstance(data, str):
        return _text(data, kind)
    if kind == REG_MULTI_SZ and isinstance(data, tuple):
        if not all(data):
            raise UsageError("a REG_MULTI_SZ cannot hold an empty text: the list would end there")
        return b"".join(_text(text, kind) + b"\0\0" for text in data) + b"\0\0"
    raise UsageError(
        f"a {type_name(kind)} cannot be made from a value of type {type(data).__name__}", hint="bytes fit any type"
    )


def _text(text: str, kind: int) -> bytes:
    if "\0" in text:
        raise UsageError(
            f"text for a {type_name(kind)} contains a NUL character", hint="give the bytes if that is what is wanted"
        )
    return text.encode("utf-16-le", "surrogatepass")

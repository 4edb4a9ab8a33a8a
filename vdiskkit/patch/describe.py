"""Registry values in words, for plans, results and journals.

Product keys are secrets unless Microsoft publishes them: what a change shows is kept in logs of build servers and in
journals, so all but their last five letters are hidden there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.licensing.secrets import mask_keys
from vdiskkit.text import displayable

if TYPE_CHECKING:
    from vdiskkit.patch.registry import ValueData

__all__ = ["describe"]

_SHOWN_BYTES = 32
_KEY_BLOB = "digitalproductid"


def describe(value: ValueData, name: str) -> str:
    """Return type and data of a value as one displayable line.

    Args:
        value: The value.
        name: Its name: some hold a product key in binary.
    """
    data = value.data
    if isinstance(data, bytes):
        shown = _bytes(data, name)
    elif isinstance(data, tuple):
        shown = ", ".join(f'"{_text(item)}"' for item in data)
    elif isinstance(data, str):
        shown = f'"{_text(data)}"'
    else:
        shown = str(data)
    return f"{value.type_name} {shown}".rstrip()


def _bytes(data: bytes, name: str) -> str:
    if name.casefold().startswith(_KEY_BLOB) and len(data) > _SHOWN_BYTES:
        return f"({len(data)} bytes, which hold a product key)"
    return data[:_SHOWN_BYTES].hex(" ") + (f" ... ({len(data)} bytes)" if len(data) > _SHOWN_BYTES else "")


def _text(text: str) -> str:
    return displayable(mask_keys(text))

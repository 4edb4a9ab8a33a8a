r"""Keys and values as ``.reg`` text, the way regedit exports them.

Header, one block per key in the order of the hive, ``@=`` for the default value, text in quotes with ``\`` and ``"``
escaped, ``dword:``, and ``hex`` in its variants for all else, wrapped at 80 columns. Text that a quoted string cannot
carry safely - not well-formed, or with line breaks, control or direction characters - is written as ``hex(1)``, which
regedit reads as the same value.

Names have no such way out. A key or value whose name would break the line it stands on, turn its direction round, or
not fit into UTF-8, is left out, and a comment line says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.errors import CorruptStructureError, FormatError
from vdiskkit.registry.value_types import REG_BINARY, REG_DWORD, REG_SZ
from vdiskkit.text import displayable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vdiskkit.registry.key import RegistryKey
    from vdiskkit.registry.value import RegistryValue

__all__ = ["HEADER", "export_keys", "export_value"]

HEADER = "Windows Registry Editor Version 5.00\r\n"

_VALUE_RECORD = 20
_WRAP_AT = 77
_CONTINUED = ",\\\r\n  "
_BYTES_PER_LINE = 25


def export_keys(
    start: RegistryKey,
    root: str,
    *,
    depth: int | None = None,
    on_error: Callable[[FormatError], None] | None = None,
) -> Iterator[str]:
    r"""Yield the ``.reg`` text of a key and all that is below it, in pieces, lines ended by CR LF.

    For a file that regedit opens by a double click, encode it as UTF-16LE behind a byte order mark.

    Args:
        start: The key to begin with.
        root: Full name of the hive's root, such as ``HKEY_LOCAL_MACHINE\SOFTWARE``.
        depth: How many levels below ``start`` to go; None for all.
        on_error: Called for each damaged key or value, which is then left out; by default the error is raised.

    Raises:
        FormatError: The hive is damaged.
    """
    yield HEADER
    # In a healthy hive no two values share a record or data; a hive made so that they do would swell without end.
    space = start.hive.base_block.hive_bins_size
    for key in start.hive.walk(start, depth=depth, on_error=on_error):
        path = f"{root}\\{key.path}" if key.path else root
        if not _plain(path):
            yield f"\r\n; left out, its name cannot stand in .reg text: key {displayable(path)}\r\n"
            continue
        yield f"\r\n[{path}]\r\n"
        for value in key.values(on_error=on_error):
            space -= _VALUE_RECORD + value.size
            if space < 0:
                raise CorruptStructureError("values of the hive share their data or records", location=value.location)
            try:
                text = export_value(value)
            except FormatError as exc:
                if on_error is None:
                    raise
                on_error(exc)
            else:
                yield text
    yield "\r\n"


def export_value(value: RegistryValue) -> str:
    """Return one value as ``.reg`` text, its last line ended.

    Raises:
        FormatError: Its data cannot be read.
    """
    if not _plain(value.name):
        return f"; left out, its name cannot stand in .reg text: value {displayable(value.name)}\r\n"
    name = f'"{_escape(value.name)}"=' if value.name else "@="
    data = value.data
    if value.type == REG_DWORD and isinstance(data, int):
        return f"{name}dword:{data:08x}\r\n"
    if value.type == REG_SZ and isinstance(data, str) and _quotable(value, data):
        return f'{name}"{_escape(data)}"\r\n'
    prefix = f"{name}hex:" if value.type == REG_BINARY else f"{name}hex({value.type:x}):"
    return prefix + _wrapped(value.raw, len(prefix)) + "\r\n"


def _quotable(value: RegistryValue, text: str) -> bool:
    # Only what comes back byte for byte: exactly one NUL, at the end.
    return value.problem is None and value.size == 2 * len(text) + 2 and _plain(text)


def _plain(text: str) -> bool:
    return displayable(text, limit=None) == text


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _wrapped(raw: bytes, column: int) -> str:
    """Return comma-separated hex; a line ends once it has reached the 77th column, as regedit does it."""
    first = max(-(-(_WRAP_AT - column) // 3), 1)
    rows = [raw[:first]]
    rows += [raw[at : at + _BYTES_PER_LINE] for at in range(first, len(raw), _BYTES_PER_LINE)]
    return _CONTINUED.join([row.hex(",") for row in rows])

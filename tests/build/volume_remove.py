"""Take a file or folder out of a small NTFS volume in memory, as a deletion leaves it.

Only what test images need: the entry must be in a leaf of its folder's index that keeps another entry, and nothing in
the tree may have a reparse point or a second hard link.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from tests.build.volume_edit import BITMAP, DATA, INDEX_ROOT

if TYPE_CHECKING:
    from tests.build.volume_edit import Attribute, VolumeEditor

_REPARSE_POINT = 0xC0


def remove(editor: VolumeEditor, path: str) -> None:
    """Delete a file, or a folder with all that is in it."""
    path = path.replace("/", "\\").casefold()
    number = editor.number(path)
    record = editor.record(number)
    for start, _, _, name in list(editor.names(record)):
        _remove_entry(editor, number, bytes(record[start : start + 8]), name)
    below = {key: value for key, value in editor.paths.items() if key == path or key.startswith(f"{path}\\")}
    for one in below.values():
        for holder in (*editor.extensions.get(one, ()), one):
            _free_record(editor, holder)
    editor.paths = {key: value for key, value in editor.paths.items() if key not in below}
    assert not set(below.values()) & set(editor.paths.values()), "a file with a second hard link"


def _remove_entry(editor: VolumeEditor, number: int, parent: bytes, name: str) -> None:
    encoded = name.encode("utf-16-le", "surrogatepass")
    found = False
    for block, entry in editor.entries(number, parent, encoded):
        found = True
        length, flags = struct.unpack_from("<H2xH", block, entry + 8)
        assert not flags & 1, f"{name!r} has entries below it"
        if block[:4] == b"INDX":
            header = 24
            used = struct.unpack_from("<I", block, header + 4)[0]
            end = header + used
            block[entry:end] = block[entry + length : end] + bytes(length)
            struct.pack_into("<I", block, header + 4, used - length)
            first = header + struct.unpack_from("<I", block, header)[0]
            assert not block[first + 12] & 2, f"{name!r} was the only entry of its index block"
        else:
            _shrink_root(editor, block, entry, length)
    assert found, f"no index entry for {name!r}"


def _shrink_root(editor: VolumeEditor, record: bytearray, entry: int, length: int) -> None:
    """Cut ``length`` bytes at ``entry`` out of the resident index root and of the record."""
    attribute: Attribute = editor.find(record, INDEX_ROOT, "$I30")
    start, size = editor.value(record, attribute)
    used, allocated = struct.unpack_from("<II", record, start + 16 + 4)
    struct.pack_into("<II", record, start + 16 + 4, used - length, allocated - length)
    struct.pack_into("<I", record, attribute.offset + 16, size - length)
    whole = struct.unpack_from("<I", record, attribute.offset + 4)[0]
    struct.pack_into("<I", record, attribute.offset + 4, whole - length)
    in_use = struct.unpack_from("<I", record, 24)[0]
    record[entry:in_use] = record[entry + length : in_use] + bytes(length)
    struct.pack_into("<I", record, 24, in_use - length)


def _free_record(editor: VolumeEditor, number: int) -> None:
    record = editor.record(number)
    for attribute in editor.attributes(record):
        assert attribute.kind != _REPARSE_POINT, "a reparse point is also listed in $Extend\\$Reparse"
        if not attribute.resident:
            for start, length in editor.record_runs(record, attribute):
                if start >= 0:
                    clusters = range(start // editor.cluster, (start + length) // editor.cluster)
                    _clear_bits(editor, 6, DATA, clusters)
    sequence, flags = struct.unpack_from("<H4xH", record, 16)
    struct.pack_into("<H", record, 16, sequence % 0xFFFF + 1)
    struct.pack_into("<H", record, 22, flags & ~1)
    editor.put_record(number, record)
    _clear_bits(editor, 0, BITMAP, range(number, number + 1))


def _clear_bits(editor: VolumeEditor, number: int, kind: int, bits: range) -> None:
    """Clear bits of $Bitmap or of the MFT's own bitmap."""
    record = editor.record(number)
    attribute = editor.find(record, kind)
    assert not attribute.resident
    places = [at for start, length in editor.record_runs(record, attribute) for at in (start, length)]
    for bit in bits:
        offset = bit // 8
        for start, length in zip(places[::2], places[1::2], strict=True):
            if offset < length:
                assert editor.data[start + offset] >> (bit % 8) & 1, f"bit {bit} is clear already"
                editor.data[start + offset] &= ~(1 << (bit % 8))
                break
            offset -= length

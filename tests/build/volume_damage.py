"""Damage of volumes that other programs, or a crash, leave behind: what chkdsk would mend."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.build.volume_edit import VolumeEditor

__all__ = ["call_free", "cross_link", "rename_in_index"]

_DATA, _INDEX_ROOT, _INDEX_ALLOCATION = 0x80, 0x90, 0xA0
_BLOCK = 4096


def cross_link(editor: VolumeEditor, path: str, onto: str) -> None:
    """Let a file that lies in one run name the first clusters of another file as its own."""
    number = editor.number(path)
    record = editor.record(number)
    start = editor.find(record, _DATA).offset
    pairs = start + struct.unpack_from("<H", record, start + 32)[0]
    length, delta = record[pairs] & 0xF, record[pairs] >> 4
    cluster = editor.runs(onto)[0][0] // struct.unpack_from("<B", editor.data, 13)[0] // 512
    assert record[pairs + 1 + length + delta] == 0, f"{path} lies in several runs"
    at = pairs + 1 + length
    record[at : at + delta] = cluster.to_bytes(delta, "little", signed=True)
    editor.put_record(number, record)


def call_free(editor: VolumeEditor, path: str) -> None:
    """Clear the bits of a file's clusters in $Bitmap; of a small file, which lies in its record, there are none."""
    record = editor.record(editor.number(path))
    if editor.find(record, _DATA).resident:
        return
    size = editor.data[13] * 512
    bits = editor.runs("$Bitmap")[0][0]
    for start, length in (run for run in editor.runs(path) if run[0] >= 0):  # no holes
        for cluster in range(start // size, (start + length) // size):
            editor.data[bits + cluster // 8] &= ~(1 << cluster % 8)


def rename_in_index(editor: VolumeEditor, folder: str, old: str, new: str) -> None:
    """Give a file another name of the same length in its directory, and there alone."""
    number = editor.number(folder) if folder else 5
    wanted, other = old.encode("utf-16-le"), new.encode("utf-16-le")
    record = editor.record(number)
    start, length = editor.value(record, editor.find(record, _INDEX_ROOT, "$I30"))
    at = record.find(wanted, start, start + length)
    if at >= 0:
        record[at : at + len(wanted)] = other
        editor.put_record(number, record)
        return
    found = False
    for place, size in editor.record_runs(record, editor.find(record, _INDEX_ALLOCATION, "$I30")):
        for block in range(place, place + size, _BLOCK):
            at = editor.data.find(wanted, block, block + _BLOCK)
            if at >= 0:  # none of the names reaches over a sector's end
                editor.data[at : at + len(wanted)] = other
                found = True
    assert found, old

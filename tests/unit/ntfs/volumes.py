"""The committed volumes, opened or opened for patching."""

from __future__ import annotations

import functools
import json
import lzma
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from tests.build.volume_edit import Names, VolumeEditor
from vdiskkit.io import BytesSource, GuardedSource, ReadBudget
from vdiskkit.location import Location
from vdiskkit.ntfs import NtfsVolume

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).parents[2] / "data" / "ntfs"
NAMES = ("basic", "directory", "fragmented", "records4096", "clusters65536", "edits")
MIB = 1 << 20


@functools.cache
def image(name: str) -> bytes:
    return lzma.decompress((FOLDER / f"{name}.ntfs.xz").read_bytes())


@functools.cache
def judged(name: str) -> dict[str, int | list[object]]:
    """What ntfs-3g read: path -> [size, start of SHA-256], or the number of files in a folder."""
    found: dict[str, int | list[object]] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def opened(data: bytes | bytearray | str, *, max_bytes: int = 256 * MIB, max_calls: int = 100_000) -> NtfsVolume:
    """A volume on a budget: nothing in these tests may read without end."""
    data = image(data) if isinstance(data, str) else bytes(data)
    return NtfsVolume(guarded(data, max_bytes=max_bytes, max_calls=max_calls))


def guarded(data: bytes, *, max_bytes: int = 256 * MIB, max_calls: int = 100_000) -> GuardedSource:
    return GuardedSource(BytesSource(data, Location("disk.vhd")), ReadBudget(max_bytes, max_calls))


@functools.cache
def _names(name: str) -> Names:
    editor = VolumeEditor(bytearray(image(name)))
    return Names(editor.paths, editor.extensions)


def editor(name: str) -> VolumeEditor:
    """A changeable copy; paths with backslashes."""
    names = _names(name)
    return VolumeEditor(bytearray(image(name)), Names(dict(names.paths), names.extensions))


def patch_record(volume: VolumeEditor, number: int, change: Callable[[bytearray], object]) -> None:
    """Change one MFT record; the update sequence is put right again."""
    record = volume.record(number)
    change(record)
    volume.put_record(number, record)


def poke(volume: VolumeEditor, number: int, offset: int, layout: str, *values: int) -> None:
    """Overwrite fields of one MFT record."""
    patch_record(volume, number, lambda record: struct.pack_into(layout, record, offset, *values))


def attribute_offset(volume: VolumeEditor, number: int, kind: int, name: str = "") -> int:
    return volume.find(volume.record(number), kind, name).offset


def index_block(volume: VolumeEditor, number: int, block: int = 0) -> int:
    """Byte offset in the volume of an index block of a directory, counted in blocks of the index."""
    record = volume.record(number)
    offset = block * 4096
    for start, length in volume.record_runs(record, volume.find(record, 0xA0, "$I30")):
        if offset < length:
            return start + offset
        offset -= length
    raise AssertionError(f"no index block {block}")


def patch_block(volume: VolumeEditor, place: int, change: Callable[[bytearray], object]) -> None:
    """Change one index block of 4096 bytes; the update sequence is put right again."""
    block = bytearray(volume.data[place : place + 4096])
    offset, count = struct.unpack_from("<HH", block, 4)
    for index in range(1, count):
        end = index * 512
        block[end - 2 : end] = block[offset + 2 * index : offset + 2 * index + 2]
    change(block)
    stamp = block[offset : offset + 2]
    for index in range(1, count):
        end = index * 512
        block[offset + 2 * index : offset + 2 * index + 2] = block[end - 2 : end]
        block[end - 2 : end] = stamp
    volume.data[place : place + 4096] = block

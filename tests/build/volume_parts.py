"""Spread a file of a small NTFS volume in memory over extension records, as one of very many runs is.

A second way of writing what :mod:`vdiskkit.patch.ntfs` writes, without its code: lists of attributes, records, bits.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from tests.build.volume_edit import BITMAP, DATA

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.build.volume_edit import VolumeEditor

_LIST = 0x20
_END = b"\xff\xff\xff\xff\0\0\0\0"
_FIRST_AT = 0x38  # of the attributes in an extension record of 1024 bytes
_MFT, _BITMAP = 0, 6

Clusters = tuple[int, int]  # the first one, and how many


def pairs_of(runs: Iterable[Clusters]) -> list[bytes]:
    """The mapping pairs of each run, every number with 4 bytes."""
    found, previous = [], 0
    for lcn, count in runs:
        found.append(b"\x44" + struct.pack("<ii", count, lcn - previous))
        previous = lcn
    return found


def non_resident(kind: int, instance: int, first_vcn: int, runs: Sequence[Clusters], sizes: Sequence[int]) -> bytes:
    """One part of an attribute without a name."""
    pairs = b"".join(pairs_of(runs)) + b"\0"
    length = (64 + len(pairs) + 7) & ~7
    last_vcn = first_vcn + sum(count for _, count in runs) - 1
    header = struct.pack("<IIBBHHHQQHH4xQQQ", kind, length, 1, 0, 64, 0, instance, first_vcn, last_vcn, 64, 0, *sizes)
    return (header + pairs).ljust(length, b"\0")


def line(kind: int, vcn: int, holder: int, sequence: int, instance: int) -> bytes:
    """A line of an attribute list."""
    return struct.pack("<IHBBQQH6x", kind, 32, 0, 26, vcn, holder | sequence << 48, instance)


def free_records(volume: VolumeEditor) -> list[int]:
    """Numbers of records that were used once and are free."""
    found = []
    for number in range(24, volume.records):
        place = volume.place(number)
        if volume.data[place : place + 4] == b"FILE" and not volume.data[place + 22] & 1:
            found.append(number)
    return found


def free_clusters(volume: VolumeEditor) -> list[int]:
    """Clusters that nothing uses, by $Bitmap."""
    bits = volume.read("$Bitmap")
    clusters = struct.unpack_from("<Q", volume.data, 40)[0] * 512 // volume.cluster
    return [number for number in range(clusters) if not bits[number // 8] >> number % 8 & 1]


def set_bits(volume: VolumeEditor, owner: int, kind: int, ranges: Iterable[Clusters]) -> None:
    """Set bits of $Bitmap (record 6, its content) or of $MFT (record 0, its bitmap)."""
    record = volume.record(owner)
    runs = list(volume.record_runs(record, volume.find(record, kind)))
    for first, count in ranges:
        for bit in range(first, first + count):
            at = bit // 8
            for start, length in runs:
                if at < length:
                    volume.data[start + at] |= 1 << bit % 8
                    break
                at -= length


def spread(
    volume: VolumeEditor,
    path: str,
    runs: Sequence[Clusters],
    *,
    size: int,
    listed_in: Sequence[Clusters] = (),
    per_record: int = 90,
    owned: bool = True,
) -> list[int]:
    """Give a file, whose content lies in its record, that many runs instead, over extension records.

    Args:
        volume: The volume; records must have 1024 bytes.
        path: The file.
        runs: Its clusters.
        size: Its size in bytes, all of it written.
        listed_in: Clusters of the attribute list; none: it stays in the base record.
        per_record: Runs in a record.
        owned: Whether the clusters are marked as used; they may appear several times when not.

    Returns:
        The extension records.
    """
    number = volume.number(path)
    record = volume.record(number)
    sequence = struct.unpack_from("<H", record, 16)[0]
    allocated = sum(count for _, count in runs) * volume.cluster
    lines = [
        line(one.kind, 0, number, sequence, struct.unpack_from("<H", record, one.offset + 14)[0])
        for one in volume.attributes(record)
        if one.kind < DATA
    ]
    later = [one for one in volume.attributes(record) if one.kind > DATA]
    assert not later, "attributes behind the content"
    free = iter(free_records(volume))
    extensions, vcn = [], 0
    for start in range(0, len(runs), per_record):
        part = runs[start : start + per_record]
        holder = next(free)
        block = non_resident(DATA, 0, vcn, part, (0, 0, 0) if vcn else (allocated, size, size))
        lines.append(line(DATA, vcn, holder, put_extension(volume, holder, number | sequence << 48, block), 0))
        extensions.append(holder)
        vcn += sum(count for _, count in part)
    value = b"".join(lines)
    if listed_in:
        room = sum(count for _, count in listed_in) * volume.cluster
        listed = non_resident(_LIST, 99, 0, listed_in, (room, len(value), len(value)))
        done = 0
        for lcn, count in listed_in:
            piece = value[done : done + count * volume.cluster]
            volume.data[lcn * volume.cluster : lcn * volume.cluster + len(piece)] = piece
            done += len(piece)
        assert done == len(value), "no room for the list"
    else:
        listed = struct.pack("<IIBBHHHIHH", _LIST, 24 + len(value), 0, 0, 24, 0, 99, len(value), 24, 0) + value
    put_list(volume, number, record, listed)
    set_bits(volume, _MFT, BITMAP, ((holder, 1) for holder in extensions))
    if owned:
        set_bits(volume, _BITMAP, DATA, (*runs, *listed_in))
    return extensions


def put_extension(volume: VolumeEditor, holder: int, base: int, block: bytes) -> int:
    """Write an extension record with one attribute; return its sequence number."""
    place = volume.place(holder)
    record = bytearray(volume.data[place : place + 1024])
    sequence = struct.unpack_from("<H", record, 16)[0]
    update = struct.unpack_from("<H", record, struct.unpack_from("<H", record, 4)[0])[0]
    used = _FIRST_AT + len(block) + 8
    assert used <= 1024
    header = struct.pack(
        "<4sHHQHHHHIIQHHIH", b"FILE", 0x30, 3, 0, sequence, 0, _FIRST_AT, 1, used, 1024, base, 1, 0, holder, update
    )
    volume.put_record(holder, bytearray((header.ljust(_FIRST_AT, b"\0") + block + _END).ljust(1024, b"\0")))
    return int(sequence)


def put_list(volume: VolumeEditor, number: int, record: bytearray, listed: bytes) -> None:
    """Put the attribute list into the base record, and take the content out of it."""
    content = volume.find(record, DATA).offset
    at = next(one.offset for one in volume.attributes(record) if one.kind > _LIST)
    body = bytearray(record[:at] + listed + record[at:content] + _END)
    struct.pack_into("<I", body, 24, len(body))
    struct.pack_into("<H", body, 40, 100)
    assert len(body) <= 1024
    volume.put_record(number, body.ljust(1024, b"\0"))


def move_out(volume: VolumeEditor, number: int, kind: int, holder: int) -> int:
    """Move an attribute of a file without a list into the free record ``holder``; return the reference to that."""
    record = volume.record(number)
    sequence = struct.unpack_from("<H", record, 16)[0]
    moved = volume.find(record, kind)
    length = struct.unpack_from("<I", record, moved.offset + 4)[0]
    block = bytearray(record[moved.offset : moved.offset + length])
    struct.pack_into("<H", block, 14, 0)
    set_bits(volume, _MFT, BITMAP, [(holder, 1)])
    reference = holder | put_extension(volume, holder, number | sequence << 48, bytes(block)) << 48
    lines = b""
    for one in volume.attributes(record):
        own = one.offset != moved.offset
        instance = struct.unpack_from("<H", record, one.offset + 14)[0]
        lines += line(one.kind, 0, number if own else holder, sequence if own else reference >> 48, instance * own)
    at = next(one.offset for one in volume.attributes(record) if one.kind > _LIST)
    listed = struct.pack("<IIBBHHHIHH", _LIST, 24 + len(lines), 0, 0, 24, 0, 99, len(lines), 24, 0) + lines
    used = struct.unpack_from("<I", record, 24)[0]
    body = bytearray(record[:at] + listed + record[at : moved.offset] + record[moved.offset + length : used])
    struct.pack_into("<I", body, 24, len(body))
    struct.pack_into("<H", body, 40, 100)
    volume.put_record(number, body.ljust(1024, b"\0"))
    return reference

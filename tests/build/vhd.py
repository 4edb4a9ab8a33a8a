"""VHD files for tests: fixed, dynamic and differencing, small in memory or streamed from a raw image.

Layout of dynamic and differencing files: footer copy, dynamic header at 512, BAT at 1536, batmap (asked for), parent
locators, blocks, footer. Everything is deterministic: the same arguments give the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

SECTOR = 512
KIB = 1024
MIB = 1024 * KIB
TYPES = {"fixed": 2, "dynamic": 3, "differencing": 4}
UNALLOCATED = 0xFFFFFFFF
ALL_ONES = 0xFFFFFFFFFFFFFFFF
HEADER_OFFSET = 512
BAT_OFFSET = 1536
DEFAULT_TIMESTAMP = 0x2F000000
"""Seconds since 2000-01-01 UTC."""

FOOTER = struct.Struct(">8sIIQI4sI4sQQHBBII16sB427x")
HEADER = struct.Struct(">8sQQIIII16sII512s192s256x")
LOCATOR = struct.Struct(">4sIIIQ")
BATMAP_HEADER = struct.Struct(">8sQIIIB483x")
_ZERO_CHUNK = 64 * KIB

Content = Mapping[int, bytes] | bytes


class ParentLink(NamedTuple):
    """What a differencing file says about its parent.

    ``locators`` are pairs of platform code (``b"W2ru"``, ``b"W2ku"``, …) and path, stored as UTF-16LE.
    """

    unique_id: bytes
    name: str
    locators: tuple[tuple[bytes, str], ...] = ()
    timestamp: int = DEFAULT_TIMESTAMP

    @classmethod
    def to(cls, parent: bytes | Path, name: str | None = None, *, absolute: str | None = None) -> ParentLink:
        r"""Link to a VHD (bytes or file) by its id; locators ``.\name`` and, when given, the absolute path."""
        if isinstance(parent, Path):
            name = name or parent.name
            with parent.open("rb") as file:
                file.seek(-SECTOR, os.SEEK_END)
                footer = file.read()
        else:
            footer = parent[-SECTOR:]
        assert name, "a parent given as bytes needs a name"
        assert footer[:8] == b"conectix", "the parent ends in no 512-byte footer"
        locators = ((b"W2ru", f".\\{name}"),)
        if absolute is not None:
            locators = ((b"W2ku", absolute), *locators)
        return cls(footer[68:84], name, locators)


def checksum(data: bytes, field_at: int) -> int:
    """Ones' complement of the byte sum, the checksum field counted as zero."""
    return ~(sum(data) - sum(data[field_at : field_at + 4])) & 0xFFFFFFFF


def with_checksum(data: bytes, field_at: int) -> bytes:
    """Return the structure with its checksum put right."""
    return data[:field_at] + checksum(data, field_at).to_bytes(4, "big") + data[field_at + 4 :]


def chs(size: int) -> tuple[int, int, int]:
    """Cylinders, heads and sectors per track for a size in bytes (appendix of the VHD specification)."""
    sectors = min(size // SECTOR, 65535 * 16 * 255)
    if sectors >= 65535 * 16 * 63:
        per_track, heads = 255, 16
        cylinder_times_heads = sectors // per_track
    else:
        per_track = 17
        cylinder_times_heads = sectors // per_track
        heads = max((cylinder_times_heads + 1023) // 1024, 4)
        if cylinder_times_heads >= heads * 1024 or heads > 16:
            per_track, heads = 31, 16
            cylinder_times_heads = sectors // per_track
        if cylinder_times_heads >= heads * 1024:
            per_track, heads = 63, 16
            cylinder_times_heads = sectors // per_track
    return cylinder_times_heads // heads, heads, per_track


def noise(length: int, seed: int = 0) -> bytes:
    """Return bytes without a pattern, the same for the same seed."""
    return hashlib.shake_128(seed.to_bytes(8, "big")).digest(length)


def difference(old: bytes, new: bytes) -> dict[int, bytes]:
    """Return the sectors of ``new`` that differ from ``old``, as the content of a differencing file."""
    changed: dict[int, bytes] = {}
    for at in range(0, len(new), SECTOR):
        sector = new[at : at + SECTOR]
        if sector != old[at : at + SECTOR].ljust(len(sector), b"\0"):
            changed[at] = sector
    return changed


def build_vhd(
    kind: str,
    size: int,
    block_size: int = 2 * MIB,
    content: Content = b"",
    *,
    parent: ParentLink | None = None,
    footer_511: bool = False,
    creator: bytes = b"win ",
    creator_version: int = 0x000A0000,
    creator_host: bytes = b"Wi2k",
    unique_id: bytes | None = None,
    timestamp: int = DEFAULT_TIMESTAMP,
    geometry: tuple[int, int, int] | None = None,
    aligned_4k: bool = False,
    batmap: bool = False,
    extra_bat_entries: int = 0,
    block_order: Callable[[list[int]], list[int]] | None = None,
    stale_sectors: Mapping[int, bytes] | None = None,
) -> bytes:
    """Return a whole VHD file.

    Args:
        kind: ``fixed``, ``dynamic`` or ``differencing``.
        size: Virtual size in bytes, a multiple of 512.
        block_size: Bytes of a block without its bitmap.
        content: Bytes by virtual offset, or all bytes from offset 0. Dynamic: blocks of zeros only are left out when
            plain bytes are given; what a mapping names is allocated. Differencing: exactly the touched sectors are
            marked present (zeros too).
        parent: For a differencing file.
        footer_511: Cut the last byte, as very old tools did.
        creator: Creator application, four bytes.
        creator_version: Creator version.
        creator_host: Creator host OS, four bytes.
        unique_id: Sixteen bytes; made from the other arguments when None.
        timestamp: Seconds since 2000-01-01 UTC.
        geometry: Cylinders, heads, sectors; computed from the size when None.
        aligned_4k: Put the data of each block on a multiple of 4096, as Windows 8 and later do.
        batmap: Add the ``tdbatmap`` region of XenServer behind the BAT.
        extra_bat_entries: Unused entries behind those that the size needs.
        block_order: Reorders the numbers of the blocks as they are put into the file.
        stale_sectors: Bytes by virtual offset that are put into the file without their bitmap bit being set.
    """
    target = io.BytesIO()
    spec = _Spec(
        kind,
        size,
        block_size,
        parent,
        creator,
        creator_version,
        creator_host,
        unique_id or _derived_id(kind, size, block_size, parent),
        timestamp,
        geometry or chs(size),
        aligned_4k,
        batmap,
        extra_bat_entries,
    )
    pieces = {0: content} if isinstance(content, bytes) else dict(content)
    if kind == "fixed":
        target.write(bytes(size))
        for at, data in pieces.items():
            assert at + len(data) <= size
            target.seek(at)
            target.write(data)
        target.seek(size)
        target.write(_footer(spec))
    else:
        blocks = _blocks_of(spec, pieces, stale_sectors or {}, skip_zeros=isinstance(content, bytes))
        order = list(blocks)
        if block_order is not None:
            order = block_order(order)
        _write_sparse(target, spec, ((number, *blocks[number]) for number in order))
    data = target.getvalue()
    return data[:-1] if footer_511 else data


def write_vhd(
    path: Path,
    source: Path,
    *,
    kind: str = "dynamic",
    block_size: int = 2 * MIB,
    base: Path | None = None,
    parent: ParentLink | None = None,
    creator: bytes = b"win ",
    unique_id: bytes | None = None,
    timestamp: int = DEFAULT_TIMESTAMP,
    aligned_4k: bool = False,
) -> None:
    """Stream a raw image into a VHD file without holding it in memory.

    Holes and zeros of the source cost nothing: blocks of zeros are not allocated, and zeros inside blocks become holes
    of the new file where the file system has holes.

    Args:
        path: The VHD file to make.
        source: The raw image; its length is the virtual size.
        kind: ``fixed``, ``dynamic`` or ``differencing``.
        block_size: Bytes of a block without its bitmap.
        base: For a differencing file the raw image of its parent: sectors that differ are stored.
        parent: For a differencing file.
        creator: Creator application, four bytes.
        unique_id: Sixteen bytes; made from the other arguments when None.
        timestamp: Seconds since 2000-01-01 UTC.
        aligned_4k: Put the data of each block on a multiple of 4096.
    """
    size = source.stat().st_size
    spec = _Spec(
        kind,
        size,
        block_size,
        parent,
        creator,
        0x000A0000,
        b"Wi2k",
        unique_id or _derived_id(kind, size, block_size, parent),
        timestamp,
        chs(size),
        aligned_4k,
        batmap=False,
        extra_bat_entries=0,
    )
    with path.open("wb") as target, source.open("rb") as raw:
        if kind == "fixed":
            for at in _data_chunks(raw, size, MIB):
                raw.seek(at)
                target.seek(at)
                _write_skipping_zeros(target, raw.read(min(MIB, size - at)))
            target.seek(size)
            target.write(_footer(spec))
        elif base is None:
            _write_sparse(target, spec, _stream_blocks(spec, raw))
        else:
            with base.open("rb") as old:
                _write_sparse(target, spec, _stream_differences(spec, raw, old))


class _Spec(NamedTuple):
    kind: str
    size: int
    block_size: int
    parent: ParentLink | None
    creator: bytes
    creator_version: int
    creator_host: bytes
    unique_id: bytes
    timestamp: int
    geometry: tuple[int, int, int]
    aligned_4k: bool
    batmap: bool
    extra_bat_entries: int

    @property
    def bitmap_size(self) -> int:
        return _pad(max(self.block_size // SECTOR // 8, 1))

    @property
    def block_count(self) -> int:
        return -(-self.size // self.block_size)

    @property
    def bat_entries(self) -> int:
        return self.block_count + self.extra_bat_entries

    @property
    def bat_size(self) -> int:
        return _pad(self.bat_entries * 4)


Block = tuple[bytes, bytes]
"""Bitmap and data of a block."""


def _pad(length: int, to: int = SECTOR) -> int:
    return -(-length // to) * to


def _derived_id(kind: str, size: int, block_size: int, parent: ParentLink | None) -> bytes:
    text = f"{kind} {size} {block_size}".encode() + (parent.unique_id if parent else b"")
    return hashlib.sha256(text).digest()[:16]


def _footer(spec: _Spec) -> bytes:
    data = FOOTER.pack(
        b"conectix",
        2,
        0x10000,
        ALL_ONES if spec.kind == "fixed" else HEADER_OFFSET,
        spec.timestamp,
        spec.creator,
        spec.creator_version,
        spec.creator_host,
        spec.size,
        spec.size,
        *spec.geometry,
        TYPES[spec.kind],
        0,
        spec.unique_id,
        0,
    )
    return with_checksum(data, 64)


def _header(spec: _Spec, locators: list[bytes]) -> bytes:
    parent = spec.parent
    data = HEADER.pack(
        b"cxsparse",
        ALL_ONES,
        BAT_OFFSET,
        0x10000,
        spec.bat_entries,
        spec.block_size,
        0,
        parent.unique_id if parent else bytes(16),
        parent.timestamp if parent else 0,
        0,
        parent.name.encode("utf-16-be") if parent else b"",
        b"".join(locators),
    )
    return with_checksum(data, 36)


def _write_sparse(target: BinaryIO, spec: _Spec, blocks: Iterator[tuple[int, bytes, bytes]]) -> None:
    at = BAT_OFFSET + spec.bat_size
    batmap_at = at
    batmap_bytes = _pad(-(-spec.bat_entries // 8))
    if spec.batmap:
        at += SECTOR + batmap_bytes
    locators = []
    for code, text in spec.parent.locators if spec.parent else ():
        payload = text.encode("utf-16-le")
        space = _pad(len(payload))
        locators.append(LOCATOR.pack(code, space, len(payload), 0, at))
        target.seek(at)
        target.write(payload.ljust(space, b"\0"))
        at += space
    table = bytearray(b"\xff" * spec.bat_size)
    full = bytearray(batmap_bytes)
    for number, bitmap, data in blocks:
        if spec.aligned_4k:
            at = _pad(at + spec.bitmap_size, 4096) - spec.bitmap_size
        struct.pack_into(">I", table, number * 4, at // SECTOR)
        target.seek(at)
        target.write(bitmap)
        _write_skipping_zeros(target, data)
        at += spec.bitmap_size + spec.block_size
        if not bitmap[: spec.block_size // SECTOR // 8].strip(b"\xff"):
            full[number // 8] |= 0x80 >> (number % 8)
    footer = _footer(spec)
    # An aligned file is recognised also by the place of its footer.
    at = _pad(at, 4096) if spec.aligned_4k else at
    target.seek(at)
    target.write(footer)
    target.seek(0)
    target.write(footer + _header(spec, locators) + table)
    if spec.batmap:
        target.seek(batmap_at)
        total = ~sum(full) & 0xFFFFFFFF
        where = (b"tdbatmap", batmap_at + SECTOR, batmap_bytes // SECTOR, 0x00010002, total, 0)
        target.write(BATMAP_HEADER.pack(*where) + full)


def _blocks_of(
    spec: _Spec, pieces: Mapping[int, bytes], stale: Mapping[int, bytes], *, skip_zeros: bool
) -> dict[int, Block]:
    data: dict[int, bytearray] = {}
    bits: dict[int, bytearray] = {}
    for source, present in ((pieces, True), (stale, False)):
        for start, piece in source.items():
            assert start + len(piece) <= spec.size, "content reaches past the end of the disk"
            for at, part in _split(start, piece, spec.block_size):
                number, inside = divmod(at, spec.block_size)
                if skip_zeros and spec.kind == "dynamic" and not any(part):
                    continue
                block = data.setdefault(number, bytearray(spec.block_size))
                bitmap = bits.setdefault(number, bytearray(spec.bitmap_size))
                block[inside : inside + len(part)] = part
                if present:
                    _set_bits(bitmap, inside // SECTOR, -(-(inside + len(part)) // SECTOR))
    if spec.kind == "dynamic" and not stale:
        for bitmap in bits.values():
            _set_bits(bitmap, 0, spec.block_size // SECTOR)
    return {number: (bytes(bits[number]), bytes(data[number])) for number in sorted(data)}


def _split(start: int, piece: bytes, block_size: int) -> Iterator[tuple[int, bytes]]:
    done = 0
    while done < len(piece):
        at = start + done
        length = min(block_size - at % block_size, len(piece) - done)
        yield at, piece[done : done + length]
        done += length


def _set_bits(bitmap: bytearray, first: int, end: int) -> None:
    while first < end and first % 8:
        bitmap[first // 8] |= 0x80 >> (first % 8)
        first += 1
    whole = max((end - first) // 8, 0)
    bitmap[first // 8 : first // 8 + whole] = b"\xff" * whole
    for sector in range(first + whole * 8, end):
        bitmap[sector // 8] |= 0x80 >> (sector % 8)


def _stream_blocks(spec: _Spec, raw: BinaryIO) -> Iterator[tuple[int, bytes, bytes]]:
    bitmap = bytearray(spec.bitmap_size)
    _set_bits(bitmap, 0, spec.block_size // SECTOR)
    for at in _data_chunks(raw, spec.size, spec.block_size):
        raw.seek(at)
        data = raw.read(spec.block_size)
        if data.count(0) != len(data):
            yield at // spec.block_size, bytes(bitmap), data.ljust(spec.block_size, b"\0")


def _stream_differences(spec: _Spec, raw: BinaryIO, old: BinaryIO) -> Iterator[tuple[int, bytes, bytes]]:
    chunks = {*_data_chunks(raw, spec.size, spec.block_size), *_data_chunks(old, spec.size, spec.block_size)}
    for at in sorted(chunks):
        raw.seek(at)
        old.seek(at)
        data = raw.read(spec.block_size)
        before = old.read(spec.block_size).ljust(len(data), b"\0")[: len(data)]
        if data == before:
            continue
        bitmap = bytearray(spec.bitmap_size)
        stored = bytearray(spec.block_size)
        for inside, sector in difference(before, data).items():
            stored[inside : inside + len(sector)] = sector
            _set_bits(bitmap, inside // SECTOR, inside // SECTOR + 1)
        yield at // spec.block_size, bytes(bitmap), bytes(stored)


def _data_chunks(raw: BinaryIO, size: int, chunk: int) -> Iterator[int]:
    """Yield the offsets of the chunks that hold data, passing over holes where the system can tell them."""
    if not hasattr(os, "SEEK_DATA"):
        yield from range(0, size, chunk)
        return
    at = 0
    while at < size:
        try:
            data = os.lseek(raw.fileno(), at, os.SEEK_DATA)
        except OSError:
            return
        at = data // chunk * chunk
        yield at
        at += chunk


def _write_skipping_zeros(target: BinaryIO, data: bytes) -> None:
    start = target.tell()
    for at in range(0, len(data), _ZERO_CHUNK):
        part = data[at : at + _ZERO_CHUNK]
        if part.count(0) != len(part):
            target.seek(start + at)
            target.write(part)
    target.seek(start + len(data))

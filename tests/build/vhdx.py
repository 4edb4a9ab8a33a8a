"""VHDX files for tests: fixed, dynamic and differencing, with logs and with faults, sparse in memory.

Layout: header section, log, metadata, block allocation table, then sector bitmap blocks and blocks in the order in
which they are put. Everything is deterministic: the same arguments give the same bytes.
"""

from __future__ import annotations

import hashlib
import struct
import uuid
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.location import Location

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

KIB = 1024
MIB = 1024 * KIB
PAGE = 4096
HEADERS = (64 * KIB, 128 * KIB)
REGION_TABLES = (192 * KIB, 256 * KIB)
TABLE_SIZE = 64 * KIB
LOG_OFFSET = MIB
BAT_REGION = uuid.UUID("2dc27766-f623-4200-9d64-115e9bfd4a08")
METADATA_REGION = uuid.UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e")
FILE_PARAMETERS = uuid.UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b")
VIRTUAL_SIZE = uuid.UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8")
DISK_ID = uuid.UUID("beca12ab-b2e6-4523-93ef-c309e000c746")
LOGICAL_SECTOR = uuid.UUID("8141bf1d-a96f-4709-ba47-f233a8faab5f")
PHYSICAL_SECTOR = uuid.UUID("cda348c7-445d-4471-9cc9-e9885251c556")
PARENT_LOCATOR = uuid.UUID("a8d35f2d-b30b-454d-abf7-d3d84834ab0c")
LOCATOR_TYPE = uuid.UUID("b04aefb7-d19e-4a81-b789-25b8e9445913")
NO_GUID = uuid.UUID(int=0)
VIRTUAL_DISK_ID = uuid.UUID("11112222-3333-4444-5555-666677778888")
LOG_GUID = uuid.UUID("0f0e0d0c-0b0a-0908-0706-050403020100")
SIZES = {FILE_PARAMETERS: 8, VIRTUAL_SIZE: 8, DISK_ID: 16, LOGICAL_SECTOR: 4, PHYSICAL_SECTOR: 4}

NOT_PRESENT, UNDEFINED, ZERO, UNMAPPED, FULL, PARTIAL = 0, 1, 2, 3, 6, 7
_CHUNK = 64 * KIB


def _crc_table() -> list[int]:
    table = []
    for number in range(256):
        value = number
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc_table()


@lru_cache(maxsize=256)
def crc32c(data: bytes) -> int:
    """CRC-32C the plain way, a byte at a time."""
    register = 0xFFFFFFFF
    for byte in data:
        register = _TABLE[(register ^ byte) & 0xFF] ^ register >> 8
    return register ^ 0xFFFFFFFF


def with_crc(data: bytes) -> bytes:
    """Return a structure with the checksum at its offset 4 put right."""
    return data[:4] + struct.pack("<I", crc32c(data[:4] + bytes(4) + data[8:])) + data[8:]


class Image:
    """A file in memory that costs only what was written into it; also a byte source."""

    def __init__(self, name: str = "disk.vhdx") -> None:
        self.size = 0
        self.location = Location(name)
        self.reads: list[tuple[int, int]] = []
        self._chunks: dict[int, bytearray] = {}

    def write(self, offset: int, data: bytes) -> None:
        """Write bytes; the file grows when needed."""
        self.size = max(self.size, offset + len(data))
        done = 0
        while done < len(data):
            number, inside = divmod(offset + done, _CHUNK)
            length = min(_CHUNK - inside, len(data) - done)
            part = data[done : done + length]
            if number in self._chunks or any(part):
                chunk = self._chunks.setdefault(number, bytearray(_CHUNK))
                chunk[inside : inside + length] = part
            done += length

    def truncate(self, size: int) -> None:
        """Cut the file or let it grow."""
        for number in [number for number in self._chunks if number >= size // _CHUNK]:
            if number * _CHUNK >= size:
                del self._chunks[number]
            else:
                self._chunks[number][size % _CHUNK :] = bytes(_CHUNK - size % _CHUNK)
        self.size = size

    def read_at(self, offset: int, length: int) -> bytes:
        """Return bytes, and note that they were read."""
        assert offset >= 0 <= length
        assert offset + length <= self.size, "a reader must not read behind the end"
        self.reads.append((offset, length))
        parts = []
        end = offset + length
        while offset < end:
            number, inside = divmod(offset, _CHUNK)
            size = min(_CHUNK - inside, end - offset)
            chunk = self._chunks.get(number)
            parts.append(bytes(size) if chunk is None else bytes(chunk[inside : inside + size]))
            offset += size
        return b"".join(parts)

    def to_bytes(self) -> bytes:
        """Return the whole file."""
        return self.read_at(0, self.size)

    def save(self, path: Path) -> Path:
        """Write the file, with holes."""
        with path.open("wb") as target:
            for number, chunk in self._chunks.items():
                target.seek(number * _CHUNK)
                target.write(chunk[: self.size - number * _CHUNK])
            target.truncate(self.size)
        return path

    def copy(self) -> Image:
        """Return an independent copy."""
        other = Image(self.location.path)
        other.size = self.size
        other._chunks = {number: bytearray(chunk) for number, chunk in self._chunks.items()}
        return other

    def set_header(self, number: int | None = None, **fields: object) -> None:
        """Change fields of one header, or of both, with right checksums. GUIDs are given as such."""
        for place in HEADERS if number is None else (HEADERS[number - 1],):
            data = bytearray(self.read_at(place, PAGE))
            for name, value in fields.items():
                kind, at = _HEADER_FIELDS[name]
                struct.pack_into(kind, data, at, value.bytes_le if isinstance(value, uuid.UUID) else value)
            self.write(place, with_crc(bytes(data)))

    def set_regions(self, entries: Sequence[tuple[uuid.UUID, int, int, int]], count: int | None = None) -> None:
        """Write both region tables."""
        data = struct.pack("<4sIII", b"regi", 0, len(entries) if count is None else count, 0)
        data += b"".join(struct.pack("<16sQII", guid.bytes_le, *rest) for guid, *rest in entries)
        for place in REGION_TABLES:
            self.write(place, with_crc(data.ljust(TABLE_SIZE, b"\0")))

    def regions(self) -> list[tuple[uuid.UUID, int, int, int]]:
        """Return the entries of the first region table."""
        data = self.read_at(REGION_TABLES[0], TABLE_SIZE)
        found = (struct.unpack_from("<16sQII", data, 16 + 32 * n) for n in range(struct.unpack_from("<I", data, 8)[0]))
        return [(uuid.UUID(bytes_le=guid), *rest) for guid, *rest in found]

    def region(self, guid: uuid.UUID) -> int:
        """Return where a region is."""
        return next(entry[1] for entry in self.regions() if entry[0] == guid)

    def set_metadata(self, items: Sequence[tuple[uuid.UUID, bytes, int]], count: int | None = None) -> None:
        """Write the metadata: pairs of id, content, and flags (1 user, 2 virtual disk, 4 required)."""
        place = self.region(METADATA_REGION)
        table = struct.pack("<8sHH20x", b"metadata", 0, len(items) if count is None else count)
        offset = TABLE_SIZE
        for guid, content, flags in items:
            table += struct.pack("<16sIIII", guid.bytes_le, offset if content else 0, len(content), flags, 0)
            self.write(place + offset, content)
            offset += -(-len(content) // 8) * 8
        self.write(place, table.ljust(TABLE_SIZE, b"\0"))

    def entry(self, index: int) -> int:
        """Return an entry of the block allocation table."""
        return int(struct.unpack("<Q", self.read_at(self.region(BAT_REGION) + index * 8, 8))[0])

    def set_entry(self, index: int, value: int) -> None:
        """Change an entry of the block allocation table."""
        self.write(self.region(BAT_REGION) + index * 8, struct.pack("<Q", value))

    @property
    def data_write_guid(self) -> uuid.UUID:
        """The DataWriteGuid of the first header."""
        return uuid.UUID(bytes_le=self.read_at(HEADERS[0] + 32, 16))


_HEADER_FIELDS = {
    "signature": ("4s", 0), "sequence": ("<Q", 8), "file_write": ("16s", 16), "data_write": ("16s", 32),
    "log_guid": ("16s", 48), "log_version": ("<H", 64), "version": ("<H", 66), "log_length": ("<I", 68),
    "log_offset": ("<Q", 72),
}  # fmt: skip


def parent_locator(texts: Mapping[str, str], kind: uuid.UUID = LOCATOR_TYPE) -> bytes:
    """Return a parent locator item."""
    entries, payload = b"", b""
    start = 20 + 12 * len(texts)
    for key, value in texts.items():
        raw_key, raw_value = key.encode("utf-16-le"), value.encode("utf-16-le", "surrogatepass")
        at = start + len(payload)
        entries += struct.pack("<IIHH", at, at + len(raw_key), len(raw_key), len(raw_value))
        payload += raw_key + raw_value
    return struct.pack("<16sHH", kind.bytes_le, 0, len(texts)) + entries + payload


def link_to(parent: Image | uuid.UUID, relative: str | None = None, **more: str) -> dict[str, str]:
    """Return the texts of a parent locator that names a parent by its DataWriteGuid."""
    guid = parent if isinstance(parent, uuid.UUID) else parent.data_write_guid
    texts = {"parent_linkage": f"{{{guid}}}"}
    if relative is not None:
        texts["relative_path"] = relative
    return {**texts, **more}


def chunk_ratio(block_size: int, sector_size: int) -> int:
    """Blocks that share one sector bitmap block."""
    return (1 << 23) * sector_size // block_size


def items_of(
    kind: str, size: int, block_size: int, sector_size: int, locator: Mapping[str, str] | None
) -> list[tuple[uuid.UUID, bytes, int]]:
    """Return the metadata items of a disk."""
    flags = {"fixed": 1, "dynamic": 0, "differencing": 2}[kind]
    items = [
        (FILE_PARAMETERS, struct.pack("<II", block_size, flags), 4),
        (VIRTUAL_SIZE, struct.pack("<Q", size), 6),
        (DISK_ID, VIRTUAL_DISK_ID.bytes_le, 6),
        (LOGICAL_SECTOR, struct.pack("<I", sector_size), 6),
        (PHYSICAL_SECTOR, struct.pack("<I", 4096), 6),
    ]
    if locator is not None:
        items.append((PARENT_LOCATOR, parent_locator(locator), 4))
    return items


def build_vhdx(
    kind: str,
    size: int,
    block_size: int = MIB,
    content: Mapping[int, bytes] | bytes = b"",
    *,
    sector_size: int = 512,
    parent: Mapping[str, str] | None = None,
    states: Mapping[int, int] | None = None,
    stale: Mapping[int, bytes] | None = None,
    data_write: uuid.UUID | None = None,
    creator: str = "test",
    log_length: int = MIB,
    reverse: bool = False,
    name: str = "disk.vhdx",
) -> Image:
    """Return a VHDX file.

    Args:
        kind: ``fixed``, ``dynamic`` or ``differencing``.
        size: Virtual size in bytes.
        block_size: Bytes of a block.
        content: Bytes by virtual offset, in whole sectors for a differencing file, whose touched sectors are marked.
        sector_size: Bytes of a logical sector.
        parent: Texts of the parent locator.
        states: States of blocks by number; a block with content has 6, in a differencing file 7.
        stale: Bytes by virtual offset that are put into blocks without being marked.
        data_write: The DataWriteGuid; made from the other arguments when None.
        creator: The program that made it.
        log_length: Bytes of the log.
        reverse: Put the last block first.
        name: For messages.
    """
    image = Image(name)
    pieces = {0: content} if isinstance(content, bytes) else dict(content)
    ratio = chunk_ratio(block_size, sector_size)
    blocks = -(-size // block_size)
    chunks = -(-blocks // ratio)
    entries = chunks * (ratio + 1) if kind == "differencing" else blocks + (blocks - 1) // ratio
    bat_length = -(-entries * 8 // MIB) * MIB
    metadata_at = LOG_OFFSET + log_length
    bat_at = metadata_at + MIB
    at = bat_at + bat_length
    digest = hashlib.sha256(f"{kind} {size} {block_size} {sorted(pieces)} {parent}".encode()).digest()
    image.write(0, b"vhdxfile" + creator.encode("utf-16-le"))
    for number, place in enumerate(HEADERS):
        header = struct.pack(
            "<4sIQ16s16s16sHHIQ", b"head", 0, 7 + number, digest[16:],
            (data_write or uuid.UUID(bytes=digest[:16])).bytes_le, bytes(16), 0, 1, log_length, LOG_OFFSET,
        )  # fmt: skip
        image.write(place, with_crc(header.ljust(PAGE, b"\0")))
    image.set_regions([(BAT_REGION, bat_at, bat_length, 1), (METADATA_REGION, metadata_at, MIB, 1)])
    image.set_metadata(items_of(kind, size, block_size, sector_size, parent))
    image.truncate(at)
    used = {number for start, data in (*pieces.items(), *(stale or {}).items())
            for number in range(start // block_size, -(-(start + len(data)) // block_size))}  # fmt: skip
    if kind == "fixed":
        used = set(range(blocks))
    state_of = dict.fromkeys(used, PARTIAL if kind == "differencing" else FULL) | dict(states or {})
    bitmaps: dict[int, int] = {}
    places: dict[int, int] = {}
    for number in sorted(state_of, reverse=reverse):
        state = state_of[number]
        if state < FULL:
            image.set_entry(number + number // ratio, state)
            continue
        chunk = number // ratio
        if state == PARTIAL and chunk not in bitmaps:
            bitmaps[chunk] = at
            image.set_entry((chunk + 1) * ratio + chunk, at | FULL)
            at += MIB
        places[number] = at
        image.set_entry(number + number // ratio, at | state)
        at += block_size
    image.truncate(at)
    for source, marked in ((stale or {}, False), (pieces, True)):
        for start, data in source.items():
            assert start + len(data) <= blocks * block_size
            _put(image, start, data, block_size, places)
            if marked and kind == "differencing":
                assert start % sector_size == len(data) % sector_size == 0
                for sector in range(start // sector_size, (start + len(data)) // sector_size):
                    chunk, bit = divmod(sector, 1 << 23)
                    if chunk in bitmaps:
                        byte = image.read_at(bitmaps[chunk] + bit // 8, 1)[0]
                        image.write(bitmaps[chunk] + bit // 8, bytes([byte | 1 << bit % 8]))
    image.reads.clear()
    return image


def _put(image: Image, start: int, data: bytes, block_size: int, places: Mapping[int, int]) -> None:
    done = 0
    while done < len(data):
        number, inside = divmod(start + done, block_size)
        length = min(block_size - inside, len(data) - done)
        if number in places:
            image.write(places[number] + inside, data[done : done + length])
        done += length


class Page(NamedTuple):
    """A change in a log: new content of a page."""

    offset: int
    data: bytes


class Zeros(NamedTuple):
    """A change in a log: a range that becomes zeros."""

    offset: int
    length: int


def log_entry(
    changes: Sequence[Page | Zeros],
    *,
    sequence: int,
    tail: int,
    flushed: int,
    last: int,
    guid: uuid.UUID = LOG_GUID,
) -> bytes:
    """Return a log entry. ``tail`` is the offset in the log of the oldest entry that must be replayed with it."""
    descriptors, sectors = b"", b""
    for change in changes:
        if isinstance(change, Page):
            data = change.data.ljust(PAGE, b"\0")
            descriptors += struct.pack("<4s4s8sQQ", b"desc", data[-4:], data[:8], change.offset, sequence)
            sectors += struct.pack("<4sI4084sI", b"data", sequence >> 32, data[8:-4], sequence & 0xFFFFFFFF)
        else:
            descriptors += struct.pack("<4s4xQQQ", b"zero", change.length, change.offset, sequence)
    head_length = -(-(64 + len(descriptors)) // PAGE) * PAGE
    head = struct.pack(
        "<4sIIIQII16sQQ", b"loge", 0, head_length + len(sectors), tail, sequence, len(changes), 0, guid.bytes_le,
        flushed, last,
    )  # fmt: skip
    return with_crc((head + descriptors).ljust(head_length, b"\0") + sectors)


def put_log(
    image: Image,
    entries: Iterable[Sequence[Page | Zeros]],
    *,
    start: int = 0,
    sequence: int = 100,
    flushed: int | None = None,
    last: int | None = None,
    guid: uuid.UUID = LOG_GUID,
) -> list[int]:
    """Write entries one behind the other into the ring of the log and let the headers say that it must be replayed.

    Returns:
        Where in the log each entry begins.
    """
    length = int(struct.unpack("<I", image.read_at(HEADERS[1] + 68, 4))[0])
    at, places = start, []
    for number, changes in enumerate(entries):
        data = log_entry(
            changes, sequence=sequence + number, tail=start, guid=guid,
            flushed=image.size if flushed is None else flushed, last=image.size if last is None else last,
        )  # fmt: skip
        put_in_ring(image, at, data, length)
        places.append(at)
        at = (at + len(data)) % length
    image.set_header(log_guid=guid)
    image.reads.clear()
    return places


def put_in_ring(image: Image, at: int, data: bytes, length: int) -> None:
    """Write bytes into the log at an offset, around its end."""
    at %= length
    first = data[: length - at]
    image.write(LOG_OFFSET + at, first)
    if len(first) < len(data):
        image.write(LOG_OFFSET, data[len(first) :])

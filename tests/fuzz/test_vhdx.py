"""VHDX files with changed bytes, their checksums put right again: without that, nothing behind a checksum is reached.

Whatever happens, the answer is a disk or one of our own errors, and no more is read than a few times the file. More
rounds than the few of the default run: ``VDISKKIT_FUZZ_ROUNDS=2000``.
"""

from __future__ import annotations

import os
import struct
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.build.vhdx import (
    BAT_REGION,
    HEADERS,
    LOG_OFFSET,
    METADATA_REGION,
    MIB,
    PAGE,
    REGION_TABLES,
    TABLE_SIZE,
    UNMAPPED,
    ZERO,
    Image,
    Page,
    Zeros,
    build_vhdx,
    chunk_ratio,
    link_to,
    put_log,
    with_crc,
)
from tests.effort import tries
from vdiskkit.container.detect import Probe
from vdiskkit.container.identity import read_disk_identity
from vdiskkit.container.vhdx.bat import TableShape, check_table, parse_table
from vdiskkit.container.vhdx.disk import VhdxDisk
from vdiskkit.container.vhdx.header import FileRegion
from vdiskkit.container.vhdx.layout import (
    parse_header,
    parse_metadata_table,
    parse_parent_locator,
    parse_region_entries,
    parse_region_table,
)
from vdiskkit.container.vhdx.link import parent_link_of
from vdiskkit.errors import VDiskError
from vdiskkit.location import Location
from vdiskkit.vdisk import VDisk

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = int(os.environ.get("VDISKKIT_FUZZ_ROUNDS") or tries(30))
MOST_READS = 600
SIZE = 5 * MIB
WHERE = Location("fuzz.vhdx")
long = settings(
    max_examples=ROUNDS, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def dynamic() -> Image:
    states = {3: ZERO, 4: UNMAPPED}
    return build_vhdx("dynamic", SIZE, content={0: b"first", MIB - 3: b"across", 2 * MIB: b"third"}, states=states)


def fixed() -> Image:
    return build_vhdx("fixed", SIZE - 512, 2 * MIB, {0: b"first", 3 * MIB: b"x" * 5000}, sector_size=512)


def differencing() -> Image:
    content = {512 * at: bytes([at % 255 + 1]) * 512 for at in (0, 1, 7, 2047, 2048, 2060, 9000)}
    return build_vhdx("differencing", SIZE, content=content, parent=link_to(dynamic(), "p.vhdx"))


def large_sectors() -> Image:
    content = {4096 * at: bytes([at % 255 + 1]) * 4096 for at in (0, 1, 255, 256, 257, 1000)}
    return build_vhdx("differencing", SIZE, content=content, sector_size=4096, parent=link_to(dynamic(), "p.vhdx"))


def logged() -> Image:
    """Around the end of the log, with every kind of change: in the table, in the metadata, zeros, behind the end."""
    image = dynamic()
    table, metadata = image.region(BAT_REGION), image.region(METADATA_REGION)
    bat = bytearray(image.read_at(table, PAGE))
    struct.pack_into("<Q", bat, 8, image.size | 6)
    entries: list[list[Page | Zeros]] = [
        [Page(table, bytes(bat)), Page(metadata, image.read_at(metadata, PAGE)), Zeros(4 * MIB, 8 * PAGE)],
        [Page(4 * MIB + PAGE, b"later"), Zeros(4 * MIB, PAGE)],
        [Page(image.size, b"behind"), *(Zeros(4 * MIB + PAGE * number, PAGE) for number in range(140))],
        [],
    ]
    put_log(image, entries, start=252 * PAGE, last=image.size + MIB)
    return image


BUILDERS: dict[str, Callable[[], Image]] = {
    item.__name__: item for item in (dynamic, fixed, differencing, large_sectors, logged)
}


class Structure(NamedTuple):
    """A range that is parsed. ``sealed`` is how many bytes from its start a checksum at its offset 4 speaks of."""

    at: int
    length: int
    sealed: int


@cache
def healthy(name: str) -> tuple[Image, tuple[Structure, ...]]:
    image = BUILDERS[name]()
    ratio = {"differencing": chunk_ratio(MIB, 512), "large_sectors": chunk_ratio(MIB, 4096)}.get(name)
    return image, structures_of(image, ratio, logged=name == "logged")


def structures_of(image: Image, ratio: int | None, *, logged: bool) -> tuple[Structure, ...]:
    """List what is parsed of a file. ``ratio`` is the chunk ratio of a differencing one; its log has 1 MiB."""
    found = [Structure(at, 80, PAGE) for at in HEADERS]
    found += [Structure(at, 120, TABLE_SIZE) for at in REGION_TABLES]
    metadata, table = image.region(METADATA_REGION), image.region(BAT_REGION)
    found += [Structure(metadata, 32 + 32 * 6, 0), Structure(metadata + TABLE_SIZE, 500, 0), Structure(table, 48, 0)]
    if ratio is not None:
        found += [Structure(table + ratio * 8, 8, 0), Structure(image.entry(ratio) >> 20 << 20, 1300, 0)]
    if logged:
        for at in range(LOG_OFFSET, LOG_OFFSET + MIB, PAGE):
            sector = image.read_at(at, 64)
            if sector.startswith(b"loge"):
                found.append(Structure(at, 64 + 32 * 4, struct.unpack_from("<I", sector, 8)[0]))
            elif sector.startswith(b"data"):
                found.append(Structure(at, PAGE, 0))
    image.reads.clear()
    return tuple(found)


def put_in_file(image: Image, at: int, data: bytes) -> None:
    image.write(at, data[: max(image.size - at, 0)])


def seal(image: Image, structure: Structure) -> None:
    """Put a checksum right; that of a log entry goes around the end of the log."""
    first, in_log = structure.at, LOG_OFFSET <= structure.at < LOG_OFFSET + MIB
    if not in_log:
        put_in_file(image, first, with_crc(image.read_at(first, structure.sealed))[:8])
        return
    length = min(struct.unpack("<I", image.read_at(first + 8, 4))[0], MIB)
    before = min(length, LOG_OFFSET + MIB - first)
    data = image.read_at(first, before) + image.read_at(LOG_OFFSET, length - before)
    if len(data) >= 8:
        put_in_file(image, first, with_crc(data)[:8])


numbers = st.one_of(
    st.sampled_from(
        [0, 1, 2, 4, 5, 6, 7, 8, 512, 4096, MIB - 1, MIB, MIB + 1, (1 << 31) - 1, 1 << 31, 1 << 40, 1 << 63]
    ),
    st.sampled_from([0xFF, 0xFFFF, 0xFFFFFFFF, (1 << 64) - 1, (1 << 64) - MIB]),
    st.integers(0, 12).map(lambda at: at * MIB | 6),
    st.integers(0, 12).map(lambda at: at * MIB | 7),
    st.integers(0, 300).map(lambda at: at * PAGE),
    st.integers(0, 1 << 64).map(lambda value: value % (1 << 64)),
)


@st.composite
def damaged(draw: st.DrawFn, whole: Image, structures: tuple[Structure, ...]) -> Image:
    image = whole.copy()
    touched: list[Structure] = []
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3, 6]))):
        structure = draw(st.sampled_from(structures))
        width = draw(st.sampled_from([1, 2, 4, 8]))
        step = draw(st.sampled_from([1, width]))
        at = structure.at + draw(st.integers(0, max(structure.length // step - 1, 0))) * step
        put_in_file(image, at, (draw(numbers) % (1 << 8 * width)).to_bytes(width, "little"))
        touched.append(structure)
    if draw(st.booleans()) and draw(st.booleans()) and draw(st.booleans()):
        image.truncate(draw(st.integers(0, image.size)))
    if draw(st.integers(0, 4)):
        for structure in touched:
            if structure.sealed and structure.at + structure.sealed <= image.size:
                seal(image, structure)
    image.reads.clear()
    return image


def use(disk: VhdxDisk) -> None:
    """Read here and there, and ask everything else that can be asked of a disk."""
    size = disk.size
    for at in (0, 1000, MIB - 5, 2 * MIB - 600, 3 * MIB, size // 2, size - 9000, size - 1):
        start = max(min(at, size), 0)
        length = min(70_000, size - start)
        assert len(disk.read_at(start, length)) == length
    extents = list(disk.map(0, min(size, 8 * MIB)))
    assert sum(extent.length for extent in extents) == min(size, 8 * MIB)
    for extent in extents:
        assert extent.file_offset is None or extent.file_offset + extent.length <= disk.source.size
    for block in (0, disk.shape.blocks - 1):
        disk.block_offset(block)
        disk.bitmap_offset(block)
    disk.facts().to_dict()
    disk.read_parent_link()
    disk.check_rest()


@pytest.mark.parametrize("name", BUILDERS)
@given(data=st.data())
@long
def test_damaged_files_give_a_disk_or_our_own_error(name: str, data: st.DataObject) -> None:
    image = data.draw(damaged(*healthy(name)))
    most = 6 * image.size + 4 * MIB
    for glance in (False, True):
        try:
            disk = VhdxDisk(Probe.of(image), None, glance=glance)
            disk.parent = VhdxDisk(Probe.of(healthy("dynamic")[0]), None)
            use(disk)
        except VDiskError as exc:
            assert exc.message  # noqa: PT017 - both outcomes are right
            assert exc.location is not None  # noqa: PT017
        assert len(image.reads) <= MOST_READS
        assert sum(length for _at, length in image.reads) <= most
        image.reads.clear()
    try:
        read_disk_identity(image)
    except VDiskError as exc:
        assert exc.message  # noqa: PT017
    try:
        with VDisk(image, target="fuzz.vhdx", path=None) as opened:
            opened.inspect()
    except VDiskError as exc:
        assert exc.message  # noqa: PT017
        assert exc.exit_code in {3, 5}  # noqa: PT017
    assert len(image.reads) <= MOST_READS
    assert sum(length for _at, length in image.reads) <= most


PARSERS: dict[str, Callable[[bytes], object]] = {
    "header": lambda data: parse_header(data, WHERE),
    "region table": lambda data: parse_region_table(data, WHERE, zeros=max(TABLE_SIZE - len(data), 0)),
    "region entries": lambda data: parse_region_entries(data, WHERE),
    "metadata table": lambda data: parse_metadata_table(data, MIB, WHERE),
    "parent locator": lambda data: parent_link_of(parse_parent_locator(data, WHERE), WHERE),
}
STARTS = {
    "header": b"head", "region table": b"regi", "region entries": b"regi", "metadata table": b"metadata",
    "parent locator": bytes.fromhex("b7ef4ab09ed1814ab78925b8e9445913") + b"\0\0",
}  # fmt: skip


@pytest.mark.parametrize("name", PARSERS)
@given(start=st.booleans(), sealed=st.booleans(), data=st.binary(max_size=5000))
@long
def test_parsers_are_total(name: str, start: bool, sealed: bool, data: bytes) -> None:
    if start:
        data = STARTS[name] + data
    if sealed and name in ("header", "region table") and len(data) >= 8:
        size = {"header": PAGE, "region table": TABLE_SIZE}[name]
        data = with_crc(data[:size].ljust(size, b"\0"))
    try:
        PARSERS[name](data)
    except VDiskError as exc:
        assert exc.message  # noqa: PT017 - both outcomes are right


@given(
    size=st.integers(1, 40).map(lambda blocks: blocks * MIB - 512),
    differencing=st.booleans(),
    entries=st.dictionaries(st.integers(0, 60), numbers, max_size=12),
    end=st.integers(3, 60).map(lambda blocks: blocks * MIB),
)
@long
def test_tables_that_pass_are_sound(size: int, differencing: bool, entries: dict[int, int], end: int) -> None:
    """What the check of a table lets pass is right by the plain way of looking at it, entry by entry."""
    shape = TableShape.of(size, MIB, 512, differencing=differencing)
    data = bytearray(shape.entries * 8)
    for number, entry in entries.items():
        if number < shape.entries:
            struct.pack_into("<Q", data, number * 8, entry)
    if differencing and 60 in entries:
        struct.pack_into("<Q", data, shape.bitmap_index(0) * 8, entries[60])
    regions = (FileRegion(0, MIB, "header section"), FileRegion(2 * MIB, 3 * MIB, "log"))
    try:
        table = parse_table(bytes(data), shape, WHERE)
        check_table(
            table, shape, size=size, block_size=MIB, differencing=differencing, regions=regions, end=end, location=WHERE
        )
    except VDiskError as exc:
        assert exc.message  # noqa: PT017 - both outcomes are right
        passed = False
    else:
        passed = True
    assert passed == _sound(bytes(data), shape, size, differencing, end)


def _sound(data: bytes, shape: TableShape, size: int, differencing: bool, end: int) -> bool:
    if any(entry & 0xFFFF8 for (entry,) in struct.iter_unpack("<Q", data)):
        return False
    used = {0, 2}
    bitmap = differencing and struct.unpack_from("<Q", data, shape.bitmap_index(0) * 8)[0]
    for number in range(shape.blocks):
        (entry,) = struct.unpack_from("<Q", data, number * 8)
        state, place = entry & 7, entry >> 20
        if state in (4, 5) or (state == 7 and (not differencing or bitmap & 7 != 6)):
            return False
        if state >= 6:
            length = min(MIB, size - number * MIB)
            if place in used or place * MIB + length > end:
                return False
            used.add(place)
    if differencing:
        if bitmap & 7 not in (0, 6):
            return False
        if bitmap & 7 == 6:
            return bitmap >> 20 not in used and (bitmap >> 20) * MIB + MIB <= end
    return True

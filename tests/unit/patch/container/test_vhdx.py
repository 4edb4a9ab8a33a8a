"""Writing to VHDX files: where blocks go, what is written when, and what is refused."""

from __future__ import annotations

import struct
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.build.vhd import noise
from tests.build.vhdx import (
    BAT_REGION,
    FULL,
    HEADERS,
    LOG_GUID,
    LOG_OFFSET,
    METADATA_REGION,
    MIB,
    NO_GUID,
    NOT_PRESENT,
    PAGE,
    PARTIAL,
    REGION_TABLES,
    UNDEFINED,
    UNMAPPED,
    ZERO,
    Image,
    Page,
    Zeros,
    build_vhdx,
    link_to,
    log_entry,
    put_log,
    with_crc,
)
from tests.property.patch.test_vhdx_writes import headers_of, new_ids, open_disk
from vdiskkit.container.vhdx.log import replay_log
from vdiskkit.errors import WriteRefusedError
from vdiskkit.patch.container.vhdx.log import LogWriter, build_entry, entry_length
from vdiskkit.patch.disk import WritableDisk
from vdiskkit.patch.ids import ids_for
from vdiskkit.patch.operations import DeleteFile
from vdiskkit.patch.staging import Phase, StagedFile

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 6 * MIB
OPEN = {Phase.OPEN_FIRST, Phase.OPEN_SECOND}
LOG = {Phase.LOG, Phase.LOGGED_FIRST, Phase.LOGGED_SECOND, Phase.CLAIM, Phase.CLOSE_FIRST, Phase.CLOSE_SECOND}
PARENT = build_vhdx("dynamic", SIZE, content=noise(SIZE, 1), name="p.vhdx")


class Opened(NamedTuple):
    disk: WritableDisk
    staged: StagedFile

    @property
    def phases(self) -> set[Phase]:
        return {change.phase for change in self.staged.changes()}

    def entry(self, index: int, region_at: int = 3 * MIB) -> int:
        return int.from_bytes(self.staged.read_at(region_at + index * 8, 8), "little")


def writable(image: Image, parent: Image | None = None) -> Opened:
    staged = StagedFile(image)
    return Opened(WritableDisk(open_disk(staged, parent), staged, new_id=new_ids()), staged)


def child(content: dict[int, bytes] | None = None, **options: object) -> Image:
    return build_vhdx("differencing", SIZE, MIB, content or {}, parent=link_to(PARENT, "p.vhdx"), **options)  # type: ignore[arg-type]


# -- in place ---------------------------------------------------------------------------------------------------------


def test_what_is_in_the_file_is_written_in_place_and_without_the_log() -> None:
    opened = writable(build_vhdx("fixed", SIZE))
    opened.disk.write_at(MIB - 100, b"x" * 200, Phase.LINK)
    assert opened.phases == OPEN | {Phase.LINK}
    assert opened.disk.allocations == ()
    assert opened.staged.size == opened.staged.original_size
    assert opened.disk.notes == ()


def test_what_is_so_already_stages_nothing() -> None:
    """Not even headers; and a log that is pending stays so."""
    image = child({0: b"a" * 512})
    put_log(image, [[Page(4 * MIB, image.read_at(4 * MIB, PAGE))]])
    opened = writable(image, PARENT)
    opened.disk.write_at(0, opened.disk.read_at(0, SIZE), Phase.LINK)
    assert opened.staged.changes() == []
    assert opened.staged.size == image.size
    assert opened.disk.container.file is opened.staged
    assert opened.disk.container.source is not opened.staged
    assert opened.disk.notes == ()


def test_zeros_are_so_already_only_where_they_are_told() -> None:
    states = {0: ZERO, 1: UNDEFINED, 2: UNMAPPED, 3: NOT_PRESENT}
    opened = writable(build_vhdx("dynamic", SIZE, states=states))
    opened.disk.write_at(0, bytes(SIZE), Phase.LINK)
    assert [item.block for item in opened.disk.allocations] == [1, 2]


@pytest.mark.parametrize("unit", [512, 4096])
def test_a_sector_of_the_parent_is_written_whole_before_its_bit(unit: int) -> None:
    parent = build_vhdx("dynamic", SIZE, content=noise(SIZE, 1), sector_size=unit)
    image = build_vhdx(
        "differencing", SIZE, MIB, {8 * unit: noise(unit, 2)}, sector_size=unit, parent=link_to(parent, "p.vhdx")
    )
    opened = writable(image, parent)
    old = opened.disk.read_at(0, MIB)
    opened.disk.write_at(10 * unit + 7, b"own", Phase.LINK)
    data, bits = (
        [change for change in opened.staged.changes() if change.phase is phase] for phase in (Phase.DATA, Phase.LINK)
    )
    block, bitmap = 5 * MIB, 4 * MIB
    assert [(change.offset, len(change.after)) for change in data] == [(block + 10 * unit, unit)]
    assert data[0].after == old[10 * unit : 10 * unit + 7] + b"own" + old[10 * unit + 10 : 11 * unit]
    assert [(change.offset, change.after[:3]) for change in bits] == [(bitmap, b"\0\x05\0")]
    assert opened.phases == OPEN | {Phase.DATA, Phase.LINK}


# -- blocks that are added ----------------------------------------------------------------------------------------


def test_a_block_is_added_behind_the_end_through_the_log() -> None:
    image = build_vhdx("dynamic", SIZE, content=b"first")
    image.write(image.size + 5, b"somebody's tail")
    end = image.size
    opened = writable(image)
    opened.disk.write_at(2 * MIB + 3, b"new", Phase.LINK)
    assert opened.phases == OPEN | LOG | {Phase.LINK}
    (block,) = opened.disk.allocations
    assert block == (2, 2 * MIB, 6 * MIB, MIB)
    assert block.file_offset - MIB < end < block.file_offset
    assert opened.staged.size == 7 * MIB
    assert opened.entry(2) == 6 * MIB | FULL
    entry = opened.staged.read_at(LOG_OFFSET, 2 * PAGE)
    assert entry[:4] == b"loge"
    assert struct.unpack_from("<IIQI", entry, 8) == (2 * PAGE, 0, 1, 1)
    assert struct.unpack_from("<QQ", entry, 48) == (7 * MIB, 7 * MIB)


def test_of_a_fixed_disk_that_ends_within_its_last_block_the_next_one_is_behind_that() -> None:
    """qemu cuts the file behind the virtual size; the block belongs to the last one all the same."""
    image = build_vhdx("fixed", 6 * MIB - 4096, 4 * MIB)
    image.set_entry(0, 0)
    last = 3 * MIB + MIB + 4 * MIB
    image.truncate(last + 2 * MIB - 4096)
    opened = writable(image)
    opened.disk.write_at(0, b"x", Phase.LINK)
    (block,) = opened.disk.allocations
    assert block.file_offset == last + 4 * MIB
    opened.disk.write_at(6 * MIB - 4100, b"tail", Phase.LINK)
    assert open_disk(opened.staged, None).read_at(6 * MIB - 4100, 4) == b"tail"


def test_in_a_differencing_file_the_first_block_of_a_chunk_gets_a_bitmap_too() -> None:
    opened = writable(child(), PARENT)
    opened.disk.write_at(2 * MIB, b"x" * 512, Phase.LINK)
    opened.disk.write_at(4 * MIB, b"y" * 512, Phase.LINK)
    assert [item.file_offset for item in opened.disk.allocations] == [5 * MIB, 6 * MIB]
    assert opened.entry(4096) == 4 * MIB | FULL
    assert [opened.entry(index) & 7 for index in range(6)] == [0, 0, PARTIAL, 0, PARTIAL, 0]
    # Two pages of the table have changed, and the log has both.
    entry = opened.staged.read_at(LOG_OFFSET, PAGE)
    assert struct.unpack_from("<II", entry, 24)[0] == 2
    assert [struct.unpack_from("<Q", entry, 64 + 32 * number + 16)[0] for number in (0, 1)] == [
        3 * MIB, 3 * MIB + 8 * PAGE,
    ]  # fmt: skip


@pytest.mark.parametrize("state", [UNDEFINED, ZERO, UNMAPPED])
def test_where_a_version_hides_its_parent_with_zeros_it_goes_on_to(state: int) -> None:
    opened = writable(child(states={2: state}), PARENT)
    opened.disk.write_at(2 * MIB + 700, b"x", Phase.LINK)
    assert opened.entry(2) & 7 == FULL
    assert opened.disk.read_at(2 * MIB, MIB) == bytes(700) + b"x" + bytes(MIB - 701)
    assert opened.entry(4096) == 0


def test_bits_that_are_left_over_are_cleared_before_somebody_looks() -> None:
    """Of blocks 2 and 3 the bits are in one sector of the bitmap; those of block 3 mean something."""
    image = child({3 * MIB: b"3" * 512})
    bitmap = 4 * MIB
    image.write(bitmap + 2 * 256, b"\xff" * 256)
    opened = writable(image, PARENT)
    opened.disk.write_at(3 * MIB + 1024, b"z" * 512, Phase.RELEASE)
    opened.disk.write_at(2 * MIB + 512, b"x" * 512, Phase.LINK)
    versions = [
        (change.phase, change.after[at - change.offset : at - change.offset + 512])
        for change in opened.staged.changes()
        for at in [bitmap + 512]
        if change.offset <= at < change.offset + len(change.after)
    ]
    assert versions == [
        (Phase.DATA, bytes(256) + b"\1" + bytes(255)),
        (Phase.LINK, b"\2" + bytes(255) + b"\1" + bytes(255)),
        (Phase.RELEASE, b"\2" + bytes(255) + b"\5" + bytes(255)),
    ]
    assert opened.disk.read_at(2 * MIB, 1024) == PARENT.read_at(4 * MIB + 2 * MIB, 512) + b"x" * 512


def test_chunks_have_bitmaps_of_their_own() -> None:
    """Blocks of 256 MiB, sixteen to a chunk; entries 15, 17 and 33 are of three chunks."""
    size = 48 * 256 * MIB
    parent = build_vhdx("dynamic", size, 256 * MIB)
    image = build_vhdx("differencing", size, 256 * MIB, parent=link_to(parent, "p.vhdx"))
    opened = writable(image, parent)
    for block in (15, 16, 31):
        opened.disk.write_at((block + 1) * 256 * MIB - 512, bytes([block]) * 512, Phase.LINK)
    assert [opened.entry(index) for index in (16, 33, 50)] == [4 * MIB | FULL, 261 * MIB | FULL, 0]
    assert [opened.entry(index) for index in (15, 17, 32)] == [
        5 * MIB | PARTIAL, 262 * MIB | PARTIAL, 518 * MIB | PARTIAL,
    ]  # fmt: skip
    # The last bits of both bitmaps, and the first chunk's last block only.
    assert opened.staged.read_at(5 * MIB - 1, 1) == b"\x80"
    assert opened.staged.read_at(262 * MIB - 1, 1) == b"\x80"
    fresh = open_disk(opened.staged, parent)
    for block in (15, 16, 31):
        assert fresh.read_at((block + 1) * 256 * MIB - 1024, 1024) == bytes(512) + bytes([block]) * 512
    assert fresh.allocated_blocks == 3


def test_prefer_what_is_in_the_file() -> None:
    opened = writable(child({MIB: b"a" * 512}, states={2: FULL, 3: ZERO}), PARENT)
    allocated = [opened.disk.is_allocated(block * MIB, MIB) for block in range(6)]
    assert allocated == [False, True, True, False, False, False]
    assert not opened.disk.is_allocated(2 * MIB, MIB + 1)


# -- what tells that somebody else wrote ---------------------------------------------------------------------------


def test_guards_are_data_bits_or_the_entry() -> None:
    image = child({MIB: b"a" * 1024}, states={2: FULL})
    opened = writable(image, PARENT)
    bitmap, one, two = 4 * MIB, 5 * MIB, 6 * MIB
    assert opened.disk.guards([(MIB + 512, 2048)]) == [(bitmap, 512), (one + 512, 512)]
    assert opened.disk.guards([(2 * MIB + 100, 10)]) == [(two, 512)]
    assert opened.disk.guards([(4 * MIB, MIB)]) == [(3 * MIB, 512)]
    # What the change writes itself needs no guard.
    opened.disk.write_at(4 * MIB, b"new", Phase.LINK)
    assert opened.disk.guards([(4 * MIB, MIB)]) == []


def test_nothing_is_guarded_where_the_file_grows_by_its_log() -> None:
    image = build_vhdx("dynamic", SIZE, content=b"\1" + bytes(MIB - 1))
    size = image.size
    put_log(image, [[Page(3 * MIB, image.read_at(3 * MIB, PAGE))]], flushed=size - PAGE, last=size)
    image.truncate(size - PAGE)
    opened = writable(image)
    opened.disk.write_at(0, b"\2", Phase.LINK)
    assert opened.staged.size == size
    assert opened.disk.guards([(MIB - 3 * PAGE, 3 * PAGE)]) == [(size - 3 * PAGE, 2 * PAGE)]
    assert opened.disk.guards([(MIB - PAGE, PAGE)]) == []


# -- headers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damaged", [1, 2])
def test_a_damaged_header_is_whole_again(damaged: int) -> None:
    image = build_vhdx("fixed", SIZE)
    image.write(HEADERS[damaged - 1], noise(PAGE, 3))
    opened = writable(image)
    opened.disk.write_at(0, b"x", Phase.LINK)
    assert open_disk(opened.staged, None).notices == ()
    first = next(change for change in opened.staged.changes() if change.phase is Phase.OPEN_FIRST)
    assert (first.offset, len(first.after)) == (HEADERS[damaged - 1], PAGE)


def test_of_equal_headers_the_second_is_written_first() -> None:
    image = build_vhdx("fixed", SIZE)
    image.write(HEADERS[1], image.read_at(HEADERS[0], PAGE))
    opened = writable(image)
    opened.disk.write_at(0, b"x", Phase.LINK)
    assert [change.offset for change in opened.staged.changes()][:2] == [HEADERS[1], HEADERS[0]]


def test_what_is_reserved_in_the_header_stays() -> None:
    image = build_vhdx("fixed", SIZE, creator="somebody else")
    image.write(HEADERS[1], with_crc(image.read_at(HEADERS[1], 80) + noise(PAGE - 80, 4)))
    opened = writable(image)
    opened.disk.write_at(0, b"x", Phase.LINK)
    for at in HEADERS:
        assert opened.staged.read_at(at + 80, PAGE - 80) == noise(PAGE - 80, 4)
    assert opened.staged.read_at(0, 64 * 1024) == image.read_at(0, 64 * 1024)


# -- pending logs ---------------------------------------------------------------------------------------------------


def test_a_pending_log_is_replayed_and_told() -> None:
    image = build_vhdx("dynamic", SIZE, content=noise(MIB, 1))
    block = 4 * MIB
    put_log(
        image, [[Page(block, noise(PAGE, 2))], [Zeros(block + PAGE, 2 * PAGE)], [Page(block + PAGE, noise(PAGE, 3))]]
    )
    opened = writable(image)
    assert opened.disk.read_at(0, PAGE) == noise(PAGE, 2)
    opened.disk.write_at(5, b"x", Phase.LINK)
    wanted = noise(PAGE, 2)[:5] + b"x" + noise(PAGE, 2)[6:] + noise(PAGE, 3) + bytes(PAGE)
    assert opened.disk.read_at(0, 3 * PAGE) == opened.staged.read_at(block, 3 * PAGE) == wanted
    assert opened.phases == OPEN | {Phase.REPLAY, Phase.REPLAYED_FIRST, Phase.REPLAYED_SECOND, Phase.LINK}
    assert opened.disk.notes == (
        "the VHDX was not closed: what its log holds is written to its place first (3 entries)",
    )
    replayed = [change for change in opened.staged.changes() if change.phase is Phase.REPLAY]
    assert b"".join(change.after for change in replayed) == noise(PAGE, 2) + noise(PAGE, 3) + bytes(PAGE)


def test_the_replay_alone_leaves_the_id_of_the_content() -> None:
    """Nothing is changed that the disk shows, so a version made from it still fits."""
    image = build_vhdx("dynamic", SIZE, content=noise(MIB, 1))
    put_log(image, [[Page(4 * MIB, noise(PAGE, 2))]])
    opened = writable(image)
    assert opened.disk.replay() == 1
    assert opened.disk.replay() == 0
    assert opened.phases == OPEN | {Phase.REPLAY, Phase.REPLAYED_FIRST, Phase.REPLAYED_SECOND}
    ids = [uuid.UUID(int=number << 64 | 0xFEED) for number in (1, 2)]
    assert headers_of(opened.staged) == [(at, ids[0], image.data_write_guid, NO_GUID) for at in (11, 12)]
    # A write that follows changes the id from the first header on, and costs no more headers.
    opened.disk.write_at(0, b"x", Phase.LINK)
    assert headers_of(opened.staged) == [(at, *ids, NO_GUID) for at in (11, 12)]
    first = next(change for change in opened.staged.changes() if change.phase is Phase.OPEN_FIRST)
    assert first.after[8:64] == struct.pack("<Q", 9) + b"".join(item.bytes_le for item in (*ids, LOG_GUID))


# -- refusals -------------------------------------------------------------------------------------------------------


def region_table_one(image: Image) -> None:
    image.write(REGION_TABLES[0] + 100, b"\1")


def region_table_two(image: Image) -> None:
    image.write(REGION_TABLES[1] + 100, b"\1")


def other_region_table(image: Image) -> None:
    first = image.read_at(REGION_TABLES[0], 64 * 1024)
    image.set_regions([*image.regions(), (uuid.UUID(int=7), 64 * MIB, MIB, 0)])
    image.write(REGION_TABLES[0], first)


def header_of_the_future(image: Image) -> None:
    image.set_header(1, version=2, sequence=99)


def last_number(image: Image) -> None:
    image.set_header(1, sequence=(1 << 64) - 8)


def log_version(image: Image) -> None:
    image.set_header(log_version=1)


def log_elsewhere(image: Image) -> None:
    image.truncate(16 * MIB)
    image.set_header(log_offset=10 * MIB + 4096)


def log_over_headers(image: Image) -> None:
    put_log(image, [[Page(HEADERS[0], bytes(PAGE))]])


def log_over_itself(image: Image) -> None:
    put_log(image, [[Zeros(LOG_OFFSET + MIB - PAGE, PAGE)]])


def log_of_zeros(image: Image) -> None:
    image.truncate(128 * MIB)
    put_log(image, [[Zeros(8 * MIB, 65 * MIB)]])


def huge_after_the_log(image: Image) -> None:
    put_log(image, [[Page(4 * MIB, bytes(PAGE))]], last=66 << 40)


def odd_table(image: Image) -> None:
    image.set_regions([(BAT_REGION, 3 * MIB, 1000, 1), (METADATA_REGION, 2 * MIB, MIB, 1)])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (region_table_one, "the first region table cannot be used"),
        (region_table_two, "the second region table cannot be used"),
        (other_region_table, "the two region tables differ"),
        (header_of_the_future, "one of its headers is of an unknown version"),
        (last_number, "cannot be numbered on"),
        (log_version, "its log is of the unknown version 1"),
        (log_elsewhere, "a log of 1048576 bytes cannot be at 0xa01000"),
        (log_over_headers, "its log would write over the headers or over itself"),
        (log_over_itself, "its log would write over the headers or over itself"),
        (log_of_zeros, "its log zeroes 68157440 bytes"),
        (huge_after_the_log, "more than the 65 TiB"),
        (odd_table, "the block allocation table has 1000 bytes"),
    ],
)
def test_refused(spoil: Callable[[Image], None], message: str) -> None:
    image = build_vhdx("dynamic", SIZE, content=b"x" * 100)
    spoil(image)
    with pytest.raises(WriteRefusedError, match=message) as caught:
        writable(image)
    assert caught.value.message.startswith("this disk is not written to: ")
    assert ("copy the file again" if "first" in message else "Convert-VHD") in (caught.value.hint or "")


def test_without_room_in_the_log_no_block_is_added() -> None:
    image = build_vhdx("dynamic", SIZE, content=b"x" * 100)
    image.set_header(log_length=0, log_offset=0)
    opened = writable(image)
    opened.disk.write_at(50, b"in place", Phase.LINK)
    assert opened.phases == OPEN | {Phase.LINK}
    with pytest.raises(WriteRefusedError, match=r"1 pages of the block allocation table .* a log of 0 bytes"):
        opened.disk.write_at(2 * MIB, b"new", Phase.LINK)


def test_more_pages_than_the_log_has() -> None:
    """A log of 1 MiB holds 253 pages; of 2^18 blocks of 1 MiB the table has 513."""
    image = build_vhdx("dynamic", (1 << 18) * MIB)
    table = image.region(BAT_REGION)
    staged = StagedFile(image)
    disk = open_disk(staged, None)
    log = LogWriter(staged, disk.header, LOG_GUID)
    places = [table + page * PAGE + 8 for page in range(254)]
    log.check_room(places[:253])
    with pytest.raises(WriteRefusedError, match="254 pages of the block allocation table"):
        log.check_room(places)
    for number, place in enumerate(places[:253]):
        staged.write_at(place, bytes([number]) * 8, Phase.CLAIM)
    log.add(places[:200])
    log.add(places[100:253])
    log.check_room(places[:1])
    with pytest.raises(WriteRefusedError):
        log.check_room(places[253:])
    staged.write_at(HEADERS[1] + 48, LOG_GUID.bytes_le, Phase.LOGGED_SECOND)
    replay = replay_log(staged, disk.header._replace(log_guid=str(LOG_GUID)))
    assert replay.sequence == (1, 1, 1, image.size, image.size)
    assert replay.pages == {place - 8: staged.read_at(place - 8, PAGE) for place in places[:253]}


@given(st.dictionaries(st.integers(0, 1 << 40), st.binary(max_size=PAGE), max_size=4), st.integers(1, (1 << 64) - 1))
def test_entries_are_those_of_another_builder(pages: dict[int, bytes], sequence: int) -> None:
    filled = {offset * PAGE: data.ljust(PAGE, b"\xa5") for offset, data in sorted(pages.items())}
    ours = build_entry(filled, guid=LOG_GUID, sequence=sequence, file_size=7 * MIB)
    changes = [Page(offset, data) for offset, data in filled.items()]
    assert ours == log_entry(changes, sequence=sequence, tail=0, flushed=7 * MIB, last=7 * MIB)
    assert len(ours) == entry_length(len(pages))


def test_entries_with_many_descriptors() -> None:
    """126 fit into the first sector, 128 into each further one."""
    for count in (126, 127, 254, 255):
        ours = build_entry(
            dict.fromkeys(range(0, count * PAGE, PAGE), bytes(PAGE)), guid=LOG_GUID, sequence=1, file_size=0
        )
        assert len(ours) == entry_length(count) == (1 + (count > 126) + (count > 254) + count) * PAGE


def test_ids_follow_from_the_change() -> None:
    now = datetime(2026, 11, 24, 9, 12, tzinfo=UTC)
    operations = [DeleteFile(path="a"), DeleteFile(path="b")]
    new_id, again = ids_for(now, operations, "disk"), ids_for(now, list(operations), "disk")
    row = [new_id() for _ in range(3)]
    assert [again() for _ in range(3)] == row
    assert {item.version for item in row} == {4}
    others = [ids_for(now, operations, "other"), ids_for(now, operations[:1], "disk")]
    others.append(ids_for(now + timedelta(microseconds=1), operations, "disk"))
    assert len({*row, *(other() for other in others)}) == 6


def test_a_file_that_would_get_too_long() -> None:
    image = build_vhdx("dynamic", SIZE)
    image.truncate((65 << 40) - MIB)
    opened = writable(image)
    opened.disk.write_at(0, b"x", Phase.LINK)
    assert opened.staged.size == 65 << 40
    with pytest.raises(WriteRefusedError, match="would grow beyond 65 TiB"):
        opened.disk.write_at(MIB, b"x", Phase.LINK)

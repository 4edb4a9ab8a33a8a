"""Streams whose runlist outgrows its MFT record: extension records, attribute lists, and what each step leaves."""

from __future__ import annotations

import itertools
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import tries
from tests.unit.patch.ntfs.staged import Staged, contents, without
from tests.unit.patch.ntfs.test_phases import problems_by_phase
from vdiskkit.errors import WriteRefusedError
from vdiskkit.location import Location
from vdiskkit.ntfs.record import ATTRIBUTE_LIST, DATA, FileReference, parse_record
from vdiskkit.ntfs.runs import Run, parse_runs
from vdiskkit.patch.ntfs.attributelist import ListWriter, list_lines
from vdiskkit.patch.ntfs.content import AttributeContent
from vdiskkit.patch.ntfs.fixups import protect
from vdiskkit.patch.ntfs.freerecords import RecordSpace
from vdiskkit.patch.ntfs.layout import Sizes, extension_record, non_resident_attribute, pairs_room
from vdiskkit.patch.ntfs.mapping import encode_runs, split_runs
from vdiskkit.patch.ntfs.records import FileRecords
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from vdiskkit.patch.ntfs import GrownFile, WritableFile
    from vdiskkit.patch.ntfs.records import HeldAttribute

HIVE = "Windows\\System32\\config\\SOFTWARE"
KERNEL = "Windows\\System32\\kernel.bin"
SCATTERED = "scattered.bin"
LINKED = "ids\\linked"


def punched(name: str) -> Staged:
    """A volume of whose free clusters only every second one is free."""
    staged = Staged(name)
    space = staged.editor.space
    for first, count in list(space._free_around(0, [])):
        space.claim([(cluster, 1) for cluster in range(first, first + count) if cluster % 2])
    return Staged(staged.after)


def records_of(staged: Staged, path: str) -> FileRecords:
    return FileRecords(staged.editor.store, staged.volume.lookup(path).record_number)


def read(staged: Staged, path: str) -> bytes:
    source = staged.volume.lookup(path).open()
    return source.read_at(0, source.size)


def until_it_spreads(stream: WritableFile, cluster_size: int, step: int) -> GrownFile:
    for _ in range(100):
        grown = stream.grow(stream.allocated_size + step * cluster_size)
        if grown.records:
            return grown
    raise AssertionError("the runlist always found room")


@pytest.mark.parametrize(
    ("name", "path", "step"),
    [("basic", HIVE, 13), ("basic", "resident.txt", 13), ("records4096", KERNEL, 200), ("fragmented", SCATTERED, 60)],
)
def test_a_stream_grows_out_of_its_record(name: str, path: str, step: int) -> None:
    staged = punched(name)
    before = contents(staged.volume)
    content = read(staged, path)
    stream = staged.editor.open_stream(path)
    size = staged.editor.store.boot.cluster_size
    old = records_of(staged, path)
    grown = until_it_spreads(stream, size, step)
    now = records_of(staged, path)
    assert set(now.extensions) == {*old.extensions, *grown.records}
    # A stream that was alone in its record moves out as a whole; parts in other records stay as they are.
    assert now.find(DATA)[0].record == (old.find(DATA)[0].record if old.listed else grown.records[0])
    assert stream.allocated_size == grown.allocated_size == sum(length for _, length in stream.extents())
    stream.write_at(stream.size - 5, b"at it", Phase.DATA)
    assert read(staged, path) == content.ljust(stream.size - 5, b"\0") + b"at it"
    assert without(contents(staged.volume), path) == without(before, path)
    staged.check(known=("bitmap.lost",))  # what was claimed for nobody

    count = len(stream.extents())
    while len(stream.extents()) < count + 30:  # and further, in the new record
        assert stream.grow(stream.size + 3 * size).records == ()
    assert read(staged, path)[:-1].startswith(content)
    staged.check(known=("bitmap.lost",))
    deleted = staged.editor.delete_file(path)
    assert set(deleted.records) == {now.number, *now.extensions}
    assert contents(staged.volume) == without(before, path)
    staged.check(known=("bitmap.lost",))


def test_new_records_continue_what_was_there() -> None:
    """Sequence and update sequence numbers go on, the base reference and the record's own number are right."""
    staged = punched("basic")
    store = staged.editor.store
    blank = {number: bytes(store.load(number)) for number in range(24, store.count)}
    number = staged.volume.lookup(HIVE).record_number
    (added,) = until_it_spreads(staged.editor.open_stream(HIVE), 4096, 13).records
    record = store.load(added)
    assert struct.unpack_from("<H", record, 16)[0] == struct.unpack_from("<H", blank[added], 16)[0] or 1
    assert struct.unpack_from("<H", record, 22)[0] == 1
    base = staged.volume.mft.record(number)
    assert struct.unpack_from("<Q", record, 32)[0] == number | base.sequence << 48
    assert struct.unpack_from("<HI", record, 42) == (0, added)
    assert base.link_count == 1
    assert store.parsed(added).link_count == 0
    assert RecordSpace(store).is_used(added)


def test_a_named_stream_moves_and_the_content_stays() -> None:
    staged = punched("basic")
    path = "streams\\host.txt"
    stream = staged.editor.open_stream(f"{path}:large")
    content = stream.read_at(0, stream.size)
    grown = until_it_spreads(stream, 4096, 20)
    file = staged.volume.lookup(path)
    assert file.open("large").read_at(0, len(content)) == content
    assert file.open().read_at(0, file.size) == b"the content itself"
    assert [held.record for held in records_of(staged, path).find(DATA, "large")] == list(grown.records)
    assert file.size == 18
    staged.check(known=("bitmap.lost",))


def test_a_resident_stream_whose_record_is_full_moves_out_of_it() -> None:
    """The record has no room for a runlist, however short: names fill it, as in a file of many links."""
    staged = Staged("basic")
    store = staged.editor.store
    number = staged.volume.lookup("resident.txt").record_number
    record = store.load(number)
    held = next(one for one in store.attributes(number) if one.attribute.type == DATA)
    name = next(one for one in store.attributes(number) if one.attribute.type == 0x30)
    filler = bytearray(record[name.offset : name.offset + 24]) + bytes(1024 - 8 - held.offset - held.length - 24)
    struct.pack_into("<IIBBHHHIH", filler, 0, 0xE0, len(filler), 0, 0, 0, 0, 77, len(filler) - 24, 24)
    at = held.offset + held.length
    record[at : at + len(filler) + 8] = filler + b"\xff\xff\xff\xff\0\0\0\0"
    struct.pack_into("<I", record, 24, at + len(filler) + 8)
    struct.pack_into("<H", record, 40, 78)
    store.store(number, record, Phase.LINK)
    staged = Staged(staged.after)
    stream = staged.editor.open_stream("resident.txt")
    with pytest.raises(WriteRefusedError, match=r"MFT record of resident\.txt has \d+ bytes left, too few"):
        stream.grow(9000)  # not even for a list that lies elsewhere
    assert not staged.changes


def longer(staged: Staged, path: str, lines: int, *, at: int | None = None) -> tuple[bytes, ListWriter]:
    """Give a file a list of so many lines more, at its end or in front of that; only the list is looked at here."""
    store, records = staged.editor.store, records_of(staged, path)
    base = store.load(records.number)
    old = list_lines(store, records)
    where = len(old) if at is None else at
    new = [*old[:where], *old[:1] * lines, *old[where:]]
    writer = ListWriter(store, staged.editor.space, records, base, new, taken=(), what=path)
    writer.write()
    store.store(records.number, base, Phase.LINK)
    staged.editor.space.release(writer.freed)
    return b"".join(new), writer


def list_of(staged: Staged, path: str) -> tuple[HeldAttribute, bytes]:
    number = staged.volume.lookup(path).record_number
    held = next(one for one in staged.editor.store.attributes(number) if one.attribute.type == ATTRIBUTE_LIST)
    content = AttributeContent(staged.editor.store, [held])
    return held, content.read(0, content.size)


@pytest.mark.parametrize(("lines", "resident"), [(0, True), (10, True), (200, False)])
def test_a_first_list_lies_where_there_is_room(lines: int, resident: bool) -> None:
    staged = Staged("basic")
    value, writer = longer(staged, HIVE, lines)
    held, found = list_of(staged, HIVE)
    assert (held.attribute.resident, found, writer.freed) == (resident, value, [])
    record = staged.editor.store.parsed(held.record)
    assert len({attribute.instance for attribute in record.attributes}) == len(record.attributes)
    assert [attribute.type for attribute in record.attributes] == sorted(one.type for one in record.attributes)
    assert read(staged, "plain.bin") == read(Staged("basic"), "plain.bin")


def test_a_list_in_clusters_is_lengthened_behind_its_end() -> None:
    """Until the base record says so, the new lines are none of the list."""
    staged = Staged("edits")
    held, old = list_of(staged, LINKED)
    value, writer = longer(staged, LINKED, (held.attribute.allocated_size - len(old)) // 32)
    assert list_of(staged, LINKED)[1] == value
    assert (writer.freed, {change.phase for change in staged.changes}) == ([], {Phase.DATA, Phase.LINK})
    data = bytearray(staged.data)
    for change in staged.changes:
        if change.phase is Phase.DATA:
            data[change.offset : change.offset + len(change.after)] = change.after
    assert list_of(Staged(data), LINKED)[1] == old


@pytest.mark.parametrize(("lines", "at"), [(1, 3), (200, None), (300, 2)])
def test_any_other_longer_list_goes_into_new_clusters(lines: int, at: int | None) -> None:
    staged = Staged("edits")
    before, _ = list_of(staged, LINKED)
    runs = parse_runs(before.attribute, 1 << 40, Location("x"))
    value, writer = longer(staged, LINKED, lines, at=at)
    after, found = list_of(staged, LINKED)
    assert found == value
    assert writer.freed == [(run.lcn, run.clusters) for run in runs]
    assert staged.editor.space.all_are(writer.freed[0][0], 1, used=False)
    for run in parse_runs(after.attribute, 1 << 40, Location("x")):
        assert staged.editor.space.all_are(run.lcn or 0, run.clusters, used=True)
        assert run.lcn != writer.freed[0][0]


def test_a_list_has_its_limit() -> None:
    staged = Staged("edits")
    with pytest.raises(WriteRefusedError, match=r"would have 26\d+ bytes, 262144 are allowed"):
        longer(staged, LINKED, 8192)
    assert not staged.changes


def test_no_free_record_is_refused_before_anything_is_written() -> None:
    staged = punched("basic")
    store = staged.editor.store
    space = RecordSpace(store)
    space.claim(number for number in range(24, store.count) if space.is_free(number))
    staged = Staged(staged.after)
    stream = staged.editor.open_stream(HIVE)
    with pytest.raises(WriteRefusedError, match=r"SOFTWARE needs 2 more MFT records, and none of the \d+") as caught:
        stream.grow(stream.allocated_size + 300 * 4096)
    assert caught.value.hint
    assert not staged.changes


def test_records_that_only_the_bitmap_calls_free_are_left_alone() -> None:
    staged = punched("basic")
    store = staged.editor.store
    first, second, third = RecordSpace(store).choose(3, "it")
    record = store.load(first)
    struct.pack_into("<H", record, 22, 1)
    store.store(first, record, Phase.LINK)
    damaged = store.load(second)
    damaged[:4] = b"BAAD"
    store.store(second, damaged, Phase.LINK)
    assert RecordSpace(store).choose(1, "it") == [third]


def test_records_that_this_change_frees_are_left_alone() -> None:
    staged = punched("basic")
    gone = staged.editor.delete_file("plain.bin").record
    assert until_it_spreads(staged.editor.open_stream(HIVE), 4096, 40).records[0] != gone
    staged.check(known=("bitmap.lost",))


def test_records_whose_bits_lie_apart_from_those_that_are_freed_come_first() -> None:
    staged = Staged("directory")
    (first,) = RecordSpace(staged.editor.store).choose(1, "it")
    assert first < 4096
    assert staged.editor.delete_file("many\\many entry number 00007").record < 4096
    space = RecordSpace(staged.editor.store)
    apart = space.choose(1, "it")[0]
    assert apart >= 4096
    every = space.choose(sum(space.is_free(number) for number in range(24, staged.editor.store.count)) - 1, "it")
    assert every[0] == apart
    assert first in every  # when there are no others


@pytest.mark.parametrize(("name", "path", "step"), [("basic", HIVE, 250), ("fragmented", SCATTERED, 400)])
def test_spreading_leaves_what_belongs_to_nobody_at_worst(name: str, path: str, step: int) -> None:
    staged = punched(name)
    stream = staged.editor.open_stream(path)
    stream.grow(stream.allocated_size + step * staged.editor.store.boot.cluster_size)
    assert len(records_of(staged, path).extensions) > 0
    assert problems_by_phase(staged) == {
        Phase.GROW: {"bitmap.lost"},
        Phase.DATA: {"bitmap.lost"},
        Phase.CLAIM: {"bitmap.lost", "mft.extension"},
        Phase.LINK: {"bitmap.lost"},
        Phase.RELEASE: {"bitmap.lost"},
    }
    assert {change.phase for change in staged.changes} <= {Phase.DATA, Phase.CLAIM, Phase.LINK}


RUNS = st.lists(st.tuples(st.integers(0, 1 << 40), st.integers(1, 1 << 33)), min_size=1, max_size=60)


@given(RUNS, st.integers(18, 400), st.integers(0, 1 << 30))
def test_a_split_runlist_is_the_same_runlist(placed: list[tuple[int, int]], room: int, first: int) -> None:
    runs, vcn = [], first
    for lcn, clusters in placed:
        runs.append(Run(vcn, lcn, clusters))
        vcn += clusters
    parts = split_runs(runs, room)
    assert [run for part in parts for run in part] == runs
    for part in parts:
        assert len(encode_runs(part)) <= room
    for part, following in itertools.pairwise(parts):
        assert len(encode_runs([*part, following[0]])) > room


@settings(max_examples=tries(30))
@given(RUNS, st.text(max_size=20))
def test_a_part_says_what_its_reader_reads(placed: list[tuple[int, int]], name: str) -> None:
    runs, vcn = [], 7
    for lcn, clusters in placed:
        runs.append(Run(vcn, lcn, clusters))
        vcn += clusters
    part = split_runs(runs, pairs_room(1024, name))[0]
    free = bytearray(1024)
    struct.pack_into("<4sHHQH", free, 0, b"FILE", 0x30, 3, 0, 5)
    block = non_resident_attribute(DATA, name, 0, 0, part, Sizes())
    record = extension_record(free, 99, FileReference(40, 3), block)
    read_back = parse_record(protect(record), 99, Location("x"))
    assert (read_back.sequence, read_back.base, read_back.in_use) == (5, (40, 3), True)
    (attribute,) = read_back.attributes
    assert (attribute.name, attribute.lowest_vcn) == (name, 7)
    assert parse_runs(attribute, 1 << 62, Location("x")) == part

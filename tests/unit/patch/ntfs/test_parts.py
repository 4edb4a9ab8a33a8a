"""Changing and deleting files of thousands of runs, with lists in one place or in pieces, and what is refused."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.build.volume_edit import BITMAP, DATA
from tests.build.volume_parts import free_clusters, line, move_out, set_bits, spread
from tests.unit.ntfs.volumes import attribute_offset, editor, poke
from tests.unit.patch.ntfs.staged import Staged
from vdiskkit.errors import CorruptStructureError, WriteRefusedError
from vdiskkit.io import BytesSource
from vdiskkit.patch.ntfs import check_volume
from vdiskkit.patch.ntfs.freerecords import RecordSpace
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.build.volume_edit import VolumeEditor

FILE = "many\\many entry number 00007"
EMPTY = "many\\many entry number 00008"


def in_pieces(runs: int, listed: str, per_record: int = 90) -> tuple[VolumeEditor, list[int]]:
    volume = editor("directory")
    free = free_clusters(volume)
    lines = 3 + -(-runs // per_record)
    listed_in = {
        "resident": (),
        "in clusters": ((free[-9], -(-lines * 32 // 4096)),),
        "in pieces": tuple((cluster, 1) for cluster in free[-9 : -9 + 2 * -(-lines * 32 // 4096) : 2]),
    }[listed]
    clusters = [(cluster, 1) for cluster in free[: 2 * runs : 2]]
    return volume, spread(volume, FILE, clusters, size=runs * 4096 - 5, listed_in=listed_in, per_record=per_record)


def names_in(staged: Staged) -> set[str]:
    return {entry.name for entry in staged.volume.listdir("many", verify=False)}


@pytest.mark.parametrize(
    ("runs", "listed", "per_record"),
    [(400, "resident", 90), (900, "in clusters", 5), (900, "in pieces", 3)],
)
def test_everything_of_a_deleted_file_is_freed(runs: int, listed: str, per_record: int) -> None:
    volume, extensions = in_pieces(runs, listed, per_record)
    staged = Staged(volume.data)
    before = names_in(staged)
    free = staged.volume.free_bytes()
    deleted = staged.editor.delete_file(FILE)
    assert set(deleted.records) == {volume.number(FILE), *extensions}
    assert deleted.records[-1] == volume.number(FILE)
    space = RecordSpace(staged.editor.store)
    assert all(space.is_free(number) for number in deleted.records)
    assert not any(staged.editor.store.parsed(number).in_use for number in deleted.records)
    assert staged.volume.free_bytes() == (free or 0) + deleted.freed_bytes
    assert names_in(staged) == before - {FILE.rpartition("\\")[2]}
    staged.check()


@pytest.mark.thorough
@pytest.mark.parametrize("listed", ["resident", "in clusters", "in pieces"])
def test_a_file_in_pieces_is_overwritten_and_grows(listed: str) -> None:
    runs = 700 if listed == "in clusters" else 400
    volume, extensions = in_pieces(runs, listed, 90 if listed != "in pieces" else 5)
    free = free_clusters(volume)
    set_bits(volume, 6, DATA, ((cluster, 1) for cluster in free[::2]))  # one cluster in two or four is left
    staged = Staged(volume.data)
    stream = staged.editor.open_stream(FILE)
    content = bytearray(stream.read_at(0, stream.size))
    patch = bytes(range(256)) * 100
    stream.write_at(150 * 4096 - 77, patch, Phase.DATA)
    content[150 * 4096 - 77 : 150 * 4096 - 77 + len(patch)] = patch
    grown = []
    while len(grown) < 2:
        grown += stream.grow(stream.allocated_size + 60 * 4096).records
    assert set(grown).isdisjoint(extensions)
    assert stream.read_at(0, stream.size) == content.ljust(stream.size, b"\0")
    source = staged.volume.lookup(FILE).open()
    assert source.read_at(0, source.size) == content.ljust(stream.size, b"\0")
    staged.check(known=("bitmap.lost",))
    deleted = staged.editor.delete_file(FILE)
    assert set(deleted.records) == {volume.number(FILE), *extensions, *grown}
    staged.check(known=("bitmap.lost",))


def test_the_bitmap_of_the_table_in_an_extension_record() -> None:
    volume = editor("directory")
    move_out(volume, 0, BITMAP, 20)
    staged = Staged(volume.data)
    staged.check()
    number = staged.editor.delete_file(EMPTY).record
    assert RecordSpace(staged.editor.store).is_free(number)
    staged.check()


@pytest.mark.parametrize(
    ("offset", "layout", "value", "message"),
    [
        (32, "<Q", 5 | 5 << 48, "does not belong to this file"),
        (22, "<H", 0, "does not belong to this file"),
        (16, "<H", 77, "does not belong to this file"),
        (0, "<4s", b"BAAD", "chkdsk marked it bad"),
    ],
)
def test_a_file_with_a_damaged_extension_is_refused(offset: int, layout: str, value: int, message: str) -> None:
    volume, extensions = in_pieces(400, "resident")
    poke(volume, extensions[2], offset, layout, value)
    staged = Staged(volume.data)
    with pytest.raises(CorruptStructureError, match=message):
        staged.editor.open_stream(FILE).grow(1 << 24)
    with pytest.raises(CorruptStructureError, match=message):
        staged.editor.delete_file(FILE)
    assert not staged.changes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines, _: [*lines, lines[-1]], "no part that starts|does not name every attribute"),
        (lambda lines, _: lines[:-1], "does not name every attribute|only .* of clusters"),
        (lambda lines, _: lines[:4] + lines[5:], "no part that starts|does not name every attribute"),
        (lambda lines, own: [line(0x20, 0, own, 1, 99), *lines], "names itself"),
        (lambda lines, _: [*lines[:-1], lines[-1][:4] + b"\0\0" + lines[-1][6:]], "said to have 0x0 bytes"),
    ],
)
def test_a_list_that_tells_other_parts_is_refused(
    change: Callable[[list[bytes], int], list[bytes]], message: str
) -> None:
    volume, _ = in_pieces(400, "in clusters")
    number = volume.number(FILE)
    record = volume.record(number)
    at = attribute_offset(volume, number, 0x20)
    start, _ = next(volume.record_runs(record, volume.find(record, 0x20)))
    size = struct.unpack_from("<Q", record, at + 48)[0]
    lines = [bytes(volume.data[one : one + 32]) for one in range(start, start + size, 32)]
    new = b"".join(change(lines, number))
    volume.data[start : start + 4096] = new.ljust(4096, b"\0")
    poke(volume, number, at + 48, "<QQ", len(new), len(new))
    staged = Staged(volume.data)
    with pytest.raises(CorruptStructureError, match=message):
        staged.editor.delete_file(FILE)
    with pytest.raises(CorruptStructureError, match=message):
        staged.editor.open_stream(FILE)
    assert not staged.changes


def test_clusters_of_the_table_in_pieces_are_never_released() -> None:
    """One run of hundreds lies where $MFT does."""
    volume, extensions = in_pieces(900, "in clusters")
    record = volume.record(0)
    start, length = list(volume.record_runs(record, volume.find(record, DATA)))[-1]
    cluster = (start + length) // 4096 - 1
    holder = volume.record(extensions[6])
    at = volume.find(holder, DATA).offset + 64
    first = struct.unpack_from("<i", holder, at + 5)[0]
    following = struct.unpack_from("<i", holder, at + 9 + 5)[0]
    struct.pack_into("<i", holder, at + 5, cluster)
    struct.pack_into("<i", holder, at + 9 + 5, following + first - cluster)
    volume.put_record(extensions[6], holder)
    staged = Staged(volume.data)
    with pytest.raises(WriteRefusedError, match=rf"cluster {cluster:#x} belongs to .* and to MFT record 0"):
        staged.editor.delete_file(FILE)
    assert not staged.changes


def test_a_list_out_of_order_is_found() -> None:
    volume, _ = in_pieces(400, "in clusters")
    record = volume.record(volume.number(FILE))
    start, _ = next(volume.record_runs(record, volume.find(record, 0x20)))
    one, other = start + 32 * 3, start + 32 * 4
    volume.data[one : one + 32], volume.data[other : other + 32] = (
        volume.data[other : other + 32],
        volume.data[one : one + 32],
    )
    assert [problem.code for problem in check_volume(BytesSource(bytes(volume.data)))] == ["list.order"]


RANGES = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=12)


@given(RANGES, RANGES)
def test_what_was_taken_again_is_not_free(freed: list[tuple[int, int]], taken: list[tuple[int, int]]) -> None:
    staged = Staged("basic")
    staged.editor.gave_back(freed)
    staged.editor.taken(taken)
    left = {one for first, size in staged.editor.touched.freed_extents for one in range(first, first + size)}
    expected = {one for first, size in freed for one in range(first, first + size)}
    assert left == expected - {one for first, size in taken for one in range(first, first + size)}

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.build.image import load_volume
from tests.unit.patch.ntfs.staged import Staged
from vdiskkit.errors import WriteRefusedError
from vdiskkit.patch.ntfs.bitmap import Bitmap
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from vdiskkit.patch.ntfs.space import ClusterSpace

BITS = 5000


@functools.cache
def basic_space() -> ClusterSpace:
    return Staged("basic").editor.space


class Content:
    """Bytes in memory, with what was written where."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self.size = len(data)
        self.writes: list[tuple[int, int]] = []

    def read(self, offset: int, length: int) -> bytes:
        return bytes(self.data[offset : offset + length])

    def write(self, offset: int, data: bytes, phase: Phase) -> None:
        self.writes.append((offset, len(data)))
        self.data[offset : offset + len(data)] = data


def bitmap_of(used: set[int]) -> tuple[Bitmap, Content]:
    content = Content(sum(1 << bit for bit in used).to_bytes((BITS + 63) // 64 * 8, "little"))
    return Bitmap(content, BITS, "$Bitmap"), content  # type: ignore[arg-type]  # the same three members


RANGES = st.lists(st.tuples(st.integers(0, BITS - 1), st.integers(1, 900), st.booleans()), max_size=12)


@given(RANGES, st.integers(0, BITS - 1), st.integers(0, 2000))
def test_a_bitmap_is_a_set_of_bits(ranges: list[tuple[int, int, bool]], start: int, span: int) -> None:
    bitmap, content = bitmap_of(set())
    model: set[int] = set()
    for first, wanted, used in ranges:
        count = min(wanted, BITS - first)
        bitmap.put(first, count, used=used)
        bits = set(range(first, first + count))
        model = model | bits if used else model - bits
    end = min(start + span, BITS)
    free = [bit for first, count in bitmap.free_runs(start, end) for bit in range(first, first + count)]
    assert free == [bit for bit in range(start, end) if bit not in model]
    runs = list(bitmap.free_runs(start, end))
    assert all(left[0] + left[1] < right[0] for left, right in itertools.pairwise(runs))
    if end > start:
        assert bitmap.all_are(start, end - start, used=True) == set(range(start, end)).issubset(model)
        assert bitmap.all_are(start, end - start, used=False) == set(range(start, end)).isdisjoint(model)
    bitmap.flush(Phase.CLAIM)
    assert int.from_bytes(content.data, "little") == sum(1 << bit for bit in model)


def test_only_changed_sectors_are_written() -> None:
    bitmap, content = bitmap_of({1, 2, 3})
    bitmap.put(1, 2, used=True)  # they are already
    bitmap.put(4097, 1, used=True)
    bitmap.flush(Phase.CLAIM)
    assert content.writes == [(512, 120)]
    assert not bitmap.all_are(BITS - 1, 2, used=False)


def test_a_short_bitmap_is_refused() -> None:
    with pytest.raises(WriteRefusedError, match="too few"):
        Bitmap(Content(bytes(8)), 100, "$Bitmap")  # type: ignore[arg-type]  # the same three members


def test_clusters_behind_the_stream_come_first() -> None:
    space = Staged("basic").editor.space
    first, count = max(space._free_around(0, []), key=lambda run: run[1])
    assert space.choose(10, first) == [(first, 10)]
    assert space.choose(count + 1, first)[0] == (first, count)


def test_preferred_clusters_come_before_others() -> None:
    wanted: list[int] = []
    staged = Staged("basic", prefer=lambda offset, length: offset // 4096 >= 3000)
    wanted += [first for first, _ in staged.editor.space.choose(20, None)]
    assert wanted[0] >= 3000
    anywhere = Staged("basic", prefer=lambda offset, length: False).editor.space.choose(20, None)
    assert anywhere == Staged("basic").editor.space.choose(20, None)


def test_what_was_just_freed_is_left_alone() -> None:
    staged = Staged("basic")
    free = list(staged.editor.space._free_around(0, []))
    first, count = staged.editor.volume.lookup("plain.bin").open().runs()[0][1:]
    assert first is not None
    staged.editor.delete_file("plain.bin")
    space = staged.editor.space
    assert space.all_are(first, count, used=False)
    chosen = space.choose(count, first)
    assert chosen[0][0] >= first + count or chosen[0][0] < first
    total = sum(size for _, size in free)
    everything = space.choose(total + count, None)  # only when there is nothing else
    assert sum(size for _, size in everything) == total + count


def test_bits_beside_those_that_were_just_freed_are_left_alone_where_there_is_a_choice() -> None:
    path = "Windows\\System32\\spp\\store\\tokens.dat"
    staged = Staged(load_volume("win8").data)
    first = staged.editor.volume.lookup(path).open().runs()[0].lcn
    assert first is not None
    staged.editor.delete_file(path)
    sector = first // 4096
    behind = next(staged.editor.space.free_runs(sector * 4096, (sector + 1) * 4096))[0]
    assert all(lcn // 4096 != sector for lcn, _ in staged.editor.space.choose(100, behind))
    # Fewer pieces, and places that cost the file no block, count more.
    inside = Staged(load_volume("win8").data, prefer=lambda offset, length: offset // 4096 // 4096 == sector)
    inside.editor.delete_file(path)
    assert [lcn // 4096 for lcn, _ in inside.editor.space.choose(100, None)] == [sector]
    whole = max(size for _, size in staged.editor.space.free_runs(0, staged.editor.store.boot.total_clusters))
    assert len(staged.editor.space.choose(whole - 20, None)) == 1


def test_a_full_volume_is_refused() -> None:
    space = Staged("basic").editor.space
    with pytest.raises(WriteRefusedError, match="it is full"):
        space.choose(1 << 30, None)


def test_scattered_clusters_are_gathered_up_to_a_limit() -> None:
    space = Staged(load_volume("cluster512").data).editor.space
    for first, count in list(space._free_around(0, [])):
        space.claim([(cluster, 1) for cluster in range(first, first + count) if cluster % 3])
    for wanted in (20, 4096):
        chosen = space.choose(wanted, None)
        assert len(chosen) == wanted
        assert chosen == sorted(chosen)
    with pytest.raises(WriteRefusedError, match="too scattered"):
        space.choose(4097, None)


@given(st.sets(st.integers(0, 4095), max_size=40), st.integers(0, 4095))
def test_what_is_taken_is_never_offered(taken: set[int], near: int) -> None:
    space = basic_space()
    offered = list(space._free_around(near, [(cluster, 1) for cluster in taken]))
    clusters = [cluster for first, count in offered for cluster in range(first, first + count)]
    free = [cluster for first, count in space.free_runs(0, 4096) for cluster in range(first, first + count)]
    assert sorted(clusters) == [cluster for cluster in free if cluster not in taken]

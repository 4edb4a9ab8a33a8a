from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdiskkit.errors import CorruptStructureError, ReadLimitError, SourceError
from vdiskkit.io import (
    BytesSource,
    FileSource,
    GuardedSource,
    PageCache,
    ReadBudget,
    SliceSource,
    SourceFile,
    StreamSource,
)

if TYPE_CHECKING:
    from pathlib import Path

DATA = bytes(range(256)) * 40


class Counting(BytesSource):
    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.calls: list[tuple[int, int]] = []

    def read_at(self, offset: int, length: int) -> bytes:
        self.calls.append((offset, length))
        return super().read_at(offset, length)


ranges = st.integers(0, len(DATA)).flatmap(
    lambda offset: st.tuples(st.just(offset), st.integers(0, len(DATA) - offset))
)


@given(st.lists(ranges, max_size=12), st.sampled_from([16, 512, 4096]), st.integers(1, 6), st.sampled_from([64, 10**6]))
def test_cache_reads_like_its_source(
    wanted: list[tuple[int, int]], page_size: int, max_pages: int, bypass: int
) -> None:
    cache = PageCache(BytesSource(DATA), page_size=page_size, max_pages=max_pages, bypass=bypass)
    for offset, length in wanted:
        assert cache.read_at(offset, length) == DATA[offset : offset + length]


def test_cache_merges_missing_pages_into_one_read() -> None:
    source = Counting(DATA)
    cache = PageCache(source, page_size=512)
    cache.read_at(1000, 4)
    cache.read_at(100, 3000)
    assert source.calls == [(512, 512), (0, 512), (1024, 2560)]


def test_cache_keeps_no_more_pages_than_allowed() -> None:
    source = Counting(DATA)
    cache = PageCache(source, page_size=512, max_pages=2)
    for page in (0, 1, 2, 0):
        cache.read_at(page * 512, 1)
    assert len(source.calls) == 4


def test_reads_outside_are_refused_with_the_place() -> None:
    with pytest.raises(CorruptStructureError, match="points outside"):
        BytesSource(b"abc").read_at(2, 2)
    with pytest.raises(CorruptStructureError):
        SliceSource(BytesSource(b"abcdef"), 2, 2).read_at(1, 2)
    with pytest.raises(CorruptStructureError):
        SliceSource(BytesSource(b"abc"), 2, 2)


def test_budget_stops_a_loop_before_it_reads() -> None:
    source = GuardedSource(BytesSource(DATA), ReadBudget(1000, 3))
    for _ in range(3):
        source.read_at(0, 10)
    with pytest.raises(ReadLimitError, match="4 calls"):
        source.read_at(0, 10)


def test_limited_budget_is_restored() -> None:
    budget = ReadBudget(10_000, 100)
    source = GuardedSource(BytesSource(DATA), budget)
    with budget.limited(100, 10):
        source.read_at(0, 100)
        with pytest.raises(ReadLimitError):
            source.read_at(0, 1)
    source.read_at(0, 5000)


def test_file_object_view_behaves_like_a_file() -> None:
    file = io.BufferedReader(SourceFile(BytesSource(DATA)))
    file.seek(-10, io.SEEK_END)
    assert file.read() == DATA[-10:]
    assert file.read() == b""
    file.seek(5)
    assert file.read(3) == DATA[5:8]
    assert file.tell() == 8
    assert not file.writable()


def test_opening_errors_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file") as missing:
        FileSource(str(tmp_path / "missing.vhd"))
    assert missing.value.hint
    with pytest.raises(SourceError, match="directory"):
        FileSource(str(tmp_path))


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.write_bytes(DATA)
    with FileSource(str(path)) as source:
        path.write_bytes(b"short")
        with pytest.raises(SourceError, match="ended early"):
            source.read_at(0, 1000)


def test_a_stream_that_cannot_seek_is_refused() -> None:
    class Pipe(io.RawIOBase):
        def seekable(self) -> bool:
            return False

        def seek(self, offset: int, whence: int = 0, /) -> int:
            raise io.UnsupportedOperation("not seekable")

    with pytest.raises(SourceError, match="cannot seek"):
        StreamSource(Pipe())  # type: ignore[arg-type] # a RawIOBase is what callers hand in


def test_nothing_that_reads_can_write(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.write_bytes(DATA)
    with FileSource(str(path)) as source:
        assert not [name for name in dir(source) if name.startswith(("write", "truncate", "flush"))]
        assert source._file.mode == "rb"

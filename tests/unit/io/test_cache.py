"""The cache of pages: reads equal the source, and how much is read ahead when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from vdiskkit.io import BytesSource, PageCache

if TYPE_CHECKING:
    from vdiskkit.location import Location

DATA = bytes(range(256)) * 40 + b"end"


class Noting:
    """A source whose bytes may change and that notes what is read."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self.reads: list[tuple[int, int]] = []

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def location(self) -> Location:
        return BytesSource(b"").location

    def read_at(self, offset: int, length: int) -> bytes:
        assert offset + length <= len(self.data)
        self.reads.append((offset, length))
        return bytes(self.data[offset : offset + length])


@given(
    ranges=st.lists(st.tuples(st.integers(0, len(DATA)), st.integers(0, 3000)), min_size=1, max_size=12),
    ahead=st.sampled_from([1, 2, 8]),
    max_pages=st.sampled_from([1, 3, 100]),
    bypass=st.sampled_from([512, 2048, 1 << 20]),
)
def test_any_reads_equal_the_source(ranges: list[tuple[int, int]], ahead: int, max_pages: int, bypass: int) -> None:
    cache = PageCache(BytesSource(DATA), page_size=256, max_pages=max_pages, ahead=ahead, bypass=bypass)
    for offset, wanted in ranges:
        length = min(wanted, len(DATA) - offset)
        assert cache.read_at(offset, length) == DATA[offset : offset + length]


def test_nothing_is_read_ahead_here_and_there() -> None:
    source = Noting(DATA)
    cache = PageCache(source, page_size=512, ahead=8)
    for at in (0, 5000, 2500):
        cache.read_at(at, 10)
    assert source.reads == [(0, 512), (4608, 512), (2048, 512)]


def test_reading_on_reads_ahead_up_to_a_multiple() -> None:
    source = Noting(DATA)
    cache = PageCache(source, page_size=512, ahead=8)
    for at in range(0, len(DATA), 100):
        cache.read_at(at, min(100, len(DATA) - at))
    assert source.reads == [(0, 512), (512, 4096 - 512), (4096, 4096), (8192, len(DATA) - 8192)]


def test_what_was_forgotten_is_read_again() -> None:
    source = Noting(DATA)
    cache = PageCache(source, page_size=512)
    cache.read_at(0, 2048)
    source.data[:2048] = b"x" * 2048
    cache.forget(600, 500)
    assert cache.read_at(0, 2048) == DATA[:512] + b"x" * 1024 + DATA[1536:2048]
    cache.forget()
    assert cache.read_at(0, 2048) == b"x" * 2048

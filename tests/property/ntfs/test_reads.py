"""Streams read like the plain bytes they stand for, whatever the range."""

from __future__ import annotations

import functools

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import tries
from tests.unit.ntfs.volumes import guarded, opened
from vdiskkit.io import BytesSource
from vdiskkit.location import Location
from vdiskkit.ntfs.lznt1 import decompress_unit
from vdiskkit.ntfs.runs import Run
from vdiskkit.ntfs.streams import AttributeSource, CompressedSource, NonResidentSource

PATHS = [
    ("basic", "sparse.bin"),
    ("basic", "packed\\mixed.bin"),
    ("basic", "packed\\tail.txt"),
    ("basic", "streams\\host.txt:large"),
    ("fragmented", "scattered.bin"),
]
WHERE = Location("x")


@functools.cache
def stream(volume: str, path: str) -> tuple[AttributeSource, bytes]:
    source = opened(volume, max_bytes=1 << 34, max_calls=10_000_000).lookup(path).open()
    return source, source.read_at(0, source.size)


@settings(deadline=None)
@given(st.sampled_from(PATHS), st.data())
def test_any_range_is_that_part_of_the_whole(which: tuple[str, str], data: st.DataObject) -> None:
    source, whole = stream(*which)
    offset = data.draw(st.integers(0, len(whole)))
    length = data.draw(st.integers(0, len(whole) - offset))
    assert source.read_at(offset, length) == whole[offset : offset + length]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 4), st.one_of(st.none(), st.integers(0, 27))), min_size=1, max_size=8),
    st.data(),
)
def test_runs_and_initialized_size_against_a_naive_model(
    runs: list[tuple[int, int | None]], data: st.DataObject
) -> None:
    disk = bytes(range(256)) * 64  # 32 clusters of 512 bytes
    model = b""
    vcn = 0
    built = []
    for clusters, lcn in runs:
        built.append(Run(vcn, lcn, clusters))
        model += bytes(clusters * 512) if lcn is None else disk[lcn * 512 : (lcn + clusters) * 512]
        vcn += clusters
    size = data.draw(st.integers(0, len(model)))
    initialized = data.draw(st.integers(0, size))
    model = model[:initialized] + bytes(size - initialized)
    source = NonResidentSource(guarded(disk), built, 512, size, initialized, holes=True, location=WHERE)
    offset = data.draw(st.integers(0, size))
    length = data.draw(st.integers(0, size - offset))
    assert source.read_at(offset, length) == model[offset : offset + length]


def compress(data: bytes) -> bytes:
    """LZNT1 by a greedy search: slow, plain, another direction than the code under test."""
    out = b""
    for start in range(0, len(data), 4096):
        chunk = data[start : start + 4096]
        body, position = bytearray(), 0
        while position < len(chunk):
            flags_at = len(body)
            body.append(0)
            for bit in range(8):
                if position >= len(chunk):
                    break
                shift = 12
                while (position - 1) >> (12 - shift + 4) and position:
                    shift -= 1
                best = 0, 0
                for distance in range(1, min(position, 1 << (16 - shift)) + 1):
                    length = 0
                    while (
                        position + length < len(chunk)
                        and length < (1 << shift) + 2
                        and chunk[position + length] == chunk[position + length - distance]
                    ):
                        length += 1
                    if length > best[0]:
                        best = length, distance
                if best[0] >= 3:
                    body[flags_at] |= 1 << bit
                    body += ((best[1] - 1) << shift | best[0] - 3).to_bytes(2, "little")
                    position += best[0]
                else:
                    body.append(chunk[position])
                    position += 1
        if len(body) >= len(chunk):
            out += (0x3000 | len(chunk) - 1).to_bytes(2, "little") + chunk
        else:
            out += (0xB000 | len(body) - 1).to_bytes(2, "little") + body
    return out


@settings(deadline=None, max_examples=tries(40))
@given(st.lists(st.tuples(st.binary(min_size=1, max_size=12), st.integers(1, 60)), max_size=12))
def test_lznt1_round_trip(pieces: list[tuple[bytes, int]]) -> None:
    data = b"".join(piece * count for piece, count in pieces)[:6000]
    packed = compress(data)
    assert decompress_unit(packed, 8192, len(data), WHERE)[: len(data)] == data


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_lznt1_is_total_and_bounded(packed: bytes) -> None:
    from vdiskkit.errors import CorruptStructureError

    clusters = 1
    source = CompressedSource(
        BytesSource(packed.ljust(512, b"\0")),
        [Run(0, 0, clusters), Run(clusters, None, 15)],
        512,
        8192,
        8192,
        unit_shift=4,
        location=WHERE,
    )
    try:
        assert len(source.read_at(0, 8192)) == 8192
    except CorruptStructureError as fault:
        assert "LZNT1" in fault.message  # noqa: PT017 - both outcomes are right

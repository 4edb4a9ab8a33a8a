"""Parsers of raw structures are total: any bytes end in a result or in an error of ours."""

from __future__ import annotations

import contextlib
import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.ntfs.volumes import editor, image
from vdiskkit.errors import FormatError
from vdiskkit.io import BytesSource
from vdiskkit.location import Location
from vdiskkit.ntfs.attributes import (
    parse_file_name,
    parse_reparse_point,
    parse_standard_information,
    time_from_filetime,
)
from vdiskkit.ntfs.boot import parse_boot_sector
from vdiskkit.ntfs.collation import Collation
from vdiskkit.ntfs.logfile import read_log_state
from vdiskkit.ntfs.mft import parse_attribute_list
from vdiskkit.ntfs.paths import split_path
from vdiskkit.ntfs.record import Attribute, parse_record
from vdiskkit.ntfs.runs import parse_runs

WHERE = Location("x")
BASIC = editor("basic")
RECORDS = [
    bytes(BASIC.data[BASIC.place(number) :][:1024])
    for number in (0, 5, BASIC.number("sparse.bin"), BASIC.number("streams\\host.txt"), BASIC.number("jumps\\loop a"))
]


@settings(deadline=None)
@given(st.sampled_from(RECORDS), st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), min_size=1, max_size=6))
def test_records(record: bytes, flips: list[tuple[int, int]]) -> None:
    block = bytearray(record)
    for offset, value in flips:
        block[offset] = value
    try:
        parsed = parse_record(bytes(block), 7, WHERE)
    except FormatError:
        return
    for attribute in parsed.attributes:
        if not attribute.resident:
            try:
                runs = parse_runs(attribute, 4095, WHERE)
            except FormatError:
                continue
            assert all(run.lcn is None or 0 <= run.lcn <= 4095 - run.clusters for run in runs)


@settings(deadline=None)
@given(st.binary(max_size=80), st.integers(0, 1 << 20), st.integers(-1, 1 << 20))
def test_runlists(pairs: bytes, lowest: int, highest: int) -> None:
    attribute = Attribute(0x80, "", 0, 0)
    attribute.pairs, attribute.lowest_vcn, attribute.highest_vcn = pairs, lowest, highest
    try:
        runs = parse_runs(attribute, 1000, WHERE)
    except FormatError:
        return
    assert sum(run.clusters for run in runs) == highest - lowest + 1


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_values(value: bytes) -> None:
    for parse in (parse_file_name, parse_standard_information, parse_reparse_point, parse_attribute_list):
        with contextlib.suppress(FormatError):
            parse(value, WHERE)


@settings(deadline=None)
@given(st.sampled_from([0xA000000C, 0xA0000003, 0x80000017]), st.integers(0, 64), st.binary(max_size=64))
def test_reparse_points(tag: int, length: int, data: bytes) -> None:
    with contextlib.suppress(FormatError):
        parse_reparse_point(struct.pack("<IHH", tag, length, 0) + data, WHERE)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(11, 80), st.integers(0, 255)), max_size=8))
def test_boot_sectors(flips: list[tuple[int, int]]) -> None:
    sector = bytearray(image("basic")[:512])
    for offset, value in flips:
        sector[offset] = value
    try:
        boot = parse_boot_sector(bytes(sector), WHERE)
    except FormatError:
        return
    assert 0 < boot.mft_lcn < boot.total_clusters
    assert boot.record_size <= 65536
    assert boot.cluster_size <= 2 << 20


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=8), st.booleans())
def test_restart_pages(flips: list[tuple[int, int]], clean: bool) -> None:
    from tests.build.logfile import restart_pages

    head = bytearray(restart_pages(clean=clean))
    for offset, value in flips:
        head[offset] = head[4096 + offset] = value
    read_log_state(BytesSource(bytes(head) + b"\xff" * 8192))


@settings(deadline=None)
@given(st.integers(0, (1 << 64) - 1))
def test_times(filetime: int) -> None:
    time = time_from_filetime(filetime)
    assert time is None or time.tzinfo is not None


@settings(deadline=None)
@given(st.text(max_size=40))
def test_paths(path: str) -> None:
    parts = split_path(path).parts
    assert all(part not in ("", ".", "..") for part in parts)


TABLE = BytesSource(struct.pack("<65536H", *(unit - 32 if 0x61 <= unit <= 0x7A else unit for unit in range(65536))))
UNITS = st.lists(st.integers(0, 0xFFFF), max_size=6)


@settings(deadline=None)
@given(UNITS, UNITS, UNITS)
def test_collation_is_an_order(first: list[int], second: list[int], third: list[int]) -> None:
    collation = Collation(lambda: TABLE, WHERE)
    one, two, three = (
        struct.pack(f"<{len(units)}H", *units).decode("utf-16-le", "surrogatepass") for units in (first, second, third)
    )
    assert collation.compare(one, one) == 0
    assert (collation.compare(one, two) > 0) == (collation.compare(two, one) < 0)
    if collation.compare(one, two) <= 0 and collation.compare(two, three) <= 0:
        assert collation.compare(one, three) <= 0

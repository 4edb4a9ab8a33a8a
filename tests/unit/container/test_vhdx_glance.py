"""A parent in a chain is opened at a glance: what was left out is made up for when it is asked for."""

from __future__ import annotations

import pytest

from tests.build.vhdx import METADATA_REGION, MIB, PAGE, REGION_TABLES, TABLE_SIZE, Image, build_vhdx, with_crc
from vdiskkit.container.detect import Probe
from vdiskkit.container.vhdx.disk import VhdxDisk
from vdiskkit.errors import CorruptStructureError


def image() -> Image:
    return build_vhdx("dynamic", 2 * MIB, content={0: b"first"})


def glance(file: Image) -> VhdxDisk:
    file.reads.clear()
    return VhdxDisk(Probe.of(file), None, glance=True)


def table_bytes(file: Image) -> int:
    first, second = REGION_TABLES
    return sum(length for at, length in file.reads if first <= at < second + TABLE_SIZE)


def test_only_the_part_with_entries_is_read() -> None:
    file = image()
    disk = glance(file)
    assert (disk.regions.whole, disk.notices, table_bytes(file)) == (False, (), PAGE)
    disk.check_rest()
    assert (disk.regions.whole, disk.notices) == (True, ())
    assert table_bytes(file) == PAGE + TABLE_SIZE
    disk.check_rest()
    assert table_bytes(file) == PAGE + TABLE_SIZE


def test_a_file_that_was_opened_for_itself_has_nothing_left_to_check() -> None:
    file = image()
    disk = VhdxDisk(Probe.of(file), None)
    before = len(file.reads)
    disk.check_rest()
    assert len(file.reads) == before


@pytest.mark.parametrize("at", [0, 8, 16, 40, PAGE - 1])
def test_damage_where_the_entries_are_is_met_at_once(at: int) -> None:
    file = image()
    file.write(REGION_TABLES[0] + at, bytes([file.read_at(REGION_TABLES[0] + at, 1)[0] ^ 1]))
    disk = glance(file)
    assert [notice.code for notice in disk.notices] == ["vhdx.region_table_damaged"]
    assert (disk.regions.number, disk.read_at(0, 5)) == (2, b"first")
    disk.check_rest()
    assert [notice.code for notice in disk.notices] == ["vhdx.region_table_damaged"]


@pytest.mark.parametrize("at", [PAGE, TABLE_SIZE - 1])
def test_damage_behind_the_entries_is_found_by_the_check(at: int) -> None:
    file = image()
    file.write(REGION_TABLES[0] + at, b"\1")
    disk = glance(file)
    assert disk.notices == ()
    disk.check_rest()
    assert [notice.code for notice in disk.notices] == ["vhdx.region_table_damaged"]
    assert disk.read_at(0, 5) == b"first"


def test_a_copy_that_says_something_else() -> None:
    file = image()
    first = file.read_at(REGION_TABLES[0], TABLE_SIZE)
    regions = [
        (guid, 6 * MIB if guid == METADATA_REGION else at, length, flags) for guid, at, length, flags in file.regions()
    ]
    file.truncate(7 * MIB)
    file.set_regions(regions)
    file.write(REGION_TABLES[0], first)
    file.write(REGION_TABLES[0] + PAGE, b"\1")
    disk = glance(file)
    with pytest.raises(
        CorruptStructureError, match="second region table of the VHDX says that the regions are elsewhere"
    ):
        disk.check_rest()


def test_a_table_with_more_behind_its_first_page_is_read_whole() -> None:
    """Its checksum does not fit as if zeros followed; it is no fault."""
    file = image()
    for place in REGION_TABLES:
        data = bytearray(file.read_at(place, TABLE_SIZE))
        data[-1] = 1
        file.write(place, with_crc(bytes(data)))
    disk = glance(file)
    assert (disk.regions.whole, disk.regions.number, disk.notices) == (True, 1, ())


def test_many_regions_do_not_fit_in_the_glance() -> None:
    import uuid

    file = image()
    end = file.size
    more = [(uuid.UUID(int=1000 + number), end + number * MIB, MIB, 0) for number in range(200)]
    file.truncate(end + 200 * MIB)
    file.set_regions([*file.regions(), *more])
    disk = glance(file)
    assert (disk.regions.whole, disk.notices, len(disk.regions.taken)) == (True, (), 204)

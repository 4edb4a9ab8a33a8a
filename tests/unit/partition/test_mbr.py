from __future__ import annotations

import pytest

from tests.unit.ntfs.volumes import image
from tests.unit.partition.disks import MIB, boot_record, mbr_disk
from vdiskkit.errors import CorruptStructureError, UnknownFormatError
from vdiskkit.io import BytesSource, GuardedSource, ReadBudget
from vdiskkit.location import Location
from vdiskkit.ntfs import NtfsVolume, probe
from vdiskkit.partition import Partition, PartitionTable, read_partitions


def read(data: bytes | bytearray, sector_size: int = 512) -> PartitionTable:
    source = BytesSource(bytes(data), Location("disk.vhd"))
    return read_partitions(GuardedSource(source, ReadBudget(4 * MIB, 300)), sector_size)


def codes(table: PartitionTable) -> list[str]:
    return [notice.code for notice in table.notices]


def test_primary_partitions_keep_their_slots() -> None:
    table = read(mbr_disk(8 * MIB, (7, 2048, 1000), (0, 0, 0), (0x27, 4096, 500), active=0))
    assert (table.scheme, table.disk_id, table.sector_size) == ("mbr", "deadbeef", 512)
    assert table.partitions == (
        Partition(1, MIB, 512_000, "0x07", "NTFS or exFAT", active=True),
        Partition(3, 2 * MIB, 256_000, "0x27", "Windows recovery"),
    )
    assert table.notices == ()


def test_4096_byte_sectors() -> None:
    table = read(mbr_disk(8 * MIB, (7, 256, 100)), 4096)
    assert (table.partitions[0].offset, table.partitions[0].size) == (MIB, 409_600)


def test_unknown_types_keep_their_number() -> None:
    assert read(mbr_disk(MIB, (0x99, 8, 8))).partitions[0].type_name == "type 0x99"


def test_logical_partitions_are_numbered_from_five() -> None:
    disk = mbr_disk(
        16 * MIB,
        (7, 2048, 1000),
        (0x0F, 4096, 20000),
        sectors={
            4096: boot_record((7, 64, 500), (5, 2048, 2000)),
            6144: boot_record((0x0B, 64, 600), (5, 4096, 3000)),
            8192: boot_record((0x83, 64, 700)),
        },
    )
    table = read(disk)
    assert [(part.number, part.offset // 512, part.size // 512, part.type_id) for part in table.partitions] == [
        (1, 2048, 1000, "0x07"),
        (5, 4160, 500, "0x07"),
        (6, 6208, 600, "0x0b"),
        (7, 8256, 700, "0x83"),
    ]
    assert table.notices == ()


@pytest.mark.parametrize("target", [0, 2048], ids=["to the first", "to itself"])
def test_a_loop_of_extended_records_is_told_and_ends(target: int) -> None:
    disk = mbr_disk(
        16 * MIB,
        (7, 64, 1000),
        (5, 4096, 20000),
        sectors={
            4096: boot_record((7, 64, 500), (5, 2048, 2000)),
            6144: boot_record((7, 64, 600), (5, target, 2000)),
        },
    )
    table = read(disk)
    assert codes(table) == ["mbr.extended_loop"]
    assert [part.number for part in table.partitions] == [1, 5, 6]
    assert "ebr:" in str(table.notices[0].location)


def test_an_endless_chain_ends() -> None:
    sectors = {4096 + number: boot_record((5, number + 1, 1)) for number in range(400)}
    table = read(mbr_disk(16 * MIB, (5, 4096, 20000), sectors=sectors))
    assert codes(table) == ["mbr.extended_loop"]


@pytest.mark.parametrize(
    ("sector", "code"),
    [(boot_record((7, 64, 5), signature=b"\0\0"), "mbr.extended_damaged"), (bytes(512), "mbr.extended_damaged")],
)
def test_a_damaged_extended_record(sector: bytes, code: str) -> None:
    table = read(mbr_disk(16 * MIB, (7, 64, 1000), (5, 4096, 20000), sectors={4096: sector}))
    assert codes(table) == [code]
    assert len(table.partitions) == 1


def test_an_extended_record_past_the_end() -> None:
    table = read(mbr_disk(MIB, (7, 64, 1000), (5, 0xFFFFFFFF, 20000)))
    assert codes(table) == ["mbr.extended_past_end"]


def test_partitions_past_the_end_and_overlapping_are_told() -> None:
    disk = mbr_disk(4 * MIB, (7, 64, 4000), (7, 2048, 100), (7, 4096, 100_000), (7, 1 << 30, 10))
    table = read(disk)
    assert codes(table) == ["partition.overlap", "partition.past_end", "partition.past_end"]
    assert "partitions 1 and 2 overlap" in table.notices[0].message
    source = BytesSource(bytes(disk), Location("disk.vhd"))
    cut = table.partitions[2].open(source)
    assert cut.size == 2 * MIB
    assert str(cut.location) == "disk.vhd > partition:3"
    with pytest.raises(CorruptStructureError, match="past the end of the disk") as caught:
        table.partitions[3].open(source)
    assert caught.value.hint


# -- no table


def test_a_file_system_on_the_bare_disk() -> None:
    data = image("basic")
    table = read(data)
    assert table.scheme == "none"
    assert table.partitions == (Partition(1, 0, len(data), "", "NTFS without partition table"),)
    part = table.partitions[0].open(BytesSource(data))
    assert probe(part) == "ntfs"
    assert NtfsVolume(part).lookup("resident.txt").size == 33


@pytest.mark.parametrize(
    ("offset", "name", "kind"),
    [(3, b"-FVE-FS-", "BitLocker"), (82, b"FAT32   ", "FAT32"), (54, b"FAT16   ", "FAT16"), (3, b"EXFAT   ", "exFAT")],
)
def test_other_file_systems_are_not_taken_for_a_table(offset: int, name: bytes, kind: str) -> None:
    disk = mbr_disk(MIB, (7, 3, 4))
    disk[offset : offset + len(name)] = name
    table = read(disk)
    assert table.scheme == "none"
    assert table.partitions[0].type_name == f"{kind} without partition table"


def test_nothing_at_all() -> None:
    table = read(bytes(MIB))
    assert (table.scheme, table.partitions, table.notices) == ("none", (), ())


def test_a_boot_sector_without_table() -> None:
    disk = mbr_disk(MIB, (7, 8, 100))
    disk[446 + 16] = 0x20  # neither active nor inactive: text or code, no table
    table = read(disk)
    assert (table.scheme, table.partitions, codes(table)) == ("none", (), ["mbr.damaged"])


def test_an_empty_table() -> None:
    assert (read(mbr_disk(MIB)).scheme, read(mbr_disk(MIB)).partitions) == ("mbr", ())


def test_a_disk_too_small() -> None:
    with pytest.raises(UnknownFormatError, match="511 bytes is too small"):
        read(bytes(511))


def test_an_impossible_sector_size() -> None:
    with pytest.raises(CorruptStructureError, match="sector of 1000 bytes"):
        read(bytes(MIB), 1000)


def test_facts() -> None:
    facts = read(mbr_disk(4 * MIB, (7, 2048, 100_000), active=0)).facts().to_dict()
    assert facts["scheme"] == "mbr"
    assert facts["partitions"] == [
        {
            "number": 1,
            "offset": MIB,
            "size": 51_200_000,
            "type_id": "0x07",
            "type_name": "NTFS or exFAT",
            "name": "",
            "unique_id": "",
            "active": True,
            "attributes": "0000000000000000",
        }
    ]
    assert facts["notices"][0]["code"] == "partition.past_end"
    assert facts["notices"][0]["location"] == "disk.vhd > partition:1"

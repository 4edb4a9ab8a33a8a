from __future__ import annotations

import pytest

from tests.unit.partition.disks import DISK_ID, EFI, MIB, Gpt, boot_record, entry
from tests.unit.partition.test_mbr import codes, read
from vdiskkit.errors import ChecksumError, CorruptStructureError, FormatError
from vdiskkit.io import BytesSource, GuardedSource, ReadBudget
from vdiskkit.partition import read_partitions

ENTRIES = (entry(2048, 4095, kind=EFI, name="EFI system partition"), entry(4096, 8191, attributes=1 << 63))


def gpt(*entries: bytes, sector: int = 512) -> Gpt:
    return Gpt(8 * MIB, *(entries or ENTRIES), sector=sector)


def test_a_healthy_table() -> None:
    table = read(gpt().build())
    assert (table.scheme, table.disk_id, table.notices) == ("gpt", str(DISK_ID), ())
    first, second = table.partitions
    assert (first.number, first.offset, first.size) == (1, MIB, MIB)
    assert (first.type_name, first.name) == ("EFI system", "EFI system partition")
    assert (second.type_name, second.type_id) == ("basic data", "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7")
    assert (second.offset, second.size, second.attributes) == (2 * MIB, 2 * MIB, 1 << 63)
    assert len(second.unique_id) == 36


def test_both_copies_are_read_in_a_handful_of_calls() -> None:
    source = GuardedSource(BytesSource(bytes(gpt().build())), ReadBudget(MIB, 100))
    read_partitions(source)
    assert source.budget.spent_calls <= 6
    assert source.budget.spent_bytes <= 36 * 1024


@pytest.mark.parametrize("asked", [512, 4096])
def test_4096_byte_sectors_are_found_out(asked: int) -> None:
    disk = gpt(entry(512, 1023), sector=4096)
    table = read(disk.build(), asked)
    assert (table.sector_size, table.partitions[0].offset) == (4096, 2 * MIB)
    assert codes(table) == ([] if asked == 4096 else ["gpt.sector_size"])


def test_slots_keep_their_number() -> None:
    table = read(gpt(bytes(128), ENTRIES[1]).build())
    assert [part.number for part in table.partitions] == [2]


WRONG = [
    ({"revision": 0x20000}, "revision 0x20000"),
    ({"size": 91}, "91 bytes"),
    ({"size": 0xFFFFFFFF}, "4294967295 bytes"),
    ({"own": 7}, "says it is at sector 0x7"),
    ({"entry_size": 0}, "entries of 0 bytes"),
    ({"entry_size": 127}, "entries of 127 bytes"),
    ({"entry_size": 1 << 31}, "entries of 2147483648 bytes"),
    ({"count": 0}, "0 entries"),
    ({"count": 0xFFFFFFFF}, "4294967295 entries"),
    ({"at": 0}, "outside of the disk"),
    ({"at": 1}, "outside of the disk"),
    ({"at": 1 << 60}, "outside of the disk"),
    ({"crc": 0}, "checksum of the entries"),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG)
def test_the_backup_is_used_when_the_primary_is_bad(wrong: dict[str, int], message: str) -> None:
    disk = gpt()
    table = read(disk.build(primary=disk.header(primary=True, **wrong)))
    assert codes(table) == ["gpt.primary_damaged"]
    assert message in table.notices[0].message
    assert "the backup copy is used" in table.notices[0].message
    assert len(table.partitions) == 2


@pytest.mark.parametrize(("wrong", "message"), WRONG)
def test_a_bad_backup_is_told(wrong: dict[str, int], message: str) -> None:
    disk = gpt()
    table = read(disk.build(backup=disk.header(primary=False, **wrong)))
    assert codes(table) == ["gpt.backup_damaged"]
    assert message in table.notices[0].message
    assert len(table.partitions) == 2


@pytest.mark.parametrize(("wrong", "message"), WRONG)
def test_both_copies_bad(wrong: dict[str, int], message: str) -> None:
    disk = gpt()
    data = disk.build(primary=disk.header(primary=True, **wrong), backup=disk.header(primary=False, **wrong))
    with pytest.raises(FormatError, match=message) as caught:
        read(data)
    assert "both copies" in str(caught.value.hint)
    assert caught.value.location is not None
    assert caught.value.exit_code == 3


def test_header_checksum() -> None:
    disk = gpt()
    header = bytearray(disk.header(primary=True))
    header[16] ^= 1
    table = read(disk.build(primary=bytes(header)))
    assert "checksum of the header of the primary GPT" in table.notices[0].message
    header2 = bytearray(disk.header(primary=False))
    header2[40] ^= 1
    with pytest.raises(ChecksumError):
        read(disk.build(primary=bytes(header), backup=bytes(header2)))


def test_entries_changed_in_one_copy() -> None:
    data = gpt().build()
    data[2 * 512 + 40] ^= 1
    table = read(data)
    assert codes(table) == ["gpt.primary_damaged"]
    assert table.partitions[0].offset == MIB


def test_no_primary_header_at_all() -> None:
    table = read(gpt().build(primary=bytes(512)))
    assert codes(table) == ["gpt.primary_damaged"]
    assert "signature is missing" in table.notices[0].message
    four = gpt(entry(512, 1023), sector=4096)
    table = read(four.build(primary=bytes(4096)))
    assert table.sector_size == 4096


def test_copies_that_differ() -> None:
    disk = gpt()
    data = disk.build()
    other = gpt(entry(2048, 4000)).build()
    data[-33 * 512 :] = other[-33 * 512 :]
    table = read(data)
    assert codes(table) == ["gpt.copies_differ"]
    assert len(table.partitions) == 2


def test_a_protective_entry_without_any_gpt() -> None:
    disk = bytearray(4 * MIB)
    disk[:512] = boot_record((0xEE, 1, 0xFFFFFFFF))
    with pytest.raises(FormatError, match="signature is missing"):
        read(disk)


def test_a_disk_that_was_cut_keeps_its_primary_table() -> None:
    table = read(gpt().build()[: 3 * MIB])
    assert codes(table) == ["gpt.backup_damaged", "partition.past_end"]
    assert table.partitions[0].offset == MIB


def test_hybrid_mbr() -> None:
    disk = gpt()
    disk.protective = boot_record((0xEE, 1, 2047), (7, 4096, 4096))
    table = read(disk.build())
    assert (table.scheme, codes(table)) == ("gpt", ["gpt.hybrid_mbr"])


def test_gpt_without_protective_mbr() -> None:
    disk = gpt()
    disk.protective = bytes(512)
    assert codes(read(disk.build())) == ["gpt.no_protective_mbr"]
    # An MBR with partitions of its own counts, whatever is left of an old GPT.
    disk.protective = boot_record((7, 2048, 100))
    assert read(disk.build()).scheme == "mbr"


def test_odd_entries() -> None:
    table = read(
        gpt(
            entry(4096, 2048),  # backwards
            entry(2, 1 << 50),  # absurd
            entry(10, 20),  # inside the table
            entry(9000, 20000),  # past the end
            entry(9100, 9500, name="\ud800 lone"),
        ).build()
    )
    assert codes(table) == [
        "gpt.entry_damaged",
        "gpt.entry_damaged",
        "gpt.outside_usable",
        "gpt.outside_usable",
        "partition.past_end",
        "partition.overlap",
    ]
    assert [part.number for part in table.partitions] == [3, 4, 5]
    assert table.partitions[2].name == "\ud800 lone"


def test_larger_entries() -> None:
    disk = gpt()
    disk.entry_size, disk.count = 256, 64
    disk.entries = b"".join(part.ljust(256, b"\0") for part in ENTRIES).ljust(128 * 128, b"\0")
    assert len(read(disk.build()).partitions) == 2


def test_backup_where_the_primary_says() -> None:
    """A disk that was grown has its backup before the end."""
    disk = gpt()
    grown = disk.build() + bytes(MIB)
    table = read(grown)
    assert [notice.code for notice in table.notices] == ["gpt.backup_misplaced"]
    assert isinstance(table.partitions, tuple)
    with pytest.raises(CorruptStructureError):
        table.partitions[0]._replace(offset=1 << 40).open(BytesSource(bytes(grown)))

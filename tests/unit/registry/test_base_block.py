from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.build.hive import HiveBuilder, filetime
from vdiskkit.errors import CorruptStructureError, UnknownFormatError, UnsupportedFeatureError
from vdiskkit.registry.base_block import checksum

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdiskkit.registry import Hive


def test_a_clean_hive(open_hive: Callable[[HiveBuilder | bytes], Hive]) -> None:
    written = datetime(2024, 2, 3, 4, 5, 6, tzinfo=UTC)
    hive = open_hive(HiveBuilder(name="SYSTEM", sequence=77, written=written))
    block = hive.base_block
    assert (block.sequence_1, block.sequence_2, block.version) == (77, 77, "1.5")
    assert block.last_written == written
    assert block.file_name == r"emRoot\System32\Config\SYSTEM"
    assert block.checksum_ok
    assert not block.dirty
    assert block.dirty_reason == ""
    assert not block.ktm_pending


def test_facts_are_plain(open_hive: Callable[[HiveBuilder | bytes], Hive]) -> None:
    facts = open_hive(HiveBuilder().fault("dirty")).facts().to_dict()
    assert facts == {
        "name": "SOFTWARE",
        "dirty": True,
        "stale": True,
        "dirty_reason": "the sequence numbers 187 and 186 differ",
        "sequence_1": 187,
        "sequence_2": 186,
        "checksum_ok": True,
        "version": "1.5",
        "file_name": r"emRoot\System32\Config\SOFTWARE",
        "last_written": "2023-06-14T08:30:00Z",
        "hive_bins_size": 4096,
        "file_size": 8192,
        "ktm_pending": False,
        "logs": None,
        "faults": None,
    }


@pytest.mark.parametrize("minor", [3, 4, 5, 6])
def test_all_known_versions(open_hive: Callable[[HiveBuilder | bytes], Hive], minor: int) -> None:
    builder = HiveBuilder(minor=minor)
    builder.key("A")
    hive = open_hive(builder)
    assert hive.base_block.version == f"1.{minor}"
    assert [key.name for key in hive.root.subkeys()] == ["A"]


def test_wrong_checksum_is_dirty_not_an_error(open_hive: Callable[[HiveBuilder | bytes], Hive]) -> None:
    builder = HiveBuilder().fault("wrong-checksum").fault("dirty")
    builder.key("A")
    hive = open_hive(builder)
    assert hive.find("a") is not None
    assert hive.base_block.dirty
    assert "checksum does not fit (stored 0x" in hive.base_block.dirty_reason
    assert "the sequence numbers 187 and 186 differ" in hive.base_block.dirty_reason


@pytest.mark.parametrize(("plain", "stored"), [(0, 1), (0xFFFFFFFF, 0xFFFFFFFE)])
def test_checksum_avoids_two_values(open_hive: Callable[[HiveBuilder | bytes], Hive], plain: int, stored: int) -> None:
    hive = open_hive(HiveBuilder().fault("special-checksum", argument=plain))
    assert hive.base_block.checksum_stored == stored
    assert hive.base_block.checksum_ok


def test_checksum_covers_508_bytes() -> None:
    block = bytes(range(256)) * 2
    words = struct.unpack("<127I", block[:508])
    expected = 0
    for word in words:
        expected ^= word
    assert checksum(block) == expected
    assert checksum(block[:508] + b"????") == expected


def test_ktm_pending_counts_only_where_the_area_is_used(open_hive: Callable[[HiveBuilder | bytes], Hive]) -> None:
    assert open_hive(HiveBuilder().fault("ktm-pending")).base_block.ktm_pending
    data = bytearray(HiveBuilder(minor=3).build())
    data[112:200] = b"\xff" * 88  # Windows XP leaves rubbish here
    assert not open_hive(bytes(data)).base_block.ktm_pending


def test_bins_that_end_before_the_file_are_healthy(open_hive: Callable[[HiveBuilder | bytes], Hive]) -> None:
    hive = open_hive(HiveBuilder(file_size=262144))
    assert not hive.base_block.dirty
    assert hive.facts().file_size == 262144
    assert hive.facts().hive_bins_size == 4096
    assert list(hive.root.subkeys()) == []


@pytest.mark.parametrize("stamp", [0, 2**64 - 1, filetime(datetime(9999, 12, 31, tzinfo=UTC)) + 10**16])
def test_times_no_calendar_holds_are_none(open_hive: Callable[[HiveBuilder | bytes], Hive], stamp: int) -> None:
    assert open_hive(HiveBuilder().fault("last-written", argument=stamp)).base_block.last_written is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "this is no registry hive: it begins with nothing where a hive has 'regf'"),
        (b"MZ\x90\0" + bytes(9000), "it begins with 'MZ\\x90\\x00'"),
        (b"hello, world" * 1000, "it begins with 'hell'"),
    ],
)
def test_no_hive_at_all(open_hive: Callable[[HiveBuilder | bytes], Hive], data: bytes, message: str) -> None:
    with pytest.raises(UnknownFormatError) as caught:
        open_hive(data)
    assert message in str(caught.value)
    assert str(caught.value.location) == "x.hive"
    assert caught.value.hint


@pytest.mark.parametrize("size", [4, 100, 512, 4096, 8191])
def test_cut_short(open_hive: Callable[[HiveBuilder | bytes], Hive], size: int) -> None:
    with pytest.raises(CorruptStructureError, match=f"cut short: {size} bytes, and the smallest hive has 8192"):
        open_hive(HiveBuilder().build()[:size])


def test_bins_beyond_the_file(open_hive: Callable[[HiveBuilder | bytes], Hive]) -> None:
    builder = HiveBuilder()
    builder.fill("Classes", 500)
    with pytest.raises(CorruptStructureError, match=r"its bins should end at 0x\w+, the file ends at 0x3000"):
        open_hive(builder.build()[:12288])


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ((1, 1), "hive version 1.1 is not read: Windows NT 3.x wrote it"),
        ((1, 2), "hive version 1.2 is not read: Windows NT 3.x wrote it"),
        ((1, 7), r"hive version 1.7 is not read; known are 1.3 to 1.6"),
        ((2, 5), r"hive version 2.5 is not read"),
    ],
)
def test_other_versions_are_refused(
    open_hive: Callable[[HiveBuilder | bytes], Hive], version: tuple[int, int], message: str
) -> None:
    with pytest.raises(UnsupportedFeatureError, match=message) as caught:
        open_hive(HiveBuilder().fault("version", argument=version))
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("kind", [1, 2, 6])
def test_a_log_is_named(open_hive: Callable[[HiveBuilder | bytes], Hive], kind: int) -> None:
    for builder in (HiveBuilder(), HiveBuilder().fault("wrong-checksum")):
        with pytest.raises(UnsupportedFeatureError, match="transaction log of a hive") as caught:
            open_hive(builder.fault("file-type", argument=kind))
        assert "LOG1" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("fault", "argument", "message"),
    [
        ("file-type", 3, "file type 3 and format 1 instead of 0 and 1"),
        ("format", None, "file type 0 and format 0 instead of 0 and 1"),
        ("hive-bins-size", 0, "gives 0x0 bytes of hive bins"),
        ("hive-bins-size", 4100, "gives 0x1004 bytes of hive bins"),
        ("hive-bins-size", 0xFFFFF000, "should end at 0x100000000, the file ends at 0x2000"),
        ("root-cell", 0, "root key's offset 0x0 is not a place for a cell"),
        ("root-cell", 0x24, "root key's offset 0x24 is not a place for a cell"),
        ("root-cell", 0x1000, "root key's offset 0x1000 is not a place for a cell"),
        ("root-cell", 0xFFFFFFFF, "root key's offset 0xffffffff is not a place for a cell"),
    ],
)
def test_a_base_block_that_cannot_be(
    open_hive: Callable[[HiveBuilder | bytes], Hive], fault: str, argument: int | None, message: str
) -> None:
    with pytest.raises(CorruptStructureError, match=message):
        open_hive(HiveBuilder().fault(fault, argument=argument))


def test_a_damaged_base_block_says_that_its_checksum_is_wrong_too(
    open_hive: Callable[[HiveBuilder | bytes], Hive],
) -> None:
    with pytest.raises(CorruptStructureError, match=r"base block is damaged: hive version 1\.1 .* checksum") as caught:
        open_hive(HiveBuilder().fault("version", argument=(1, 1)).fault("wrong-checksum"))
    assert "transaction logs" in (caught.value.hint or "")

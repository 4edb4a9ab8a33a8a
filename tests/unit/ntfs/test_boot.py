from __future__ import annotations

import struct

import pytest

from tests.unit.ntfs.volumes import image, opened
from vdiskkit.errors import CorruptStructureError, UnknownFormatError, UnsupportedFeatureError
from vdiskkit.io import BytesSource
from vdiskkit.location import Location
from vdiskkit.ntfs import probe
from vdiskkit.ntfs.boot import parse_boot_sector

WHERE = Location("disk.vhd")


def sector(*patches: tuple[int, str, int]) -> bytes:
    data = bytearray(image("basic")[:512])
    for offset, layout, value in patches:
        struct.pack_into(layout, data, offset, value)
    return bytes(data)


def test_geometry() -> None:
    boot = parse_boot_sector(sector(), WHERE)
    assert (boot.sector_size, boot.cluster_size, boot.record_size, boot.index_block_size) == (512, 4096, 1024, 4096)
    assert boot.volume_size == 16 * (1 << 20) - 512
    assert boot.total_clusters == 4095


@pytest.mark.parametrize(
    ("name", "expected"),
    [("records4096", (4096, 4096, 4096)), ("clusters65536", (512, 65536, 1024)), ("fragmented", (512, 1024, 1024))],
)
def test_other_geometries(name: str, expected: tuple[int, int, int]) -> None:
    boot = opened(name).boot
    assert (boot.sector_size, boot.cluster_size, boot.record_size) == expected


def test_cluster_of_two_mebibytes_is_a_negative_exponent() -> None:
    data = sector((13, "<B", 0xF4), (40, "<Q", 1 << 30), (68, "<b", -12))
    assert parse_boot_sector(data, WHERE).cluster_size == 2 << 20


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ((11, "<H", 500), "bytes per sector"),
        ((11, "<H", 0), "bytes per sector"),
        ((11, "<H", 8192), "bytes per sector"),
        ((13, "<B", 127), "sectors per cluster"),
        ((13, "<B", 0), "sectors per cluster"),
        ((13, "<B", 0x81), "sectors per cluster"),
        ((64, "<B", 0x30), "MFT record"),
        ((64, "<b", 0), "MFT record"),
        ((64, "<b", -128), "MFT record"),
        ((68, "<b", 0), "index block"),
        ((68, "<b", -40), "index block"),
        ((48, "<q", -1), r"cluster of \$MFT"),
        ((48, "<q", 0), r"cluster of \$MFT"),
        ((48, "<q", 4095), r"cluster of \$MFT"),
        ((56, "<q", 4), r"cluster of \$MFTMirr"),
        ((40, "<Q", 0), "number of sectors"),
        ((40, "<Q", 7), "number of sectors"),
        ((40, "<q", -1), "number of sectors"),
        ((40, "<Q", 32), r"cluster of \$MFT"),
    ],
)
def test_impossible_fields_are_named(patch: tuple[int, str, int], field: str) -> None:
    with pytest.raises(CorruptStructureError, match=field) as caught:
        parse_boot_sector(sector(patch), WHERE)
    assert caught.value.hint
    assert caught.value.location == WHERE


def test_probe() -> None:
    assert probe(BytesSource(sector())) == "ntfs"
    assert probe(BytesSource(bytes(3) + b"-FVE-FS-" + bytes(501))) == "bitlocker"
    to_go = bytearray(512)
    to_go[3:11] = b"MSWIN4.1"
    assert probe(BytesSource(bytes(to_go))) is None
    to_go[424:440] = bytes.fromhex("3bd66749292ed84a8399f6a339e3d001")
    assert probe(BytesSource(bytes(to_go))) == "bitlocker"
    assert probe(BytesSource(bytes(512))) is None
    assert probe(BytesSource(sector()[:511])) is None
    assert probe(BytesSource(b"")) is None


def test_bitlocker_volume_is_named() -> None:
    with pytest.raises(UnsupportedFeatureError, match="BitLocker") as caught:
        opened(bytes(3) + b"-FVE-FS-" + bytes(5000))
    assert "manage-bde" in str(caught.value.hint)
    assert caught.value.exit_code == 5


def test_other_content_is_no_ntfs() -> None:
    with pytest.raises(UnknownFormatError, match="no NTFS"):
        opened(bytes(4096))
    with pytest.raises(CorruptStructureError, match="100 bytes"):
        opened(bytes(100))


def test_a_volume_that_was_cut_is_told_and_read_as_far_as_it_goes() -> None:
    volume = opened(image("basic")[: 12 << 20])
    assert [notice.code for notice in volume.notices] == ["ntfs.volume_cut"]
    assert volume.lookup("resident.txt").open().read_at(0, 5) == b"short"

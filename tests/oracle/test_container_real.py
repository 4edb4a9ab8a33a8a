"""VHD files that other projects made."""

from __future__ import annotations

import lzma
import os
from pathlib import Path

import pytest

from tests.build.vhd import with_checksum
from vdiskkit.container import open_container
from vdiskkit.errors import ChecksumError
from vdiskkit.io import BytesSource, FileSource

SAMPLES = os.environ.get("VDISKKIT_REAL_SAMPLES", "")

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not SAMPLES, reason="VDISKKIT_REAL_SAMPLES does not name the real samples"),
]

EXT2_MAGIC_AT = 1024 + 56


def sample(name: str) -> bytes:
    return lzma.decompress((Path(SAMPLES) / "vhd" / f"{name}.xz").read_bytes())


def repaired(data: bytes) -> bytes:
    """These files were edited by hand without redoing the checksums."""
    header = with_checksum(data[512:1536], 36)
    return with_checksum(data[:512], 64) + header + data[1536:-512] + with_checksum(data[-512:], 64)


def test_a_dynamic_disk_of_qemu() -> None:
    disk = open_container(BytesSource(sample("dfvfs_ext2.vhd")), path=None)
    assert (disk.subformat, disk.block_size, disk.size) == ("dynamic", 2 << 20, 4212736)
    assert disk.read_at(EXT2_MAGIC_AT, 2) == b"\x53\xef"
    assert disk.notices == ()


@pytest.mark.parametrize("name", ["dfvfs_image.vhd", "dfvfs_image-differential.vhd"])
def test_wrong_checksums_in_both_footers(name: str) -> None:
    with pytest.raises(ChecksumError):
        open_container(BytesSource(sample(name)), path=None)


def test_a_differencing_disk_and_its_parent(tmp_path: Path) -> None:
    (tmp_path / "image.vhd").write_bytes(repaired(sample("dfvfs_image.vhd")))
    path = tmp_path / "image-differential.vhd"
    path.write_bytes(repaired(sample("dfvfs_image-differential.vhd")))
    with FileSource(str(path)) as source:
        disk = open_container(source, path=str(path))
        assert [link.subformat for link in disk.chain] == ["differencing", "dynamic"]
        parent = disk.chain[1]
        # Nothing but the bits of the child's bitmap decides, sector by sector.
        data = path.read_bytes()
        bitmap_at = int.from_bytes(data[1536:1540], "big") * 512
        for sector in range(disk.size // 512):
            present = data[bitmap_at + sector // 8] >> (7 - sector % 8) & 1
            stored = data[bitmap_at + 512 + sector * 512 :][:512]
            assert disk.read_at(sector * 512, 512) == (stored if present else parent.read_at(sector * 512, 512))
        disk.close()

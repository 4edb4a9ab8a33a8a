"""One damaged part does not end the answer about all others."""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING

import pytest

import vdiskkit
from tests.build.image import PartitionSpec, build_disk, build_volume
from tests.build.scenario import windows_volume

if TYPE_CHECKING:
    from pathlib import Path

RECORD = 1024
"""Bytes of an MFT record in the small volumes."""


@pytest.fixture(scope="module")
def windows() -> bytearray:
    return windows_volume("win10")


def write(folder: Path, other: bytes, windows: bytes) -> Path:
    path = folder / "x.img"
    path.write_bytes(build_disk([PartitionSpec(other), PartitionSpec(windows)], table="mbr"))
    return path


def damaged(volume: bytes, number: int, chance: random.Random) -> bytes:
    """Damage a record of the file table, by another kind of fault each time."""
    result = bytearray(volume)
    cluster = volume[13] * 512
    start = struct.unpack_from("<Q", volume, 48)[0] * cluster + number * RECORD
    first = start + struct.unpack_from("<H", result, start + 20)[0]
    match chance.randrange(5):
        case 0:
            result[start : start + 4] = b"BAAD"
        case 1:
            result[start : start + RECORD] = bytes(RECORD)
        case 2:
            result[start + 48 : start + RECORD] = chance.randbytes(RECORD - 48)
        case 3:  # the first attribute says another length
            struct.pack_into("<I", result, first + 4, chance.choice([0, 8, 0x18, 0x7FFFFFF8]))
        case _:  # its value is shorter or longer than it can be
            for at in range(first, start + 510 - 24, 8):
                if result[at : at + 4] in (b"\x60\0\0\0", b"\x70\0\0\0"):
                    struct.pack_into("<I", result, at + 16, chance.choice([0, 3, 4, 0xFFFF]))
    return bytes(result)


@pytest.mark.parametrize("number", [0, 1, 2, 3, 5, 6, 10, 11])
def test_a_damaged_other_volume(number: int, tmp_path: Path, windows: bytearray) -> None:
    chance = random.Random(number)  # noqa: S311 - a choice of faults
    other = build_volume("reserved")
    for _ in range(2):
        path = write(tmp_path, damaged(other, number, chance), windows)
        with vdiskkit.open_vdisk(path) as disk:
            facts = disk.inspect()
            assert facts.windows is not None
            assert facts.windows.product_name == "Windows 10 Enterprise"
            assert [item.selected for item in facts.volumes] == [False, True]
            vdiskkit.validate(disk)

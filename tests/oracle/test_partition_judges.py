"""dissect.volume, sfdisk and sleuthkit as judges of partition tables."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.oracle.tools import require
from tests.unit.partition.disks import EFI, MIB, Gpt, boot_record, entry, mbr_disk
from vdiskkit.io import BytesSource, SourceFile
from vdiskkit.partition import PartitionTable, read_partitions

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.oracle

DISKS: dict[str, tuple[bytearray, int]] = {
    "mbr": (mbr_disk(8 * MIB, (7, 2048, 1000), (0x27, 4096, 500), active=0), 512),
    "extended": (
        mbr_disk(
            16 * MIB,
            (7, 2048, 1000),
            (0x0F, 4096, 20000),
            sectors={
                4096: boot_record((7, 64, 500), (5, 2048, 2000)),
                6144: boot_record((0x0B, 64, 600), (5, 4096, 3000)),
                8192: boot_record((0x83, 64, 700)),
            },
        ),
        512,
    ),
    "gpt": (Gpt(8 * MIB, entry(2048, 4095, kind=EFI, name="EFI"), entry(4096, 8191, name="Wündows")).build(), 512),
    "gpt4096": (Gpt(8 * MIB, entry(512, 1023, name="four"), sector=4096).build(), 4096),
}


@pytest.fixture(params=DISKS)
def disk(request: pytest.FixtureRequest) -> tuple[bytes, int]:
    data, sector = DISKS[request.param]
    return bytes(data), sector


def ours(data: bytes, sector: int) -> PartitionTable:
    table = read_partitions(BytesSource(data), sector)
    assert table.notices == ()
    return table


def test_dissect(disk: tuple[bytes, int]) -> None:
    from dissect.volume.disk import Disk

    data, sector = disk
    table = ours(data, sector)
    theirs = Disk(SourceFile(BytesSource(data)), sector_size=sector).partitions
    assert [part.offset for part in theirs] == [part.offset for part in table.partitions]
    # dissect takes the last sector of a GPT partition for the end behind it.
    short = sector if table.scheme == "gpt" else 0
    assert [part.size for part in theirs] == [part.size - short for part in table.partitions]
    if table.scheme == "gpt":
        assert [str(part.type) for part in theirs] == [part.type_id for part in table.partitions]
        assert [str(part.guid) for part in theirs] == [part.unique_id for part in table.partitions]
        assert [part.name for part in theirs] == [part.name for part in table.partitions]
    else:
        assert [f"0x{part.type:02x}" for part in theirs] == [part.type_id for part in table.partitions]


# sfdisk tells the sector size by the device, and a file has 512.
@pytest.mark.parametrize("name", ["mbr", "extended", "gpt"])
def test_sfdisk(name: str, tmp_path: Path) -> None:
    program = require("sfdisk")
    data, sector = bytes(DISKS[name][0]), DISKS[name][1]
    path = tmp_path / "disk"
    path.write_bytes(data)
    found = subprocess.run([program, "--json", str(path)], check=True, capture_output=True, text=True)
    listed = json.loads(found.stdout)["partitiontable"]
    table = ours(data, sector)
    extended = ("5", "f")
    theirs = [
        (int(part["node"].removeprefix(str(path))), part["start"] * 512, part["size"] * 512)
        for part in listed["partitions"]
        if part["type"].lower() not in extended
    ]
    assert theirs == [(part.number, part.offset, part.size) for part in table.partitions]
    assert listed["label"] == {"mbr": "dos", "gpt": "gpt"}[table.scheme]
    assert listed["id"].lower().removeprefix("0x") == table.disk_id


def test_sleuthkit(disk: tuple[bytes, int], tmp_path: Path) -> None:
    program = require("mmls")
    data, sector = disk
    path = tmp_path / "disk"
    path.write_bytes(data)
    found = subprocess.run([program, "-a", "-b", str(sector), str(path)], check=True, capture_output=True, text=True)
    theirs = []
    for line in found.stdout.splitlines():
        fields = line.split()
        if fields and fields[0].endswith(":") and fields[1][0].isdigit():
            theirs.append((int(fields[2]) * sector, int(fields[4]) * sector))
    assert theirs == [(part.offset, part.size) for part in ours(data, sector).partitions]

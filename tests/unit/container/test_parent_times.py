"""The time of a parent's file is data: any that a file system can hold is told, none ends a command."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

import pytest

import vdiskkit
from tests.build import scenario
from vdiskkit.container.chain import _time_text

if TYPE_CHECKING:
    from pathlib import Path

EPOCH = 946_684_800


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "2000-01-01 00:00:00 UTC"),
        (0.5, "2000-01-01 00:00:00 UTC"),
        (740_000_000, "2023-06-13 19:33:20 UTC"),
        (-EPOCH, "1970-01-01 00:00:00 UTC"),
        (252_455_615_999, "9999-12-31 23:59:59 UTC"),
        (252_455_616_000, "252455616000 seconds after the year 2000"),
        (1e30, "1000000000000000019884624838656 seconds after the year 2000"),
        (-1e15, "before the year 1"),
    ],
)
def test_every_time_has_a_text(seconds: float, text: str) -> None:
    assert _time_text(seconds) == text


@pytest.mark.parametrize("time", [EPOCH, 0, 1, 4_000_000_000, 9_000_000_000, 253_402_300_800])
def test_a_chain_is_read_whatever_the_time(tmp_path: Path, time: int) -> None:
    child = scenario.make("desk10", tmp_path)
    data = bytearray(child.read_bytes())
    (header,) = struct.unpack_from(">Q", data, 16)
    struct.pack_into(">I", data, header + 56, 740_000_000)
    data[header + 36 : header + 40] = bytes(4)
    struct.pack_into(">I", data, header + 36, ~sum(data[header : header + 1024]) & 0xFFFFFFFF)
    child.write_bytes(data)
    os.utime(tmp_path / "desk10.1.avhd", (time, time))
    with vdiskkit.open_vdisk(child) as disk:
        codes = [notice.code for notice in disk.inspect().notices]
    assert "vhd.parent_time" in codes
    vdiskkit.read_chain(child)


def test_a_file_of_a_far_future_is_changed_and_taken_back(tmp_path: Path) -> None:
    """A journal keeps times in 64 bits of nanoseconds, which end in 2262."""
    disk = scenario.make("win10-private-mak", tmp_path)
    side_car = disk.with_suffix(".pvp")
    before = disk.read_bytes(), side_car.read_bytes()
    for path in (disk, side_car):
        os.utime(path, (10_000_000_000, 10_000_000_000))
    done = vdiskkit.apply(vdiskkit.plan(disk, [vdiskkit.SetPvpField(field="author", value="me")]))
    assert done.written
    vdiskkit.undo(disk)
    assert (disk.read_bytes(), side_car.read_bytes()) == before

"""The known faults of the second reader are made up for, and whatever else it raises is a failed verification."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest

import vdiskkit
from tests.build.pair import write_pair
from tests.build.scenario import make, windows_disk
from vdiskkit.errors import VerifyFailedError

if TYPE_CHECKING:
    from pathlib import Path

KEY = r"HKLM\SOFTWARE\Example"
BIG = bytes(range(256)) * 100


def set_value(disk: Path, data: bytes = b"\1\0\0\0") -> Any:
    operation = vdiskkit.SetValue(key=KEY, name="x", type=3, data=data, create_keys=True)
    return vdiskkit.apply(vdiskkit.plan(disk, [operation]))


@pytest.mark.parametrize("features", [0, 1, 2, 3])
def test_a_footer_with_any_features(tmp_path: Path, features: int) -> None:
    disk = make("win10-private-mak", tmp_path)
    data = bytearray(disk.read_bytes())
    for at in (0, len(data) - 512):
        footer = data[at : at + 512]
        struct.pack_into(">I", footer, 8, features)
        footer[64:68] = bytes(4)
        struct.pack_into(">I", footer, 64, ~sum(footer) & 0xFFFFFFFF)
        data[at : at + 512] = footer
    disk.write_bytes(data)
    assert set_value(disk).written
    with vdiskkit.open_vdisk(disk) as opened:
        checked = opened.inspect(second_opinion=True).cross_check
    assert checked is not None
    assert checked.checked
    assert not checked.differences
    vdiskkit.undo(disk)
    assert disk.read_bytes() == data


@pytest.mark.parametrize("minor", [3, 4, 5])
def test_large_data_in_a_hive_of_any_version(tmp_path: Path, minor: int) -> None:
    """In pieces from version 1.4 on; the second reader expects them from 1.5 on."""
    raw = windows_disk("win10", software={"minor": minor})
    disk = write_pair(tmp_path, "x", raw, pvp={"write_cache_type": 0, "license_mode": 2})
    assert set_value(disk, BIG).written
    with vdiskkit.open_vdisk(disk) as opened:
        value = opened.windows.registry("SOFTWARE").key("Example").value("x")
        assert value is not None
        assert value.raw == BIG


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), EOFError(), KeyError("y")])
def test_what_it_raises_is_a_failed_verification(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    disk = make("win10-private-mak", tmp_path)
    before = disk.read_bytes()

    def fail(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr("vdiskkit.container.dissect_view.read_with_dissect", fail)
    with pytest.raises(VerifyFailedError, match="the second reader's view of the virtual disk at 0x0") as caught:
        set_value(disk)
    assert (str(error) or type(error).__name__) in caught.value.message
    assert caught.value.exit_code == 6
    assert disk.read_bytes() == before
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".pvp", ".vhd"]

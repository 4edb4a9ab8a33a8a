from __future__ import annotations

import pytest

from vdiskkit.naming import parse_vdisk_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("win10.vhd", ("win10", 0, "vhd", False, "win10")),
        ("win10.VHDX", ("win10", 0, "VHDX", False, "win10")),
        ("win10.3.avhd", ("win10", 3, "avhd", True, "win10.3")),
        ("win10.12.avhdx", ("win10", 12, "avhdx", True, "win10.12")),
        ("win10.4.vhd", ("win10", 4, "vhd", False, "win10.4")),
        ("a.b.1.avhd", ("a.b", 1, "avhd", True, "a.b.1")),
    ],
)
def test_names_of_disk_files(name: str, expected: tuple[str, int, str, bool, str]) -> None:
    parsed = parse_vdisk_name(name)
    assert parsed is not None
    assert (parsed.stem, parsed.version, parsed.extension, parsed.differencing, parsed.label) == expected


@pytest.mark.parametrize("name", ["win10.pvp", "vhd", ".vhd", "win10.vhd.bak", ""])
def test_names_of_other_files(name: str) -> None:
    assert parse_vdisk_name(name) is None

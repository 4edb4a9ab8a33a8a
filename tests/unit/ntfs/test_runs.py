from __future__ import annotations

import pytest

from vdiskkit.errors import CorruptStructureError
from vdiskkit.location import Location
from vdiskkit.ntfs.record import Attribute
from vdiskkit.ntfs.runs import Run, parse_runs

TOTAL = 1000


def runs(pairs: str, *, lowest: int = 0, highest: int) -> list[Run]:
    attribute = Attribute(0x80, "", 0, 0)
    attribute.resident = False
    attribute.lowest_vcn, attribute.highest_vcn = lowest, highest
    attribute.pairs = bytes.fromhex(pairs)
    return parse_runs(attribute, TOTAL, Location("x"))


def test_runs_holes_and_backward_steps() -> None:
    assert runs("21 08 2c01 01 10 11 04 f6 00", highest=27) == [Run(0, 300, 8), Run(8, None, 16), Run(24, 290, 4)]


def test_an_extension_starts_at_its_own_vcn() -> None:
    assert runs("11 02 05 00", lowest=50, highest=51) == [Run(50, 5, 2)]


def test_an_empty_stream_has_no_runs() -> None:
    assert runs("00", highest=-1) == []


@pytest.mark.parametrize(
    ("pairs", "highest", "message"),
    [
        ("10 05 00", 4, "described by 0 and 1 bytes"),  # missing length
        ("1f 05 00", 4, "described by 15 and 1 bytes"),
        ("91 05 000000000000000000 00", 4, "described by 1 and 9 bytes"),
        ("11 80 05 00", 4, "-128 clusters"),
        ("11 00 05 00", 4, "0 clusters"),
        ("01 00 00", -1, "0 clusters"),
        ("11 05 ff 00", 4, "covers clusters"),  # LCN below zero
        ("21 05 e803 00", 4, "covers clusters"),  # past the volume
        ("21 7f 7f03 00", 126, "covers clusters"),
        ("11 05 05", 4, "no end"),
        ("21 05 05", 4, "cut off"),
        ("11", 4, "cut off"),
        ("", 4, "no end"),
        ("11 05 05 00", 5, "ends at VCN 0x4"),
        ("11 05 05 00", 3, "ends at VCN 0x4"),
        ("00", 3, "ends at VCN"),
        ("08 ffffffffffffff7f 08 ffffffffffffff7f 00", 4, "ends at VCN"),
    ],
)
def test_faults(pairs: str, highest: int, message: str) -> None:
    with pytest.raises(CorruptStructureError, match=message):
        runs(pairs, highest=highest)

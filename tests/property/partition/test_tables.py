"""Any bytes in a partition table end in a table or in an error of ours, after a bounded number of reads."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.partition.disks import MIB, Gpt, boot_record, entry, mbr_disk
from tests.unit.partition.test_mbr import read
from vdiskkit.errors import FormatError

DISKS = {
    "gpt": (Gpt(2 * MIB, entry(100, 900), entry(1000, 2000)).build(), [(446, 66), (512, 92), (1024, 256)]),
    "gpt end": (Gpt(2 * MIB, entry(100, 900)).build(primary=bytes(512)), [(2 * MIB - 512, 92), (446, 66)]),
    "mbr": (
        mbr_disk(
            2 * MIB,
            (7, 8, 100),
            (5, 1000, 2000),
            sectors={1000: boot_record((7, 8, 50), (5, 200, 50)), 1200: boot_record((7, 8, 50))},
        ),
        [(446, 66), (1000 * 512 + 446, 66), (1200 * 512 + 446, 66)],
    ),
}


@settings(deadline=None)
@given(st.sampled_from(list(DISKS)), st.data())
def test_flips(which: str, data: st.DataObject) -> None:
    original, places = DISKS[which]
    disk = bytearray(original)
    for _ in range(data.draw(st.integers(1, 8))):
        start, length = data.draw(st.sampled_from(places))
        disk[start + data.draw(st.integers(0, length - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(FormatError):
        table = read(disk)
        table.facts().to_dict()
        assert all(part.offset >= 0 and part.size >= 0 for part in table.partitions)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF)), max_size=4))
def test_any_boot_record(entries: list[tuple[int, int, int]]) -> None:
    with contextlib.suppress(FormatError):
        read(mbr_disk(MIB, *entries))

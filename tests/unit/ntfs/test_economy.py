"""What opening and looking up costs: bytes and calls that reach the disk."""

from __future__ import annotations

import subprocess
import sys

from tests.unit.ntfs.volumes import guarded, image
from vdiskkit.io import PageCache
from vdiskkit.ntfs import NtfsVolume

KIB = 1024


def test_opening_reads_the_boot_sector_and_one_record() -> None:
    source = guarded(image("basic"))
    NtfsVolume(source)
    assert (source.budget.spent_calls, source.budget.spent_bytes) == (2, 512 + 1024)


def test_a_look_up_over_four_folders_and_the_first_page() -> None:
    source = guarded(image("basic"))
    volume = NtfsVolume(PageCache(source))
    hive = volume.lookup("Windows\\System32\\config\\SOFTWARE").open()
    hive.read_at(0, 4096)
    assert source.budget.spent_calls <= 10
    assert source.budget.spent_bytes <= 40 * KIB


def test_state_and_free_space() -> None:
    source = guarded(image("basic"))
    volume = NtfsVolume(PageCache(source))
    volume.state()
    assert source.budget.spent_bytes <= 120 * KIB  # the empty log is sampled at nine places
    before = source.budget.spent_bytes
    volume.free_bytes()
    assert source.budget.spent_bytes - before <= 8 * KIB
    volume.state()
    volume.free_bytes()
    assert source.budget.spent_calls <= 25


def test_reading_ntfs_needs_no_dissect_and_no_dataclasses() -> None:
    code = (
        "import sys, vdiskkit.ntfs, vdiskkit.partition;"
        "bad = [name for name in sys.modules if name.split('.')[0] in ('dissect', 'construct', 'dataclasses')];"
        "sys.exit(' '.join(bad) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

"""The benchmarks' own arithmetic, and the read budgets on the samples, where they cost no big image."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, BinaryIO, cast

import pytest

import vdiskkit
from benchmarks import budgets
from benchmarks.budgets import CountingFile, Ledger, Reads, count_reads
from tests.build.vhd import BAT_OFFSET, build_vhd

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20


@pytest.mark.parametrize("name", ["win7-kms", "win10-private-mak", "faulty", "hostile"])
def test_inspecting_a_sample_keeps_the_read_budget(name: str) -> None:
    image = budgets.ROOT / "sample_images" / f"{name}.vhd"
    file = CountingFile(image)
    with file, vdiskkit.open_vdisk(cast("BinaryIO", file)) as disk:
        disk.inspect()
    assert sum(length for _, length in file.reads) <= budgets.INSPECT_BYTES
    assert len(file.reads) <= budgets.INSPECT_CALLS


def test_reads_are_sorted_by_what_they_are_for(tmp_path: Path) -> None:
    image = tmp_path / "disk.vhd"
    image.write_bytes(build_vhd("dynamic", 8 * MIB, content={0: b"a" * 512, 6 * MIB: b"b" * 512}))
    bat = [BAT_OFFSET, 16]
    facts = {"bat_range": bat, "bitmap_ranges": [[8192, 4096]]}
    image.with_suffix(".json").write_text(json.dumps(facts), encoding="ascii")
    plain = count_reads(image, lambda _disk: None)
    assert plain.bat_bytes >= 16
    assert plain.bitmap_bytes == 0

    def read_more(disk: vdiskkit.VDisk) -> None:
        disk.file.read_at(8192, 4096)  # $Bitmap, whole
        disk.file.read_at(8000, 400)  # 192 bytes before it and 208 of it
        disk.file.read_at(BAT_OFFSET + 4, 8)

    more = count_reads(image, read_more)
    assert Reads(*(after - before for after, before in zip(more, plain, strict=True))) == Reads(
        other_bytes=192, other_calls=1, bat_bytes=8, bat_calls=1, bitmap_bytes=4304, bitmap_calls=1
    )


def test_a_ledger_remembers_what_was_exceeded(capsys: pytest.CaptureFixture[str]) -> None:
    ledger = Ledger()
    ledger.check("calls", 200, 200, "calls")
    assert ledger.kept
    ledger.check("bytes", 2001, 2000, "bytes")
    ledger.check("memory", 1, 2, "MiB")
    assert not ledger.kept
    assert capsys.readouterr().out.splitlines()[1] == "OVER  bytes: 2,001 bytes, budget 2,000"

"""``inspect --blocks`` on samples: text of 80 columns, facts, and that nobody pays for it who does not ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import vdiskkit
from benchmarks.budgets import CountingFile
from tests.build.image import PartitionSpec, build_disk
from tests.build.state import state_volume
from tests.cli.conftest import SAMPLES
from tests.unit.chain.stores import SIZE, vhd_chain, vhdx_chain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome


def blocks(outcome: Outcome) -> dict[str, Any]:
    assert (outcome.code, outcome.err) == (0, "")
    facts: dict[str, Any] = outcome.json["disks"][0]["result"]["blocks"]
    return facts


def test_a_version_of_the_sample(run: Callable[..., Outcome]) -> None:
    disk = SAMPLES / "desk10.2.avhd"
    facts = blocks(run("inspect", disk, "--blocks", "--json"))
    size = 54_525_952
    assert facts["file_bytes"] + facts["parent_bytes"] + facts["zero_bytes"] == size
    assert [item["bytes"] for item in facts["ranges"]] == [4096, 8192, 8192, 4096]
    assert facts["range_count"] == 4
    assert facts["joined_below"] == 0
    assert sum(item["blocks"] for item in facts["states"]) == size // (512 * 1024)
    by_number = {item["partition"]: item for item in facts["partitions"]}
    assert by_number[2]["file_bytes"] == facts["file_bytes"]
    assert sum(item["size"] for item in facts["partitions"]) == size
    changed = {item["path"]: item["file_bytes"] for item in facts["files"] if item["file_bytes"]}
    # Two hives were changed in this version, and the record of the one that grew older.
    assert changed == {
        "$MFT": 4096,
        r"Windows\System32\config\SOFTWARE": 16384,
        r"Windows\System32\config\SYSTEM": 4096,
    }
    text = run("inspect", disk, "--section", "blocks").out
    assert "4 ranges changed since the parent" in text
    assert r"holds         16.0 KiB of 1.0 MiB of Windows\System32\config\SOFTWARE" in text


@pytest.mark.parametrize("make", [vhd_chain, vhdx_chain], ids=["vhd", "vhdx"])
def test_every_file_of_a_chain(run: Callable[..., Outcome], tmp_path: Path, make: Callable[[Path, int], Path]) -> None:
    newest = make(tmp_path, 3)
    for number in (1, 2, 3):
        facts = blocks(run("inspect", newest, "--at", number, "--blocks", "--json"))
        assert [(item["offset"], item["length"]) for item in facts["ranges"]] == [(number * 512, 512)]
        assert (facts["file_bytes"], facts["parent_bytes"]) == (512, SIZE - 512)
        assert facts["picture"][0] == "+"
    base = blocks(run("inspect", newest, "--at", "base", "--blocks", "--json"))
    assert (base["file_bytes"], base["zero_bytes"]) == (SIZE // 2, SIZE // 2)
    assert set(base["picture"]) == {"#", "-"}


def test_a_raw_image_is_all_there(run: Callable[..., Outcome], tmp_path: Path) -> None:
    (tmp_path / "disk.raw").write_bytes(bytes(1 << 20))
    facts = blocks(run("inspect", tmp_path / "disk.raw", "--blocks", "--json"))
    assert facts["states"] == [{"state": "whole", "reads_as": "file", "blocks": 0, "bytes": 1 << 20}]
    assert (facts["file_bytes"], facts["unreferenced_bytes"], facts["fragments"]) == (1 << 20, 0, 1)
    assert "no blocks: all 1.0 MiB in this file" in run("inspect", tmp_path / "disk.raw", "--blocks").out


def test_without_the_option_nothing_more_is_read(run: Callable[..., Outcome]) -> None:
    plain = run("inspect", SAMPLES / "desk10.2.avhd", "--json").json["disks"][0]["result"]
    assert plain["blocks"] is None
    assert "\n  blocks" not in run("inspect", SAMPLES / "desk10.2.avhd").out
    reads = []
    for asked in (False, True):
        file = CountingFile(SAMPLES / "desk10.vhd")
        with file, vdiskkit.open_vdisk(file) as disk:  # type: ignore[arg-type]  # a raw file object
            assert (disk.inspect(blocks=asked).blocks is not None) is asked
        reads.append(sum(length for _, length in file.reads))
    # Of a dynamic disk: footer and header once more, and the way to some files.
    assert reads[1] - reads[0] < 512 * 1024


@pytest.mark.parametrize("mib", [16, 12, 8, 4])
def test_a_disk_that_ends_before_its_partition(run: Callable[..., Outcome], tmp_path: Path, mib: int) -> None:
    """A file whose clusters all lie behind the end of the disk is not on it."""
    disk = tmp_path / "short.raw"
    disk.write_bytes(build_disk([PartitionSpec(state_volume("win10"))], table="mbr")[: mib << 20])
    outcome = run("inspect", disk, "--blocks", "--json")
    facts = outcome.json["disks"][0]["result"]["blocks"]
    assert facts["file_bytes"] == mib << 20
    assert "$MFT" in {item["path"] for item in facts["files"]} or mib == 4
    assert all(0 < item["file_bytes"] == item["size"] <= mib << 20 for item in facts["files"])

"""The image builder against sleuthkit: what we put into a volume is what another reader finds there."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.build.files import STORE, noise
from tests.build.image import BASE_FOLDER, build_disk, build_image, build_volume, load_volume
from tests.build.scenario import windows_volume
from tests.build.volume_remove import remove
from tests.oracle.tools import require

if TYPE_CHECKING:
    from pathlib import Path

BASES = sorted(path.name.partition(".")[0] for path in BASE_FOLDER.glob("*.ntfs.xz"))
HIVE = "Windows\\System32\\config\\SOFTWARE"


@pytest.mark.parametrize("base", [base for base in BASES if base != "reserved"])
def test_content_written_is_content_read(base: str) -> None:
    editor = load_volume(base)
    hive, small = noise("hive", editor.size(HIVE)), noise("small", 700)
    editor.write(HIVE, hive)
    editor.write("Windows\\System32\\config\\SAM", small)
    assert editor.read(HIVE) == hive
    assert editor.read("windows\\system32\\CONFIG\\sam") == small
    assert editor.size("Windows\\System32\\config\\SAM") == 700
    with pytest.raises(ValueError, match="do not fit"):
        editor.write(HIVE, bytes(2 << 20))


def test_a_load_does_not_see_the_changes_of_another() -> None:
    first = load_volume("win8")
    first.write(HIVE, b"changed")
    remove(first, "pagefile.sys")
    second = load_volume("win8")
    assert second.size(HIVE) == 1 << 20
    assert "pagefile.sys" in second.paths


def test_the_hive_of_some_bases_is_fragmented() -> None:
    assert len(load_volume("win10").runs(HIVE)) > 1
    assert len(load_volume("hostile").runs(HIVE)) > 10


def test_only_names_that_keep_their_length_and_place_are_given() -> None:
    editor = load_volume("win10")
    path = STORE["win10"].replace("/", "\\") + "\\tokens.dat"
    with pytest.raises(AssertionError, match="same length"):
        editor.rename(path, "tokens.old.dat")
    editor.rename(path, "tokens.bar")
    assert path.casefold() not in editor.paths
    assert editor.size(path.replace(".dat", ".bar")) == 64 * 1024


@pytest.mark.parametrize(("table", "count"), [("mbr", 4), ("extended", 4), ("gpt", 5)])
def test_partitions_lie_where_their_table_says(table: str, count: int) -> None:
    parts = [bytes([number]) * (512 * (3 + number)) for number in range(count)]
    disk = build_disk(parts, table=table)
    assert len(disk) % (1 << 20) == 0
    places = [disk.find(part) for part in parts[1:]]
    assert places == sorted(places)
    assert all(place % (1 << 20) == 0 for place in places)
    assert disk[510:512] == b"\x55\xaa"


# fls shows nothing of a large folder when clusters are larger than index blocks.
@pytest.mark.oracle
@pytest.mark.parametrize("base", sorted(set(BASES) - {"cluster65536"}))
def test_sleuthkit_lists_the_same_names(base: str, tmp_path: Path) -> None:
    image = tmp_path / "volume.raw"
    editor = load_volume(base)
    image.write_bytes(editor.data)
    listed = subprocess.run(
        [require("fls"), "-r", "-p", "-u", "-f", "ntfs", str(image)], capture_output=True, check=True
    ).stdout.decode("utf-8", "replace")
    found = {int(number) for number in re.findall(r"^[rd]/[rd] (\d+)-", listed, re.MULTILINE)}
    assert found >= set(editor.paths.values()) - set(range(24))


@pytest.mark.oracle
@pytest.mark.parametrize("base", ["win10", "cluster512", "sector4096"])
def test_sleuthkit_reads_the_same_content_and_times(base: str, tmp_path: Path) -> None:
    when = dt.datetime(2021, 2, 3, 4, 5, 6, tzinfo=dt.UTC)
    content = noise("tokens", 30_001)
    path = STORE["win10"] + "/tokens.dat"
    image = tmp_path / "volume.raw"
    data = build_volume(
        base,
        hives={"SOFTWARE": noise("hive", 900_000)},
        files={path: content},
        times={path: when},
        removed=["PerfLogs"],
    )
    image.write_bytes(data)
    editor = load_volume(base)
    for name, expected in ((path, content), (HIVE, noise("hive", 900_000).ljust(1 << 20, b"\0"))):
        number = editor.number(name.replace("/", "\\"))
        read = subprocess.run([require("icat"), "-f", "ntfs", str(image), str(number)], capture_output=True, check=True)
        assert read.stdout == expected
    number = str(editor.number(path.replace("/", "\\")))
    shown = subprocess.run(
        [require("istat"), "-z", "UTC", "-f", "ntfs", str(image), number], capture_output=True, check=True
    ).stdout.decode()
    assert shown.count("2021-02-03 04:05:06") == 8  # four times in $STANDARD_INFORMATION, four in $FILE_NAME
    gone = str(editor.number("PerfLogs"))
    shown = subprocess.run(
        [require("istat"), "-f", "ntfs", str(image), gone], capture_output=True, check=True
    ).stdout.decode()
    assert "Not Allocated" in shown


@pytest.mark.oracle
def test_ntfs_3g_takes_the_clean_log_and_refuses_the_other(tmp_path: Path) -> None:
    for clean, expected in ((True, 0), (False, 15)):
        image = tmp_path / f"{clean}.raw"
        image.write_bytes(windows_volume("win8", clean_log=clean))
        probe = [require("ntfs-3g.probe"), "--readwrite", str(image)]
        checked = subprocess.run(probe, capture_output=True, check=False)
        assert checked.returncode == expected, checked.stderr


@pytest.mark.oracle
def test_tables_are_as_the_partition_tools_want_them(tmp_path: Path) -> None:
    for table in ("mbr", "extended", "gpt"):
        image = tmp_path / f"{table}.raw"
        image.write_bytes(build_image("win8", table=table))
        shown = subprocess.run([require("mmls"), str(image)], capture_output=True, check=True).stdout.decode()
        assert "NTFS / exFAT (0x07)" in shown or "Basic data partition" in shown

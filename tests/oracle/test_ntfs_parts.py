"""A whole Windows on volumes of every cluster and record size, its hive and token store in pieces: read and changed.

ntfs-3g writes everything, into free space of which every second cluster is in use, so that runlists need extension
records and attribute lists; afterwards one file fills what is left, and the clusters between become free again: what
grows then lies in pieces too.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest

import vdiskkit
from tests.build.hive import REG_BINARY, REG_DWORD
from tests.build.scenario import windows_volume
from tests.build.vhd import build_vhd, with_checksum
from tests.build.windows import software_hive
from tests.oracle.ntfs_volumes import MIB, Edited, contents, judge, make_volume, mounted, spare, strict_complaints, use
from tests.oracle.test_ntfs_edits import digest, fragment, restore
from tests.oracle.tools import require
from vdiskkit import DeleteFile, SetValue
from vdiskkit.io import FileSource, PageCache
from vdiskkit.ntfs import NtfsVolume
from vdiskkit.ntfs.record import ATTRIBUTE_LIST, DATA
from vdiskkit.patch.ntfs import check_touched, check_volume
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from pathlib import Path

    from tests.build.hive import HiveBuilder
    from vdiskkit.patch.operations import Operation

pytestmark = pytest.mark.oracle

KIB = 1024
HIVE = "Windows/System32/config/SOFTWARE"
TOKENS = "Windows/System32/spp/store/tokens.dat"
KEY = r"HKLM\SOFTWARE\Example"


class Shape(NamedTuple):
    """How a volume is made.

    Attributes:
        cluster: Bytes in a cluster.
        sector: Bytes in a sector, and in an MFT record when that is more than 1,024.
        runs: Into how many pieces the hive is written; more than one record has room for, where clusters are small.
        links: How many long names the hive gets besides, which fill extension records too.
        files: How many files make the table grow while space is in pieces.
        full: Whether the volume is filled until only single clusters are free.
        large_records: Whether the boot sector is changed to records of 4 KiB and sectors of 512 bytes, what Windows
            makes with ``format /L``.
    """

    cluster: int
    sector: int = 512
    runs: int = 230
    links: int = 0
    files: int = 0
    full: bool = True
    large_records: bool = False


SHAPES = {
    "512": Shape(512, runs=5200),
    "1K": Shape(KIB, runs=700, links=40),
    "2K": Shape(2 * KIB, runs=500),
    "4K": Shape(4 * KIB, runs=400),
    "4K, $MFT in pieces": Shape(4 * KIB, runs=200, files=1500),
    "8K": Shape(8 * KIB, runs=230),
    "64K": Shape(64 * KIB, runs=40, links=40),
    "128K": Shape(128 * KIB, runs=20, links=60),
    "2M": Shape(2 * MIB, runs=2, links=60, full=False),
    "4K sectors and records": Shape(4 * KIB, 4096, runs=1400),
    "4K records": Shape(4 * KIB, 4096, runs=1400, large_records=True),
}


class Made(NamedTuple):
    """A volume as a disk, and what ntfs-3g reads from it."""

    disk: Path
    volume: Path
    files: dict[str, str]
    hive: bytes


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plain files of a small Windows."""
    folder = tmp_path_factory.mktemp("tree")
    base = folder / "base.raw"
    base.write_bytes(windows_volume("win8"))
    with mounted(base) as root:
        for name in ("Windows", "Users"):
            # Links, packed and sparse files are no part of this.
            odd = shutil.ignore_patterns("Storage", "second name")
            shutil.copytree(root / name, folder / "files" / name, ignore=odd, copy_function=shutil.copyfile)
    base.unlink()
    return folder / "files"


def hive_of(size: int) -> bytes:
    """A SOFTWARE hive of that many bytes or a few more, with nothing left over behind its bins."""

    def more(builder: HiveBuilder) -> None:
        builder.dword("Example", "number", 1)
        for number, start in enumerate(range(0, max(size - 20 * KIB, 1), MIB // 2)):
            length = min(MIB // 2, max(size - 20 * KIB - start, 1))
            builder.binary("Filler", f"large {number}", bytes([number % 251 + 1]) * length)

    return software_hive("win8", skip_rearm=0, keys=50, edit=more)


def make(shape: Shape, tree: Path, path: Path) -> Made:
    hive = hive_of(shape.runs * shape.cluster)

    def fill(root: Path) -> None:
        for name in ("Windows", "Users"):
            shutil.copytree(tree / name, root / name, copy_function=shutil.copyfile)
        (root / TOKENS).unlink()
        os.truncate(root / HIVE, 0)
        (root / "links").mkdir()
        for number in range(10):
            (root / "links" / f"a file with a name that makes its folder longer, {number}").touch()
        for number in range(shape.links):
            os.link(root / HIVE, root / "links" / f"another name of the hive, long enough, number {number:03}")
        room = (
            30 if shape.cluster > 64 * KIB else 100 if shape.cluster > 2 * KIB else 300 if shape.cluster > 512 else 700
        )
        for number in range(room):  # room in the table, which hardly grows where a cluster holds no whole record
            (root / f"{number}").touch()
        for number in range(room):
            (root / f"{number}").unlink()

    spare_clusters = 600 if shape.cluster <= 64 * KIB else 300
    clusters = 2 * (len(hive) + 600 * KIB) // shape.cluster + spare_clusters + shape.files
    sizes = ("-c", str(shape.cluster), "-s", str(shape.sector))
    make_volume(path, fill, *sizes, size=clusters * shape.cluster + 8 * MIB, options="big_writes")
    taken = fragment(path)
    with mounted(path, "big_writes") as root:
        write_in_pieces(root, shape, hive)
    restore(path, taken)
    if shape.large_records:
        set_large_records(path)
    with mounted(path) as root:
        found = contents(root)
    assert found[HIVE] == digest(hive)
    return Made(as_disk(path), path, found, hive)


def write_in_pieces(root: Path, shape: Shape, hive: bytes) -> None:
    """The hive and the token store, what makes the table and the attribute list longer, and what fills the rest."""
    for name, data in ((HIVE, hive), (TOKENS, bytes(range(256)) * 240)):
        with (root / name).open("wb", buffering=0) as file:
            for offset in range(0, len(data), shape.cluster):
                file.write(data[offset : offset + shape.cluster])
    for number in range(shape.files):
        (root / f"one of many {number:04}").touch()
    for number in range(0, shape.files, 2):
        (root / f"one of many {number:04}").unlink()
    with (root / "the rest").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while shape.full:  # until there is no space left
            file.write(bytes(shape.cluster))


def set_large_records(path: Path) -> None:
    """Count sectors of 512 bytes instead of 4096; the records stay as large as they are."""
    with path.open("r+b") as file:
        boot = bytearray(file.read(512))
        struct.pack_into("<HB", boot, 11, 512, 8)
        struct.pack_into("<Q", boot, 40, struct.unpack_from("<Q", boot, 40)[0] * 8 + 7)
        for at in (0, path.stat().st_size - 512):
            file.seek(at)
            file.write(boot)


def as_disk(volume: Path) -> Path:
    """The volume without a partition table, as a fixed VHD."""
    disk = volume.with_suffix(".vhd")
    subprocess.run(["cp", "--sparse=always", str(volume), str(disk)], check=True)
    size = volume.stat().st_size
    footer = bytearray(build_vhd("fixed", MIB, bytes(MIB))[-512:])
    struct.pack_into(">QQ", footer, 40, size, size)
    with disk.open("ab") as file:
        file.write(with_checksum(bytes(footer), 64))
    return disk


def judge_content(shape: Shape, path: Path, record: int, expected: bytes) -> None:
    """What sleuthkit reads, where it knows the cluster size, and ntfscat, by the record alone."""
    commands = [[require("ntfscat"), "-q", "-i", str(record), str(path)]]
    if shape.cluster <= 64 * KIB:
        commands.append([require("icat"), "-f", "ntfs", str(path), str(record)])
    for command in commands:
        assert subprocess.run(command, capture_output=True, check=True).stdout == expected, command[0]


def volume_of(disk: Path, volume: Path) -> None:
    """Put what the disk holds back into the file of the volume."""
    size = volume.stat().st_size
    subprocess.run(["cp", "--sparse=always", str(disk), str(volume)], check=True)
    os.truncate(volume, size)


@pytest.mark.parametrize("name", SHAPES)
def test_a_windows_in_pieces(name: str, tree: Path, tmp_path: Path) -> None:
    shape = SHAPES[name]
    made = make(shape, tree, tmp_path / "volume.raw")
    read(shape, made)
    change(shape, made)


def read(shape: Shape, made: Made) -> None:
    """Look-up, listing, contents, runlists, inspection and registry."""
    with FileSource(str(made.volume)) as source:
        volume = NtfsVolume(PageCache(source))
        assert (volume.boot.cluster_size, volume.boot.record_size) == (
            shape.cluster,
            max(shape.sector, 1024),
        )
        for path, theirs in made.files.items():
            file = volume.lookup(path)
            if file.is_directory:
                names = {entry.name for entry in volume.listdir(file)}
                assert names == {one.rpartition("/")[2] for one in made.files if one.rpartition("/")[0] == path}
            else:
                ours = file.open()
                assert digest(ours.read_at(0, ours.size)) == theirs, path
        hive = volume.lookup(HIVE)
        record = volume.mft.record(hive.record_number)
        assert (hive.extent_count() or 0) >= shape.runs
        assert record.first(ATTRIBUTE_LIST) is not None
        judge_content(shape, made.volume, hive.record_number, made.hive)
        table = volume.mft.runs(volume.mft.record(0), DATA)
        assert table is not None
        if shape.files:
            assert len(table[1]) > 100
            assert volume.mft.record(0).first(ATTRIBUTE_LIST) is not None
        assert volume.notices == ()
    with vdiskkit.open_vdisk(made.disk) as disk:
        seen = disk.inspect()
        assert seen.windows is not None
        assert seen.windows.product_name is not None
        assert disk.budget.spent_bytes <= 1536 * KIB  # what any inspection may read
        assert disk.budget.spent_calls <= 200
        assert disk.windows.registry("SOFTWARE").key("Example").value("number").data == 1  # type: ignore[union-attr]


def change(shape: Shape, made: Made) -> None:
    """A value in place, the hive grown into pieces, the token store deleted: one change, judged by all."""
    large = bytes(range(255, -1, -1)) * 1200
    in_root = ["one of many 0001"] if shape.files else []  # out of a folder whose index lies in pieces
    operations: list[Operation] = [
        *(DeleteFile(path=path) for path in in_root),
        SetValue(key=KEY, name="number", type=REG_DWORD, data=(2).to_bytes(4, "little")),
        DeleteFile(path=TOKENS.replace("/", "\\")),
        SetValue(key=KEY, name="large", type=REG_BINARY, data=large),
    ]
    before = spare(made.volume)
    vdiskkit.apply(vdiskkit.plan(made.disk, operations, full_check=True))
    volume_of(made.disk, made.volume)
    assert strict_complaints(made.volume, before) == []
    before.unlink()
    done = subprocess.run([require("ntfsfix"), "-n", str(made.volume)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with mounted(made.volume) as root:
        after = contents(root)
        grown = (root / HIVE).read_bytes()
    same_file = {path for path, theirs in made.files.items() if theirs == made.files[HIVE]}
    assert set(after) == set(made.files) - {TOKENS, *in_root}
    assert {path for path in after if after[path] != made.files[path]} == same_file
    assert len(grown) > len(made.hive)
    with FileSource(str(made.volume)) as source:
        volume = NtfsVolume(PageCache(source))
        hive = volume.lookup(HIVE)
        judge_content(shape, made.volume, hive.record_number, grown)
        assert check_volume(source) == []
    with vdiskkit.open_vdisk(made.disk) as disk:
        key = disk.windows.registry("SOFTWARE").key("Example")
        assert (key.value("number").data, key.value("large").data) == (2, large)  # type: ignore[union-attr]
    # ntfs-3g finds no room for data in clusters of 512 bytes that lie one by one; names it can always write.
    assert use(made.volume, "links", 4 if shape.cluster > 512 else 1) == after


@pytest.mark.parametrize("cluster", [512, 4096])
def test_a_list_that_gets_lines_in_its_middle(cluster: int, tmp_path: Path) -> None:
    """The content of a file grows whose list in clusters names a stream behind it: the list moves, its clusters go."""

    def fill(root: Path) -> None:
        (root / "folder").mkdir()
        path = root / "folder" / "hive"
        path.write_bytes(b"hive" * 3000)
        os.setxattr(path, "user.tail", b"tail" * 2000)
        for number in range(60):
            os.link(path, root / "folder" / f"one of many names, each of them long enough, number {number:03}")
        for number in range(40):
            (root / f"{number}").touch()
        for number in range(40):
            (root / f"{number}").unlink()

    path = make_volume(tmp_path / "volume.raw", fill, "-c", str(cluster), size=16 * MIB)
    taken = fragment(path)
    edited = Edited(path)
    stream = edited.editor.open_stream("folder\\hive")
    tail = edited.editor.open_stream("folder\\hive:tail")
    records: set[int] = set()
    for one in (stream, tail, stream, stream):
        records.update(one.grow(one.allocated_size + 150 * cluster).records)
    stream.write_at(stream.size - 3, b"end", Phase.DATA)
    tail.write_at(tail.size - 3, b"end", Phase.DATA)
    assert len(records) >= 4
    freed = edited.editor.touched.freed_extents
    assert freed
    number = edited.editor.volume.lookup("folder\\hive").record_number
    content, appended = stream.read_at(0, stream.size), tail.read_at(0, tail.size)
    assert check_touched(edited.staged, edited.editor.touched) == []
    edited.apply()
    edited.close()
    restore(path, taken)
    with mounted(path) as root:
        assert (root / "folder" / "hive").read_bytes() == content
        found = contents(root)
    assert len(found) == 62
    by_ntfs_3g = [require("ntfscat"), "-q", "-n", "tail", str(path), "folder/hive"]
    assert subprocess.run(by_ntfs_3g, capture_output=True, check=True).stdout == appended
    judge_content(Shape(cluster), path, number, content)
    assert use(spare(path), "folder", 4) == found
    go_on(spare(path), "folder/hive", content)
    edited = Edited(path)
    assert records <= set(edited.editor.delete_file("folder\\hive").records)
    judge(edited)
    edited.close()


def go_on(path: Path, name: str, content: bytes) -> None:
    """What ntfs-3g does with a file whose parts were made here: it makes it longer, and then short."""
    more = bytes(range(256)) * 1000
    with mounted(path) as root, (root / name).open("ab") as file:
        file.write(more)
    with mounted(path) as root:
        assert (root / name).read_bytes() == content + more
        os.truncate(root / name, 1000)
    assert strict_complaints(path) == []
    with mounted(path) as root:
        assert (root / name).read_bytes() == content[:1000]
        (root / name).unlink()
    assert strict_complaints(path) == []

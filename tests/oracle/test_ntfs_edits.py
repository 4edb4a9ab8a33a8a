"""Edited volumes, judged by ntfs-3g (mounted for writing, all read), ntfsfix, sleuthkit and the strict checker."""

from __future__ import annotations

import hashlib
import os
import random
import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.data.make_ntfs_volumes import link_data, noise, set_reparse
from tests.oracle.ntfs_volumes import MIB, Edited, contents, judge, make_volume, mounted, spare, strict_complaints, use
from tests.oracle.samples import real_sample
from tests.oracle.tools import require
from vdiskkit.errors import WriteRefusedError
from vdiskkit.io import FileSource
from vdiskkit.partition import read_partitions
from vdiskkit.patch.ntfs import check_touched, check_volume
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.ntfs import NtfsVolume

pytestmark = pytest.mark.oracle

NOW = 132_000_000_000_000_000
GEOMETRIES = [
    pytest.param((), 4096, id="4K"),
    pytest.param(("-c", "1024"), 1024, id="1K"),
    pytest.param(("-c", "65536"), 65536, id="64K"),
    pytest.param(("-s", "4096", "-c", "4096"), 4096, id="4K records"),
]


def digest(data: bytes | bytearray) -> str:
    return hashlib.sha256(data).hexdigest()


def seen(path: Path) -> dict[str, str]:
    with mounted(path) as root:
        return contents(root)


def by_dissect(path: Path, name: str) -> str:
    """The hash of a file as the other reader of this project reads it."""
    from dissect.ntfs import NTFS

    with path.open("rb") as file:
        return digest(NTFS(file).mft.get(name).open().read())


def odd_files(root: Path) -> None:
    """Streams, hard links, DOS names, object ids, reparse points."""
    folder = root / "folder"
    folder.mkdir()
    (root / "links").mkdir()
    (folder / "streams.bin").write_bytes(noise(1, 50_000))
    os.setxattr(folder / "streams.bin", "user.large", noise(2, 30_000))
    os.setxattr(folder / "streams.bin", "user.small", b"123")
    (folder / "A long name.configuration").write_bytes(b"dos" * 1000)
    os.setxattr(folder / "A long name.configuration", "system.ntfs_dos_name", b"ALONGN~1.CON")
    (folder / "linked").write_bytes(noise(3, 9_000))
    for number in range(5):
        os.link(folder / "linked", root / "links" / f"link {number}")
    for number, name in enumerate(("with id", "other id")):
        (folder / name).write_bytes(b"hello")
        os.setxattr(folder / name, "system.ntfs_object_id", bytes([number]) * 16)
    for number in range(200):
        os.link(folder / "with id", root / "links" / f"one of many links to a file, with a long name {number:04}")
    for name in ("link", "other link"):
        (folder / name).touch()
        set_reparse(folder / name, link_data("other id", tag=0xA000000C, relative=True))
    (folder / "wof").write_bytes(noise(5, 100))
    set_reparse(folder / "wof", struct.pack("<IHHIIII", 0x80000017, 16, 0, 1, 2, 1, 0))


def test_files_with_everything_that_can_belong_to_them(tmp_path: Path) -> None:
    path = make_volume(tmp_path / "volume.raw", odd_files)
    left = seen(path)
    edited = Edited(path, now=NOW)
    for name in ("streams.bin", "A long name.configuration", "link", "wof"):
        edited.editor.delete_file(f"folder\\{name}")
        del left[f"folder/{name}"]
    edited.editor.delete_file("links\\link 3", all_links=False)
    del left["links/link 3"]
    for number in range(0, 200, 3):
        name = f"one of many links to a file, with a long name {number:04}"
        edited.editor.delete_file(f"links\\{name}", all_links=False)
        del left[f"links/{name}"]
    judge(edited)
    edited.close()
    assert seen(path) == left
    assert use(spare(path), "links") == left

    edited = Edited(path)
    many = sorted(name for name in left if "one of many" in name)
    freed = []
    for name in many[10:]:
        freed += edited.editor.delete_file(name, all_links=False).records
        del left[name]
    assert freed  # extension records that held nothing but names
    judge(edited)
    edited.close()
    assert seen(path) == left

    edited = Edited(path)
    edited.editor.delete_file("folder\\with id")
    edited.editor.delete_file("links\\link 0")
    edited.editor.delete_file("folder\\other link")
    edited.editor.delete_file("folder\\other id")
    judge(edited)
    edited.close()
    assert set(seen(path)) == {"folder", "links"}
    assert set(use(spare(path), "links")) == {"folder", "links"}


def fragment(path: Path) -> list[tuple[int, int]]:
    """Mark every second free cluster as used, so that what is written next lies in pieces; returns what to release."""
    edited = Edited(path)
    space = edited.editor.space
    free = list(space._free_around(0, []))
    taken = [(cluster, 1) for first, count in free for cluster in range(first, first + count) if cluster % 2]
    space.claim(taken)
    edited.apply()
    edited.close()
    return taken


def restore(path: Path, taken: list[tuple[int, int]]) -> None:
    edited = Edited(path)
    edited.editor.space.release(taken)
    edited.apply()
    edited.close()
    assert strict_complaints(path) == []


@pytest.mark.parametrize(("mkntfs", "cluster"), GEOMETRIES)
def test_a_token_store_in_500_runs(tmp_path: Path, mkntfs: tuple[str, ...], cluster: int) -> None:
    """Overwritten over its extension records, grown, and deleted link by link."""

    def fill(root: Path) -> None:
        (root / "folder").mkdir()
        (root / "folder" / "other.bin").write_bytes(noise(1, 70_000))
        for number in range(100):  # room in the table, which cannot grow while space is in pieces
            (root / "folder" / f"{number}").touch()
        for number in range(100):
            (root / "folder" / f"{number}").unlink()

    path = make_volume(tmp_path / "volume.raw", fill, *mkntfs, size=cluster * 1600 + 16 * MIB)
    taken = fragment(path)
    content = bytearray(noise(5, 500 * cluster + 3))
    with mounted(path) as root:
        with (root / "folder" / "tokens.dat").open("wb", buffering=0) as file:
            for offset in range(0, len(content), cluster):
                file.write(content[offset : offset + cluster])
        os.link(root / "folder" / "tokens.dat", root / "second name")
    restore(path, taken)
    left = seen(path)
    assert left["folder/tokens.dat"] == digest(content)

    edited = Edited(path, now=NOW)
    assert (edited.editor.volume.lookup("folder\\tokens.dat").extent_count() or 0) >= 500
    stream = edited.editor.open_stream("folder\\tokens.dat")
    patch = b"#" * (7 * cluster + 9)
    stream.write_at(300 * cluster - 5, patch, Phase.DATA)
    content[300 * cluster - 5 : 300 * cluster - 5 + len(patch)] = patch
    stream.grow(stream.size + 10)
    grown = stream.grow(stream.size + 3 * cluster)
    content += bytes(10 + 3 * cluster)
    assert sorted(grown.names) == ["second name", "tokens.dat"]
    judge(edited)
    edited.close()
    left["folder/tokens.dat"] = left["second name"] = digest(content)
    assert seen(path) == left
    assert use(spare(path), "folder", 4) == left

    for name in ("second name", "folder\\tokens.dat"):
        edited = Edited(path)
        deleted = edited.editor.delete_file(name, all_links=False)
        judge(edited)
        edited.close()
        del left[name.replace("\\", "/")]
        assert seen(path) == left
    assert len(deleted.records) > 1 or cluster == 4096 == edited.editor.store.record_size
    assert len(deleted.extents) >= 500
    assert use(spare(path), "folder", 4) == left


@pytest.mark.parametrize(("mkntfs", "cluster"), GEOMETRIES)
def test_growing(tmp_path: Path, mkntfs: tuple[str, ...], cluster: int) -> None:
    def fill(root: Path) -> None:
        (root / "folder").mkdir()
        (root / "folder" / "hive").write_bytes(noise(7, 300_000))
        os.link(root / "folder" / "hive", root / "link")
        (root / "folder" / "small").write_bytes(b"abc" * 10)
        (root / "folder" / "empty").touch()

    path = make_volume(tmp_path / "volume.raw", fill, *mkntfs, size=32 * MIB)
    left = seen(path)
    edited = Edited(path)
    contents_now = {}
    for name, steps in (
        ("folder\\hive", (1, 4000, 262_144, 100_000)),
        ("folder\\small", (170, 5000)),
        ("folder\\empty", (1, 70_000)),
    ):
        stream = edited.editor.open_stream(name)
        content = bytearray(stream.read_at(0, stream.size))
        for step in steps:
            stream.grow(stream.size + step)
            content += bytes(step)
            stream.write_at(stream.size - 1, b"!", Phase.DATA)
            content[-1:] = b"!"
        assert stream.read_at(0, stream.size) == content
        contents_now[name.replace("\\", "/")] = digest(content)
    judge(edited)
    edited.close()
    left |= contents_now | {"link": contents_now["folder/hive"]}
    assert seen(path) == left
    assert {name: by_dissect(path, name) for name in contents_now} == contents_now
    assert use(spare(path), "folder", 6) == left


def test_sleuthkit_sees_the_same(tmp_path: Path) -> None:
    """``fls`` lists what is left and calls the rest deleted; ``icat`` reads what was overwritten."""

    def fill(root: Path) -> None:
        (root / "folder").mkdir()
        for number in range(120):
            (root / "folder" / f"file with a number {number:03}").write_bytes(noise(number, 3000))

    path = make_volume(tmp_path / "volume.raw", fill)
    edited = Edited(path)
    for number in range(0, 120, 2):
        edited.editor.delete_file(f"folder\\file with a number {number:03}")
    stream = edited.editor.open_stream("folder\\file with a number 001")
    stream.write_at(1000, b"overwritten", Phase.DATA)
    stream.grow(20_000)
    content = stream.read_at(0, stream.size)
    folder = edited.editor.volume.lookup("folder").record_number
    record = edited.editor.volume.lookup("folder\\file with a number 001").record_number
    judge(edited)
    edited.close()
    fls = [require("fls"), "-u", "-f", "ntfs", str(path), str(folder)]
    listed = subprocess.run(fls, capture_output=True, text=True, check=True).stdout
    names = {line.partition("\t")[2] for line in listed.splitlines()}
    assert names == {f"file with a number {number:03}" for number in range(1, 120, 2)}
    icat = [require("icat"), "-f", "ntfs", str(path), str(record)]
    assert subprocess.run(icat, capture_output=True, check=True).stdout == content


def test_a_deletion_is_small(tmp_path: Path) -> None:
    """What one deletion writes: an index block, a record, bits of two bitmaps."""

    def fill(root: Path) -> None:
        for number in range(40):
            (root / f"file with a number {number:03}").write_bytes(noise(number, 30_000))

    path = make_volume(tmp_path / "volume.raw", fill)
    edited = Edited(path)
    edited.editor.delete_file("file with a number 020")
    assert edited.apply() <= 4096 + 1024 + 512 + 1024
    edited.close()


# -- volumes that Windows made ------------------------------------------------------------------------------------


def unpacked(name: str, target: Path) -> Path:
    """The volume of a real sample, as a sparse file of its own."""
    if name.endswith(".tar"):
        folder = os.environ.get("VDISKKIT_REAL_SAMPLES")
        if not folder or not (Path(folder) / f"{name}.xz").exists():
            pytest.skip(f"no real sample {name}")
        done = subprocess.run(
            ["tar", "-xJSf", str(Path(folder) / f"{name}.xz"), "-C", str(target.parent)],
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return (target.parent / "ntfs.img").rename(target)
    target.write_bytes(real_sample(name))
    with FileSource(str(target)) as source:
        partition = read_partitions(source, 512).partitions[0]
    if partition.offset or partition.size < target.stat().st_size:
        data = target.read_bytes()
        target.write_bytes(data[partition.offset : partition.offset + partition.size])
    return target


def user_files(volume: NtfsVolume, folder: str = "\\") -> Iterator[str]:
    for entry in volume.listdir(folder):
        if entry.record_number < 24 or entry.path.startswith("$Extend"):
            continue
        if entry.is_directory:
            yield from user_files(volume, entry.path)
        else:
            yield entry.path


@pytest.mark.real
@pytest.mark.parametrize(
    "name",
    [
        "ntfs/np_formatted_on_windows.img.tar",
        "ntfs/np_1k_cluster_fsck_error.img.tar",
        "ntfs/dfir_ntfs_index.raw",
        "ntfs/dfir_ntfs3.raw",
        "ntfs/dissect_ntfs.bin",
    ],
)
def test_volumes_that_windows_made(tmp_path: Path, name: str) -> None:
    path = unpacked(name, tmp_path / "volume.raw")
    faults_before = strict_complaints(path)
    edited = Edited(path, now=NOW)
    known = check_volume(edited.staged)
    files = sorted(user_files(edited.editor.volume))
    random.Random(1).shuffle(files)  # noqa: S311 - wanted: the same every time
    gone = files[: len(files) * 2 // 3]
    for file in gone:
        edited.editor.delete_file(file)
    grown = 0
    for file in files[len(gone) :][:20]:
        try:
            stream = edited.editor.open_stream(file)
            stream.grow(stream.size + 50_000)
            stream.write_at(stream.size - 10, b"0123456789", Phase.DATA)
            grown += 1
        except WriteRefusedError as refusal:
            assert any(word in refusal.message for word in ("compressed", "sparse")), refusal.message  # noqa: PT017
    assert grown
    assert check_touched(edited.staged, edited.editor.touched) == []
    assert [problem for problem in check_volume(edited.staged) if problem not in known] == []
    edited.apply()
    after = strict_complaints(path, edited.before)
    edited.close()
    assert [line for line in after if line not in faults_before] == []
    with mounted(path) as root:
        names = set(contents(root))
        assert not names & {file.replace("\\", "/") for file in gone}
        (root / "written later").write_bytes(noise(1, 100_000))
    assert [line for line in strict_complaints(path) if line not in faults_before] == []

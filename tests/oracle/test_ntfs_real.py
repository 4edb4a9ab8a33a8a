"""Volumes made by Windows and by other projects, from the folder named by VDISKKIT_REAL_SAMPLES."""

from __future__ import annotations

import hashlib
import lzma
import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from vdiskkit.errors import CorruptStructureError, FileMissingError, UnsupportedFeatureError
from vdiskkit.io import FileSource, GuardedSource, PageCache, ReadBudget, SourceFile
from vdiskkit.ntfs import NtfsFile, NtfsVolume, probe
from vdiskkit.partition import read_partitions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.io import ByteSource

pytestmark = [pytest.mark.real, pytest.mark.oracle]

# name -> (offset of the volume, files and folders in it, log state)
SAMPLES = {
    "dissect_ntfs.bin": (0, 2081, "clean"),
    "dissect_ntfs-cloud.bin": (0, 43, "unclean"),
    "dfir_ntfs3.raw": (0, 17, "empty"),
    "dfir_ntfs_index.raw": (65536, 57, "clean"),
    "np_1k_cluster_fsck_error.img.tar": (0, 404, "damaged"),  # 0xFF at the start only
    "np_formatted_on_windows.img.tar": (0, 26, "empty"),
}
CHUNK = 1 << 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if "VDISKKIT_REAL_SAMPLES" not in os.environ:
        pytest.skip("VDISKKIT_REAL_SAMPLES is not set")
    return tmp_path_factory.mktemp("real")


def unpacked(name: str, folder: Path) -> Path:
    """The sample on disk, holes kept: some are tens of GiB of nothing."""
    target = folder / name
    packed = Path(os.environ["VDISKKIT_REAL_SAMPLES"]) / "ntfs" / f"{name}.xz"
    if not packed.exists():
        pytest.skip(f"{packed.name} is not among the real samples")
    if target.exists():
        return target
    with lzma.open(packed) as stream:
        if name.endswith(".tar"):
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                member = next(iter(archive))
                assert member.name == "ntfs.img" or member.isfile()
                archive.extract(member, folder / "tar", filter="data")
            (folder / "tar" / member.name).rename(target)
            return target
        with target.open("wb") as out:
            while part := stream.read(CHUNK):
                if part.count(0) == len(part):
                    out.seek(len(part), os.SEEK_CUR)
                else:
                    out.write(part)
            out.truncate(out.tell())
    return target


def walk(volume: NtfsVolume, folder: NtfsFile) -> Iterator[NtfsFile]:
    for entry in volume.listdir(folder):
        found = entry.open()
        yield found
        if found.is_directory and not found.is_link:
            yield from walk(volume, found)


def digest(source: Any) -> str:
    hashed = hashlib.sha256()
    left = min(source.size, CHUNK)
    offset = 0
    while offset < left:
        part = source.read_at(offset, min(CHUNK, left - offset))
        hashed.update(part)
        offset += len(part)
    return hashed.hexdigest()


@pytest.mark.parametrize("name", SAMPLES)
def test_every_file_of_a_real_volume(name: str, folder: Path) -> None:
    from dissect.ntfs import NTFS

    offset, count, log = SAMPLES[name]
    with FileSource(str(unpacked(name, folder))) as file:
        disk: ByteSource = GuardedSource(PageCache(file), ReadBudget(1 << 30, 1_000_000))
        partition = read_partitions(disk).partitions[0]
        assert partition.offset == offset
        source = partition.open(disk)
        assert probe(source) == "ntfs"
        volume = NtfsVolume(source)
        assert volume.state().log.state == log
        reader = NTFS(SourceFile(source))
        seen = 0
        for found in walk(volume, volume.root):
            seen += 1
            record = reader.mft.get(found.record_number)
            found.facts()
            for stream in found.streams():
                assert record.size(stream.name) == stream.size
                try:
                    opened = found.open(stream.name)
                except UnsupportedFeatureError:
                    assert "reparse" in found.storage
                    continue
                theirs = record.open(stream.name)
                ours = digest(opened)
                hashed = hashlib.sha256(theirs.read(min(stream.size, CHUNK))).hexdigest()
                # Behind the initialized size dissect hands out what is on the disk.
                if getattr(opened, "initialized_size", stream.size) == stream.size:
                    assert ours == hashed, (found.path, stream.name)
        assert seen == count
        assert volume.notices == ()


def test_cloud_files(folder: Path) -> None:
    with FileSource(str(unpacked("dissect_ntfs-cloud.bin", folder))) as file:
        volume = NtfsVolume(PageCache(file))
        cloud = [found for found in walk(volume, volume.root) if found.reparse is not None and found.reparse.is_cloud]
        assert cloud
        for found in cloud:
            if found.is_directory:
                with pytest.raises(FileMissingError):
                    found.open()
            elif "sparse" in found.storage or found.attributes & 0x441000:
                with pytest.raises(UnsupportedFeatureError, match="cloud file"):
                    found.open()
            else:
                assert found.open().size == found.size


def test_a_damaged_root_index_is_told_and_the_rest_listed(folder: Path) -> None:
    with FileSource(str(unpacked("np_entry_length_corrupted.img.tar", folder))) as file:
        disk = GuardedSource(PageCache(file), ReadBudget(1 << 30, 1_000_000))
        volume = NtfsVolume(disk)
        assert volume.facts().ntfs_version == "3.1"
        assert sum(1 for _ in walk(volume, volume.root)) == 4452
        assert [notice.code for notice in volume.notices] == ["ntfs.index_damaged"]
        assert "0xefef bytes" in volume.notices[0].message
        with pytest.raises(CorruptStructureError, match="0xefef bytes"):
            volume.lookup("$Secure")

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.build import scenario
from tests.build.vhd import KIB, MIB, build_vhd, noise
from tests.lacks import needs_size_limit
from vdiskkit.container import open_container
from vdiskkit.errors import JournalPendingError, PatchError, SourceError, UsageError
from vdiskkit.io import FileSource
from vdiskkit.journal import journal_path
from vdiskkit.patch.copying import copy_disk, side_car_path


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk.vhd"
    path.write_bytes(build_vhd("dynamic", 4 * MIB, 512 * KIB, {0: noise(700 * KIB)}))
    (tmp_path / "disk.pvp").write_bytes(noise(4608, 2))
    (tmp_path / "disk.lok").write_bytes(b"lock")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    return path


def unique_id(path: Path) -> str:
    with FileSource(str(path)) as source:
        return open_container(source, path=str(path)).unique_id


def test_a_pair_is_copied_byte_by_byte_under_new_times(disk: Path) -> None:
    new = disk.with_name("copy.vhd")
    parts: list[tuple[int, int]] = []
    copied = copy_disk(str(disk), str(new), lambda done, total: parts.append((done, total)))
    assert new.read_bytes() == disk.read_bytes()
    assert unique_id(new) == unique_id(disk)
    assert (new.parent / "copy.pvp").read_bytes() == noise(4608, 2)
    assert copied[:2] == (str(new), str(new.with_suffix(".pvp")))
    assert new.stat().st_mtime > disk.stat().st_mtime + 1000
    assert sorted(path.name for path in disk.parent.iterdir()) == [
        "copy.pvp", "copy.vhd", "disk.lok", "disk.pvp", "disk.vhd",
    ]  # fmt: skip
    assert parts[0] == (0, parts[-1][1])
    assert parts[-1][0] == parts[-1][1] > 700 * KIB
    assert parts == sorted(parts)


def test_a_disk_without_a_side_car_is_copied_alone(disk: Path) -> None:
    disk.with_suffix(".pvp").unlink()
    copied = copy_disk(str(disk), str(disk.with_name("copy.vhd")))
    assert copied.side_car is None
    assert not disk.with_name("copy.pvp").exists()


@pytest.mark.thorough
def test_the_side_car_of_a_version_has_its_number(tmp_path: Path) -> None:
    path = scenario.chain(tmp_path)
    new = tmp_path / "other.7.avhd"
    copied = copy_disk(str(path), str(new))
    assert copied.side_car == str(tmp_path / "other.7.pvp")
    assert new.read_bytes() == path.read_bytes()
    assert Path(side_car_path("x/disk.img")) == Path("x/disk.pvp")


def test_holes_and_zeros_take_no_space(tmp_path: Path) -> None:
    path, new = tmp_path / "disk.img", tmp_path / "copy.img"
    with path.open("wb") as file:
        file.write(noise(100 * KIB))
        file.write(bytes(8 * MIB))  # zeros that are stored
        file.seek(3 * 1024 * MIB)  # and a hole
        file.write(noise(10))
        file.truncate(3 * 1024 * MIB + 5 * MIB + 3)
    copied = copy_disk(str(path), str(new))
    assert new.stat().st_size == path.stat().st_size
    assert copied.bytes_written < 400 * KIB
    with path.open("rb") as one, new.open("rb") as two:
        for at in (0, 8 * MIB, 1024 * MIB, 3 * 1024 * MIB - 100, 3 * 1024 * MIB + 4 * MIB):
            one.seek(at)
            two.seek(at)
            assert one.read(2 * MIB) == two.read(2 * MIB)
    if sys.platform == "linux":
        assert new.stat().st_blocks * 512 < 2 * MIB


@pytest.mark.parametrize("taken", ["copy.vhd", "copy.pvp"])
def test_nothing_is_replaced(disk: Path, taken: str) -> None:
    disk.with_name(taken).write_bytes(b"mine")
    with pytest.raises(UsageError, match="never replaces") as caught:
        copy_disk(str(disk), str(disk.with_name("copy.vhd")))
    assert Path(str(caught.value.location)).name == taken
    assert disk.with_name(taken).read_bytes() == b"mine"
    assert len(list(disk.parent.glob("copy.*"))) == 1


def test_a_disk_is_not_copied_onto_itself(disk: Path) -> None:
    before = disk.read_bytes()
    with pytest.raises(UsageError):
        copy_disk(str(disk), str(disk))
    assert disk.read_bytes() == before


@pytest.mark.parametrize("kind", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("calls", [1, 2, 3])
def test_what_was_begun_is_removed(disk: Path, kind: type[BaseException], calls: int) -> None:
    left = [calls]

    def stop(_done: int, _total: int) -> None:
        left[0] -= 1
        if not left[0]:
            raise kind

    before = set(disk.parent.iterdir())
    with pytest.raises(kind):
        copy_disk(str(disk), str(disk.with_name("copy.vhd")), stop)
    assert set(disk.parent.iterdir()) == before


@needs_size_limit
def test_a_write_error_is_told_and_the_rest_removed(disk: Path) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = set(disk.parent.iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (300 * KIB, hard))
    try:
        with pytest.raises(PatchError, match="cannot be written") as caught:
            copy_disk(str(disk), str(disk.with_name("copy.vhd")))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.hint
    assert set(disk.parent.iterdir()) == before


def test_a_disk_that_changes_its_length_meanwhile_is_told(disk: Path) -> None:
    def grow(done: int, _total: int) -> None:
        if done:
            with disk.open("ab") as file:
                file.write(b"more")

    with pytest.raises(SourceError, match="changed its length"):
        copy_disk(str(disk), str(disk.with_name("copy.vhd")), grow)
    assert not disk.with_name("copy.vhd").exists()


def test_a_missing_disk_and_a_missing_folder_are_told(disk: Path) -> None:
    with pytest.raises(SourceError):
        copy_disk(str(disk.with_name("none.vhd")), str(disk.with_name("copy.vhd")))
    with pytest.raises(PatchError):
        copy_disk(str(disk), str(disk.parent / "nowhere" / "copy.vhd"))


def test_a_disk_with_a_pending_change_is_not_copied(disk: Path) -> None:
    from uuid import uuid4

    from vdiskkit.journal import Journal, JournalFile, JournalState, build_body, build_state

    journal = Journal(uuid4(), JournalState.ARMED, {}, (JournalFile("disk.vhd", 1, 1, 0),), (), (), ())
    header, body = build_body(journal)
    Path(journal_path(str(disk))).write_bytes(header + build_state(JournalState.ARMED) + body)
    with pytest.raises(JournalPendingError):
        copy_disk(str(disk), str(disk.with_name("copy.vhd")))
    assert not disk.with_name("copy.vhd").exists()

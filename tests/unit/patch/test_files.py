from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.lacks import needs_size_limit
from vdiskkit.errors import InUseError, PatchError, SourceError
from vdiskkit.io import FileSource
from vdiskkit.journal import journal_path
from vdiskkit.patch.files import RealFileSystem, close_quietly, closed_quietly
from vdiskkit.patch.staging import Phase, StagedFile
from vdiskkit.patch.transaction import FileEdit, Transaction

if TYPE_CHECKING:
    from pathlib import Path

SYSTEM = RealFileSystem()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "disk.vhd"
    found.write_bytes(b"0123456789")
    return found


def test_files_are_read_written_resized(path: Path) -> None:
    with closed_quietly(SYSTEM.open(str(path))) as file:
        assert (file.size(), file.read_at(3, 4), file.read_at(8, 10), file.read_at(20, 5)) == (10, b"3456", b"89", b"")
        file.write_at(2, b"xy")
        file.resize(12)
        file.flush()
        assert file.read_at(0, 20) == b"01xy456789\0\0"
        file.resize(3)
    assert path.read_bytes() == b"01x"
    assert SYSTEM.stamp(str(path)) == (3, path.stat().st_mtime_ns)


def test_names(path: Path) -> None:
    new = str(path.with_name("new"))
    close_quietly([SYSTEM.create(new)])
    with pytest.raises(FileExistsError):
        SYSTEM.create(new)
    if sys.platform != "win32":
        assert os.stat(new).st_mode & 0o777 == 0o600  # noqa: PTH116 - as the file system does it
    assert sorted(SYSTEM.names(str(path.parent))) == ["disk.vhd", "new"]
    SYSTEM.rename(new, new + "er")
    SYSTEM.flush_folder(new)
    assert (SYSTEM.exists(new), SYSTEM.exists(new + "er")) == (False, True)
    SYSTEM.remove(new + "er")
    assert not SYSTEM.exists(new + "er")
    assert (SYSTEM.free_space(new) or 0) > 0
    assert SYSTEM.free_space(str(path.parent / "nowhere" / "x")) is None


def test_a_file_is_changed_by_one_at_a_time(path: Path) -> None:
    with closed_quietly(SYSTEM.open(str(path))):
        with pytest.raises(InUseError, match="another program holds the file open") as caught:
            SYSTEM.open(str(path))
        assert caught.value.hint
    close_quietly([SYSTEM.open(str(path))])


def test_a_missing_file_is_told(path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be opened for writing") as caught:
        SYSTEM.open(str(path.with_name("none")))
    assert caught.value.hint


def test_closing_twice_or_in_vain_raises_nothing(path: Path) -> None:
    file = SYSTEM.open(str(path))
    close_quietly([file])
    close_quietly([file])


@needs_size_limit
def test_a_disk_that_cannot_grow_is_as_before(path: Path) -> None:
    import resource

    old = bytes(range(256)) * 16
    path.write_bytes(old)
    with FileSource(str(path)) as source:
        staged = StagedFile(source)
        staged.extend(1 << 20)
        staged.write_at(0, b"new", Phase.LINK)
        staged.write_at(500_000, b"new" * 9, Phase.DATA)
        edit = FileEdit(str(path), staged.changes(), staged.original_size, staged.size)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(PatchError, match="rolled back") as caught:
            Transaction([edit], {}, change_id=uuid4(), system=SYSTEM).run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.exit_code == 6
    assert path.read_bytes() == old
    assert not SYSTEM.exists(journal_path(str(path)))

"""A reader that began before a change says so, and gives no answer that is of two states."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

import vdiskkit
from tests.build import scenario
from tests.lacks import needs_posix_sharing
from vdiskkit.errors import InUseError
from vdiskkit.io import FileSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vdiskkit import VDisk

CHANGED = "the file was changed while it was read"


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    return scenario.make("win10-private-mak", tmp_path)


def touch(path: Path) -> None:
    """Write what is there already: what counts is that somebody wrote."""
    status = path.stat()
    with path.open("r+b") as file:
        byte = file.read(1)
        file.seek(0)
        file.write(byte)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


@needs_posix_sharing
class TestSource:
    def test_each_read_asks(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_bytes(b"0123")
        with FileSource(str(path), steady=True) as steady, FileSource(str(path)) as any_state:
            assert steady.read_at(0, 2) == b"01"
            touch(path)
            with pytest.raises(InUseError, match=CHANGED) as caught:
                steady.read_at(2, 2)
            assert caught.value.hint == (
                "what was read is of no one state; run the command again when the change has ended"
            )
            assert caught.value.exit_code == 4
            assert any_state.read_at(2, 2) == b"23"

    def test_a_file_that_was_cut_counts_as_changed(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_bytes(b"0123")
        with FileSource(str(path), steady=True) as source:
            path.write_bytes(b"01")
            with pytest.raises(InUseError, match=CHANGED):
                source.read_at(0, 4)


def changed_within(disk: Path, *steps: Callable[[VDisk], object]) -> InUseError:
    """Take steps with an opened disk, which are to end with the error that it was changed."""

    def take() -> None:
        with vdiskkit.open_vdisk(disk) as opened:
            for step in steps:
                step(opened)

    with pytest.raises(InUseError) as caught:
        take()
    return caught.value


@needs_posix_sharing
class TestDisk:
    @pytest.mark.parametrize(
        "after",
        [
            lambda opened: opened.windows.registry("SYSTEM").key("Select"),
            lambda opened: opened.inspect(),
            lambda _opened: None,  # an answer from memory is judged at the end
        ],
    )
    def test_no_answer_is_of_two_states(self, disk: Path, after: Callable[[VDisk], object]) -> None:
        error = changed_within(
            disk,
            lambda opened: opened.windows.registry("SOFTWARE").key("Microsoft"),
            lambda _opened: touch(disk),
            after,
        )
        assert (error.message, str(error.location).partition(" ")[0]) == (CHANGED, str(disk))

    def test_an_inspection_fails_as_a_whole(self, disk: Path) -> None:
        """Part by part, what cannot be read is a notice; not so when nothing can be read any more."""
        opened = vdiskkit.open_vdisk(disk)
        assert opened.selected is not None
        touch(disk)
        with pytest.raises(InUseError, match=CHANGED):
            opened.inspect()
        opened.close()

    def test_another_error_is_told_as_it_is(self, disk: Path) -> None:
        def fail(_opened: VDisk) -> None:
            raise InUseError("another")

        assert changed_within(disk, lambda _opened: touch(disk), fail).message == "another"

    def test_a_change_that_has_begun_is_told(self, disk: Path) -> None:
        journal = disk.with_name(f"{disk.name}.vdiskkit-journal")
        error = changed_within(disk, lambda opened: opened.inspect(), lambda _opened: journal.touch())
        assert (error.message, str(error.location)) == (
            "a change of the disk began while it was read",
            str(journal),
        )
        assert error.hint
        with vdiskkit.open_vdisk(disk) as opened:
            assert opened.inspect()  # it was there before

    def test_a_parent_that_is_changed(self, tmp_path: Path) -> None:
        child = scenario.make("desk10", tmp_path)
        base = tmp_path / "desk10.vhd"
        error = changed_within(child, lambda _opened: touch(base), lambda opened: opened.inspect())
        assert (error.message, str(error.location)) == (CHANGED, str(base))


def test_a_closed_disk_and_a_file_object_are_not_asked(disk: Path) -> None:
    opened = vdiskkit.open_vdisk(disk)
    opened.close()
    touch(disk)
    opened.check_unchanged()
    with disk.open("rb") as stream, vdiskkit.open_vdisk(stream) as other:
        assert other.container.size

"""What comes from outside in the middle of a change: signals, errors of the system, names that are too long."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path
from uuid import uuid4

import pytest

from tests.lacks import needs_interrupts
from tests.unit.patch.plain import OLD, edit, interrupt, run
from vdiskkit.errors import PatchError, WriteRefusedError
from vdiskkit.io import opening
from vdiskkit.journal import undo_paths
from vdiskkit.patch.files import RealFileSystem
from vdiskkit.patch.history import RecoveryAction, recover, undo
from vdiskkit.patch.staging import Phase
from vdiskkit.patch.transaction import Transaction


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk.vhd"
    path.write_bytes(OLD)
    return path


@needs_interrupts
class TestSignals:
    @pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
    def test_before_the_change_is_complete_it_is_rolled_back(self, disk: Path, name: str) -> None:
        before = signal.getsignal(getattr(signal, name))
        with pytest.raises(KeyboardInterrupt):
            run(edit(disk, (0, b"new", Phase.LINK)), verify=lambda _files: signal.raise_signal(getattr(signal, name)))
        assert disk.read_bytes() == OLD
        assert list(disk.parent.iterdir()) == [disk]
        assert signal.getsignal(getattr(signal, name)) is before

    @pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
    def test_afterwards_it_comes_to_its_end(self, disk: Path, name: str) -> None:
        class Interrupted(RealFileSystem):
            def rename(self, path: str, new_path: str) -> None:
                signal.raise_signal(getattr(signal, name))
                super().rename(path, new_path)

        planned = edit(disk, (0, b"new", Phase.LINK))
        kept = Transaction([planned], {}, change_id=uuid4(), system=Interrupted()).run()
        assert undo_paths(str(disk)) == [kept]
        undo(str(disk))
        assert disk.read_bytes() == OLD

    def test_a_second_one_does_not_end_the_rolling_back(self, disk: Path) -> None:
        class Impatient(RealFileSystem):
            def remove(self, path: str) -> None:
                signal.raise_signal(signal.SIGINT)
                super().remove(path)

        def fail(_files: object) -> None:
            raise OSError(errno.EIO, "Input/output error")

        planned = edit(disk, (0, b"new", Phase.LINK))
        with pytest.raises(PatchError, match="rolled back"):
            Transaction([planned], {}, change_id=uuid4(), system=Impatient(), verify=fail).run()
        assert list(disk.parent.iterdir()) == [disk]
        assert disk.read_bytes() == OLD

    def test_what_the_program_arranged_itself_stays(self, disk: Path) -> None:
        met: list[int] = []
        before = signal.signal(signal.SIGTERM, lambda number, _frame: met.append(number))
        try:
            run(edit(disk, (0, b"new", Phase.LINK)), verify=lambda _files: signal.raise_signal(signal.SIGTERM))
        finally:
            signal.signal(signal.SIGTERM, before)
        assert met == [signal.SIGTERM]
        assert disk.read_bytes() != OLD


class TestErrors:
    @pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC, errno.EACCES])
    def test_in_recovery(self, disk: Path, error: int) -> None:
        class Failing(RealFileSystem):
            def remove(self, path: str) -> None:
                raise OSError(error, os.strerror(error), path)

        interrupt(disk, edit(disk, (0, b"new", Phase.LINK)))
        journal = f"{disk}.vdiskkit-journal"
        with pytest.raises(PatchError, match=f"recovery failed: {os.strerror(error)}") as caught:
            recover(str(disk), system=Failing())
        assert caught.value.hint == "the journal is kept; mend the cause, then run `recover` on the disk again"
        assert (caught.value.exit_code, str(caught.value.location), Path(journal).exists()) == (6, journal, True)
        assert recover(str(disk)).action in {RecoveryAction.DISCARDED, RecoveryAction.ROLLED_BACK}
        assert disk.read_bytes() == OLD

    def test_in_undo(self, disk: Path) -> None:
        class Failing(RealFileSystem):
            def stamp(self, path: str) -> tuple[int, int]:
                raise OSError(errno.EIO, os.strerror(errno.EIO), path)

        run(edit(disk, (0, b"new", Phase.LINK)))
        new = disk.read_bytes()
        with pytest.raises(PatchError, match=f"nothing was taken back: {os.strerror(errno.EIO)}") as caught:
            undo(str(disk), system=Failing())
        assert caught.value.hint == "the files are as they were; mend the cause and try again"
        assert disk.read_bytes() == new


@pytest.mark.skipif(os.name == "nt", reason="folders are not flushed on Windows")
def test_a_folder_that_cannot_be_flushed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(error: int) -> None:
        def fsync(_descriptor: int) -> None:
            raise OSError(error, os.strerror(error))

        monkeypatch.setattr(os, "fsync", fsync)

    for error in (errno.EINVAL, errno.ENOTSUP):
        failing(error)
        opening.flush_folder(str(tmp_path))
    for error in (errno.EIO, errno.ENOSPC):
        failing(error)
        with pytest.raises(OSError, match=os.strerror(error)):
            opening.flush_folder(str(tmp_path))


def test_a_name_that_leaves_no_room_for_the_journals_is_refused(tmp_path: Path) -> None:
    for length, keep in ((237, True), (236, True), (235, True), (239, False)):
        disk = tmp_path / ("n" * (length - 4) + ".vhd")
        disk.write_bytes(OLD)
        planned = edit(disk, (0, b"new", Phase.LINK))
        if length + len(".vdiskkit-undo-0001" if keep else ".vdiskkit-journal") <= 255:
            run(planned, keep=keep)
            undo(str(disk))
        else:
            with pytest.raises(WriteRefusedError, match="the name of the disk is too long: its journal could not"):
                run(planned, keep=keep)
        assert disk.read_bytes() == OLD
        assert list(tmp_path.iterdir()) == [disk]
        disk.unlink()

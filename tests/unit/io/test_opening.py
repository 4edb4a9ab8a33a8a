"""Files are opened so that nobody is in anybody's way who need not be."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from vdiskkit.errors import InUseError, SourceError
from vdiskkit.io import FileSource, opening
from vdiskkit.patch.files import RealFileSystem

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

on_windows = pytest.mark.skipif(os.name != "nt", reason="share modes exist on Windows only")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "disk.vhd"
    found.write_bytes(b"0123456789")
    return found


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes in folders")
@pytest.mark.parametrize("open_it", [opening.open_shared, opening.open_alone])
def test_a_named_pipe_is_refused_at_once(tmp_path: Path, open_it: Callable[[str], int]) -> None:
    pipe = tmp_path / "disk.vhd"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="a device or a named pipe, not a file"):
        open_it(str(pipe))
    with pytest.raises(SourceError, match="cannot be opened: it is a device or a named pipe"):
        FileSource(str(pipe))


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="this system has no devices in folders")  # noqa: PTH110
def test_a_device_is_refused() -> None:
    with pytest.raises(SourceError, match="a device or a named pipe, not a file"):
        FileSource("/dev/null")


def test_a_folder_is_called_one(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="a directory, not a file"):
        FileSource(str(tmp_path))


def test_whoever_reads_is_in_nobodys_way(path: Path) -> None:
    with FileSource(str(path)) as source:
        file = RealFileSystem().open(str(path), readers=True)
        file.write_at(0, b"abc")
        file.close()
        opening.rename(str(path), str(path) + "2")
        opening.remove(str(path) + "2")
        assert source.read_at(0, 4) == b"abc3"
    assert not path.exists()


def test_nobody_writes_to_what_is_being_changed(path: Path) -> None:
    system = RealFileSystem()
    file = system.open(str(path))
    with pytest.raises(InUseError, match="another program holds the file open") as caught:
        system.open(str(path))
    assert caught.value.hint
    file.close()
    system.open(str(path)).close()


@on_windows
def test_nobody_reads_what_is_being_changed(path: Path) -> None:
    file = RealFileSystem().open(str(path))
    with pytest.raises(InUseError, match="holds the file open and lets nobody else read it") as caught:
        FileSource(str(path))
    assert caught.value.exit_code == 4
    assert caught.value.hint
    file.close()
    FileSource(str(path)).close()


@on_windows
def test_what_anybody_reads_is_not_changed(path: Path) -> None:
    with open(path, "rb"), pytest.raises(InUseError, match="another program holds the file open"):  # noqa: PTH123
        RealFileSystem().open(str(path))


@on_windows
def test_a_file_that_somebody_keeps_open_is_renamed_once_that_ends(path: Path) -> None:
    """As with a virus scanner: Python's own ``open`` shares neither renaming nor removal."""
    import threading

    other = open(path, "rb")  # noqa: PTH123, SIM115 - closed by the timer
    timer = threading.Timer(0.3, other.close)
    timer.start()
    opening.rename(str(path), str(path) + "2")
    timer.join()
    assert not path.exists()
    with open(str(path) + "2", "rb"), pytest.raises(PermissionError):  # noqa: PTH123
        opening.remove(str(path) + "2")


def test_a_private_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    os.close(opening.create_private(str(path)))
    with pytest.raises(FileExistsError):
        opening.create_private(str(path))
    if os.name != "nt":
        assert path.stat().st_mode & 0o777 == 0o600
        return
    import ctypes

    api, descriptor, text = ctypes.WinDLL("advapi32"), ctypes.c_void_p(), ctypes.c_wchar_p()
    dacl = 4
    assert not api.GetNamedSecurityInfoW(str(path), 1, dacl, None, None, None, None, ctypes.byref(descriptor))
    assert api.ConvertSecurityDescriptorToStringSecurityDescriptorW(descriptor, 1, dacl, ctypes.byref(text), None)
    assert text.value is not None
    assert text.value.startswith("D:")
    assert ";;WD)" not in text.value  # everyone
    assert ";;BU)" not in text.value  # users

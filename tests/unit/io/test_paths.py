"""Which paths are accepted, in which form they are opened, and how wildcards expand."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from vdiskkit.errors import SourceError, UsageError
from vdiskkit.io.paths import LONG_PATH_FROM, expand, host_path, open_source

if TYPE_CHECKING:
    from pathlib import Path

LONG = "x" * LONG_PATH_FROM


@pytest.mark.parametrize(
    ("path", "opened"),
    [
        (r"C:\store\win.vhd", r"C:\store\win.vhd"),
        ("C:/store/win.vhd", "C:/store/win.vhd"),
        (r"\\pvs01\store$\win.vhd", r"\\pvs01\store$\win.vhd"),
        (r"\\?\C:\store\win.vhd", r"\\?\C:\store\win.vhd"),
        (r"\\?\UNC\pvs01\store\win.vhd", r"\\?\UNC\pvs01\store\win.vhd"),
        ("//?/C:/store/win.vhd", r"\\?\C:\store\win.vhd"),
        (
            r"\\?\Volume{0b1c6a3e-0000-0000-0000-100000000000}\win.vhd",
            r"\\?\Volume{0b1c6a3e-0000-0000-0000-100000000000}\win.vhd",
        ),
        (rf"C:\store\{LONG}.vhd", rf"\\?\C:\store\{LONG}.vhd"),
        (f"C:/store/{LONG}.vhd", rf"\\?\C:\store\{LONG}.vhd"),
        (rf"C:\store\..\{LONG}.vhd", rf"\\?\C:\{LONG}.vhd"),
        (rf"\\pvs01\store$\{LONG}.vhd", rf"\\?\UNC\pvs01\store$\{LONG}.vhd"),
        (f"//pvs01/store$/{LONG}.vhd", rf"\\?\UNC\pvs01\store$\{LONG}.vhd"),
        (rf"\\?\C:\{LONG}.vhd", rf"\\?\C:\{LONG}.vhd"),
    ],
)
def test_windows_gets_the_form_it_can_open(path: str, opened: str) -> None:
    assert host_path(path, windows=True) == (path, opened)


def test_other_systems_get_the_path_as_it_is() -> None:
    assert host_path(f"/store/{LONG}.vhd", windows=False).opened == f"/store/{LONG}.vhd"


@pytest.mark.parametrize("windows", [True, False])
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "empty"),
        ("a\0b", "NUL"),
        ("C:win.vhd", "relative to the current folder of a drive"),
        ("c:", "relative to the current folder of a drive"),
        (r"\\.\PhysicalDrive0", "devices"),
        ("//./PhysicalDrive0", "devices"),
        (r"\\.", "devices"),
        (r"\\?\PhysicalDrive0", "devices"),
        (r"\\?\GLOBALROOT\Device\Harddisk0\DR0", "devices"),
        (r"\\?\C:", "devices"),
    ],
)
def test_what_names_no_file_is_refused_with_a_hint(path: str, message: str, windows: bool) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        host_path(path, windows=windows)
    assert caught.value.exit_code == 2
    assert caught.value.hint


@pytest.mark.skipif(os.name == "nt", reason="Windows opens these")
@pytest.mark.parametrize("path", [r"\\pvs01\store\win.vhd", r"C:\store\win.vhd", r"\\?\C:\store\win.vhd"])
def test_a_windows_path_elsewhere_says_so(path: str) -> None:
    with pytest.raises(SourceError, match="on Windows only") as caught:
        open_source(path)
    assert caught.value.hint
    assert "mount" in caught.value.hint


def test_open_source_reads_and_names_the_file_as_given(tmp_path: Path) -> None:
    path = tmp_path / "a.vhd"
    path.write_bytes(b"0123")
    with open_source(path) as source:
        assert source.read_at(1, 2) == b"12"
        assert source.location.path == str(path)


def test_wildcards_find_files_in_order_and_leave_plain_paths_alone(tmp_path: Path) -> None:
    for name in ("b.vhd", "a.vhd", "a.pvp", "deep/er/c.vhd"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.vhd").mkdir()
    flat = expand([str(tmp_path / "*.vhd"), "missing.vhd"])
    assert flat == [str(tmp_path / "a.vhd"), str(tmp_path / "b.vhd"), "missing.vhd"]
    deep = expand([str(tmp_path / "**" / "*.vhd")])
    assert deep == [str(tmp_path / name) for name in ("a.vhd", "b.vhd", "deep/er/c.vhd")]
    assert expand([str(tmp_path / "?.pvp")]) == [str(tmp_path / "a.pvp")]


def test_square_brackets_are_no_pattern(tmp_path: Path) -> None:
    (tmp_path / "win[1].vhd").write_bytes(b"")
    assert expand([str(tmp_path / "win[1]*")]) == [str(tmp_path / "win[1].vhd")]
    with pytest.raises(SourceError, match="no file matches"):
        expand([str(tmp_path / "win[0-9]*.avhd")])


@pytest.mark.skipif(os.name == "nt", reason="such names do not exist there")
def test_a_file_with_a_star_in_its_name_is_found(tmp_path: Path) -> None:
    for name in ("a*.vhd", "ab.vhd"):
        (tmp_path / name).write_bytes(b"")
    assert expand([str(tmp_path / "a*.vhd")]) == [str(tmp_path / "a*.vhd")]

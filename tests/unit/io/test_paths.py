"""Which paths are accepted, in which form they are opened, and how wildcards expand."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.lacks import needs_posix_names
from vdiskkit.errors import SourceError, UsageError
from vdiskkit.io.paths import LONG_PATH_FROM, expand, fits, host_path, is_there, names_in, open_source, real_path

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
        (r"\\.\PhysicalDrive0", "this is a device"),
        ("//./PhysicalDrive0", "this is a device"),
        (r"\\.", "this is a device"),
        (r"\\?\PhysicalDrive0", "this is a device"),
        (r"\\?\GLOBALROOT\Device\Harddisk0\DR0", "this is a device"),
        (r"\\?\C:", "this is a device"),
    ],
)
def test_what_names_no_file_is_refused_with_a_hint(path: str, message: str, windows: bool) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        host_path(path, windows=windows)
    assert caught.value.exit_code == 2
    assert caught.value.hint


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("con", "this is a device"),
        (r"C:\store\NUL.vhd", "this is a device"),
        (r"C:\aux\win.vhd", "this is a device"),
        ("com1 .vhd", "this is a device"),
        ("LPT\u00b2", "this is a device"),
        ("conin$", "this is a device"),
        ("win.vhd.", "drops the dot or space at the end of 'win.vhd.'"),
        ("win.vhd ", "drops the dot or space"),
        (r"C:\store. \win.vhd", "drops the dot or space at the end of 'store. '"),
        ("...", "drops the dot or space"),
        ("win.vhd:copy", "names a stream of a file"),
        (r"C:\store\win.vhd::$DATA", "names a stream of a file"),
    ],
)
def test_what_means_another_file_on_windows_is_refused_there(path: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)) as caught:
        host_path(path, windows=True)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    assert host_path(path, windows=False).opened == path


@pytest.mark.parametrize(
    "path",
    [
        "console.vhd",
        "com10.vhd",
        "nul-copy.vhd",
        r"..\win.vhd",
        r".\win.vhd",
        ".win.vhd",
        r"C:\a b\win 10.vhd",
        r"\\?\C:\store\win.vhd.",
        r"\\?\C:\store\con",
        r"\\pvs01\store.\win.vhd",
    ],
)
def test_names_that_only_look_like_it_are_accepted_on_windows(path: str) -> None:
    assert host_path(path, windows=True).opened == path


def test_the_real_path_is_that_behind_a_link(tmp_path: Path) -> None:
    disk = tmp_path / "store" / "win.vhd"
    disk.parent.mkdir()
    disk.write_bytes(b"")
    assert real_path(str(disk)) == str(disk)
    assert real_path(str(tmp_path / "missing.vhd")) == str(tmp_path / "missing.vhd")
    link = tmp_path / "link.vhd"
    try:
        link.symlink_to(disk)
    except OSError:
        pytest.skip("this system lets us make no symbolic links")
    if not link.is_symlink():
        pytest.skip("Wine makes symbolic links that Python does not see")
    assert real_path(str(link)) == str(disk.resolve())
    assert real_path(str(tmp_path / "store" / ".." / "store" / "win.vhd")).endswith("win.vhd")


@pytest.mark.skipif(os.name != "nt", reason="only on Windows a file answers to several names")
def test_the_real_path_has_the_name_of_the_file_itself(tmp_path: Path) -> None:
    import ctypes

    disk = tmp_path / "Desk Image 2023.vhd"
    disk.write_bytes(b"")
    assert real_path(str(tmp_path / "DESK image 2023.VHD")) == str(disk)
    short = ctypes.create_unicode_buffer(300)
    ctypes.WinDLL("kernel32").GetShortPathNameW(str(disk), short, 300)
    assert "~" in short.value
    assert Path(real_path(short.value)).name == disk.name


def test_names_are_listed_and_looked_for_under_long_paths_too(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["x" * 60] * 5)
    Path(host_path(folder).opened).mkdir(parents=True)
    disk = str(folder / "win.vhd")
    assert not is_there(disk)
    Path(host_path(disk).opened).write_bytes(b"1")
    assert is_there(disk)
    assert names_in(str(folder)) == ["win.vhd"]
    assert not is_there(f"{disk}/below")


def test_what_cannot_be_looked_for_is_not_told_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    # The administrator may look everywhere; a share can still refuse.
    monkeypatch.setattr("os.lstat", refuse)
    with pytest.raises(SourceError, match="whether there is a file of this name cannot be found out") as caught:
        is_there("a.vhd")
    assert caught.value.hint


def test_nothing_has_a_name_that_is_too_long() -> None:
    assert not is_there("x" * 5000)


def test_names_that_fit(tmp_path: Path) -> None:
    assert fits(str(tmp_path / ("x" * 255)))
    assert not fits(str(tmp_path / ("x" * 256)))


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


@needs_posix_names
def test_a_file_with_a_star_in_its_name_is_found(tmp_path: Path) -> None:
    for name in ("a*.vhd", "ab.vhd"):
        (tmp_path / name).write_bytes(b"")
    assert expand([str(tmp_path / "a*.vhd")]) == [str(tmp_path / "a*.vhd")]

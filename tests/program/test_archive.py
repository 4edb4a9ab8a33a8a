"""Archives that are given out: the same bytes for the same content, and nothing that cannot run inside."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from tools.release.archive import add_tree, write_zip
from tools.release.program import FIRST_LINE, START, write_program

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.thorough

CONTENT = {"b/deep/x.txt": b"x", "a.txt": b"a" * 100}


@pytest.fixture(autouse=True)
def usual_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    write_zip(tmp_path / "one.zip", CONTENT)
    write_zip(tmp_path / "two.zip", dict(reversed(CONTENT.items())))
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_folders_have_entries_and_all_have_one_time(tmp_path: Path) -> None:
    write_zip(tmp_path / "one.zip", CONTENT)
    with zipfile.ZipFile(tmp_path / "one.zip") as file:
        assert file.namelist() == ["a.txt", "b/", "b/deep/", "b/deep/x.txt"]
        assert {info.date_time for info in file.infolist()} == {(2020, 2, 2, 0, 0, 0)}
        assert file.read("b/deep/x.txt") == b"x"


@pytest.mark.parametrize(("epoch", "year"), [("1796083200", 2026), ("0", 1980)])
def test_the_time_can_be_given(epoch: str, year: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    write_zip(tmp_path / "one.zip", CONTENT)
    with zipfile.ZipFile(tmp_path / "one.zip") as file:
        assert {info.date_time[0] for info in file.infolist()} == {year}


def installed(folder: Path) -> Path:
    """A folder as pip leaves it, with a package that says its version and arguments."""
    files = {
        "vdiskkit/__init__.py": "",
        "vdiskkit/__main__.py": "import sys\nprint('run with', sys.argv[1:])\n",
        "vdiskkit/__pycache__/__init__.cpython-311.pyc": "compiled",
        "vdiskkit-1.dist-info/METADATA": "Name: vdiskkit\nVersion: 1\n",
        "vdiskkit-1.dist-info/RECORD": "of one installation",
        "vdiskkit-1.dist-info/direct_url.json": '{"url": "file:///somewhere"}',
        "bin/vdiskkit": "#!/somewhere/python",
        "single.py": "",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    return folder


def test_a_program_holds_what_was_installed_and_nothing_of_the_place(tmp_path: Path) -> None:
    target = tmp_path / "program.pyz"
    write_program(target, installed(tmp_path / "installed"))
    assert target.read_bytes().startswith(FIRST_LINE.encode())
    with zipfile.ZipFile(target) as file:
        assert [name for name in file.namelist() if not name.endswith("/")] == [
            "__main__.py",
            "single.py",
            "vdiskkit-1.dist-info/METADATA",
            "vdiskkit/__init__.py",
            "vdiskkit/__main__.py",
        ]
    done = subprocess.run([sys.executable, str(target), "a", "b"], capture_output=True, text=True, check=True)
    assert done.stdout == "run with ['a', 'b']\n"


def test_a_program_with_something_native_is_refused(tmp_path: Path) -> None:
    folder = installed(tmp_path / "installed")
    (folder / "vdiskkit" / "fast.abi3.so").write_bytes(b"\x7fELF")
    with pytest.raises(ValueError, match=r"no Python loads these out of an archive: vdiskkit/fast\.abi3\.so"):
        write_program(tmp_path / "program.pyz", folder)


def test_an_old_python_is_told_which_one_is_needed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    with pytest.raises(SystemExit) as stopped:
        exec(compile(START, "__main__.py", "exec"), {})  # noqa: S102 - our own text
    assert stopped.value.code == 2
    assert capsys.readouterr().err == "error: vdiskkit needs Python 3.11 or later, and this is Python 3.9\n"


def test_a_tree_is_added_without_compiled_modules(tmp_path: Path) -> None:
    entries: dict[str, bytes] = {}
    add_tree(entries, installed(tmp_path / "installed") / "vdiskkit", "below")
    assert sorted(entries) == ["below/__init__.py", "below/__main__.py"]
    assert os.sep not in "".join(entries) or os.sep == "/"

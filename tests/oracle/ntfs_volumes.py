"""NTFS volumes that mkntfs and ntfs-3g make on the spot, and the judges of what was changed on them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.oracle.tools import missing, require
from vdiskkit.io import FileSource, PageCache
from vdiskkit.patch.ntfs import VolumeEditor, check_touched, check_volume
from vdiskkit.patch.staging import Phase, StagedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STRICTCHECK = os.environ.get("VDISKKIT_STRICTCHECK", "")
MIB = 1 << 20


@contextlib.contextmanager
def mounted(image: Path, *options: str) -> Iterator[Path]:
    """The volume mounted by ntfs-3g; skips where FUSE cannot be used."""
    require("ntfs-3g")
    if not os.access("/dev/fuse", os.W_OK):
        missing("FUSE")
    with tempfile.TemporaryDirectory() as folder:
        given = ",".join(("streams_interface=xattr", *options))
        done = subprocess.run(["ntfs-3g", str(image), folder, "-o", given], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.fail(f"ntfs-3g does not mount the volume: {done.stderr}")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


def make_volume(
    path: Path, fill: Callable[[Path], None], *mkntfs: str, size: int = 32 * MIB, options: str = ""
) -> Path:
    """A volume with what ``fill`` writes into it."""
    require("mkntfs")
    with path.open("wb") as file:
        file.truncate(size)
    subprocess.run(["mkntfs", "-F", "-q", "-p", "2048", "-H", "255", "-S", "63", *mkntfs, str(path)], check=True)
    with mounted(path, *filter(None, [options])) as root:
        fill(root)
    return path


def contents(root: Path) -> dict[str, str]:
    """Every file of a mounted volume and the hash of what it holds; folders with an empty one."""
    found = {}
    for folder, folders, files in os.walk(root):
        here = Path(folder).relative_to(root)
        for name in folders:
            found[str(here / name)] = ""
        for name in files:
            path = Path(folder) / name
            if path.is_symlink():
                found[str(here / name)] = f"link to {path.readlink()}"
            else:
                found[str(here / name)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


class Edited:
    """A volume in a file, staged; ``apply`` writes the changes into the file, phase by phase."""

    def __init__(self, path: Path, *, now: int | None = None) -> None:
        self.path = path
        self.before = path.with_name(f"before-{path.stem}.raw")
        subprocess.run(["cp", "--sparse=always", str(path), str(self.before)], check=True)
        self._source = FileSource(str(self.before))
        self.staged = StagedFile(PageCache(self._source))
        self.editor = VolumeEditor(self.staged, now=now)

    def apply(self) -> int:
        """Return the bytes that were written."""
        written = 0
        with self.path.open("r+b") as file:
            for change in self.staged.changes():
                assert isinstance(change.phase, Phase)
                file.seek(change.offset)
                file.write(change.after)
                written += len(change.after)
        return written

    def close(self) -> None:
        self._source.close()


def judge(edited: Edited, *, full: bool = True) -> None:
    """Every judge that reads a volume and changes nothing: ours, strictcheck against the volume before, ntfsfix."""
    assert check_touched(edited.staged, edited.editor.touched) == []
    if full:
        assert check_volume(edited.staged) == []
    edited.apply()
    assert strict_complaints(edited.path, edited.before) == []
    done = subprocess.run([require("ntfsfix"), "-n", str(edited.path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout.replace("FAILED\nCorrecting", ""), done.stdout


def strict_complaints(path: Path, before: Path | None = None) -> list[str]:
    """What the strict checker finds: errors and warnings; nothing where it is not named."""
    if not STRICTCHECK:
        return []
    command = [sys.executable, STRICTCHECK, str(path), "--no-hives", "--strict"]
    if before is not None:
        command += ["--before", str(before)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith(("ERROR", "WARN"))]


def use(path: Path, folder: str, count: int = 30) -> dict[str, str]:
    """Mount read-write, write new files and remove some of them, and read everything: what ntfs-3g then sees.

    The volume is judged again afterwards, so that nothing is left that a later writer stumbles over.
    """
    with mounted(path) as root:
        target = root / folder
        for number in range(count):
            (target / f"new file with a longer name {number:04}").write_bytes(bytes([number]) * (number * 700))
        for number in range(0, count, 2):
            (target / f"new file with a longer name {number:04}").unlink()
        for number in range(1, count, 2):
            (target / f"new file with a longer name {number:04}").unlink()
        found = contents(root)
    assert strict_complaints(path) == []
    return found


def spare(path: Path) -> Path:
    """A copy to try something on."""
    copy = path.with_name(f"copy-{path.stem}.raw")
    subprocess.run(["cp", "--sparse=always", str(path), str(copy)], check=True)
    return copy

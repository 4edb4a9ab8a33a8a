"""What a system lacks, by name: marks for the tests that cannot run without it."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest


def _links_can_be_made() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / "link"
        try:
            link.symlink_to(Path(folder) / "nowhere")
        except OSError:
            return False
        return link.is_symlink()


def _cases_are_one() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "a").touch()
        return (Path(folder) / "A").exists()


def _read_only_files_can_be_written() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.touch(0o444)
        try:
            path.open("r+b").close()
        except PermissionError:
            return False
        finally:
            path.chmod(0o644)
        return True


_WINDOWS = sys.platform == "win32"

needs_cases_apart = pytest.mark.skipif(_cases_are_one(), reason="needs file names that differ by case alone")
needs_devices = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs files that are devices")
needs_holes = pytest.mark.skipif(_WINDOWS, reason="needs files with holes; Windows stores the zeros")
needs_interrupts = pytest.mark.skipif(_WINDOWS, reason="needs SIGINT; Windows sends Ctrl+C to consoles only")
needs_links = pytest.mark.skipif(not _links_can_be_made(), reason="needs symbolic links, which cannot be made here")
needs_named_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes that are files")
needs_posix_names = pytest.mark.skipif(_WINDOWS, reason="needs file names that Windows forbids")
needs_posix_sharing = pytest.mark.skipif(_WINDOWS, reason="needs files that are changed while others read them")
needs_read_only_files = pytest.mark.skipif(
    _read_only_files_can_be_written(), reason="needs a user whom a read-only file refuses"
)
needs_size_limit = pytest.mark.skipif(_WINDOWS, reason="needs a limit on the size of files; Windows has none")
needs_terminals = pytest.mark.skipif(_WINDOWS, reason="needs pseudo-terminals of POSIX")
needs_windows = pytest.mark.skipif(not _WINDOWS, reason="needs Windows: its names of files, and its sharing of them")

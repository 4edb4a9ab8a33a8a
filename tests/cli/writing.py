"""What the tests of the changing commands share."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from tests.schemas import check

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

SPP = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform"
EXAMPLE = r"HKLM\SOFTWARE\Example"
TOKENS = r"Windows\System32\spp\store\2.0\tokens.dat"
CACHE = r"Windows\System32\spp\store\2.0\cache\cache.dat"
DRY = "--dry-run"
YES = "--yes"
STANDARD = ("--force", "standard-mode")


def contents(folder: Path) -> dict[str, str]:
    """The digest of every file in a folder, by name: equal means that nothing was written, made or removed."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def pair(disk: Path) -> tuple[bytes, bytes]:
    """The bytes of a disk and of its side-car."""
    return disk.read_bytes(), disk.with_suffix(".pvp").read_bytes()


def kept(disk: Path) -> list[str]:
    """Names of the kept journals."""
    return sorted(path.name for path in disk.parent.glob("*.vdiskkit-undo-*"))


def validated(text: str) -> dict[str, Any]:
    """The result of a run with one disk, after its schema was checked."""
    assert text.isascii()
    document = json.loads(text)
    check(document)
    result: dict[str, Any] = document["disks"][0]["result"]
    return result


def interrupted(disk: Path, run: Callable[..., Outcome]) -> Path:
    """Leave a disk as a crash does between the last write and the commit: written, its journal armed."""
    from vdiskkit.journal import JournalState, build_state
    from vdiskkit.journal.format import STATE_OFFSET

    assert run("kms-prep", disk, "--skip-rearm", "0", YES).code == 0
    journal = disk.parent / f"{disk.name}.vdiskkit-undo-0001"
    data = bytearray(journal.read_bytes())
    state = build_state(JournalState.ARMED)
    data[STATE_OFFSET : STATE_OFFSET + len(state)] = state
    (disk.parent / f"{disk.name}.vdiskkit-journal").write_bytes(data)
    journal.unlink()
    return disk

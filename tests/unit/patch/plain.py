"""Changes of plain files, as the lowest layer makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from vdiskkit.io import FileSource
from vdiskkit.patch.files import RealFileSystem
from vdiskkit.patch.staging import Phase, StagedFile
from vdiskkit.patch.transaction import FileEdit, Transaction

if TYPE_CHECKING:
    from pathlib import Path

OLD = bytes(range(256)) * 16


def edit(
    path: Path, *writes: tuple[int, bytes, Phase], grow: int = 0, watched: tuple[tuple[int, int], ...] = ()
) -> FileEdit:
    with FileSource(str(path)) as source:
        staged = StagedFile(source)
        staged.extend(staged.size + grow)
        for offset, data, phase in writes:
            staged.write_at(offset, data, phase)
        return FileEdit(str(path), staged.changes(), staged.original_size, staged.size, watched)


def run(*edits: FileEdit, keep: bool = True, verify: object = None) -> str | None:
    transaction = Transaction(
        edits,
        {"summary": "test"},
        change_id=uuid4(),
        system=RealFileSystem(),
        verify=verify,  # type: ignore[arg-type]
    )
    return transaction.run(keep=keep)


def interrupt(disk: Path, *planned: FileEdit) -> bytes:
    """Leave the disk as a process leaves it that dies before it can commit; return what is there then."""

    class DiesBeforeCommit(RealFileSystem):
        def stamp(self, path: str) -> tuple[int, int]:
            if self.written:
                raise KeyboardInterrupt
            return super().stamp(path)

        written = False

    system = DiesBeforeCommit()

    def note(_files: object) -> None:
        system.written = True

    transaction = Transaction(planned, {"summary": "x"}, change_id=uuid4(), system=system, verify=note)
    with pytest.raises(KeyboardInterrupt):
        transaction.run()
    return disk.read_bytes()

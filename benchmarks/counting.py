"""Counting what is read from disk files: one that is given open, or all that the library opens by itself."""

from __future__ import annotations

import io
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CountingFile", "counted_opens"]


class CountingFile(io.RawIOBase):
    """A disk file that keeps a list of what is read from it, as (offset, length)."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = path.open("rb", buffering=0)
        self.path = path
        self.reads: list[tuple[int, int]] = []

    def readable(self) -> bool:
        """Always true."""
        return True

    def seekable(self) -> bool:
        """Always true."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move the position; this is no read."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]  # narrower than Buffer
        """Read and remember."""
        start = self._file.tell()
        got = self._file.readinto(buffer)
        self.reads.append((start, got))
        return got

    def close(self) -> None:
        """Close the disk file too."""
        self._file.close()
        super().close()


@contextmanager
def counted_opens() -> Iterator[list[CountingFile]]:
    """Within the block, count in every disk file that the library opens; a file opened twice is there twice."""
    files: list[CountingFile] = []

    def opened(path: str, *, follow: bool = True) -> CountingFile:  # noqa: ARG001 - as the real one is called
        files.append(CountingFile(Path(path)))
        return files[-1]

    with mock.patch("vdiskkit.io.source._unbuffered", opened):
        yield files

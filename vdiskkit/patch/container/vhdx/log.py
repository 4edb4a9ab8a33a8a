"""The log entry by which a VHDX's block allocation table is changed as a whole or not at all.

Follows [MS-VHDX] section 2.3.1. One entry holds the pages of the table as they will be. Whoever opens the file while a
header refers to the log writes them to their place, however many of them were there already.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vdiskkit.errors import WriteRefusedError
from vdiskkit.patch.container.vhdx.headers import sealed
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from vdiskkit.container.vhdx.layout import Header
    from vdiskkit.patch.staging import StagedFile

__all__ = ["LOG_PAGE", "LogWriter", "build_entry", "entry_length"]

LOG_PAGE = 4096
_ENTRY = struct.Struct("<4sIIIQII16sQQ")
_DESCRIPTOR = struct.Struct("<4s4s8sQQ")
_FIRST_DATA, _LAST_DATA = 8, 4092
_SEQUENCE = 1
"""Of the only entry of a log that begins with it; others tell entries of an older log by their LogGuid."""


def entry_length(pages: int) -> int:
    """Return how many bytes an entry with so many pages takes."""
    return -(-(_ENTRY.size + pages * _DESCRIPTOR.size) // LOG_PAGE) * LOG_PAGE + pages * LOG_PAGE


def build_entry(pages: Mapping[int, bytes], *, guid: UUID, sequence: int, file_size: int) -> bytes:
    """Return a log entry that is the whole log: its tail is itself, at the start of the log.

    Args:
        pages: The 4096 bytes of each page, by its offset in the file.
        guid: LogGuid.
        sequence: Sequence number, not zero.
        file_size: Bytes that the file has, and that all its structures need.
    """
    descriptors, sectors = [], []
    for offset, page in sorted(pages.items()):
        # The ends of a page stand in its descriptor, since the sequence number takes their place, so that a torn write
        # shows.
        descriptors.append(_DESCRIPTOR.pack(b"desc", page[_LAST_DATA:], page[:_FIRST_DATA], offset, sequence))
        sectors.append(
            b"data" + struct.pack("<I", sequence >> 32) + page[_FIRST_DATA:_LAST_DATA]
            + struct.pack("<I", sequence & 0xFFFFFFFF)
        )  # fmt: skip
    head = _ENTRY.pack(
        b"loge", 0, entry_length(len(pages)), 0, sequence, len(pages), 0, guid.bytes_le, file_size, file_size
    )
    head += b"".join(descriptors)
    return sealed(head.ljust(-(-len(head) // LOG_PAGE) * LOG_PAGE, b"\0") + b"".join(sectors))


class LogWriter:
    """Stages the one log entry of a change.

    Args:
        staged: The overlay over the file.
        header: The current header.
        guid: LogGuid.
    """

    def __init__(self, staged: StagedFile, header: Header, guid: UUID) -> None:
        self._staged = staged
        self._offset, self._length = header.log_offset, header.log_length
        self.guid = guid
        self._pages: set[int] = set()

    def check_room(self, offsets: list[int]) -> None:
        """Refuse changes in so many pages that the log cannot hold them.

        Args:
            offsets: Bytes of the file that will be changed.

        Raises:
            WriteRefusedError: The log is too small.
        """
        pages = self._pages | {offset - offset % LOG_PAGE for offset in offsets}
        # A ring that is full looks like an empty one to some readers.
        if entry_length(len(pages)) >= self._length:
            raise WriteRefusedError(
                f"{len(pages)} pages of the block allocation table would have to change in one step, "
                f"and the VHDX has a log of {self._length} bytes only",
                location=self._staged.location.at("byte", self._offset),
                hint="convert a copy to a new VHDX, or make the change in several smaller steps",
            )

    def add(self, offsets: list[int]) -> None:
        """Stage the entry anew, with more pages; their final content is staged by now."""
        self._pages |= {offset - offset % LOG_PAGE for offset in offsets}
        pages = {at: self._staged.read_at(at, LOG_PAGE) for at in self._pages}
        entry = build_entry(pages, guid=self.guid, sequence=_SEQUENCE, file_size=self._staged.size)
        self._staged.write_at(self._offset, entry, Phase.LOG)

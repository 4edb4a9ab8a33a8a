"""The two headers of a VHDX that is written to, each update in the slot that does not count, then in the other.

Follows [MS-VHDX] section 2.2.2.1. At any instant one slot holds a whole header; a torn one fails its checksum.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING
from uuid import UUID

from vdiskkit.container.vhdx.crc32c import crc32c
from vdiskkit.container.vhdx.layout import HEADER_OFFSETS, HEADER_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdiskkit.container.vhdx.disk import VhdxDisk
    from vdiskkit.patch.staging import Phase, StagedFile

__all__ = ["MAX_UPDATES", "HeaderWriter", "sealed", "updated_header"]

MAX_UPDATES = 8
"""Headers that one change writes at most, each with the next sequence number."""
_CHECKSUM = slice(4, 8)
_SEQUENCE_AT, _GUIDS_AT = 8, 16


def sealed(data: bytes) -> bytes:
    """Return a structure with its checksum, which stands behind a signature of four bytes."""
    return data[:4] + struct.pack("<I", crc32c(data[:4] + bytes(4) + data[8:])) + data[8:]


def updated_header(raw: bytes, *, sequence: int, file_write: UUID, data_write: UUID, log: UUID) -> bytes:
    """Return a header with other ids and another sequence number; everything else stays, reserved bytes included.

    Args:
        raw: The 4096 bytes of the header.
        sequence: Sequence number.
        file_write: FileWriteGuid, a new one for every time that the file is written to.
        data_write: DataWriteGuid, a new one when what the virtual disk shows may change.
        log: LogGuid, zero when no log is pending.
    """
    data = bytearray(raw)
    struct.pack_into("<Q", data, _SEQUENCE_AT, sequence)
    struct.pack_into("<16s16s16s", data, _GUIDS_AT, file_write.bytes_le, data_write.bytes_le, log.bytes_le)
    return sealed(bytes(data))


class HeaderWriter:
    """Stages the headers of a VHDX.

    Both slots get the content of the current header, changed; a damaged one is whole again by that. The FileWriteGuid
    is a new one, the DataWriteGuid only when :meth:`renew_data_id` was called: a log that is replayed changes nothing
    that the virtual disk shows.

    Args:
        disk: The disk, opened over ``staged``.
        staged: The overlay over its file.
        new_id: Gives new ids.
    """

    def __init__(self, disk: VhdxDisk, staged: StagedFile, new_id: Callable[[], UUID]) -> None:
        self._staged = staged
        self._number = disk.header_number
        self._raw = staged.read_at(HEADER_OFFSETS[self._number - 1], HEADER_SIZE)
        self._sequence = disk.header.sequence
        self._new_id = new_id
        self._file_write = new_id()
        self._data_write = UUID(disk.header.data_write_guid)
        self._updates: list[tuple[UUID, Phase, Phase]] = []

    def renew_data_id(self) -> None:
        """Give the file another DataWriteGuid, from its first header on."""
        self._data_write = self._new_id()
        updates, self._updates = self._updates, []
        self._sequence -= 2 * len(updates)
        for update in updates:
            self.write(*update)

    def write(self, log: UUID, first: Phase, second: Phase) -> None:
        """Stage an update of both headers.

        Args:
            log: The pending log, zero for none.
            first: When the header that does not count is written.
            second: When the other one is.
        """
        self._updates.append((log, first, second))
        for phase, number in ((first, 3 - self._number), (second, self._number)):
            self._sequence += 1
            data = updated_header(
                self._raw,
                sequence=self._sequence,
                file_write=self._file_write,
                data_write=self._data_write,
                log=log,
            )
            self._staged.write_interim(HEADER_OFFSETS[number - 1], data, phase)

"""The base block under the editor: what is refused at once, and what is written at the end of an edit.

Follows the sections "Base block" and "Dirty state of a hive" of the "Windows registry file format specification".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vdiskkit.errors import LogReplayNeededError, WriteRefusedError
from vdiskkit.patch.staging import Phase
from vdiskkit.registry.base_block import BASE_BLOCK_SIZE, BaseBlock, checksum, parse_base_block

if TYPE_CHECKING:
    from vdiskkit.patch.registry.buffer import WriteBuffer

__all__ = ["open_base_block", "seal"]

_CHECKED = 512
_SEQUENCES_AT, _WRITTEN_AT, _SIZE_AT, _FLAGS_AT, _CHECKSUM_AT = 4, 12, 40, 144, 508
_BIN_WRITTEN_AT = BASE_BLOCK_SIZE + 20
_LAYERED = 2
_DELTA_MINOR = 6
_SEQUENCE_MAX = 0xFFFFFFFF


def open_base_block(buffer: WriteBuffer, name: str, *, refuse_ktm: bool) -> BaseBlock:
    """Judge whether a hive may be edited.

    Raises:
        FormatError: It is no hive, or its base block cannot describe it.
        LogReplayNeededError: It is dirty, or a transaction is pending and ``refuse_ktm`` is set.
        WriteRefusedError: It is a hive of a kind that is not edited.
    """
    block = buffer.read_at(0, min(_CHECKED, buffer.size))
    base = parse_base_block(block, buffer.size, buffer.location)
    shown = name or "file"
    if base.dirty:
        raise LogReplayNeededError(
            f"the hive {shown} was not closed cleanly: {base.dirty_reason}; an edit would be lost or mixed up when "
            "Windows replays the hive's transaction logs",
            location=buffer.location,
            hint="start the image once and shut it down, or load and unload the hive in Windows, then try again",
        )
    if refuse_ktm and base.ktm_pending:
        raise LogReplayNeededError(
            f"the hive {shown} is marked as having pending transactions of the kernel transaction manager",
            location=buffer.location,
            hint="start the image once and shut it down, then try again",
        )
    # Before Windows Vista this area is unused and may hold anything.
    layered = block[164:168] == b"rmtm" and int.from_bytes(block[_FLAGS_AT : _FLAGS_AT + 4], "little") & _LAYERED
    if layered or base.minor >= _DELTA_MINOR:
        raise WriteRefusedError(
            f"the hive {shown} is a layered one (delta hive of a container): what an edit would mean is decided by "
            "the hives below it",
            location=buffer.location,
        )
    return base


def seal(
    buffer: WriteBuffer, base: BaseBlock, bins_size: int, log_sequence: int, written: int, *, old_format_logs: bool
) -> int:
    """Write the base block of an edited hive: sequence numbers above all others, times, size, checksum.

    Args:
        buffer: The hive file.
        base: Its base block as it was.
        bins_size: Bytes of hive bins now.
        log_sequence: The highest sequence number in the hive's logs.
        written: Last-written time as a FILETIME.
        old_format_logs: Whether logs may be in the old format, which are bound to the hive by its last-written time
            alone. Times that are kept (not zero) are changed then, in the base block and in the first hive bin.

    Returns:
        The new sequence number.

    Raises:
        WriteRefusedError: There is no higher sequence number.
    """
    sequence = max(base.sequence_1, base.sequence_2, log_sequence) + 1
    if sequence > _SEQUENCE_MAX:
        raise WriteRefusedError(
            f"the sequence number {log_sequence:#x} in the hive or its logs is the highest there can be; none above "
            "it can be given to the edited hive",
            location=buffer.location,
            hint="start the image once and shut it down: Windows writes new logs",
        )
    block = bytearray(buffer.read_at(0, _CHECKED))
    struct.pack_into("<II", block, _SEQUENCES_AT, sequence, sequence)
    struct.pack_into("<I", block, _SIZE_AT, bins_size)
    if old_format_logs:
        stamp = written.to_bytes(8, "little")
        if any(block[_WRITTEN_AT : _WRITTEN_AT + 8]):
            block[_WRITTEN_AT : _WRITTEN_AT + 8] = stamp
        if any(buffer.read_at(_BIN_WRITTEN_AT, 8)):
            buffer.write(_BIN_WRITTEN_AT, stamp, Phase.LINK)
    struct.pack_into("<I", block, _CHECKSUM_AT, checksum(bytes(block)))
    buffer.write(0, bytes(block), Phase.LINK)
    return sequence

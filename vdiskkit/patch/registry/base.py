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
_SEQUENCES_AT, _WRITTEN_AT, _MAJOR_AT, _SIZE_AT, _FLAGS_AT, _CHECKSUM_AT = 4, 12, 20, 40, 144, 508
_BIN_WRITTEN_AT = BASE_BLOCK_SIZE + 20
_LAYERED = 2
_DELTA_MINOR = 6
_SEQUENCE_MAX = 0xFFFFFFFF
_TIME_MAX = 2**63 - 1


def open_base_block(buffer: WriteBuffer, name: str, *, refuse_ktm: bool) -> BaseBlock:
    """Judge whether a hive may be edited that is clean, or was replayed.

    Raises:
        FormatError: It is no hive, or its base block cannot describe it.
        LogReplayNeededError: A transaction is pending and ``refuse_ktm`` is set.
        WriteRefusedError: It is a hive of a kind that is not edited.
    """
    block = buffer.read_at(0, min(_CHECKED, buffer.size))
    base = parse_base_block(block, buffer.size, buffer.location)
    shown = name or "file"
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

    It comes before anything of the edit is visible, so that no log fits a hive that was changed half-way.

    Args:
        buffer: The hive file.
        base: Its base block as it was, after the replay of a dirty hive.
        bins_size: Bytes of hive bins now.
        log_sequence: The highest sequence number in the hive's logs.
        written: Last-written time as a FILETIME.
        old_format_logs: Whether logs may be in the old format, which are bound to the hive by its last-written time
            alone. Times that are kept (not zero) are changed then, in the base block and in the first hive bin; after
            the replay of such a log always.

    Returns:
        The new sequence number.

    Raises:
        WriteRefusedError: There is no higher sequence number.
    """
    replayed = buffer.replayed
    highest = max(base.sequence_1, base.sequence_2, log_sequence, 0 if replayed is None else replayed.sequence)
    sequence = highest + 1
    if sequence > _SEQUENCE_MAX:
        raise WriteRefusedError(
            f"the sequence number {highest:#x} in the hive or its logs is the highest there can be; none above it can "
            "be given to the edited hive",
            location=buffer.location,
            hint="start the image once and shut it down: Windows writes new logs",
        )
    block = bytearray(buffer.read_at(0, _CHECKED))
    struct.pack_into("<II", block, _SEQUENCES_AT, sequence, sequence)
    struct.pack_into("<I", block, _SIZE_AT, bins_size)
    bound = replayed is not None and replayed.old_format
    if old_format_logs or bound:
        raw = (bytes(block[_WRITTEN_AT:_MAJOR_AT]), buffer.read_at(_BIN_WRITTEN_AT, 8))
        stamps = [int.from_bytes(stamp, "little") for stamp in raw]
        # Later than before even where the clock is not: then no log that is there is from that time or a later one.
        later = max([written, *(old + 1 for old in stamps if old < _TIME_MAX)]).to_bytes(8, "little")
        if bound or stamps[0]:
            block[_WRITTEN_AT:_MAJOR_AT] = later
        if bound or stamps[1]:
            buffer.write(_BIN_WRITTEN_AT, later, Phase.HIVE_CLAIM)
    struct.pack_into("<I", block, _CHECKSUM_AT, checksum(bytes(block)))
    buffer.write(0, bytes(block), Phase.HIVE_OPEN)
    return sequence

"""The base block of a hive, judged before anything in the hive is believed.

Own words on the layout: 4096 bytes, of which the first 508 are covered by an XOR checksum at offset 508. A hive is
*dirty* when that checksum does not fit or the two sequence numbers differ: Windows would replay the transaction logs
before it uses the hive, so what the file holds may be older than what Windows would show. Dirty hives are read and
reported; only a base block that cannot describe a hive is an error.

Follows Maxim Suhanov's "Windows registry file format specification", sections "Base block" and "Dirty state of a hive".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import CorruptStructureError, FormatError, UnknownFormatError, UnsupportedFeatureError
from vdiskkit.registry.filetime import filetime_to_datetime

if TYPE_CHECKING:
    from datetime import datetime

    from vdiskkit.location import Location

__all__ = ["BASE_BLOCK_SIZE", "BaseBlock", "checksum", "parse_base_block"]

BASE_BLOCK_SIZE = 4096
"""Hive bins begin here, and all offsets in cells count from here."""

CHECKED_SIZE = 512
"""Bytes that :func:`parse_base_block` looks at."""

_HEAD = struct.Struct("<4sIIQIIIIIII")
_KTM_PENDING = 1
_LOG_TYPES = {1, 2, 6}


class BaseBlock(NamedTuple):
    """What the base block says.

    Attributes:
        sequence_1: Primary sequence number, raised before Windows writes.
        sequence_2: Secondary sequence number, set equal when the write is complete.
        last_written: When Windows last wrote the hive (not kept up to date since Windows 8.1); None when not set.
        minor: Minor version; the major version is 1.
        root_cell: Offset of the root key's cell, from the start of the hive bins.
        hive_bins_size: Bytes of hive bins behind the base block; the file may be longer.
        file_name: Tail of the path under which Windows loaded the hive.
        ktm_pending: A transaction of the kernel transaction manager was pending.
        checksum_stored: Checksum in the file.
        checksum_computed: Checksum of the file's bytes.
    """

    sequence_1: int
    sequence_2: int
    last_written: datetime | None
    minor: int
    root_cell: int
    hive_bins_size: int
    file_name: str
    ktm_pending: bool
    checksum_stored: int
    checksum_computed: int

    @property
    def checksum_ok(self) -> bool:
        """Whether the checksum fits."""
        return self.checksum_stored == self.checksum_computed

    @property
    def dirty(self) -> bool:
        """Whether Windows would replay the transaction logs before it uses the hive."""
        return not self.checksum_ok or self.sequence_1 != self.sequence_2

    @property
    def dirty_reason(self) -> str:
        """Why the hive is dirty, empty when it is clean."""
        reasons = []
        if not self.checksum_ok:
            reasons.append(
                f"the base block checksum does not fit (stored 0x{self.checksum_stored:08x}, "
                f"computed 0x{self.checksum_computed:08x})"
            )
        if self.sequence_1 != self.sequence_2:
            reasons.append(f"the sequence numbers {self.sequence_1} and {self.sequence_2} differ")
        return "; ".join(reasons)

    @property
    def version(self) -> str:
        """Format version, such as ``1.5``."""
        return f"1.{self.minor}"


def checksum(block: bytes) -> int:
    """Return the checksum of a base block: the XOR of its first 127 words, without the values 0 and 0xFFFFFFFF."""
    value = 0
    for word in struct.unpack_from("<127I", block):
        value ^= word
    return {0: 1, 0xFFFFFFFF: 0xFFFFFFFE}.get(value, value)


def parse_base_block(block: bytes, file_size: int, location: Location) -> BaseBlock:
    """Judge a base block.

    Args:
        block: The first 512 bytes of the file (fewer when the file is shorter).
        file_size: Length of the file in bytes.
        location: Address of the file's first byte.

    Raises:
        UnknownFormatError: The file is no hive.
        UnsupportedFeatureError: A hive of a version that is not read here.
        CorruptStructureError: The base block cannot describe a hive in a file of that length.
    """
    if block[:4] != b"regf":
        raise UnknownFormatError(
            f"this is no registry hive: it begins with {_shown(block[:4])} where a hive has 'regf'",
            location=location,
            hint="name a hive file such as Windows\\System32\\config\\SOFTWARE",
        )
    if len(block) < CHECKED_SIZE or file_size < 2 * BASE_BLOCK_SIZE:
        raise CorruptStructureError(
            f"the hive is cut short: {file_size} bytes, and the smallest hive has {2 * BASE_BLOCK_SIZE}",
            location=location,
            hint="copy the file again",
        )
    _, sequence_1, sequence_2, stamp, major, minor, kind, layout, root, bins_size, _ = _HEAD.unpack_from(block)
    stored = int.from_bytes(block[508:512], "little")
    result = BaseBlock(
        sequence_1,
        sequence_2,
        filetime_to_datetime(stamp),
        minor,
        root,
        bins_size,
        block[48:112].decode("utf-16-le", "surrogatepass").partition("\0")[0],
        # Before Windows Vista this area is unused and may hold anything.
        block[164:168] == b"rmtm" and bool(int.from_bytes(block[144:148], "little") & _KTM_PENDING),
        stored,
        checksum(block),
    )
    error = _contradiction(result, major, kind, layout, file_size)
    if error is None:
        return result
    if not result.checksum_ok and kind not in _LOG_TYPES:
        error = CorruptStructureError(
            f"the base block is damaged: {error.message}, and {result.dirty_reason}",
            hint="Windows would rebuild it from the transaction logs: let it load the hive once",
        )
    error.location = location
    raise error


def _contradiction(block: BaseBlock, major: int, kind: int, layout: int, file_size: int) -> FormatError | None:
    if kind in _LOG_TYPES:
        return UnsupportedFeatureError(
            "this is a transaction log of a hive, not the hive itself", hint="name the file without .LOG1 or .LOG2"
        )
    if major != 1 or not 3 <= block.minor <= 6:
        older = (major, block.minor) < (1, 3)
        return UnsupportedFeatureError(
            f"hive version {major}.{block.minor} is not read"
            + (": Windows NT 3.x wrote it" if older else "; known are 1.3 to 1.6"),
            hint="load and save it with a newer Windows" if older else None,
        )
    if kind or layout != 1:
        return CorruptStructureError(f"the base block has file type {kind} and format {layout} instead of 0 and 1")
    if not block.hive_bins_size or block.hive_bins_size % 4096:
        return CorruptStructureError(
            f"the base block gives {block.hive_bins_size:#x} bytes of hive bins, which is no multiple of 4096 above 0"
        )
    if block.hive_bins_size > file_size - BASE_BLOCK_SIZE:
        return CorruptStructureError(
            f"the hive is cut short: its bins should end at {BASE_BLOCK_SIZE + block.hive_bins_size:#x}, "
            f"the file ends at {file_size:#x}",
            hint="copy the file again",
        )
    if block.root_cell % 8 or not 32 <= block.root_cell < block.hive_bins_size:
        return CorruptStructureError(f"the root key's offset {block.root_cell:#x} is not a place for a cell")
    return None


def _shown(data: bytes) -> str:
    return repr(data)[1:] if data else "nothing"

"""Facts about a hive, for users."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from vdiskkit.facts import Facts

__all__ = ["HiveFacts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HiveFacts(Facts):
    """State of one hive, from its base block.

    Attributes:
        name: Short name, such as ``SOFTWARE``.
        dirty: Windows would replay the transaction logs first: values here may be older than Windows would show.
        dirty_reason: Why it is dirty; None when it is clean.
        sequence_1: Primary sequence number.
        sequence_2: Secondary sequence number; different from the primary one while a write is not complete.
        checksum_ok: Whether the checksum of the base block fits.
        version: Format version, such as ``1.5``.
        file_name: Tail of the path under which Windows loaded the hive.
        last_written: When Windows last wrote the base block (not kept up to date since Windows 8.1).
        hive_bins_size: Bytes of hive bins behind the base block.
        file_size: Length of the hive file in bytes.
        ktm_pending: A transaction of the kernel transaction manager was pending.
    """

    name: str
    dirty: bool
    dirty_reason: str | None
    sequence_1: int
    sequence_2: int
    checksum_ok: bool
    version: str
    file_name: str
    last_written: datetime | None
    hive_bins_size: int
    file_size: int
    ktm_pending: bool

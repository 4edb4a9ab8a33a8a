"""Facts about a hive, for users."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from vdiskkit.facts import Facts

if TYPE_CHECKING:
    from vdiskkit.registry.hive import Hive

__all__ = ["HiveFacts", "HiveLogFacts", "hive_facts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HiveLogFacts(Facts):
    """What became of the transaction logs of a dirty hive.

    Attributes:
        replayed: Whether the hive is shown as after the replay of its logs.
        format: ``new`` (Windows 8.1 and later) or ``old``; ``none`` when none was replayed.
        entries: How many log entries were replayed; 1 for a log of the old format.
        files: Names of the logs they came from, in the order they were replayed.
        reason: Why none was replayed; None when one was.
        base_block_recovered: Whether the base block was damaged and a copy in a log took its place.
        notes: What else is to be told about the logs.
    """

    replayed: bool
    format: str
    entries: int
    files: tuple[str, ...]
    reason: str | None
    base_block_recovered: bool
    notes: tuple[str, ...]

    @property
    def summary(self) -> str:
        """How the hive is shown, as the end of a sentence."""
        from vdiskkit.registry.replay import replay_summary

        if self.replayed:
            return replay_summary(self.format, self.entries, self.files)
        return f"it is shown without its logs: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HiveFacts(Facts):
    """State of one hive, from its base block as it is in the file.

    Attributes:
        name: Short name, such as ``SOFTWARE``.
        dirty: Windows would replay the transaction logs before it uses the hive.
        stale: It is dirty and its logs could not be replayed: values may be older than Windows would show.
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
        logs: What became of the logs; None for a clean hive, whose logs do not count.
        faults: What does not hold, when all bins, cells, keys, lists and values were walked through (``--deep``), each
            with its place, up to 200; None when they were not.
    """

    name: str
    dirty: bool
    stale: bool
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
    logs: HiveLogFacts | None
    faults: tuple[str, ...] | None


def hive_facts(hive: Hive, *, walk: bool = False) -> HiveFacts:
    """Return the facts about a hive.

    Args:
        hive: The hive.
        walk: Walk through all of it and tell what does not hold.

    Raises:
        FormatError: It could not be walked through.
    """
    # A base block that was damaged tells nothing; what is known of it then is its copy in the log.
    block = hive.primary_block or hive.base_block
    return HiveFacts(
        name=hive.name,
        dirty=hive.dirty,
        stale=hive.stale,
        dirty_reason=hive.dirty_reason or None,
        sequence_1=block.sequence_1,
        sequence_2=block.sequence_2,
        checksum_ok=hive.primary_block is not None and block.checksum_ok,
        version=block.version,
        file_name=block.file_name,
        last_written=block.last_written,
        hive_bins_size=block.hive_bins_size,
        file_size=hive.file_size,
        ktm_pending=hive.base_block.ktm_pending,
        logs=_log_facts(hive),
        faults=_faults(hive) if walk else None,
    )


def _faults(hive: Hive) -> tuple[str, ...]:
    from vdiskkit.registry.base_block import BASE_BLOCK_SIZE
    from vdiskkit.registry.soundness import find_faults

    return tuple(
        f"{fault.message} (hive:{BASE_BLOCK_SIZE + fault.offset:#x})"
        for fault in find_faults(hive.source, hive.base_block)
    )


def _log_facts(hive: Hive) -> HiveLogFacts | None:
    replayed = hive.replayed
    if replayed is None:
        return None
    return HiveLogFacts(
        replayed=not replayed.stale,
        format=replayed.format.value,
        entries=replayed.entries,
        files=replayed.logs,
        reason=replayed.reason or None,
        base_block_recovered=replayed.base_block_recovered,
        notes=tuple(notice.message for notice in replayed.notices),
    )

"""Facts that bear witness to what was done about licensing: answer files, cached KMS hosts, the event log.

They are evidence of a moment in the past. None of them says what the licence status is now.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from vdiskkit.facts import Facts

__all__ = ["AnswerFileFacts", "DiscoveredHostFacts", "EventLogWitnessFacts", "LicensingEventFacts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFileFacts(Facts):
    """One answer file of Windows Setup or sysprep. Nothing but its SkipRearm setting is read out of it.

    Attributes:
        path: Path inside the volume; of a file that is not on it, as Windows names it.
        size: Bytes; None when the file was not looked at.
        modified: Last write, UTC.
        skip_rearm: SkipRearm: the largest number when several elements set it; None when none does.
        problem: Why the file or the setting cannot be read, None when it could.
    """

    path: str
    size: int | None
    modified: datetime | None
    skip_rearm: int | None
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveredHostFacts(Facts):
    r"""A KMS host that was found by DNS and is cached in the image.

    Attributes:
        key: Full key path, ``HKU\S-1-5-20\...`` for the cache of Windows 8 and later.
        app_id: Application id below which it is cached, None at service level.
        sku_id: SKU (activation) id below which it is cached.
        host: DiscoveredKeyManagementServiceName.
        address: DiscoveredKeyManagementServiceIpAddress.
        port: DiscoveredKeyManagementServicePort, as stored.
        written: When the key was last written, UTC.
    """

    key: str
    app_id: str | None
    sku_id: str | None
    host: str | None
    address: str | None
    port: str | None
    written: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LicensingEventFacts(Facts):
    """One event that a licensing service logged. Fields that its event id does not have are None.

    Attributes:
        service: ``windows``, or ``office`` for Office's own licensing service.
        event_id: 12288 request sent to a KMS host, 12289 answer processed, 1003 status check finished, 8198 activation
            failed, 1025 grace period started.
        meaning: The same in words.
        time: When it was logged, UTC.
        record_id: Number of the record in the log.
        computer: Name of the machine that logged it.
        kms_host: 12288: the KMS host that was asked.
        kms_port: 12288: its port.
        cmid: 12288: client machine id that was sent.
        status: 12288, 12289, 8198: the result code, ``0x`` and eight digits; ``0x00000000`` is success of this step.
        needed_count: 12288: how many clients the host has to count before it activates.
        kms_count: 12289: how many clients the host had counted.
        activated_flag: 12289: the flag in that answer, 0 or 1. It is evidence of that moment, not the present status.
        activation_id: 12288, 8198: the licence (SKU) that it was about.
        application_id: 1003, 8198: the application that it was about.
        text: What the event holds, shortened.
    """

    service: str
    event_id: int
    meaning: str
    time: datetime | None
    record_id: int
    computer: str
    kms_host: str | None
    kms_port: int | None
    cmid: str | None
    status: str | None
    needed_count: int | None
    kms_count: int | None
    activated_flag: int | None
    activation_id: str | None
    application_id: str | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLogWitnessFacts(Facts):
    """What the Application event log holds about licensing, the newest part of it.

    Attributes:
        path: Path inside the volume.
        size: Bytes of the file.
        modified: Last write, UTC.
        dirty: Whether the log was not closed: its newest records may be missing from it.
        chunks: How many chunks of 64 KiB the file has room for.
        chunks_read: How many were read, newest first.
        damaged_chunks: How many of those are damaged; what could be read in them was used.
        chunks_left: How many others may hold records: older ones, as far as the numbers in their heads tell.
        whole_log: Whether no chunk is left: every record was looked at that lies in a chunk that is not damaged.
        oldest: Time of the oldest record that was looked at, UTC.
        newest: Time of the newest record, UTC.
        events: The newest event of each kind, for each product, newest first.
    """

    path: str
    size: int
    modified: datetime | None
    dirty: bool
    chunks: int
    chunks_read: int
    damaged_chunks: int
    chunks_left: int
    whole_log: bool
    oldest: datetime | None
    newest: datetime | None
    events: tuple[LicensingEventFacts, ...]

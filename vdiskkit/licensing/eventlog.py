r"""What the Application event log holds about licensing: requests to KMS hosts, their answers, failures.

The fields of events 12288 and 12289 are those of Microsoft's table of KMS events (Volume Activation reference,
"Windows Event Log"): one text of values with commas between them. The events are evidence of a moment in the past.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.licensing.witness_facts import EventLogWitnessFacts, LicensingEventFacts
from vdiskkit.windows.evtx import EventLog

if TYPE_CHECKING:
    from datetime import datetime

    from vdiskkit.ntfs import NtfsFile
    from vdiskkit.windows.evtx import EventChunk, EventRecord

__all__ = ["EVENTS", "MAX_CHUNKS", "read_event_log"]

MAX_CHUNKS = 16
"""Chunks of 64 KiB that are read: the newest 1 MiB of the log."""

EVENTS = {
    12288: "request sent to a KMS host",
    12289: "answer of a KMS host processed",
    1003: "licensing status check finished",
    8198: "activation failed",
    1025: "grace period started",
}
_SERVICES = {
    "microsoft-windows-security-spp": "windows",
    "software protection platform service": "windows",
    "microsoft-windows-security-licensing-slc": "windows",
    "software licensing service": "windows",
    "software protection service": "windows",
    "office software protection platform service": "office",
    "osppsvc": "office",
}
"""Providers and event sources, lower case, to the licensing service that logs under that name."""
_MENTIONS = (
    "Microsoft-Windows-Security-SPP",
    "Microsoft-Windows-Security-Licensing-SLC",
    "Software Protection Platform Service",  # also the last words of Office's
    "osppsvc",
)
_EVENT_LIMIT = 64
_TEXT_LIMIT = 400
_GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_RESULT = re.compile(r"\b0x[0-9a-fA-F]{1,8}\b")
_APPLICATION = re.compile(rf"AppId=\{{?({_GUID})")
_SKU = re.compile(rf"SkuId=\{{?({_GUID})")


class _Kind(NamedTuple):
    service: str
    event_id: int
    about: str | None


def read_event_log(file: NtfsFile, *, max_chunks: int = MAX_CHUNKS) -> EventLogWitnessFacts:
    """Look through the newest part of an event log.

    Args:
        file: The log, ``Application.evtx``.
        max_chunks: How many chunks of 64 KiB may be read.

    Raises:
        FormatError: The file is no event log, or cannot be read.
    """
    log = EventLog(file.open())
    read = damaged = 0
    newest: datetime | None = None
    oldest: datetime | None = None
    found: dict[_Kind, LicensingEventFacts] = {}
    for chunk in log.newest_first(max_chunks):
        read += 1
        if chunk is None:
            damaged += 1
            continue
        first, last = chunk.times()
        newest = max((when for when in (newest, last) if when is not None), default=None)
        oldest = min((when for when in (oldest, first) if when is not None), default=None)
        _collect(chunk, found)
        damaged += chunk.damaged
    events = sorted(found.values(), key=lambda event: event.record_id, reverse=True)
    return EventLogWitnessFacts(
        path=file.path,
        size=file.size,
        modified=file.modified,
        dirty=log.dirty,
        chunks=log.chunk_count,
        chunks_read=read,
        damaged_chunks=damaged,
        chunks_left=log.left_out,
        whole_log=not log.left_out,
        oldest=oldest,
        newest=newest,
        events=tuple(events),
    )


def _collect(chunk: EventChunk, found: dict[_Kind, LicensingEventFacts]) -> None:
    """Keep the newest event of each kind, by its number: records within a chunk come oldest first."""
    if not any(chunk.mentions(text) for text in _MENTIONS):
        return
    here: dict[_Kind, LicensingEventFacts] = {}
    for record in chunk.records():
        service = _SERVICES.get(record.provider.casefold()) or _SERVICES.get(record.source.casefold())
        if service is None or record.event_id not in EVENTS:
            continue
        event = _event(service, record)
        about = event.activation_id or event.application_id
        here[_Kind(service, record.event_id, about.casefold() if about else None)] = event
    for kind, event in here.items():
        known = found.get(kind)
        if (known is None and len(found) < _EVENT_LIMIT) or (known is not None and known.record_id < event.record_id):
            found[kind] = event


def _event(service: str, record: EventRecord) -> LicensingEventFacts:
    said = ", ".join(record.data)
    fields = [part.strip() for part in said.split(",")]
    event_id = record.event_id
    request, answer = event_id == 12288, event_id == 12289
    host, port = _host(_field(fields, 2)) if request else (None, None)
    application = activation = status = None
    if event_id == 8198:
        application, activation = _first(_APPLICATION, said), _first(_SKU, said)
    elif event_id == 1003:
        application = _guid(record.data[0]) if record.data else None
    elif request:
        activation = _guid(_field(fields, 8))
    if request or answer or event_id == 8198:
        match = _RESULT.search(said)
        status = f"0x{int(match.group(), 16):08x}" if match else None
    return LicensingEventFacts(
        service=service,
        event_id=event_id,
        meaning=EVENTS[event_id],
        time=record.written,
        record_id=record.record_id,
        computer=record.computer[:_TEXT_LIMIT],
        kms_host=host,
        kms_port=port,
        cmid=_guid(_field(fields, 3)) if request else None,
        status=status,
        needed_count=_number(_field(fields, 9)) if request else None,
        kms_count=_number(_field(fields, 4)) if answer else None,
        activated_flag=_number(_field(fields, 2)) if answer else None,
        activation_id=activation,
        application_id=application,
        text=said[:_TEXT_LIMIT],
    )


def _field(fields: list[str], number: int) -> str:
    return fields[number] if number < len(fields) else ""


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return match.group(1).lower() if match else None


def _guid(text: str) -> str | None:
    text = text.strip().strip("{}")
    return text.lower() if re.fullmatch(_GUID, text) else None


def _host(text: str) -> tuple[str | None, int | None]:
    host, colon, port = text.rpartition(":")
    if not colon:
        return text or None, None
    return host or None, _number(port)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None

"""Gathering :class:`~vdiskkit.inspection.readiness_facts.ReadinessFacts`: what a plain inspection leaves unread."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vdiskkit.inspection.readiness_facts import ReadinessFacts
from vdiskkit.licensing.discovered import read_answer_files, read_discovered_hosts
from vdiskkit.licensing.eventlog import read_event_log
from vdiskkit.licensing.generation import generation_of, service_key
from vdiskkit.windows.details import open_hive
from vdiskkit.windows.state import StateReader
from vdiskkit.windows.streaming import read_scsi_adapters, read_streaming

if TYPE_CHECKING:
    from vdiskkit.facts import NoticeLog
    from vdiskkit.licensing.witness_facts import DiscoveredHostFacts, EventLogWitnessFacts
    from vdiskkit.windows.facts import WindowsFacts
    from vdiskkit.windows.image import WindowsImage
    from vdiskkit.windows.state_facts import SettingsFacts

__all__ = ["read_readiness"]

_APPLICATION_LOG = "Application"


def read_readiness(image: WindowsImage, windows: WindowsFacts, log: NoticeLog) -> ReadinessFacts:
    """Gather the facts that decide whether an installation can be cloned as it is.

    Args:
        image: The installation.
        windows: The facts about it, which say what to look for where.
        log: Takes what could not be read.
    """
    reader = StateReader(image, log)
    settings = reader.settings()
    return ReadinessFacts(
        pending_reboot=reader.pending_reboot(),
        setup=reader.setup(),
        power=reader.power(),
        streaming=read_streaming(reader),
        scsi_adapters=read_scsi_adapters(reader),
        netlogon=reader.netlogon(),
        settings=settings,
        rearm_markers=reader.rearm_markers(),
        last_shutdown=reader.last_shutdown(),
        last_servicing=reader.last_servicing(),
        answer_files=read_answer_files(image, log),
        discovered_hosts=_discovered_hosts(reader, windows),
        event_log=_event_log(reader, settings),
    )


def _discovered_hosts(reader: StateReader, windows: WindowsFacts) -> tuple[DiscoveredHostFacts, ...] | None:
    hive = open_hive(reader.image, "NetworkService", reader.log)
    if hive is None:
        return None
    return read_discovered_hosts(reader.software, hive, service_key(generation_of(windows.build)), reader.log)


def _event_log(reader: StateReader, settings: SettingsFacts) -> EventLogWitnessFacts | None:
    path = rf"{reader.image.root}\System32\winevt\Logs\{_APPLICATION_LOG}.evtx"
    for place in settings.event_logs or ():
        if place.name == _APPLICATION_LOG:
            if place.path is None:
                reader.log.add(
                    "licensing.event_log_elsewhere",
                    f"the {_APPLICATION_LOG} event log is not on this volume: {place.file}",
                )
                return None
            path = place.path
    file = reader.attempt(path, partial(reader.image.volume.lookup, path), None)
    if file is None:
        return None
    facts = reader.log.attempt(
        "licensing.event_log_unreadable", f"the event log {path} cannot be read", partial(read_event_log, file), None
    )
    if facts is not None and facts.damaged_chunks:
        reader.log.add(
            "licensing.event_log_damaged",
            f"{facts.damaged_chunks} of the {facts.chunks_read} chunks read of the event log {path} are damaged",
            file.location,
        )
    return facts

"""The section on what decides whether an image can be cloned as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.report.layout import Row, moment, quoted, size_text, stale_mark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.inspection.facts import Inspection
    from vdiskkit.inspection.readiness_facts import ReadinessFacts
    from vdiskkit.licensing.witness_facts import AnswerFileFacts, EventLogWitnessFacts, LicensingEventFacts
    from vdiskkit.windows.state_facts import PendingRebootFacts, SetupFacts

__all__ = ["readiness"]

_UNKNOWN = "not determinable"


def readiness(inspection: Inspection) -> Iterator[Row]:
    """Pending restarts, setup state, traces of streaming and of licensing work."""
    facts = inspection.readiness
    if facts is None:
        return
    stale = inspection.windows is not None and inspection.windows.stale
    shutdown = f"shut down last {moment(facts.last_shutdown)}" if facts.last_shutdown else "last shutdown not stored"
    serviced = f", packages changed last {moment(facts.last_servicing)}" if facts.last_servicing else ""
    yield Row("readiness", stale_mark(shutdown + serviced, stale=stale))
    yield _pending(facts.pending_reboot, stale=stale)
    yield _setup(facts.setup, stale=stale)
    for label, text in _state(facts):
        yield Row(label, stale_mark(text, stale=stale), level=2)
    for file in facts.answer_files or ():
        yield Row("answer file", _answer_file(file), "warning" if file.problem else "plain", level=2)
    yield from _witness(facts.event_log)


def _pending(facts: PendingRebootFacts, *, stale: bool) -> Row:
    sources = {
        "servicing": facts.component_servicing,
        "Windows Update": facts.windows_update,
        f"{facts.file_renames} files to move or delete": None if facts.file_renames is None else facts.file_renames > 0,
        "pending.xml": facts.pending_xml,
    }
    waiting = [name for name, there in sources.items() if there]
    if waiting:
        text = f"Windows waits for a restart: {', '.join(waiting)}"
        if facts.first_renames:
            text += f" (first {quoted(facts.first_renames[0], 80)})"
        return Row("restart", stale_mark(text, stale=stale), "warning", 2)
    if None in sources.values():
        return Row("restart", f"whether a restart is pending is {_UNKNOWN}", "unknown", 2)
    return Row("restart", stale_mark("none pending", stale=stale), "good", 2)


def _setup(facts: SetupFacts, *, stale: bool) -> Row:
    state = f"image state {quoted(facts.image_state)}" if facts.image_state else "image state unknown"
    numbers = (facts.setup_in_progress, facts.oobe_in_progress, facts.setup_type)
    if None in numbers:
        return Row("setup", stale_mark(f"{_UNKNOWN}, {state}", stale=stale), "unknown", 2)
    running = [
        name
        for name, there in (("setup", facts.setup_in_progress), ("first-run dialogs", facts.oobe_in_progress))
        if there
    ]
    if facts.setup_type:
        running.append(f"setup type {facts.setup_type}")
    done = not running and facts.image_state == "IMAGE_STATE_COMPLETE"
    text = f"{'in progress: ' + ', '.join(running) if running else 'finished'}, {state}"
    if facts.generalization_state is not None:
        text += f", sysprep generalization {facts.generalization_state}, cleanup {facts.cleanup_state}"
    return Row("setup", stale_mark(text, stale=stale), "good" if done else "warning", 2)


def _state(facts: ReadinessFacts) -> Iterator[tuple[str, str]]:
    power = facts.power
    fast = {True: "on", False: "off", None: "not stored"}
    size = _UNKNOWN if power.hibernation_file_size is None else size_text(power.hibernation_file_size)
    file = "no hiberfil.sys" if power.hibernation_file_size == 0 else f"hiberfil.sys {size}"
    yield "power", f"fast startup {fast[power.fast_startup]}, hibernation {fast[power.hibernate_enabled]}, {file}"
    streaming = facts.streaming
    personality = streaming.personality
    if personality is not None and personality.present:
        parts = [f"disk mode {quoted(personality.disk_mode)}" if personality.disk_mode else "no disk mode"]
        if personality.disk_name:
            parts.append(f"disk {quoted(personality.disk_name)}")
        yield "personality", personality.problem or ", ".join(parts)
    if streaming.agent_write_cache_type is not None:
        mode = "Private" if streaming.agent_write_cache_type in (0, 10) else "Standard"
        yield "PVSAgent", f"write cache type {streaming.agent_write_cache_type}: the last streamed boot was {mode} mode"
    if streaming.mcs_io is not None and streaming.mcs_io.present:
        yield "MCS IO", f"the driver {streaming.mcs_io.name} is installed: it disturbs streaming"
    for adapter in facts.scsi_adapters or ():
        name = quoted(adapter.description) if adapter.description else "without a description"
        owner = ", streams this disk" if adapter.streaming else ""
        yield "SCSI adapter", f"{adapter.instance}: {name}{owner}{', values of two adapters' if adapter.mixed else ''}"
    netlogon = facts.netlogon
    joined = {True: "member of a domain", False: "not in a domain", None: f"membership in a domain {_UNKNOWN}"}
    domain = f" {quoted(netlogon.dns_domain)}" if netlogon.dns_domain else ""
    change = {True: "off", False: "on", None: _UNKNOWN}[netlogon.disable_password_change]
    yield "domain", f"{joined[netlogon.domain_joined]}, DNS suffix{domain or ' none'}, password change {change}"
    settings = facts.settings
    pages = _UNKNOWN if settings.page_files is None else "; ".join(map(quoted, settings.page_files)) or "none"
    yield "settings", f"time zone {quoted(settings.time_zone) if settings.time_zone else 'unknown'}, page file {pages}"
    for place in settings.event_logs or ():
        if place.redirected and place.file:
            yield "event log", f"{place.name} is kept at {quoted(place.file)}"
    for marker in facts.rearm_markers or ():
        yield "rearm marker", f"{marker.name} is {quoted(str(marker.data))}"
    for host in facts.discovered_hosts or ():
        where = ", ".join(part for part in (host.host, host.address) if part)
        yield "cached host", f"{quoted(where)} port {quoted(host.port or 'unknown')}, found {moment(host.written)}"


def _answer_file(file: AnswerFileFacts) -> str:
    if file.problem:
        return f"{file.path}: {file.problem}"
    setting = "does not set SkipRearm" if file.skip_rearm is None else f"sets SkipRearm {file.skip_rearm}"
    return f"{file.path} {setting}, written {moment(file.modified)}"


def _witness(facts: EventLogWitnessFacts | None) -> Iterator[Row]:
    if facts is None:
        yield Row("events", f"{_UNKNOWN}: the Application event log cannot be read", "unknown", 2)
        return
    left = f"{facts.chunks_left} older chunk{'s' * (facts.chunks_left != 1)} of 64 KiB not read"
    extent = "all of it" if facts.whole_log else f"its newest {size_text(facts.chunks_read * 65536)}, {left}"
    since = f", back to {moment(facts.oldest)}" if facts.oldest else ""
    damaged = f", {facts.damaged_chunks} chunks damaged" if facts.damaged_chunks else ""
    closed = ", it was not closed" if facts.dirty else ""
    where = f"in the Application log ({extent}{since}{damaged}{closed})"
    text = f"{len(facts.events)} about licensing {where}; evidence, no status"
    yield Row("events", text, "warning" if facts.damaged_chunks else "plain", 2)
    for event in facts.events:
        yield Row(f"event {event.event_id}", _event(event), level=2)


def _event(event: LicensingEventFacts) -> str:
    parts = [f"{moment(event.time)} {event.meaning}"]
    if event.service == "office":
        parts[0] += " (Office)"
    if event.kms_host:
        parts.append(f"host {quoted(event.kms_host)} port {event.kms_port}")
    if event.cmid:
        parts.append(f"CMID {event.cmid}")
    if event.status:
        parts.append(f"result {event.status}")
    if event.needed_count is not None:
        parts.append(f"needs a count of {event.needed_count}")
    if event.kms_count is not None:
        parts.append(f"the host counted {event.kms_count}")
    if event.application_id:
        parts.append(f"application {event.application_id}")
    return ", ".join(parts)

"""Sections on the Windows installation and the PVS target device software in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.report.layout import Row, moment, quoted, stale_mark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.inspection.facts import Inspection
    from vdiskkit.windows.facts import DriverFileFacts, ServiceFacts

__all__ = ["absent", "target", "windows"]

_STARTS = {0: "boot", 1: "system", 2: "automatic", 3: "on demand", 4: "disabled"}


def windows(inspection: Inspection) -> Iterator[Row]:
    """Which Windows it is."""
    facts = inspection.windows
    if facts is None:
        yield Row("windows", absent(inspection))
        return
    build = "build unknown" if facts.build is None else f"build {facts.build}"
    if facts.build is not None and facts.ubr is not None:
        build += f".{facts.ubr}"
    name = " ".join(part for part in (facts.product_name or "unknown product", facts.display_version) if part)
    parts = [name, build, facts.architecture or "architecture unknown"]
    yield Row("windows", stale_mark(", ".join(parts), stale=facts.stale))
    details = [
        f"edition {facts.edition_id or 'unknown'}",
        f"type {facts.installation_type or 'unknown'}",
        f"installed {moment(facts.install_date)}",
    ]
    yield Row("edition", stale_mark(", ".join(details), stale=facts.stale), level=2)
    if facts.product_name_stored != facts.product_name and facts.product_name_stored is not None:
        stored = f"ProductName is stored as {quoted(facts.product_name_stored)}"
        yield Row("stored name", stale_mark(stored, stale=facts.stale), level=2)
    control_set = "unknown" if facts.control_set is None else f"{facts.control_set:03d}"
    computer = quoted(facts.computer_name) if facts.computer_name else "not stored"
    yield Row("computer", stale_mark(f"name {computer}, control set {control_set} in use", stale=facts.stale), level=2)
    clean = [hive for hive in facts.hives if not hive.dirty and hive.checksum_ok and not hive.faults]
    if clean:
        names = ", ".join(hive.name for hive in clean)
        walked = "and sound" if all(hive.faults is not None for hive in clean) else "(--deep walks through them)"
        yield Row("hives", f"{names}: written back {walked}", "good", level=2)
    for hive in facts.hives:
        if hive.faults:
            more = f", and {len(hive.faults) - 1} more faults" if len(hive.faults) > 1 else ""
            yield Row("hive", f"{hive.name} is damaged: {hive.faults[0]}{more}", "bad", level=2)
        if hive.dirty or not hive.checksum_ok:
            state = "is dirty" if hive.dirty else "is clean"
            reason = f": {hive.dirty_reason}" if hive.dirty_reason else ""
            checksum = "" if hive.checksum_ok else ", the checksum of its base block is wrong"
            sequence = f"sequence numbers {hive.sequence_1} and {hive.sequence_2}"
            logs = f"; {hive.logs.summary}" if hive.logs is not None else ""
            text = f"{hive.name} {state}{reason} ({sequence}{checksum}){logs}"
            yield Row("hive", text, "warning", level=2)


def absent(inspection: Inspection) -> str:
    """What to say where no Windows was found: that there is none, or which partition may hold one."""
    hidden = [item for item in inspection.volumes if item.problem]
    if not hidden:
        return "no Windows found"
    numbers = ", ".join(str(item.partition) for item in hidden)
    return f"not determinable: partition {numbers} cannot be read: {hidden[0].problem}"


def target(inspection: Inspection) -> Iterator[Row]:
    """The PVS target device software."""
    if inspection.windows is None:
        yield Row("target", absent(inspection))
        return
    facts = inspection.windows.target_software
    stale = inspection.windows.stale
    if facts.installed is None:
        yield Row("target", "not determinable: the SYSTEM hive cannot be read", "unknown")
    elif not facts.installed:
        yield Row("target", stale_mark("PVS target device software is not installed", stale=stale), "bad")
    else:
        version = f"version {facts.version}" if facts.version else "version unknown"
        source = f" (from {facts.version_source})" if facts.version and facts.version_source else ""
        text = f"PVS target device software is installed, {version}{source}"
        yield Row("target", stale_mark(text, stale=stale), "good")
    services = [_service_text(service) for service in facts.services if service.present]
    if services:
        yield Row("services", stale_mark(", ".join(services), stale=stale), level=2)
    files = [_file_text(file) for file in facts.files if file.present]
    if files:
        yield Row("files", ", ".join(files), level=2)
    for file in facts.files:
        if file.problem is not None:
            there = "is there, but cannot be read" if file.present else "not determinable"
            yield Row("unread", f"{file.path} {there}: {file.problem}", "unknown", level=2)
    missing = [file.path for file in facts.files if file.present is False]
    if missing and facts.installed:
        yield Row("missing", ", ".join(missing), level=2)


def _service_text(service: ServiceFacts) -> str:
    start = "start unknown" if service.start is None else f"start {_STARTS.get(service.start, service.start)}"
    return f"{service.name} ({start})"


def _file_text(file: DriverFileFacts) -> str:
    name = file.path.rpartition("\\")[2]
    return f"{name} {file.version}" if file.version else f"{name} {file.size} bytes" if file.size is not None else name

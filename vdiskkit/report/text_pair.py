"""Sections on the side-car and the other files around a disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.report.layout import Row, moment, quoted, size_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.inspection.facts import Inspection
    from vdiskkit.pair.facts import ManifestFacts, VersionFacts
    from vdiskkit.pvp.facts import PvpFacts

__all__ = ["lock", "pair", "pvp", "pvp_summary"]

_LICENSE_MODES = {"none": "none", "mak": "MAK", "kms": "KMS"}


def pvp(inspection: Inspection) -> Iterator[Row]:
    """The side-car in short; ``pvp show`` has every field."""
    facts = inspection.pvp
    if facts is None:
        path = inspection.pair.pvp_path if inspection.pair is not None else None
        text = "there is no .pvp side-car" if path is None else "the side-car cannot be read, see the notices"
        yield Row("pvp", text, "warning")
        return
    yield Row("pvp", pvp_summary(facts))
    if facts.description:
        yield Row("description", quoted(facts.description), level=2)
    own = [facts.major_release, facts.minor_release, facts.build]
    words = [("title", facts.title), ("author", facts.author), ("company", facts.company), ("date", facts.date)]
    named = [f"{label} {quoted(value)}" for label, value in words if value]
    if named or any(own):
        yield Row("release", ", ".join([f"{own[0]}.{own[1]}.{own[2]}", *named]), level=2)
    changed = facts.properties_update_time
    if changed.time is not None:
        yield Row("changed", f"{moment(changed.time)} ({changed.unit} time)", level=2)
    yield from pvp_problems(facts)


def pvp_summary(facts: PvpFacts) -> str:
    """Mode, licence mode, write cache and AD password in one sentence."""
    mode = {"private": "private image", "standard": "standard image"}.get(facts.mode, "mode unknown")
    licence = _LICENSE_MODES.get(facts.license_mode, f"unknown ({facts.license_mode_value})")
    cache = f"write cache {facts.write_cache_type.value}: {facts.write_cache_type.name}"
    size = f", {facts.write_cache_size_mb} MB in RAM" if facts.write_cache_size_mb else ""
    password = {True: "on", False: "off", None: "unknown"}[facts.ad_password_enabled]
    return f"{mode}, licence mode {licence}, {cache}{size}, AD password management {password}"


def pvp_problems(facts: PvpFacts) -> Iterator[Row]:
    """What makes the file implausible."""
    for problem in facts.problems:
        yield Row("implausible", f"{problem.field} at byte {problem.offset}: {problem.why}", "warning", level=2)


def pair(inspection: Inspection) -> Iterator[Row]:
    """Side-car, versions, manifest and caches in the folder."""
    facts = inspection.pair
    if facts is None:
        yield Row("pair", "not determinable: the disk is no file in a folder", "unknown")
        return
    side_car = f"side-car {facts.pvp_path}" if facts.pvp_path else "no side-car"
    version = "" if facts.version is None else f", this file is version {facts.version}"
    newest = {True: ", the newest", False: f", the newest is {facts.newest_version} (--at latest reads it)", None: ""}[
        facts.is_newest
    ]
    name = f"vDisk {quoted(facts.vdisk_name)}{version}{newest}, {side_car}"
    yield Row("pair", name, "warning" if facts.is_newest is False or not facts.pvp_path else "plain")
    for item in facts.versions:
        yield Row("version", _version(item), level=2)
    if facts.children:
        text = f"{', '.join(facts.children)} were made from this file: it must not change"
        yield Row("children", text, "warning", level=2)
    if facts.manifest is not None:
        yield from _manifest(facts.manifest)
    if facts.write_cache_folder:
        yield Row("write cache", f"{facts.write_cache_folder} holds server-side caches, never copy it", level=2)
    for journal in facts.journals:
        yield Row("journal", journal, "warning", level=2)


def lock(inspection: Inspection) -> Iterator[Row]:
    """Lock files."""
    facts = inspection.pair
    if facts is None:
        yield Row("lock", "not determinable: the disk is no file in a folder", "unknown")
    elif not facts.lock_files:
        yield Row("lock", "none")
    else:
        whose = "this disk is locked" if facts.locked else "this disk is not locked, another version is"
        names = ", ".join(facts.lock_files)
        yield Row("lock", f"{whose}: {names} (may be stale, and means nothing on a copy)", "warning")


def _version(item: VersionFacts) -> str:
    parts = [f"{item.version}, {item.kind}: {item.file_name}"]
    if item.size is not None:
        parts.append(size_text(item.size))
    if item.modified is not None:
        parts.append(f"written {moment(item.modified)}")
    if item.parent_file:
        parts.append(f"made from {item.parent_file} (by {item.parent_by or 'name'})")
    parts.append("with .pvp" if item.has_pvp else "without .pvp")
    if item.has_lock:
        parts.append("locked")
    if item.is_this:
        parts.append("this file")
    return ", ".join(parts)


def _manifest(facts: ManifestFacts) -> Iterator[Row]:
    highest = "no versions" if facts.highest_version is None else f"highest version {facts.highest_version}"
    match = {True: "as in the folder", False: "not as in the folder: PVS refuses the import", None: "not comparable"}
    count = f"{len(facts.versions)} version{'' if len(facts.versions) == 1 else 's'}"
    mark = "warning" if facts.highest_version_matches is False or facts.problems else "plain"
    text = f"{facts.file_name}, {count}, {highest}, {match[facts.highest_version_matches]}"
    yield Row("manifest", text, mark, level=2)
    for item in facts.versions:
        faults = [
            text
            for text, state in (
                ("its file is missing", item.file_present),
                ("the file has another size", item.size_matches),
                ("the file has another time", item.last_write_time_matches),
            )
            if state is False
        ]
        if faults:
            number = "?" if item.version is None else item.version
            text = f"version {number}, {quoted(item.disk_file_name)}: {', '.join(faults)}"
            yield Row("manifest", text, "warning", level=2)
    for problem in facts.problems:
        yield Row("manifest", problem, "warning", level=2)

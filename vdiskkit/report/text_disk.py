"""Sections on the disk file, its chain, its partitions and the volume that was read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.report.layout import Row, moment, quoted, size_text
from vdiskkit.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.container.facts import ChainLinkFacts, VhdxFacts
    from vdiskkit.inspection.facts import Inspection, VolumeSummary

__all__ = ["chain", "container", "partitions", "volume"]

_FOOTERS = {
    "ok": ("good", "ok, checksums fit"),
    "damaged": ("warning", "damaged, its copy at the start of the file was used"),
    "short_511": ("good", "ok, 511 bytes long as old programs wrote it"),
}


def container(inspection: Inspection) -> Iterator[Row]:
    """Format and sizes of the disk file."""
    facts = inspection.container
    parts = [
        f"{facts.format.upper()} {facts.type}",
        f"{size_text(facts.virtual_size)} virtual",
        f"{size_text(facts.file_size)} in file",
    ]
    if facts.block_size is not None:
        parts.append(f"{facts.allocated_blocks} of {facts.block_count} blocks of {size_text(facts.block_size)} in use")
    parts.append(f"{facts.sector_size}-byte sectors")
    yield Row("container", ", ".join(parts))
    if facts.footer is not None:
        mark, text = _FOOTERS[str(facts.footer)]
        yield Row("footer", text, mark, level=2)
    if facts.vhdx is not None:
        yield from _vhdx(facts.vhdx)
    if facts.data_aligned_4k is False:
        yield Row("alignment", "blocks do not begin on multiples of 4 KiB: slower on modern disks", "warning", level=2)
    if facts.unique_id is not None:
        made = f", made {moment(facts.created)}" if facts.created is not None else ""
        by = f" by {quoted(facts.creator_application)}" if facts.creator_application else ""
        version = f" {facts.creator_version}" if by and facts.creator_version else ""
        printed = f" (Windows prints {facts.windows_id})" if facts.windows_id is not None else ""
        yield Row("id", f"{facts.unique_id}{printed}{made}{by}{version}", level=2)


def _vhdx(facts: VhdxFacts) -> Iterator[Row]:
    problems = [facts.header_problem, facts.region_table_problem]
    damaged = "; ".join(problem for problem in problems if problem)
    text = f"header {facts.header} and region table {facts.region_table} used"
    yield Row("headers", f"{text}: {damaged}" if damaged else f"ok, {text}", "warning" if damaged else "good", level=2)
    if facts.log is None:
        yield Row("log", "empty", "good", level=2)
    else:
        entries = counted(facts.log.entries, "entry", "entries")
        text = f"not closed: {entries} to replay; everything is shown as after the replay"
        yield Row("log", text, "warning", level=2)


def chain(inspection: Inspection) -> Iterator[Row]:
    """Every file from the one that was named down to the base."""
    links = inspection.container.chain
    if len(links) < 2:
        yield Row("chain", "one file, it has no parent")
        return
    names = " → ".join(_file_name(link.path) for link in reversed(links))
    yield Row("chain", f"{len(links)} files, parent ids match: {names}", "good")
    for number, link in enumerate(links):
        yield Row("this file" if number == 0 else f"parent {number}", _link_text(link), level=2)


def _link_text(link: ChainLinkFacts) -> str:
    text = f"{link.format.upper()} {link.type}, {size_text(link.file_size)}, {link.path or 'without a path'}"
    return f"{text}, id {link.unique_id}" if link.unique_id else text


def partitions(inspection: Inspection) -> Iterator[Row]:
    """The partition table and what is in each partition."""
    table = inspection.partitions
    if table.scheme == "none":
        yield Row("partitions", "no partition table: one volume fills the disk" if table.partitions else "none found")
    else:
        count = f"{len(table.partitions)} partition{'' if len(table.partitions) == 1 else 's'}"
        disk_id = f", disk id {table.disk_id}" if table.disk_id else ""
        yield Row("partitions", f"{table.scheme.upper()}, {count}{disk_id}")
    volumes = {item.partition: item for item in inspection.volumes}
    for item in table.partitions:
        name = f" {quoted(item.name)}" if item.name else ""
        active = ", active" if item.active else ""
        kind = item.type_name or item.type_id
        found, mark = _content(volumes.get(item.number))
        text = f"{size_text(item.size)} at {size_text(item.offset)}, {kind}{name}{active}{found}"
        yield Row(f"partition {item.number}", text, mark, level=2)


def _content(item: VolumeSummary | None) -> tuple[str, str]:
    if item is None:
        return "", "plain"
    if item.problem:
        return f": {item.problem}", "warning"
    if item.file_system is None:
        return ": neither NTFS nor BitLocker", "plain"
    label = f" {quoted(item.label)}" if item.label else ""
    windows = ", with Windows" if item.windows else ""
    selected = ", read below" if item.selected else ""
    return f": {item.file_system.upper()}{label}{windows}{selected}", "plain"


def volume(inspection: Inspection) -> Iterator[Row]:
    """State of the volume that was read."""
    facts = inspection.volume
    if facts is None:
        yield Row("volume", "no NTFS volume could be read")
        return
    number = next((item.partition for item in inspection.volumes if item.selected), None)
    label = f" {quoted(facts.label)}" if facts.label else ", no label"
    free = (
        "free space not counted (--deep counts it)"
        if facts.free_bytes is None
        else f"{size_text(facts.free_bytes)} free"
    )
    where = f"partition {number}, " if number is not None else ""
    yield Row(
        "volume",
        f"{where}NTFS {facts.ntfs_version}{label}, {size_text(facts.size)}, {free}, "
        f"{size_text(facts.cluster_size)} clusters",
    )
    log = f"log {facts.log}" + (f" ({facts.log_problem})" if facts.log_problem else "")
    state = [
        "dirty: Windows will check it at the next start" if facts.dirty else "not marked dirty",
        log,
        f"hibernation {facts.hibernation}",
    ]
    verdict = "clean" if facts.clean else "not clean"
    yield Row("state", f"{verdict}: {', '.join(state)}", "good" if facts.clean else "warning", level=2)


def _file_name(path: str | None) -> str:
    return path.replace("\\", "/").rpartition("/")[2] if path else "(no path)"

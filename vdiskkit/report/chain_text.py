"""A chain of versions as text: a drawing from the named file down to the base, in the column of the labels.

The drawing is of ASCII letters only, and every state is said in words, so that it reads the same without colour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vdiskkit.report.layout import Row, moment, quoted, render, size_text
from vdiskkit.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.chain.facts import ChainFacts, ChainFile, OtherFile, ParentSearchFacts, StoredPathFacts
    from vdiskkit.pair.facts import ManifestVersionFacts
    from vdiskkit.report.style import Style

__all__ = ["chain_lines"]

_LINE: Final = " |"
_MODES: Final = {"private": "private image", "standard": "standard image", "unknown": "mode unknown", None: ""}
_LICENCES: Final = {"kms": "KMS", "mak": "MAK", "none": "none", "unknown": "unknown", None: ""}
_SETTLED: Final = (0, 3)
"""Access of a version that targets boot: Production, Override. All others are worth a look."""
_MOST_CANDIDATES: Final = 20
_MOST_IN_A_ROW: Final = 16
_ENDS: Final = {
    "missing": "the parent is missing: there is none of the files that were looked for",
    "wrong_id": "the parent is missing: no file that was looked at has its id",
    "mixed": "the parent is missing: a VHD has VHD parents only, and a VHDX VHDX parents",
}
"""What is said at the end of the drawing, below the files that were tried; other ends have their own message."""


def chain_lines(chain: ChainFacts, style: Style) -> list[str]:
    """Set a chain as lines."""
    return render(_rows(chain), style)


def _rows(chain: ChainFacts) -> Iterator[Row]:
    yield Row("disk", chain.target, level=0)
    count = f"{len(chain.files)} file{'s' * (len(chain.files) != 1)}"
    name = f"vDisk {quoted(chain.vdisk_name)}"
    if chain.complete:
        yield Row("chain", f"{name}, {count}, whole down to the base", "good")
    else:
        yield Row("chain", f"{name}, {count} found, not whole: see below", "bad")
    if len(chain.files) > 1:
        yield Row("versions", _overview(chain.files))
    yield from _versions(chain)
    last = len(chain.files) - 1
    for number, item in enumerate(chain.files):
        boots = item.version is not None and item.version == chain.production_version
        yield from _file(item, named=number == 0, boots=boots, below=number < last)
        if number < last:
            yield Row(_LINE, "")
    if chain.break_at is not None:
        damaged = any(item.problem == chain.break_at.message for item in chain.files)
        told = "not whole: a file of it cannot be opened, see above" if damaged else chain.break_at.message
        yield Row(" x", _ENDS.get(str(chain.break_at.kind), told), "bad")
        if chain.break_at.hint:
            yield Row(" x  hint", chain.break_at.hint)
    yield from _others(chain)
    for notice in chain.notices:
        if notice.code in ("pair.newer_version", "pair.no_side_car"):  # said above
            continue
        yield Row("notice", f"{notice.code}: {notice.message}", "warning")


def _overview(files: tuple[ChainFile, ...]) -> str:
    numbers = ["?" if item.version is None else str(item.version) for item in reversed(files)]
    if len(numbers) > _MOST_IN_A_ROW:
        numbers[_MOST_IN_A_ROW // 2 : -_MOST_IN_A_ROW // 2] = ["…"]
    return " → ".join(numbers)


def _versions(chain: ChainFacts) -> Iterator[Row]:
    """What the folder and the manifest say about versions, as far as it is not what one expects."""
    own = chain.files[0].version if chain.files else None
    if own is not None and chain.newest_version is not None and own != chain.newest_version:
        text = f"this is version {own}, the newest in the folder is {chain.newest_version} (--at latest shows it)"
        yield Row("newest", text, "warning")
    manifest = chain.manifest
    if manifest is None:
        return
    highest = "without versions" if manifest.highest_version is None else f"highest version {manifest.highest_version}"
    boots = "" if chain.production_version is None else f", in production {chain.production_version}"
    fits = {True: "", False: ", which is not the folder's highest: PVS refuses the import", None: ""}
    mark = "warning" if manifest.highest_version_matches is False or manifest.problems else "plain"
    yield Row("manifest", f"{manifest.file_name}, {highest}{fits[manifest.highest_version_matches]}{boots}", mark)
    for problem in manifest.problems:
        yield Row("manifest", problem, "warning")
    names = {item.file_name.casefold() for item in chain.files} | {item.file_name.casefold() for item in chain.others}
    for item in manifest.versions:
        if item.file_present is False and item.disk_file_name.casefold() not in names:
            number = "?" if item.version is None else item.version
            text = f"version {number}, {quoted(item.disk_file_name)}, is not in the folder"
            yield Row("manifest", text, "warning")


def _file(item: ChainFile, *, named: bool, boots: bool, below: bool) -> Iterator[Row]:
    number = "?" if item.version is None else item.version
    kind = {"version": "version", "merged": "merged base", "base": "base"}.get(str(item.kind), "no version by its name")
    roles = ", ".join(role for role, plays in (("named", named), ("in production", boots)) if plays)
    this = f" ({roles})" if roles else ""
    what = f"{kind}, {item.format.upper()} {item.type}" if item.type else f"{item.format.upper()}, damaged"
    text = f"{item.file_name}{this}: {what}"
    yield Row(f"[{number}]", text, "bad" if item.problem else "plain")
    rail = _LINE if below or item.parent is not None else ""
    for label, text, mark in _details(item):
        yield Row(f"{rail or '  '}  {label}", text, mark, rail=rail)


def _details(item: ChainFile) -> Iterator[tuple[str, str, str]]:
    if item.problem:
        yield "damaged", f"it cannot be opened: {item.problem}", "bad"
    yield "size", ", ".join(_sizes(item)), "plain"
    by = f", creator {quoted(item.creator)}" if item.creator else ""
    yield "id", f"{item.unique_id or 'none'}{by}", "plain"
    if item.virtual_disk_id is not None:
        yield "disk id", item.virtual_disk_id, "plain"
    made = f", made {moment(item.created)}" if item.created is not None else ""
    yield "time", f"written {moment(item.modified)}{made}", "plain"
    yield ("side-car", *_side_car(item))
    if item.lock_file:
        yield "lock", f"{item.lock_file} (may be stale, and means nothing on a copy)", "warning"
    if item.pending_log:
        entries = counted(item.pending_log, "entry", "entries")
        yield "log", f"not closed: {entries} to replay; shown as after the replay", "warning"
    if item.interrupted:
        yield "journal", item.interrupted, "warning"
    for notice in item.notices:
        if notice.code != "vhdx.log_replayed":  # said above
            yield "notice", notice.message, "warning"
    if item.manifest is not None:
        yield ("manifest", *_manifest(item.manifest, item.version))
    for structure in item.structures or ():
        if structure.state not in ("ok", "pending"):
            yield "check", f"{structure.name} {structure.state}: {structure.problem}", "warning"
    if item.parent is not None:
        yield from _parent(item.parent)


def _sizes(item: ChainFile) -> Iterator[str]:
    yield f"{size_text(item.file_size)} file"
    if item.allocated_bytes is not None and item.block_size is not None:
        yield f"{size_text(item.allocated_bytes)} in blocks of {size_text(item.block_size)}"
    if item.virtual_size is not None:
        yield f"{size_text(item.virtual_size)} virtual"
    if item.sector_size not in (None, 512):
        yield f"{item.sector_size}-byte sectors"


def _side_car(item: ChainFile) -> tuple[str, str]:
    car = item.side_car
    if car is None:
        return "none", "warning"
    if car.problem is not None:
        return f"{car.file_name} cannot be read: {car.problem}", "warning"
    return f"{car.file_name}: {_MODES[car.mode]}, licence mode {_LICENCES[car.license_mode]}", "plain"


def _manifest(item: ManifestVersionFacts, version: int | None) -> tuple[str, str]:
    parts = []
    if item.type is not None:
        parts.append(item.type.name if item.type.name != "unknown" else f"type {item.type.value}")
    if item.access is not None:
        parts.append(item.access.name if item.access.name != "unknown" else f"access {item.access.value}")
    if item.created is not None:
        parts.append(f"created {moment(item.created)}")
    if item.scheduled is not None:
        parts.append(f"in use from {moment(item.scheduled)} on")
    if item.delete_when_free:
        parts.append("deleted when no target uses it")
    if item.description.strip():
        parts.append(quoted(item.description.strip(), 100))
    faults = []
    if item.version != version:
        faults.append(f"there it is version {'?' if item.version is None else item.version}")
    if item.size_matches is False:
        faults.append("the file has another size")
    if item.last_write_time_matches is False:
        faults.append(f"there it was written {moment(item.last_write_time)}")
    unsettled = item.access is not None and item.access.value not in _SETTLED
    mark = "warning" if faults or unsettled else "plain"
    return ", ".join([*parts, *faults]) or "named without details", mark


def _parent(parent: ParentSearchFacts) -> Iterator[tuple[str, str, str]]:
    yield "parent", " or ".join((parent.unique_id, *parent.other_ids)), "plain"
    if parent.modified is not None:
        fits = {True: ", which it has", False: ", which it has not", None: ""}[parent.time_matches]
        yield "", f"as written {moment(parent.modified)}{fits}", "warning" if parent.time_matches is False else "plain"
    for stored in parent.stored_paths:
        yield ("", *_stored(stored))
    if parent.found is None or len(parent.candidates) > 1:
        for candidate in parent.candidates[:_MOST_CANDIDATES]:
            mark = {"taken": "good", "refused": "bad"}.get(candidate.outcome, "plain")
            yield "tried", f"{candidate.path}: {candidate.problem or 'its id fits'}", mark
        left = len(parent.candidates) - _MOST_CANDIDATES
        if left > 0:
            yield "tried", f"{left} more", "plain"
    elif not any(stored.led_to for stored in parent.stored_paths):
        yield "tried", f"{parent.found}: found by the name that PVS gives", "good"


def _stored(stored: StoredPathFacts) -> tuple[str, str]:
    text = f"{stored.code} {quoted(stored.path)}"
    plain = stored.kind == "name" and stored.file_name is not None
    if not plain:
        text += f": {stored.note}"
    if stored.led_to is None:
        return text, "plain"
    return f"{text}: found" if plain else f"{text}; found", "good"


def _others(chain: ChainFacts) -> Iterator[Row]:
    if not chain.others:
        return
    count = len(chain.others)
    is_are = "file of this vDisk is" if count == 1 else "files of this vDisk are"
    yield Row("beside", f"{count} more {is_are} in the folder, not in this chain")
    for item in chain.others:
        mark = "warning" if item.relation == "orphan" else "plain"
        yield Row(f"({item.version})", _other(item), mark)


def _other(item: OtherFile) -> str:
    parts = [item.file_name]
    if item.size is not None:
        parts.append(size_text(item.size))
    if item.modified is not None:
        parts.append(f"written {moment(item.modified)}")
    if not item.has_pvp:
        parts.append("without .pvp")
    if item.has_lock:
        parts.append("locked")
    state = ""
    if item.manifest is not None and item.manifest.access is not None:
        state = f" ({item.manifest.access.name})"
    return f"{', '.join(parts)}{state}: {item.note}"

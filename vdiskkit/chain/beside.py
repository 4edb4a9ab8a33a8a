"""What lies beside a chain: other versions of the vDisk in the folder, and what the export manifest says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.chain.facts import OtherFile, Relation
from vdiskkit.pair.facts import VersionKind

if TYPE_CHECKING:
    from vdiskkit.pair.facts import ManifestFacts, ManifestVersionFacts, PairFacts, VersionFacts

__all__ = ["manifest_entry", "other_files", "production_version"]

_PRODUCTION, _OVERRIDE = 0, 3
_MERGING = (4, 5, 6)
"""Access of a version that is being merged: Merge, MergeMaintenance, MergeTest."""


def manifest_entry(manifest: ManifestFacts | None, file_name: str, version: int | None) -> ManifestVersionFacts | None:
    """Return what the manifest says about a file: by its name, else by its number when the entry names no file."""
    if manifest is None:
        return None
    for item in manifest.versions:
        if item.disk_file_name.casefold() == file_name.casefold():
            return item
    return next(
        (item for item in manifest.versions if not item.disk_file_name and item.version == version is not None), None
    )


def production_version(manifest: ManifestFacts | None) -> int | None:
    """Return the version that targets boot: the one with access Override, else the highest one in production."""
    if manifest is None:
        return None
    for access in (_OVERRIDE, _PRODUCTION):
        numbers = [
            item.version
            for item in manifest.versions
            if item.version is not None and item.access is not None and item.access.value == access
        ]
        if numbers:
            return max(numbers)
    return None


def other_files(pair: PairFacts, in_chain: set[str]) -> tuple[OtherFile, ...]:
    """Return the disk files of the vDisk that are not in the chain, and what each has to do with it.

    Args:
        pair: The folder.
        in_chain: Names of the chain's files that lie in this folder.
    """
    by_name = {item.file_name: item for item in pair.versions}
    others = []
    for item in pair.versions:
        if item.file_name in in_chain:
            continue
        relation = _relation(item, by_name, in_chain)
        entry = manifest_entry(pair.manifest, item.file_name, item.version)
        others.append(
            OtherFile(
                file_name=item.file_name,
                version=item.version,
                kind=item.kind,
                size=item.size,
                modified=item.modified,
                relation=relation,
                parent_file=item.parent_file,
                parent_by=item.parent_by,
                has_pvp=item.has_pvp,
                has_lock=item.has_lock,
                manifest=entry,
                note=_note(item, relation, entry, pair),
            )
        )
    return tuple(others)


def _relation(item: VersionFacts, by_name: dict[str, VersionFacts], in_chain: set[str]) -> Relation:
    if item.kind is not VersionKind.VERSION:
        return Relation.WHOLE
    if item.parent_file is None:
        return Relation.ORPHAN
    if item.parent_file in in_chain:
        return Relation.CHILD
    seen = {item.file_name}
    ancestor = by_name.get(item.parent_file)
    while ancestor is not None and ancestor.file_name not in seen:
        if ancestor.file_name in in_chain:
            return Relation.DESCENDANT
        seen.add(ancestor.file_name)
        ancestor = by_name.get(ancestor.parent_file) if ancestor.parent_file is not None else None
    return Relation.OTHER_BRANCH


def _note(item: VersionFacts, relation: Relation, entry: ManifestVersionFacts | None, pair: PairFacts) -> str:
    by_name = " by its name" if item.parent_by == "name" else ""
    parts = [
        {
            Relation.CHILD: f"made{by_name} from {item.parent_file}, which must not change",
            Relation.DESCENDANT: f"made{by_name} from {item.parent_file}, which was made from this chain",
            Relation.WHOLE: "a merged base, whole by itself" if item.version else "a base, whole by itself",
            Relation.OTHER_BRANCH: f"made{by_name} from {item.parent_file}, which does not belong to this chain",
            Relation.ORPHAN: "its parent is not in this folder, so it cannot be opened",
        }[relation]
    ]
    if pair.manifest is not None:
        if entry is None:
            merged = item.kind is VersionKind.MERGED
            doubt = ": a merge that was abandoned, or made after the export" if merged else ""
            parts.append(f"the manifest does not name it{doubt}")
        elif entry.access is not None and entry.access.value in _MERGING:
            parts.append(f"being merged by the manifest (access {entry.access.name})")
        elif entry.delete_when_free:
            parts.append("PVS deletes it when no target uses it")
    return "; ".join(parts)

"""Rules about the versions of a vDisk: parents, side-cars of each, the export manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.rules import gaps
from vdiskkit.rules.facts import Severity
from vdiskkit.rules.model import NotApplicable, Passed, Problem, Rule, Unknown, rule

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from vdiskkit.pair.facts import ManifestFacts, PairFacts
    from vdiskkit.rules.model import Context, Outcome

__all__ = ["RULES", "folder_gap", "judge_maintenance", "judge_manifest", "the_manifest"]

_CHAIN_DOC = "docs.citrix.com, Citrix Provisioning 7.15: vDisk versions; import and export of vDisks"
_VERSIONED = "vDisks with versions, PVS 6 and later"
_MAINTENANCE = {1: "Maintenance", 2: "Maintenance, highest version", 5: "Merge, maintenance"}
_TEST = {6: "Merge, test", 7: "Test"}


def folder_gap(context: Context) -> Unknown | None:
    """Return why nothing is known about the folder, None when it could be listed."""
    if context.pair is None:
        return gaps.no_pair(context)
    return gaps.unreadable(context, "pair.folder_unreadable")


@rule(
    "CHN101",
    "Every version in the folder has its parent",
    severity="error",
    reads="ids and parent ids of all .vhd and .avhd files of this vDisk in its folder",
    judgement="passes when each version leads to a file with the right id; fails otherwise. A disk whose own parent "
    "is missing or another one cannot be opened at all",
    why="PVS streams a version through all its parents. One missing file makes all newer versions useless.",
    fix="copy the missing file from the store it was made in; all files of a vDisk are copied together",
    versions=_VERSIONED,
    source=_CHAIN_DOC,
)
def parents(context: Context) -> Iterator[Outcome]:
    """Judge the parents of all versions."""
    gap = folder_gap(context)
    if gap is not None:
        yield gap
        return
    yield from context.noticed("pair.parent_missing", "pair.parent_id_unknown")


@rule(
    "CHN102",
    "The parent is unchanged since the version was made",
    severity="warning",
    reads="the parent's time recorded in the differencing file, and the time of the parent file",
    judgement="passes when they agree within two seconds; warns otherwise",
    why="A parent that was written to after a version was made damages that version silently. Copying without keeping "
    "times looks the same, and breaks PVS's own comparison between servers too.",
    fix="copy with robocopy /COPY:DAT, which keeps times; if the parent was really changed, make the version again",
    versions=_VERSIONED,
    source=_CHAIN_DOC,
)
def parent_time(context: Context) -> Iterator[Outcome]:
    """Judge the parent's time."""
    container = context.inspection.container
    if container.format == "raw":
        yield gaps.raw()
    elif container.parent is None:
        yield Passed("the disk has no parent")
    elif container.parent.modified is None:
        yield Unknown("the file does not record its parent's time")
    else:
        yield from context.noticed("vhd.parent_time")


@rule(
    "CHN103",
    "Every disk file of the vDisk has its side-car",
    severity="error",
    reads="names in the folder",
    judgement="passes when each other .vhd or .avhd of this vDisk has a .pvp of the same name; fails otherwise",
    why="PVS refuses to add a version without its .pvp, and a replica without one loses its settings.",
    fix="copy the missing .pvp from the store the vDisk comes from",
    versions=_VERSIONED,
    source=_CHAIN_DOC,
)
def side_cars(context: Context) -> Iterator[Outcome]:
    """Judge the side-cars of the other files."""
    gap = folder_gap(context)
    pair = context.pair
    if gap is not None or pair is None:
        yield gap or gaps.no_pair(context)
        return
    for version in pair.versions:
        # The disk's own side-car is a rule of its own.
        if not version.has_pvp and not version.is_this:
            yield Problem("a disk file of this vDisk has no .pvp", context.at(f"file:{version.file_name}"))


@rule(
    "CHN104",
    "Version numbers are unique",
    severity="warning",
    reads="names in the folder",
    judgement="passes when no two disk files have the same version number; warns otherwise",
    why="After a merge the old versions stay for a while; two files of one number mean that a merge was not cleaned "
    "up, or that files of two vDisks lie together.",
    fix="delete the versions that no target uses any more in the PVS console (Versions, Delete)",
    versions=_VERSIONED,
    source=_CHAIN_DOC,
)
def unique(context: Context) -> Iterator[Outcome]:
    """Judge version numbers."""
    gap = folder_gap(context)
    if gap is not None:
        yield gap
        return
    yield from context.noticed("pair.version_twice", "pair.name_ambiguous")


@rule(
    "CHN105",
    "This is the newest version",
    severity="warning",
    reads="version numbers in the file names of the folder",
    judgement="passes when no newer version lies beside the disk; warns otherwise",
    why="Targets boot the newest production version, so judging an older file says nothing about what they will get.",
    fix="name the newest file, or use --at latest",
    versions=_VERSIONED,
    source=_CHAIN_DOC,
)
def newest(context: Context) -> Iterator[Outcome]:
    """Judge whether this is the newest version."""
    gap = folder_gap(context)
    pair = context.pair
    if gap is not None or pair is None:
        yield gap or gaps.no_pair(context)
    elif pair.is_newest is None:
        yield Unknown("the disk is not among the versions in its folder")
    elif not pair.is_newest:
        yield Problem(
            f"a newer version lies beside this one: {pair.newest_version}",
            evidence=f"this is version {pair.version}",
        )


@rule(
    "CHN106",
    "The newest version is not in maintenance",
    severity="error",
    reads="access of the highest version in the export manifest (vDisk name, .xml)",
    judgement="passes with access 0 (Production), 3 (Override) or 4 (Merge); warns for a test version, fails for a "
    "maintenance version; a vDisk without versions passes",
    why="A version in maintenance is still being changed by one target; a copy of it is a copy of an open disk.",
    fix="shut the maintenance target down, then promote the version in the PVS console (Versions, Promote), and "
    "export the vDisk again",
    versions=_VERSIONED,
    source=_CHAIN_DOC,
)
def maintenance(context: Context) -> Iterator[Outcome]:
    """Judge the access of the newest version."""
    found = yield from the_manifest(context)
    if found is None:
        return
    yield from judge_maintenance(found[0], context.at(f"file:{found[0].file_name}"))


def judge_maintenance(manifest: ManifestFacts, where: str) -> Iterator[Outcome]:
    """Judge the access of the manifest's highest version; ``where`` is the manifest."""
    top = next((item for item in manifest.versions if item.version == manifest.highest_version), None)
    if top is None or top.access is None:
        yield Unknown("the manifest does not say the access of its highest version")
        return
    named = f"version {top.version}: access {top.access.value} ({top.access.name})"
    if top.access.value in _MAINTENANCE:
        yield Problem("the newest version is in maintenance", where, named)
    elif top.access.value in _TEST:
        yield Problem("the newest version is a test version", where, named, Severity.WARNING)
    elif top.access.name == "unknown":
        yield Unknown(f"the access {top.access.value} of the newest version has no known meaning")
    else:
        yield Passed(named)


@rule(
    "CHN107",
    "The export manifest describes the files in the folder",
    severity="error",
    reads="version numbers, file names, sizes and times in the manifest and in the folder",
    judgement="fails when the highest numbers differ or a file is missing; warns when a size or time differs",
    why="PVS refuses to import a vDisk whose manifest does not fit its files.",
    fix="export the vDisk again in the PVS console (Export vDisk) and copy the new .xml",
    versions=_VERSIONED,
    source=_CHAIN_DOC,
)
def manifest_fits(context: Context) -> Iterator[Outcome]:
    """Compare the manifest with the folder."""
    found = yield from the_manifest(context)
    if found is None:
        return
    manifest, pair = found
    yield from judge_manifest(manifest, pair.newest_version, context.at(f"file:{manifest.file_name}"))


def judge_manifest(manifest: ManifestFacts, newest_version: int | None, where: str) -> Iterator[Outcome]:
    """Compare the manifest with the folder, whose highest version is given; ``where`` is the manifest."""
    for problem in manifest.problems:
        yield Problem("the manifest cannot be read whole", where, problem)
    if manifest.highest_version_matches is False:
        yield Problem(
            "the manifest's highest version is not the folder's",
            where,
            f"manifest {manifest.highest_version}, folder {newest_version}",
        )
    for version in manifest.versions:
        named = f"version {version.version}, {version.disk_file_name}"
        if version.file_present is False:
            yield Problem("a file of the manifest is not in the folder", where, named)
        elif version.size_matches is False:
            yield Problem("a file has another size than the manifest says", where, named, Severity.WARNING)
        elif version.last_write_time_matches is False:
            yield Problem("a file has another time than the manifest says", where, named, Severity.WARNING)


def the_manifest(context: Context) -> Generator[Outcome, None, tuple[ManifestFacts, PairFacts] | None]:
    """Return manifest and folder; None after yielding why there is nothing to judge."""
    gap = folder_gap(context) or gaps.unreadable(context, "pair.manifest_unreadable")
    pair = context.pair
    if gap is not None or pair is None:
        yield gap or gaps.no_pair(context)
        return None
    if pair.manifest is not None:
        return pair.manifest, pair
    if not any(version.version for version in pair.versions):
        yield NotApplicable("the vDisk has no versions and no export manifest")
    else:
        yield Unknown("there is no export manifest; the access of the versions is only in the PVS database")
    return None


RULES = tuple(value for value in list(globals().values()) if isinstance(value, Rule))

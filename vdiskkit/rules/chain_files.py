"""Rules about every file of a chain: whether the chain reaches its base, and whether all its structures are whole.

Most of them judge :class:`~vdiskkit.chain.facts.ChainFacts`, which ``chain check`` and ``validate --deep`` read.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from vdiskkit.pair.facts import VersionKind
from vdiskkit.rules import gaps
from vdiskkit.rules.chain import folder_gap, the_manifest
from vdiskkit.rules.facts import Severity
from vdiskkit.rules.model import NotApplicable, Passed, Problem, Rule, rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from vdiskkit.chain.facts import ChainFacts
    from vdiskkit.pair.facts import ManifestFacts
    from vdiskkit.rules.model import Context, Outcome

__all__ = [
    "RULES",
    "at_file",
    "judge_locks",
    "judge_names",
    "judge_region_copies",
    "judge_sizes",
    "judge_structures",
    "judge_vhdx_structures",
    "judge_whole",
    "structures_of",
]

_CHAIN_DOC = "docs.citrix.com, Citrix Provisioning 7.15: vDisk versions; VHDX chain of differencing disks"
_VERSIONED = "vDisks with versions, PVS 6 and later"
_VHD = "Virtual Hard Disk Image Format Specification 1.0"
_VHDX = "[MS-VHDX] Virtual Hard Disk v2 file format"
_COPY_AGAIN = "copy the file again from its source and compare the sizes"
_DEEP = NotApplicable("every copy of every structure is read by `chain check` and by `validate --deep`")
_WHOLE_TYPES = {0: "Base", 4: "MergeBase"}


@rule(
    "VHD107",
    "Dynamic header, locators and block allocation table of each VHD are whole",
    severity="error",
    reads="dynamic header, parent locators and every entry of the block allocation table, of each file of the chain",
    judgement="fails when a checksum does not fit, or a block lies outside the file, on another structure or on "
    "another block; passes otherwise. Read by `chain check` and `validate --deep`; other commands refuse such a file",
    why="Blocks are found through this table alone. A block in a wrong place is data of another part of the disk.",
    fix=_COPY_AGAIN,
    versions="all PVS versions with dynamic .vhd or .avhd",
    source=_VHD,
)
def vhd_structures(context: Context) -> Iterator[Outcome]:
    """Judge what stands between the footers."""
    yield from _of_format(context, "vhd", judge_structures)


@rule(
    "VHX104",
    "The second region table of the VHDX is whole and says the same",
    severity="warning",
    reads="both region tables, all 64 KiB of each, of each file of the chain",
    judgement="passes when both can be used and name the same regions; warns otherwise. Read by `chain check` and "
    "`validate --deep`",
    why="The second table is what saves the disk when the first one is damaged.",
    fix="copy the file again from its source; if the source is the same, copy the disk into a new file (Convert-VHD)",
    versions="PVS 7.7 and later with .vhdx or .avhdx",
    source=_VHDX,
)
def region_copies(context: Context) -> Iterator[Outcome]:
    """Judge the second region table."""
    yield from _of_format(context, "vhdx", judge_region_copies)


@rule(
    "VHX105",
    "Regions, metadata and block allocation table of each VHDX are whole",
    severity="error",
    reads="place of the log and of all regions, metadata table and items, every entry of the block allocation table, "
    "of each file of the chain",
    judgement="fails when one cannot be, or a block lies outside the file, on another structure or on another block; "
    "passes otherwise. Read by `chain check` and `validate --deep`; other commands refuse such a file",
    why="Blocks are found through these alone. A block in a wrong place is data of another part of the disk.",
    fix=_COPY_AGAIN,
    versions="PVS 7.7 and later with .vhdx or .avhdx",
    source=_VHDX,
)
def vhdx_structures(context: Context) -> Iterator[Outcome]:
    """Judge what stands behind the headers."""
    yield from _of_format(context, "vhdx", judge_vhdx_structures)


@rule(
    "CHN108",
    "The chain is whole down to its base",
    severity="error",
    reads="headers and block tables of the disk and of its parents; each parent is looked for in its child's folder, "
    "then in those that are named",
    judgement="passes when each file can be opened and the last one has no parent; fails when a parent is missing, is "
    "another one or of another format, when a file is damaged, and when the chain is a loop. `chain check` tells this "
    "as a finding; other commands cannot open such a disk",
    why="PVS streams a version through all its parents. One that is missing makes all versions above it useless.",
    fix="copy the missing or damaged file from the store it was made in; all files of a vDisk are copied together",
    versions=_VERSIONED,
    source=_CHAIN_DOC,
)
def whole(context: Context) -> Iterator[Outcome]:
    """Judge whether the chain reaches a base."""
    container = context.inspection.container
    if context.chain is not None:
        yield from judge_whole(context.chain)
    elif container.format == "raw":
        yield gaps.raw()
    else:
        yield Passed(_files(len(container.chain)))


@rule(
    "CHN109",
    "All files of the chain describe the same disk",
    severity="warning",
    reads="virtual size of each file of the chain; with `chain check` and `validate --deep` also logical sector size, "
    "block size, and the virtual disk id of VHDX files",
    judgement="fails when sector sizes differ; warns when virtual sizes differ; gives a note when block sizes or disk "
    "ids differ; passes otherwise",
    why="What lies behind the end of a smaller parent reads as zeros, and a larger parent's end is lost: partition "
    "tables and volumes then end where no data is. PVS never makes such versions.",
    fix="make the version again from its parent, or merge it on the PVS server and check the merged disk",
    versions=_VERSIONED,
    source=_CHAIN_DOC,
)
def sizes(context: Context) -> Iterator[Outcome]:
    """Compare the files of the chain with each other."""
    container = context.inspection.container
    if context.chain is not None:
        yield from judge_sizes(context.chain)
    elif container.format == "raw":
        yield gaps.raw()
    else:
        yield from _virtual_sizes([(item.path or "", item.virtual_size) for item in container.chain])


@rule(
    "CHN110",
    "The manifest names every disk file as what it is",
    severity="warning",
    reads="version numbers, types and file names in the manifest, the disk files of the folder and whether each is "
    "whole by itself",
    judgement="fails when the manifest gives a file another version number than its name has; warns when a disk file "
    "is not in the manifest, when its type does not fit the file, or when the starting version is none of the "
    "manifest's; passes otherwise",
    why="PVS imports what the manifest says: a file that it does not name is left behind, and a base that it takes for "
    "a version, or the other way round, cannot be streamed.",
    fix="export the vDisk again in the PVS console (Export vDisk) and copy the new .xml; remove what a merge left over",
    versions=_VERSIONED,
    source=_CHAIN_DOC,
)
def manifest_names(context: Context) -> Iterator[Outcome]:
    """Compare the manifest's entries with the files."""
    found = yield from the_manifest(context)
    if found is None:
        return
    manifest, pair = found
    files = [(item.file_name, item.version, item.kind) for item in pair.versions]
    yield from judge_names(manifest, files, context.at(f"file:{manifest.file_name}"))


@rule(
    "CHN111",
    "No parent of the disk is locked",
    severity="warning",
    reads="lock files (.lok) of the files of the chain; that of the disk itself is PVP105 of `validate`, and counts "
    "here in `chain check`",
    judgement="passes without any; warns with one, which may be left over from a crash",
    why="A lock means that a target or a server uses the file. A copy of a chain in use is no consistent copy.",
    fix="shut the targets down; if none runs, PVS console: vDisk, Manage Locks, Remove Locks",
    versions=_VERSIONED,
    source="Citrix: do not copy a vDisk that is in use or locked",
)
def locks(context: Context) -> Iterator[Outcome]:
    """Look for lock files of the parents."""
    gap, pair = folder_gap(context), context.pair
    if gap is not None or pair is None:
        yield gap or gaps.no_pair(context)
        return
    parents = {_name(item.path) for item in context.inspection.container.chain[1:]}
    for version in pair.versions:
        if version.has_lock and version.file_name in parents:
            yield Problem("a parent of the disk is locked", context.at(f"file:{version.file_name}"))


def judge_structures(chain: ChainFacts) -> Iterator[Outcome]:
    """Judge dynamic headers and block allocation tables of VHD files."""
    yield from _damaged(chain, "vhd", ("dynamic header", "block allocation table"))


def judge_region_copies(chain: ChainFacts) -> Iterator[Outcome]:
    """Judge the second region tables."""
    yield from _damaged(chain, "vhdx", ("region table 2",))


def judge_vhdx_structures(chain: ChainFacts) -> Iterator[Outcome]:
    """Judge logs as far as their place is concerned, regions, metadata and block allocation tables."""
    yield from _damaged(chain, "vhdx", ("log", "regions", "metadata", "block allocation table"))


def judge_whole(chain: ChainFacts) -> Iterator[Outcome]:
    """Judge whether a chain reaches its base."""
    for item in chain.files:
        if item.problem is not None and (chain.break_at is None or item.path != chain.break_at.file):
            yield Problem("a file of the chain cannot be opened", at_file(item.path), item.problem)
    if chain.break_at is not None:
        found = chain.break_at
        yield Problem(f"the chain is not whole: {found.message}", found.location, str(found.kind), fix=found.hint)
    else:
        yield Passed(_files(len(chain.files)))


def judge_sizes(chain: ChainFacts) -> Iterator[Outcome]:
    """Compare the files of a chain with each other."""
    files = [item for item in chain.files if item.virtual_size is not None]
    yield from _virtual_sizes([(item.path, item.virtual_size or 0) for item in files])
    for child, parent in pairwise(files):
        where = at_file(child.path)
        if child.sector_size != parent.sector_size:
            evidence = f"{child.sector_size} bytes, of {parent.file_name} {parent.sector_size}"
            yield Problem("the logical sectors are not of the parent's size", where, evidence, Severity.ERROR)
        if None not in (child.block_size, parent.block_size) and child.block_size != parent.block_size:
            evidence = f"{child.block_size} bytes, of {parent.file_name} {parent.block_size}"
            yield Problem("the blocks are not of the parent's size", where, evidence, Severity.NOTE)
        if child.virtual_disk_id != parent.virtual_disk_id:
            evidence = f"{child.virtual_disk_id}, of {parent.file_name} {parent.virtual_disk_id}"
            yield Problem("the virtual disk id is not the parent's", where, evidence, Severity.NOTE)


def judge_names(
    manifest: ManifestFacts, files: Sequence[tuple[str, int, VersionKind]], where: str
) -> Iterator[Outcome]:
    """Compare a manifest's entries with the disk files of the folder.

    Args:
        manifest: The manifest.
        files: Name, version number and kind of each disk file of the vDisk.
        where: Address of the manifest.
    """
    entries = {item.disk_file_name.casefold(): item for item in manifest.versions}
    for name, number, kind in files:
        entry = entries.get(name.casefold())
        if entry is None:
            yield Problem("a disk file is not in the manifest", where, name)
            continue
        if entry.version is not None and entry.version != number:
            evidence = f"{name}: version {entry.version} in the manifest"
            yield Problem("the manifest gives a file another version number", where, evidence, Severity.ERROR)
        if entry.type is not None and entry.type.name != "unknown":
            is_whole = kind is not VersionKind.VERSION
            if (entry.type.value in _WHOLE_TYPES) != is_whole:
                fact = "is whole by itself" if is_whole else "holds only changes"
                yield Problem("a file is not of the type that the manifest says", where,
                              f"{name}: {entry.type.name} in the manifest, but it {fact}")  # fmt: skip
    numbers = {item.version for item in manifest.versions}
    if manifest.starting_version is not None and manifest.starting_version not in numbers:
        evidence = str(manifest.starting_version)
        yield Problem("the starting version is none of the manifest's versions", where, evidence)


def judge_locks(chain: ChainFacts) -> Iterator[Outcome]:
    """Look for lock files of all files of a chain."""
    for item in chain.files:
        if item.lock_file is not None:
            yield Problem("a file of the chain is locked", at_file(item.path), item.lock_file)


def structures_of(chain: ChainFacts, container: str, names: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Yield address, state and problem of the structures of some names, of the files of one format."""
    wanted = set(names)
    for item in chain.files:
        for found in item.structures or ():
            if item.format == container and found.name in wanted:
                where = at_file(item.path) + ("" if found.offset is None else f" > byte:{found.offset:#x}")
                yield where, found.state, found.problem or ""


def at_file(path: str) -> str:
    """The address of a file."""
    from vdiskkit.location import Location

    return str(Location(path))


def _damaged(chain: ChainFacts, container: str, names: tuple[str, ...]) -> Iterator[Outcome]:
    count = 0
    for where, state, problem in structures_of(chain, container, names):
        count += 1
        if state in ("damaged", "missing", "differs"):
            yield Problem(problem, where)
    if not count:
        yield NotApplicable(f"no file of the chain is a {container.upper()} that has them")


def _of_format(
    context: Context,
    container: str,
    judge: Callable[[ChainFacts], Iterable[Outcome]],
) -> Iterable[Outcome]:
    if context.inspection.container.format == "raw":
        return [gaps.raw()]
    if context.inspection.container.format != container:
        return [NotApplicable(f"the disk is no {container.upper()}")]
    return [_DEEP] if context.chain is None else judge(context.chain)


def _virtual_sizes(files: Sequence[tuple[str, int]]) -> Iterator[Outcome]:
    for (path, size), (parent, other) in pairwise(files):
        if size != other:
            evidence = f"{size} bytes, of {_name(parent)} {other}"
            yield Problem("the virtual size is not the parent's", at_file(path), evidence)


def _name(path: str | None) -> str:
    return (path or "").replace("\\", "/").rpartition("/")[2]


def _files(count: int) -> str:
    return "the disk has no parent" if count == 1 else f"{count} files, each with the id that its child names"


RULES = tuple(value for value in list(globals().values()) if isinstance(value, Rule))
